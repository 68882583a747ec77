using System;
using System.Collections.Generic;
using System.Text;
using VirtShell.Host;
using VirtShell.Machine.Display;

namespace VirtShell.Harness;

/// <summary>How an item, step or assertion came out.</summary>
public enum Outcome
{
    Passed,

    /// <summary>It ran, and something was not as the suite says.</summary>
    Failed,

    /// <summary>It could not be run: a missing kernel, a failing disk image, an error in our own engine.</summary>
    Error,

    /// <summary>A step that was not reached because an earlier one failed.</summary>
    Skipped,

    /// <summary>The run was cut short before it ended.</summary>
    Cancelled,
}

/// <summary>What one item came to.</summary>
public sealed record ItemResult
{
    public required ItemInfo Item { get; init; }

    /// <summary>The item's full name.</summary>
    public string Name => Item.Name;

    public required Outcome Outcome { get; init; }

    /// <summary>Why it did not pass, in one or a few lines; empty for a passed item.</summary>
    public string Message { get; init; } = string.Empty;

    /// <summary>Host time.</summary>
    public TimeSpan Duration { get; init; }

    public IReadOnlyList<StepResult> Steps { get; init; } = [];

    public IReadOnlyList<AssertionResult> Assertions { get; init; } = [];

    public IReadOnlyList<MetricResult> Metrics { get; init; } = [];

    /// <summary>How the guest's run ended.</summary>
    public VmEndKind End { get; init; }

    /// <summary>The debug exit port's value, where <see cref="End"/> is <see cref="VmEndKind.DebugExit"/>.</summary>
    public int EndCode { get; init; }

    public CrashReport? CrashReport { get; init; }

    /// <summary>Everything that the guest sent on COM1.</summary>
    public byte[] Serial { get; init; } = [];

    /// <summary><see cref="Serial"/> as text (UTF-8, invalid bytes replaced).</summary>
    public string SerialText => Encoding.UTF8.GetString(Serial);

    /// <summary>The VM's configuration in words, for reports: name to value.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Configuration { get; init; } = [];
}

/// <summary>What one step came to.</summary>
public sealed record StepResult
{
    /// <summary>From 1.</summary>
    public required int Number { get; init; }

    /// <summary>The step in one line: <c>expect "login:"</c>.</summary>
    public required string Description { get; init; }

    public required Outcome Outcome { get; init; }

    /// <summary>Why it failed, or what it found.</summary>
    public string Message { get; init; } = string.Empty;

    /// <summary>Guest time at which it began, since power-on.</summary>
    public TimeSpan StartedAt { get; init; }

    /// <summary>Guest time that it took.</summary>
    public TimeSpan GuestTime { get; init; }

    /// <summary>Instructions that the guest retired during it.</summary>
    public long Instructions { get; init; }

    /// <summary>For <c>run</c>: what the command printed; else null.</summary>
    public string? Output { get; init; }

    /// <summary>For <c>run</c>: the command's exit status; else null.</summary>
    public int? ExitStatus { get; init; }

    /// <summary>What the screen showed at the step's end: of <c>screenshot</c>, and of a step that failed on a machine with a display; else null.</summary>
    public ScreenSnapshot? Screen { get; init; }
}

/// <summary>What one assertion came to.</summary>
/// <param name="Name">The assertion in one line: <c>end is poweroff</c>.</param>
/// <param name="Outcome">Passed, failed, or skipped where it could not be judged.</param>
/// <param name="Message">What was found.</param>
public sealed record AssertionResult(string Name, Outcome Outcome, string Message);

/// <summary>One measured value.</summary>
public sealed record MetricResult
{
    /// <summary><c>instructions</c>, <c>guest-time</c>, <c>serial-bytes</c>, <c>peak-memory</c>, or a counter of the engine: <c>engine-tlb-misses</c>.</summary>
    public required string Name { get; init; }

    /// <summary>Instructions, nanoseconds, bytes or a count.</summary>
    public required long Value { get; init; }

    /// <summary>The value for people: "2.75 G", "1.4 s", "38.2 MiB".</summary>
    public required string Display { get; init; }

    /// <summary>The baseline's value, where the suite compares with one.</summary>
    public long? Baseline { get; init; }

    /// <summary>Relative difference from the baseline: 0.01 is one percent more.</summary>
    public double? Change => Baseline is > 0 ? ((double)Value - Baseline.Value) / Baseline.Value : null;
}
