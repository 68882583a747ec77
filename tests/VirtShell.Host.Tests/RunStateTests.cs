using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using VirtShell.Cpu;
using VirtShell.Host.Running;
using VirtShell.Host.Scheduling;
using VirtShell.Machine;
using VirtShell.State;
using VirtShell.State.Tests.Coverage;
using VirtShell.State.Tests.Mutation;
using Xunit;

namespace VirtShell.Host.Tests;

/// <summary>What the state of a run holds, and what of it is refused.</summary>
public sealed class RunStateTests
{
    private static readonly VmDefinition s_definition = Vm.Guest("echo") with { RtcStart = RtcStart.Repeatable, MemoryBytes = 2 << 20, Engine = EngineKind.Interpreter };

    public static TheoryData<string, VmDefinition, string> Others => new()
    {
        { "guest", s_definition with { Guest = "hello" }, "guest is \"echo\"; this one's is \"hello\"" },
        { "memory", s_definition with { MemoryBytes = 4 << 20 }, "memory is 2097152; this one's is 4194304" },
        { "processor", s_definition with { CpuModel = CpuModel.Pentium3 }, "processor model" },
        { "command line", s_definition with { CommandLine = "quiet" }, "command line is \"\"; this one's is \"quiet\"" },
        { "seed", s_definition with { Seed = 7 }, "seed is 0; this one's is 7" },
        { "parts", s_definition with { Parts = ["virtio-rng=off"] }, "part is []" },
    };

    /// <summary>Says how a run is conducted; any value goes on.</summary>
    public static TheoryData<string, VmDefinition> Likes => new()
    {
        { "name", s_definition with { Name = "other", Notes = "of another" } },
        { "engine", s_definition with { Engine = EngineKind.Translator } },
        { "clock", s_definition with { Clock = ClockMode.Host } },
        { "rtc", s_definition with { RtcStart = RtcStart.Utc } },
        { "limits", s_definition with { HangInstructions = 1_000_000_000, SerialLogBytes = 64 << 10, CrashRestartLimit = 1 } },
        { "actions", s_definition with { CrashAction = CrashAction.Restart, ResetAction = ResetAction.EndRun, DetectPanics = false } },
    };

    [Theory]
    [MemberData(nameof(Others))]
    public void A_state_of_another_VM_is_refused_in_words(string what, VmDefinition other, string words)
    {
        byte[] state = Saved(s_definition);
        using VmHost host = new(null);
        VirtualMachine vm = host.Create(other);
        VmException error = Assert.Throws<VmException>(() => vm.StartFrom(new MemoryStream(state)));
        Assert.True(error.Kind == VmErrorKind.StateInvalid, what);
        Assert.Contains(words, error.Message);
        Assert.Equal(VmState.Off, vm.State);
        vm.Start();
        vm.TurnOff();
    }

    [Theory]
    [MemberData(nameof(Likes))]
    public void A_run_may_be_conducted_otherwise(string what, VmDefinition other)
    {
        byte[] state = Saved(s_definition);
        using VmHost host = new(null);
        VirtualMachine vm = host.Create(other);
        vm.StartFrom(new MemoryStream(state));
        vm.SendSerial(Outlet.Com1, "exit 4\r"u8);
        vm.AwaitEnd();
        Assert.True(vm.EndCode == 4, what);
    }

    [Fact]
    public void A_state_that_is_cut_short_is_refused_wherever()
    {
        byte[] state = Saved(s_definition);
        using VmHost host = new(null);
        VirtualMachine vm = host.Create(s_definition);
        foreach (int length in Enumerable.Range(0, 40).Select(i => i < 20 ? i * 97 : (int)((long)state.Length * (i - 20) / 20)).Append(state.Length - 1))
        {
            VmException error = Assert.Throws<VmException>(() => vm.StartFrom(new MemoryStream(state, 0, length)));
            Assert.Equal((VmErrorKind.StateInvalid, VmState.Off), (error.Kind, vm.State));
        }

        vm.StartFrom(new MemoryStream(state));
        vm.TurnOff();
    }

    [Fact]
    public void What_is_no_state_of_a_run_is_refused()
    {
        using VmHost host = new(null);
        using MemoryStream bare = new();
        VirtualMachine vm = host.Create(s_definition);
        host.Built = machine => machine.Save(bare);
        vm.Start();
        host.Built = null;
        vm.TurnOff();
        foreach (byte[] other in (byte[][])[[], [.. "This is no state."u8], bare.ToArray()])
        {
            VmException error = Assert.Throws<VmException>(() => vm.StartFrom(new MemoryStream(other)));
            Assert.Equal((VmErrorKind.StateInvalid, VmState.Off), (error.Kind, vm.State));
        }
    }

    [Fact]
    public void Damaged_states_are_refused_or_run()
    {
        byte[] good = Saved(s_definition);
        using VmHost host = new(null, workers: 1);
        VirtualMachine vm = host.Create(s_definition);
        MutationRun.Check(
            "run",
            [good],
            ["vm", "progress", "counts", "serial", "watch", "driver", "chunk-0", "length"],
            copy =>
            {
                Conversation driver = new("echo 1\r");
                vm.StartFrom(new MemoryStream(copy), driver);
                vm.TurnOff();
            },
            mostBytes: 64 << 20,
            MutationRun.SmallSample,
            typeof(VmException));
    }

