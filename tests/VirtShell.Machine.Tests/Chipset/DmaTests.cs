using System;
using System.Linq;
using VirtShell.Machine.Dma;
using Xunit;

namespace VirtShell.Machine.Tests.Chipset;

/// <summary>The two 8237A controllers with their page registers, driven as a system does it and used as a device would.</summary>
public sealed class DmaTests
{
    private const int FloppyChannel = 2;
    private const int WordChannel = 5;
    private const byte SingleRead = 0x48;
    private const byte SingleWrite = 0x44;
    private const byte AutoInitialize = 0x10;
    private const byte Decrement = 0x20;

    private readonly TestBoard _rig = new();

    public DmaTests() => _rig.Board.Find<Dma8237Pair>()!.InitializeAsFirmware();

    private DmaChannel Channel(int number) => _rig.Board.Dma[number];

    [Theory]
    [InlineData(0x00)]
    [InlineData(0x05)]
    [InlineData(0xC0)]
    [InlineData(0xCE)]
    public void Address_and_count_are_two_bytes_behind_one_port(int port)
    {
        int clear = port < 0xC0 ? 0x0C : 0xD8;
        _rig.Out(clear, 0);
        _rig.Out(port, 0x34);
        _rig.Out(port, 0x12);
        Assert.Equal((0x34, 0x12), (_rig.In(port), _rig.In(port)));

        // The flip-flop is one for all of a controller's registers.
        _rig.In(port);
        _rig.Out(clear, 0);
        Assert.Equal(0x34, _rig.In(port));
        _rig.Out(port, 0x56);
        _rig.Out(clear, 0);
        Assert.Equal((0x34, 0x56), (_rig.In(port), _rig.In(port)));
    }

    [Fact]
    public void Reset_and_master_clear_mask_all_channels()
    {
        TestBoard fresh = new();
        Assert.Equal((0x0F, 0x0F, 0, 0), (fresh.In(0x0F), fresh.In(0xDE), fresh.In(0x08), fresh.In(0xD0)));
        Program(FloppyChannel, 0x1234, 10, SingleRead);
        _rig.Out(0x08, 0x04);
        _rig.Out(0x09, 0x07);
        _rig.Out(0x0D, 0);
        Assert.Equal((0x0F, 0), (_rig.In(0x0F), _rig.In(0x08)));
        Assert.Equal((0x34, 0x12), (_rig.In(0x04), _rig.In(0x04)));
    }

    [Theory]
    [InlineData(0x0A, 0x06, 0x04)]
    [InlineData(0x0A, 0x03, 0x00)]
    [InlineData(0x0F, 0xF5, 0x05)]
    [InlineData(0x0E, 0xFF, 0x00)]
    public void Masks_are_set_by_one_and_by_all(int port, int value, int mask)
    {
        _rig.Out(0x0F, 0x08 & mask);
        _rig.Out(port, value);
        Assert.Equal(mask, _rig.In(0x0F));
    }

    [Fact]
    public void Write_only_registers_read_as_an_idle_bus() =>
        Assert.All((int[])[0x09, 0x0A, 0x0B, 0x0C, 0x0E, 0xD2, 0xD4, 0xD6, 0xD8, 0xDC], port => Assert.Equal(0xFF, _rig.In(port)));

    [Fact]
    public void Page_registers_hold_what_is_written()
    {
        for (int port = 0x80; port <= 0x8F; port++)
        {
            _rig.Out(port, port ^ 0x5A);
        }

        Assert.All(Enumerable.Range(0x80, 16), port => Assert.Equal(port ^ 0x5A, _rig.In(port)));
    }

    /// <summary>Channel, page port, page, address register, unit in bytes, first physical address.</summary>
    [Theory]
    [InlineData(0, 0x87, 0x12, 0x3456, 1, 0x12_3456)]
    [InlineData(1, 0x83, 0x12, 0x3456, 1, 0x12_3456)]
    [InlineData(2, 0x81, 0x12, 0x3456, 1, 0x12_3456)]
    [InlineData(3, 0x82, 0x12, 0x3456, 1, 0x12_3456)]
    [InlineData(5, 0x8B, 0x13, 0x9234, 2, 0x13_2468)]
    [InlineData(6, 0x89, 0x12, 0x1234, 2, 0x12_2468)]
    [InlineData(7, 0x8A, 0x12, 0x1234, 2, 0x12_2468)]
    public void Data_is_where_address_and_page_say(int channel, int pagePort, int page, int address, int unit, int physical)
    {
        byte[] there = [1, 2, 3, 4, 5, 6, 7, 8];
        _rig.Board.Memory.Write((ulong)physical, there);
        _rig.Out(pagePort, page);
        Program(channel, address, (there.Length / unit) - 1, SingleRead);
        byte[] got = new byte[100];
        Assert.True(Channel(channel).IsOpen);
        Assert.Equal(there.Length, Channel(channel).Read(got, out bool isLast));
        Assert.True(isLast);
        Assert.Equal(there, got[..there.Length]);
        Assert.False(Channel(channel).IsOpen);
        Assert.Equal(0, Channel(channel).Read(got, out isLast));

        // The other way, to the same place, in two pieces.
        Program(channel, address, (there.Length / unit) - 1, SingleWrite);
        byte[] back = [9, 8, 7, 6, 5, 4, 3, 2];
        Assert.Equal(4, Channel(channel).Write(back.AsSpan(0, 4), out isLast));
        Assert.False(isLast);
        Assert.Equal(4, Channel(channel).Write(back.AsSpan(4), out isLast));
        Assert.True(isLast);
        byte[] stored = new byte[there.Length];
        _rig.Board.Memory.Read((ulong)physical, stored);
        Assert.Equal(back, stored);
    }

