using System;
using System.Collections.Generic;

namespace VirtShell.Host.Scheduling;

/// <summary>
/// Decides who runs next: whoever has used the least processor time. The one place to change for shares, caps and
/// reservations; the scheduler asks it for nothing else. Not thread-safe: the scheduler's lock covers it.
/// </summary>
/// <remarks>
/// Each entry has a virtual time, the processor time that it has used. One that has slept comes back a little behind the others,
/// so that its turn comes at once, but never far: sleep is not saved up.
/// </remarks>
internal sealed class RunQueue
{
    /// <summary>How far behind the others an entry may come back from sleep, in nanoseconds of processor time.</summary>
    public const long Credit = 10_000_000;

    /// <summary>How much less than a running entry one must have used to run before that has had its slice, in nanoseconds.</summary>
    private const long Lead = 5_000_000;

    // In front of every virtual time.
    private const long Urgent = long.MinValue;

    private readonly PriorityQueue<SchedulerEntry, (long VirtualTime, long Number)> _ready = new();
    private long _floor;
    private long _number;

    public int Count => _ready.Count;

    /// <summary>Whether somebody waits who has used much less than <paramref name="running"/>, which has used <paramref name="used"/> nanoseconds in its present dispatch.</summary>
    public bool IsOvertaken(SchedulerEntry running, long used) =>
        _ready.TryPeek(out _, out (long VirtualTime, long) first) && first.VirtualTime < running.VirtualTime + used - Lead;

    /// <summary>Adds an entry that goes on waiting for its share.</summary>
    public void Add(SchedulerEntry entry) => _ready.Enqueue(entry, (entry.VirtualTime, _number++));

    /// <summary>Adds an entry that has slept, was parked, or is new.</summary>
    public void AddWoken(SchedulerEntry entry)
    {
        entry.VirtualTime = Math.Max(entry.VirtualTime, _floor - Credit);
        Add(entry);
    }

    /// <summary>Adds an entry ahead of all others: somebody waits for an answer.</summary>
    public void AddUrgent(SchedulerEntry entry)
    {
        entry.VirtualTime = Math.Max(entry.VirtualTime, _floor - Credit);
        _ready.Enqueue(entry, (Urgent, _number++));
    }

    /// <summary>Moves an entry that waits ahead of all others.</summary>
    public void Hurry(SchedulerEntry entry)
    {
        if (_ready.Remove(entry, out _, out _))
        {
            AddUrgent(entry);
        }
    }

    public SchedulerEntry Take()
    {
        SchedulerEntry entry = _ready.Dequeue();
        _floor = Math.Max(_floor, entry.VirtualTime);
        return entry;
    }
}
