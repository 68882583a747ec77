namespace VirtShell.Cpu.Tests.Native;

/// <summary>A machine with nothing in it but memory; remembers what the processor's FERR# output does.</summary>
internal sealed class IdleBus : ICpuBus
{
    public byte TaskPriority { get; set; }

    public bool FloatingPointError { get; private set; }

    public int FloatingPointErrors { get; private set; }

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

    public void SetFloatingPointError(bool asserted)
    {
        FloatingPointErrors += asserted ? 1 : 0;
        FloatingPointError = asserted;
    }
}
