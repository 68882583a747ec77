using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Boot;
using VirtShell.State;

namespace VirtShell.Machine.Bios;

/// <summary>INT 15h: memory, A20, waits, what the machine is, power (APM 1.2); the mouse has a class of its own.</summary>
[NotState("What is to be remembered stands in the guest's memory.")]
internal sealed class BiosSystem(BiosCpu c, BiosMouse mouse, BiosWait wait)
{
    private const byte NotSupported = 0x86;
    private const uint Smap = 0x534D_4150;
    private const int MapEntryLength = 20;
    private const int ControlPortA = 0x92;
    private const byte A20 = 0x02;
    private const int MostMoved = 0x8000;
    private const ulong MiB = 1 << 20;

    private readonly byte[] _page = new byte[PhysicalMemory.PageSize];

    private enum Answer
    {
        Fine,
        Failed,
        Waits,
    }

    /// <summary>False where it has to wait.</summary>
    public bool Call()
    {
        Answer answer = c.Ah switch
        {
            0x24 => GateA20(),
            0x4F => Answer.Failed,
            0x53 => CallPower(),
            0x80 or 0x81 or 0x82 or 0x85 or 0x90 or 0x91 => Ok(),
            0x83 => wait.Event() ? Ok() : Fail(0x80),
            0x86 => wait.For(((long)c.Cx << 16) | c.Dx) switch { WaitResult.Waits => Answer.Waits, WaitResult.Done => Answer.Fine, _ => Fail(0x83) },
            0x87 => Move(),
            0x88 => TellExtended(),
            0xC0 => TellConfiguration(),
            0xC1 => TellExtendedData(),
            0xC2 => mouse.Call() ? Answer.Fine : Answer.Failed,
            0xE8 => TellMemory(),
            _ => Fail(NotSupported),
        };
        if (answer == Answer.Waits)
        {
            return false;
        }

        c.SetCarry(answer == Answer.Failed);
        return true;
    }

    private Answer Ok()
    {
        c.Ah = 0;
        return Answer.Fine;
    }

    private Answer Fail(byte status)
    {
        c.Ah = status;
        return Answer.Failed;
    }

    private Answer GateA20()
    {
        byte control = c.In(ControlPortA);
        switch (c.Al)
        {
            case 0:
                c.Out(ControlPortA, control & ~(A20 | 1));
                return Ok();
            case 1:
                c.Out(ControlPortA, (control | A20) & ~1);
                return Ok();
            case 2:
                c.Al = (byte)((control & A20) != 0 ? 1 : 0);
                return Ok();
            case 3:
                // By the keyboard controller and by port 92h.
                c.Bx = 3;
                return Ok();
            default:
                return Fail(NotSupported);
        }
    }

    private ulong AboveMebibyte => Math.Max(c.Board.Memory.LowRamBytes, MiB) - MiB;

    private Answer TellExtended()
    {
        c.Ax = (ushort)Math.Min(AboveMebibyte >> 10, 0xFC00);
        return Answer.Fine;
    }

    private Answer TellConfiguration()
    {
        c.Es = BiosRom.Segment;
        c.Bx = BiosRom.ConfigurationTable;
        return Ok();
    }

    private Answer TellExtendedData()
    {
        c.Es = c.DataWord(Bda.ExtendedSegment);
        return Answer.Fine;
    }

    private Answer TellMemory()
    {
        ushort below16M = (ushort)Math.Min(AboveMebibyte >> 10, 0x3C00);
        ushort above16M = (ushort)Math.Min((AboveMebibyte - ((ulong)below16M << 10)) >> 16, 0xFFFF);
        switch (c.Al)
        {
            case 0x01:
                (c.Ax, c.Bx) = (below16M, above16M);
                (c.Cx, c.Dx) = (below16M, above16M);
                return Answer.Fine;
            case 0x81:
                (c.Eax, c.Ebx) = (below16M, above16M);
                (c.Ecx, c.Edx) = (below16M, above16M);
                return Answer.Fine;
            case 0x20:
                return TellRange();
            default:
                return Fail(NotSupported);
        }
    }

