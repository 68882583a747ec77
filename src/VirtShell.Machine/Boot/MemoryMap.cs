using System;
using System.Collections.Generic;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Display;
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
    private const ulong Equipment = 0x410;
    private const int EquipmentSerialShift = 9;
    private const int EquipmentColorText = 2 << 4;
    private const int EquipmentMouse = 1 << 2;
    private const int EquipmentCoprocessor = 1 << 1;

    // BIOS data of the screen.
    private const ulong VideoMode = 0x449;
    private const ulong VideoColumns = 0x44A;
    private const ulong VideoPageBytes = 0x44C;
    private const ulong VideoPort = 0x463;
    private const ulong VideoLastRow = 0x484;
    private const ulong VideoCharacterHeight = 0x485;

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

    /// <summary>What the BIOS data area says of a screen; null where there is none.</summary>
    public static (byte Mode, byte Columns, byte Rows, byte CharacterHeight)? Screen(PhysicalMemory memory) =>
        (memory.ReadUInt16(Equipment) & EquipmentColorText) == 0 ? null
        : ((byte)memory.ReadUInt16(VideoMode), (byte)memory.ReadUInt16(VideoColumns), (byte)(memory.ReadUInt16(VideoLastRow) + 1), (byte)memory.ReadUInt16(VideoCharacterHeight));

    /// <summary>Fills the BIOS data area with what systems read from it: serial ports, EBDA segment, equipment, base memory.</summary>
    public static void WriteBiosData(Board board)
    {
        PhysicalMemory memory = board.Memory;
        int serialPorts = 0;
        foreach (Uart16550 uart in board.FindAll<Uart16550>())
        {
            memory.WriteUInt16(SerialPorts + (2 * (ulong)serialPorts++), uart.Port);
        }

        bool hasScreen = board.Find<VgaAdapter>() is not null;
        if (hasScreen)
        {
            memory.Write(VideoMode, [VgaTextMode.Number]);
            memory.WriteUInt16(VideoColumns, VgaTextMode.Columns);
            memory.WriteUInt16(VideoPageBytes, 0x1000);
            memory.WriteUInt16(VideoPort, VgaAdapter.ColorPorts);
            memory.Write(VideoLastRow, [VgaTextMode.Rows - 1]);
            memory.WriteUInt16(VideoCharacterHeight, VgaTextMode.CharacterHeight);
        }

        bool hasMouse = board.Find<KeyboardController>() is not null;
        memory.WriteUInt16(0x40E, (ushort)(ExtendedBiosData >> 4));
        memory.WriteUInt16(Equipment, (ushort)((serialPorts << EquipmentSerialShift) | (hasScreen ? EquipmentColorText : 0) | (hasMouse ? EquipmentMouse : 0) | EquipmentCoprocessor));
        memory.WriteUInt16(0x413, (ushort)(ExtendedBiosData >> 10));
        memory.Write(ExtendedBiosData, [1]);
    }
}
