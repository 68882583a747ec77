using System.Collections.Generic;
using System.Globalization;

namespace VirtShell.Cpu.Tests.Lockstep;

internal enum BusAccess
{
    ReadPort,
    WritePort,
    ReadMmio,
    WriteMmio,
    Acknowledge,
    TimestampCounter,
    ReadMsr,
    WriteMsr,
    TaskPriority,
    FloatingPointError,
}

/// <summary>One call that a processor made to its bus, with the count of instructions at which it came.</summary>
internal readonly record struct BusEvent(BusAccess Access, long Retired, ulong Address, int Size, ulong Value)
{
    public override string ToString() =>
        string.Create(CultureInfo.InvariantCulture, $"{Access} {Address:X} size {Size} value {Value:X} at instruction {Retired}");
}

/// <summary>
/// A machine whose every answer is a function of what was asked and when, and that writes everything down. Some ports make
/// things happen in the middle of a run, as devices do: they raise interrupts, end the run early, and write to memory.
/// </summary>
internal sealed class LockstepBus : ICpuBus
{
    /// <summary>Writing v asserts INTR with vector v.</summary>
    public const ushort InterruptPort = 0xE0;

    /// <summary>Writing pulses NMI.</summary>
    public const ushort NmiPort = 0xE1;

    /// <summary>Writing v ends the run v instructions from here.</summary>
    public const ushort LimitPort = 0xE2;

    /// <summary>Writing asks the run to stop.</summary>
    public const ushort StopPort = 0xE3;

    /// <summary>Writing v copies the patch numbered v (modulo their count) over code, as a DMA transfer does.</summary>
    public const ushort PatchPort = 0xE4;

    /// <summary>Bit 1 is the A20 gate.</summary>
    public const ushort A20Port = 0x92;

    private const int Limit = 100_000;

    private readonly List<BusEvent> _events = [];
    private byte _taskPriority;
    private int _vector = -1;

    /// <summary>The processor on this bus.</summary>
    public Vcpu Processor { get; set; } = null!;

    /// <summary>The time-stamp counter follows the number of instructions and <see cref="TimestampAhead"/>; else it is asked for, and noted.</summary>
    public bool FollowsInstructions { get; set; }

    public const long TimestampAhead = 0x1_2345_6789;

    /// <summary>What <see cref="PatchPort"/> writes: guest-physical address and bytes.</summary>
    public IReadOnlyList<(ulong Address, byte[] Bytes)> Patches { get; set; } = [];

    public List<BusEvent> Events => _events;

    /// <summary>There were so many accesses that the program is over: one that fills device memory for ever shows nothing new.</summary>
    public bool IsFull => _events.Count >= Limit;

    /// <summary>How many accesses a comparison has already found equal.</summary>
    public int Checked { get; set; }

    public byte TaskPriority
    {
        get
        {
            Note(BusAccess.TaskPriority, 0, 1, _taskPriority);
            return _taskPriority;
        }

        set
        {
            _taskPriority = value;
            Note(BusAccess.TaskPriority, 1, 1, value);
        }
    }

    public void Raise(int vector)
    {
        _vector = vector;
        Processor.SetInterruptRequest(true);
    }

    public void Clear()
    {
        _events.Clear();
        Checked = 0;
        _vector = -1;
        _taskPriority = 0;
    }

    public uint ReadPort(ushort port, int size)
    {
        uint value = (uint)Answer(port, size) & (uint)(ulong.MaxValue >> (64 - (size * 8)));
        Note(BusAccess.ReadPort, port, size, value);
        return value;
    }

    public void WritePort(ushort port, int size, uint value)
    {
        Note(BusAccess.WritePort, port, size, value);
        switch (port)
        {
            case InterruptPort:
                Raise(0x20 + (int)(value & 0xF));
                break;
            case NmiPort:
                Processor.RaiseNmi();
                break;
            case LimitPort:
                Processor.LimitRun(Processor.InstructionsRetired + (value & 0x3F));
                break;
            case StopPort:
                Processor.RequestStop();
                break;
            case PatchPort when Patches.Count > 0:
                (ulong address, byte[] bytes) = Patches[(int)(value % (uint)Patches.Count)];
                Processor.Memory.Write(address, bytes);
                break;
            case A20Port:
                Processor.SetA20((value & 2) != 0);
                break;
        }
    }

    public ulong ReadMmio(ulong physicalAddress, int size)
    {
        ulong value = Answer(physicalAddress, size) & (ulong.MaxValue >> (64 - (size * 8)));
        Note(BusAccess.ReadMmio, physicalAddress, size, value);
        return value;
    }

    public void WriteMmio(ulong physicalAddress, int size, ulong value) => Note(BusAccess.WriteMmio, physicalAddress, size, value);

    public int AcknowledgeInterrupt()
    {
        int vector = _vector;
        _vector = -1;
        Note(BusAccess.Acknowledge, 0, 0, (ulong)vector);
        Processor.SetInterruptRequest(false);
        return vector;
    }

    public ulong ReadTimestampCounter()
    {
        if (FollowsInstructions)
        {
            // An engine may then know by itself.
            return ProcessorClock.TscAt(Processor.InstructionsRetired + TimestampAhead);
        }

        ulong value = (ulong)Processor.InstructionsRetired * 3;
        Note(BusAccess.TimestampCounter, 0, 8, value);
        return value;
    }

    public bool TryReadMsr(uint index, out ulong value)
    {
        value = Answer(index, 8);
        Note(BusAccess.ReadMsr, index, 8, value);
        return (index & 1) == 0;
    }

    public bool TryWriteMsr(uint index, ulong value)
    {
        Note(BusAccess.WriteMsr, index, 8, value);
        return (index & 1) == 0;
    }

    public void SetFloatingPointError(bool asserted) => Note(BusAccess.FloatingPointError, 0, 0, asserted ? 1UL : 0);

    /// <summary>A number that depends on the question and its place in time.</summary>
    private ulong Answer(ulong address, int size)
    {
        ulong x = (address * 0x9E3779B97F4A7C15) ^ ((ulong)Processor.InstructionsRetired * 0xBF58476D1CE4E5B9) ^ (ulong)size;
        return x ^ (x >> 29);
    }

    private void Note(BusAccess access, ulong address, int size, ulong value)
    {
        _events.Add(new BusEvent(access, Processor.InstructionsRetired, address, size, value));
        if (IsFull)
        {
            Processor.RequestStop();
        }
    }
}
