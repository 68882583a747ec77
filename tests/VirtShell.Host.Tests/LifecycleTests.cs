using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text.RegularExpressions;
using System.Threading.Tasks;
using VirtShell.Machine;
using Xunit;

namespace VirtShell.Host.Tests;

/// <summary>Lifecycles of real guests.</summary>
public sealed class LifecycleTests
{
    [Fact]
    public void A_guest_that_powers_off_ends_off_with_its_log_and_metrics_kept()
    {
        using VmHost host = new(null);
        VirtualMachine vm = host.Create(Vm.Guest("hello"));
        ConcurrentQueue<VmState> states = new();
        vm.StateChanged += (_, change) => states.Enqueue(change.After);
        vm.StateChanged += (_, _) => throw new InvalidOperationException("a bad listener");
        vm.Start();
        vm.AwaitEnd();

        Assert.Equal(VmState.Off, vm.State);
        Assert.Equal(VmEndKind.PowerOff, vm.End);
        Assert.Null(vm.CrashReport);
        Assert.StartsWith("Hello from VirtShell", vm.Serial.GetText());
        Assert.True(vm.Serial.IsClosed);
        Assert.Equal([VmState.Starting, VmState.Running, VmState.Off], states);
        VmMetrics metrics = vm.Metrics;
        Assert.True(metrics.Instructions > 100);
        Assert.True(metrics.GuestTime > TimeSpan.Zero);
        Assert.True(metrics.PeakMemoryBytes > 0);
        Assert.True(metrics.HostTime > TimeSpan.Zero);
        Assert.Equal(vm.Serial.Length, metrics.SerialBytes);
        Assert.Equal(new VmHostMemory(0, 0, 0, 0, vm.Serial.MemoryBytes), vm.HostMemory);
    }

    [Fact]
    public void A_VM_can_be_started_again_with_a_fresh_log()
    {
        using VmHost host = new(null);
        VirtualMachine vm = host.Started(Vm.Guest("hello"));
        vm.AwaitEnd();
        (string Text, long Instructions) first = (vm.Serial.GetText(), vm.Metrics.Instructions);
        vm.Start();
        vm.AwaitEnd();
        Assert.Equal(first, (vm.Serial.GetText(), vm.Metrics.Instructions));
    }

    [Fact]
    public async Task An_idle_guest_answers_input_and_the_power_button()
    {
        using VmHost host = new(null);
        VirtualMachine vm = host.Started(Vm.Guest("echo") with { Clock = ClockMode.Host });
        SerialMatch prompt = await vm.AwaitSerial("> ");
        vm.SendSerial(1, "echo round trip\r"u8);
        SerialMatch? answer = await vm.WaitForSerialAsync(new Regex("\r\nround trip\r\n"), prompt.EndOffset, hostTimeLimit: Vm.Patience);
        Assert.NotNull(answer);
        Assert.True(vm.HostMemory.OverheadBytes > 0);
        Assert.True(await vm.ShutdownAsync(TimeSpan.FromSeconds(60)), vm.State is VmState.Off ? "off too late" : vm.Inspect().ToText());
        Assert.Equal(VmEndKind.PowerOff, vm.End);
        Assert.True(await vm.ShutdownAsync(Vm.Patience));
    }

    [Fact]
    public async Task Waits_end_with_null_when_the_guest_ends_or_can_never_get_there()
    {
        using VmHost host = new(null);
        VirtualMachine hello = host.Started(Vm.Guest("hello"));
        Assert.Null(await hello.WaitForSerialAsync("no such text"));

        VirtualMachine echo = host.Started(Vm.Guest("echo"));
        await echo.AwaitSerial("> ");
        Assert.Null(await echo.WaitForSerialAsync("no such text", guestTimeLimit: TimeSpan.FromHours(1), hostTimeLimit: Vm.Patience));
        Assert.Null(await echo.WaitForSerialAsync("no such text", hostTimeLimit: TimeSpan.FromMilliseconds(50)));
        Assert.Equal(VmState.Running, echo.State);

        VirtualMachine paced = host.Started(Vm.Guest("echo", "paced") with { Clock = ClockMode.Host });
        Assert.Null(await paced.WaitForSerialAsync("no such text", guestTimeLimit: TimeSpan.FromMilliseconds(100), hostTimeLimit: Vm.Patience));
        Assert.True(paced.Metrics.GuestTime >= TimeSpan.FromMilliseconds(100));
    }

    [Fact]
    public void Turning_off_ends_a_guest_that_never_would()
    {
        using VmHost host = new(null);
        VirtualMachine vm = host.Started(Vm.Guest("busy-loop"));
        vm.TurnOff();
        Assert.Equal(VmState.Off, vm.State);
        Assert.Equal(VmEndKind.TurnedOff, vm.End);
        vm.TurnOff();
    }

