using System.Collections.Generic;
using VirtShell.Harness.Yaml;

namespace VirtShell.Harness.Model;

/// <summary>A suite file's frame; its tests are bound once their matrix is known.</summary>
internal sealed class SuiteSpec : IPlaced
{
    public Mark Mark { get; set; }

    public string Name { get; set; } = string.Empty;

    public string Description { get; set; } = string.Empty;

    /// <summary>Path of the baseline file, relative to the suite.</summary>
    public string? Baseline { get; set; }

    public SuiteNode? Defaults { get; set; }

    public SuiteNode? Tests { get; set; }
}

/// <summary>A test for one combination of its matrix.</summary>
internal sealed class TestSpec : IPlaced
{
    public Mark Mark { get; set; }

    public string Name { get; set; } = string.Empty;

    public string Description { get; set; } = string.Empty;

    public SuiteNode? Matrix { get; set; }

    public VmSpec Vm { get; set; } = new();

    public IReadOnlyList<StepSpec> Steps { get; set; } = [];

    public AssertSpec Assert { get; set; } = new();

    public IReadOnlyList<NeighbourSpec> Neighbours { get; set; } = [];

    public LimitSpec Limits { get; set; } = new();

    public TextPattern Prompt { get; set; } = TextPattern.FromRegex(@"[#$] $");
}

/// <summary>What must be true of a run.</summary>
internal sealed class AssertSpec
{
    /// <summary>Ends that are right; empty where any end but a crash will do.</summary>
    public IReadOnlyList<EndCondition> End { get; set; } = [];

    /// <summary>What must not appear; null where the suite says nothing (then the built-in patterns must not, where a kernel is booted).</summary>
    public IReadOnlyList<TextPattern>? Never { get; set; }

    /// <summary>Names of built-in patterns that may appear all the same.</summary>
    public IReadOnlyList<string> Allow { get; set; } = [];

    /// <summary>What must appear in the serial output, in this order.</summary>
    public IReadOnlyList<TextPattern> Serial { get; set; } = [];

    public MetricsSpec Metrics { get; set; } = new();
}

/// <summary>Bounds on what a run uses, by the names of <see cref="Metric.All"/>.</summary>
internal sealed class MetricsSpec
{
    private readonly Dictionary<string, MetricSpec> _bounds = [];

    public IReadOnlyDictionary<string, MetricSpec> Bounds => _bounds;

    public void Set(string name, MetricSpec bound) => _bounds[name] = bound;
}

/// <summary>Bounds on one metric, in its own unit.</summary>
internal sealed class MetricSpec : IPlaced
{
    public Mark Mark { get; set; }

    public long? Minimum { get; set; }

    public long? Maximum { get; set; }

    public long? Exactly { get; set; }

    /// <summary>Allowed relative difference from the baseline; null where there is no comparison.</summary>
    public double? Tolerance { get; set; }
}

/// <summary>A guest that runs beside the test's own.</summary>
internal sealed class NeighbourSpec : IPlaced
{
    public Mark Mark { get; set; }

    public string? Title { get; set; }

    public VmSpec Vm { get; set; } = new();

    public int Count { get; set; } = 1;

    public IReadOnlyList<EndCondition> End { get; set; } = [];

    /// <summary>Guest time after which it is turned off, in nanoseconds.</summary>
    public long Limit { get; set; } = 10_000_000_000;

    public string Description => Title ?? Vm.Definition.Guest ?? Vm.Definition.Kernel ?? Vm.Definition.Firmware ?? "guest";
}

/// <summary>Limits of a run.</summary>
internal sealed class LimitSpec
{
    /// <summary>Guest time that each step has unless it says otherwise, in nanoseconds.</summary>
    public long Step { get; set; } = 60_000_000_000;

    /// <summary>Guest time of the whole run, in nanoseconds.</summary>
    public long GuestTime { get; set; } = 600_000_000_000;

    /// <summary>Host time of the whole run, in nanoseconds; only a safety net.</summary>
    public long HostTime { get; set; } = 600_000_000_000;

    /// <summary>Bytes on COM1 after which the guest is turned off.</summary>
    public long SerialBytes { get; set; } = 16L << 20;
}
