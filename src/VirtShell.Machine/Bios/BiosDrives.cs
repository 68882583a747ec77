using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using VirtShell.Machine.Drives;
using VirtShell.State;
using VirtShell.Storage;

namespace VirtShell.Machine.Bios;

/// <summary>A drive as the BIOS numbers it.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Number">DL of INT 13h.</param>
/// <param name="Drive">The drive, where media change; null for a disk that is always there.</param>
/// <param name="Disk">That disk.</param>
/// <param name="Name">For people.</param>
internal sealed record BiosDrive(DriveKind Kind, byte Number, Drive? Drive, IBlockDevice? Disk, string Name)
{
    public IBlockDevice? Medium => Drive is null ? Disk : Drive.Medium;

    public int SectorSize => Kind == DriveKind.Cd ? BiosDrives.CdSector : BiosDrives.DiskSector;
}

/// <summary>The machine's drives in the order of the BIOS: hard disks on IDE come before those on virtio.</summary>
[NotState("What the machine was built with.")]
internal sealed class BiosDrives
{
    public const int DiskSector = 512;
    public const int CdSector = 2048;
    public const byte FirstHardDisk = 0x80;

    /// <summary>Number of the first CD, clear of all hard disks.</summary>
    public const byte FirstCd = 0xE0;

    private const int MostFloppies = 2;

    public BiosDrives(MachineConfiguration configuration, BiosBoot boot)
    {
        Order = boot.Order.Count > 0 ? boot.Order : [DriveKind.Floppy, DriveKind.Cd, DriveKind.HardDisk];
        List<BiosDrive> floppies = [];
        List<BiosDrive> disks = [];
        List<BiosDrive> cds = [];
        foreach (Drive drive in configuration.Drives.OrderBy(d => d.Number))
        {
            string place = drive.Number.ToString(CultureInfo.InvariantCulture);
            switch (drive.Kind)
            {
                case DriveKind.Floppy when drive.Number < MostFloppies:
                    floppies.Add(new(drive.Kind, (byte)drive.Number, drive, null, $"Floppy {(char)('A' + drive.Number)}"));
                    break;
                case DriveKind.HardDisk when disks.Count < Ebda.MostDisks:
                    disks.Add(new(drive.Kind, (byte)(FirstHardDisk + disks.Count), drive, null, $"Hard disk IDE {place}"));
                    break;
                case DriveKind.Cd:
                    cds.Add(new(drive.Kind, (byte)(FirstCd + cds.Count), drive, null, $"CD IDE {place}"));
                    break;
                default:
                    break;
            }
        }

        foreach (DiskAttachment disk in configuration.Disks.Take(Ebda.MostDisks - disks.Count))
        {
            string name = $"Hard disk virtio {(disks.Count(d => d.Drive is null)).ToString(CultureInfo.InvariantCulture)}";
            disks.Add(new(DriveKind.HardDisk, (byte)(FirstHardDisk + disks.Count), null, disk.Device, name));
        }

        Floppies = floppies;
        HardDisks = disks;
        Cds = cds;
    }

    /// <summary>Kinds of drives in the order in which they are tried.</summary>
    public IReadOnlyList<DriveKind> Order { get; }

    public IReadOnlyList<BiosDrive> Floppies { get; }

    public IReadOnlyList<BiosDrive> HardDisks { get; }

    public IReadOnlyList<BiosDrive> Cds { get; }

    /// <summary>The drive of a number; null where there is none.</summary>
    public BiosDrive? Find(byte number)
    {
        IReadOnlyList<BiosDrive> all = number < FirstHardDisk ? Floppies : number < FirstCd ? HardDisks : Cds;
        foreach (BiosDrive drive in all)
        {
            if (drive.Number == number)
            {
                return drive;
            }
        }

        return null;
    }

