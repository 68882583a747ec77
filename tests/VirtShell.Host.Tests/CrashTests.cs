using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading.Tasks;
using Xunit;

namespace VirtShell.Host.Tests;

/// <summary>Guests that crash, and what is told of it.</summary>
public sealed class CrashTests
{
    [Theory]
    [InlineData("triple-fault", VmEndKind.TripleFault, "=> ", "ud2")]
    [InlineData("wild-jump", VmEndKind.TripleFault, "=> 00000000dead0000", "no memory is mapped")]
    [InlineData("page-fault", VmEndKind.TripleFault, "=> ", "dead0000")]
    [InlineData("halt-forever", VmEndKind.Hang, "hlt", "=> ")]
    public void Crashes_are_told_for_what_they_are(string guest, VmEndKind kind, string one, string other)
    {
        VirtualMachine vm = Vm.RunAlone(Vm.Guest(guest));
        Assert.Equal(VmState.Crashed, vm.State);
        Assert.Equal(kind, vm.End);
        CrashReport report = vm.CrashReport!;
        Assert.Equal(kind, report.Kind);
        Assert.Equal(guest, report.VmName);
        Assert.Equal(vm.Metrics.Instructions, report.Instructions);
        string code = string.Join('\n', report.Disassembly);
        Assert.Contains(one, code);
        Assert.Contains(other, code, StringComparison.OrdinalIgnoreCase);
        Assert.NotEmpty(report.SerialTail);
        Assert.NotEmpty(report.StackBytes);
        Assert.Contains("protected mode, 32-bit code, CPL 0", report.Mode);
        Assert.Contains(report.Registers, register => register.Key == "EAX");
    }

