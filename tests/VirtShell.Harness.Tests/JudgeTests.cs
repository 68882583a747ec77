using System;
using System.IO;
using System.Linq;
using System.Text;
using VirtShell.Cpu;
using VirtShell.Harness.Execution;
using VirtShell.Harness.Loading;
using VirtShell.Harness.Steps;
using VirtShell.Host;
using Xunit;

namespace VirtShell.Harness.Tests;

public sealed class JudgeTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("virtshell-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Theory]
    [InlineData("instructions: {max: 1000}", Outcome.Passed)]
    [InlineData("instructions: {max: 999}", Outcome.Failed)]
    [InlineData("instructions: {min: 1000, max: 2000}", Outcome.Passed)]
    [InlineData("instructions: {min: 1001}", Outcome.Failed)]
    [InlineData("instructions: {exactly: 1000}", Outcome.Passed)]
    [InlineData("guest-time: {max: 2s}", Outcome.Passed)]
    [InlineData("guest-time: {max: 1s}", Outcome.Failed)]
    [InlineData("serial-bytes: {exactly: 12}", Outcome.Passed)]
    [InlineData("peak-memory: {max: 1M}", Outcome.Passed)]
    [InlineData("engine-instructions-translated: {min: 900}", Outcome.Passed)]
    [InlineData("engine-instructions-translated: {min: 1K}", Outcome.Failed)]
    [InlineData("engine-exits: {exactly: 7}", Outcome.Passed)]
    [InlineData("engine-exits-fault: {max: 3}", Outcome.Failed)]
    [InlineData("engine-translated-bytes: {max: 4K}", Outcome.Passed)]
    public void Bounds(string metric, Outcome outcome)
    {
        Judge judge = JudgeOf($"assert: {{metrics: {{{metric}}}}}", null);

        Assert.Equal(outcome, judge.Assertions.Where(a => a.Name != "no crash").Max(a => a.Outcome));
    }

    [Theory]
    [InlineData(1000, "0%", Outcome.Passed)]
    [InlineData(1001, "0%", Outcome.Failed)]
    [InlineData(1009, "1%", Outcome.Passed)]
    [InlineData(990, "1%", Outcome.Failed)]
    [InlineData(1111, "10%", Outcome.Passed)]
    public void Baselines(long baseline, string tolerance, Outcome outcome)
    {
        BaselineFile file = BaselineFile.Load(Path.Combine(_folder, "b.json"));
        file.Set("s / t", "instructions", baseline);

        Judge judge = JudgeOf($"assert: {{metrics: {{instructions: {{tolerance: {tolerance}}}}}}}", file);

        Assert.Equal(outcome, judge.Assertions[^1].Outcome);
        Assert.Equal(baseline, judge.Metrics.First(m => m.Name == "instructions").Baseline);
    }

    [Theory]
    [InlineData(null, Outcome.Failed)]
    [InlineData(EngineKind.Auto, Outcome.Failed)]
    [InlineData(EngineKind.Translator, Outcome.Failed)]
    [InlineData(EngineKind.Interpreter, Outcome.Skipped)]
    public void Bounds_on_the_engine_do_not_speak_of_another_engine(EngineKind? forced, Outcome outcome)
    {
        Judge judge = JudgeOf("assert: {metrics: {engine-exits: {max: 1}}}", null, engine: forced);

        Assert.Equal(outcome, judge.Assertions[^1].Outcome);
        Assert.Equal(7, judge.Metrics.First(m => m.Name == "engine-exits").Value);
        Assert.Equal(Outcome.Failed, JudgeOf("assert: {metrics: {instructions: {max: 1}}}", null, engine: forced).Assertions[^1].Outcome);
    }

    [Fact]
    public void Every_counter_of_the_engine_is_a_metric()
    {
        string[] metrics = [.. JudgeOf("assert: {}", null).Metrics.Select(m => m.Name)];

        Assert.Equal(["instructions", "guest-time", "serial-bytes", "peak-memory"], metrics.Take(4));
        Assert.Equal(VmEngineMetrics.Names.Select(n => "engine-" + VmEngineMetrics.Word(n)), metrics.Skip(4));
        Assert.Contains("engine-tlb-misses", metrics);
    }

    [Fact]
    public void A_missing_baseline_says_how_to_write_one()
    {
        Judge judge = JudgeOf("assert: {metrics: {instructions: {tolerance: 0}}}", BaselineFile.Load(Path.Combine(_folder, "none.json")));

        Assert.Equal(Outcome.Failed, judge.Assertions[^1].Outcome);
        Assert.Contains("--update-baseline", judge.Assertions[^1].Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Baseline_files_come_back_and_are_sorted()
    {
        string path = Path.Combine(_folder, "b.json");
        BaselineFile file = BaselineFile.Load(path);
        file.Set("z", "instructions", 5);
        file.Set("a", "serial-bytes", 7);
        file.Save();

        Assert.Equal(5, BaselineFile.Load(path).Find("z", "instructions"));
        Assert.Null(BaselineFile.Load(path).Find("z", "serial-bytes"));
        string text = File.ReadAllText(path);
        Assert.True(text.IndexOf("\"a\"", StringComparison.Ordinal) < text.IndexOf("\"z\"", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"version\": 2, \"items\": {}}")]
    [InlineData("{\"version\": 1, \"items\": {\"a\": {\"b\": \"c\"}}}")]
    [InlineData("{\"version\": 1, \"items\": 5}")]
    public void A_broken_baseline_is_a_clear_error(string text)
    {
        string path = Path.Combine(_folder, "b.json");
        File.WriteAllText(path, text);

        SuiteException error = Assert.Throws<SuiteException>(() => BaselineFile.Load(path));
        Assert.StartsWith(path, error.Message, StringComparison.Ordinal);
        Assert.Contains("--update-baseline", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Serial_patterns_are_wanted_in_order()
    {
        Assert.All(JudgeOf("assert: {serial: [Hello, {regex: 'w.*d'}]}", null).Assertions, a => Assert.Equal(Outcome.Passed, a.Outcome));

        Judge wrong = JudgeOf("assert: {serial: [world, Hello, x]}", null);
        Assert.Equal([Outcome.Passed, Outcome.Passed, Outcome.Failed, Outcome.Skipped], wrong.Assertions.Select(a => a.Outcome));
    }

    [Theory]
    [InlineData(VmEndKind.PowerOff, Outcome.Passed)]
    [InlineData(VmEndKind.TripleFault, Outcome.Failed)]
    [InlineData(VmEndKind.Panic, Outcome.Failed)]
    [InlineData(VmEndKind.Hang, Outcome.Failed)]
    public void Without_a_word_any_end_but_a_crash_is_right(VmEndKind end, Outcome outcome) =>
        Assert.Equal(outcome, JudgeOf(string.Empty, null, end).Assertions[0].Outcome);

    [Fact]
    public void Differences_between_runs_are_told()
    {
        var alone = new GuestOutcome { Serial = Encoding.ASCII.GetBytes("one two"), Metrics = new VmMetrics(10, default, 7, 0, default) };

        Assert.Null(NeighbourCheck.Difference(alone, alone with { }));
        Assert.Contains("at byte 4", NeighbourCheck.Difference(alone, alone with { Serial = Encoding.ASCII.GetBytes("one six") }), StringComparison.Ordinal);
        Assert.Contains("11 beside", NeighbourCheck.Difference(alone, alone with { Metrics = new VmMetrics(11, default, 7, 0, default) }), StringComparison.Ordinal);
        Assert.Contains("triple fault beside", NeighbourCheck.Difference(alone, alone with { End = VmEndKind.TripleFault }), StringComparison.Ordinal);
        Assert.Equal("broken", NeighbourCheck.Difference(alone, new GuestOutcome { Error = "broken" }));
    }

    [Theory]
    [InlineData(24, "Too many open files : '/x'. Raise the limit on open files (ulimit -n)")]
    [InlineData(5, "Input/output error : '/x'.")]
    public void What_the_host_refuses_is_no_defect(int code, string expected)
    {
        string text = GuestRun.Explain(new IOException(code == 24 ? "Too many open files : '/x'" : "Input/output error : '/x'", code));

        Assert.StartsWith(OperatingSystem.IsWindows() ? expected.Split(" Raise")[0] : expected, text, StringComparison.Ordinal);
        Assert.DoesNotContain("defect", text, StringComparison.Ordinal);
    }

    private static Judge JudgeOf(string assert, BaselineFile? baseline, VmEndKind end = VmEndKind.PowerOff, EngineKind? engine = null)
    {
        LoadedItem item = SuiteLoader.Parse($"suite: s\nbaseline: b.json\ntests:\n  - name: t\n    vm: hello\n    {assert}\n", "s.yaml").Items[0];
        var judge = new Judge(item, baseline, new SuiteRunOptions { SuiteFiles = [], Engine = engine });
        judge.JudgeRun(
            new GuestOutcome
            {
                End = end,
                Serial = Encoding.ASCII.GetBytes("Hello world\n"),
                Metrics = new VmMetrics(1000, TimeSpan.FromSeconds(1.5), 12, 1 << 19, default),
                Engine = new VmEngineMetrics(EngineKind.Auto, true, new EngineStatistics { InstructionsTranslated = 900, TranslatedBytes = 4096, ExitsBudget = 3, ExitsFault = 4 }),
            },
            new ScriptDriver(item.Test, "salt", []));
        return judge;
    }
}
