namespace VirtShell.Host.Running;

/// <summary>Who is told what becomes of a run: on the run's own thread, never under a lock of the run.</summary>
internal interface IRunOwner
{
    /// <summary>The guest asked for a reset and got it.</summary>
    void GuestWasReset(MachineRun run);

    /// <summary>The guest crashed and is started again.</summary>
    void RunCrashed(MachineRun run, CrashReport report);

    /// <summary>The run is over; its machine is gone unless <see cref="MachineRun.IsKept"/>.</summary>
    void RunEnded(MachineRun run, VmEndKind kind, int code, CrashReport? report);
}
