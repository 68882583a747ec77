using System;
using System.Collections.Generic;
using VirtShell.Cpu;

namespace VirtShell.Bench.Results;

/// <summary>What was measured, and on what.</summary>
public sealed class BenchResult
{
    public required IReadOnlyList<Sample> Samples { get; init; }

    public required IReadOnlyList<BootSample> Boots { get; init; }

    public required BenchOptions Options { get; init; }

    /// <summary>The engine that VirtShell's guests really ran on; null where none ran.</summary>
    public EngineKind? EngineUsed { get; init; }

    /// <summary>QEMU's version; null where it is not installed or not asked for.</summary>
    public string? QemuVersion { get; init; }

    public required string Compiler { get; init; }

    public required string Kernel { get; init; }

    /// <summary>When it began, UTC.</summary>
    public required DateTime Began { get; init; }

    /// <summary>What people should know about this run: what could not be compared, and why.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    public Summary Summary => Summary.Of(Samples, Boots, Options.Clock);
}
