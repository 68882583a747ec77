using System;
using System.Buffers.Binary;

namespace VirtShell.Machine.Bios;

/// <summary>What a CD starts (El Torito 1.0): a program, or a disk that it emulates.</summary>
/// <param name="Media">0 for none, 1 to 3 for a floppy disk of 1.2, 1.44 and 2.88 MiB, 4 for a hard disk.</param>
/// <param name="Segment">Where its first sectors are loaded.</param>
/// <param name="Count">How many of 512 bytes.</param>
/// <param name="Start">The image's first sector on the CD.</param>
/// <param name="SystemType">The partition type that the catalog tells.</param>
internal readonly record struct CdBoot(byte Media, ushort Segment, ushort Count, uint Start, byte SystemType)
{
    private const int BootRecord = 17;
    private const int EntryLength = 32;
    private const byte Bootable = 0x88;
    private const ushort DefaultSegment = 0x7C0;

    /// <summary>Finds the first entry of a CD's boot catalog that an x86 PC may start.</summary>
    public static bool TryFind(BiosDrive cd, out CdBoot boot)
    {
        boot = default;
        Span<byte> sector = stackalloc byte[BiosDrives.CdSector];
        if (!BiosDisk.TryRead(cd, BootRecord, sector) || !sector[1..6].SequenceEqual("CD001"u8) || !sector[7..30].SequenceEqual("EL TORITO SPECIFICATION"u8))
        {
            return false;
        }

        if (!BiosDisk.TryRead(cd, BinaryPrimitives.ReadUInt32LittleEndian(sector[0x47..]), sector) || sector[0] != 1 || sector[0x1E] != 0x55 || sector[0x1F] != 0xAA)
        {
            return false;
        }

        byte platform = sector[1];
        for (int at = EntryLength; at < sector.Length; at += EntryLength)
        {
            ReadOnlySpan<byte> entry = sector.Slice(at, EntryLength);
            if (entry[0] is 0x90 or 0x91)
            {
                platform = entry[1];
            }
            else if (entry[0] == Bootable && platform == 0 && (entry[1] & 0x0F) <= 4)
            {
                ushort segment = BinaryPrimitives.ReadUInt16LittleEndian(entry[2..]);
                ushort count = BinaryPrimitives.ReadUInt16LittleEndian(entry[6..]);
                boot = new((byte)(entry[1] & 0x0F), segment == 0 ? DefaultSegment : segment, count == 0 ? (ushort)1 : count, BinaryPrimitives.ReadUInt32LittleEndian(entry[8..]), entry[4]);
                return true;
            }
        }

        return false;
    }
}

/// <summary>Disks that a CD emulates, and INT 13h 4Bh.</summary>
internal sealed partial class BiosDisk
{
    /// <summary>Notes what a CD starts, so that the disk which it emulates is there from now on; gives the drive number to start with.</summary>
    public byte Emulate(int cd, in CdBoot boot)
    {
        byte number = boot.Media switch { 0 => (byte)(BiosDrives.FirstCd + cd), 4 => BiosDrives.FirstHardDisk, _ => 0 };
        Geometry geometry = boot.Media switch
        {
            1 => new(80, 2, 15),
            2 => new(80, 2, 18),
            3 => new(80, 2, 36),
            4 => GeometryOfImage(drives.Cds[cd], boot.Start),
            _ => default,
        };
        c.SetExtendedByte(Ebda.EmulationKind, (byte)(boot.Media + 1));
        c.SetExtendedByte(Ebda.EmulationDrive, number);
        c.SetExtendedByte(Ebda.EmulationCd, (byte)cd);
        c.SetExtendedByte(Ebda.EmulationSectors, (byte)geometry.Sectors);
        c.SetWord(c.Extended(Ebda.EmulationHeads), (ushort)geometry.Heads);
        c.SetWord(c.Extended(Ebda.EmulationCylinders), (ushort)geometry.Cylinders);
        c.SetDword(c.Extended(Ebda.EmulationStart), boot.Start);
        c.SetWord(c.Extended(Ebda.EmulationLoadSegment), boot.Segment);
        c.SetWord(c.Extended(Ebda.EmulationLoadCount), boot.Count);
        if (boot.Media is >= 1 and <= 3)
        {
            ushort equipment = c.DataWord(Bda.Equipment);
            int floppies = Math.Min(FloppyCount(), 4);
            c.SetDataWord(Bda.Equipment, (ushort)((equipment & ~0xC1) | 1 | ((floppies - 1) << 6)));
        }
        else if (boot.Media == 4)
        {
            c.SetData(Bda.DiskCount, (byte)HardDiskCount());
        }

        return number;
    }

    // Its one partition begins at the start of a track and ends with a cylinder.
    private static Geometry GeometryOfImage(BiosDrive cd, uint start)
    {
        Span<byte> record = stackalloc byte[BiosDrives.CdSector];
        if (!TryRead(cd, start, record))
        {
            return new(1, 1, 1);
        }

        ReadOnlySpan<byte> entry = record.Slice(446, 16);
        int sectors = Math.Max(entry[6] & 0x3F, 1);
        int heads = entry[5] + 1;
        int cylinders = (entry[7] | ((entry[6] & 0xC0) << 2)) + 1;
        return new(cylinders, heads, sectors);
    }

    // Status of the emulation into the packet at DS:SI, and its end where AL is 0.
    private Status CallEmulation()
    {
        byte kind = c.ExtendedByte(Ebda.EmulationKind);
        if (c.Al > 1 || kind == 0)
        {
            return Status.BadCommand;
        }

        Span<byte> packet = stackalloc byte[0x13];
        packet.Clear();
        int cd = c.ExtendedByte(Ebda.EmulationCd);
        packet[0] = 0x13;
        packet[1] = (byte)(kind - 1);
        packet[2] = c.ExtendedByte(Ebda.EmulationDrive);
        BinaryPrimitives.WriteUInt32LittleEndian(packet[4..], c.Dword(c.Extended(Ebda.EmulationStart)));

        // Which device of its controller.
        packet[8] = (byte)(cd < drives.Cds.Count ? drives.Cds[cd].Drive!.Number & 1 : 0);
        BinaryPrimitives.WriteUInt16LittleEndian(packet[12..], c.Word(c.Extended(Ebda.EmulationLoadSegment)));
        BinaryPrimitives.WriteUInt16LittleEndian(packet[14..], c.Word(c.Extended(Ebda.EmulationLoadCount)));
        if (kind > 1)
        {
            int cylinders = c.Word(c.Extended(Ebda.EmulationCylinders));
            packet[16] = (byte)(cylinders - 1);
            packet[17] = (byte)(c.ExtendedByte(Ebda.EmulationSectors) | (((cylinders - 1) >> 2) & 0xC0));
            packet[18] = (byte)(c.Word(c.Extended(Ebda.EmulationHeads)) - 1);
        }

        c.WriteDs(c.Si, packet);
        if (c.Al == 0)
        {
            c.SetExtendedByte(Ebda.EmulationKind, 0);
            c.SetData(Bda.DiskCount, (byte)HardDiskCount());
        }

        return Status.Ok;
    }
}
