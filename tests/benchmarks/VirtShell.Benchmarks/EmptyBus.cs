using VirtShell.Cpu;

namespace VirtShell.Benchmarks;

/// <summary>A machine with nothing in it but memory.</summary>
internal sealed class EmptyBus : ICpuBus
{
    public byte TaskPriority { get; set; }

    public uint ReadPort(ushort port, int size) => uint.MaxValue;

    public void WritePort(ushort port, int size, uint value)
    {
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
