using System;
using System.Collections.Generic;
using System.Linq;

namespace VirtShell.Harness;

/// <summary>What a run came to.</summary>
public sealed record RunResult
{
    public required DateTimeOffset StartedAt { get; init; }

    /// <summary>Host time of the whole run.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>In suite order, whatever order they finished in.</summary>
    public required IReadOnlyList<ItemResult> Items { get; init; }

    /// <summary>Whether the run was cut short from outside (Ctrl+C).</summary>
    public bool Cancelled { get; init; }

    /// <summary>Files of baselines and of pictures of screens that were written.</summary>
    public IReadOnlyList<string> UpdatedBaselines { get; init; } = [];

    public int Passed => Count(Outcome.Passed);

    public int Failed => Count(Outcome.Failed);

    public int Errors => Count(Outcome.Error);

    public int NotRun => Count(Outcome.Cancelled);

    /// <summary>Whether every item passed.</summary>
    public bool Success => !Cancelled && Items.All(i => i.Outcome == Outcome.Passed);

    /// <summary>0: all passed; 1: some failed; 2: some could not be run; 130: cut short.</summary>
    public int ExitCode => Cancelled ? 130 : Errors > 0 ? 2 : Failed > 0 ? 1 : 0;

    private int Count(Outcome outcome) => Items.Count(i => i.Outcome == outcome);
}