    [Theory]
    [InlineData("summary")]
    [InlineData("summary of words")]
    [InlineData("engine error")]
    [InlineData("name of a register")]
    [InlineData("mode")]
    [InlineData("lines")]
    public void A_report_of_any_length_becomes_text_in_memory_by_its_length(string part)
    {
        const int length = 500_000;
        string word = new('x', length);
        CrashReport report = HomeMutationTests.SampleReport;
        report = part switch
        {
            "summary" => report with { Summary = word },
            "summary of words" => report with { Summary = string.Concat(Enumerable.Repeat("word ", length / 5)) },
            "engine error" => report with { EngineError = word },
            "name of a register" => report with { Registers = [new(word, 1), .. Enumerable.Range(0, 10_000).Select(i => KeyValuePair.Create($"R{i}", 0UL))] },
            "mode" => report with { Mode = word },
            _ => report with { SerialTail = [word, word], Disassembly = [word] },
        };
        long before = GC.GetAllocatedBytesForCurrentThread();
        string text = report.ToText();
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 1, 64 * length);
        Assert.All(text.Split('\n'), line => Assert.InRange(line.Length, 0, 100));
    }

    [Fact]
    public void A_page_fault_is_shown_with_its_page_walk()
    {
        CrashReport report = Vm.RunAlone(Vm.Guest("page-fault")).CrashReport!;
        Assert.Equal(0xDEAD_0000UL, report.FaultAddress);
        Assert.Contains("32-bit paging", report.Mode);
        Assert.Contains("not present", Assert.Single(report.PageWalk));
        Assert.Contains("[890]", report.PageWalk[0]);
    }

    [Theory]
    [InlineData("triple-fault")]
    [InlineData("page-fault")]
    [InlineData("wild-jump")]
    public void Reports_fit_the_page_and_survive_JSON(string guest)
    {
        CrashReport report = Vm.RunAlone(Vm.Guest(guest)).CrashReport!;
        string text = report.ToText();
        Assert.All(text.Split('\n'), line => Assert.InRange(line.Length, 0, 100));
        Assert.DoesNotContain('\r', text);
        Assert.All((string[])["Registers", "Code", "Stack", "Last serial output"], title => Assert.Contains("\n" + title, text));

        CrashReport read = CrashReport.FromJson(report.ToJson());
        Assert.Equal(text, read.ToText());
        Assert.Equal(report.StackBytes, read.StackBytes);
        Assert.Equal(report.Registers, read.Registers);
    }

    [Fact]
    public void A_loop_without_progress_is_a_hang_after_exactly_that_many_instructions()
    {
        long[] ends = new long[2];
        for (int workers = 1; workers <= 2; workers++)
        {
            long last = 0;
            ScriptedDriver driver = new() { Serial = (control, _, _) => last = control.Instructions };
            using VmHost host = new(null, workers);
            VirtualMachine vm = host.Started(Vm.Guest("busy-loop") with { HangInstructions = 2_345_678 }, driver);
            vm.AwaitEnd();
            Assert.Equal(VmEndKind.Hang, vm.End);
            Assert.Contains("2,345,678", vm.CrashReport!.Summary);

            // The wait for the serial line after the last byte is progress too, looked at after each million instructions.
            Assert.InRange(vm.Metrics.Instructions, last + 2_345_678, last + 3_345_678);
            ends[workers - 1] = vm.Metrics.Instructions;
        }

        Assert.Equal(ends[0], ends[1]);
    }

    [Fact]
    public void A_guest_that_waits_for_interrupts_is_not_hung()
    {
        VirtualMachine vm = Vm.RunAlone(Vm.Guest("timer") with { HangInstructions = 200 });
        Assert.NotEqual(VmEndKind.None, vm.End);
    }

    [Fact]
    public void Restarting_after_a_crash_stops_at_the_limit()
    {
        using VmHost host = new(null);
        VirtualMachine vm = host.Started(Vm.Guest("triple-fault") with { CrashAction = CrashAction.Restart, CrashRestartLimit = 3 });
        vm.AwaitEnd();
        Assert.Equal((VmState.Crashed, VmEndKind.TripleFault, 3), (vm.State, vm.End, vm.CrashRestarts));
        Assert.Equal(4, vm.Serial.GetText().Split("About to").Length - 1);
        VirtualMachine once = Vm.RunAlone(Vm.Guest("triple-fault"));
        Assert.Equal(4 * once.Metrics.Instructions, vm.Metrics.Instructions);
    }

    [Fact]
    public void A_crashed_VM_can_be_kept_for_inspection()
    {
        using VmHost host = new(null);
        VirtualMachine vm = host.Started(Vm.Guest("triple-fault") with { CrashAction = CrashAction.Pause });
        vm.AwaitEnd();
        Assert.Equal(VmState.Crashed, vm.State);
        Assert.Equal(vm.CrashReport!.Registers, vm.Inspect().Registers);
        Assert.True(vm.HostMemory.OverheadBytes > 0);
        vm.TurnOff();
        Assert.Equal(VmState.Off, vm.State);
        Assert.Equal(VmEndKind.TripleFault, vm.End);
        Assert.Equal(new VmHostMemory(0, 0, 0, 0, vm.Serial.MemoryBytes), vm.HostMemory);
        vm.Start();
        vm.AwaitEnd();
        vm.Start();
        vm.AwaitEnd();
        Assert.Equal(VmState.Crashed, vm.State);
    }

    [Fact]
    public void A_crash_report_outlives_the_session_until_the_next_start()
    {
        using TemporaryFolder home = new();
        string text;
        using (VmHost host = new(home.Path))
        {
            VirtualMachine vm = host.Started(Vm.Guest("triple-fault"));
            vm.AwaitEnd();
            text = vm.CrashReport!.ToText();
        }

        using VmHost again = new(home.Path);
        VirtualMachine found = again.Find("triple-fault")!;
        Assert.Equal(text, found.CrashReport!.ToText());
        found.Configure(found.Definition with { Guest = "hello" });
        found.Start();
        found.AwaitEnd();
        Assert.Null(found.CrashReport);
    }

    [Theory]
    [InlineData("start")]
    [InlineData("serial")]
    [InlineData("alarm")]
    [InlineData("end")]
    public void A_driver_that_throws_ends_its_own_VM_only(string where)
    {
        VirtualMachine alone = Vm.RunAlone(Vm.LongRun());
        void Throw(string here)
        {
            if (here == where)
            {
                throw new InvalidOperationException("deliberate");
            }
        }

        ScriptedDriver driver = new()
        {
            Start = control =>
            {
                control.SetAlarm(1000);
                Throw("start");
            },
            Serial = (_, _, _) => Throw("serial"),
            Alarm = _ => Throw("alarm"),
            End = (_, _) => Throw("end"),
        };
        using VmHost host = new(null);
        VirtualMachine neighbour = host.Started(Vm.LongRun("neighbour"));
        VirtualMachine bad = host.Started(Vm.Guest("hello", "bad"), driver);
        VirtualMachine hello = host.Started(Vm.Guest("hello"));
        bad.AwaitEnd();
        hello.AwaitEnd();
        neighbour.AwaitEnd();
        Assert.Equal((VmState.Crashed, VmEndKind.EngineFault), (bad.State, bad.End));
        Assert.Contains("InvalidOperationException", bad.CrashReport!.EngineError);
        Assert.Contains("deliberate", bad.CrashReport.Summary);
        Assert.DoesNotContain("   at ", bad.CrashReport.ToText());
        Assert.Equal(VmEndKind.PowerOff, hello.End);
        Assert.Equal((alone.Serial.Hash, alone.Metrics.Instructions), (neighbour.Serial.Hash, neighbour.Metrics.Instructions));
    }

    [Fact]
    public async Task A_command_to_a_guest_that_crashes_meanwhile_is_refused_not_lost()
    {
        using VmHost host = new(null);
        VirtualMachine vm = host.Started(Vm.Guest("echo"));
        await vm.AwaitSerial("> ");
        vm.SendSerial(1, "crash\r"u8);
        vm.AwaitEnd();
        Assert.Equal(VmEndKind.TripleFault, vm.End);
        Assert.Throws<VmException>(vm.Pause);
        vm.TurnOff();
        Assert.Equal(VmState.Off, vm.State);
        Assert.NotNull(vm.CrashReport);
    }
}
