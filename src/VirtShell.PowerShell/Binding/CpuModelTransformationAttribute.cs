using System.Management.Automation;
using VirtShell.Cpu;
using VirtShell.Host;
using VirtShell.Settings;

namespace VirtShell.PowerShell.Binding;

/// <summary>Lets a processor model be given as suites spell it (x86-64-v3) or as the enumeration does (X86_64_V3).</summary>
public sealed class CpuModelTransformationAttribute : ArgumentTransformationAttribute
{
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        object value = inputData is PSObject wrapped ? wrapped.BaseObject : inputData;
        if (value is CpuModel)
        {
            return value;
        }

        WordKind<CpuModel> kind = (WordKind<CpuModel>)VmSettings.Cpu.Kind;
        return kind.TryParseLoosely(value?.ToString() ?? string.Empty, out CpuModel model)
            ? model
            : throw new ArgumentTransformationMetadataException($"'{value}' is no processor model. There are: {string.Join(", ", kind.Words)}.");
    }
}
