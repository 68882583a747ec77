using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using VirtShell.Machine.Acpi;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Legacy;

namespace VirtShell.Machine.Bios;

/// <summary>The tables in the ROM that tell of a machine: MultiProcessor, PCI routing, BIOS32, Plug and Play, SMBIOS.</summary>
internal static class BiosTables
{
    private const int Routing = 0x1000;
    private const int Directory = 0x1400;
    private const int PlugAndPlay = 0x1420;
    private const int Smbios = 0x1460;

    /// <summary>IRQs that PCI lines are routed to.</summary>
    private const ushort RoutableIrqs = (1 << 10) | (1 << 11) | (1 << 5) | (1 << 9);

    /// <summary>The ROM as a machine has it.</summary>
    public static byte[] Build(BiosRom rom, uint signature, Board board)
    {
        byte[] image = rom.Image.ToArray();
        MpTable.Build(signature, board).CopyTo(image, (int)(MpTable.Address - BiosRom.Base));
        BuildRouting(board).CopyTo(image, Routing);
        BuildDirectory().CopyTo(image, Directory);
        BuildPlugAndPlay(rom).CopyTo(image, PlugAndPlay);
        SmbiosTables.Build(BiosRom.Base + Smbios, signature, board).CopyTo(image, Smbios);
        return image;
    }

    // $PIR (Microsoft PCI IRQ Routing Table Specification 1.0): an entry for each slot with a function.
    private static byte[] BuildRouting(Board board)
    {
        const int Header = 32;
        byte[] entries = RoutingEntries(board);
        byte[] table = new byte[Header + entries.Length];
        Encoding.ASCII.GetBytes("$PIR", table);
        BinaryPrimitives.WriteUInt16LittleEndian(table.AsSpan(4), 0x0100);
        BinaryPrimitives.WriteUInt16LittleEndian(table.AsSpan(6), (ushort)table.Length);

        // The router is function 0 of slot 1, which is compatible with the PIIX's.
        table[9] = 1 << 3;
        BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(12), 0x122E_8086);
        entries.CopyTo(table, Header);
        table[31] = AcpiTables.Checksum(table);
        return table;
    }

    /// <summary>The routing table's entries: for each slot with a function, which link each pin is on and which IRQs that can be routed to.</summary>
    public static byte[] RoutingEntries(Board board)
    {
        const int Entry = 16;
        const int Pins = 4;
        const byte FirstLink = 0x60;
        List<int> slots = [.. board.Pci.Functions().Select(f => f.Slot).Where(s => s != 0).Distinct()];
        byte[] table = new byte[Entry * slots.Count];
        for (int i = 0; i < slots.Count; i++)
        {
            Span<byte> entry = table.AsSpan(Entry * i, Entry);
            entry[1] = (byte)(slots[i] << 3);
            for (int pin = 0; pin < Pins; pin++)
            {
                entry[2 + (3 * pin)] = (byte)(FirstLink + Interrupts.InterruptRouter.PirqOf(slots[i], pin + 1));
                BinaryPrimitives.WriteUInt16LittleEndian(entry[(3 + (3 * pin))..], RoutableIrqs);
            }
        }

        return table;
    }

    // Standard BIOS 32-bit Service Directory Proposal 0.4.
    private static byte[] BuildDirectory()
    {
        byte[] table = new byte[16];
        Encoding.ASCII.GetBytes("_32_", table);
        BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(4), BiosRom.Base + (uint)BiosRom.DirectoryEntry);
        table[9] = 1;
        table[10] = AcpiTables.Checksum(table);
        return table;
    }

    // Plug and Play BIOS Specification 1.0A, 4.4: there are no device nodes, and calls say that they are not supported.
    private static byte[] BuildPlugAndPlay(BiosRom rom)
    {
        byte[] table = new byte[0x21];
        Encoding.ASCII.GetBytes("$PnP", table);
        table[4] = 0x10;
        table[5] = (byte)table.Length;
        BinaryPrimitives.WriteUInt16LittleEndian(table.AsSpan(0x0D), (ushort)rom["pnp-real"]);
        BinaryPrimitives.WriteUInt16LittleEndian(table.AsSpan(0x0F), BiosRom.Segment);
        BinaryPrimitives.WriteUInt16LittleEndian(table.AsSpan(0x11), (ushort)rom["pnp-real"]);
        BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(0x13), BiosRom.Base);
        BinaryPrimitives.WriteUInt16LittleEndian(table.AsSpan(0x1B), BiosRom.Segment);
        BinaryPrimitives.WriteUInt32LittleEndian(table.AsSpan(0x1D), BiosRom.Base);
        table[8] = AcpiTables.Checksum(table);
        return table;
    }
}
