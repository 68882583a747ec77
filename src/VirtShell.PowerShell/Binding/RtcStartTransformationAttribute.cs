using System;
using System.Management.Automation;
using VirtShell.Host;

namespace VirtShell.PowerShell.Binding;

/// <summary>Lets the start of a VM's clock be given as a word (Utc, LocalTime), as a date in text, or as a date.</summary>
public sealed class RtcStartTransformationAttribute : ArgumentTransformationAttribute
{
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        object value = inputData is PSObject wrapped ? wrapped.BaseObject : inputData;
        try
        {
            return value switch
            {
                RtcStart start => start,
                DateTime time => RtcStart.At(time),
                DateTimeOffset time => RtcStart.At(time.UtcDateTime),
                _ => RtcStart.Parse(value?.ToString() ?? string.Empty),
            };
        }
        catch (FormatException e)
        {
            throw new ArgumentTransformationMetadataException(e.Message, e);
        }
    }
}
