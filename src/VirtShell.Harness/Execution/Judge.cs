using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Harness.Console;
using VirtShell.Harness.Loading;
using VirtShell.Harness.Model;
using VirtShell.Harness.Steps;
using VirtShell.Host;
using VirtShell.Machine;
using VirtShell.Settings;

namespace VirtShell.Harness.Execution;

/// <summary>Decides what a finished run's assertions come to.</summary>
internal sealed class Judge(LoadedItem item, BaselineFile? baseline, SuiteRunOptions options)
{
    private readonly TestSpec _test = item.Test;
    private readonly List<AssertionResult> _assertions = [];
    private readonly List<MetricResult> _metrics = [];

    public IReadOnlyList<AssertionResult> Assertions => _assertions;

    public IReadOnlyList<MetricResult> Metrics => _metrics;

    public void JudgeRun(GuestOutcome run, ScriptDriver driver)
    {
        JudgeEnd(run, driver);
        JudgeForbidden(driver);
        JudgeSerial(run, driver.Port(Outlet.Com1).Pauses);
        foreach (Metric metric in Metric.All)
        {
            JudgeMetric(metric, metric.Measure(run.Metrics, run.Engine));
        }
    }

    public void Add(AssertionResult assertion) => _assertions.Add(assertion);

    private void JudgeEnd(GuestOutcome run, ScriptDriver driver)
    {
        string found = driver.TimedOut ? $"its limit of {Units.FormatDuration(_test.Limits.GuestTime)} of guest time was reached"
            : driver.SerialLimitReached ? $"its limit of {Units.FormatSize(_test.Limits.SerialBytes)} of serial output was reached"
            : EndCondition.Describe(run.End, run.EndCode);
        IReadOnlyList<EndCondition> wanted = _test.Assert.End;
        if (wanted.Count == 0)
        {
            bool crashed = EndCondition.Crashes.Contains(run.End) || driver.TimedOut || driver.SerialLimitReached;
            _assertions.Add(Result("no crash", !crashed, crashed ? $"{found}. If that is right, say so with \"assert: end:\"." : found));
            return;
        }

        bool right = !driver.SerialLimitReached && wanted.Any(w => w.Matches(run.End, run.EndCode, driver.TimedOut));
        _assertions.Add(Result($"end is {string.Join(" or ", wanted)}", right, found));
    }

    private void JudgeForbidden(ScriptDriver driver)
    {
        foreach (TextPattern pattern in NeverPatterns(_test))
        {
            ForbiddenLine? line = driver.Forbidden.FirstOrDefault(f => f.Pattern == pattern);
            _assertions.Add(Result($"never {pattern}", line is null, line is null ? string.Empty : $"At {Units.FormatDuration(line.GuestTime)} of guest time: {Printable.Escape(line.Line)}"));
        }
    }

    /// <summary>What must not appear: what the suite says, else the built-in patterns where a kernel is booted.</summary>
    public static IReadOnlyList<TextPattern> NeverPatterns(TestSpec test)
    {
        if (test.Assert.Never is { } own)
        {
            return own;
        }

        // A test that asserts a crash of its kernel would contradict itself.
        bool crashWanted = test.Assert.End.Any(e => e.Kinds.Contains(VmEndKind.Panic));
        return (test.Vm.Definition.Kernel ?? test.Vm.Definition.Firmware) is null || crashWanted ? [] : [.. Patterns.BuiltIn.Where(p => !test.Assert.Allow.Contains(p.Name))];
    }

    /// <summary>Whether a panic ends the run: not where the suite says that nothing is forbidden, or that a panic may be.</summary>
    public static bool DetectsPanics(TestSpec test) =>
        test.Assert.End.Any(e => e.Kinds.Contains(VmEndKind.Panic))
        || !(test.Assert.Never is { Count: 0 } || test.Assert.Allow.Any(name => GuestPatterns.Panics.Any(p => p.Name == name)));

