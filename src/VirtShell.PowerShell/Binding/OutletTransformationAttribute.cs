using System;
using System.Globalization;
using System.Linq;
using System.Management.Automation;
using VirtShell.Machine;

namespace VirtShell.PowerShell.Binding;

/// <summary>Lets an outlet be given by its name, or by the number that stands for it.</summary>
public sealed class OutletTransformationAttribute : ArgumentTransformationAttribute
{
    /// <summary>Whether only outlets will do at which a guest can read.</summary>
    public bool TakesInput { get; init; }

    public override object Transform(EngineIntrinsics engineIntrinsics, object inputData)
    {
        object value = inputData is PSObject wrapped ? wrapped.BaseObject : inputData;
        if (value is not Outlet outlet && !Outlet.TryParse(Convert.ToString(value, CultureInfo.InvariantCulture), out outlet!))
        {
            throw new ArgumentTransformationMetadataException($"There is no outlet '{value}'. There are {Names(all: true)}.");
        }

        return outlet.TakesInput || !TakesInput
            ? outlet
            : throw new ArgumentTransformationMetadataException($"Guests do not read at {outlet.Name}. They read at {Names(all: false)}.");
    }

    private static string Names(bool all) => string.Join(", ", Outlet.All.Where(o => all || o.TakesInput).Select(o => $"{o.Name} ({o.Number})"));
}