    [Fact]
    public async Task A_guest_that_ignores_the_power_button_is_still_stopping_when_the_time_is_over()
    {
        using VmHost host = new(null);
        VirtualMachine vm = host.Started(Vm.Guest("busy-loop"));
        Assert.False(await vm.ShutdownAsync(TimeSpan.FromMilliseconds(100)));
        Assert.Equal(VmState.Stopping, vm.State);
        vm.TurnOff();
        Assert.Equal(VmState.Off, vm.State);
    }

    [Theory]
    [InlineData(ClockMode.Virtual)]
    [InlineData(ClockMode.Host)]
    public async Task Pausing_stops_the_guest_and_its_clock(ClockMode clock)
    {
        using VmHost host = new(null);
        VirtualMachine vm = host.Started(Vm.Guest("busy-loop") with { Clock = clock });
        await vm.AwaitSerial("\n");
        vm.Pause();
        Assert.Equal(VmState.Paused, vm.State);
        await Task.Delay(20);
        VmMetrics before = vm.Metrics;
        await Task.Delay(300);
        Assert.Equal(before, vm.Metrics);
        CrashReport now = vm.Inspect();
        Assert.Contains(now.Disassembly, line => line.StartsWith("=> ", StringComparison.Ordinal) && line.Contains("jmp", StringComparison.Ordinal));
        vm.Resume();
        Assert.Equal(VmState.Running, vm.State);
        await Task.Delay(50);
        vm.Pause();
        VmMetrics after = vm.Metrics;
        Assert.True(after.Instructions > before.Instructions);
        vm.TurnOff();
    }

    [Fact]
    public async Task Host_time_does_not_pass_for_an_idle_guest_that_is_paused()
    {
        using VmHost host = new(null);
        VirtualMachine vm = host.Started(Vm.Guest("echo") with { Clock = ClockMode.Host });
        await vm.AwaitSerial("> ");
        vm.Pause();
        TimeSpan before = vm.Inspect().GuestTime;
        await Task.Delay(1000);
        vm.Resume();
        vm.Pause();
        TimeSpan passed = vm.Inspect().GuestTime - before;
        Assert.True(passed < TimeSpan.FromMilliseconds(900), $"{passed} passed while the guest was paused for 1 s");
        vm.TurnOff();
    }

    [Fact]
    public async Task Pausing_and_resuming_changes_nothing_under_the_virtual_clock()
    {
        VirtualMachine reference = Vm.RunAlone(Vm.LongRun());
        using VmHost host = new(null);
        VirtualMachine vm = host.Started(Vm.LongRun());
        for (int i = 0; i < 10 && vm.State == VmState.Running; i++)
        {
            try
            {
                vm.Pause();
                await Task.Delay(5);
                vm.Resume();
            }
            catch (VmException e) when (e.Kind == VmErrorKind.InvalidState)
            {
                break;
            }
        }

        vm.AwaitEnd();
        Assert.Equal(reference.Serial.GetText(), vm.Serial.GetText());
        Assert.Equal(reference.Metrics.Instructions, vm.Metrics.Instructions);
    }

    [Fact]
    public async Task The_reset_button_starts_the_guest_over()
    {
        using VmHost host = new(null);
        VirtualMachine vm = host.Started(Vm.Guest("echo"));
        await vm.AwaitSerial("> ");
        vm.SendSerial(1, "echo once\r"u8);
        SerialMatch once = await vm.AwaitSerial("\r\nonce\r\n> ");
        string banner = vm.Serial.GetText()[..12];
        vm.ResetGuest();
        await vm.AwaitSerial(banner, once.EndOffset);
        Assert.Equal(VmState.Running, vm.State);
    }

    [Theory]
    [InlineData("exit", VmEndKind.PowerOff, 0)]
    [InlineData("exit 42", VmEndKind.DebugExit, 42)]
    public async Task Ends_are_told_apart(string command, VmEndKind end, int code)
    {
        using VmHost host = new(null);
        VirtualMachine vm = host.Started(Vm.Guest("echo"));
        await vm.AwaitSerial("> ");
        vm.SendSerial(1, System.Text.Encoding.ASCII.GetBytes(command + "\r"));
        vm.AwaitEnd();
        Assert.Equal((VmState.Off, end, code), (vm.State, vm.End, vm.EndCode));
    }

