using System.Linq;
using VirtShell.Machine.Legacy;
using VirtShell.Machine.Serial;
using Xunit;

namespace VirtShell.Machine.Tests.Chipset;

/// <summary>COM3 and COM4, which share interrupts with the first two, LPT1, and the panic device.</summary>
public sealed class MorePartsTests
{
    private const int Out2 = 0x08;
    private const int TransmitterEmpty = 0x02;

    /// <summary>The interrupt is up while either port asks, and a saved state knows which.</summary>
    [Theory]
    [InlineData(0x3F8, 0x3E8, 0x34)]
    [InlineData(0x2F8, 0x2E8, 0x33)]
    public void Serial_ports_share_an_interrupt_line(int first, int second, int vector)
    {
        TestBoard rig = new("com3=on", "com4=on");
        rig.UsePic();
        foreach (int port in new[] { first, second })
        {
            rig.Out(port + 4, Out2);
            rig.Out(port + 1, TransmitterEmpty);
        }

        Assert.Equal(vector, rig.Interrupts.Acknowledge());
        rig.Out(0x20, 0x20);

        // The first has nothing more to say; the line stays up for the second, so that there is no new edge until it goes, too.
        rig.Out(first + 1, 0);
        rig = rig.Copy();
        Assert.False(rig.Intr);
        rig.Out(second + 1, 0);
        rig.Out(first + 1, TransmitterEmpty);
        Assert.True(rig.Intr);
        Assert.Equal(vector, rig.Interrupts.Acknowledge());
    }

    [Fact]
    public void What_is_sent_at_com3_comes_out_there()
    {
        TestBoard rig = new("com3=on");
        rig.Out(Uart16550.Com3Port, 'x');
        Assert.Equal([(byte)'x'], rig.Sent);
        Assert.NotNull(rig.Board.Input(Outlet.Com3));
        Assert.Null(rig.Board.Input(Outlet.Com4));
    }

    [Fact]
    public void A_strobe_prints_a_byte_and_the_printer_acknowledges_it()
    {
        TestBoard rig = new("lpt1=on");
        Assert.Equal(0xDF, rig.In(0x379));
        Assert.Equal(0xE4, rig.In(0x37A));
        rig.Out(0x378, 'A');
        rig.Out(0x37A, 0x0C);
        rig.Out(0x37A, 0x0D);
        Assert.Equal([(byte)'A'], rig.Sent);
        Assert.Equal((byte)'A', rig.In(0x378));

        // Busy for 10 µs, of which the last 5 acknowledge; the strobe itself keeps it busy, too.
        rig.Out(0x37A, 0x0C);
        Assert.Equal(0x5F, rig.In(0x379));
        rig.Advance(6_000);
        Assert.Equal(0x1F, rig.In(0x379));
        rig.Advance(6_000);
        Assert.Equal(0xDF, rig.In(0x379));

        // Another strobe is a rising edge of the bit; without one nothing is printed, nor while the printer is held in reset.
        rig.Out(0x37A, 0x0C);
        rig.Out(0x37A, 0x08);
        rig.Out(0x37A, 0x09);
        Assert.Single(rig.Sent);
    }

    [Fact]
    public void The_acknowledge_interrupts_where_that_is_enabled()
    {
        TestBoard rig = new("lpt1=on");
        rig.UsePic();
        rig.Out(0x378, 'B');
        rig.Out(0x37A, 0x1D);
        rig.Out(0x37A, 0x1C);
        Assert.False(rig.Intr);
        rig.Advance(20_000);
        Assert.True(rig.Copy().Intr);
        Assert.Equal(0x37, rig.Interrupts.Acknowledge());
        Assert.Equal(0xDB, rig.In(0x379));
        Assert.Equal(0xDF, rig.In(0x379));
    }

    [Fact]
    public void A_guest_tells_its_panic()
    {
        TestBoard rig = new("pvpanic=on");
        Assert.Equal(1, rig.In(PanicDevice.Port));
        rig.Out(PanicDevice.Port, 2);
        Assert.Empty(rig.ExitCodes);
        rig.Out(PanicDevice.Port, 1);
        Assert.Single(rig.ExitCodes);
    }

    /// <summary>What a machine that is started directly has, it has had before: nothing is there that nobody asks for.</summary>
    [Theory]
    [InlineData("fw-cfg", false, true)]
    [InlineData("com3", false, false)]
    [InlineData("com4", false, false)]
    [InlineData("lpt1", false, true)]
    [InlineData("hpet", false, true)]
    [InlineData("i6300esb", false, false)]
    [InlineData("pvpanic", false, false)]
    public void Parts_are_there_as_machines_start(string part, bool direct, bool firmware)
    {
        Assert.Equal(direct, new TestBoard().Board.Rows.Any(row => row.Name == part));
        Assert.Equal(firmware, TestBoard.WithFirmware().Board.Rows.Any(row => row.Name == part));
    }
}
