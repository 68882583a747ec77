using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;

namespace VirtShell.Bench.Results;

/// <summary>A promise about speed, and what was reached.</summary>
/// <param name="Name">What is promised.</param>
/// <param name="Limit">The figure to reach.</param>
/// <param name="IsMost">Whether the figure is a maximum instead of a minimum.</param>
/// <param name="Reached">What was measured; null where it was not.</param>
public sealed record Mark(string Name, double Limit, bool IsMost, double? Reached)
{
    /// <summary>Whether it holds. What was not measured does not.</summary>
    public bool Holds => Reached is { } figure && (IsMost ? figure <= Limit : figure >= Limit);

    public string Verdict => Holds ? "PASS" : Reached is null ? "NOT MEASURED" : "MISS";

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Verdict,-12}  {Name,-46} {(IsMost ? "at most" : "at least"),8} {Limit,5:F1}x   {(Reached is { } figure ? figure.ToString("F2", CultureInfo.InvariantCulture) + "x" : "-")}");
}

/// <summary>The marks that are set for this project.</summary>
public static class Marks
{
    private const double IntegerAgainstQemu = 1.8;
    private const double IntegerAgainstNative = 1.9;
    private const double FloatingAgainstQemu = 10;
    private const double MemoryAgainstQemu = 1.5;
    private const double EachSystemAgainstQemu = 1.0;
    private const double SystemAgainstQemu = 2.5;
    private const double BootAgainstQemu = 1.5;
    private const double AllAgainstIcount = 3;

    public static IReadOnlyList<Mark> Of(Summary summary)
    {
        ArgumentNullException.ThrowIfNull(summary);
        return
        [
            Least("integer, speed against QEMU", IntegerAgainstQemu, summary.Mean(BenchGroup.Integer, AgainstQemu)),
            new Mark("integer, time against native", IntegerAgainstNative, true, summary.Mean(BenchGroup.Integer, row => row.Slowdown)),
            Least("memory, speed against QEMU", MemoryAgainstQemu, summary.Mean(BenchGroup.Memory, AgainstQemu)),
            Least("floating point and SIMD, speed against QEMU", FloatingAgainstQemu, summary.Mean(BenchGroup.Floating, AgainstQemu)),
            Least("system, speed against QEMU", SystemAgainstQemu, summary.Mean(BenchGroup.System, AgainstQemu)),
            .. BenchCatalog.All.Where(p => p.Group == BenchGroup.System).Select(p =>
                Least($"{p.Name}, speed against QEMU", EachSystemAgainstQemu, summary.Programs.FirstOrDefault(r => r.Name == p.Name)?.SpeedAgainst(Contestant.Qemu))),
            Least("boot to shell, speed against QEMU", BootAgainstQemu, summary.Boot?.SpeedAgainst(Contestant.Qemu)),
            Least("all programs, speed against QEMU -icount", AllAgainstIcount, summary.Mean(null, row => row.SpeedAgainst(Contestant.QemuIcount))),
        ];
    }

    private static double? AgainstQemu(ResultRow row) => row.SpeedAgainst(Contestant.Qemu);

    private static Mark Least(string name, double limit, double? reached) => new(name, limit, false, reached);
}
