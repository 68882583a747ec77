using System.Collections.Generic;
using VirtShell.Machine.Interrupts;
using Xunit;

namespace VirtShell.Machine.Tests.Chipset;

public sealed class LocalApicTests
{
    private const ulong Base = LocalApic.DefaultBase;
    private const uint Lint0 = 0x350;
    private const uint Timer = 0x320;
    private const uint Eoi = 0xB0;
    private readonly TestBoard _rig = new();

    public LocalApicTests() => Set(0xF0, 0x1FF);

    private uint Get(uint offset) => _rig.Mmio(Base + offset);

    private void Set(uint offset, uint value) => _rig.Mmio(Base + offset, value);

    private void SelfIpi(int vector) => Set(0x300, 0x4_0000 | (uint)vector);

    private int Acknowledge() => _rig.Interrupts.Acknowledge();

    [Fact]
    public void Identity_and_reset_values()
    {
        TestBoard fresh = new();
        Assert.Equal(0u, fresh.Mmio(Base + 0x20));
        Assert.Equal(0x50014u, fresh.Mmio(Base + 0x30));
        Assert.Equal(0xFFu, fresh.Mmio(Base + 0xF0));
        Assert.Equal(0xFFFF_FFFFu, fresh.Mmio(Base + 0xE0));
        for (uint lvt = 0x320; lvt <= 0x370; lvt += 0x10)
        {
            Assert.Equal(0x1_0000u, fresh.Mmio(Base + lvt));
        }
    }

    [Fact]
    public void Higher_classes_interrupt_lower_ones()
    {
        SelfIpi(0x41);
        Assert.True(_rig.Intr);
        Assert.Equal(0x41, Acknowledge());
        SelfIpi(0x42);
        Assert.False(_rig.Intr);
        SelfIpi(0x51);
        Assert.True(_rig.Intr);
        Assert.Equal(0x51, Acknowledge());
        Assert.Equal(0x50u, Get(0xA0));
        Set(Eoi, 0);
        Assert.Equal(0x40u, Get(0xA0));
        Assert.False(_rig.Intr);
        Set(Eoi, 0);
        Assert.Equal(0x42, Acknowledge());
    }

    [Fact]
    public void The_task_priority_holds_interrupts_and_cr8_is_its_upper_half()
    {
        Set(0x80, 0x50);
        Assert.Equal(5, _rig.Interrupts.LocalApic.TaskPriority);
        SelfIpi(0x55);
        Assert.False(_rig.Intr);
        Assert.Equal(1u << 0x15, Get(0x220));
        _rig.Interrupts.LocalApic.TaskPriority = 4;
        Assert.True(_rig.Intr);
        Assert.Equal(0x40u, Get(0x80));
    }

    [Theory]
    [InlineData(0xBu, 1)]
    [InlineData(0x0u, 2)]
    [InlineData(0x3u, 16)]
    [InlineData(0xAu, 128)]
    public void The_one_shot_timer_counts_down_by_the_divided_crystal(uint divide, int divisor)
    {
        Set(0x3E0, divide);
        Set(Timer, 0x60);
        Set(0x380, 1000);
        _rig.Advance(400L * 10 * divisor);
        Assert.Equal(600u, Get(0x390));
        _rig.Advance((600L * 10 * divisor) - 1);
        Assert.False(_rig.Intr);
        _rig.Advance(1);
        Assert.Equal(0x60, Acknowledge());
        Assert.Equal(0u, Get(0x390));
        Set(Eoi, 0);
        _rig.Advance(1_000_000_000);
        Assert.False(_rig.Intr);
    }

    [Fact]
    public void The_periodic_timer_repeats_and_counts_while_masked()
    {
        Set(0x3E0, 0xB);
        Set(Timer, 0x2_0060);
        Set(0x380, 1000);
        int count = 0;
        for (int i = 0; i < 100; i++)
        {
            _rig.Advance(1000);
            if (_rig.Intr)
            {
                Acknowledge();
                Set(Eoi, 0);
                count++;
            }
        }

        Assert.Equal(10, count);
        Set(Timer, 0x3_0060);
        _rig.Advance(25_000);
        Assert.False(_rig.Intr);
        Assert.Equal(500u, Get(0x390));
        Set(Timer, 0x2_0060);
        _rig.Advance(5_000);
        Assert.True(_rig.Intr);
    }

