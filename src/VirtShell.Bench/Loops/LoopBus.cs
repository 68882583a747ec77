using System;
using VirtShell.Cpu;

namespace VirtShell.Bench.Loops;

/// <summary>A machine with nothing in it but memory, and the debug port E9h where someone listens.</summary>
internal sealed class LoopBus : ICpuBus
{
    private const ushort DebugPort = 0xE9;

    /// <summary>Called with each byte written to port E9h.</summary>
    public Action<byte>? Told { get; set; }

    public byte TaskPriority { get; set; }

    public uint ReadPort(ushort port, int size) => uint.MaxValue;

    public void WritePort(ushort port, int size, uint value)
    {
        if (port == DebugPort)
        {
            Told?.Invoke((byte)value);
        }
    }

    public ulong ReadMmio(ulong physicalAddress, int size) => ulong.MaxValue;

    public void WriteMmio(ulong physicalAddress, int size, ulong value)
    {
    }

    public int AcknowledgeInterrupt() => -1;

    public ulong ReadTimestampCounter() => 0;

    public bool TryReadMsr(uint index, out ulong value)
    {
        value = 0;
        return false;
    }

    public bool TryWriteMsr(uint index, ulong value) => false;
}
