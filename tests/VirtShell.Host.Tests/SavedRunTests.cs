using System;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using VirtShell.Cpu;
using VirtShell.Machine;
using Xunit;

namespace VirtShell.Host.Tests;

/// <summary>A run that is saved, and gone on with in a host that knows nothing of it, comes to what it would have come to.</summary>
public sealed class SavedRunTests
{
    internal sealed record Outcome(string Serial, string Others, VmMetrics Metrics, int Restarts, VmEndKind End, int Code, string? Report, ulong Trace, string? Machine);

    /// <summary>Guest, what is typed, and the numbers of the driver's calls in which it is saved.</summary>
    public static TheoryData<string, EngineKind, string, int[]> Runs
    {
        get
        {
            TheoryData<string, EngineKind, string, int[]> rows = [];
            foreach (EngineKind engine in (EngineKind[])[EngineKind.Interpreter, EngineKind.Translator])
            {
                rows.Add("hello", engine, "", [1, 12, 13, 30]);
                rows.Add("hello64", engine, "", [5, 40]);
                rows.Add("timer", engine, "", [3, 20, 41]);
                rows.Add("memory-hog", engine, "", [2, 25]);
                rows.Add("port-storm", engine, "", [9]);
                rows.Add("triple-fault", engine, "", [4]);
                rows.Add("echo", engine, "echo 1|time|mem|exit 7", [1, 45, 46, 47, 50, 70, 95]);
            }

            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Runs))]
    public void It_goes_on_to_the_same_bytes_counts_and_end(string guest, EngineKind engine, string lines, int[] calls)
    {
        VmDefinition definition = Guest(guest) with { Engine = engine };
        Conversation Driver() => new(lines.Length == 0 ? [] : [.. lines.Split('|').Select(line => line + "\r")]);
        Outcome whole = Run(definition, Driver, []);
        Assert.NotEmpty(whole.Serial);
        Same(whole, Run(definition, Driver, calls));
        Same(whole, Run(definition, Driver, calls, other: engine == EngineKind.Translator ? EngineKind.Interpreter : EngineKind.Translator));
    }

    /// <summary>Nothing comes from this guest that a driver could be called for; the hang limit counts over all.</summary>
    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    public void The_limit_of_a_hang_goes_on_counting(EngineKind engine)
    {
        VmDefinition definition = Vm.LongRun() with { Engine = engine, RtcStart = RtcStart.Repeatable };
        Conversation Driver() => new() { Mark = 1_234_567 };
        Outcome whole = Run(definition, Driver, []);
        Assert.Equal(VmEndKind.Hang, whole.End);
        Same(whole, Run(definition, Driver, [1, 4, 7]));
    }

    /// <summary>A panic is seen in the middle of its line, and again while the kernel may still print its trace.</summary>
    [Theory]
    [InlineData(new[] { 100 })]
    [InlineData(new[] { 90, 110, 121 })]
    public void A_panic_that_is_half_seen_is_seen(int[] calls)
    {
        VmDefinition definition = Guest("echo");
        Conversation Driver() => new("echo Kernel panic - not syncing: tried\r");
        Outcome whole = Run(definition, Driver, []);
        Assert.Equal(VmEndKind.Panic, whole.End);
        Assert.Contains("not syncing: tried", whole.Report);
        Same(whole, Run(definition, Driver, calls));
    }

    [Fact]
    public void Counts_before_a_restart_go_on()
    {
        VmDefinition definition = Guest("triple-fault") with { CrashAction = CrashAction.Restart, CrashRestartLimit = 3 };
        Outcome whole = Run(definition, () => new Conversation(), []);
        Assert.Equal(3, whole.Restarts);
        int length = whole.Serial.Length / 4;
        Same(whole, Run(definition, () => new Conversation(), [length - 3, length + 3, (2 * length) + 2, (4 * length) - 1]));
    }

    [Theory]
    [InlineData(EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator)]
    public void What_the_guest_changed_of_an_overlay_comes_along(EngineKind engine)
    {
        using TemporaryFolder folder = new();
        File.WriteAllBytes(folder.File("disk.img"), new byte[1 << 20]);
        VmDefinition definition = Guest("attack", "disk") with { Engine = engine, CommandLine = "attack=disk-fill", Disks = [new VmDisk("disk.img")], BaseFolder = folder.Path };
        Conversation Driver() => new() { Mark = 7_000_000, Limit = 60_000_000 };
        Outcome whole = Run(definition, Driver, []);
        Assert.Equal(VmEndKind.TurnedOff, whole.End);
        Assert.InRange(whole.Metrics.DiskBytesWritten, 1, long.MaxValue);
        Same(whole, Run(definition, Driver, [19, 23]));
    }

    /// <summary>Whoever waits for a guest time waits for the run that he asked; the same time comes in the one that goes on.</summary>
    [Fact]
    public async Task A_run_is_saved_while_somebody_waits_for_it()
    {
        using MemoryStream state = new();
        long time;
        using (VmHost host = new(null))
        {
            Conversation driver = new("echo 1\r");
            VirtualMachine vm = host.Create(Guest("echo"));
            Prepare(host, vm, driver);
            driver.PauseAt(50);
            vm.Start(driver);
            AwaitPause(vm);
            Task waiting = vm.WaitForGuestTimeAsync(TimeSpan.FromSeconds(1));
            vm.Save(state);
            time = vm.Metrics.GuestTime.Ticks;
            Assert.False(waiting.IsCompleted);
            vm.TurnOff();
            await waiting;
        }

        state.Position = 0;
        using VmHost next = new(null);
        VirtualMachine after = next.Create(Guest("echo"));
        after.StartFrom(state, null, paused: true);
        Assert.Equal(VmState.Paused, after.State);
        Assert.Equal(time, after.Metrics.GuestTime.Ticks);
        Task longer = after.WaitForGuestTimeAsync(TimeSpan.FromSeconds(1));
        Assert.False(longer.IsCompleted);
        after.Resume();
        await longer.WaitAsync(Vm.Patience);
    }

    /// <summary>By the host's clock guest time goes on from where it was, however long the state was kept: it never gets further than the host's clock has since, but for what a machine may be ahead.</summary>
    [Fact]
    public async Task By_the_hosts_clock_guest_time_does_not_jump()
    {
        VmDefinition definition = Guest("ticker") with { Clock = ClockMode.Host };
        using MemoryStream state = new();
        TimeSpan saved;
        using (VmHost host = new(null))
        {
            VirtualMachine vm = host.Started(definition);
            await vm.AwaitSerial("\n");
            vm.Pause();
            vm.Save(state);
            saved = vm.Metrics.GuestTime;
        }

        await Task.Delay(1500);
        state.Position = 0;
        using VmHost next = new(null);
        VirtualMachine after = next.Create(definition);
        after.StartFrom(state, null, paused: true);
        Assert.Equal(saved, after.Metrics.GuestTime);
        long began = System.Diagnostics.Stopwatch.GetTimestamp();
        after.Resume();
        await after.AwaitSerial("\n", after.Serial.Length);
        after.Pause();
        TimeSpan went = after.Metrics.GuestTime - saved;
        Assert.InRange(went, TimeSpan.Zero, System.Diagnostics.Stopwatch.GetElapsedTime(began) + TimeSpan.FromMilliseconds(10));
    }

    [Fact]
    public void A_paused_VM_that_was_saved_goes_on_itself()
    {
        Outcome whole = Run(Guest("timer"), () => new Conversation(), []);
        using VmHost host = new(null);
        Conversation driver = new();
        VirtualMachine vm = host.Create(Guest("timer"));
        Prepare(host, vm, driver);
        driver.PauseAt(20);
        vm.Start(driver);
        AwaitPause(vm);
        using MemoryStream first = new();
        using MemoryStream second = new();
        vm.Save(first);
        vm.Save(second);
        Assert.Equal(first.ToArray(), second.ToArray());
        vm.Resume();
        vm.AwaitEnd();
        Same(whole, Of(vm, driver));
    }

    /// <summary>A state has its end, so that others may follow it in one stream.</summary>
    [Fact]
    public void States_follow_each_other_in_a_stream()
    {
        using MemoryStream stream = new();
        SaveAt(Guest("hello"), 10, stream);
        long between = stream.Length;
        SaveAt(Guest("hello"), 20, stream);
        stream.Position = 0;
        using VmHost host = new(null);
        foreach (int bytes in (int[])[10, 20])
        {
            VirtualMachine vm = host.Create(Guest("hello", $"hello-{bytes}"));
            vm.StartFrom(new ForwardOnly(stream), null, paused: true);
            Assert.Equal(bytes, vm.Serial.Length);
            Assert.Equal(bytes == 10 ? between : stream.Length, stream.Position);
            vm.Resume();
            vm.AwaitEnd();
            Assert.Contains("Hello from V", vm.Serial.GetText());
        }
    }

    [Fact]
    public void Only_a_paused_VM_is_saved_and_not_from_its_own_thread()
    {
        using VmHost host = new(null);
        Exception? inside = null;
        VirtualMachine vm = host.Create(Guest("echo"));
        VmException off = Assert.Throws<VmException>(() => vm.Save(Stream.Null));
        Assert.Equal((VmErrorKind.InvalidState, true), (off.Kind, off.Message.Contains("Start it first", StringComparison.Ordinal)));
        vm.Start(new ScriptedDriver
        {
            Serial = (_, _, _) =>
            {
                if (inside is null)
                {
                    vm.Pause();
                    inside = Record.Exception(() => vm.Save(Stream.Null));
                }
            },
        });
        AwaitPause(vm);
        Assert.Equal(VmErrorKind.InvalidState, Assert.IsType<VmException>(inside).Kind);
        vm.Resume();
        VmException running = Assert.Throws<VmException>(() => vm.Save(Stream.Null));
        Assert.Contains("Pause it first", running.Message);
    }

    [Fact]
    public void A_stream_that_takes_no_more_is_told_of_and_the_VM_goes_on()
    {
        using VmHost host = new(null);
        VirtualMachine vm = host.Started(Guest("echo"));
        vm.Pause();
        using MemoryStream little = new(new byte[100_000]);
        Assert.Equal(VmErrorKind.StorageFailed, Assert.Throws<VmException>(() => vm.Save(new Bounded(little))).Kind);
        vm.Resume();
        vm.SendSerial(Outlet.Com1, "exit 3\r"u8);
        vm.AwaitEnd();
        Assert.Equal(3, vm.EndCode);
    }

    private static VmDefinition Guest(string guest, string? name = null) => Vm.Guest(guest, name) with { RtcStart = RtcStart.Repeatable };

    private static void AwaitPause(VirtualMachine vm)
    {
        Task.WhenAny(vm.WaitForStateAsync(VmState.Paused), vm.WaitForEndAsync()).Wait(Vm.Patience);
        Assert.True(vm.State == VmState.Paused, $"'{vm.Name}' was not paused; its log: {vm.Serial.GetText()}");
    }

    internal static void Same(Outcome expected, Outcome actual)
    {
        Assert.Equal(expected with { Machine = null }, actual with { Machine = null });
        Assert.Equal(expected.Machine, actual.Machine);
    }

    private static void Prepare(VmHost host, VirtualMachine vm, Conversation driver)
    {
        driver.Vm = vm;
        host.Built = machine => driver.Machine = machine;
    }

    private static void SaveAt(VmDefinition definition, int call, Stream state)
    {
        using VmHost host = new(null, workers: 1);
        Conversation driver = new();
        VirtualMachine vm = host.Create(definition);
        Prepare(host, vm, driver);
        driver.PauseAt(call);
        vm.Start(driver);
        AwaitPause(vm);
        vm.Save(state);
    }

    /// <summary>Runs to the end, by way of a saved state in a new host for each of <paramref name="calls"/>.</summary>
    internal static Outcome Run(VmDefinition definition, Func<Conversation> newDriver, int[] calls, EngineKind? other = null)
    {
        byte[]? state = null;
        foreach (int? call in calls.Select(call => (int?)call).Append(null))
        {
            using VmHost host = new(null, workers: 1);
            Conversation driver = newDriver();
            VirtualMachine vm = host.Create(state is null || other is null ? definition : definition with { Engine = other.Value });
            Prepare(host, vm, driver);
            driver.PauseAt(call ?? -1);
            if (state is null)
            {
                vm.Start(driver);
            }
            else
            {
                using MemoryStream stream = new(state);
                vm.StartFrom(stream, driver);
            }

            if (call is null)
            {
                vm.AwaitEnd();
                return Of(vm, driver);
            }

            AwaitPause(vm);
            using MemoryStream saved = new();
            vm.Save(saved);
            state = saved.ToArray();
        }

        throw new InvalidOperationException("The last one returns.");
    }

    private static Outcome Of(VirtualMachine vm, Conversation driver) => new(
        vm.Serial.GetText(),
        string.Join('|', Outlet.All.Select(outlet => $"{vm.GetSerial(outlet).Length}:{vm.GetSerial(outlet).Hash:x}")),
        vm.Metrics with { HostTime = default, PeakMemoryBytes = 0 },
        vm.CrashRestarts,
        vm.End,
        vm.EndCode,
        vm.CrashReport?.Summary,
        driver.Trace,
        driver.Final);

    /// <summary>A stream like that of a pipe.</summary>
    private sealed class ForwardOnly(Stream inner) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => inner.Read(buffer, offset, Math.Min(count, 1000));

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }

    /// <summary>A disk that is soon full.</summary>
    private sealed class Bounded(MemoryStream inner) : Stream
    {
        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => inner.Length;

        public override long Position
        {
            get => inner.Position;
            set => throw new NotSupportedException();
        }

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count)
        {
            if (inner.Position + count > inner.Capacity)
            {
                throw new IOException("No space left on device");
            }

            inner.Write(buffer, offset, count);
        }
    }
}
