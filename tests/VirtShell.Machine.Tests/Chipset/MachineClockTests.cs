using System.Collections.Generic;
using VirtShell.Machine.Bus;
using Xunit;

namespace VirtShell.Machine.Tests.Chipset;

public sealed class MachineClockTests
{
    private long _retired;

    [Fact]
    public void Events_fire_in_order_of_time_and_then_of_scheduling()
    {
        MachineClock clock = new(() => _retired);
        List<int> fired = [];
        TimerEvent[] events = new TimerEvent[50];
        for (int i = 0; i < events.Length; i++)
        {
            int number = i;
            events[i] = new TimerEvent(() => fired.Add(number));
        }

        for (int i = 0; i < events.Length; i++)
        {
            clock.Schedule(events[i], 100 - (i % 5));
        }

        clock.Cancel(events[7]);
        clock.Schedule(events[4], 97);
        _retired = 99;
        while (clock.FireNext())
        {
        }

        List<int> expected = [];
        for (int due = 96; due <= 99; due++)
        {
            for (int i = 0; i < events.Length; i++)
            {
                if (i != 7 && i != 4 && 100 - (i % 5) == due)
                {
                    expected.Add(i);
                }
            }

            if (due == 97)
            {
                expected.Add(4);
            }
        }

        Assert.Equal(expected, fired);
        Assert.Equal(100, clock.NextDue);
    }

    [Fact]
    public void Time_is_retired_instructions_plus_what_was_skipped()
    {
        MachineClock clock = new(() => _retired);
        _retired = 10;
        clock.SkipTo(50);
        _retired = 15;
        Assert.Equal(55, clock.Now);
        clock.SkipTo(20);
        Assert.Equal(55, clock.Now);
        Assert.Equal(40, clock.Skipped);
    }

    [Fact]
    public void The_deadline_is_told_only_when_it_moves_forward()
    {
        List<long> told = [];
        MachineClock clock = new(() => _retired) { DeadlineMoved = told.Add };
        TimerEvent first = new(() => { });
        TimerEvent second = new(() => { });
        clock.Schedule(first, 100);
        clock.Schedule(second, 200);
        clock.Schedule(second, 50);
        Assert.Equal([100, 50], told);
    }
}
