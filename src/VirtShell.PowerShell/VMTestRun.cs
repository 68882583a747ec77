using System;
using System.Collections.Generic;
using VirtShell.Harness;

namespace VirtShell.PowerShell;

/// <summary>What a run of suites came to, as Invoke-VMTest -Summary gives it out.</summary>
public sealed class VMTestRun
{
    private readonly RunResult _run;

    internal VMTestRun(RunResult run, IReadOnlyList<VMTestResult> items, string? reportPath)
    {
        _run = run;
        Items = items;
        ReportPath = reportPath;
    }

    /// <summary>Whether every item passed.</summary>
    public bool Success => _run.Success;

    public int Total => Items.Count;

    public int Passed => _run.Passed;

    public int Failed => _run.Failed;

    /// <summary>Items that could not be run.</summary>
    public int Errors => _run.Errors;

    /// <summary>Items that the run was cut short before.</summary>
    public int NotRun => _run.NotRun;

    public TimeSpan Duration => _run.Duration;

    public DateTime StartTime => _run.StartedAt.LocalDateTime;

    /// <summary>The HTML report; null where none was asked for.</summary>
    public string? ReportPath { get; }

    /// <summary>What the console program would exit with: 0 all passed, 1 some failed, 2 some could not be run.</summary>
    public int ExitCode => _run.ExitCode;

    public IReadOnlyList<string> UpdatedBaselines => _run.UpdatedBaselines;

    /// <summary>In suite order.</summary>
    public IReadOnlyList<VMTestResult> Items { get; }
}