    /// <param name="run">The run.</param>
    /// <param name="pauses">Numbers of the bytes before which the output paused.</param>
    private void JudgeSerial(GuestOutcome run, IReadOnlyList<long> pauses)
    {
        if (_test.Assert.Serial.Count == 0)
        {
            return;
        }

        var text = new ConsoleText();
        int wanted = 0;
        var matcher = new ConsoleMatcher(text, _test.Assert.Serial[0], 0);

        // As the bytes came: a stream holds only so much, and the pauses between them count.
        int pause = 0;
        bool Advance(bool pausing)
        {
            while (wanted < _test.Assert.Serial.Count && matcher.Advance(pausing))
            {
                wanted++;
                if (wanted < _test.Assert.Serial.Count)
                {
                    matcher = new ConsoleMatcher(text, _test.Assert.Serial[wanted], matcher.MatchEndByte);
                }
            }

            return wanted < _test.Assert.Serial.Count;
        }

        foreach (byte value in run.Serial)
        {
            if (pause < pauses.Count && pauses[pause] == text.ByteCount)
            {
                text.MarkPause();
                pause++;
            }

            text.Feed(value);
            if (!Advance(pausing: false))
            {
                break;
            }
        }

        text.Finish();
        Advance(pausing: true);
        for (int i = 0; i < _test.Assert.Serial.Count; i++)
        {
            TextPattern pattern = _test.Assert.Serial[i];
            _assertions.Add(i > wanted
                ? new AssertionResult($"serial output holds {pattern}", Outcome.Skipped, "An earlier one is missing.")
                : Result($"serial output holds {pattern}", i < wanted, i < wanted ? string.Empty : i == 0 ? "It is nowhere in the output." : "It does not follow the one before it."));
        }
    }

    private void JudgeMetric(Metric metric, long value)
    {
        string name = metric.Name;
        Func<long, string> format = metric.Format;
        MetricSpec? spec = _test.Assert.Metrics.Bounds.GetValueOrDefault(name);
        if (spec is not null && !metric.Judges(_test.Vm, options.Engine))
        {
            _metrics.Add(new MetricResult { Name = name, Value = value, Display = format(value) });
            _assertions.Add(new AssertionResult($"{name} within its bounds", Outcome.Skipped, $"The bounds are for the engine that the suite names, and this run is on the {VmSettings.Engine.Kind.Show(options.Engine!.Value, FrontEnd.Suites)}. Measured: {value}."));
            return;
        }

        long? reference = spec?.Tolerance is null ? null : baseline?.Find(item.Name, name);
        _metrics.Add(new MetricResult { Name = name, Value = value, Display = format(value), Baseline = reference });
        if (spec is null)
        {
            return;
        }

        if (spec.Minimum is { } minimum)
        {
            _assertions.Add(Result($"{name} at least {format(minimum)}", value >= minimum, $"{format(value)} ({value})"));
        }

        if (spec.Maximum is { } maximum)
        {
            _assertions.Add(Result($"{name} at most {format(maximum)}", value <= maximum, $"{format(value)} ({value})"));
        }

        if (spec.Exactly is { } exactly)
        {
            _assertions.Add(Result($"{name} exactly {exactly}", value == exactly, $"{value}"));
        }

        if (spec.Tolerance is { } tolerance)
        {
            JudgeBaseline(name, value, tolerance, reference, format);
        }
    }

    private void JudgeBaseline(string name, long value, double tolerance, long? reference, Func<long, string> format)
    {
        string title = $"{name} within {Units.FormatPercent(tolerance)} of the baseline";
        if (options.UpdateBaseline)
        {
            _assertions.Add(new AssertionResult(title, Outcome.Passed, $"The baseline is set to {value}."));
            return;
        }

        if (reference is not { } expected)
        {
            _assertions.Add(new AssertionResult(title, Outcome.Failed, $"The baseline file has no value for this item; write it with --update-baseline. Measured: {value}."));
            return;
        }

        // In whole units, so that a tolerance of 0 means equality.
        double allowed = Math.Floor(expected * tolerance);
        double change = expected == 0 ? 0 : (double)(value - expected) / expected;
        string sign = change > 0 ? "+" : string.Empty;
        _assertions.Add(Result(title, Math.Abs((double)value - expected) <= allowed, $"{value} against {expected}: {sign}{Units.FormatPercent(change)} ({format(value)})"));
    }

    private static AssertionResult Result(string name, bool right, string message) => new(name, right ? Outcome.Passed : Outcome.Failed, message);
}
