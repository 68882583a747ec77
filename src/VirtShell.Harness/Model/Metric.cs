using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Cpu;
using VirtShell.Harness.Yaml;
using VirtShell.Host;
using VirtShell.Settings;

namespace VirtShell.Harness.Model;

/// <summary>One measure of a run, as suites bound it, baselines hold it and reports show it.</summary>
/// <param name="Name">As written in suites and baselines.</param>
/// <param name="Meaning">For editors.</param>
/// <param name="Unit">How bounds are written.</param>
/// <param name="Format">How values are shown.</param>
/// <param name="Measure">Reads it off a finished run.</param>
internal sealed record Metric(string Name, string Meaning, Kind<long> Unit, Func<long, string> Format, Func<VmMetrics, VmEngineMetrics, long> Measure)
{
    private const string EnginePrefix = "engine-";

    /// <summary>Every metric: what the guest used, then the counters of the engine.</summary>
    public static IReadOnlyList<Metric> All { get; } =
    [
        new("instructions", "Instructions retired.", Kinds.Count, Units.FormatCount, (m, _) => m.Instructions),
        new("guest-time", "Guest time from power-on to the end.", Kinds.Duration, Units.FormatDuration, (m, _) => m.GuestTime.Ticks * 100),
        new("serial-bytes", "Bytes sent on COM1.", Kinds.Size, Units.FormatSize, (m, _) => m.SerialBytes),
        new("peak-memory", "The most host memory that the guest's RAM took.", Kinds.Size, Units.FormatSize, (m, _) => m.PeakMemoryBytes),
        .. VmEngineMetrics.Names.Select(Counter),
    ];

    /// <summary>Whether it tells of the engine and not of the guest.</summary>
    public bool IsEngine => IsEngineName(Name);

    public static bool IsEngineName(string name) => name.StartsWith(EnginePrefix, StringComparison.Ordinal);

    public static Metric Find(string name) => All.First(m => m.Name == name);

    /// <summary>Whether bounds on it hold in a run whose engine is <paramref name="forced"/> (null: the suite's own): what one engine counts says nothing of the other.</summary>
    public bool Judges(VmSpec vm, EngineKind? forced) =>
        !IsEngine || forced is null || (forced == EngineKind.Interpreter) == (vm.Definition.Engine == EngineKind.Interpreter);

    private static Metric Counter(string name)
    {
        bool isBytes = name.EndsWith("Bytes", StringComparison.Ordinal);
        return new(
            EnginePrefix + VmEngineMetrics.Word(name),
            $"The engine's counter {name}.",
            isBytes ? Kinds.Size : Kinds.Count,
            isBytes ? Units.FormatSize : Units.FormatCount,
            (_, engine) => engine.Values.First(v => v.Key == name).Value);
    }
}
