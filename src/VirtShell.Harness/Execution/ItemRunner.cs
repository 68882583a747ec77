using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Harness.Loading;
using VirtShell.Harness.Model;
using VirtShell.Harness.Steps;
using VirtShell.Host;
using VirtShell.Settings;

namespace VirtShell.Harness.Execution;

/// <summary>Runs one item: its guest with its steps, its neighbours, its assertions.</summary>
internal sealed class ItemRunner(VmHost host, GeneratedDisks disks, SuiteRunOptions options)
{
    private const int LongestVmName = 80;

    public async Task<ItemResult> RunAsync(ItemInfo info, LoadedItem item, LoadedSuite suite, BaselineFile? baseline, ScreenReferences references, Action<ItemProgress> report, CancellationToken cancellation)
    {
        long start = Stopwatch.GetTimestamp();
        var draft = new ItemResult { Item = info, Outcome = Outcome.Cancelled, Message = "The run was cut short.", Configuration = Configuration(item.Test.Vm, options) };
        try
        {
            ItemResult result = await RunItemAsync(draft, item, suite, baseline, references, report, cancellation).ConfigureAwait(false);
            return result with { Duration = Stopwatch.GetElapsedTime(start) };
        }
        catch (OperationCanceledException) when (cancellation.IsCancellationRequested)
        {
            return draft with { Duration = Stopwatch.GetElapsedTime(start) };
        }
        catch (Exception e)
        {
            // One item's failure, even one of ours, never ends the run.
            return draft with { Outcome = Outcome.Error, Message = GuestRun.Explain(e), Duration = Stopwatch.GetElapsedTime(start) };
        }
    }

    private async Task<ItemResult> RunItemAsync(ItemResult draft, LoadedItem item, LoadedSuite suite, BaselineFile? baseline, ScreenReferences references, Action<ItemProgress> report, CancellationToken cancellation)
    {
        TestSpec test = item.Test;
        var runner = new GuestRun(host, suite.Folder, disks, options.Engine);
        string vmName = VmName(draft.Item);
        var hostTimeLimit = TimeSpan.FromTicks((long)(test.Limits.HostTime / 100 * Math.Max(options.HostTimeScale, 0.01)));
        IReadOnlyList<TextPattern> never = Judge.NeverPatterns(test);
        var driver = new ScriptDriver(test, item.Name, never, references);

        GuestOutcome run = await runner.RunAsync(vmName, test.Vm, driver, Judge.DetectsPanics(test), hostTimeLimit, Watch(driver, test, report), cancellation).ConfigureAwait(false);
        if (run.Cancelled)
        {
            // What it did until then is worth reading, above all why it took so long.
            return draft with { Steps = driver.Results, Serial = run.Serial, End = run.End };
        }

        if (driver.Mistake is { } mistake)
        {
            return Mistaken(mistake);
        }

        if (run.Error is { } error)
        {
            return draft with { Outcome = Outcome.Error, Message = error };
        }

        var judge = new Judge(item, baseline, options);
        try
        {
            judge.JudgeRun(run, driver);
        }
        catch (PatternTimeoutException late)
        {
            return Mistaken(late);
        }

        if (test.Neighbours.Count > 0)
        {
            report(new ItemProgress("beside its neighbours", run.Metrics.Instructions, run.Metrics.GuestTime, 1));
            var check = new NeighbourCheck(runner, test, vmName, hostTimeLimit);
            IReadOnlyList<AssertionResult> results = await check.RunAsync(
                run,
                (name, token) => runner.RunAsync(name, test.Vm, new ScriptDriver(test, item.Name, never, references), Judge.DetectsPanics(test), hostTimeLimit, watch: null, token),
                cancellation).ConfigureAwait(false);
            foreach (AssertionResult result in results)
            {
                judge.Add(result);
            }
        }

        cancellation.ThrowIfCancellationRequested();
        if (runner.JudgeTranslator() is { } fault)
        {
            judge.Add(fault);
        }

        (Outcome outcome, string message) = Verdict(run, driver, judge, hostTimeLimit);
        return draft with
        {
            Outcome = outcome,
            Message = message,
            Steps = driver.Results,
            Assertions = judge.Assertions,
            Metrics = judge.Metrics,
            End = run.End,
            EndCode = run.EndCode,
            CrashReport = run.CrashReport,
            Serial = run.Serial,
        };

        // The suite's mistake, with its place; what the guest did until then is worth reading all the same.
        ItemResult Mistaken(PatternTimeoutException e) =>
            draft with { Outcome = Outcome.Error, Message = e.In(suite.File).ToString(), Steps = driver.Results, Serial = run.Serial, End = run.End };
    }