    [Fact]
    public void A_disk_that_has_changed_since_is_refused()
    {
        using TemporaryFolder folder = new();
        string path = folder.File("disk.img");
        File.WriteAllBytes(path, new byte[1 << 20]);
        VmDefinition definition = s_definition with { Disks = [new VmDisk("disk.img", DiskAccess.ReadWrite)], BaseFolder = folder.Path };
        byte[] state = Saved(definition);
        Assert.Contains("an overlay", Refusal(state, definition with { Disks = [new VmDisk("disk.img")] }));
        Assert.Contains("1 disks", Refusal(state, definition with { Disks = [] }));
        using (VmHost host = new(null))
        {
            VirtualMachine vm = host.Create(definition);
            vm.StartFrom(new MemoryStream(state));
            vm.TurnOff();
        }

        File.SetLastWriteTimeUtc(path, File.GetLastWriteTimeUtc(path).AddSeconds(-5));
        Assert.Contains("has changed since", Refusal(state, definition));
        File.WriteAllBytes(path, new byte[2 << 20]);
        Assert.Contains("2097152 bytes, and had 1048576", Refusal(state, definition));
    }

    /// <summary>A driver may come to a run that had none, and leave it; one of another kind has nothing to go on with.</summary>
    [Fact]
    public void Drivers_come_and_go_but_are_not_mixed_up()
    {
        byte[] without = Saved(s_definition);
        byte[] with = Saved(s_definition, new Conversation { Mark = 1_000_000 });
        int started = 0;
        int called = 0;
        ScriptedDriver Driver() => new() { Start = _ => started++, Serial = (_, _, _) => called++ };
        Assert.Contains("'conversation', which 'scripted' cannot", Refusal(with, s_definition, Driver()));
        foreach ((byte[] state, IGuestDriver? driver) in ((byte[], IGuestDriver?)[])[(without, Driver()), (with, null)])
        {
            using VmHost host = new(null);
            VirtualMachine vm = host.Create(s_definition);
            vm.StartFrom(new MemoryStream(state), driver);
            vm.SendSerial(Outlet.Com1, "exit 5\r"u8);
            vm.AwaitEnd();
            Assert.Equal(5, vm.EndCode);
        }

        Assert.Equal((1, true), (started, called > 0));
    }

    [Fact]
    public void Every_field_of_a_run_is_described_or_says_why_not()
    {
        using TemporaryFolder folder = new();
        File.WriteAllBytes(folder.File("disk.img"), new byte[1 << 20]);
        using Scheduler scheduler = new(1);
        VmDefinition definition = s_definition with { Disks = [new VmDisk("disk.img")], BaseFolder = folder.Path, HangInstructions = 1 << 20 };
        MachineBuild build = MachineBuild.Prepare(definition, new Images.ImageResolver(folder.File("cache")), null, default);
        MachineRun run = new(definition, new NoOwner(), scheduler, build, new Conversation());
        run.PowerOn();
        run.Dispatch();

        // A whole chunk, of which every byte counts.
        SerialLog log = run.GetSerial(Outlet.Com1);
        while (log.Length % SerialLog.ChunkSize != 0)
        {
            log.Append((byte)'x');
        }

        StateCoverage coverage = StateCoverage.Of(run);
        Assert.True(coverage.Forgotten.Count == 0, $"Neither described nor marked with [NotState]: {string.Join(", ", coverage.Forgotten)}");
        IEnumerable<Type> all = typeof(MachineRun).Assembly.GetTypes().Where(static type => typeof(IStateful).IsAssignableFrom(type) && !type.IsAbstract && !type.IsNested);

        // What a suite's script is made of is looked at where that is.
        Assert.Empty(all.Except(coverage.Types).Except([typeof(EscapeFilter)]));
        run.Abandon();
    }

    private static string Refusal(byte[] state, VmDefinition definition, IGuestDriver? driver = null)
    {
        using VmHost host = new(null);
        VirtualMachine vm = host.Create(definition);
        VmException error = Assert.Throws<VmException>(() => vm.StartFrom(new MemoryStream(state), driver));
        Assert.Equal((VmErrorKind.StateInvalid, VmState.Off), (error.Kind, vm.State));
        return error.Message;
    }

    private static byte[] Saved(VmDefinition definition, IGuestDriver? driver = null)
    {
        using VmHost host = new(null, workers: 1);
        using MemoryStream stream = new();
        VirtualMachine vm = host.Started(definition, driver);
        vm.AwaitSerial("> ").Wait();
        vm.Pause();
        vm.Save(stream);
        return stream.ToArray();
    }

    private sealed class NoOwner : IRunOwner
    {
        public void GuestWasReset(MachineRun run)
        {
        }

        public void RunCrashed(MachineRun run, CrashReport report)
        {
        }

        public void RunEnded(MachineRun run, VmEndKind kind, int code, CrashReport? report)
        {
        }
    }
}
