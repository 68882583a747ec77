using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Bench.Results;
using Xunit;

namespace VirtShell.Bench.Tests;

public sealed class SummaryTests
{
    [Fact]
    public void Ratios_compare_medians()
    {
        List<Sample> samples =
        [
            new(Contestant.Native, "sieve", 1, 20, 1),
            new(Contestant.VirtShell, "sieve", 1, 50, 1),
            new(Contestant.VirtShell, "sieve", 2, 40, 1),
            new(Contestant.VirtShell, "sieve", 3, 900, 1),
            new(Contestant.Qemu, "sieve", 1, 100, 1),
        ];
        ResultRow row = Assert.Single(Summary.Of(samples, []).Programs);

        Assert.Equal(2, row.SpeedAgainst(Contestant.Qemu));
        Assert.Equal(2.5, row.Slowdown);
        Assert.Null(row.SpeedAgainst(Contestant.QemuIcount));
    }

    [Fact]
    public void Either_clock_can_be_compared()
    {
        Sample[] samples = [new(Contestant.VirtShell, "sieve", 1, 500, 1, 50), new(Contestant.Qemu, "sieve", 1, 100, 1, 100), new(Contestant.Native, "sieve", 1, 20, 1)];
        ResultRow row = Assert.Single(Summary.Of(samples, [], BenchClock.Processor).Programs);

        Assert.Equal(2, row.SpeedAgainst(Contestant.Qemu));
        Assert.Null(row.Time(Contestant.Native));
    }

    [Fact]
    public void A_mean_needs_the_whole_group()
    {
        Summary whole = Summary.Of(MadeUp.Of(0.5, 0.25, 2), []);
        Summary part = Summary.Of(MadeUp.Of(0.5, 0.25, 2, p => p.Name != "sieve"), []);

        Assert.Equal(2, whole.Mean(BenchGroup.Integer, r => r.SpeedAgainst(Contestant.Qemu))!.Value, 9);
        Assert.Null(part.Mean(BenchGroup.Integer, r => r.SpeedAgainst(Contestant.Qemu)));
        Assert.Equal(4, part.Mean(BenchGroup.Memory, r => r.SpeedAgainst(Contestant.QemuIcount))!.Value, 9);
        Assert.Null(part.Mean(null, r => r.SpeedAgainst(Contestant.QemuIcount)));
    }

    [Fact]
    public void Another_result_is_told_with_who_computed_what()
    {
        List<Sample> samples = [new(Contestant.Native, "sieve", 1, 1, 1), new(Contestant.Qemu, "sieve", 1, 1, 1), new(Contestant.VirtShell, "sieve", 1, 1, 2)];

        Assert.Equal("sieve: native 0000000000000001, qemu 0000000000000001, virtshell 0000000000000002", Assert.Single(Summary.Of(samples, []).Disagreements));
        Assert.Empty(Summary.Of(samples[..2], []).Disagreements);
    }

    [Theory]
    [InlineData(0.05, 0.04, 2, 1.0 / 2, 0)]
    [InlineData(0.5, 0.2, 2, 1.0 / 2, 3)]
    [InlineData(4, 0.1, 2, 2, 12)]
    public void Marks_are_missed_where_figures_fall_short(double virtShell, double native, double icount, double boot, int missed)
    {
        Summary summary = Summary.Of(MadeUp.Of(virtShell, native, icount), Boots(boot));
        IReadOnlyList<Mark> marks = Marks.Of(summary);

        Assert.Equal(missed, marks.Count(m => !m.Holds));
        Assert.DoesNotContain(marks, m => m.Reached is null);
        Assert.All(marks, m => Assert.StartsWith(m.Holds ? "PASS " : "MISS ", m.ToString(), StringComparison.Ordinal));
    }

    [Fact]
    public void What_was_not_measured_does_not_hold()
    {
        IReadOnlyList<Mark> marks = Marks.Of(Summary.Of([], []));

        Assert.All(marks, m => Assert.False(m.Holds));
        Assert.All(marks, m => Assert.StartsWith("NOT MEASURED", m.ToString(), StringComparison.Ordinal));
        Assert.All(BenchCatalog.All.Where(p => p.Group == BenchGroup.System), p => Assert.Contains(marks, m => m.Name.StartsWith(p.Name, StringComparison.Ordinal)));
    }

    private static BootSample[] Boots(double virtShell) => [new(Contestant.Qemu, 1, 1000), new(Contestant.VirtShell, 1, 1000 * virtShell)];
}
