using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Interrupts;
using VirtShell.Machine.Legacy;
using VirtShell.Machine.Timers;

namespace VirtShell.Machine.Acpi;

/// <summary>
/// The ACPI tables of this machine (ACPI 6.4, chapter 5): RSDP, RSDT, XSDT, FADT, FACS, MADT and DSDT, laid out from a
/// physical address for placing in memory as they are.
/// </summary>
internal static class AcpiTables
{
    private const int HeaderLength = 36;
    private const int RsdtPointer = 16;
    private const int XsdtPointer = 24;

    /// <summary>Bytes of the RSDP, of which its first checksum covers 20.</summary>
    internal const int RsdpLength = 36;
    internal const int RsdpFirstLength = 20;
    internal const int RsdpChecksum = 8;
    internal const int RsdpExtendedChecksum = 32;

    /// <summary>Where a table's checksum stands in it.</summary>
    internal const int ChecksumOffset = 9;

    private const int FacsLength = 64;
    private const int FadtLength = 244;
    private const byte FadtRevision = 4;
    private const byte DsdtRevision = 2;
    private const byte MadtRevision = 3;
    private const byte SystemIo = 1;

    // FADT flags and boot architecture flags (5.2.9).
    private const uint Wbinvd = 1 << 0;
    private const uint ProcC1 = 1 << 2;
    private const uint NoFixedSleepButton = 1 << 5;
    private const uint NoFixedRtc = 1 << 6;
    private const uint ResetRegisterSupported = 1 << 10;
    private const ushort LegacyDevices = 1 << 0;
    private const ushort Has8042 = 1 << 1;
    private const ushort VgaNotPresent = 1 << 2;
    private const ushort RtcNotPresent = 1 << 5;

    // Where the PCI memory window begins, at the lowest.
    private const uint PciMemoryStart = (uint)PhysicalMemory.LowLimit;

    /// <summary>Builds all tables for placing at <paramref name="start"/>; the RSDP comes first. A board without power management has none: the FADT is about little else.</summary>
    public static byte[] Build(uint start, Board board)
    {
        return BuildLinked(start, board).Image;
    }

    /// <summary>The same, and what is to be mended in it when it is placed elsewhere.</summary>
    internal static AcpiImage BuildLinked(uint start, Board board)
    {
        if (board.Find<AcpiPm>() is null)
        {
            return new AcpiImage([], [], []);
        }

        List<byte> image = [.. new byte[RsdpLength]];
        List<AcpiPointer> pointers = [new(RsdtPointer, 4), new(XsdtPointer, 8)];
        List<AcpiTableRange> linked = [];
        uint Place(byte[] table, params ReadOnlySpan<AcpiPointer> within)
        {
            while (image.Count % 64 != 0)
            {
                image.Add(0);
            }

            int offset = image.Count;
            image.AddRange(table);
            foreach (AcpiPointer pointer in within)
            {
                pointers.Add(pointer with { Offset = offset + pointer.Offset });
            }

            if (!within.IsEmpty)
            {
                linked.Add(new(offset, table.Length));
            }

            return start + (uint)offset;
        }

        uint facs = Place(Facs());
        uint dsdt = Place(Table("DSDT", DsdtRevision, Dsdt.Build(PciMemoryStart, board.Interrupts, board.Rows)));
        uint fadt = Place(Fadt(facs, dsdt, board), new(36, 4), new(40, 4), new(140, 8));
        uint madt = Place(Madt(board.Rows));
        uint[] tables = board.Find<Hpet>() is null ? [fadt, madt] : [fadt, madt, Place(HpetTable())];
        byte[] pointers32 = [.. tables.SelectMany(BitConverter.GetBytes)];
        byte[] pointers64 = [.. tables.SelectMany(table => BitConverter.GetBytes((ulong)table))];
        uint rsdt = Place(Table("RSDT", 1, pointers32), [.. tables.Select((_, i) => new AcpiPointer(HeaderLength + (4 * i), 4))]);
        uint xsdt = Place(Table("XSDT", 1, pointers64), [.. tables.Select((_, i) => new AcpiPointer(HeaderLength + (8 * i), 8))]);
        byte[] bytes = [.. image];
        WriteRsdp(bytes.AsSpan(0, RsdpLength), rsdt, xsdt);
        return new AcpiImage(bytes, pointers, linked);
    }