    [Fact]
    public void Operations_in_the_wrong_state_are_refused_with_a_hint()
    {
        using VmHost host = new(null);
        VirtualMachine vm = host.Create(Vm.Guest("echo"));
        List<Action> needRunning = [vm.Pause, vm.Resume, vm.ResetGuest, vm.RequestShutdown, () => vm.SendSerial(1, "x"u8), () => vm.Inspect()];
        Assert.All(needRunning, one => Assert.Contains("Start it first", Refused(one).Message));
        vm.Start();
        Assert.Contains("already", Refused(() => vm.Start()).Message);
        Assert.Contains("while it is off", Refused(() => host.Remove(vm)).Message);
        Assert.Contains("while it is off", Refused(() => vm.Configure(vm.Definition with { Notes = "other" })).Message);
        Refused(vm.Resume);
        vm.Pause();
        Assert.Contains("Resume it first", Refused(vm.RequestShutdown).Message);
        Assert.Throws<ArgumentOutOfRangeException>(() => vm.SendSerial(7, "x"u8));
        vm.TurnOff();
        host.Remove(vm);
    }

    [Theory]
    [InlineData(null, null, VmErrorKind.InvalidDefinition, "nothing to boot")]
    [InlineData("no-such-guest", null, VmErrorKind.ImageNotFound, "hello")]
    [InlineData(null, "missing.bin", VmErrorKind.ImageNotFound, "missing.bin")]
    [InlineData(null, "text.txt", VmErrorKind.ImageInvalid, "text.txt")]
    public void What_cannot_be_booted_is_a_clear_error_and_the_VM_stays_off(string? guest, string? kernel, VmErrorKind kind, string word)
    {
        using TemporaryFolder folder = new();
        File.WriteAllText(folder.File("text.txt"), new string('x', 5000));
        using VmHost host = new(folder.File("home"));
        VirtualMachine vm = host.Create(new VmDefinition { Name = "vm", Guest = guest, Kernel = kernel, BaseFolder = folder.Path });
        VmException error = Assert.Throws<VmException>(() => vm.Start());
        Assert.Equal(kind, error.Kind);
        Assert.Contains(word, error.Message);
        Assert.Equal(VmState.Off, vm.State);
    }

    [Fact]
    public void A_Multiboot_image_from_a_file_boots_too()
    {
        using TemporaryFolder folder = new();
        File.WriteAllBytes(folder.File("hello.elf"), VirtShell.Guests.GuestCatalog.Find("hello")!.Image.ToArray());
        using VmHost host = new(folder.File("home"));
        VirtualMachine vm = host.Started(Vm.Guest("hello") with { Guest = null, Kernel = "hello.elf", BaseFolder = folder.Path });
        vm.AwaitEnd();
        Assert.Equal(VmEndKind.PowerOff, vm.End);
    }

    [Fact]
    public void Missing_disks_are_a_clear_error()
    {
        using TemporaryFolder folder = new();
        using VmHost host = new(null);
        VirtualMachine vm = host.Create(Vm.Guest("hello") with { Disks = [new VmDisk("gone.img")], BaseFolder = folder.Path });
        VmException error = Assert.Throws<VmException>(() => vm.Start());
        Assert.Equal(VmErrorKind.StorageFailed, error.Kind);
        Assert.Contains("gone.img", error.Message);
    }

    [Fact]
    public async Task A_VM_running_in_another_host_is_reported_and_protected()
    {
        using TemporaryFolder home = new();
        using VmHost one = new(home.Path);
        using VmHost other = new(home.Path);
        VirtualMachine mine = one.Started(Vm.Guest("echo"));
        await mine.AwaitSerial("> ");
        VirtualMachine theirs = other.Find("echo")!;
        Assert.Equal(VmState.Running, theirs.State);
        Assert.Equal(Environment.ProcessId, theirs.OwnerProcessId);
        Assert.Null(mine.OwnerProcessId);
        Assert.All(
            (Action[])[() => theirs.Start(), theirs.TurnOff, theirs.Pause, () => theirs.Configure(theirs.Definition), () => other.Remove(theirs)],
            one => Assert.Contains($"process {Environment.ProcessId}", Refused(one).Message));
        mine.TurnOff();
        Assert.Equal(VmState.Off, theirs.State);
        theirs.Start();
        Assert.Equal(VmState.Running, mine.State);
        theirs.TurnOff();
    }

    [Fact]
    public void Disposing_a_host_turns_everything_off()
    {
        VmHost host = new(null);
        List<VirtualMachine> all = [.. ((string[])["busy-loop", "echo", "busy-loop", "hello"]).Select((guest, i) => host.Started(Vm.Guest(guest, $"vm{i}")))];
        host.Dispose();
        Assert.All(all, vm => Assert.Equal(VmState.Off, vm.State));
        host.Dispose();
        Assert.Throws<ObjectDisposedException>(() => host.Create(Vm.Guest("hello")));
    }

    private static VmException Refused(Action action)
    {
        VmException error = Assert.Throws<VmException>(action);
        Assert.Equal(VmErrorKind.InvalidState, error.Kind);
        return error;
    }
}
