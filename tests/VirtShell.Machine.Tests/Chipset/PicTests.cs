using VirtShell.Machine.Interrupts;
using Xunit;

namespace VirtShell.Machine.Tests.Chipset;

public sealed class PicTests
{
    private readonly TestBoard _rig = new();

    private int Acknowledge() => _rig.Interrupts.Acknowledge();

    private void Raise(int irq) => _rig.Interrupts.SetIsaIrq(irq, true);

    private void Drop(int irq) => _rig.Interrupts.SetIsaIrq(irq, false);

    [Fact]
    public void Requests_are_served_by_priority_through_the_cascade()
    {
        _rig.UsePic();
        Raise(4);
        Raise(12);
        Raise(1);
        Assert.True(_rig.Intr);
        Assert.Equal(0x31, Acknowledge());
        Assert.False(_rig.Intr);
        _rig.Out(0x20, 0x20);
        Assert.Equal(0x3C, Acknowledge());
        _rig.Out(0xA0, 0x20);
        _rig.Out(0x20, 0x20);
        Assert.Equal(0x34, Acknowledge());
        _rig.Out(0x20, 0x64);
        Assert.False(_rig.Intr);
        Assert.Equal(-1, Acknowledge());
    }

    [Fact]
    public void The_mask_reads_back_and_holds_requests()
    {
        _rig.UsePic(masterMask: 0xFB, slaveMask: 0xFF);
        Assert.Equal(0xFB, _rig.In(0x21));
        Assert.Equal(0xFF, _rig.In(0xA1));
        Raise(4);
        Assert.False(_rig.Intr);
        Assert.Equal(0x10, _rig.In(0x20));
        _rig.Out(0x21, 0xEB);
        Assert.True(_rig.Intr);
    }

    [Fact]
    public void An_edge_counts_once_and_a_level_as_long_as_it_stands()
    {
        _rig.UsePic();
        Raise(5);
        Assert.Equal(0x35, Acknowledge());
        _rig.Out(0x20, 0x20);
        Assert.False(_rig.Intr);
        Drop(5);

        _rig.Out(0x4D0, 0xFF);
        Assert.Equal(0xF8, _rig.In(0x4D0));
        Raise(5);
        Assert.Equal(0x35, Acknowledge());
        Assert.False(_rig.Intr);
        _rig.Out(0x20, 0x20);
        Assert.True(_rig.Intr);
        Drop(5);
        Assert.False(_rig.Intr);
    }

    [Fact]
    public void A_request_that_goes_away_during_interrupt_acknowledge_gives_a_spurious_vector()
    {
        _rig.UsePic();
        Assert.Equal(0x37, _rig.Interrupts.Pic.Acknowledge());
        _rig.Out(0x20, 0x0B);
        Assert.Equal(0, _rig.In(0x20));
    }

    [Fact]
    public void Read_register_commands_select_irr_and_isr()
    {
        _rig.UsePic();
        Raise(3);
        Assert.Equal(0x33, Acknowledge());
        Raise(6);
        _rig.Out(0x20, 0x0B);
        Assert.Equal(0x08, _rig.In(0x20));
        _rig.Out(0x20, 0x0A);
        Assert.Equal(0x40, _rig.In(0x20));
    }

    [Fact]
    public void Poll_acknowledges()
    {
        _rig.UsePic();
        Raise(3);
        _rig.Out(0x20, 0x0C);
        Assert.Equal(0x83, _rig.In(0x20));
        Assert.False(_rig.Intr);
        _rig.Out(0x20, 0x0C);
        Assert.Equal(0x00, _rig.In(0x20));
    }

    [Fact]
    public void Special_mask_mode_lets_lower_priorities_through()
    {
        _rig.UsePic();
        Raise(1);
        Acknowledge();
        Raise(4);
        Assert.False(_rig.Intr);
        _rig.Out(0x21, 0x02);
        Assert.False(_rig.Intr);
        _rig.Out(0x20, 0x68);
        Assert.True(_rig.Intr);
        Assert.Equal(0x34, Acknowledge());
        _rig.Out(0x20, 0x48);
        _rig.Out(0x21, 0x00);
        _rig.Out(0x20, 0x20);
        _rig.Out(0x20, 0x0B);
        Assert.Equal(0x10, _rig.In(0x20));
    }

    [Fact]
    public void Rotation_makes_the_served_input_lowest()
    {
        _rig.UsePic();
        Raise(3);
        Acknowledge();
        _rig.Out(0x20, 0xA0);
        Drop(3);
        Raise(3);
        Raise(4);
        Assert.Equal(0x34, Acknowledge());
        _rig.Out(0x20, 0x20);
        Assert.Equal(0x33, Acknowledge());

        // Set priority: input 4 lowest, so 5 highest.
        _rig.Out(0x20, 0x20);
        _rig.Out(0x20, 0xC4);
        Drop(4);
        Raise(4);
        Raise(5);
        Assert.Equal(0x35, Acknowledge());
    }

    [Fact]
    public void Auto_eoi_leaves_nothing_in_service()
    {
        _rig.UsePic();
        _rig.Out(0x20, 0x11);
        _rig.Out(0x21, 0x40);
        _rig.Out(0x21, 0x04);
        _rig.Out(0x21, 0x03);
        _rig.Out(0x21, 0x00);
        Drop(4);
        Raise(4);
        Assert.Equal(0x44, Acknowledge());
        _rig.Out(0x20, 0x0B);
        Assert.Equal(0, _rig.In(0x20));
    }

    [Fact]
    public void Pci_pins_reach_the_routed_input()
    {
        _rig.UsePic();
        InterruptRouter router = _rig.Interrupts;
        int irq = router.LegacyIrqOf(4, 1);
        Assert.InRange(irq, 10, 11);
        _rig.Out(0x4D1, 0x0C);
        router.SetPciInterrupt(4, 1, true);
        router.SetPciInterrupt(8, 1, true);
        Assert.Equal(0x30 + irq, Acknowledge());
        router.SetPciInterrupt(4, 1, false);
        _rig.Out(0xA0, 0x20);
        _rig.Out(0x20, 0x20);
        Assert.True(_rig.Intr);
        router.SetPciInterrupt(8, 1, false);
        Assert.False(_rig.Intr);
    }
}
