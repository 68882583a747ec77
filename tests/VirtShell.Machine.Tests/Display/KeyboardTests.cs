using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Machine.Input;
using VirtShell.Machine.Legacy;
using Xunit;

namespace VirtShell.Machine.Tests.Display;

/// <summary>Keys and mice as a guest reads them from the controller.</summary>
public sealed class KeyboardTests
{
    private readonly TestBoard _rig = new("vga=on");

    private KeyboardController Controller => _rig.Board.Find<KeyboardController>()!;

    private MachineKeyboard Keyboard => new(Controller);

    private MachineMouse Mouse => new(Controller);

    [Theory]
    [InlineData(2, true, PcKey.A, "1E 9E")]
    [InlineData(2, false, PcKey.A, "1C F0 1C")]
    [InlineData(1, false, PcKey.A, "1E 9E")]
    [InlineData(3, false, PcKey.A, "1C F0 1C")]
    [InlineData(2, true, PcKey.Up, "E0 48 E0 C8")]
    [InlineData(2, false, PcKey.Up, "E0 75 E0 F0 75")]
    [InlineData(3, false, PcKey.Up, "63 F0 63")]
    [InlineData(2, true, PcKey.RightCtrl, "E0 1D E0 9D")]
    [InlineData(2, true, PcKey.Pause, "E1 1D 45 E1 9D C5")]
    [InlineData(1, false, PcKey.Pause, "E1 1D 45 E1 9D C5")]
    [InlineData(2, false, PcKey.Pause, "E1 14 77 E1 F0 14 F0 77")]
    [InlineData(2, true, PcKey.PrintScreen, "E0 2A E0 37 E0 B7 E0 AA")]
    [InlineData(2, true, PcKey.F7, "41 C1")]
    [InlineData(2, true, PcKey.F11, "57 D7")]
    [InlineData(2, true, PcKey.Less, "56 D6")]
    [InlineData(2, true, PcKey.KeypadEnter, "E0 1C E0 9C")]
    public void A_key_sends_its_codes(int set, bool translates, PcKey key, string expected)
    {
        _rig.Out(0x64, 0x60);
        _rig.Out(0x60, translates ? 0x45 : 0x05);
        Command(0xF0, set);
        Keyboard.Chord([key]);
        Assert.Equal(expected, Codes());
        Assert.True(Keyboard.IsIdle);
    }

    [Fact]
    public void Every_key_has_codes_of_its_own_in_every_set()
    {
        byte[] codes = new byte[ScanCodes.Longest];
        foreach (int set in new[] { 1, 2, 3 })
        {
            Assert.Equal(ScanCodes.KeyCount, Enum.GetValues<PcKey>().Select(key => Convert.ToHexString(codes, 0, ScanCodes.Write(key, isDown: true, set, codes))).Distinct().Count());
        }
    }

    [Theory]
    [InlineData("us", "Dir /s\n", "2A 20 A0 AA 17 97 13 93 39 B9 35 B5 1F 9F 1C 9C")]
    [InlineData("de", "z/", "15 95 2A 08 88 AA")]
    [InlineData("de", "@^", "E0 38 10 90 E0 B8 29 A9 39 B9")]
    [InlineData("fr", "a1ê", "10 90 2A 02 82 AA 1A 9A 12 92")]
    public void Text_is_typed_by_layout(string layout, string text, string expected)
    {
        Assert.True(KeyLayout.TryFind(layout, out KeyLayout? found));
        Assert.True(found.TryType(text, out IReadOnlyList<KeyStroke>? strokes, out _));
        Keyboard.Type(strokes);
        Assert.Equal(expected, Codes());
    }

    [Theory]
    [InlineData("us", "aé", "é")]
    [InlineData("de", "ñ", "ñ")]
    [InlineData("fr", "😀", "😀")]
    public void A_character_without_a_key_is_told(string layout, string text, string missing)
    {
        Assert.True(KeyLayout.TryFind(layout, out KeyLayout? found));
        Assert.False(found.TryType(text, out _, out string told));
        Assert.Equal(missing, told);
    }

    [Fact]
    public void Every_layout_types_all_of_ASCII()
    {
        string ascii = string.Concat(Enumerable.Range(0x20, 0x5F).Select(c => (char)c));
        Assert.All(KeyLayout.All, layout => Assert.True(layout.TryType(ascii, out _, out string missing), layout.Name + missing));
    }

    [Theory]
    [InlineData("ctrl+alt+delete", "1D 38 E0 53 E0 D3 B8 9D")]
    [InlineData("F3", "3D BD")]
    [InlineData("altgr + left-bracket", "E0 38 1A 9A E0 B8")]
    [InlineData("pgup", "E0 49 E0 C9")]
    public void Chords_are_pressed_and_released_in_order(string chord, string expected)
    {
        Assert.True(KeyNames.TryParse(chord, out IReadOnlyList<PcKey>? keys, out _));
        Keyboard.Chord(keys);
        Assert.Equal(expected, Codes());
    }

    [Fact]
    public void Every_key_name_is_read_back() =>
        Assert.All(Enum.GetValues<PcKey>(), key => Assert.True(KeyNames.TryParse(KeyNames.NameOf(key), out IReadOnlyList<PcKey>? keys, out _) && keys.Single() == key));

    [Fact]
    public void Keys_wait_for_a_guest_that_reads_slowly_or_has_the_keyboard_off()
    {
        Command(0xF5);
        Keyboard.Chord([PcKey.A]);
        _rig.Advance(5_000_000_000);
        Assert.Equal(0, _rig.In(0x64) & 1);
        Command(0xF4);
        _rig.Advance(1_000_000_000);
        Assert.Equal(0x1E, _rig.In(0x60));
        _rig.Advance(MachineKeyboard.Pace - 1);
        Assert.Equal(0x9E, Assert.Single(Bytes()));
    }