    /// <summary>All drives that may boot, in the order in which they are tried.</summary>
    public IEnumerable<BiosDrive> BootCandidates()
    {
        foreach (DriveKind kind in Order)
        {
            foreach (BiosDrive drive in kind switch { DriveKind.Floppy => Floppies.Take(1), DriveKind.Cd => Cds, _ => HardDisks })
            {
                yield return drive;
            }
        }
    }
}

/// <summary>How a disk is addressed by cylinder, head and sector.</summary>
internal readonly record struct Geometry(int Cylinders, int Heads, int Sectors)
{
    private const int MostCylinders = 1024;
    private const int MostSectors = 63;

    /// <summary>Sectors that can be reached so.</summary>
    public long Total => (long)Cylinders * Heads * Sectors;

    /// <summary>Of a floppy disk, by its size; what is no size of a floppy is put on the smallest that holds it.</summary>
    public static Geometry OfFloppy(long bytes)
    {
        ReadOnlySpan<Geometry> known =
        [
            new(40, 1, 8), new(40, 1, 9), new(40, 2, 8), new(40, 2, 9), new(80, 1, 9), new(80, 2, 8), new(80, 2, 9), new(80, 2, 10), new(80, 2, 15), new(80, 2, 18),
            new(82, 2, 18), new(83, 2, 18), new(80, 2, 20), new(80, 2, 21), new(82, 2, 21), new(83, 2, 21), new(80, 2, 36),
        ];
        foreach (Geometry geometry in known)
        {
            if (geometry.Total * BiosDrives.DiskSector == bytes)
            {
                return geometry;
            }
        }

        ReadOnlySpan<Geometry> usual = [new(40, 2, 9), new(80, 2, 9), new(80, 2, 15), new(80, 2, 18)];
        foreach (Geometry geometry in usual)
        {
            if (geometry.Total * BiosDrives.DiskSector >= bytes)
            {
                return geometry;
            }
        }

        return new(80, 2, 36);
    }

    /// <summary>Of a hard disk: as its partitions were made with, or as BIOSes do by size.</summary>
    public static Geometry OfDisk(long sectors, ReadOnlySpan<byte> masterRecord)
    {
        int heads = 0;
        int perTrack = 0;
        if (masterRecord.Length >= 512 && masterRecord[510] == 0x55 && masterRecord[511] == 0xAA)
        {
            for (int entry = 446; entry < 510; entry += 16)
            {
                // A partition ends with a whole cylinder, so its last head and sector are the largest.
                int last = masterRecord[entry + 5];
                int sector = masterRecord[entry + 6] & 0x3F;
                bool isSane = (masterRecord[entry] & 0x7F) == 0 && masterRecord[entry + 4] is not 0 and not 0xEE && sector != 0 && EndsThere(masterRecord.Slice(entry, 16), last + 1, sector);
                if (isSane)
                {
                    heads = last + 1;
                    perTrack = sector;
                    break;
                }
            }
        }

        if (heads == 0)
        {
            perTrack = MostSectors;
            heads = 16;
            while (heads < 255 && sectors > (long)MostCylinders * heads * perTrack)
            {
                heads = heads == 128 ? 255 : heads * 2;
            }
        }

        long cylinders = Math.Clamp(sectors / (heads * perTrack), 1, MostCylinders);
        return new((int)cylinders, heads, perTrack);
    }

    // Whether a partition's end by address is its end by sector number, as far as addresses reach.
    private static bool EndsThere(ReadOnlySpan<byte> entry, int heads, int perTrack)
    {
        uint start = BitConverter.ToUInt32(entry[8..12]);
        uint length = BitConverter.ToUInt32(entry[12..16]);
        if (length == 0)
        {
            return false;
        }

        int cylinder = entry[7] | ((entry[6] & 0xC0) << 2);
        long end = ((long)(cylinder + 1) * heads * perTrack) - 1;
        return end == start + (long)length - 1 || cylinder >= MostCylinders - 2;
    }
}
