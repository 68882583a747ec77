using System;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Boot;
using VirtShell.Machine.Serial;
using VirtShell.Machine.Legacy;
using VirtShell.Machine.Timers;

namespace VirtShell.Machine.Bios;

/// <summary>What power-on leaves in memory and in CMOS: vectors, data areas, what drives there are.</summary>
internal static class BiosPost
{
    public const int ExtendedBytes = 1024;

    private const uint DataArea = 0x400;
    private const int KeyBufferEnd = 0x3E;
    private const int VectorCount = 256;
    private const int MostSerial = 4;

    // CMOS (IBM Technical Reference 1502494, section 1): drive types, equipment, and the sum of 10h to 2Dh.
    private const int CmosFloppies = 0x10;
    private const int CmosDisks = 0x12;
    private const int CmosEquipment = 0x14;
    private const int CmosDisk0 = 0x19;
    private const int CmosSum = 0x2E;
    private const byte CmosTypeBeyond = 47;

    /// <summary>Where the extended data area stands: the last kibibyte of base memory.</summary>
    public static uint ExtendedStart(PhysicalMemory memory) => (uint)Math.Min(memory.LowRamBytes, MemoryMap.HoleStart) - ExtendedBytes;

    public static void Run(Board board, BiosRom rom, BiosDrives drives)
    {
        PhysicalMemory memory = board.Memory;
        uint extended = ExtendedStart(memory);
        WriteVectors(memory, rom, extended, drives);
        int serial = 0;
        foreach (Uart16550 uart in board.FindAll<Uart16550>())
        {
            if (serial < MostSerial)
            {
                memory.WriteUInt16(DataArea + Bda.SerialPorts + (2 * (uint)serial), uart.Port);
                memory.Write(DataArea + Bda.SerialTimeouts + (uint)serial, [0x0A]);
                serial++;
            }
        }

        int equipment = 0x02 | (serial << 9);
        equipment |= drives.Floppies.Count > 0 ? 1 | ((drives.Floppies.Count - 1) << 6) : 0;
        equipment |= board.Find<KeyboardController>() is null ? 0 : 4;

        // 80 columns in colour.
        equipment |= 0x20;
        memory.WriteUInt16(DataArea + Bda.ExtendedSegment, (ushort)(extended >> 4));
        memory.WriteUInt16(DataArea + Bda.Equipment, (ushort)equipment);
        memory.WriteUInt16(DataArea + Bda.BaseMemory, (ushort)(extended >> 10));
        foreach ((int at, ushort value) in new (int, ushort)[]
        {
            (Bda.KeyHead, Bda.KeyBuffer), (Bda.KeyTail, Bda.KeyBuffer), (Bda.KeyStart, Bda.KeyBuffer), (Bda.KeyEnd, KeyBufferEnd),
        })
        {
            memory.WriteUInt16(DataArea + (uint)at, value);
        }

        // A keyboard of 101 keys; the floppy drives' media are not known yet.
        memory.Write(DataArea + Bda.KeyMode, [0x10]);
        memory.Write(DataArea + Bda.DiskCount, [(byte)drives.HardDisks.Count]);
        memory.Write(DataArea + Bda.ParallelTimeouts, [0x14, 0x14, 0x14]);
        memory.Write(extended + Ebda.Size, [ExtendedBytes >> 10]);
        memory.Write(extended + Ebda.IsFresh, [1]);
        for (int i = 0; i < drives.Floppies.Count; i++)
        {
            memory.Write(DataArea + Bda.FloppyMedia + (uint)i, [0x07]);
            memory.Write(extended + Ebda.FloppyMedium + (uint)i, [(byte)drives.Floppies[i].Drive!.Changes]);
        }

        WriteDisks(memory, extended, drives);
        WriteCmos(board, drives, equipment);
        WriteTicks(board);
    }

