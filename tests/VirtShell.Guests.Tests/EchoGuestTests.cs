using System;
using VirtShell.Machine;
using Xunit;

namespace VirtShell.Guests.Tests;

public sealed class EchoGuestTests : IDisposable
{
    private readonly GuestRunner _guest = new("echo");

    public EchoGuestTests()
    {
        var exit = _guest.Run();
        _guest.AssertEnd(MachineExitKind.Idle, exit);
        Assert.Equal("VirtShell echo guest, 32 MiB. Type help.\r\n> ", _guest.Serial);
    }

    public void Dispose() => _guest.Dispose();

    [Theory]
    [InlineData("echo hello  world\r", "echo hello  world\r\nhello  world\r\n> ")]
    [InlineData("echo\r", "echo\r\n\r\n> ")]
    [InlineData("echo   spaces\n", "echo   spaces\r\nspaces\r\n> ")]
    [InlineData("mem\r", "mem\r\n32 MiB\r\n> ")]
    [InlineData("\r", "\r\n> ")]
    [InlineData("ecx\bho hi\r", "ecx\b \bho hi\r\nhi\r\n> ")]
    [InlineData("\b\u007fmem\r", "mem\r\n32 MiB\r\n> ")]
    [InlineData("memory\r", "memory\r\nunknown command: memory (try help)\r\n> ")]
    [InlineData("me\r", "me\r\nunknown command: me (try help)\r\n> ")]
    public void Commands_answer(string keys, string expected)
    {
        Assert.Equal(expected, _guest.Type(keys));
    }

    [Fact]
    public void Help_names_every_command()
    {
        var text = _guest.Type("help\r");
        Assert.All((string[])["help", "echo", "mem", "time", "crash", "hang", "loop", "exit"], word => Assert.Contains("\n" + word, text, StringComparison.Ordinal));
    }

    [Fact]
    public void Time_goes_forward()
    {
        var first = _guest.Type("time\r");
        var second = _guest.Type("time\r");
        Assert.Matches("^time\r\n[0-9a-f]{16}\r\n> $", first);
        Assert.True(string.CompareOrdinal(first, second) < 0);
    }

    [Fact]
    public void Lines_longer_than_the_buffer_are_cut()
    {
        var text = _guest.Type("echo " + new string('x', 300) + "\r");
        Assert.EndsWith("\r\n" + new string('x', 127 - "echo ".Length) + "\r\n> ", text, StringComparison.Ordinal);
    }

    [Fact]
    public void Many_lines_at_once_lose_nothing()
    {
        var text = _guest.Type("echo one\recho two\recho three\r");
        Assert.Equal("echo one\r\none\r\n> echo two\r\ntwo\r\n> echo three\r\nthree\r\n> ", text);
    }

    [Theory]
    [InlineData("exit\r", MachineExitKind.PowerOff, 0, "exit\r\nbye\r\n")]
    [InlineData("exit 7\r", MachineExitKind.DebugExit, 7, "exit 7\r\n")]
    [InlineData("exit 255\r", MachineExitKind.DebugExit, 255, "exit 255\r\n")]
    [InlineData("crash\r", MachineExitKind.TripleFault, 0, "crash\r\ncrashing\r\n")]
    [InlineData("hang\r", MachineExitKind.HaltedForever, 0, "hang\r\n")]
    [InlineData("loop\r", MachineExitKind.QuantumSpent, 0, "loop\r\n")]
    public void Ends_are_as_asked(string keys, MachineExitKind kind, int code, string expected)
    {
        var before = _guest.Serial.Length;
        _guest.Machine.SendSerial(Outlet.Com1, System.Text.Encoding.ASCII.GetBytes(keys));
        var exit = _guest.Run(20_000_000);
        _guest.AssertEnd(kind, exit);
        Assert.Equal(code, exit.Code);
        Assert.Equal(expected, _guest.Serial[before..]);
    }

    [Fact]
    public void The_power_button_powers_off()
    {
        _guest.Machine.PressPowerButton();
        _guest.AssertEnd(MachineExitKind.PowerOff, _guest.Run());
        Assert.EndsWith("> \r\npower button\r\n", _guest.Serial, StringComparison.Ordinal);
    }

    [Fact]
    public void An_idle_guest_costs_nothing()
    {
        var before = _guest.Machine.Instructions;
        Assert.Equal(MachineExitKind.Idle, _guest.Run().Kind);
        Assert.InRange(_guest.Machine.Instructions - before, 0, 100);
    }

    [Fact]
    public void A_saved_shell_takes_the_next_command()
    {
        _guest.Machine.SendSerial(Outlet.Com1, "echo half"u8);
        _guest.Run();
        using var other = new GuestRunner("echo");
        other.Load(_guest.Save());
        Assert.Equal(" way\r\nhalf way\r\n> ", other.Type(" way\r"));
    }
}