    private static (Outcome Outcome, string Message) Verdict(GuestOutcome run, ScriptDriver driver, Judge judge, TimeSpan hostTimeLimit)
    {
        if (run.End == VmEndKind.EngineFault)
        {
            return (Outcome.Error, GuestRun.ExplainEngineFault(run.CrashReport));
        }

        var problems = new List<string>();
        if (run.HostTimeExceeded)
        {
            problems.Add($"The host-time limit of {Units.FormatDuration(hostTimeLimit)} was reached after {Units.FormatDuration(run.Metrics.GuestTime)} of guest time; raise limits: host-time where the host is slow.");
        }

        // What the guest printed and must not have explains most of what follows, so it comes first.
        problems.AddRange(driver.Forbidden.Select(f => $"The output holds what it never may, {f.Pattern}: {Printable.Escape(f.Line)}"));
        problems.AddRange(driver.Results.Where(s => s.Outcome == Outcome.Failed).Select(s => $"Step {s.Number}, {s.Description}: {s.Message}"));
        problems.AddRange(judge.Assertions.Where(a => a.Outcome is (Outcome.Failed or Outcome.Error) && !a.Name.StartsWith("never ", StringComparison.Ordinal)).Select(a => a.Message.Length == 0 ? $"Not so: {a.Name}." : $"Not so: {a.Name}. {a.Message}"));
        if (problems.Count == 0)
        {
            return (Outcome.Passed, string.Empty);
        }

        // A disk image that fails underneath is the host's trouble, not the guest's, unless the suite asks for it.
        bool cannotRun = run.End == VmEndKind.StorageFault || judge.Assertions.Any(a => a.Outcome == Outcome.Error);
        if (run.CrashReport is { } crash)
        {
            problems.Insert(0, Printable.Escape(crash.Summary));
        }

        return (cannotRun ? Outcome.Error : Outcome.Failed, string.Join('\n', problems));
    }

    private static Action<string?, VmMetrics> Watch(ScriptDriver driver, TestSpec test, Action<ItemProgress> report) => (text, metrics) =>
        report(new ItemProgress(
            text ?? driver.Activity,
            metrics.Instructions,
            metrics.GuestTime,
            test.Steps.Count == 0 ? 0 : (double)driver.StepsDone / test.Steps.Count));

    /// <summary>The item's name within what the host allows, made unique by its number.</summary>
    private static string VmName(ItemInfo info)
    {
        var name = new StringBuilder();
        foreach (char c in info.Name)
        {
            name.Append(char.IsLetterOrDigit(c) || c is ' ' or '-' or '.' or '_' or '(' or ')' or ',' or '/' ? c : '-');
        }

        string number = $" #{info.Index + 1}";
        int most = LongestVmName - number.Length;
        return (name.Length > most ? name.ToString(0, most) : name.ToString()) + number;
    }

    private static IReadOnlyList<KeyValuePair<string, string>> Configuration(VmSpec spec, SuiteRunOptions options)
    {
        VmDefinition vm = spec.Definition;
        var result = new List<KeyValuePair<string, string>>();
        void Add(string key, string? value)
        {
            if (!string.IsNullOrEmpty(value))
            {
                result.Add(new(key, value));
            }
        }

        Add("guest", vm.Guest);
        Add("kernel", vm.Kernel);
        Add("firmware", vm.Firmware);
        Add("initrd", vm.Initrd ?? (vm.Initramfs is null ? null : "built from the suite"));
        Add("modules", string.Join(", ", vm.Modules));
        Add("command line", vm.CommandLine);
        Add("memory", Units.FormatSize((long)vm.MemoryBytes));
        Add("processor", Word(VmSettings.Cpu, vm));
        Add("clock", Word(VmSettings.Clock, vm));
        Add("engine", Word(VmSettings.Engine, vm with { Engine = options.Engine ?? vm.Engine }));
        Add("seed", vm.Seed == 0 ? null : vm.Seed.ToString(System.Globalization.CultureInfo.InvariantCulture));
        Add("rtc", vm.RtcStart == Host.RtcStart.Repeatable ? null : vm.RtcStart.ToString());
        for (int i = 0; i < spec.Disks.Count; i++)
        {
            DiskSpec disk = spec.Disks[i];
            Add($"disk {i + 1}", $"{(disk.IsGenerated ? $"{Units.FormatSize(disk.Generate)} generated from seed {disk.Seed}" : disk.Disk.Source)}, {disk.Disk.Access}");
        }

        for (int i = 0; i < vm.Cds.Count; i++)
        {
            Add($"CD {i + 1}", vm.Cds[i].Source ?? "empty");
        }

        for (int i = 0; i < vm.Floppies.Count; i++)
        {
            Add($"floppy {i + 1}", vm.Floppies[i].Source is { } image ? $"{image}, {vm.Floppies[i].Access}" : "empty");
        }

        return result;
    }

    private static string Word<T>(Setting<VmDefinition, T> setting, VmDefinition vm) => setting.Kind.Show(setting.Get(vm)!, FrontEnd.Suites) ?? string.Empty;
}