    private static void WriteVectors(PhysicalMemory memory, BiosRom rom, uint extended, BiosDrives drives)
    {
        void Set(int vector, uint offset, uint segment)
        {
            memory.WriteUInt16((ulong)vector * 4, (ushort)offset);
            memory.WriteUInt16(((ulong)vector * 4) + 2, (ushort)segment);
        }

        for (int vector = 0; vector < VectorCount; vector++)
        {
            int handler = rom.HandlerOf(vector);
            if (handler != 0)
            {
                Set(vector, (uint)handler, BiosRom.Segment);
            }
        }

        Set(0x1D, BiosRom.VideoTable, BiosRom.Segment);
        Set(0x1E, BiosRom.FloppyTable, BiosRom.Segment);
        Set(0x1F, BiosRom.Font8 + 1024, BiosRom.Segment);
        Set(0x43, BiosRom.Font16, BiosRom.Segment);
        foreach ((int vector, int disk) in new[] { (0x41, 0), (0x46, 1) })
        {
            if (disk < drives.HardDisks.Count)
            {
                Set(vector, (uint)(Ebda.DiskParameters + (16 * disk)), extended >> 4);
            }
        }
    }

    private static void WriteDisks(PhysicalMemory memory, uint extended, BiosDrives drives)
    {
        byte[] record = new byte[BiosDrives.DiskSector];
        for (int i = 0; i < drives.HardDisks.Count; i++)
        {
            BiosDrive disk = drives.HardDisks[i];
            long sectors = disk.Medium!.Length / BiosDrives.DiskSector;
            BiosDisk.TryRead(disk, 0, record);
            Geometry geometry = Geometry.OfDisk(sectors, record);
            memory.Write(extended + Ebda.Geometries + (uint)(i * Ebda.GeometryLength), [(byte)(geometry.Heads - 1), (byte)geometry.Sectors, (byte)geometry.Cylinders, (byte)(geometry.Cylinders >> 8)]);
            if (i < 2)
            {
                uint table = extended + Ebda.DiskParameters + (16 * (uint)i);
                memory.WriteUInt16(table, (ushort)geometry.Cylinders);
                memory.Write(table + 2, [(byte)geometry.Heads]);
                memory.WriteUInt16(table + 5, 0xFFFF);
                memory.Write(table + 8, [(byte)(geometry.Heads > 8 ? 8 : 0)]);
                memory.WriteUInt16(table + 12, (ushort)geometry.Cylinders);
                memory.Write(table + 14, [(byte)geometry.Sectors]);
            }
        }
    }

    private static void WriteCmos(Board board, BiosDrives drives, int equipment)
    {
        if (board.Find<RtcCmos>() is null)
        {
            return;
        }

        byte Read(int register)
        {
            board.Bus.WritePort(RtcCmos.IndexPort, 1, (uint)register);
            return (byte)board.Bus.ReadPort(RtcCmos.IndexPort + 1, 1);
        }

        void Write(int register, int value)
        {
            board.Bus.WritePort(RtcCmos.IndexPort, 1, (uint)register);
            board.Bus.WritePort(RtcCmos.IndexPort + 1, 1, (byte)value);
        }

        int floppies = 0;
        foreach (BiosDrive floppy in drives.Floppies)
        {
            floppies |= TypeOfFloppy(floppy) << (floppy.Number == 0 ? 4 : 0);
        }

        int ide = 0;
        foreach (BiosDrive disk in drives.HardDisks)
        {
            if (disk.Drive is { Number: < 2 } drive)
            {
                ide |= 0xF0 >> (4 * drive.Number);
                Write(CmosDisk0 + drive.Number, CmosTypeBeyond);
            }
        }

        Write(CmosFloppies, floppies);
        Write(CmosDisks, ide);
        Write(CmosEquipment, equipment & 0xFF);
        int sum = 0;
        for (int i = CmosFloppies; i < CmosSum; i++)
        {
            sum += Read(i);
        }

        Write(CmosSum, sum >> 8);
        Write(CmosSum + 1, sum);
    }

    /// <summary>Type of a floppy drive as CMOS and INT 13h 08h have it: 1 360 KiB, 2 1.2 MiB, 3 720 KiB, 4 1.44 MiB, 5 2.88 MiB.</summary>
    public static int TypeOfFloppy(BiosDrive floppy)
    {
        Geometry geometry = Geometry.OfFloppy(floppy.Medium?.Length ?? 1474560);
        return geometry.Cylinders <= 42 ? 1 : geometry.Sectors switch { <= 10 => 3, 15 => 2, > 21 => 5, _ => 4 };
    }

    // The time of day as ticks of 18.2 Hz since midnight.
    private static void WriteTicks(Board board)
    {
        long seconds = board.Find<RtcCmos>()?.SecondsOfDay ?? 0;
        long ticks = seconds * Pit8254.Hertz / 65536;
        board.Memory.WriteUInt32(DataArea + Bda.Ticks, (uint)ticks);
    }
}
