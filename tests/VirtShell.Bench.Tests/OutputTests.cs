using System;
using System.IO;
using System.Linq;
using System.Text.Json;
using VirtShell.Bench.Results;
using VirtShell.Cpu;
using Xunit;

namespace VirtShell.Bench.Tests;

public sealed class OutputTests
{
    [Fact]
    public void The_table_has_a_row_for_each_program_each_group_and_the_boot()
    {
        string[] lines = Lines(markdown: false);

        Assert.Equal(2 + BenchCatalog.All.Count + 4 + 1 + 1, lines.Length);
        Assert.All(BenchCatalog.All, p => Assert.Contains(lines, l => l.StartsWith(p.Name + " ", StringComparison.Ordinal)));
        Assert.Equal(["sieve", "25.0", "50.0", "100.0", "200.0", "2.00x", "4.00x", "2.00x"], lines[2].Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Contains(lines, l => l.StartsWith("= integer", StringComparison.Ordinal) && l.EndsWith("2.00x", StringComparison.Ordinal));
        Assert.StartsWith("boot to shell", lines[^1], StringComparison.Ordinal);
        Assert.EndsWith("-", lines[^1], StringComparison.Ordinal);
    }

    [Fact]
    public void As_Markdown_every_line_has_every_column()
    {
        string[] lines = Lines(markdown: true);

        Assert.All(lines, l => Assert.Equal(9, l.Count(c => c == '|')));
        Assert.Single(lines.Select(l => l.Length).Distinct());
    }

    [Fact]
    public void Several_runs_show_their_spread()
    {
        Sample[] samples = [new(Contestant.Qemu, "set", 1, 90, 1), new(Contestant.Qemu, "set", 2, 100, 1), new(Contestant.Qemu, "set", 3, 110, 1)];

        Assert.Contains("100.0 ±10%", ResultTable.Format(Summary.Of(samples, [])), StringComparison.Ordinal);
    }

    [Fact]
    public void The_JSON_holds_every_sample_and_mark()
    {
        BenchResult result = Result();
        using var stream = new MemoryStream();
        ResultJson.Write(result, stream);
        JsonElement root = JsonDocument.Parse(stream.ToArray()).RootElement;

        Assert.Equal(result.Samples.Count, root.GetProperty("samples").GetArrayLength());
        Assert.Equal(BenchCatalog.All.Count + 1, root.GetProperty("rows").GetArrayLength());
        Assert.Equal(Marks.Of(result.Summary).Count, root.GetProperty("marks").GetArrayLength());
        Assert.Equal("translator", root.GetProperty("engineUsed").GetString());
        Assert.Equal(JsonValueKind.Null, root.GetProperty("qemu").ValueKind);
        JsonElement sample = root.GetProperty("samples")[1];
        Assert.Equal("virtshell", sample.GetProperty("contestant").GetString());
        Assert.Equal("0000000000000007", sample.GetProperty("checksum").GetString());
        Assert.Equal(1_000_000, sample.GetProperty("instructions").GetInt64());
    }

    [Fact]
    public void The_heading_names_engine_and_tools()
    {
        string heading = ResultText.Heading(Result());

        Assert.StartsWith("VirtShell: translator; no QEMU; gcc 12; kernel apt:linux", heading, StringComparison.Ordinal);
        Assert.Contains("2026-01-02 03:04 UTC; one run; 50% of the normal work", heading, StringComparison.Ordinal);
    }

    private static BenchResult Result() => new()
    {
        Samples = MadeUp.Of(0.5, 0.25, 2),
        Boots = [new BootSample(Contestant.Qemu, 1, 3000), new BootSample(Contestant.VirtShell, 1, 1000)],
        Options = new BenchOptions { Programs = BenchCatalog.All, Contestants = Contestants.Parse([]), Repeat = 1, Percent = 50, CacheFolder = "unused" },
        EngineUsed = EngineKind.Translator,
        Compiler = "gcc 12",
        Kernel = "apt:linux",
        Began = new DateTime(2026, 1, 2, 3, 4, 0, DateTimeKind.Utc),
        Notes = ["a note"],
    };

    private static string[] Lines(bool markdown) => ResultTable.Format(Result().Summary, markdown).Split(Environment.NewLine, StringSplitOptions.RemoveEmptyEntries);
}