    private Answer TellRange()
    {
        List<MemoryRange> ranges = BiosMemory.Ranges(c.Board.Memory);
        if (c.Edx != Smap || c.Ebx >= ranges.Count || c.Ecx < MapEntryLength)
        {
            return Fail(NotSupported);
        }

        MemoryRange range = ranges[(int)c.Ebx];
        Span<byte> entry = stackalloc byte[MapEntryLength];
        BinaryPrimitives.WriteUInt64LittleEndian(entry, range.Start);
        BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], range.Length);
        BinaryPrimitives.WriteUInt32LittleEndian(entry[16..], (uint)range.Kind);
        c.WriteEs(c.Di, entry);
        c.Eax = Smap;
        c.Ecx = MapEntryLength;
        c.Ebx = c.Ebx + 1 < ranges.Count ? c.Ebx + 1 : 0;
        return Answer.Fine;
    }

    // CX words between what two descriptors at ES:SI name, physical; a program that runs below a monitor asks that instead.
    private Answer Move()
    {
        if (c.Processor.IsRestricted)
        {
            return Fail(3);
        }

        if (c.Cx > MostMoved)
        {
            return Fail(2);
        }

        Span<byte> table = stackalloc byte[16];
        c.ReadEs((uint)c.Si + 16, table);
        uint source = BaseOf(table);
        uint destination = BaseOf(table[8..]);
        int left = c.Cx * 2;
        while (left > 0)
        {
            int part = (int)Math.Min(PhysicalMemory.PageSize - (source & 0xFFF), PhysicalMemory.PageSize - (destination & 0xFFF));
            Span<byte> bytes = _page.AsSpan(0, Math.Min(part, left));
            ReadPhysical(source, bytes);
            WritePhysical(destination, bytes);
            source += (uint)bytes.Length;
            destination += (uint)bytes.Length;
            left -= bytes.Length;
        }

        return Ok();
    }

    private static uint BaseOf(ReadOnlySpan<byte> descriptor) =>
        (uint)(descriptor[2] | (descriptor[3] << 8) | (descriptor[4] << 16) | (descriptor[7] << 24));

    private void ReadPhysical(uint at, Span<byte> bytes)
    {
        if (c.Board.Memory.Read(at, bytes))
        {
            return;
        }

        for (int i = 0; i < bytes.Length; i++)
        {
            bytes[i] = (byte)c.Board.Bus.ReadMmio(at + (uint)i, 1);
        }
    }

    private void WritePhysical(uint at, ReadOnlySpan<byte> bytes)
    {
        if (c.Board.Memory.Write(at, bytes))
        {
            return;
        }

        for (int i = 0; i < bytes.Length; i++)
        {
            c.Board.Bus.WriteMmio(at + (uint)i, 1, bytes[i]);
        }
    }

    private Answer CallPower()
    {
        const byte NotConnected = 0x03;
        const byte BadDevice = 0x09;
        const byte NoEvent = 0x80;
        const ushort AllDevices = 1;
        const ushort Off = 3;
        switch (c.Al)
        {
            case 0x00:
                // 1.2; "PM"; through INT 15h, and a standby is not to be had.
                (c.Ax, c.Bx, c.Cx) = (0x0102, 0x504D, 0x0000);
                return Answer.Fine;
            case 0x01:
                c.SetExtendedByte(Ebda.ApmVersion, 1);
                return Ok();
            case 0x02 or 0x03:
                // Protected-mode interfaces are not offered.
                return Fail((byte)(c.Al == 2 ? 0x06 : 0x08));
            case 0x04:
                if (c.ExtendedByte(Ebda.ApmVersion) == 0)
                {
                    return Fail(NotConnected);
                }

                c.SetExtendedByte(Ebda.ApmVersion, 0);
                return Ok();
            case 0x05:
                return wait.ForInterrupt() ? Ok() : Answer.Waits;
            case 0x06 or 0x08 or 0x0D or 0x0F or 0x10:
                return Ok();
            case 0x07 when c.Bx == AllDevices && c.Cx == Off:
                c.Board.Signals.RequestExit(new MachineExit(MachineExitKind.PowerOff));
                return Ok();
            case 0x07:
                return c.Bx is AllDevices or (>= 0x0100 and < 0x0700) ? Ok() : Fail(BadDevice);
            case 0x0A:
                // On mains, no battery.
                (c.Bx, c.Cx, c.Dx) = (0x01FF, 0xFFFF, 0xFFFF);
                return Ok();
            case 0x0B:
                return Fail(NoEvent);
            case 0x0C:
                c.Cx = 0;
                return Ok();
            case 0x0E:
                c.Ax = 0x0102;
                return Answer.Fine;
            default:
                return Fail(NotSupported);
        }
    }
}

/// <summary>The memory map as INT 15h tells it.</summary>
internal static class BiosMemory
{
    /// <summary>The machine's ranges; base memory ends where the extended data area begins.</summary>
    public static List<MemoryRange> Ranges(PhysicalMemory memory)
    {
        List<MemoryRange> ranges = [.. MemoryMap.Ranges(memory)];
        ranges[0] = ranges[0] with { Length = BiosPost.ExtendedStart(memory) };
        return ranges;
    }
}
