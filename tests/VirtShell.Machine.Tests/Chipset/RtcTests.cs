using System;
using VirtShell.Machine.Boards;
using Xunit;

namespace VirtShell.Machine.Tests.Chipset;

public sealed class RtcTests
{
    private const long Second = 1_000_000_000;
    private readonly TestBoard _rig = new(PartSettings.Default, 7UL << 30);

    private byte Read(int register)
    {
        _rig.Out(0x70, register);
        return _rig.In(0x71);
    }

    private void Write(int register, int value)
    {
        _rig.Out(0x70, register);
        _rig.Out(0x71, value);
    }

    private string Now() => $"{Read(0x32):x2}{Read(9):x2}-{Read(8):x2}-{Read(7):x2} {Read(4):x2}:{Read(2):x2}:{Read(0):x2} {Read(6)}";

    [Fact]
    public void Time_is_bcd_and_rolls_over()
    {
        Assert.Equal("2026-01-31 23:59:57 7", Now());
        _rig.Advance(3 * Second);
        Assert.Equal("2026-02-01 00:00:00 1", Now());
        _rig.Advance(28 * 86400 * Second);
        Assert.Equal("2026-03-01 00:00:00 1", Now());
    }

    [Theory]
    [InlineData(0x02, 0x23)]
    [InlineData(0x00, 0x91)]
    [InlineData(0x06, 23)]
    [InlineData(0x04, 0x8B)]
    public void Hours_follow_register_b(int registerB, int expected)
    {
        Write(0x0B, registerB);
        Assert.Equal(expected, Read(4));
    }

    [Fact]
    public void Setting_the_time_takes_effect_when_set_is_cleared()
    {
        Write(0x0B, 0x82);
        Write(0x32, 0x19);
        Write(9, 0x99);
        Write(8, 0x12);
        Write(7, 0x31);
        Write(4, 0x23);
        Write(2, 0x59);
        Write(0, 0x58);
        _rig.Advance(10 * Second);
        Assert.Equal("1999-12-31 23:59:58", Now()[..19]);
        Write(0x0B, 0x02);
        _rig.Advance(2 * Second);
        Assert.Equal("2000-01-01 00:00:00 7", Now());
    }

    [Theory]
    [InlineData(0x00, 0x00, "0000")]
    [InlineData(0x99, 0x99, "9999")]
    [InlineData(0xFF, 0xFF, "9999")]
    public void Nonsense_dates_are_held_within_bounds(int century, int year, string expected)
    {
        Write(0x0B, 0x82);
        Write(0x32, century);
        Write(9, year);
        Write(8, 0xFF);
        Write(7, 0x01);
        Write(0x0B, 0x02);
        _rig.Advance(100 * Second);
        Assert.Equal(expected, Now()[..4]);
    }

    [Fact]
    public void Update_in_progress_announces_the_update()
    {
        Assert.Equal(0x26, Read(0x0A));
        _rig.Advance(Second - 3_000_000);
        Assert.Equal(0x26, Read(0x0A));
        _rig.Advance(1_000_000);
        Assert.Equal(0xA6, Read(0x0A));
        Assert.Equal(0x57, Read(0));
        _rig.Advance(2_000_000);
        Assert.Equal(0x26, Read(0x0A));
        Assert.Equal(0x58, Read(0));
    }

    [Fact]
    public void Periodic_interrupts_come_at_the_rate_and_wait_for_register_c()
    {
        _rig.UsePic();
        Write(0x0B, 0x42);
        int interrupts = 0;
        for (int i = 0; i < 10_000; i++)
        {
            _rig.Advance(100_000);
            if (_rig.Intr)
            {
                Assert.Equal(0x38, _rig.Interrupts.Acknowledge());
                interrupts++;
                Assert.Equal(0xC0, Read(0x0C) & 0xC0);
                _rig.Out(0xA0, 0x20);
                _rig.Out(0x20, 0x20);
            }
        }

        Assert.Equal(1024, interrupts);
        Write(0x0B, 0x42);
        _rig.Advance(2 * Second);
        _rig.Interrupts.Acknowledge();
        _rig.Out(0xA0, 0x20);
        _rig.Out(0x20, 0x20);
        _rig.Advance(Second);
        Assert.False(_rig.Intr);
    }

