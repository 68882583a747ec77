namespace VirtShell.Machine;

/// <summary>Why <see cref="Pc.Run"/> returned.</summary>
public enum MachineExitKind
{
    /// <summary>The instruction limit of this call was reached, or the guest idled through very many events; run again to go on.</summary>
    QuantumSpent,

    /// <summary>Nothing to do until <see cref="MachineExit.IdleUntil"/> or until input arrives. With the virtual clock only where nothing is scheduled at all, so that input alone can wake the guest.</summary>
    Idle,

    /// <summary>The guest switched itself off (ACPI S5).</summary>
    PowerOff,

    /// <summary>The guest wrote the debug exit port; <see cref="MachineExit.Code"/> holds the value.</summary>
    DebugExit,

    /// <summary>The guest asked for a reset (8042, port CF9, ACPI reset register); the machine has not been reset yet.</summary>
    ResetRequested,

    /// <summary>Triple fault.</summary>
    TripleFault,

    /// <summary>HLT with interrupts off and no NMI source: nothing can wake the guest.</summary>
    HaltedForever,

    /// <summary><see cref="Pc.RequestStop"/> was called.</summary>
    StopRequested,

    /// <summary>A processor breakpoint was reached.</summary>
    Breakpoint,

    /// <summary>The guest told by the panic device that it cannot go on.</summary>
    Panicked,
}

/// <summary>Why a run ended, with what belongs to it.</summary>
/// <param name="Kind">The reason.</param>
/// <param name="Code">The debug exit port's value, else 0.</param>
/// <param name="IdleUntil">For <see cref="MachineExitKind.Idle"/>: guest time in nanoseconds of the next event; <see cref="long.MaxValue"/> where there is none.</param>
public readonly record struct MachineExit(MachineExitKind Kind, int Code = 0, long IdleUntil = 0);
