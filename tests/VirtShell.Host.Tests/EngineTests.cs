using System;
using System.IO;
using System.Linq;
using System.Reflection;
using System.Threading.Tasks;
using VirtShell.Cpu;
using VirtShell.Machine;
using Xunit;

namespace VirtShell.Host.Tests;

/// <summary>The choice of the engine, and what it counts.</summary>
public sealed class EngineTests
{
    [Theory]
    [InlineData(EngineKind.Auto)]
    [InlineData(EngineKind.Translator)]
    [InlineData(EngineKind.Interpreter)]
    public void Every_engine_runs_a_guest_to_the_same_instruction(EngineKind engine)
    {
        VirtualMachine vm = Vm.RunAlone(Vm.Guest("hello") with { Engine = engine });
        VirtualMachine reference = Vm.RunAlone(Vm.Guest("hello") with { Engine = EngineKind.Interpreter });

        Assert.Equal(reference.Metrics.Instructions, vm.Metrics.Instructions);
        VmEngineMetrics counted = vm.EngineMetrics;
        Assert.Equal(engine, counted.Engine);
        Assert.False(counted.IsTranslating && engine == EngineKind.Interpreter);
        Assert.Equal(vm.Metrics.Instructions, counted.Counters.InstructionsTranslated + counted.Counters.InstructionsInterpreted);
        Assert.Equal(counted.IsTranslating, counted.Counters.BlocksTranslated > 0);
        Assert.True(counted.IsTranslating || counted.Counters.BlocksDecoded > 0);
        Assert.True(counted.Counters.TlbMisses > 0);
    }

    [Fact]
    public async Task The_engine_of_a_running_VM_can_change_and_nothing_else_can()
    {
        using TemporaryFolder home = new();
        using VmHost host = new(home.Path);
        VirtualMachine vm = host.Started(Vm.Guest("echo"));
        await vm.AwaitSerial("> ");

        vm.Configure(vm.Definition with { Engine = EngineKind.Interpreter });
        Assert.Equal(EngineKind.Interpreter, vm.EngineMetrics.Engine);
        Assert.False(vm.EngineMetrics.IsTranslating);
        vm.Pause();
        vm.Configure(vm.Definition with { Engine = EngineKind.Translator });
        Assert.Equal(EngineKind.Translator, vm.EngineMetrics.Engine);
        vm.Resume();

        VmException refused = Assert.Throws<VmException>(() => vm.Configure(vm.Definition with { Engine = EngineKind.Auto, Notes = "x" }));
        Assert.Equal(VmErrorKind.InvalidState, refused.Kind);
        Assert.Equal(EngineKind.Translator, vm.Definition.Engine);

        vm.SendSerial(Outlet.Com1, "exit\r"u8);
        vm.AwaitEnd();
        using VmHost again = new(home.Path);
        Assert.Equal(EngineKind.Translator, again.VirtualMachines.Single().Definition.Engine);
    }

    [Fact]
    public void A_run_that_changes_its_engine_half_way_ends_as_any_other()
    {
        VirtualMachine reference = Vm.RunAlone(Vm.Guest("compute"));
        using VmHost host = new(null, workers: 1);
        VirtualMachine vm = host.Started(Vm.Guest("compute"));
        for (int i = 0; vm.State == VmState.Running && i < 20; i++)
        {
            vm.Configure(vm.Definition with { Engine = i % 2 == 0 ? EngineKind.Interpreter : EngineKind.Translator });
        }

        vm.AwaitEnd();
        Assert.Equal((reference.Metrics.Instructions, reference.Serial.Hash), (vm.Metrics.Instructions, vm.Serial.Hash));
    }

    [Fact]
    public void What_a_crashed_run_did_before_its_restart_is_counted_too()
    {
        VmDefinition definition = Vm.Guest("triple-fault") with { Engine = EngineKind.Interpreter };
        VirtualMachine once = Vm.RunAlone(definition);
        VirtualMachine thrice = Vm.RunAlone(definition with { CrashAction = CrashAction.Restart, CrashRestartLimit = 2 });

        Assert.Equal(3 * once.EngineMetrics.Counters.InstructionsInterpreted, thrice.EngineMetrics.Counters.InstructionsInterpreted);
        Assert.Equal(3 * once.EngineMetrics.Counters.BlocksDecoded, thrice.EngineMetrics.Counters.BlocksDecoded);
    }

    [Fact]
    public void Every_counter_is_listed_and_added()
    {
        PropertyInfo[] counters = [.. typeof(EngineStatistics).GetProperties().Where(p => p.PropertyType == typeof(long))];
        object one = default(EngineStatistics);
        for (int i = 0; i < counters.Length; i++)
        {
            counters[i].SetValue(one, (long)i + 1);
        }

        var all = (EngineStatistics)one;
        Assert.Equal(counters.ToDictionary(p => p.Name, p => (long)p.GetValue(all)!), all.Counters.ToDictionary());
        EngineStatistics twice = all + all;
        Assert.All(counters, p => Assert.Equal(2 * (long)p.GetValue(all)!, p.GetValue(twice)));
    }

    [Fact]
    public void The_table_names_the_engine_and_every_counter_with_its_share()
    {
        VmEngineMetrics metrics = new(EngineKind.Auto, true, new EngineStatistics
        {
            InstructionsTranslated = 1_500_000,
            InstructionsInterpreted = 500_000,
            TlbMisses = 12,
            ExitsBudget = 1,
            ExitsFault = 3,
        });

        Assert.Equal(4, metrics.Exits);
        Assert.Equal(0.75, metrics.TranslatedShare);
        string[] lines = metrics.ToText().Split('\n');
        Assert.Equal("Engine: translator (auto was asked for)", lines[0]);
        Assert.All(lines, line => Assert.True(line.Length <= 60, line));
        Assert.Contains("    translated                            1,500,000   75.0 %", lines);
        Assert.Contains("  TLB misses                                     12", lines);
        Assert.Contains("  exits                                           4", lines);
        Assert.Contains("    fault                                         3   75.0 %", lines);
        Assert.Equal(VmEngineMetrics.Names.Count, VmEngineMetrics.Names.Distinct().Count());
        Assert.Contains("Exits", VmEngineMetrics.Names);
        Assert.Equal("code-cache-flushes", VmEngineMetrics.Word("CodeCacheFlushes"));
    }

    [Fact]
    public void A_definition_with_an_engine_that_there_is_not_is_told_so()
    {
        using TemporaryFolder home = new();
        Guid id;
        using (VmHost host = new(home.Path))
        {
            VmException error = Assert.Throws<VmException>(() => host.Create(Vm.Guest("hello") with { Engine = (EngineKind)99 }));
            Assert.Equal(VmErrorKind.InvalidDefinition, error.Kind);
            Assert.Contains("auto, translator, interpreter", error.Message, StringComparison.Ordinal);
            id = host.Create(Vm.Guest("hello") with { Engine = EngineKind.Interpreter }).Id;
        }

        string path = Path.Combine(home.Path, "vms", id + ".json");
        File.WriteAllText(path, File.ReadAllText(path).Replace("\"Interpreter\"", "\"Compiler\"", StringComparison.Ordinal));
        using VmHost again = new(home.Path);
        Assert.Contains("damaged", again.VirtualMachines.Single().DefinitionError, StringComparison.Ordinal);
    }
}
