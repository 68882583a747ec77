using System;
using VirtShell.State;

namespace VirtShell.Machine.Bus;

/// <summary>Something that happens at a guest time: made once by its device, then scheduled on the <see cref="MachineClock"/> as often as needed.</summary>
internal sealed class TimerEvent
{
    internal const int NotQueued = -1;

    /// <param name="fire">Called once the time has come, the event already off the queue; may schedule it again. <see cref="Due"/> still holds the time it was due.</param>
    public TimerEvent(Action fire) => Fire = fire;

    public bool IsScheduled => QueueIndex != NotQueued;

    /// <summary>Guest time in nanoseconds at which the event fires, or last fired.</summary>
    public long Due { get; internal set; }

    internal Action Fire { get; }

    // Ties fire in the order in which they were scheduled.
    internal long Sequence { get; set; }

    internal int QueueIndex { get; set; } = NotQueued;

    /// <summary>Shows whether and when the event is scheduled, with its place among ties, as a section of the part that it belongs to. What is loaded is scheduled on a clock whose own state has been loaded already.</summary>
    public void Describe(StateVisitor visitor, string name, MachineClock clock)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        ArgumentNullException.ThrowIfNull(clock);
        using StateScope section = visitor.Section(name);
        bool isScheduled = visitor.Value("scheduled", IsScheduled);
        long due = visitor.Value("due", Due);
        long sequence = visitor.Value("sequence", Sequence);
        if (visitor.IsLoading)
        {
            clock.Restore(this, isScheduled, due, sequence);
        }
    }
}
