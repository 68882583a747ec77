using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Machine.Drives;
using VirtShell.State;

namespace VirtShell.Machine.Boards;

/// <summary>
/// What somebody chose about a machine's parts: which are left out or put in, and their options. Written as "part=off",
/// "part=on" and "part.option=value", the last of equals counts.
/// </summary>
[NotState("What machines are built from.")]
public sealed class PartSettings
{
    /// <summary>Every part and option as the model has it.</summary>
    public static readonly PartSettings Default = new();

    private readonly Dictionary<string, bool> _presence = new(StringComparer.Ordinal);
    private readonly Dictionary<(string Part, string Option), long> _values = [];

    private PartSettings()
    {
    }

    /// <summary>Reads settings, checks each against the model, and checks that the machine which they make can be built.</summary>
    /// <exception cref="PartException">One of them is wrong, or the parts do not go together.</exception>
    public static PartSettings Parse(MachineModel model, IEnumerable<string> settings)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentNullException.ThrowIfNull(settings);
        PartSettings parsed = new();
        foreach (string setting in settings)
        {
            parsed.Add(model, setting);
        }

        model.Plan(parsed);
        return parsed;
    }

    /// <summary>Whether a machine with these settings has the outlet.</summary>
    public bool HasOutlet(MachineModel model, Outlet outlet)
    {
        ArgumentNullException.ThrowIfNull(model);
        return model.Rows.Any(row => row.Outlet == outlet && Has(row));
    }

    /// <summary>Checks that a machine with these settings has what its disks are on.</summary>
    /// <exception cref="PartException">It has not.</exception>
    public void CheckDisks(MachineModel model, int count)
    {
        ArgumentNullException.ThrowIfNull(model);
        if (count > 0 && (model.Find(PcModel.DisksPart) is not { } row || !Has(row)))
        {
            throw new PartException($"The machine has {count} disks, and part '{PcModel.DisksPart}', which they need, is left out. Leave out both, or neither.");
        }
    }

    /// <summary>The part that drives of a bus are on.</summary>
    public static string PartOf(DriveBus bus) => bus == DriveBus.Ide ? PcModel.IdePart : PcModel.FloppyPart;

    /// <summary>Checks that nobody left out what drives of a bus are on.</summary>
    /// <exception cref="PartException">Somebody has.</exception>
    public void CheckDrives(DriveBus bus)
    {
        if (_presence.TryGetValue(PartOf(bus), out bool isPresent) && !isPresent)
        {
            throw new PartException($"The machine has drives on part '{PartOf(bus)}', which is left out. Leave out both, or neither.");
        }
    }

    /// <param name="row">The part.</param>
    /// <param name="configuration">The machine; null where it is not known yet, and the part is where most machines have it.</param>
    internal bool Has(PartRow row, MachineConfiguration? configuration = null) =>
        _presence.GetValueOrDefault(row.Name, configuration is null || row.IsPresentWith is null ? row.IsPresent : row.IsPresentWith(configuration));

    /// <summary>Whether somebody asked for the part by its name.</summary>
    internal bool AsksFor(string name) => _presence.GetValueOrDefault(name);

    internal long ValueOf(PartRow row, PartOption option) => _values.GetValueOrDefault((row.Name, option.Name), option.Default);

    private void Add(MachineModel model, string setting)
    {
        int equals = setting.IndexOf('=', StringComparison.Ordinal);
        if (equals < 0)
        {
            throw new PartException($"'{setting}' sets nothing. Write part=off, part=on or part.option=value.");
        }

        string target = setting[..equals].Trim();
        string value = setting[(equals + 1)..].Trim();
        int dot = target.IndexOf('.', StringComparison.Ordinal);
        string name = dot < 0 ? target : target[..dot];
        PartRow row = model.Find(name)
            ?? throw new PartException($"The machine '{model.Name}' has no part '{name}'. Its parts are {string.Join(", ", model.Rows.Select(r => r.Name))}.");
        if (dot < 0)
        {
            if (!PartOption.TryParseSwitch(value, out long present))
            {
                throw new PartException($"Part '{name}' is either on or off, not '{value}'.");
            }

            if (present == 0 && row.IsEssential)
            {
                throw new PartException($"Part '{name}' cannot be left out: no machine '{model.Name}' works without it.");
            }

            _presence[row.Name] = present != 0;
            return;
        }

        string optionName = target[(dot + 1)..];
        PartOption option = row.Options.FirstOrDefault(o => o.Name == optionName)
            ?? throw new PartException($"Part '{name}' has no option '{optionName}'. {(row.Options.Count == 0 ? "It has none." : $"It has {string.Join(", ", row.Options.Select(o => o.Name))}.")}");
        if (!option.TryParse(value, out long number))
        {
            throw new PartException($"Option '{optionName}' of part '{name}' is {option.Values}, not '{value}'.");
        }

        _values[(row.Name, option.Name)] = number;
    }
}
