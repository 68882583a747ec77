using System;
using VirtShell.State;

namespace VirtShell.Machine.Bus;

/// <summary>Something that happens at a guest time: made once by its device, then scheduled on the <see cref="MachineClock"/> as often as needed.</summary>
public sealed class TimerEvent
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

    /// <summary>Saves whether and when the event is scheduled, with its place among ties.</summary>
    public void Save(StateWriter writer, string name)
    {
        using StateWriter.SectionScope section = writer.Section(name, 1);
        writer.Write("scheduled", IsScheduled);
        writer.Write("due", Due);
        writer.Write("sequence", Sequence);
    }

    /// <summary>Restores the event on a clock whose own state has been loaded already.</summary>
    public void Load(StateReader reader, string name, MachineClock clock)
    {
        ArgumentNullException.ThrowIfNull(clock);
        clock.Cancel(this);
        StateReader? section = reader.TrySection(name, 1);
        if (section is null)
        {
            return;
        }

        Due = section.ReadInt64("due");
        Sequence = section.ReadInt64("sequence");
        if (section.ReadBoolean("scheduled"))
        {
            clock.Restore(this);
        }
    }
}