    [Fact]
    public void The_end_is_in_the_status_until_it_is_read()
    {
        Program(FloppyChannel, 0x1000, 3, SingleRead);
        Channel(FloppyChannel).SetRequest(true);
        Assert.Equal(0x40, _rig.In(0x08));
        Channel(FloppyChannel).Read(new byte[4], out _);
        Channel(FloppyChannel).SetRequest(false);
        Assert.Equal((0x04, 0x00), (_rig.In(0x08), _rig.In(0x08)));
        Assert.Equal(0x04, _rig.In(0x0F) & 0x04);

        // A request by software, gone with the end of the count.
        Program(FloppyChannel, 0x1000, 0, SingleRead);
        _rig.Out(0x09, 0x06);
        Assert.Equal(0x40, _rig.In(0x08));
        Channel(FloppyChannel).Read(new byte[1], out _);
        Assert.Equal(0x04, _rig.In(0x08));
    }

    [Fact]
    public void Auto_initialization_begins_anew()
    {
        _rig.Board.Memory.Write(0x1000, "ab"u8);
        Program(FloppyChannel, 0x1000, 1, SingleRead | AutoInitialize);
        byte[] got = new byte[10];
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(2, Channel(FloppyChannel).Read(got, out bool isLast));
            Assert.True(isLast);
            Assert.Equal("ab"u8, got.AsSpan(0, 2));
        }
    }

    [Fact]
    public void Addresses_go_down_where_the_mode_says_so_and_stay_in_their_page()
    {
        _rig.Board.Memory.Write(0x1_FFFF, "y"u8);
        _rig.Board.Memory.Write(0x1_0000, "xz"u8);
        _rig.Out(0x81, 1);
        Program(FloppyChannel, 0x0000, 1, SingleRead | Decrement);
        byte[] got = new byte[2];
        Channel(FloppyChannel).Read(got, out _);
        Assert.Equal("xy"u8, got);
        Program(FloppyChannel, 0xFFFF, 1, SingleRead);
        Channel(FloppyChannel).Read(got, out _);
        Assert.Equal("yx"u8, got);
    }

    /// <summary>What keeps a channel closed: port and value.</summary>
    [Theory]
    [InlineData(0x0A, 0x06)]
    [InlineData(0x08, 0x04)]
    [InlineData(0xD4, 0x04)]
    [InlineData(0xD0, 0x04)]
    [InlineData(0xD6, 0x00)]
    public void A_closed_channel_moves_nothing(int port, int value)
    {
        Program(FloppyChannel, 0x1000, 3, SingleRead);
        _rig.Out(port, value);
        Assert.False(Channel(FloppyChannel).IsOpen);
        Assert.Equal(0, Channel(FloppyChannel).Read(new byte[4], out bool isLast));
        Assert.False(isLast);
    }

    [Theory]
    [InlineData(SingleWrite)]
    [InlineData((byte)0x40)]
    public void Another_direction_counts_and_moves_nothing(byte mode)
    {
        _rig.Board.Memory.Write(0x1000, "abcd"u8);
        Program(FloppyChannel, 0x1000, 3, mode);
        byte[] got = new byte[4];
        Assert.Equal(4, Channel(FloppyChannel).Read(got, out bool isLast));
        Assert.True(isLast);
        Assert.Equal([0xFF, 0xFF, 0xFF, 0xFF], got);
    }

    [Fact]
    public void Memory_that_is_not_there_reads_as_ones()
    {
        _rig.Out(0x81, 0x0A);
        Program(FloppyChannel, 0, 1, SingleRead);
        byte[] got = new byte[2];
        Channel(FloppyChannel).Read(got, out _);
        Assert.Equal([0xFF, 0xFF], got);
        Program(FloppyChannel, 0, 1, SingleWrite);
        Assert.Equal(2, Channel(FloppyChannel).Write(got, out _));
    }

    [Fact]
    public void An_odd_byte_waits_for_its_word()
    {
        Program(WordChannel, 0x800, 10, SingleWrite);
        Assert.Equal(2, Channel(WordChannel).Write([1, 2, 3], out _));
    }

    [Fact]
    public void Without_the_controllers_nothing_is_granted()
    {
        DmaChannel channel = new TestBoard("dma=off").Board.Dma[FloppyChannel];
        channel.SetRequest(true);
        Assert.False(channel.IsOpen);
        Assert.Equal(0, channel.Read(new byte[4], out _));
        Assert.Equal(0, channel.Write([1, 2], out _));
    }

    // As systems program a channel: masked, flip-flop, mode, address, count, open.
    private void Program(int channel, int address, int count, int mode)
    {
        bool words = channel >= Dma8237Pair.CascadeChannel;
        int own = channel & 3;
        int Port(int register) => words ? 0xC0 + (register * 2) : register;
        _rig.Out(Port(0x0A), 4 | own);
        _rig.Out(Port(0x0C), 0);
        _rig.Out(Port(0x0B), mode | own);
        _rig.Out(Port(own * 2), address & 0xFF);
        _rig.Out(Port(own * 2), address >> 8);
        _rig.Out(Port((own * 2) + 1), count & 0xFF);
        _rig.Out(Port((own * 2) + 1), count >> 8);
        _rig.Out(Port(0x0A), own);
    }
}
