using System.Diagnostics;

namespace VirtShell.Host.Scheduling;

/// <summary>A runnable's place in the scheduler. All fields belong to the scheduler and are used under its lock.</summary>
internal sealed class SchedulerEntry(IRunnable runnable)
{
    public IRunnable Runnable { get; } = runnable;

    public EntryState State { get; set; } = EntryState.Parked;

    /// <summary>Somebody woke it while it was running: it goes back to the queue whatever its dispatch says.</summary>
    public bool WokenWhileRunning { get; set; }

    /// <summary>As <see cref="WokenWhileRunning"/>, by somebody who waits for an answer.</summary>
    public bool HurriedWhileRunning { get; set; }

    /// <summary>Counts sleeps, so that a timer entry of an earlier sleep is recognised as stale.</summary>
    public long SleepNumber { get; set; }

    /// <summary>Processor time used, in nanoseconds; never far behind the others' (<see cref="RunQueue"/>).</summary>
    public long VirtualTime { get; set; }

    /// <summary>When its present dispatch began, in <see cref="Stopwatch"/> ticks.</summary>
    public long DispatchedAt { get; set; }

    /// <summary>Whether its present dispatch was already asked to return.</summary>
    public bool Preempted { get; set; }
}

internal enum EntryState
{
    Parked,
    Sleeping,
    Ready,
    Running,
    Done,
}
