using System.Linq;
using Xunit;

namespace VirtShell.Machine.Tests.Display;

/// <summary>The registers of the display, one by one, as the documentation has them.</summary>
public sealed class VgaRegisterTests
{
    [Theory]
    [InlineData(0x3C4, 0, 0x03)]
    [InlineData(0x3C4, 1, 0x3F)]
    [InlineData(0x3C4, 2, 0x0F)]
    [InlineData(0x3C4, 3, 0x3F)]
    [InlineData(0x3C4, 4, 0x0E)]
    [InlineData(0x3CE, 0, 0x0F)]
    [InlineData(0x3CE, 1, 0x0F)]
    [InlineData(0x3CE, 2, 0x0F)]
    [InlineData(0x3CE, 3, 0x1F)]
    [InlineData(0x3CE, 4, 0x03)]
    [InlineData(0x3CE, 5, 0x7B)]
    [InlineData(0x3CE, 6, 0x0F)]
    [InlineData(0x3CE, 7, 0x0F)]
    [InlineData(0x3CE, 8, 0xFF)]
    [InlineData(0x3D4, 0x0E, 0xFF)]
    [InlineData(0x3D4, 0x18, 0xFF)]
    [InlineData(0x3D4, 0x19, 0x00)]
    public void An_indexed_register_holds_its_bits(int port, int index, int bits)
    {
        VgaTestBoard rig = new();
        rig.Board.Out(0x3C2, 1);
        rig.Indexed(port, index, 0xFF);
        Assert.Equal(bits, rig.Indexed(port, index));
        rig.Indexed(port, index, 0);
        Assert.Equal(0, rig.Indexed(port, index));
    }

    [Fact]
    public void A_word_written_to_an_index_port_sets_index_and_data()
    {
        VgaTestBoard rig = new();
        rig.Board.Bus.WritePort(0x3CE, 2, 0xA508);
        Assert.Equal(8, rig.Board.In(0x3CE));
        Assert.Equal(0xA5, rig.Board.In(0x3CF));
    }

    [Fact]
    public void The_CRT_controller_stands_where_miscellaneous_output_says()
    {
        VgaTestBoard rig = new();
        rig.Board.Out(0x3C2, 0);
        rig.Indexed(0x3B4, 0xE, 0x12);
        Assert.Equal(0xFF, rig.Indexed(0x3D4, 0xE));
        rig.Board.Out(0x3C2, 1);
        Assert.Equal(0x12, rig.Indexed(0x3D4, 0xE));
        Assert.Equal(0xFF, rig.Indexed(0x3B4, 0xE));
        Assert.Equal(1, rig.Board.In(0x3CC));
    }

    [Fact]
    public void Protected_CRT_registers_keep_all_but_the_bit_of_line_compare()
    {
        VgaTestBoard rig = new();
        rig.Board.Out(0x3C2, 1);
        rig.Indexed(0x3D4, 0x11, 0x80);
        for (int index = 0; index < 8; index++)
        {
            rig.Indexed(0x3D4, index, 0xFF);
            Assert.Equal(index == 7 ? 0x10 : 0, rig.Indexed(0x3D4, index));
        }

        rig.Indexed(0x3D4, 8, 0x55);
        Assert.Equal(0x55, rig.Indexed(0x3D4, 8));
        rig.Indexed(0x3D4, 0x11, 0);
        rig.Indexed(0x3D4, 0, 0x5F);
        Assert.Equal(0x5F, rig.Indexed(0x3D4, 0));
    }

    [Fact]
    public void The_attribute_port_takes_index_and_data_in_turn_and_status_begins_anew()
    {
        VgaTestBoard rig = new();
        rig.Board.Out(0x3C2, 1);
        rig.Board.In(0x3DA);
        rig.Board.Out(0x3C0, 0x13);
        rig.Board.Out(0x3C0, 0x05);
        rig.Board.Out(0x3C0, 0x13);
        Assert.Equal(5, rig.Board.In(0x3C1));
        rig.Board.In(0x3DA);
        rig.Board.Out(0x3C0, 0x20);
        Assert.Equal(0x20, rig.Board.In(0x3C0));

        // With the palette in use, its registers are closed.
        rig.Board.In(0x3DA);
        rig.Board.Out(0x3C0, 0x21);
        rig.Board.Out(0x3C0, 0x3F);
        rig.Board.In(0x3DA);
        rig.Board.Out(0x3C0, 0x21);
        Assert.Equal(0, rig.Board.In(0x3C1));
    }

    [Fact]
    public void The_DAC_counts_through_its_entries()
    {
        VgaTestBoard rig = new();
        rig.Board.Out(0x3C8, 254);
        foreach (int value in Enumerable.Range(1, 9))
        {
            rig.Board.Out(0x3C9, value + 0x40);
        }

        Assert.Equal(1, rig.Board.In(0x3C8));
        rig.Board.Out(0x3C7, 254);
        Assert.Equal(3, rig.Board.In(0x3C7));
        Assert.Equal(Enumerable.Range(1, 9), Enumerable.Range(0, 9).Select(_ => (int)rig.Board.In(0x3C9)));
        rig.Board.Out(0x3C6, 0x0F);
        Assert.Equal(0x0F, rig.Board.In(0x3C6));
    }

    /// <summary>Mode 3 at 28.322 MHz: 449 lines of 900 dots, 70 frames a second, the retrace two lines from line 412.</summary>
    [Fact]
    public void Retrace_and_blanking_follow_guest_time()
    {
        VgaTestBoard rig = VgaTestBoard.InTextMode();
        int shown = 0, retrace = 0;
        const int Samples = 14_268;
        for (int microsecond = 0; microsecond < Samples; microsecond++)
        {
            byte status = rig.Board.In(0x3DA);
            shown += (status & 1) == 0 ? 1 : 0;
            retrace += (status & 8) != 0 ? 1 : 0;
            rig.Board.Advance(1000);
        }

        Assert.InRange(retrace, 60, 67);

        // 400 of 449 lines, 80 of 100 characters of each.
        Assert.InRange(shown, (Samples * 400 * 80 / 449 / 100) - 400, (Samples * 400 * 80 / 449 / 100) + 400);
    }

    [Fact]
    public void The_registers_are_in_memory_too()
    {
        VgaTestBoard rig = new();
        ulong at = 0;
        foreach (var function in rig.Board.Board.Pci.Functions().Where(f => f.Slot == 2))
        {
            at = function.Config.Read(0x18, 4) & ~0xFu;
            Assert.Equal(0x1111_1234u, function.Config.Read(0, 4));
            Assert.Equal(0x0300_0002u, function.Config.Read(8, 4));
            Assert.Equal(8u, function.Config.Read(0x10, 4) & 0xF);
        }

        rig.Board.Bus.WriteMmio(at + 0x402, 1, 1);
        Assert.Equal(1, rig.Board.In(0x3CC));
        rig.Board.Bus.WriteMmio(at + 0x414, 2, 0x770E);
        Assert.Equal(0x77, rig.Indexed(0x3D4, 0xE));
        rig.Board.Bus.WriteMmio(at + 0x502, 2, 640);
        Assert.Equal(640, rig.Dispi(1));
        Assert.Equal(0xB0C5u, rig.Board.Bus.ReadMmio(at + 0x500, 2));
        Assert.Equal(0x1E1E_1E1Eu, rig.Board.Bus.ReadMmio(at + 0x604, 4));
        Assert.Equal(0u, rig.Board.Bus.ReadMmio(at, 4));
    }
}
