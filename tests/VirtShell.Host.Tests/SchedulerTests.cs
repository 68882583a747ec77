using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using VirtShell.Host.Scheduling;
using Xunit;

namespace VirtShell.Host.Tests;

/// <summary>The scheduler by itself, with work that counts its dispatches.</summary>
public sealed class SchedulerTests
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(60);

    [Theory]
    [InlineData(1, 1)]
    [InlineData(1, 20)]
    [InlineData(4, 60)]
    public void All_get_their_turns_and_none_runs_twice_at_once(int workers, int count)
    {
        using Scheduler scheduler = Prepared(workers);
        Work[] all = [.. Enumerable.Range(0, count).Select(_ => new Work(50))];
        Array.ForEach(all, work => scheduler.Wake(work.Entry));
        Assert.All(all, work => Assert.True(work.Done.Wait(s_patience)));
        Assert.All(all, work => Assert.Equal(50, work.Dispatches));
        Assert.All(all, work => Assert.False(work.Overlapped));
    }

    [Fact]
    public void Turns_go_round_among_equals()
    {
        // Each dispatch takes one unit of processor time.
        Assert.Equal([0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2], OrderOf(units: [1, 1, 1], turns: 4).Take(12));
    }

    [Fact]
    public void Shares_are_of_processor_time_and_not_of_turns()
    {
        // While all run, the one whose dispatches are ten times as long gets a tenth of the turns.
        List<int> order = OrderOf(units: [10, 1, 1], turns: 40);
        int last = order.LastIndexOf(1);
        Assert.InRange(order.Take(last).Count(number => number == 0), 3, 5);
    }

    [Fact]
    public void Sleep_is_not_saved_up()
    {
        RunQueue queue = new();
        SchedulerEntry worker = new(new Work(1)) { VirtualTime = 60_000_000_000 };
        SchedulerEntry sleeper = new(new Work(1));
        queue.Add(worker);
        Assert.Same(worker, queue.Take());
        queue.AddWoken(sleeper);
        Assert.Equal(worker.VirtualTime - RunQueue.Credit, sleeper.VirtualTime);
    }

    [Fact]
    public void Whoever_is_waited_for_comes_next()
    {
        RunQueue queue = new();
        SchedulerEntry[] all = [.. Enumerable.Range(0, 3).Select(number => new SchedulerEntry(new Work(1)) { VirtualTime = number })];
        Array.ForEach(all, queue.Add);
        queue.Hurry(all[2]);
        Assert.Same(all[2], queue.Take());
        Assert.Same(all[0], queue.Take());
    }

    [Fact]
    public void One_that_is_parked_runs_only_when_woken()
    {
        using Scheduler scheduler = Prepared(2);
        Work parked = new(2, result: static _ => DispatchResult.Park);
        scheduler.Wake(parked.Entry);
        WaitUntil(() => parked.Dispatches == 1 && parked.Entry.State == EntryState.Parked);
        Work busy = new(200);
        scheduler.Wake(busy.Entry);
        Assert.True(busy.Done.Wait(s_patience));
        Assert.Equal(1, parked.Dispatches);
        scheduler.Wake(parked.Entry);
        Assert.True(parked.Done.Wait(s_patience));
    }

    [Fact]
    public void A_wake_up_during_a_dispatch_is_not_lost()
    {
        using Scheduler scheduler = Prepared(1);
        Work? work = null;
        work = new Work(100, _ => scheduler.Wake(work!.Entry), static _ => DispatchResult.Park);
        scheduler.Wake(work.Entry);
        Assert.True(work.Done.Wait(s_patience));
    }

    [Fact]
    public void Sleepers_wake_in_the_order_of_their_times_and_not_before()
    {
        // On a host so busy that the first was due before the last one slept, the order says nothing: then again, slower.
        for (int unit = 20; !TrySleepers(unit); unit *= 2)
        {
        }
    }

    [Fact]
    public void A_sleeper_can_be_woken_before_its_time()
    {
        using Scheduler scheduler = Prepared(1);
        Work sleeper = new(2, result: static _ => new DispatchResult(DispatchKind.Sleep, long.MaxValue / 2));
        scheduler.Wake(sleeper.Entry);
        WaitUntil(() => sleeper.Entry.State == EntryState.Sleeping);
        scheduler.Wake(sleeper.Entry);
        Assert.True(sleeper.Done.Wait(s_patience));
    }

    [Fact]
    public void A_long_dispatch_is_asked_to_return_while_others_wait()
    {
        using Scheduler scheduler = Prepared(1);
        using ManualResetEventSlim preempted = new();
        Work hog = new(1, _ => Assert.True(preempted.Wait(s_patience)), preempt: preempted.Set);
        Work other = new(1);
        scheduler.Wake(hog.Entry);
        WaitUntil(() => hog.Entry.State == EntryState.Running);
        scheduler.Wake(other.Entry);
        Assert.True(other.Done.Wait(s_patience));
    }

    [Fact]
    public void One_that_follows_the_hosts_clock_is_asked_to_look_at_it_while_nobody_waits()
    {
        using Scheduler scheduler = Prepared(2);
        using ManualResetEventSlim preempted = new();
        Work work = new(1, _ => Assert.True(preempted.Wait(s_patience)), preempt: preempted.Set) { FollowsHostClock = true };
        scheduler.Wake(work.Entry);
        Assert.True(work.Done.Wait(s_patience));
    }

    [Fact]
    public void A_sleeper_wakes_while_all_workers_are_in_long_dispatches()
    {
        // Nobody but the timekeeper can end the hog's dispatch, and it does so only for the sleeper.
        using Scheduler scheduler = Prepared(1);
        using ManualResetEventSlim preempted = new();
        Work sleeper = new(2, result: static _ => new DispatchResult(DispatchKind.Sleep, Stopwatch.GetTimestamp() + (Stopwatch.Frequency / 20)));
        scheduler.Wake(sleeper.Entry);
        WaitUntil(() => sleeper.Entry.State == EntryState.Sleeping);
        Work hog = new(1, _ => Assert.True(preempted.Wait(s_patience)), preempt: preempted.Set);
        scheduler.Wake(hog.Entry);
        Assert.True(sleeper.Done.Wait(s_patience));
    }

    [Fact]
    public void A_sleeper_and_a_runner_run_at_once_where_there_are_workers_for_both()
    {
        using Scheduler scheduler = Prepared(2);
        Work sleeper = new(2, result: static _ => new DispatchResult(DispatchKind.Sleep, Stopwatch.GetTimestamp() + (Stopwatch.Frequency / 20)));
        scheduler.Wake(sleeper.Entry);
        WaitUntil(() => sleeper.Entry.State == EntryState.Sleeping);
        Work hog = new(1, _ => Assert.True(sleeper.Done.Wait(s_patience)));
        scheduler.Wake(hog.Entry);
        Assert.True(hog.Done.Wait(s_patience));
    }

    private static Scheduler Prepared(int workers, Func<long>? processorTime = null)
    {
        Scheduler scheduler = new(workers, processorTime);
        scheduler.Prepare();
        return scheduler;
    }

    /// <summary>Who is dispatched when, where one dispatch of each takes so many units of processor time.</summary>
    private static List<int> OrderOf(int[] units, int turns)
    {
        long time = 0;
        using Scheduler scheduler = Prepared(1, () => time);
        ConcurrentQueue<int> order = new();
        using ManualResetEventSlim gate = new();
        Work blocker = new(1, _ => gate.Wait());
        scheduler.Wake(blocker.Entry);
        Work[] all =
        [
            .. units.Select((unit, number) => new Work(turns, _ =>
            {
                order.Enqueue(number);
                time += unit;
            })),
        ];
        Array.ForEach(all, work => scheduler.Wake(work.Entry));
        gate.Set();
        Assert.All(all, work => Assert.True(work.Done.Wait(s_patience)));
        return [.. order];
    }

    private static bool TrySleepers(int unit)
    {
        using Scheduler scheduler = Prepared(1);
        ConcurrentQueue<int> order = new();
        long start = Stopwatch.GetTimestamp();
        long Due(int delay) => start + (Stopwatch.Frequency * delay * unit / 1000);
        long early = 0;
        long asleep = 0;
        List<Work> all = [];
        foreach (int delay in (int[])[3, 1, 2])
        {
            all.Add(new Work(
                2,
                dispatch =>
                {
                    long now = Stopwatch.GetTimestamp();
                    if (dispatch == 1)
                    {
                        asleep = now;
                        return;
                    }

                    order.Enqueue(delay);
                    early += now < Due(delay) ? 1 : 0;
                },
                _ => new DispatchResult(DispatchKind.Sleep, Due(delay))));
        }

        all.ForEach(work => scheduler.Wake(work.Entry));
        Assert.All(all, work => Assert.True(work.Done.Wait(s_patience)));
        Assert.Equal(0, early);
        if (asleep >= Due(1))
        {
            return false;
        }

        Assert.Equal([1, 2, 3], order);
        return true;
    }

    private static void WaitUntil(Func<bool> condition) => Assert.True(SpinWait.SpinUntil(condition, s_patience));

    private sealed class Work : IRunnable
    {
        private readonly int _turns;
        private readonly Action<int>? _act;
        private readonly Func<int, DispatchResult>? _result;
        private readonly Action? _preempt;
        private int _inside;

        public Work(int turns, Action<int>? act = null, Func<int, DispatchResult>? result = null, Action? preempt = null)
        {
            _turns = turns;
            _act = act;
            _result = result;
            _preempt = preempt;
            Entry = new SchedulerEntry(this);
        }

        public SchedulerEntry Entry { get; }

        public ManualResetEventSlim Done { get; } = new();

        public int Dispatches { get; private set; }

        public bool Overlapped { get; private set; }

        public DispatchResult Dispatch()
        {
            Overlapped |= Interlocked.Exchange(ref _inside, 1) != 0;
            Dispatches++;
            _act?.Invoke(Dispatches);
            Interlocked.Exchange(ref _inside, 0);
            if (Dispatches < _turns)
            {
                return _result?.Invoke(Dispatches) ?? DispatchResult.Again;
            }

            Done.Set();
            return DispatchResult.Done;
        }

        public bool FollowsHostClock { get; init; }

        public void Preempt() => _preempt?.Invoke();
    }
}
