using System.Collections.Generic;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Timers;
using Xunit;

namespace VirtShell.Machine.Tests.Chipset;

public sealed class PitTests
{
    private static readonly TickRate s_rate = new(Pit8254.Hertz);
    private readonly IoBus _bus = new();
    private readonly MachineClock _clock;
    private readonly List<long> _rises = [];
    private long _now;
    private bool _line;

    public PitTests()
    {
        _clock = new MachineClock(() => _now);
        _ = new Pit8254(_bus, _clock, level =>
        {
            if (level && !_line)
            {
                _rises.Add(s_rate.TicksAt(_now));
            }

            _line = level;
        });

        // OUT is high from power-on.
        _rises.Clear();
    }

    private byte In(int port) => (byte)_bus.ReadPort((ushort)port, 1);

    private void Out(int port, int value) => _bus.WritePort((ushort)port, 1, (uint)value);

    private void ToTick(long tick)
    {
        long end = s_rate.StartOf(tick);
        while (_clock.NextDue <= end)
        {
            _now = _clock.NextDue;
            _clock.FireNext();
        }

        _now = end;
    }

    private int LatchedCount(int channel)
    {
        Out(0x43, channel << 6);
        return In(0x40 + channel) | (In(0x40 + channel) << 8);
    }

    [Fact]
    public void Mode_2_gives_one_edge_each_period()
    {
        Out(0x43, 0x34);
        Out(0x40, 100);
        Out(0x40, 0);
        _rises.Clear();
        ToTick(450);
        Assert.Equal([101, 201, 301, 401], _rises);
        Assert.Equal(100 - 49, LatchedCount(0));
    }

    [Fact]
    public void Mode_0_interrupts_once_after_n_plus_one_clocks()
    {
        Out(0x43, 0x30);
        Assert.False(_line);
        ToTick(10);
        Out(0x40, 5);
        Out(0x40, 0);
        ToTick(15);
        Assert.Empty(_rises);
        ToTick(1000);
        Assert.Equal([16], _rises);
        Assert.True(_line);
    }

    [Theory]
    [InlineData(10, 5)]
    [InlineData(11, 6)]
    public void Mode_3_is_high_for_half_of_the_period_rounded_up(int count, int high)
    {
        Out(0x61, 1);
        Out(0x43, 0xB6);
        Out(0x42, count);
        Out(0x42, 0);
        for (int i = 0; i < 2 * count; i++)
        {
            ToTick(1 + i);
            Assert.Equal(i % count < high, (In(0x61) & 0x20) != 0);
        }
    }

    [Fact]
    public void Mode_3_counts_by_two()
    {
        Out(0x61, 1);
        Out(0x43, 0xB6);
        Out(0x42, 10);
        Out(0x42, 0);
        int[] expected = [10, 8, 6, 4, 2, 10, 8, 6, 4, 2, 10];
        for (int i = 0; i < expected.Length; i++)
        {
            ToTick(1 + i);
            Assert.Equal(expected[i], LatchedCount(2));
        }
    }

    [Fact]
    public void The_gate_triggers_mode_1()
    {
        Out(0x43, 0xB2);
        Out(0x42, 20);
        Out(0x42, 0);
        ToTick(50);
        Assert.Equal(0x20, In(0x61) & 0x20);
        Out(0x61, 1);
        ToTick(60);
        Assert.Equal(0, In(0x61) & 0x20);
        ToTick(70);
        Assert.Equal(0, In(0x61) & 0x20);
        ToTick(71);
        Assert.Equal(0x20, In(0x61) & 0x20);

        // A second trigger within the pulse starts it again.
        Out(0x61, 0);
        Out(0x61, 1);
        ToTick(80);
        Out(0x61, 0);
        Out(0x61, 1);
        ToTick(100);
        Assert.Equal(0, In(0x61) & 0x20);
        ToTick(101);
        Assert.Equal(0x20, In(0x61) & 0x20);
    }

    [Fact]
    public void The_gate_holds_mode_0()
    {
        Out(0x61, 1);
        Out(0x43, 0xB0);
        Out(0x42, 100);
        Out(0x42, 0);
        ToTick(11);
        Out(0x61, 0);
        ToTick(500);
        Assert.Equal(90, LatchedCount(2));
        Out(0x61, 1);
        ToTick(589);
        Assert.Equal(0, In(0x61) & 0x20);
        ToTick(590);
        Assert.Equal(0x20, In(0x61) & 0x20);
    }

    [Theory]
    [InlineData(4)]
    [InlineData(5)]
    public void Strobe_modes_go_low_for_one_clock(int mode)
    {
        Out(0x61, 1);
        Out(0x43, 0xB0 | (mode << 1));
        Out(0x42, 7);
        Out(0x42, 0);
        if (mode == 5)
        {
            Out(0x61, 0);
            Out(0x61, 1);
        }

        for (int tick = 0; tick < 30; tick++)
        {
            ToTick(tick);
            Assert.Equal(tick != 8, (In(0x61) & 0x20) != 0);
        }
    }

    [Fact]
    public void Read_back_latches_status_and_count()
    {
        Out(0x43, 0x34);
        Out(0x43, 0xE2);
        Assert.Equal(0x80 | 0x40 | 0x34, In(0x40));
        Out(0x40, 0x34);
        Out(0x40, 0x12);
        ToTick(5);
        Out(0x43, 0xC2);
        ToTick(50);
        Assert.Equal(0x80 | 0x34, In(0x40));
        Assert.Equal(0x1234 - 4, In(0x40) | (In(0x40) << 8));
    }

    [Fact]
    public void Bcd_counts_in_decimal()
    {
        Out(0x43, 0x31);
        Out(0x40, 0x00);
        Out(0x40, 0x10);
        ToTick(2);
        Assert.Equal(0x0999, LatchedCount(0));
        Assert.Empty(_rises);
        ToTick(1001);
        Assert.Equal([1001], _rises);
    }

    [Fact]
    public void A_new_count_in_mode_2_waits_for_the_period_to_end()
    {
        Out(0x43, 0x34);
        Out(0x40, 100);
        Out(0x40, 0);
        _rises.Clear();
        ToTick(50);
        Out(0x40, 10);
        Out(0x40, 0);
        ToTick(125);
        Assert.Equal([101, 111, 121], _rises);
    }

    [Fact]
    public void The_refresh_bit_toggles()
    {
        int changes = 0;
        int last = In(0x61) & 0x10;
        for (int i = 0; i < 1000; i++)
        {
            _now += 1000;
            int bit = In(0x61) & 0x10;
            changes += bit != last ? 1 : 0;
            last = bit;
        }

        Assert.Equal(66, changes);
    }
}
