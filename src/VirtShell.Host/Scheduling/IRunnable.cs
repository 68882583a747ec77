namespace VirtShell.Host.Scheduling;

/// <summary>What the scheduler runs: one virtual processor's worth of work.</summary>
internal interface IRunnable
{
    /// <summary>Runs one quantum, or less, on the calling worker. Never throws.</summary>
    DispatchResult Dispatch();

    /// <summary>
    /// Whether it must look at the host's clock now and then: its dispatches are asked to return after their slice even while nobody
    /// waits, since how long its instructions take is the guest's doing.
    /// </summary>
    bool FollowsHostClock { get; }

    /// <summary>Asks a dispatch that has had its slice to return; called from another thread.</summary>
    void Preempt();
}

/// <summary>What becomes of a runnable after a dispatch.</summary>
/// <param name="Kind">Whether it wants to run again.</param>
/// <param name="Due">For <see cref="DispatchKind.Sleep"/>: <see cref="System.Diagnostics.Stopwatch"/> ticks at which it runs again if nobody wakes it.</param>
internal readonly record struct DispatchResult(DispatchKind Kind, long Due = 0)
{
    public static DispatchResult Again => new(DispatchKind.Again);

    public static DispatchResult Park => new(DispatchKind.Park);

    public static DispatchResult Done => new(DispatchKind.Done);
}

internal enum DispatchKind
{
    /// <summary>Back to the end of the run queue.</summary>
    Again,

    /// <summary>Off the run queue until a time or a wake-up.</summary>
    Sleep,

    /// <summary>Off the run queue until a wake-up.</summary>
    Park,

    /// <summary>Never again.</summary>
    Done,
}
