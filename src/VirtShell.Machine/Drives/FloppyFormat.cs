using System;
using System.Collections.Generic;

namespace VirtShell.Machine.Drives;

/// <summary>How the sectors of a floppy image lie on a disk.</summary>
/// <param name="Cylinders">Cylinders.</param>
/// <param name="Heads">Sides.</param>
/// <param name="Sectors">Sectors of 512 bytes on a track.</param>
public readonly record struct FloppyFormat(int Cylinders, int Heads, int Sectors)
{
    /// <summary>Bytes of a sector.</summary>
    public const int SectorBytes = 512;

    /// <summary>Bytes of the largest image.</summary>
    public const long MostBytes = 2880 << 10;

    private const int WideTrackCylinders = 42;
    private const int DoubleDensitySectors = 10;
    private const int HighDensitySectors = 24;
    private const int FiveInchHighSectors = 15;

    // What was made, and what programs format beyond that.
    private static readonly FloppyFormat[] s_known =
    [
        new(40, 1, 8), new(40, 1, 9), new(40, 2, 8), new(40, 2, 9), new(40, 2, 10), new(80, 2, 8), new(80, 2, 9), new(80, 2, 10),
        new(80, 2, 15), new(80, 2, 18), new(80, 2, 20), new(80, 2, 21), new(82, 2, 21), new(80, 2, 22), new(80, 2, 36),
    ];

    /// <summary>Formats whose images are told by their length.</summary>
    public static IReadOnlyList<FloppyFormat> Known => s_known;

    /// <summary>Bytes of a whole image.</summary>
    public long Bytes => (long)Cylinders * Heads * Sectors * SectorBytes;

    /// <summary>Rates at which the disk can be read, as bits by the number that data rate registers have: 500, 300, 250 and 1,000 kbit/s.</summary>
    internal int Rates => Sectors <= DoubleDensitySectors ? 0b0110 : Sectors <= HighDensitySectors ? 0b0001 : 0b1000;

    /// <summary>Whether tracks are twice as wide, so that a drive with 80 cylinders finds each of them in two places.</summary>
    internal bool HasWideTracks => Cylinders <= WideTrackCylinders;

    /// <summary>The format of an image: the one of exactly that length, or the usual one that has room, 1.44 MB or 2.88 MB.</summary>
    /// <param name="bytes">Length of the image; the missing part of a shorter one reads as zeros.</param>
    public static FloppyFormat Of(long bytes)
    {
        foreach (FloppyFormat format in s_known)
        {
            if (format.Bytes == bytes)
            {
                return format;
            }
        }

        FloppyFormat usual = new(80, 2, 18);
        return bytes <= usual.Bytes ? usual : new(80, 2, 36);
    }

    /// <summary>The type of a drive for such disks as the CMOS has it (byte 10h): 2 is 1.2 MB, 4 is 1.44 MB, 5 is 2.88 MB.</summary>
    public byte DriveType => HasWideTracks || Sectors == FiveInchHighSectors ? (byte)2 : Sectors <= HighDensitySectors ? (byte)4 : (byte)5;

    /// <summary>Types of drives A: and B: as the CMOS has them at 10h, A: in the high half; 0 is none. An empty drive is one for 1.44 MB.</summary>
    public static byte CmosTypes(IReadOnlyList<Drive> drives)
    {
        ArgumentNullException.ThrowIfNull(drives);
        int types = 0;
        foreach (Drive drive in drives)
        {
            if (drive.Bus == DriveBus.Floppy && drive.Number is 0 or 1)
            {
                types |= TypeOf(drive) << (drive.Number == 0 ? 4 : 0);
            }
        }

        return (byte)types;
    }

    /// <summary>Bits of the equipment byte (CMOS 14h, BIOS data area) that tell of floppy drives: bit 0 that there are any, 7:6 how many, less one.</summary>
    public static byte EquipmentBits(IReadOnlyList<Drive> drives)
    {
        ArgumentNullException.ThrowIfNull(drives);
        int count = 0;
        foreach (Drive drive in drives)
        {
            count += drive.Bus == DriveBus.Floppy ? 1 : 0;
        }

        return (byte)(count == 0 ? 0 : 1 | ((count - 1) << 6));
    }

    /// <summary>The type of a drive that is built with a medium, or empty.</summary>
    internal static byte TypeOf(Drive drive) => Of(drive.Medium?.Length ?? 0).DriveType;
}
