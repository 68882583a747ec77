using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Drives;

namespace VirtShell.Host;

/// <summary>A setting of a machine's part that <see cref="VmDefinition.Parts"/> may hold.</summary>
/// <param name="Text">As it is written: "virtio-rng=off".</param>
/// <param name="Meaning">What it does, in a few words.</param>
public sealed record VmPartSetting(string Text, string Meaning);

/// <summary>The parts of a VM's machine, as far as people choose about them.</summary>
public static class VmParts
{
    /// <summary>A setting for each part that can be left out or put in, and one for each option, that makes a difference to the usual machine (of numbers, the usual one).</summary>
    public static IReadOnlyList<VmPartSetting> Settings { get; } = [.. List()];

    /// <summary>What is wrong with settings, in words that say what to do; null for nothing.</summary>
    /// <param name="settings">As in <see cref="VmDefinition.Parts"/>.</param>
    /// <param name="disks">The machine's disks.</param>
    /// <param name="cds">How many CD drives it has.</param>
    /// <param name="floppies">How many floppy drives it has.</param>
    public static string? Problem(IEnumerable<string> settings, IReadOnlyList<VmDisk> disks, int cds, int floppies)
    {
        ArgumentNullException.ThrowIfNull(disks);
        try
        {
            // Drives bring their controllers, unless somebody leaves these out, which is refused then.
            List<DriveBus> needed = [];
            if (cds > 0 || disks.Any(disk => disk.Interface == DiskInterface.Ide))
            {
                needed.Add(DriveBus.Ide);
            }

            if (floppies > 0)
            {
                needed.Add(DriveBus.Floppy);
            }

            PartSettings parsed = PartSettings.Parse(MachineModel.Pc, [.. needed.Select(bus => PartSettings.PartOf(bus) + "=on"), .. settings]);
            parsed.CheckDisks(MachineModel.Pc, disks.Count(disk => disk.Interface == DiskInterface.Virtio));
            needed.ForEach(parsed.CheckDrives);
            return null;
        }
        catch (PartException e)
        {
            return e.Message;
        }
    }

    private static IEnumerable<VmPartSetting> List()
    {
        foreach (PartRow row in MachineModel.Pc.Rows)
        {
            if (!row.IsEssential && (row.IsPresent || row.IsPresentWith is not null))
            {
                yield return new($"{row.Name}=off", $"without: {row.Meaning}");
            }

            if (!row.IsEssential && (!row.IsPresent || row.IsPresentWith is not null))
            {
                yield return new($"{row.Name}=on", $"with: {row.Meaning}");
            }

            foreach (PartOption option in row.Options)
            {
                string value = option.IsSwitch ? option.Default != 0 ? "off" : "on" : option.Default.ToString(CultureInfo.InvariantCulture);
                yield return new($"{row.Name}.{option.Name}={value}", option.Meaning);
            }
        }
    }
}
