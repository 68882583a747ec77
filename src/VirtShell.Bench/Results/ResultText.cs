using System;
using System.Globalization;

namespace VirtShell.Bench.Results;

/// <summary>Lines around the table.</summary>
public static class ResultText
{
    /// <summary>What was compared, on what: two lines.</summary>
    public static string Heading(BenchResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        string engine = result.EngineUsed?.ToString().ToLowerInvariant() ?? "not run";
        string qemu = result.QemuVersion is { } version ? $"{version.Split('(')[0].Trim()}, -cpu {result.Options.QemuCpu}" : "no QEMU";
        string repetitions = result.Options.Repeat == 1 ? "one run" : $"medians of {result.Options.Repeat} runs, ± half the range";
        string work = result.Options.Percent == 100 ? string.Empty : string.Create(CultureInfo.InvariantCulture, $"; {result.Options.Percent}% of the normal work");
        string clock = result.Options.Clock == BenchClock.Processor ? "processor time; " : string.Empty;
        return $"VirtShell: {engine}; {qemu}; {result.Compiler}; kernel {result.Kernel}\n"
            + $"{ResultJson.HostProcessor()}, {Environment.ProcessorCount} processors, {result.Began:yyyy-MM-dd HH:mm} UTC; {clock}{repetitions}{work}";
    }
}