    [Fact]
    public void A_count_that_ran_out_waits_for_an_initial_count()
    {
        Set(0x3E0, 0xB);
        Set(Timer, 0x60);
        Set(0x380, 1000);
        _rig.Advance(10_000);
        Assert.Equal(0x60, Acknowledge());
        Set(Eoi, 0);
        foreach (uint mode in new uint[] { 0x2_0060, 0x60, 0x1_0060, 0x3_0060, 0x2_0060 })
        {
            Set(Timer, mode);
            Assert.Equal((0u, 1000u), (Get(0x390), Get(0x380)));
            _rig.Advance(25_000);
            Assert.False(_rig.Intr);
        }

        Set(0x380, 1000);
        Assert.Equal(1000u, Get(0x390));
        _rig.Advance(10_000);
        Assert.True(_rig.Intr);
    }

    [Fact]
    public void A_masked_count_that_ran_out_waits_too_also_after_saving_it()
    {
        Set(0x3E0, 0xB);
        Set(Timer, 0x1_0060);
        Set(0x380, 1000);
        _rig.Advance(10_000);
        Set(Timer, 0x2_0060);
        TestBoard copy = _rig.Copy();
        foreach (TestBoard rig in new[] { _rig, copy })
        {
            rig.Advance(25_000);
            Assert.Equal(0u, rig.Mmio(Base + 0x390));
            Assert.False(rig.Intr);
        }
    }

    [Fact]
    public void Between_one_shot_and_periodic_the_count_goes_on()
    {
        Set(0x3E0, 0xB);
        Set(Timer, 0x60);
        Set(0x380, 1000);
        _rig.Advance(6_000);
        Set(Timer, 0x2_0060);
        Assert.Equal(400u, Get(0x390));
        _rig.Advance(4_000);
        Assert.Equal(0x60, Acknowledge());
        Set(Eoi, 0);
        Assert.Equal(1000u, Get(0x390));
        _rig.Advance(17_005);
        Assert.Equal(0x60, Acknowledge());
        Set(Eoi, 0);
        Set(Timer, 0x60);
        Assert.Equal(300u, Get(0x390));
        _rig.Advance(2_994);
        Assert.False(_rig.Intr);
        _rig.Advance(1);
        Assert.True(_rig.Intr);
        Assert.Equal(0u, Get(0x390));
    }

    [Theory]
    [InlineData(0x60u)]
    [InlineData(0x2_0060u)]
    public void To_and_from_the_deadline_the_timer_is_disarmed(uint mode)
    {
        Set(0x3E0, 0xB);
        Set(Timer, mode);
        Set(0x380, 1000);
        Set(Timer, 0x4_0060);
        Assert.Equal((0u, 0u), (Get(0x380), Get(0x390)));
        Assert.True(_rig.Interrupts.LocalApic.TryWriteMsr(0x6E0, 100_000));
        Set(Timer, mode);
        Assert.True(_rig.Interrupts.LocalApic.TryReadMsr(0x6E0, out ulong deadline));
        Assert.Equal(0ul, deadline);
        _rig.Advance(1_000_000);
        Assert.False(_rig.Intr);
        Set(Timer, 0x4_0060);
        _rig.Advance(1_000_000);
        Assert.False(_rig.Intr);
    }

    [Theory]
    [InlineData(0x2_0060u)]
    [InlineData(0x2_0005u)]
    public void No_period_is_waited_for_while_the_last_one_is_not_taken(uint entry)
    {
        Set(0x3E0, 0xB);
        Set(Timer, entry);
        Set(0x380, 1);
        _rig.Advance(10);
        Assert.Equal(long.MaxValue, _rig.Clock.NextDue);
        _rig.Advance(1_000_004);
        if ((entry & 0xFF) == 0x60)
        {
            Assert.Equal(0x60, Acknowledge());
            Set(Eoi, 0);
        }
        else
        {
            Set(0x280, 0);
        }

        Assert.Equal(_rig.Clock.Now + 6, _rig.Clock.NextDue);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(8)]
    public void Registers_are_written_as_doublewords(int size)
    {
        _rig.Bus.WriteMmio(Base + 0x80, size, 0x50);
        Assert.Equal(0u, Get(0x80));
        _rig.Mmio(IoApic.BaseAddress, 0x10);
        _rig.Bus.WriteMmio(IoApic.BaseAddress + 0x10, size, 0x31);
        Assert.Equal(0x1_0000u, _rig.Mmio(IoApic.BaseAddress + 0x10));
        _rig.Mmio(IoApic.BaseAddress + 0x110, 0x31);
        Assert.Equal(0x1_0000u, _rig.Mmio(IoApic.BaseAddress + 0x10));
        Assert.Equal(0u, _rig.Mmio(IoApic.BaseAddress + 0x110));
    }

