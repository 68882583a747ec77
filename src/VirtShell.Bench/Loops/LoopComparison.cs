using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text.Json;
using System.Threading;
using VirtShell.Bench.Building;
using VirtShell.Bench.Results;
using VirtShell.Cpu;
using VirtShell.Cpu.Memory;

namespace VirtShell.Bench.Loops;

/// <summary>A loop in both: the same code and the same number of instructions.</summary>
/// <param name="Loop">Its name.</param>
/// <param name="Instructions">Guest instructions of one run.</param>
/// <param name="VirtShell">Times in VirtShell, milliseconds.</param>
/// <param name="Bochs">Times in Bochs, milliseconds.</param>
public sealed record LoopResult(string Loop, long Instructions, Measure VirtShell, Measure Bochs)
{
    /// <summary>How many times faster VirtShell is.</summary>
    public double Ratio => Bochs.Median / VirtShell.Median;

    /// <summary>Millions of instructions per second of a time in milliseconds.</summary>
    public double Speed(double milliseconds) => Instructions / milliseconds / 1000;
}

/// <summary>Runs the integer loops in VirtShell's processor and in Bochs, in turned order in every other repetition.</summary>
public sealed class LoopComparison(EngineKind engine, int repeat, int percent, BenchClock clock, IProgress<string> progress)
{
    private const ulong MemoryBytes = 64UL << 20;
    private const long Slice = 50_000_000;

    // The .NET runtime compiles the interpreter itself at a higher level only after a while.
    private const int WarmUpPercent = 10;

    /// <summary>What Bochs calls itself, known after <see cref="Run"/>.</summary>
    public string BochsVersion { get; private set; } = string.Empty;

    /// <exception cref="BenchException">Bochs is missing or failed.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellation"/> was signalled.</exception>
    public IReadOnlyList<LoopResult> Run(CancellationToken cancellation)
    {
        BochsMachine bochs = BochsMachine.Find();
        BochsVersion = bochs.Version(cancellation);
        byte[] floppy = LoopImage.Floppy(percent);
        List<LoopSample> ours = [];
        List<LoopSample> theirs = [];
        progress.Report("virtshell: warming up");
        RunHere(WarmUpPercent, cancellation);
        for (int repetition = 1; repetition <= repeat; repetition++)
        {
            bool oursFirst = repetition % 2 == 1;
            foreach (bool here in (bool[])[oursFirst, !oursFirst])
            {
                progress.Report(string.Create(CultureInfo.InvariantCulture, $"{repetition}/{repeat} {(here ? "virtshell" : "bochs")}: {LoopPrograms.All.Count} loops"));
                (here ? ours : theirs).AddRange(here ? RunHere(percent, cancellation) : bochs.Run(floppy, cancellation));
            }
        }

        return [.. LoopPrograms.All.Select(loop => new LoopResult(
            loop.Name,
            ours.First(s => s.Loop == loop.Name).Instructions ?? 0,
            Times(ours, loop.Name),
            Times(theirs, loop.Name)))];
    }

    /// <summary>Millions of instructions per second of both, and how many times faster VirtShell is.</summary>
    public static string Format(IReadOnlyList<LoopResult> results, bool markdown)
    {
        List<string[]> rows = [["loop", "million instructions", "VirtShell ms", "Bochs ms", "VirtShell MIPS", "Bochs MIPS", "against Bochs"]];
        rows.AddRange(results.Select(r => (string[])
        [
            r.Loop,
            Number(r.Instructions / 1e6),
            ResultTable.Time(r.VirtShell),
            ResultTable.Time(r.Bochs),
            Number(r.Speed(r.VirtShell.Median)),
            Number(r.Speed(r.Bochs.Median)),
            $"{r.Ratio:F2}x",
        ]));
        rows.Add(["= all loops", string.Empty, string.Empty, string.Empty, string.Empty, string.Empty, $"{Mean(results):F2}x"]);
        return ResultTable.Layout(rows, markdown);
    }

    /// <summary>Writes the results as JSON.</summary>
    public static void WriteJson(IReadOnlyList<LoopResult> results, string bochsVersion, Stream stream)
    {
        using var json = new Utf8JsonWriter(stream, new JsonWriterOptions { Indented = true });
        json.WriteStartObject();
        json.WriteString("bochs", bochsVersion);
        json.WriteString("hostProcessor", ResultJson.HostProcessor());
        json.WriteStartArray("loops");
        foreach (LoopResult result in results)
        {
            json.WriteStartObject();
            json.WriteString("loop", result.Loop);
            json.WriteNumber("instructions", result.Instructions);
            json.WriteNumber("virtshellMilliseconds", Math.Round(result.VirtShell.Median, 3));
            json.WriteNumber("bochsMilliseconds", Math.Round(result.Bochs.Median, 3));
            json.WriteNumber("ratio", Math.Round(result.Ratio, 4));
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteNumber("geometricMean", Math.Round(Mean(results), 4));
        json.WriteEndObject();
    }

    private static double Mean(IReadOnlyList<LoopResult> results) => Statistics.GeometricMean(results.Select(r => (double?)r.Ratio)) ?? 0;

    private Measure Times(IEnumerable<LoopSample> samples, string loop) =>
        Statistics.Of(samples.Where(s => s.Loop == loop).Select(s => s.Time(clock) ?? throw new BenchException("this host cannot tell processor times: use --clock wall.")))!;

    private static string Number(double value) => value.ToString("F1", CultureInfo.InvariantCulture);

    private IReadOnlyList<LoopSample> RunHere(int work, CancellationToken cancellation)
    {
        using PhysicalMemory memory = new(MemoryBytes);
        LoopBus bus = new();
        using Vcpu cpu = new(memory, bus, CpuModel.X86_64_V3, engine: engine);
        LoopReader reader = new(() => ProcessTime.Of(Environment.ProcessId));
        bus.Told = value => reader.Feed(value, Stopwatch.GetTimestamp(), cpu.InstructionsRetired);
        LoopImage.Load(cpu, memory, work);
        while (!reader.IsDone)
        {
            cancellation.ThrowIfCancellationRequested();
            if (cpu.Run(Slice) is not ExitReason.BudgetSpent && !reader.IsDone)
            {
                throw new BenchException("virtshell: the loops ended too early.");
            }
        }

        return reader.Samples;
    }
}
