using System.Collections.Generic;

namespace VirtShell.Host.Scheduling;

/// <summary>
/// Decides who runs next: round robin. The one place to change for shares, caps and reservations; the scheduler asks
/// it for nothing else. Not thread-safe: the scheduler's lock covers it.
/// </summary>
internal sealed class RunQueue
{
    private readonly Queue<SchedulerEntry> _ready = new();

    public int Count => _ready.Count;

    public void Add(SchedulerEntry entry) => _ready.Enqueue(entry);

    public SchedulerEntry Take() => _ready.Dequeue();
}
