using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.State;

namespace VirtShell.Machine.Boards;

/// <summary>A kind of machine: a named list of parts.</summary>
[NotState("What machines are built from.")]
public sealed class MachineModel
{
    private readonly Dictionary<string, PartRow> _byName = new(StringComparer.Ordinal);

    /// <exception cref="PartException">The rows contradict each other.</exception>
    internal MachineModel(string name, IReadOnlyList<PartRow> rows)
    {
        Name = name;
        Rows = [.. rows.OrderBy(row => row.Layer)];
        foreach (PartRow row in Rows)
        {
            if (!_byName.TryAdd(row.Name, row))
            {
                throw new PartException($"The machine '{name}' has two parts '{row.Name}'.");
            }

            if (row.Needs.FirstOrDefault(need => need == row.Name || !_byName.ContainsKey(need)) is { } late)
            {
                throw new PartException($"Part '{row.Name}' needs '{late}', which does not stand before it in the machine '{name}'.");
            }

            bool isOptionsAlone = row.Device is null && row.Functions is null && row.Claims.Count == 0;
            if (row.Device is null == row.Functions is null && !isOptionsAlone)
            {
                throw new PartException($"Part '{row.Name}' is either a device or functions of the PCI bus, or has options alone.");
            }
        }
    }

    /// <summary>The one PC that there is: i440FX and PIIX, as <see cref="PcModel"/> lists it.</summary>
    public static MachineModel Pc { get; } = new("pc", PcModel.Rows);

    /// <summary>Every model.</summary>
    public static IReadOnlyList<MachineModel> All { get; } = [Pc];

    public string Name { get; }

    /// <summary>The parts in the order of building, reset and saving.</summary>
    public IReadOnlyList<PartRow> Rows { get; }

    /// <summary>Finds a part; null where the model has none of that name.</summary>
    public PartRow? Find(string name) => _byName.GetValueOrDefault(name);

    /// <summary>The parts of a machine with these settings, in order; without a configuration, of most machines with them.</summary>
    /// <exception cref="PartException">A part lacks one that it needs, or two claim the same.</exception>
    internal IReadOnlyList<PartRow> Plan(PartSettings settings, MachineConfiguration? configuration = null)
    {
        List<PartRow> plan = [];
        HashSet<string> replaced = [.. Rows.Where(row => settings.Has(row, configuration)).SelectMany(row => row.Replaces)];
        foreach (PartRow row in Rows)
        {
            // What somebody asks for stays, and is told that both cannot be.
            if (!settings.Has(row, configuration) || (replaced.Contains(row.Name) && !settings.AsksFor(row.Name)))
            {
                continue;
            }

            if (row.Needs.FirstOrDefault(need => plan.All(other => other.Name != need)) is { } missing)
            {
                throw new PartException($"Part '{row.Name}' needs part '{missing}', which is left out. Leave out both, or neither.");
            }

            foreach (PartRow other in plan.Append(row))
            {
                CheckClaims(other, row);
            }

            plan.Add(row);
        }

        return plan;
    }

    private static void CheckClaims(PartRow first, PartRow second)
    {
        for (int i = 0; i < first.Claims.Count; i++)
        {
            for (int j = ReferenceEquals(first, second) ? i + 1 : 0; j < second.Claims.Count; j++)
            {
                if (first.Claims[i].Overlaps(second.Claims[j]))
                {
                    throw new PartException($"Part '{second.Name}' claims {second.Claims[j]} ({second.Claims[j].Name}), and so does part '{first.Name}' with {first.Claims[i]} ({first.Claims[i].Name}). Leave one of them out.");
                }
            }
        }
    }
}
