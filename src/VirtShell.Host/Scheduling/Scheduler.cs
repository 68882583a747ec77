using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Threading;

namespace VirtShell.Host.Scheduling;

/// <summary>
/// Runs any number of runnables on a fixed number of workers. A worker takes the next one and dispatches it; one that sleeps or is
/// parked is in no queue and costs no processor time. A timekeeper, which runs no guest and so is never late for long, wakes sleepers
/// and asks dispatches to return once they have had their slice and others wait, or the host's clock must be looked at. Which worker runs what, when and for how long never
/// shows in a guest under the virtual clock: splitting a run changes nothing in it.
/// </summary>
internal sealed class Scheduler : IDisposable
{
    private const int SliceMilliseconds = 5;

    private const int ShortestSliceMilliseconds = 1;

    private const int LongestWatch = 60_000;

    /// <summary>Host time of a dispatch while others wait, or of one that follows the host's clock.</summary>
    private static readonly long s_slice = Stopwatch.Frequency * SliceMilliseconds / 1000;

    /// <summary>Host time of a dispatch while somebody waits who has used less than it.</summary>
    private static readonly long s_shortestSlice = Stopwatch.Frequency * ShortestSliceMilliseconds / 1000;

    private readonly object _gate = new();
    private readonly Func<long> _processorTime;
    private readonly RunQueue _ready = new();
    private readonly PriorityQueue<(SchedulerEntry Entry, long Number), long> _sleepers = new();
    private readonly SchedulerEntry?[] _running;
    private readonly List<Thread> _workers = [];
    private readonly AutoResetEvent _clock = new(false);
    private Thread? _timekeeper;
    private int _waitingWorkers;

    // When the timekeeper looks next, in Stopwatch ticks.
    private long _nextLook = long.MaxValue;
    private bool _ending;

