using System;
using System.Globalization;
using System.Linq;
using System.Text.RegularExpressions;
using VirtShell.Machine;
using Xunit;

namespace VirtShell.Guests.Tests;

/// <summary>What each guest says and how it ends, on a machine of its own.</summary>
public sealed class GuestRunTests
{
    private const ulong Nowhere = 0xDEAD_0000;

    [Theory]
    [InlineData("hello", "Hello from VirtShell: a 32-bit guest with 32 MiB of memory.\r\n")]
    [InlineData("hello64", "Hello from VirtShell: a 64-bit guest with 32 MiB of memory; 0x9e3779b97f4a7c15 squared is 0xdf442d22ce4859b9.\r\n")]
    [InlineData("timer", "tick 1\r\ntick 2\r\ntick 3\r\ntick 4\r\ntick 5\r\ntick 6\r\ntick 7\r\ntick 8\r\ntick 9\r\ntick 10\r\n")]
    [InlineData("compute", "checksum af4d9274\r\n")]
    [InlineData("memory-hog", "Eating 32 MiB\r\ntouched 16 MiB\r\ntouched 32 MiB\r\nAll pages hold what was written.\r\n")]
    [InlineData("port-storm", "Port storm\r\naccesses 786152\r\n")]
    public void Guests_that_power_off(string name, string expected)
    {
        using var guest = new GuestRunner(name);
        guest.AssertEnd(MachineExitKind.PowerOff, guest.Run());
        Assert.Equal(expected, guest.Serial);
    }

    [Theory]
    [InlineData("triple-fault", MachineExitKind.TripleFault, "About to triple-fault.\r\n")]
    [InlineData("wild-jump", MachineExitKind.TripleFault, "Jumping to 0xdead0000.\r\n")]
    [InlineData("page-fault", MachineExitKind.TripleFault, "Paging is on; reading 0xdead0000.\r\n")]
    [InlineData("halt-forever", MachineExitKind.HaltedForever, "Halting with interrupts off.\r\n")]
    [InlineData("busy-loop", MachineExitKind.QuantumSpent, "Looping for ever.\r\n")]
    public void Guests_that_do_not(string name, MachineExitKind kind, string expected)
    {
        using var guest = new GuestRunner(name);
        guest.AssertEnd(kind, guest.Run(50_000_000));
        Assert.Equal(expected, guest.Serial);
    }

    [Fact]
    public void The_ticker_is_never_late_under_the_virtual_clock()
    {
        using var guest = new GuestRunner("ticker");
        guest.Run(100_000);
        Assert.StartsWith("ticks 20 gap 49999\r\nticks 40 gap 49999\r\nticks 60 gap 49999\r\n", guest.Serial, StringComparison.Ordinal);
    }

    [Fact]
    public unsafe void A_page_fault_leaves_its_address()
    {
        using var guest = new GuestRunner("page-fault");
        guest.Run();
        Assert.Equal(Nowhere, guest.Machine.Cpu.State->Cr2);
    }

    [Fact]
    public unsafe void A_wild_jump_ends_where_it_went()
    {
        using var guest = new GuestRunner("wild-jump");
        guest.Run();
        Assert.Equal(Nowhere, guest.Machine.Cpu.State->Rip);
    }

    [Theory]
    [InlineData(2UL)]
    [InlineData(3UL)]
    [InlineData(64UL)]
    [InlineData(1000UL)]
    public void Memory_is_told_as_people_count_it(ulong mebibytes)
    {
        using var guest = new GuestRunner("hello", mebibytes * GuestRunner.Mebibyte);
        guest.AssertEnd(MachineExitKind.PowerOff, guest.Run());
        Assert.Contains($" {mebibytes} MiB ", guest.Serial, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("hello", 1)]
    [InlineData("hello64", 17)]
    [InlineData("timer", 100)]
    [InlineData("port-storm", 12_345)]
    [InlineData("fuzz", 997)]
    public void Runs_repeat_to_the_instruction_however_they_are_cut(string name, long quantum)
    {
        using var whole = new GuestRunner(name);
        using var cut = new GuestRunner(name);
        whole.Run();
        cut.Run(quantum: quantum);
        Assert.Equal((whole.Serial, whole.Machine.Instructions, whole.Machine.GuestTime), (cut.Serial, cut.Machine.Instructions, cut.Machine.GuestTime));
    }

    [Theory]
    [InlineData("hello", 100)]
    [InlineData("hello", 503)]
    [InlineData("hello64", 2_222)]
    [InlineData("timer", 1_000)]
    [InlineData("memory-hog", 100_000)]
    [InlineData("port-storm", 5_000_000)]
    [InlineData("fuzz", 3_000_001)]
    public void A_saved_guest_goes_on_as_if_nothing_had_been(string name, long at)
    {
        using var whole = new GuestRunner(name);
        using var first = new GuestRunner(name);
        using var second = new GuestRunner(name);
        var end = whole.Run();
        Assert.Equal(MachineExitKind.QuantumSpent, first.Run(at).Kind);
        second.Load(first.Save());
        Assert.Equal(end, second.Run());
        Assert.Equal(whole.Serial, first.Serial + second.Serial);
        Assert.Equal(whole.Machine.Instructions, second.Machine.Instructions);
        Assert.Equal(whole.Machine.GuestTime, second.Machine.GuestTime);
    }

    [Theory]
    [InlineData("busy-loop")]
    [InlineData("compute")]
    public void What_is_saved_tells_nothing_of_the_engine(string name)
    {
        using var first = new GuestRunner(name);
        using var second = new GuestRunner(name);
        first.Run(100_000);
        var state = first.Save();
        second.Load(state);

        // The second machine has not decoded anything yet.
        Assert.True(state.AsSpan().SequenceEqual(second.Save()), "A state that was loaded is saved as another one.");
    }

    [Theory]
    [InlineData("", "fuzz seed 1\r\n")]
    [InlineData("seed=42 and 7", "fuzz seed 42\r\n")]
    [InlineData("4294967295", "fuzz seed 4294967295\r\n")]
    public void Random_code_in_ring_3_harms_nobody(string commandLine, string expected)
    {
        using var guest = new GuestRunner("fuzz", commandLine: commandLine);
        guest.AssertEnd(MachineExitKind.PowerOff, guest.Run());
        Assert.StartsWith(expected, guest.Serial, StringComparison.Ordinal);
        var counts = Regex.Matches(guest.Serial, @"vector \d+: (\d+)").Sum(match => int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture));
        Assert.Equal(20_000, counts);
        Assert.Matches("vector 13: .*\nvector 14: .*\n(.*\n)*checksum [0-9a-f]{8}\r\n$", guest.Serial);
    }

    [Fact]
    public void Reset_starts_a_crashed_guest_again()
    {
        using var guest = new GuestRunner("triple-fault");
        guest.Run();
        var once = guest.Serial;
        guest.Machine.Reset();
        guest.AssertEnd(MachineExitKind.TripleFault, guest.Run());
        Assert.Equal(once + once, guest.Serial);
    }
}
