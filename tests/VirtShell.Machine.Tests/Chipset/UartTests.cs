using System.Text;
using VirtShell.Machine.Bus;
using Xunit;

namespace VirtShell.Machine.Tests.Chipset;

public sealed class UartTests
{
    private const int Port = 0x3F8;
    private const long Character = 10 * 1_000_000_000L / 115_200;
    private readonly TestBoard _rig = new("com1.pace=on");

    // Reading another register in between keeps two reads of the line status from being a poll.
    private byte Get(int register)
    {
        _rig.In(Port + 7);
        return _rig.In(Port + register);
    }

    private void TimerEventAt(long time) => _rig.Clock.Schedule(new TimerEvent(() => { }), time);

    private void Set(int register, int value) => _rig.Out(Port + register, value);

    [Fact]
    public void Reset_values()
    {
        Assert.Equal(0x60, Get(5));
        Assert.Equal(0x01, Get(2));
        Assert.Equal(0xB0, Get(6));
        Assert.Equal(0, Get(1));
    }

    [Fact]
    public void Drivers_find_A16550A()
    {
        // The steps of a probe: IER holds four bits, the loop turns MCR into MSR, IIR tells of FIFOs, the divisor latch hides behind DLAB.
        Set(1, 0xFF);
        Assert.Equal(0x0F, Get(1));
        Set(1, 0);
        Set(4, 0x1A);
        Assert.Equal(0x90, Get(6) & 0xF0);
        Set(4, 0x15);
        Assert.Equal(0x60, Get(6) & 0xF0);
        Set(4, 0);
        Assert.Equal(0xB0, Get(6) & 0xF0);
        Set(2, 1);
        Assert.Equal(0xC1, Get(2));
        Set(3, 0x83);
        Set(0, 0x0C);
        Set(1, 0x01);
        Assert.Equal(0x0C, Get(0));
        Assert.Equal(0x01, Get(1));
        Set(3, 0x03);
        Assert.Equal(0, Get(1));
        Set(7, 0xA5);
        Assert.Equal(0xA5, Get(7));
    }

    [Fact]
    public void The_loop_holds_sixteen_bytes()
    {
        Set(2, 0x07);
        Set(4, 0x10);
        for (int i = 0; i < 256; i++)
        {
            Set(0, i);
        }

        int count = 0;
        while ((Get(5) & 1) != 0)
        {
            Assert.Equal(count, Get(0));
            count++;
        }

        Assert.Equal(16, count);
        Assert.Empty(_rig.Sent);
    }

    [Fact]
    public void Bytes_are_reported_at_once_and_the_line_takes_its_time()
    {
        Set(2, 1);
        foreach (byte value in "0123456789abcdef"u8)
        {
            Set(0, value);
        }

        Assert.Equal("0123456789abcdef", Encoding.ASCII.GetString([.. _rig.Sent]));
        Assert.Equal(0, Get(5) & 0x60);
        _rig.Advance((15 * Character) - 100);
        Assert.Equal(0, Get(5) & 0x60);
        _rig.Advance(200);
        Assert.Equal(0x20, Get(5) & 0x60);
        _rig.Advance(Character);
        Assert.Equal(0x60, Get(5) & 0x60);
    }

    [Fact]
    public void Polling_the_line_status_takes_the_lines_time()
    {
        Set(2, 1);
        foreach (byte value in "0123456789abcdef"u8)
        {
            Set(0, value);
        }

        Assert.Equal(0, _rig.In(Port + 5) & 0x60);
        Assert.Equal(0L, _rig.Clock.Now);
        Assert.Equal(0x20, _rig.In(Port + 5) & 0x60);
        Assert.Equal(15 * Character, _rig.Clock.Now);
        Assert.Equal(0x60, _rig.In(Port + 5) & 0x60);
        Assert.Equal(16 * Character, _rig.Clock.Now);

        // Not past what else is due.
        Set(0, 'x');
        Set(0, 'y');
        TimerEventAt(_rig.Clock.Now + 100);
        _rig.In(Port + 5);
        Assert.Equal(0, _rig.In(Port + 5) & 0x20);
        Assert.Equal((16 * Character) + 100, _rig.Clock.Now);
    }

    [Fact]
    public void An_unpaced_line_sends_in_no_time_to_speak_of()
    {
        TestBoard rig = new();
        rig.UsePic();
        rig.Out(Port + 2, 1);
        rig.Out(Port + 4, 8);
        rig.Out(Port + 1, 2);
        int interrupts = 0;
        while (rig.Sent.Count < 4096)
        {
            if (!rig.Intr)
            {
                rig.Advance(100);
                continue;
            }

            rig.Interrupts.Acknowledge();
            Assert.Equal(0xC2, rig.In(Port + 2));
            for (int i = 0; i < 16; i++)
            {
                rig.Out(Port, i);
            }

            Assert.Equal(0, rig.In(Port + 5) & 0x60);
            rig.Out(0x20, 0x20);
            interrupts++;
        }

        Assert.Equal(256, interrupts);
        Assert.InRange(rig.Clock.Now, 900_000, 1_100_000);
    }