    [Fact]
    public void The_deadline_timer_fires_at_its_tsc()
    {
        LocalApic apic = _rig.Interrupts.LocalApic;
        Assert.True(apic.TryWriteMsr(0x6E0, 500));
        Assert.True(apic.TryReadMsr(0x6E0, out ulong ignored));
        Assert.Equal(0ul, ignored);
        Set(Timer, 0x4_0060);
        Set(0x380, 77);
        Assert.Equal(0u, Get(0x390));
        // Two counts are a nanosecond; the odd one is reached in the one behind.
        Assert.True(apic.TryWriteMsr(0x6E0, 24689));
        Assert.True(apic.TryReadMsr(0x6E0, out ulong armed));
        Assert.Equal(24689ul, armed);
        _rig.Advance(12344);
        Assert.False(_rig.Intr);
        _rig.Advance(1);
        Assert.Equal(0x60, Acknowledge());
        Assert.True(apic.TryReadMsr(0x6E0, out ulong after));
        Assert.Equal(0ul, after);
        Set(Eoi, 0);
        apic.TryWriteMsr(0x6E0, 100);
        _rig.Advance(0);
        Assert.True(_rig.Intr);
    }

    [Fact]
    public void Lint_0_passes_the_pic_only_as_ext_int()
    {
        _rig.UsePic(masterMask: 0xFD);
        _rig.Interrupts.SetIsaIrq(1, true);
        Assert.True(_rig.Intr);
        Set(Lint0, 0x1_0700);
        Assert.False(_rig.Intr);
        Set(Lint0, 0x700);
        Assert.True(_rig.Intr);
        Set(Lint0, 0x77);
        Assert.Equal(0x77, Acknowledge());
        Set(Lint0, 0x1_0000);
        Assert.True(_rig.Interrupts.LocalApic.TryWriteMsr(0x1B, Base | 0x100));
        Assert.True(_rig.Intr);
        Assert.Equal(0x31, Acknowledge());
        Assert.Equal(0xFFFF_FFFFu, Get(0x20));
    }

    [Fact]
    public void Illegal_vectors_and_registers_are_errors()
    {
        Set(0x370, 0xFE);
        SelfIpi(5);
        Assert.Equal(0xFE, Acknowledge());
        Set(Eoi, 0);
        Get(0x40);
        Set(0x280, 0);
        Assert.Equal(0xA0u, Get(0x280));
        Set(0x280, 0);
        Assert.Equal(0u, Get(0x280));
    }

    [Fact]
    public void Nmi_and_init_reach_the_processor()
    {
        Set(0x300, 0x4_0400);
        Assert.Equal(1, _rig.Nmis);
        Set(0x300, 0x4_C500);
        Assert.Equal(1, _rig.Inits);
        Set(0x300, 0x8_8500);
        Set(0x310, 0x0100_0000);
        Set(0x300, 0x4500);
        Assert.Equal(1, _rig.Inits);
    }