    /// <summary>One table: header, content, checksum.</summary>
    internal static byte[] Table(string signature, byte revision, ReadOnlySpan<byte> content)
    {
        byte[] table = new byte[HeaderLength + content.Length];
        Encoding.ASCII.GetBytes(signature, table.AsSpan(0, 4));
        BinaryPrimitives.WriteInt32LittleEndian(table.AsSpan(4), table.Length);
        table[8] = revision;
        Encoding.ASCII.GetBytes("VTSHLL", table.AsSpan(10, 6));
        Encoding.ASCII.GetBytes("VIRTSHEL", table.AsSpan(16, 8));
        BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(24), 1);
        Encoding.ASCII.GetBytes("VTSH", table.AsSpan(28, 4));
        BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(32), 1);
        content.CopyTo(table.AsSpan(HeaderLength));
        table[ChecksumOffset] = Checksum(table);
        return table;
    }

    /// <summary>The byte that makes the sum of all bytes zero.</summary>
    internal static byte Checksum(ReadOnlySpan<byte> bytes)
    {
        byte sum = 0;
        foreach (byte value in bytes)
        {
            sum += value;
        }

        return (byte)-sum;
    }

    private static void WriteRsdp(Span<byte> rsdp, uint rsdt, uint xsdt)
    {
        Encoding.ASCII.GetBytes("RSD PTR ", rsdp);
        Encoding.ASCII.GetBytes("VTSHLL", rsdp[9..]);
        rsdp[15] = 2;
        BinaryPrimitives.WriteUInt32LittleEndian(rsdp[16..], rsdt);
        BinaryPrimitives.WriteInt32LittleEndian(rsdp[20..], RsdpLength);
        BinaryPrimitives.WriteUInt64LittleEndian(rsdp[24..], xsdt);
        rsdp[RsdpChecksum] = Checksum(rsdp[..RsdpFirstLength]);
        rsdp[RsdpExtendedChecksum] = Checksum(rsdp);
    }

    private static byte[] Facs()
    {
        byte[] facs = new byte[FacsLength];
        Encoding.ASCII.GetBytes("FACS", facs);
        BinaryPrimitives.WriteInt32LittleEndian(facs.AsSpan(4), FacsLength);
        facs[32] = 1;
        return facs;
    }

    private static byte[] Fadt(uint facs, uint dsdt, Board board)
    {
        byte[] table = new byte[FadtLength - HeaderLength];
        void Byte(int offset, byte value) => table[offset - HeaderLength] = value;
        void Word(int offset, ushort value) => BinaryPrimitives.WriteUInt16LittleEndian(table.AsSpan(offset - HeaderLength), value);
        void DWord(int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(offset - HeaderLength), value);
        void Address(int offset, byte bits, byte accessSize, ushort port)
        {
            Byte(offset, SystemIo);
            Byte(offset + 1, bits);
            Byte(offset + 3, accessSize);
            BinaryPrimitives.WriteUInt64LittleEndian(table.AsSpan(offset + 4 - HeaderLength), port);
        }

        const ushort statusBlock = AcpiPm.Base + AcpiPm.Pm1Status;
        const ushort controlBlock = AcpiPm.Base + AcpiPm.Pm1Control;
        const ushort timerBlock = AcpiPm.Base + AcpiPm.PmTimer;
        const ushort gpeBlock = AcpiPm.Base + AcpiPm.GpeStatus;
        DWord(36, facs);
        DWord(40, dsdt);
        Byte(45, 1); // Preferred_PM_Profile: desktop
        Word(46, AcpiPm.SciIrq);
        DWord(48, AcpiPm.SmiCommandPort);
        Byte(52, AcpiPm.EnableCommand);
        Byte(53, AcpiPm.DisableCommand);
        DWord(56, statusBlock);
        DWord(64, controlBlock);
        DWord(76, timerBlock);
        DWord(80, gpeBlock);
        Byte(88, 4); // PM1_EVT_LEN
        Byte(89, 2); // PM1_CNT_LEN
        Byte(91, 4); // PM_TMR_LEN
        Byte(92, 4); // GPE0_BLK_LEN
        Word(96, 0xFFF); // P_LVL2_LAT: no C2
        Word(98, 0xFFF); // P_LVL3_LAT: no C3
        bool hasRtc = board.Find<RtcCmos>() is not null;
        bool hasKeyboard = board.Find<KeyboardController>() is not null;
        bool hasReset = board.Find<SystemPorts>() is not null;
        Byte(108, hasRtc ? RtcCmos.CenturyRegister : (byte)0);
        Word(109, (ushort)(LegacyDevices | (hasKeyboard ? Has8042 : 0) | VgaNotPresent | (hasRtc ? 0 : RtcNotPresent)));
        DWord(112, Wbinvd | ProcC1 | NoFixedSleepButton | NoFixedRtc | (hasReset ? ResetRegisterSupported : 0));
        if (hasReset)
        {
            Address(116, bits: 8, accessSize: 1, SystemPorts.ResetControlPort);
            Byte(128, 0x06); // RESET_VALUE: hard reset
        }

        BinaryPrimitives.WriteUInt64LittleEndian(table.AsSpan(140 - HeaderLength), dsdt);
        Address(148, bits: 32, accessSize: 2, statusBlock);
        Address(172, bits: 16, accessSize: 2, controlBlock);
        Address(208, bits: 32, accessSize: 3, timerBlock);
        Address(220, bits: 32, accessSize: 1, gpeBlock);
        return Table("FACP", FadtRevision, table);
    }

    // IA-PC HPET 1.0a, 3.2.4: the block's capabilities, its address in memory, and the shortest period that loses no interrupts, in ticks.
    private static byte[] HpetTable()
    {
        const ushort leastTicks = 100;
        byte[] table = new byte[20];
        BinaryPrimitives.WriteUInt32LittleEndian(table, Hpet.Capabilities);
        table[5] = 64;
        BinaryPrimitives.WriteUInt64LittleEndian(table.AsSpan(8), Hpet.BaseAddress);
        BinaryPrimitives.WriteUInt16LittleEndian(table.AsSpan(17), leastTicks);
        return Table("HPET", 1, table);
    }

    private static byte[] Madt(IReadOnlyList<PartRow> parts)
    {
        const uint hasPics = 1; // PCAT_COMPAT: 8259s are there too
        byte[] start = new byte[8];
        BinaryPrimitives.WriteUInt32LittleEndian(start, (uint)LocalApic.DefaultBase);
        BinaryPrimitives.WriteUInt32LittleEndian(start.AsSpan(4), hasPics);
        return Table("APIC", MadtRevision, [.. start, .. parts.SelectMany(row => row.Madt).OrderBy(entry => entry[0]).SelectMany(entry => entry)]);
    }
}