    [Fact]
    public void Nothing_sent_is_lost_even_when_a_driver_does_not_wait()
    {
        for (int i = 0; i < 1000; i++)
        {
            Set(0, i);
        }

        Assert.Equal(1000, _rig.Sent.Count);
        _rig.Advance(3 * Character);
        Assert.Equal(0x60, Get(5) & 0x60);
    }

    [Fact]
    public void The_transmit_interrupt_comes_when_enabled_and_when_the_fifo_has_drained()
    {
        _rig.UsePic();
        Set(2, 1);
        Set(4, 0x08);
        Set(1, 0x02);
        Assert.True(_rig.Intr);
        Assert.Equal(0xC2, Get(2));
        Assert.False(_rig.Intr);
        Assert.Equal(0xC1, Get(2));

        // Disabled and enabled again it is told again.
        Set(1, 0);
        Set(1, 2);
        Assert.Equal(0xC2, Get(2));
        for (int i = 0; i < 8; i++)
        {
            Set(0, 'x');
        }

        Get(2);
        Assert.False(_rig.Intr);
        _rig.Advance((7 * Character) + 100);
        Assert.True(_rig.Intr);
        Assert.Equal(0xC2, Get(2));
    }

    [Fact]
    public void Interrupts_need_out_2()
    {
        _rig.UsePic();
        Set(1, 2);
        Assert.False(_rig.Intr);
        Set(4, 8);
        Assert.True(_rig.Intr);
    }

    [Fact]
    public void Input_arrives_at_the_lines_pace_and_triggers_by_level_or_timeout()
    {
        _rig.UsePic();
        Set(2, 0x81);
        Set(4, 0x0B);
        Set(1, 0x01);
        _rig.Com1.Send("0123456789"u8);
        _rig.Advance((7 * Character) + 1000);
        Assert.False(_rig.Intr);
        _rig.Advance(Character);
        Assert.True(_rig.Intr);
        Assert.Equal(0xC4, Get(2));
        for (int i = 0; i < 8; i++)
        {
            Assert.Equal('0' + i, Get(0));
        }

        Assert.False(_rig.Intr);
        _rig.Advance((2 * Character) + 1000);
        Assert.False(_rig.Intr);
        _rig.Advance(4 * Character);
        Assert.True(_rig.Intr);
        Assert.Equal(0xCC, Get(2));
        Assert.Equal((byte)'8', Get(0));
        Assert.Equal(0xC1, Get(2));
        Assert.Equal((byte)'9', Get(0));
        Assert.Equal(0, Get(5) & 1);
    }

    [Fact]
    public void Input_waits_for_a_driver_that_is_still_setting_up()
    {
        _rig.Com1.Send("typed ahead"u8);
        _rig.Advance(100 * Character);
        Get(5);
        Get(0);
        Set(2, 0x07);
        Set(2, 0x00);
        Get(5);
        Get(0);
        Get(2);
        Get(6);
        _rig.Advance(100 * Character);
        Set(2, 0x01);
        Set(1, 0x05);
        _rig.Advance(12 * Character);
        StringBuilder seen = new();
        while ((Get(5) & 1) != 0)
        {
            seen.Append((char)Get(0));
        }

        Assert.Equal("typed ahead", seen.ToString());
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    public void No_input_is_lost_however_slow_the_guest(int fifo)
    {
        Set(2, fifo);
        byte[] text = new byte[500];
        for (int i = 0; i < text.Length; i++)
        {
            text[i] = (byte)i;
        }

        _rig.Com1.Send(text);
        _rig.In(Port + 5);
        _rig.In(Port + 5);
        for (int i = 0; i < text.Length; i++)
        {
            _rig.Advance(i % 7 == 0 ? 50_000_000 : Character + 1);
            Assert.Equal(1, Get(5) & 0x03);
            Assert.Equal(text[i], Get(0));
        }
    }

    [Fact]
    public void Modem_changes_are_remembered_until_read()
    {
        _rig.UsePic();
        Set(4, 0x08);
        Set(1, 0x08);
        Get(6);
        Set(4, 0x18);
        Assert.Equal(0x00, Get(2));
        Assert.Equal(0x83, Get(6));
        Assert.Equal(0x80, Get(6));
        Assert.Equal(0x01, Get(2));
    }
}