    [Fact]
    public void The_X2_apic_is_reached_by_msr()
    {
        LocalApic apic = _rig.Interrupts.LocalApic;
        Assert.False(apic.TryReadMsr(0x802, out _));
        Assert.True(apic.TryWriteMsr(0x1B, Base | 0xD00));
        Assert.Equal(0xFFFF_FFFFu, Get(0x20));
        Assert.True(apic.TryReadMsr(0x80D, out ulong logical));
        Assert.Equal(1ul, logical);
        Assert.True(apic.TryWriteMsr(0x83F, 0x77));
        Assert.Equal(0x77, Acknowledge());
        Assert.True(apic.TryWriteMsr(0x80B, 0));
        Assert.True(apic.TryWriteMsr(0x830, 0x0000_0001_0000_0878));
        Assert.Equal(0x78, Acknowledge());
        foreach ((uint msr, ulong value) in new (uint, ulong)[] { (0x80B, 1), (0x802, 0), (0x80E, 0), (0x831, 0), (0x828, 1), (0x810, 0), (0x83F, 0x100), (0x808, 1UL << 32), (0x8FF, 0) })
        {
            Assert.False(apic.TryWriteMsr(msr, value), $"MSR {msr:x}");
        }

        Assert.False(apic.TryReadMsr(0x80B, out _));
        Assert.False(apic.TryWriteMsr(0x1B, Base | 0x900));
        Assert.True(apic.TryWriteMsr(0x1B, Base | 0x100));
        Assert.False(apic.TryWriteMsr(0x1B, Base | 0xD00));
    }

    [Fact]
    public void The_page_moves_with_its_base()
    {
        Assert.True(_rig.Interrupts.LocalApic.TryWriteMsr(0x1B, 0xF000_0000 | 0x900));
        Assert.Equal(0x50014u, _rig.Mmio(0xF000_0030));
        Assert.Equal(0xFFFF_FFFFu, Get(0x30));
    }

    [Fact]
    public void Io_apic_levels_wait_for_the_eoi()
    {
        void Redirect(int pin, uint low)
        {
            _rig.Mmio(IoApic.BaseAddress, (uint)(0x10 + (2 * pin)));
            _rig.Mmio(IoApic.BaseAddress + 0x10, low);
        }

        uint Entry(int pin)
        {
            _rig.Mmio(IoApic.BaseAddress, (uint)(0x10 + (2 * pin)));
            return _rig.Mmio(IoApic.BaseAddress + 0x10);
        }

        _rig.Mmio(IoApic.BaseAddress, 1);
        Assert.Equal(0x0017_0011u, _rig.Mmio(IoApic.BaseAddress + 0x10));
        int pin = InterruptRouter.IoApicPinOf(4, 1);
        Redirect(pin, 0xA031);
        _rig.Interrupts.SetPciInterrupt(4, 1, true);
        Assert.Equal(0xE031u, Entry(pin));
        Assert.Equal(0x31, Acknowledge());
        Set(Eoi, 0);
        Assert.Equal(0x31, Acknowledge());
        _rig.Interrupts.SetPciInterrupt(4, 1, false);
        Set(Eoi, 0);
        Assert.Equal(0xA031u, Entry(pin));
        Assert.False(_rig.Intr);

        // Edges on a masked pin are lost; the timer arrives on pin 2.
        _rig.Interrupts.SetIsaIrq(0, true);
        Redirect(2, 0x40);
        Assert.False(_rig.Intr);
        _rig.Interrupts.SetIsaIrq(0, false);
        _rig.Interrupts.SetIsaIrq(0, true);
        Assert.Equal(0x40, Acknowledge());
    }

    [Theory]
    [InlineData(0xFEE0_0000ul, 0x4071u, true)]
    [InlineData(0xFEEF_F000ul, 0x4071u, true)]
    [InlineData(0xFEE0_1000ul, 0x4071u, false)]
    [InlineData(0xFEF0_0000ul, 0x4071u, false)]
    [InlineData(0x1FEE0_0000ul, 0x4071u, false)]
    public void Messages_reach_the_addressed_apic(ulong address, uint data, bool delivered)
    {
        _rig.Interrupts.DeliverMsi(address, data);
        Assert.Equal(delivered, _rig.Intr);
    }

    [Fact]
    public void Logical_destinations_match_flat_and_clustered_ids()
    {
        List<bool> seen = [];
        void Send(uint destination)
        {
            _rig.Interrupts.DeliverMsi(0xFEE0_0004 | ((ulong)destination << 12), 0x4072);
            seen.Add(_rig.Intr);
            if (_rig.Intr)
            {
                Acknowledge();
                Set(Eoi, 0);
            }
        }

        Set(0xD0, 0x0200_0000);
        Send(2);
        Send(1);
        Set(0xE0, 0x0FFF_FFFF);
        Set(0xD0, 0x3400_0000);
        Send(0x34);
        Send(0x24);
        Send(0x38);
        Assert.Equal([true, false, true, false, false], seen);
    }
}
