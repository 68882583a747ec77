using System;
using System.Globalization;
using VirtShell.Cpu;
using VirtShell.State;

namespace VirtShell.Machine.Bus;

/// <summary>
/// The machine's one clock, in nanoseconds of guest time since power-on, and the queue of everything that happens at a
/// time. Guest time is the number of retired instructions (one nanosecond each) plus the time skipped while halted or
/// caught up with the host.
/// </summary>
internal sealed class MachineClock : IStateful
{
    public const long NanosecondsPerSecond = 1_000_000_000;

    private const long Megahertz = 1_000_000;

    // Of saved state that does not say.
    private const long FirstTscHertz = 1_000_000_000;

    private readonly Func<long> _retired;
    [NotState("Made of the events that devices restore.")]
    private TimerEvent[] _heap = new TimerEvent[32];
    [NotState("Made of the events that devices restore.")]
    private int _count;

    // Saved state.
    private long _skipped;
    private long _nextSequence;

    /// <param name="retired">Gives the number of instructions that the processor has retired.</param>
    public MachineClock(Func<long> retired) => _retired = retired;

    /// <summary>Called with an event's time when it was scheduled ahead of all others, so that a running processor can be stopped in time.</summary>
    public Action<long>? DeadlineMoved { get; set; }

    /// <summary>Called with <see cref="Skipped"/> when that has changed.</summary>
    public Action<long>? TimeSkipped { get; set; }

    /// <summary>Guest time now; exact also inside a bus access.</summary>
    public long Now => _retired() + _skipped;

    /// <summary>Guest time less the retired instructions.</summary>
    public long Skipped => _skipped;

    /// <summary>Guest time of the next event, or <see cref="long.MaxValue"/>.</summary>
    public long NextDue => _count == 0 ? long.MaxValue : _heap[0].Due;

    /// <summary>Schedules an event, moving it where it was scheduled already. A time that has passed fires at the next instruction boundary.</summary>
    public void Schedule(TimerEvent timer, long atNanoseconds)
    {
        ArgumentNullException.ThrowIfNull(timer);
        Cancel(timer);
        timer.Due = atNanoseconds;
        timer.Sequence = _nextSequence++;
        Push(timer);
        if (_heap[0] == timer)
        {
            DeadlineMoved?.Invoke(atNanoseconds);
        }
    }

    /// <summary>Schedules an event <paramref name="delayNanoseconds"/> from now.</summary>
    public void ScheduleAfter(TimerEvent timer, long delayNanoseconds) => Schedule(timer, SaturatingAdd(Now, delayNanoseconds));

    /// <summary>Takes an event off the queue, where it is on it.</summary>
    public void Cancel(TimerEvent timer)
    {
        ArgumentNullException.ThrowIfNull(timer);
        int index = timer.QueueIndex;
        if (index == TimerEvent.NotQueued)
        {
            return;
        }

        timer.QueueIndex = TimerEvent.NotQueued;
        TimerEvent moved = _heap[--_count];
        _heap[_count] = null!;
        if (moved != timer)
        {
            _heap[index] = moved;
            moved.QueueIndex = index;
            SiftUp(index);
            SiftDown(moved.QueueIndex);
        }
    }

    /// <summary>Fires the first event that is due, if any. Gives whether one fired.</summary>
    public bool FireNext()
    {
        if (_count == 0 || _heap[0].Due > Now)
        {
            return false;
        }

        TimerEvent timer = _heap[0];
        Cancel(timer);
        timer.Fire();
        return true;
    }

    /// <summary>Moves guest time forward to <paramref name="nanoseconds"/> without retiring instructions; does nothing where that has passed.</summary>
    public void SkipTo(long nanoseconds)
    {
        long now = Now;
        if (nanoseconds > now)
        {
            SetSkipped(_skipped + nanoseconds - now);
        }
    }

    /// <summary>Lets time pass within the running instruction, as if the bus had kept the processor waiting: up to <paramref name="nanoseconds"/>, but not past the next event. For devices that a guest polls while they are busy.</summary>
    public void StallUntil(long nanoseconds)
    {
        SkipTo(Math.Min(nanoseconds, NextDue));
        if (_count > 0)
        {
            DeadlineMoved?.Invoke(NextDue);
        }
    }

    /// <summary>Has the running instruction take <paramref name="nanoseconds"/> in all, its own one included, or less where the next event comes earlier, which then fires at its time behind it.</summary>
    public void StallInstruction(long nanoseconds)
    {
        long now = Now;
        long next = NextDue;
        long until = Math.Min(now + nanoseconds, next) - 1;
        if (until > now)
        {
            SetSkipped(_skipped + until - now);
        }

        if (_count > 0)
        {
            DeadlineMoved?.Invoke(next);
        }
    }

    /// <summary>Guest time and what orders events; the events are their devices'. To be loaded after the processor and before any device.</summary>
    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        long now = visitor.Value("now", visitor.IsLoading ? 0 : Now);
        visitor.Value("sequence", ref _nextSequence);
        long tscHertz = visitor.Value("tsc-hertz", visitor.IsLoading ? FirstTscHertz : ProcessorClock.TscHertz);
        if (tscHertz != ProcessorClock.TscHertz)
        {
            throw visitor.Refused(string.Create(
                CultureInfo.InvariantCulture,
                $"Saved state is of a machine whose time-stamp counter runs at {tscHertz / Megahertz} MHz; it runs at {ProcessorClock.TscHertz / Megahertz} MHz in this VirtShell, and the system in it would see time pass at another pace. Go on with the VirtShell that saved it, or start the VM anew."));
        }

        if (visitor.IsLoading)
        {
            SetSkipped(now - _retired());
        }
    }

    internal static long SaturatingAdd(long a, long b) => b > 0 && a > long.MaxValue - b ? long.MaxValue : a + b;

    /// <summary>Puts an event where saved state had it.</summary>
    internal void Restore(TimerEvent timer, bool isScheduled, long due, long sequence)
    {
        Cancel(timer);
        timer.Due = due;
        timer.Sequence = sequence;
        if (isScheduled)
        {
            Push(timer);
        }
    }

    private void SetSkipped(long skipped)
    {
        _skipped = skipped;
        TimeSkipped?.Invoke(skipped);
    }

    private static bool IsBefore(TimerEvent a, TimerEvent b) => a.Due != b.Due ? a.Due < b.Due : a.Sequence < b.Sequence;

    private void Push(TimerEvent timer)
    {
        if (_count == _heap.Length)
        {
            Array.Resize(ref _heap, _count * 2);
        }

        _heap[_count] = timer;
        timer.QueueIndex = _count;
        SiftUp(_count++);
    }

    private void SiftUp(int index)
    {
        TimerEvent timer = _heap[index];
        while (index > 0)
        {
            int parent = (index - 1) >> 1;
            if (!IsBefore(timer, _heap[parent]))
            {
                break;
            }

            Place(_heap[parent], index);
            index = parent;
        }

        Place(timer, index);
    }

    private void SiftDown(int index)
    {
        TimerEvent timer = _heap[index];
        while (true)
        {
            int child = (2 * index) + 1;
            if (child >= _count)
            {
                break;
            }

            if (child + 1 < _count && IsBefore(_heap[child + 1], _heap[child]))
            {
                child++;
            }

            if (!IsBefore(_heap[child], timer))
            {
                break;
            }

            Place(_heap[child], index);
            index = child;
        }

        Place(timer, index);
    }

    private void Place(TimerEvent timer, int index)
    {
        _heap[index] = timer;
        timer.QueueIndex = index;
    }
}
