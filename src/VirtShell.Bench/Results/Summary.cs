using System;
using System.Collections.Generic;
using System.Linq;

namespace VirtShell.Bench.Results;

/// <summary>A row of the table: what each contestant needed, in milliseconds.</summary>
/// <param name="Name">The program's name, or what a group is called.</param>
/// <param name="Group">Its group; null for the boot.</param>
/// <param name="Times">The contestants that ran it.</param>
public sealed record ResultRow(string Name, BenchGroup? Group, IReadOnlyDictionary<Contestant, Measure> Times)
{
    /// <summary>How many times faster VirtShell is than the other.</summary>
    public double? SpeedAgainst(Contestant other) => Quotient(other, Contestant.VirtShell);

    /// <summary>How many times longer VirtShell takes than the host.</summary>
    public double? Slowdown => Quotient(Contestant.VirtShell, Contestant.Native);

    public Measure? Time(Contestant contestant) => Times.GetValueOrDefault(contestant);

    private double? Quotient(Contestant above, Contestant below) =>
        Time(above) is { } upper && Time(below) is { Median: > 0 } lower ? upper.Median / lower.Median : null;
}

/// <summary>All samples of a comparison, put together.</summary>
public sealed class Summary
{
    public const string BootRow = "boot to shell";

    private Summary(IReadOnlyList<ResultRow> programs, ResultRow? boot, IReadOnlyList<string> disagreements)
    {
        Programs = programs;
        Boot = boot;
        Disagreements = disagreements;
    }

    /// <summary>A row for each program, in catalogue order.</summary>
    public IReadOnlyList<ResultRow> Programs { get; }

    public ResultRow? Boot { get; }

    /// <summary>Programs that did not compute the same everywhere, with what they computed.</summary>
    public IReadOnlyList<string> Disagreements { get; }

    /// <summary>Puts samples together by one of the clocks; what it did not take is left out.</summary>
    public static Summary Of(IReadOnlyList<Sample> samples, IReadOnlyList<BootSample> boots, BenchClock clock = BenchClock.Wall)
    {
        ArgumentNullException.ThrowIfNull(samples);
        ArgumentNullException.ThrowIfNull(boots);
        List<ResultRow> rows = [];
        List<string> disagreements = [];
        foreach (BenchProgram program in BenchCatalog.All)
        {
            Sample[] own = [.. samples.Where(s => s.Program == program.Name)];
            if (own.Length == 0)
            {
                continue;
            }

            rows.Add(new ResultRow(program.Name, program.Group, Measures(own.Select(s => (s.Contestant, s.Time(clock))))));
            string[] sums = [.. own.Select(s => $"{s.Contestant.Word()} {s.Checksum:x16}").Distinct()];
            if (own.Select(s => s.Checksum).Distinct().Skip(1).Any())
            {
                disagreements.Add($"{program.Name}: {string.Join(", ", sums)}");
            }
        }

        ResultRow? boot = boots.Count == 0 ? null : new ResultRow(BootRow, null, Measures(boots.Select(b => (b.Contestant, b.Time(clock)))));
        return new Summary(rows, boot, disagreements);
    }

    /// <summary>The geometric mean of a figure over a group (null: over all programs); null unless every program of the catalogue's group has it.</summary>
    public double? Mean(BenchGroup? group, Func<ResultRow, double?> figure)
    {
        ResultRow[] rows = [.. Programs.Where(r => group is null || r.Group == group)];
        int expected = BenchCatalog.All.Count(p => group is null || p.Group == group);
        return rows.Length == expected ? Statistics.GeometricMean(rows.Select(figure)) : null;
    }

    private static Dictionary<Contestant, Measure> Measures(IEnumerable<(Contestant Contestant, double? Milliseconds)> samples) =>
        samples.Where(s => s.Milliseconds is not null).GroupBy(s => s.Contestant).ToDictionary(g => g.Key, g => Statistics.Of(g.Select(s => s.Milliseconds!.Value))!);
}