    [Fact]
    public void A_key_that_is_held_repeats_at_the_rate_that_was_set()
    {
        Command(0xF3, 0x00);
        Keyboard.Key(PcKey.B, isDown: true);
        _rig.Advance(1);
        Assert.Equal(0x30, _rig.In(0x60));
        _rig.Advance(249_999_000);
        Assert.Equal(0, _rig.In(0x64) & 1);
        int repeats = 0;
        for (int i = 0; i < 30; i++)
        {
            _rig.Advance(33_360_000);
            repeats += (_rig.In(0x64) & 1) != 0 && _rig.In(0x60) == 0x30 ? 1 : 0;
        }

        Assert.InRange(repeats, 29, 30);
        Keyboard.Key(PcKey.B, isDown: false);
        _rig.Advance(1);
        Assert.Contains((byte)0xB0, Bytes());
        _rig.Advance(3_000_000_000);
        Assert.Empty(Bytes());
    }

    [Fact]
    public void Keys_of_set_3_may_be_told_to_send_less()
    {
        _rig.Out(0x64, 0x60);
        _rig.Out(0x60, 0x05);
        Command(0xF0, 3);
        Command(0xFD, 0x1C);
        Keyboard.Chord([PcKey.A]);
        Keyboard.Chord([PcKey.B]);
        Assert.Equal("1C 32 F0 32", Codes());
        Command(0xF9);
        Keyboard.Chord([PcKey.B]);
        Assert.Equal("32", Codes());
    }

    [Fact]
    public void Lights_are_told_and_keys_that_wait_are_saved()
    {
        Command(0xED, 2);
        Assert.Equal(2, Keyboard.Lights);
        Assert.True(KeyLayout.Us.TryType("hello", out IReadOnlyList<KeyStroke>? strokes, out _));
        Keyboard.Type(strokes);
        _rig.Advance(1);
        TestBoard copy = _rig.Copy();
        const string Hello = "23 A3 12 92 26 A6 26 A6 18 98";
        Assert.Equal(Hello, Codes());
        Assert.Equal(Hello, Codes(copy));
    }

    [Fact]
    public void A_mouse_tells_movement_and_buttons_in_packets()
    {
        _rig.Out(0x64, 0xA8);
        MouseCommand(0xF4);
        Mouse.Move(5, 3);
        Mouse.Press(MouseButtons.Left | MouseButtons.Middle);
        Mouse.Move(-300, 0);
        Assert.Equal("28 05 FD 0D 00 00 1D 01 00 1D D3 00", Codes());
        Assert.True(Mouse.IsIdle);
    }

    [Theory]
    [InlineData(new[] { 200, 100, 80 }, 3, "08 00 00 FF")]
    [InlineData(new[] { 200, 200, 80 }, 4, "08 00 00 0F")]
    [InlineData(new[] { 100, 200, 80 }, 0, "08 00 00")]
    public void A_wheel_is_for_those_who_ask_as_its_drivers_do(int[] rates, int id, string packet)
    {
        foreach (int rate in rates)
        {
            MouseCommand(0xF3, rate);
        }

        Assert.Equal(id, MouseCommand(0xF2)[1]);
        MouseCommand(0xF4);
        Mouse.Move(0, 0, wheel: -1);
        Assert.Equal(packet, Codes());
        Mouse.Press(MouseButtons.Forward);
        Assert.Equal(id == 4 ? "08 00 00 20" : id == 3 ? "08 00 00 00" : "08 00 00", Codes());
    }

    [Fact]
    public void A_mouse_that_nobody_asked_tells_nothing_and_one_in_remote_mode_waits_to_be_asked()
    {
        Mouse.Move(9, 9);
        Assert.Equal(string.Empty, Codes());
        MouseCommand(0xF4);
        MouseCommand(0xF0);
        Mouse.Move(4, 0);
        Assert.Equal(string.Empty, Codes());
        Assert.Equal([0xFA, 0x08, 4, 0], MouseCommand(0xEB));
        MouseCommand(0xEE);
        Assert.Equal([0xF4], MouseCommand(0xF4));
        MouseCommand(0xEC);
    }

    [Fact]
    public void A_keyboard_that_nobody_reads_takes_only_so_much()
    {
        KeyStroke[] strokes = [.. Enumerable.Repeat(new KeyStroke(PcKey.A), 40_000)];
        Assert.Throws<InvalidOperationException>(() => Keyboard.Type(strokes));
        Assert.True(Keyboard.IsIdle);
    }

    private void Command(params int[] bytes)
    {
        foreach (int value in bytes)
        {
            _rig.Out(0x60, value);
            Bytes();
        }
    }

    private List<byte> MouseCommand(params int[] bytes)
    {
        List<byte> answers = [];
        foreach (int value in bytes)
        {
            _rig.Out(0x64, 0xD4);
            _rig.Out(0x60, value);
            answers = Bytes();
        }

        return answers;
    }

    private List<byte> Bytes() => Bytes(_rig);

    private static List<byte> Bytes(TestBoard rig)
    {
        List<byte> read = [];
        while ((rig.In(0x64) & 1) != 0)
        {
            read.Add(rig.In(0x60));
        }

        return read;
    }

    private string Codes() => Codes(_rig);

    // All that comes until nothing comes any more.
    private static string Codes(TestBoard rig)
    {
        List<byte> read = [];
        for (int quiet = 0; quiet < 20; quiet++)
        {
            rig.Advance(MachineKeyboard.Pace / 4);
            List<byte> more = Bytes(rig);
            read.AddRange(more);
            quiet = more.Count > 0 ? 0 : quiet;
        }

        return BitConverter.ToString([.. read]).Replace('-', ' ');
    }
}
