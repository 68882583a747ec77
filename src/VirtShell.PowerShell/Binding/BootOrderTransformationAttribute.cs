using System.Collections;
using System.Linq;
using System.Management.Automation;

namespace VirtShell.PowerShell.Binding;

/// <summary>Lets a boot order be given as a list of words, too: -BootOrder cd, disk.</summary>
public sealed class BootOrderTransformationAttribute : ArgumentTransformationAttribute
{
    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        object value = inputData is PSObject wrapped ? wrapped.BaseObject : inputData;
        return value is IEnumerable list and not string ? string.Join(',', list.Cast<object>().Select(one => one?.ToString())) : value?.ToString() ?? string.Empty;
    }
}
