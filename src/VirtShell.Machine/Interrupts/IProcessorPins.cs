namespace VirtShell.Machine.Interrupts;

/// <summary>The processor's inputs that interrupt controllers drive.</summary>
public interface IProcessorPins
{
    /// <summary>Level of INTR.</summary>
    void SetInterruptRequest(bool asserted);

    /// <summary>Pulses NMI.</summary>
    void RaiseNmi();

    /// <summary>An INIT message reached the processor.</summary>
    void RaiseInit();
}
