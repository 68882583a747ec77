namespace VirtShell.Cpu;

/// <summary>
/// What a processor sees of the machine around it. Every method is called on the thread inside <see cref="Vcpu.Run"/>;
/// <see cref="Vcpu.InstructionsRetired"/> is exact during each call.
/// </summary>
public interface ICpuBus
{
    /// <summary>Reads 1, 2 or 4 bytes from an I/O port; unclaimed ports read all ones.</summary>
    uint ReadPort(ushort port, int size);

    /// <summary>Writes 1, 2 or 4 bytes to an I/O port; unclaimed ports ignore it.</summary>
    void WritePort(ushort port, int size, uint value);

    /// <summary>Reads 1, 2, 4 or 8 bytes at a physical address outside RAM and ROM, within one 4 KiB page; unclaimed addresses read all ones.</summary>
    ulong ReadMmio(ulong physicalAddress, int size);

    /// <summary>Writes 1, 2, 4 or 8 bytes at a physical address outside RAM (or to ROM), within one 4 KiB page.</summary>
    void WriteMmio(ulong physicalAddress, int size, ulong value);

    /// <summary>The INTA cycle: called when INTR is asserted and the processor accepts it. Gives the vector, or -1 where no request stands any more.</summary>
    int AcknowledgeInterrupt();

    /// <summary>The time-stamp counter now, before IA32_TSC_ADJUST-like offsets, which the processor keeps.</summary>
    ulong ReadTimestampCounter();

    /// <summary>The guest has moved its time-stamp counter by <paramref name="delta"/> (modulo 2^64): what is due at a value of it is due at another time now.</summary>
    void TimestampMoved(ulong delta)
    {
    }

    /// <summary>Reads an MSR that the processor itself does not implement (APIC base and x2APIC registers, for example).</summary>
    bool TryReadMsr(uint index, out ulong value);

    /// <summary>Writes an MSR that the processor itself does not implement; false raises #GP(0).</summary>
    bool TryWriteMsr(uint index, ulong value);

    /// <summary>CR8: bits 7:4 of the local APIC's task priority register, as a number from 0 to 15.</summary>
    byte TaskPriority { get; set; }

    /// <summary>Level of the FERR# output: an unmasked x87 exception is pending while CR0.NE is clear. A PC routes its rising edge to IRQ 13.</summary>
    void SetFloatingPointError(bool asserted)
    {
    }
}