    /// <param name="workers">Worker threads; 0 for one each host core.</param>
    /// <param name="processorTime">Gives the processor time of the calling thread, in nanoseconds; null for the host's.</param>
    public Scheduler(int workers, Func<long>? processorTime = null)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(workers);
        Workers = workers == 0 ? Environment.ProcessorCount : workers;
        _running = new SchedulerEntry?[Workers];
        _processorTime = processorTime ?? ThreadTime.Now;
    }

    public int Workers { get; }

    /// <summary>Starts the threads that there must be at least: the timekeeper and one worker. A host without a running VM has none.</summary>
    /// <exception cref="OutOfMemoryException">The host gives no more threads.</exception>
    public void Prepare()
    {
        lock (_gate)
        {
            if (_timekeeper is null && !_ending)
            {
                Thread timekeeper = NewThread("VirtShell timekeeper", KeepTime);
                timekeeper.Start();
                _timekeeper = timekeeper;
            }

            if (_workers.Count == 0 && !_ending)
            {
                StartWorker();
            }
        }
    }

    /// <summary>Puts an entry on the run queue; one that runs right now will run once more. From any thread, after <see cref="Prepare"/>.</summary>
    /// <param name="urgent">Somebody waits for an answer: the entry runs next.</param>
    public void Wake(SchedulerEntry entry, bool urgent = false)
    {
        lock (_gate)
        {
            switch (entry.State)
            {
                case EntryState.Parked or EntryState.Sleeping:
                    entry.State = EntryState.Ready;
                    if (urgent)
                    {
                        _ready.AddUrgent(entry);
                    }
                    else
                    {
                        _ready.AddWoken(entry);
                    }

                    CallWorkers(_ready.Count);
                    break;
                case EntryState.Ready when urgent:
                    _ready.Hurry(entry);
                    CallWorkers(_ready.Count);
                    break;
                case EntryState.Running:
                    entry.WokenWhileRunning = true;
                    entry.HurriedWhileRunning |= urgent;
                    break;
            }
        }
    }

    /// <summary>Ends the threads after their present dispatch; entries still queued stay where they are.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _ending = true;
            _clock.Set();
            Monitor.PulseAll(_gate);
        }

        foreach (Thread thread in _workers)
        {
            if (thread != Thread.CurrentThread)
            {
                // A dispatch is bounded, so this ends; the limit is for an engine fault that never returns.
                thread.Join(TimeSpan.FromSeconds(10));
            }
        }

        _timekeeper?.Join();
        _clock.Dispose();
    }

    private static Thread NewThread(string name, ThreadStart start) => new(start) { IsBackground = true, Name = name };

    private void StartWorker()
    {
        int number = _workers.Count;
        Thread thread = NewThread("VirtShell worker " + number.ToString(CultureInfo.InvariantCulture), () => Work(number));
        thread.Start();
        _workers.Add(thread);
    }

    /// <summary>Finds workers for <paramref name="wanted"/> ready entries: waiting ones, new ones, or those that have had their slice.</summary>
    private void CallWorkers(int wanted)
    {
        if (wanted <= 0)
        {
            return;
        }

        for (int called = Math.Min(wanted, _waitingWorkers); called > 0; called--)
        {
            Monitor.Pulse(_gate);
        }

        if (wanted <= _waitingWorkers)
        {
            return;
        }

        if (_workers.Count < Workers && !_ending)
        {
            try
            {
                StartWorker();
                return;
            }
            catch (OutOfMemoryException)
            {
                // The host gives no more threads: those that there are take turns.
            }
        }

        LookAt(EarliestEnd());
    }

    private void Work(int number)
    {
        SchedulerEntry? entry = null;
        DispatchResult result = default;
        long used = 0;
        while ((entry = PutBackAndTake(number, entry, result, used)) is not null)
        {
            long before = _processorTime();
            result = entry.Runnable.Dispatch();
            used = _processorTime() - before;
        }
    }

    private SchedulerEntry? PutBackAndTake(int number, SchedulerEntry? last, DispatchResult result, long used)
    {
        lock (_gate)
        {
            if (last is not null)
            {
                PutBack(number, last, result, used);
            }

            while (!_ending)
            {
                WakeSleepers(own: 1);
                if (_ready.Count > 0)
                {
                    SchedulerEntry entry = _ready.Take();
                    entry.State = EntryState.Running;
                    entry.WokenWhileRunning = false;
                    entry.HurriedWhileRunning = false;
                    entry.Preempted = false;
                    entry.DispatchedAt = Stopwatch.GetTimestamp();
                    _running[number] = entry;
                    LookAt(EarliestEnd());
                    return entry;
                }

                _waitingWorkers++;
                Monitor.Wait(_gate);
                _waitingWorkers--;
            }

            return null;
        }
    }

    private void PutBack(int number, SchedulerEntry entry, DispatchResult result, long used)
    {
        _running[number] = null;
        entry.VirtualTime += used;
        if (result.Kind == DispatchKind.Done)
        {
            entry.State = EntryState.Done;
        }
        else if (entry.HurriedWhileRunning)
        {
            entry.State = EntryState.Ready;
            _ready.AddUrgent(entry);
        }
        else if (result.Kind == DispatchKind.Again || entry.WokenWhileRunning)
        {
            entry.State = EntryState.Ready;
            _ready.Add(entry);
        }
        else if (result.Kind == DispatchKind.Sleep)
        {
            entry.State = EntryState.Sleeping;
            entry.SleepNumber++;
            _sleepers.Enqueue((entry, entry.SleepNumber), result.Due);
            LookAt(result.Due);
        }
        else
        {
            entry.State = EntryState.Parked;
        }
    }

    /// <summary>Makes ready whoever has slept long enough.</summary>
    /// <param name="own">Entries that the calling worker takes itself, so that nobody need be woken for them.</param>
    private void WakeSleepers(int own)
    {
        long now = Stopwatch.GetTimestamp();
        bool woken = false;
        while (_sleepers.TryPeek(out (SchedulerEntry Entry, long Number) sleeper, out long due))
        {
            bool stale = sleeper.Entry.State != EntryState.Sleeping || sleeper.Entry.SleepNumber != sleeper.Number;
            if (!stale && due > now)
            {
                break;
            }

            _sleepers.Dequeue();
            if (!stale)
            {
                sleeper.Entry.State = EntryState.Ready;
                _ready.AddWoken(sleeper.Entry);
                woken = true;
            }
        }

        if (woken)
        {
            CallWorkers(_ready.Count - own);
        }
    }

    // ---- The timekeeper -------------------------------------------------------------------------------------------

    private void KeepTime()
    {
        while (true)
        {
            int wait;
            lock (_gate)
            {
                if (_ending)
                {
                    return;
                }

                WakeSleepers(own: 0);
                EndSlices();
                long next = EarliestEnd();
                if (_sleepers.TryPeek(out _, out long due))
                {
                    next = Math.Min(next, due);
                }

                _nextLook = next;
                wait = next == long.MaxValue ? Timeout.Infinite : MillisecondsUntil(next);
            }

            _clock.WaitOne(wait);
        }
    }

    private static int MillisecondsUntil(long due)
    {
        double milliseconds = (due - Stopwatch.GetTimestamp()) * 1000.0 / Stopwatch.Frequency;
        return (int)Math.Clamp(Math.Ceiling(milliseconds), 0, LongestWatch);
    }

    /// <summary>Has the timekeeper look at a time, where it would look later.</summary>
    private void LookAt(long time)
    {
        if (time < _nextLook && !_ending)
        {
            _nextLook = time;
            _clock.Set();
        }
    }

    /// <summary>When the first of the running entries will have had its slice, in <see cref="Stopwatch"/> ticks; the largest value where none need end.</summary>
    private long EarliestEnd()
    {
        long end = long.MaxValue;
        foreach (SchedulerEntry? entry in _running)
        {
            if (entry is not null && HasSlices(entry))
            {
                end = Math.Min(end, entry.DispatchedAt + SliceOf(entry));
            }
        }

        return end;
    }

    private long SliceOf(SchedulerEntry entry)
    {
        long had = Math.Max(0, Stopwatch.GetTimestamp() - entry.DispatchedAt);
        return _ready.IsOvertaken(entry, (long)(had * (1e9 / Stopwatch.Frequency))) ? s_shortestSlice : s_slice;
    }

    private bool HasSlices(SchedulerEntry entry) => !entry.Preempted && (_ready.Count > 0 || entry.Runnable.FollowsHostClock);

    private void EndSlices()
    {
        long now = Stopwatch.GetTimestamp();
        foreach (SchedulerEntry? entry in _running)
        {
            if (entry is not null && HasSlices(entry) && now - entry.DispatchedAt >= SliceOf(entry))
            {
                entry.Preempted = true;
                entry.Runnable.Preempt();
            }
        }
    }
}