    [Fact]
    public void The_alarm_comes_at_its_second_and_updates_each_second()
    {
        _rig.UsePic();
        Write(1, 0x05);
        Write(3, 0x00);
        Write(5, 0xFF);
        Read(0x0C);
        Write(0x0B, 0x22);
        _rig.Advance((8 * Second) - 1);
        Assert.False(_rig.Intr);
        _rig.Advance(1);
        Assert.True(_rig.Intr);
        Assert.Equal(0x05, Read(0));
        Assert.Equal(0xF0, Read(0x0C) | 0x40);
        Assert.False(_rig.Intr);

        Write(0x0B, 0x12);
        _rig.Advance(Second);
        Assert.True(_rig.Intr);
    }

    /// <summary>Against a search through the seconds of two days, as the clock itself shows them.</summary>
    [Theory]
    [InlineData(0x20)]
    [InlineData(0x22)]
    [InlineData(0x24)]
    [InlineData(0x26)]
    public void The_alarm_comes_when_a_search_finds_it(int registerB)
    {
        Random random = new(registerB);
        byte[][] shown = Shown(registerB);
        int never = 0;
        for (int i = 0; i < 400; i++)
        {
            int start = random.Next(86_400);
            int[] alarm = new int[3];
            for (int field = 0; field < 3; field++)
            {
                // Half of them values that the clock shows, some of those of the time itself and near it; a quarter wildcards.
                alarm[field] = random.Next(8) switch
                {
                    < 3 => shown[random.Next(86_400)][field],
                    3 => shown[(start + random.Next(3)) % 86_400][field],
                    < 6 => random.Next(0xC0, 0x100),
                    _ => random.Next(0x100),
                };
            }

            int expected = -1;
            for (int s = 1; s <= 2 * 86_400 && expected < 0; s++)
            {
                byte[] at = shown[(start + s) % 86_400];
                expected = Matches(alarm[0], at[0]) && Matches(alarm[1], at[1]) && Matches(alarm[2], at[2]) ? s : -1;
            }

            never += expected < 0 ? 1 : 0;
            TestBoard rig = new();
            rig.Advance((3 + start) * Second);
            foreach ((int register, int value) in new[] { (1, alarm[2]), (3, alarm[1]), (5, alarm[0]), (0x0B, registerB) })
            {
                // Register C forgets the alarms of before.
                rig.Out(0x70, 0x0C);
                rig.In(0x71);
                rig.Out(0x70, register);
                rig.Out(0x71, value);
            }

            long due = rig.Clock.NextDue;
            Assert.True(
                (expected < 0 ? long.MaxValue : (3 + start + expected) * Second) == due,
                $"Alarm {alarm[0]:x2}:{alarm[1]:x2}:{alarm[2]:x2} set at second {start} of the day comes {(due - rig.Clock.Now) / Second} s later, not {expected}.");
        }

        Assert.InRange(never, 20, 380);

        static bool Matches(int alarm, int value) => alarm >= 0xC0 || alarm == value;
    }

    // Hours, minutes and seconds as the registers show them, for each second of a day. The rig starts three seconds before midnight.
    private static byte[][] Shown(int registerB)
    {
        TestBoard rig = new();
        rig.Advance(3 * Second);
        rig.Out(0x70, 0x0B);
        rig.Out(0x71, registerB & ~0x20);
        byte[][] shown = new byte[86_400][];
        for (int s = 0; s < shown.Length; s++)
        {
            shown[s] = new byte[3];
            for (int field = 0; field < 3; field++)
            {
                rig.Out(0x70, 4 - (2 * field));
                shown[s][field] = rig.In(0x71);
            }

            rig.Advance(Second);
        }

        return shown;
    }

    [Fact]
    public void Memory_size_bytes_tell_the_truth()
    {
        Assert.Equal(640, Read(0x15) | (Read(0x16) << 8));
        Assert.Equal(65535, Read(0x17) | (Read(0x18) << 8));
        Assert.Equal((3072 - 16) * 16, Read(0x34) | (Read(0x35) << 8));
        Assert.Equal(65536, Read(0x5B) | (Read(0x5C) << 8) | (Read(0x5D) << 16));
        Write(0x40, 0x5A);
        Assert.Equal(0x5A, Read(0x40));
        Assert.Equal(0x80, Read(0x0D));
    }
}
