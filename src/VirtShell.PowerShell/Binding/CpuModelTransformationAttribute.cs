using System;
using System.Linq;
using System.Management.Automation;
using VirtShell.Cpu;

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

        string wanted = Normalize(value?.ToString() ?? string.Empty);
        foreach (CpuModel model in Enum.GetValues<CpuModel>())
        {
            if (string.Equals(Normalize(model.ToString()), wanted, StringComparison.OrdinalIgnoreCase))
            {
                return model;
            }
        }

        throw new ArgumentTransformationMetadataException(
            $"'{value}' is no processor model. There are: {string.Join(", ", Enum.GetNames<CpuModel>().Select(Display))}.");
    }

    internal static string Normalize(string name) => name.Replace("_", string.Empty, StringComparison.Ordinal).Replace("-", string.Empty, StringComparison.Ordinal);

    /// <summary>A model's name as suites spell it.</summary>
    internal static string Display(string name) => name.Replace('_', '-').ToLowerInvariant();
}
