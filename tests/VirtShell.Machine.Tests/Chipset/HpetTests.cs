using Xunit;

namespace VirtShell.Machine.Tests.Chipset;

/// <summary>The event timer, by the HPET specification 1.0a.</summary>
public sealed class HpetTests
{
    private const ulong At = 0xFED0_0000;
    private const uint Enable = 1;
    private const uint Legacy = 2;
    private const uint Level = 2;
    private const uint Interrupts = 4;
    private const uint Periodic = 8;
    private const uint SetValue = 0x40;
    private const uint Narrow = 0x100;

    private readonly TestBoard _rig = new("hpet=on");

    [Fact]
    public void The_capabilities_tell_three_wide_periodic_comparators_of_ten_nanoseconds()
    {
        Assert.Equal(0x8086_A201u, _rig.Mmio(At));
        Assert.Equal(10_000_000u, _rig.Mmio(At + 4));
        for (uint i = 0; i < 3; i++)
        {
            Assert.Equal(0x30u, _rig.Mmio(Comparator(i)));
            Assert.Equal(0x00F0_0000u, _rig.Mmio(Comparator(i) + 4));
        }

        Assert.Equal(0u, _rig.Mmio(Comparator(3)));
    }

    [Fact]
    public void The_counter_runs_while_it_is_enabled_and_keeps_what_is_written()
    {
        _rig.Advance(1000);
        Assert.Equal(0u, _rig.Mmio(At + 0xF0));
        _rig.Mmio(At + 0x10, Enable);
        _rig.Advance(1000);
        Assert.Equal(100u, _rig.Mmio(At + 0xF0));
        _rig.Mmio(At + 0x10, 0);
        _rig.Advance(1000);
        Assert.Equal(100u, _rig.Mmio(At + 0xF0));
        _rig.Bus.WriteMmio(At + 0xF0, 8, 0x1_0000_0005);
        Assert.Equal(0x1_0000_0005ul, _rig.Bus.ReadMmio(At + 0xF0, 8));
        Assert.Equal(0x1_0000_0005ul, _rig.Copy().Bus.ReadMmio(At + 0xF0, 8));
    }

    /// <summary>Comparator, the vector of the IRQ that it stands for, and whether the state is saved in between.</summary>
    [Theory]
    [InlineData(0, 0x30, false)]
    [InlineData(1, 0x38, false)]
    [InlineData(0, 0x30, true)]
    public void By_the_legacy_route_it_interrupts_as_timer_and_clock_do(uint number, int vector, bool copies)
    {
        TestBoard rig = _rig;
        rig.UsePic();

        // The 8254 ticks at 1 kHz, and is not heard any more.
        rig.Out(0x43, 0x34);
        rig.Out(0x40, 1193 & 0xFF);
        rig.Out(0x40, 1193 >> 8);
        rig.Mmio(Comparator(number), Interrupts | Periodic | SetValue | Narrow);
        rig.Mmio(Comparator(number) + 8, 100_000);
        rig.Mmio(At + 0x10, Enable | Legacy);
        rig.Mmio(Comparator(number) + 8, 100_000);
        if (copies)
        {
            rig = rig.Copy();
        }

        int interrupts = 0;
        for (int i = 0; i < 100; i++)
        {
            rig.Advance(100_000);
            if (rig.Intr)
            {
                Assert.Equal(vector, rig.Interrupts.Acknowledge());
                rig.Out(0xA0, 0x20);
                rig.Out(0x20, 0x20);
                interrupts++;
            }
        }

        Assert.Equal(10, interrupts);
        rig.Mmio(At + 0x10, Enable);
        rig.Advance(2_000_000);
        Assert.Equal(0x30, rig.Interrupts.Acknowledge());
    }

    [Fact]
    public void A_level_stays_until_the_status_is_written()
    {
        Route(20, 0x8041);
        _rig.Mmio(Comparator(2), Interrupts | Level | Narrow | (20 << 9));
        _rig.Mmio(Comparator(2) + 8, 50);
        _rig.Mmio(At + 0x10, Enable);
        _rig.Advance(400);
        Assert.False(_rig.Intr);
        _rig.Advance(100);
        Assert.Equal(4u, _rig.Mmio(At + 0x20));
        Assert.Equal(0x41, _rig.Interrupts.Acknowledge());
        _rig.Interrupts.LocalApic.TryWriteMsr(0x80B, 0);
        _rig.Mmio(At + 0x20, 4);
        Assert.Equal(0u, _rig.Mmio(At + 0x20));
    }

    [Theory]
    [InlineData(0u)]
    [InlineData(1u)]
    [InlineData(7u)]
    [InlineData(uint.MaxValue)]
    public void No_period_costs_more_than_an_event_in_a_microsecond(uint period)
    {
        foreach (uint width in new[] { 0u, Narrow })
        {
            _rig.Mmio(At + 0x10, 0);
            _rig.Mmio(Comparator(0), Interrupts | Periodic | SetValue | width);
            _rig.Bus.WriteMmio(Comparator(0) + 8, 8, period);
            _rig.Mmio(At + 0x10, Enable);
            Assert.InRange(_rig.Advance(1_000_000), 0, 1_100);
        }
    }

    [Fact]
    public void A_narrow_comparator_matches_once_in_each_turn_of_its_counter()
    {
        _rig.Mmio(Comparator(0), Narrow | Interrupts);
        _rig.Mmio(Comparator(0) + 8, 10);
        _rig.Mmio(At + 0x10, Enable);
        Assert.Equal(1, _rig.Advance(1_000_000));
        Assert.Equal(1, _rig.Advance(43_000_000_000));
    }

    private static ulong Comparator(uint number) => At + 0x100 + (0x20 * number);

    private void Route(int pin, uint entry)
    {
        _rig.UsePic(0xFF, 0xFF);
        _rig.Mmio(0xFEC0_0000, 0x10 + (2 * (uint)pin));
        _rig.Mmio(0xFEC0_0010, entry);
    }
}
