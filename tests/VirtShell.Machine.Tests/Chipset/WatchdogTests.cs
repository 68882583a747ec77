using VirtShell.Machine.Pci;
using Xunit;

namespace VirtShell.Machine.Tests.Chipset;

/// <summary>The 6300ESB's watchdog: unlocking, two stages, and what its end does.</summary>
public sealed class WatchdogTests
{
    // A count of the millisecond scale is 32,768 cycles of 33 MHz.
    private const long Count = 32_768_000 / 33;
    private const int Slot = 3;

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Its_second_stage_ends_as_the_setting_says(bool nmi)
    {
        TestBoard rig = new("i6300esb=on", $"i6300esb.nmi={(nmi ? "on" : "off")}");
        ulong bar = Bar(rig);
        Preload(rig, bar, 0, 9);
        Preload(rig, bar, 4, 19);
        PciTestMachine.WriteConfig(rig.Bus, Slot, 0, 0x68, 1, 2);
        rig.Advance(9 * Count);
        Assert.Equal(0u, rig.Mmio(bar + 8));
        rig.Advance(2 * Count);
        Assert.Equal(1u, rig.Mmio(bar + 8));
        rig = rig.Copy();
        rig.Advance(18 * Count);
        Assert.Equal((0, 0), (rig.Resets, rig.Nmis));
        rig.Advance(2 * Count);
        Assert.Equal(nmi ? (0, 1) : (1, 0), (rig.Resets, rig.Nmis));

        // That it has ended is told after a reset, too, until somebody clears it.
        rig.Board.Reset();
        rig.Board.Pci.AssignResources();
        Assert.Equal(0x200u, rig.Mmio(bar + 12));
        Unlock(rig, bar);
        rig.Mmio(bar + 12, 0x200);
        Assert.Equal(0u, rig.Mmio(bar + 12));
    }

    [Fact]
    public void A_reload_begins_anew_and_needs_its_two_words_first()
    {
        TestBoard rig = new("i6300esb=on");
        ulong bar = Bar(rig);
        Preload(rig, bar, 0, 9);
        Preload(rig, bar, 4, 9);
        PciTestMachine.WriteConfig(rig.Bus, Slot, 0, 0x68, 1, 2);
        for (int i = 0; i < 10; i++)
        {
            rig.Advance(8 * Count);
            Unlock(rig, bar);
            rig.Mmio(bar + 12, 0x100);
        }

        Assert.Equal(0u, rig.Mmio(bar + 8));
        rig.Advance(8 * Count);
        rig.Mmio(bar + 12, 0x100);
        rig.Advance(8 * Count);
        Assert.Equal(1u, rig.Mmio(bar + 8));
    }

    [Fact]
    public void A_lock_stays_until_a_reset()
    {
        TestBoard rig = new("i6300esb=on");
        PciTestMachine.WriteConfig(rig.Bus, Slot, 0, 0x68, 1, 3);
        PciTestMachine.WriteConfig(rig.Bus, Slot, 0, 0x68, 1, 0);
        Assert.Equal(3u, PciTestMachine.ReadConfig(rig.Bus, Slot, 0, 0x68, 1));
        rig = rig.Copy();
        PciTestMachine.WriteConfig(rig.Bus, Slot, 0, 0x68, 1, 0);
        Assert.Equal(3u, PciTestMachine.ReadConfig(rig.Bus, Slot, 0, 0x68, 1));
        rig.Board.Reset();
        Assert.Equal(0u, PciTestMachine.ReadConfig(rig.Bus, Slot, 0, 0x68, 1));
        PciTestMachine.WriteConfig(rig.Bus, Slot, 0, 0x68, 1, 2);
        PciTestMachine.WriteConfig(rig.Bus, Slot, 0, 0x68, 1, 0);
        Assert.Equal(0u, PciTestMachine.ReadConfig(rig.Bus, Slot, 0, 0x68, 1));
    }

    private static ulong Bar(TestBoard rig) => rig.Board.Find<I6300EsbWatchdog>()!.Config.Read(0x10, 4);

    private static void Unlock(TestBoard rig, ulong bar)
    {
        rig.Mmio(bar + 12, 0x80);
        rig.Mmio(bar + 12, 0x86);
    }

    private static void Preload(TestBoard rig, ulong bar, uint register, uint value)
    {
        Unlock(rig, bar);
        rig.Mmio(bar + register, value);
    }
}
