using System;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>A bus with one interrupt source and ports that remember the last access.</summary>
internal sealed class TestBus : ICpuBus
{
    public int InterruptVector { get; set; } = -1;

    public uint LastPort { get; private set; } = uint.MaxValue;

    public byte TaskPriority { get; set; }

    /// <summary>Called for each port that is read.</summary>
    public Action? OnRead { get; set; }

    public uint ReadPort(ushort port, int size)
    {
        LastPort = port;
        OnRead?.Invoke();
        return uint.MaxValue;
    }

    /// <summary>Called for each port that is written, with the value.</summary>
    public Action<uint>? OnWrite { get; set; }

    /// <summary>Writes outside of RAM.</summary>
    public int MmioWrites { get; private set; }

    public void WritePort(ushort port, int size, uint value)
    {
        LastPort = port;
        OnWrite?.Invoke(value);
    }

    public ulong ReadMmio(ulong physicalAddress, int size) => ulong.MaxValue;

    public void WriteMmio(ulong physicalAddress, int size, ulong value) => MmioWrites++;

    public int AcknowledgeInterrupt() => InterruptVector;

    public ulong ReadTimestampCounter() => 1000;

    public bool TryReadMsr(uint index, out ulong value)
    {
        value = 0;
        return false;
    }

    public bool TryWriteMsr(uint index, ulong value) => false;

    public void SetFloatingPointError(bool asserted)
    {
    }
}
