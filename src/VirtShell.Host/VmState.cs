namespace VirtShell.Host;

/// <summary>A VM's state, in Hyper-V's words where it has them.</summary>
public enum VmState
{
    Off,
    Starting,
    Running,
    Paused,

    /// <summary>The guest was asked to shut down and has not done so yet.</summary>
    Stopping,

    /// <summary>The guest ended in a crash, or our engine failed while serving it; see the crash report.</summary>
    Crashed,
}

/// <summary>How the last run of a VM ended.</summary>
public enum VmEndKind
{
    /// <summary>It has not ended (or never started).</summary>
    None,

    /// <summary>The guest switched itself off (ACPI S5).</summary>
    PowerOff,

    /// <summary>The guest wrote the debug exit port.</summary>
    DebugExit,

    /// <summary>Turned off from outside.</summary>
    TurnedOff,

    /// <summary>The guest asked for a reset and the run's policy is not to restart.</summary>
    Reset,

    /// <summary>Triple fault.</summary>
    TripleFault,

    /// <summary>Halted with interrupts off, or no progress within the instruction limit.</summary>
    Hang,

    /// <summary>A kernel panic was seen on a serial port, by its pattern.</summary>
    Panic,

    /// <summary>Our own engine threw while serving this VM.</summary>
    EngineFault,

    /// <summary>A disk image failed underneath the VM.</summary>
    StorageFault,
}
