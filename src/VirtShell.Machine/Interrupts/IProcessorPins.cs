namespace VirtShell.Machine.Interrupts;

/// <summary>A processor's inputs that interrupt controllers drive.</summary>
internal interface IProcessorPins
{
    /// <summary>Level of INTR.</summary>
    void SetInterruptRequest(bool asserted);

    /// <summary>Pulses NMI.</summary>
    void RaiseNmi();

    /// <summary>An INIT message reached the processor.</summary>
    void RaiseInit();

    /// <summary>A start-up message reached the processor: one that waits for it begins at page <paramref name="vector"/>, another ignores it.</summary>
    void RaiseStartUp(byte vector);
}
