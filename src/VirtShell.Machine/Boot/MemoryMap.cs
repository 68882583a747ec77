using System;
using System.Collections.Generic;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Interrupts;
using VirtShell.Machine.Legacy;
using VirtShell.Machine.Serial;

namespace VirtShell.Machine.Boot;

/// <summary>What the system is told about a range of physical memory; the numbers are those of INT 15h E820h and Multiboot.</summary>
internal enum MemoryKind : uint
{
    Ram = 1,
    Reserved = 2,
}

/// <summary>A range of the memory map.</summary>
internal readonly record struct MemoryRange(ulong Start, ulong Length, MemoryKind Kind);

/// <summary>The machine's physical memory map, and where firmware data stands in it.</summary>
internal static class MemoryMap
{
    /// <summary>The extended BIOS data area; base memory ends here.</summary>
    public const ulong ExtendedBiosData = 0x9_FC00;

    /// <summary>The VGA window and option ROMs: nothing stands there.</summary>
    public const ulong HoleStart = 0xA_0000;

    /// <summary>Shadow RAM that holds the ACPI tables.</summary>
    public const ulong FirmwareStart = 0xE_0000;

    public const ulong HighMemory = 0x10_0000;

    // BIOS data: ports of the serial lines, and the equipment word.
    private const ulong SerialPorts = 0x400;
    private const int EquipmentSerialShift = 9;
    private const int EquipmentMouse = 1 << 2;
    private const int EquipmentCoprocessor = 1 << 1;

    private const ulong FourGiB = 0x1_0000_0000;

    public static IReadOnlyList<MemoryRange> Ranges(PhysicalMemory memory)
    {
        List<MemoryRange> ranges =
        [
            new(0, Math.Min(memory.LowRamBytes, ExtendedBiosData), MemoryKind.Ram),
        ];
        if (memory.LowRamBytes >= HoleStart)
        {
            ranges.Add(new(ExtendedBiosData, HoleStart - ExtendedBiosData, MemoryKind.Reserved));
        }

        ranges.Add(new(FirmwareStart, HighMemory - FirmwareStart, MemoryKind.Reserved));
        if (memory.LowRamBytes > HighMemory)
        {
            ranges.Add(new(HighMemory, memory.LowRamBytes - HighMemory, MemoryKind.Ram));
        }

        ranges.Add(new(IoApic.BaseAddress, IoApic.Length, MemoryKind.Reserved));
        ranges.Add(new(LocalApic.DefaultBase, LocalApic.Length, MemoryKind.Reserved));
        if (memory.HighRamBytes > 0)
        {
            ranges.Add(new(FourGiB, memory.HighRamBytes, MemoryKind.Ram));
        }

        return ranges;
    }

    /// <summary>Takes the hole out of RAM and puts shadow RAM above it.</summary>
    public static void Apply(PhysicalMemory memory)
    {
        memory.Unmap(HoleStart, FirmwareStart - HoleStart);
        memory.MapRam(FirmwareStart, HighMemory - FirmwareStart);
    }

    /// <summary>Fills the BIOS data area with what systems read from it: serial ports, EBDA segment, equipment, base memory.</summary>
    public static void WriteBiosData(Board board)
    {
        PhysicalMemory memory = board.Memory;
        int serialPorts = 0;
        foreach (Uart16550 uart in board.FindAll<Uart16550>())
        {
            memory.WriteUInt16(SerialPorts + (2 * (ulong)serialPorts++), uart.Port);
        }

        bool hasMouse = board.Find<KeyboardController>() is not null;
        memory.WriteUInt16(0x40E, (ushort)(ExtendedBiosData >> 4));
        memory.WriteUInt16(0x410, (ushort)((serialPorts << EquipmentSerialShift) | (hasMouse ? EquipmentMouse : 0) | EquipmentCoprocessor));
        memory.WriteUInt16(0x413, (ushort)(ExtendedBiosData >> 10));
        memory.Write(ExtendedBiosData, [1]);
    }
}
