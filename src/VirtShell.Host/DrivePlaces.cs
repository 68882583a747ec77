using System;
using System.Collections.Generic;
using System.Linq;

namespace VirtShell.Host;

/// <summary>Which place on the IDE controller each drive of a definition has.</summary>
public sealed class DrivePlaces
{
    /// <summary>Number of a disk that is not on the controller.</summary>
    public const int None = -1;

    private const int IdeCount = 4;
    private const int FloppyCount = 2;

    // CDs go to the second channel first, as people build PCs.
    private static readonly int[] s_diskOrder = [0, 1, 2, 3];
    private static readonly int[] s_cdOrder = [2, 3, 1, 0];

    private DrivePlaces(IReadOnlyList<int> disks, IReadOnlyList<int> cds)
    {
        Disks = disks;
        Cds = cds;
    }

    /// <summary>The place of each disk, 0 (primary master) to 3, or <see cref="None"/>.</summary>
    public IReadOnlyList<int> Disks { get; }

    /// <summary>The place of each CD drive.</summary>
    public IReadOnlyList<int> Cds { get; }

    /// <summary>Places of a definition's drives.</summary>
    /// <exception cref="ArgumentException">There are not enough; <see cref="Problem"/> says so before.</exception>
    public static DrivePlaces Of(VmDefinition definition)
    {
        ArgumentNullException.ThrowIfNull(definition);
        return Assign(definition.Disks, definition.Cds, definition.Floppies.Count, out DrivePlaces places) is { } problem ? throw new ArgumentException(problem, nameof(definition)) : places;
    }

    /// <summary>What is wrong with the places of drives, in words that say what to do; null for nothing.</summary>
    public static string? Problem(IReadOnlyList<VmDisk> disks, IReadOnlyList<VmCdDrive> cds, int floppies) => Assign(disks, cds, floppies, out _);

    /// <summary>Whether two definitions have the same removable drives, whatever is in them.</summary>
    internal static bool HaveSameDrives(VmDefinition one, VmDefinition other) =>
        one.Cds.Select(drive => drive.Place).SequenceEqual(other.Cds.Select(drive => drive.Place)) && one.Floppies.Count == other.Floppies.Count;

    private static string? Assign(IReadOnlyList<VmDisk> disks, IReadOnlyList<VmCdDrive> cds, int floppies, out DrivePlaces places)
    {
        int[] ofDisks = new int[disks.Count];
        int[] ofCds = new int[cds.Count];
        places = new DrivePlaces(ofDisks, ofCds);
        if (floppies > FloppyCount)
        {
            return $"A VM has at most {FloppyCount} floppy drives, A: and B:; this one has {floppies}. Leave some out.";
        }

        if (disks.FirstOrDefault(disk => disk.Interface == DiskInterface.Virtio && disk.Place != IdePlace.Next) is { } misplaced)
        {
            return $"The disk '{misplaced.Source}' is on virtio, which has no places; leave its place out, or give it the interface ide.";
        }

        // Who says where goes first.
        HashSet<int> taken = [];
        foreach (IdePlace place in disks.Select(disk => disk.Place).Concat(cds.Select(drive => drive.Place)).Where(place => place != IdePlace.Next))
        {
            if (!taken.Add(Number(place)))
            {
                return $"Two drives are at the IDE controller's {VmDiskSettings.PlaceKind.Format(place)}. Give one of them another place.";
            }
        }

        for (int i = 0; i < disks.Count; i++)
        {
            ofDisks[i] = disks[i].Interface == DiskInterface.Virtio ? None : Take(disks[i].Place, s_diskOrder);
        }

        for (int i = 0; i < cds.Count; i++)
        {
            ofCds[i] = Take(cds[i].Place, s_cdOrder);
        }

        return taken.Contains(IdeCount) ? $"The IDE controller has {IdeCount} places for disks and CD drives together; there are more of them here. Leave some out, or put disks on virtio." : null;

        int Take(IdePlace place, int[] order)
        {
            if (place != IdePlace.Next)
            {
                return Number(place);
            }

            int free = Array.Find(order, number => !taken.Contains(number)) is var found && taken.Contains(found) ? IdeCount : found;
            taken.Add(free);
            return free;
        }
    }

    private static int Number(IdePlace place) => place - IdePlace.PrimaryMaster;
}
