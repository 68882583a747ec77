using System;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Virtio;

/// <summary>
/// How much of a queue's work is done at once: so many bytes and descriptors, and what is left as a clock event a little
/// later. A guest may ask for any amount in one access of a register; that access, and each event, takes well below a
/// millisecond of the host's time, and a request to stop is seen between them.
/// </summary>
internal sealed class QueueWork
{
    /// <summary>Descriptors that are read at once: some 50 microseconds, and more than drivers hand over at once. The chain in hand is read to its end.</summary>
    public const int DescriptorBudget = 2048;

    // Fixed configuration.
    private readonly int _byteBudget;
    private readonly long _delayNanoseconds;

    // Runtime glue.
    private readonly MachineClock _clock;
    [NotState("Within a piece of work.")]
    private int _descriptors;

    // Volatile (saved) state.
    private readonly TimerEvent _later;

    /// <param name="clock">The machine's clock.</param>
    /// <param name="goOn">Goes on with the work.</param>
    /// <param name="byteBudget">Bytes that are moved at once.</param>
    /// <param name="delayNanoseconds">Guest time from one piece to the next: what its bytes take.</param>
    public QueueWork(MachineClock clock, Action goOn, int byteBudget, long delayNanoseconds)
    {
        ArgumentNullException.ThrowIfNull(clock);
        _clock = clock;
        _later = new TimerEvent(goOn);
        _byteBudget = byteBudget;
        _delayNanoseconds = delayNanoseconds;
    }

    /// <summary>Whether work is left that goes on by itself.</summary>
    public bool IsPending => _later.IsScheduled;

    /// <summary>Bytes that this piece may move yet.</summary>
    [NotState("Within a piece of work.")]
    public int BytesLeft { get; private set; }

    /// <summary>Whether nothing more may be begun in this piece.</summary>
    public bool IsSpent => BytesLeft <= 0 || _descriptors <= 0;

    /// <summary>Begins a piece.</summary>
    public void Begin()
    {
        _clock.Cancel(_later);
        BytesLeft = _byteBudget;
        _descriptors = DescriptorBudget;
    }

    public void TakeBytes(int count) => BytesLeft -= count;

    public void TakeDescriptors(int count) => _descriptors -= count;

    /// <summary>Has the rest done later.</summary>
    public void GoOnLater() => _clock.ScheduleAfter(_later, _delayNanoseconds);

    public void Stop() => _clock.Cancel(_later);

    public void Describe(StateVisitor visitor, string name) => _later.Describe(visitor, name, _clock);
}
