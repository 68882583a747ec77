using System;

namespace VirtShell.Machine.Drives;

/// <summary>How a hard disk is addressed by cylinder, head and sector (ATA/ATAPI-6, 6.2).</summary>
/// <param name="Cylinders">Cylinders, 65,535 at most.</param>
/// <param name="Heads">Heads, 1 to 16.</param>
/// <param name="SectorsPerTrack">Sectors of a track, 1 to 255; 0 where there are no such addresses.</param>
internal readonly record struct AtaGeometry(int Cylinders, int Heads, int SectorsPerTrack)
{
    public const int MostHeads = 16;

    /// <summary>Sectors of a track at power-on.</summary>
    public const int DefaultSectors = 63;

    // Of the geometry at power-on, so that it stays below 8 GiB; of others what a register holds.
    private const int MostDefaultCylinders = 16383;
    private const int MostCylinders = 65535;

    /// <summary>Sectors that have such an address.</summary>
    public long Sectors => (long)Cylinders * Heads * SectorsPerTrack;

    /// <summary>A disk with as many cylinders as it has room for.</summary>
    public static AtaGeometry Of(long sectors, int heads, int sectorsPerTrack)
    {
        if (sectorsPerTrack == 0)
        {
            return new(0, heads, 0);
        }

        bool isDefault = heads == MostHeads && sectorsPerTrack == DefaultSectors;
        return new((int)Math.Clamp(sectors / (heads * sectorsPerTrack), 1, isDefault ? MostDefaultCylinders : MostCylinders), heads, sectorsPerTrack);
    }

    /// <summary>The number of a sector; -1 where there is none of that address.</summary>
    public long NumberOf(int cylinder, int head, int sector) =>
        sector == 0 || sector > SectorsPerTrack || head >= Heads || cylinder >= Cylinders ? -1 : ((((long)cylinder * Heads) + head) * SectorsPerTrack) + sector - 1;
}
