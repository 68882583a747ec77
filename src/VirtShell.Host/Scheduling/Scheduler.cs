using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Threading;

namespace VirtShell.Host.Scheduling;

/// <summary>
/// Runs any number of runnables on a fixed number of workers. A worker takes the next one, dispatches it for one quantum
/// and puts it back; one that sleeps or is parked stands in no queue and costs no processor time. Which worker runs what
/// and when never shows in a guest: a dispatch is bounded by instructions, not by time.
/// </summary>
internal sealed class Scheduler : IDisposable
{
    // A quantum of a guest that mostly halts under the virtual clock can take long in host time; when others wait it is
    // asked to return after this many milliseconds. Splitting a run never changes its result.
    private const int PreemptAfterMilliseconds = 20;

    private const int LongestWatch = 60_000;

    private static readonly long PreemptAfter = Stopwatch.Frequency * PreemptAfterMilliseconds / 1000;

    private readonly object _gate = new();
    private readonly RunQueue _ready = new();
    private readonly PriorityQueue<(SchedulerEntry Entry, long Number), long> _sleepers = new();
    private readonly SchedulerEntry?[] _running;
    private readonly List<Thread> _threads = [];
    private Timer? _preemption;
    private bool _preemptionRuns;
    private int _waitingWorkers;

    // One waiting worker watches the clock for the next sleeper; the others wait for a pulse.
    private int _clockWatcher = -1;
    private long _watchedDue;
    private bool _ending;

    public Scheduler(int workers)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(workers);
        Workers = workers == 0 ? Environment.ProcessorCount : workers;
        _running = new SchedulerEntry?[Workers];
    }

    public int Workers { get; }

    /// <summary>Puts an entry on the run queue; one that runs right now will run once more. From any thread.</summary>
    public void Wake(SchedulerEntry entry)
    {
        lock (_gate)
        {
            switch (entry.State)
            {
                case EntryState.Parked or EntryState.Sleeping:
                    MakeReady(entry);
                    break;
                case EntryState.Running:
                    entry.WokenWhileRunning = true;
                    break;
            }
        }
    }

    /// <summary>Ends the workers after their present dispatch; entries still queued stay where they are.</summary>
    public void Dispose()
    {
        lock (_gate)
        {
            _ending = true;
            _preemption?.Dispose();
            Monitor.PulseAll(_gate);
        }

        foreach (Thread thread in _threads)
        {
            if (thread != Thread.CurrentThread)
            {
                // A dispatch is bounded, so this ends; the limit is for an engine fault that never returns.
                thread.Join(TimeSpan.FromSeconds(10));
            }
        }
    }

    /// <param name="own">Entries that the calling worker takes itself, so that nobody need be woken for them.</param>
    private void MakeReady(SchedulerEntry entry, int own = 0)
    {
        entry.State = EntryState.Ready;
        _ready.Add(entry);
        int wanted = _ready.Count - own;
        if (wanted <= 0)
        {
            return;
        }

        if (_waitingWorkers > 0)
        {
            Monitor.Pulse(_gate);
        }

        if (wanted > _waitingWorkers)
        {
            if (_threads.Count < Workers && !_ending)
            {
                StartWorker();
            }
            else
            {
                RunPreemption(true);
            }
        }
    }

    private void StartWorker()
    {
        // Workers come as they are needed: a host without a running VM has no thread.
        int number = _threads.Count;
        Thread thread = new(() => Work(number))
        {
            IsBackground = true,
            Name = "VirtShell worker " + number.ToString(CultureInfo.InvariantCulture),
        };
        _threads.Add(thread);
        thread.Start();
    }

    private void Work(int number)
    {
        while (TakeNext(number) is { } entry)
        {
            PutBack(number, entry, entry.Runnable.Dispatch());
        }
    }

    private SchedulerEntry? TakeNext(int number)
    {
        lock (_gate)
        {
            while (!_ending)
            {
                WakeSleepers(out long due);
                if (_ready.Count > 0)
                {
                    SchedulerEntry entry = _ready.Take();
                    entry.State = EntryState.Running;
                    entry.WokenWhileRunning = false;
                    entry.Preempted = false;
                    entry.DispatchedAt = Stopwatch.GetTimestamp();
                    _running[number] = entry;
                    if (_clockWatcher < 0 && due != long.MaxValue && _waitingWorkers > 0)
                    {
                        // Somebody else has to watch the clock while this worker is busy.
                        Monitor.Pulse(_gate);
                    }

                    return entry;
                }

                WaitForWork(number, due);
            }

            return null;
        }
    }

    private void WaitForWork(int number, long due)
    {
        int timeout = Timeout.Infinite;
        if (due != long.MaxValue && (_clockWatcher < 0 || due < _watchedDue))
        {
            double milliseconds = (due - Stopwatch.GetTimestamp()) * 1000.0 / Stopwatch.Frequency;
            timeout = (int)Math.Clamp(milliseconds + 1, 0, LongestWatch);
            _clockWatcher = number;
            _watchedDue = due;
        }

        _waitingWorkers++;
        Monitor.Wait(_gate, timeout);
        _waitingWorkers--;
        if (_clockWatcher == number)
        {
            _clockWatcher = -1;
        }
    }

    /// <summary>Makes ready whoever has slept long enough. <paramref name="next"/> is when the next one is due, or the largest value.</summary>
    private void WakeSleepers(out long next)
    {
        long now = Stopwatch.GetTimestamp();
        while (_sleepers.TryPeek(out (SchedulerEntry Entry, long Number) sleeper, out next))
        {
            bool stale = sleeper.Entry.State != EntryState.Sleeping || sleeper.Entry.SleepNumber != sleeper.Number;
            if (!stale && next > now)
            {
                return;
            }

            _sleepers.Dequeue();
            if (!stale)
            {
                MakeReady(sleeper.Entry, own: 1);
            }
        }

        next = long.MaxValue;
    }

    private void PutBack(int number, SchedulerEntry entry, DispatchResult result)
    {
        lock (_gate)
        {
            _running[number] = null;
            if (result.Kind == DispatchKind.Done)
            {
                entry.State = EntryState.Done;
            }
            else if (result.Kind == DispatchKind.Again || entry.WokenWhileRunning)
            {
                MakeReady(entry, own: 1);
            }
            else if (result.Kind == DispatchKind.Sleep)
            {
                entry.State = EntryState.Sleeping;
                entry.SleepNumber++;
                _sleepers.Enqueue((entry, entry.SleepNumber), result.Due);
            }
            else
            {
                entry.State = EntryState.Parked;
            }
        }
    }

    private void RunPreemption(bool run)
    {
        if (_preemptionRuns != run && !_ending)
        {
            _preemptionRuns = run;
            int period = run ? PreemptAfterMilliseconds : Timeout.Infinite;
            _preemption ??= new Timer(static state => ((Scheduler)state!).PreemptLongDispatches(), this, Timeout.Infinite, Timeout.Infinite);
            _preemption.Change(period, period);
        }
    }

    private void PreemptLongDispatches()
    {
        lock (_gate)
        {
            if (_ready.Count == 0)
            {
                RunPreemption(false);
                return;
            }

            long now = Stopwatch.GetTimestamp();
            foreach (SchedulerEntry? entry in _running)
            {
                if (entry is { Preempted: false } && now - entry.DispatchedAt > PreemptAfter)
                {
                    entry.Preempted = true;
                    entry.Runnable.Preempt();
                }
            }
        }
    }
}
