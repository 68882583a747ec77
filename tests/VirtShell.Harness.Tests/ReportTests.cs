using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml.Linq;
using VirtShell.Harness.Reports;
using VirtShell.Host;
using Xunit;

namespace VirtShell.Harness.Tests;

public sealed class ReportTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("virtshell-test-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void JUnit_is_well_formed_for_any_serial_bytes()
    {
        byte[] all = [.. Enumerable.Range(0, 256).Select(i => (byte)i)];
        var random = new Random(7);
        byte[] noise = new byte[200_000];
        random.NextBytes(noise);
        RunResult run = Run(Item(0, Outcome.Passed, all), Item(1, Outcome.Failed, noise, "]]> & <tag> \x01 \uFFFF"), Item(2, Outcome.Error, []), Item(3, Outcome.Cancelled, []));

        XElement root = XDocument.Load(Write(run, ReportFiles.WriteJUnit)).Root!;

        Assert.Equal(("4", "1", "1", "1"), (root.Attribute("tests")!.Value, root.Attribute("failures")!.Value, root.Attribute("errors")!.Value, root.Element("testsuite")!.Attribute("skipped")!.Value));
        Assert.Equal(4, root.Descendants("testcase").Count());
        Assert.Contains("]]> & <tag>", root.Descendants("failure").Single().Value, StringComparison.Ordinal);
    }

    [Fact]
    public void Json_holds_everything_and_parses()
    {
        RunResult run = Run(Item(0, Outcome.Failed, [0, 1, 2, 255], crash: Crash()));

        using JsonDocument document = JsonDocument.Parse(File.ReadAllBytes(Write(run, ReportFiles.WriteJson)));
        JsonElement item = document.RootElement.GetProperty("items")[0];

        Assert.Equal("failed", item.GetProperty("outcome").GetString());
        Assert.Equal("triple-fault", item.GetProperty("end").GetString());
        Assert.Equal("0x00000000dead0000", item.GetProperty("crash").GetProperty("registers").GetProperty("RIP").GetString());
        Assert.Equal(1000, item.GetProperty("metrics").GetProperty("instructions").GetProperty("value").GetInt64());
    }

    [Fact]
    public void Html_needs_nothing_else_and_holds_no_live_content_of_guests()
    {
        byte[] evil = Encoding.UTF8.GetBytes("<script>alert(1)</script><img src=http://x/y>\x1b]0;t\x07 &amp; \0");
        RunResult run = Run(Item(0, Outcome.Failed, evil, "<b>&", Crash()), Item(1, Outcome.Passed, evil));

        string page = File.ReadAllText(Write(run, ReportFiles.WriteHtml));

        Assert.DoesNotContain("<script>alert", page, StringComparison.Ordinal);
        Assert.DoesNotContain("<img", page, StringComparison.Ordinal);
        Assert.DoesNotMatch(new Regex("(src|href)=\"(?!#)"), page);
        Assert.DoesNotContain(page, c => char.IsControl(c) && c is not '\n' and not '\t');
        Assert.Contains("&lt;script&gt;alert(1)", page, StringComparison.Ordinal);
        foreach (string element in new[] { "div", "section", "details", "table", "ol", "ul", "pre", "header", "dl" })
        {
            Assert.Equal(Regex.Count(page, $"<{element}[ >]"), Regex.Count(page, $"</{element}>"));
        }
    }

    [Fact]
    public void All_reports_and_serial_logs_are_written_byte_for_byte()
    {
        byte[] serial = [1, 2, 3, 0, 255];
        string page = ReportFiles.WriteAll(Run(Item(0, Outcome.Passed, serial)), Path.Combine(_folder, "deep", "er"));

        Assert.True(File.Exists(page));
        string log = Assert.Single(Directory.GetFiles(Path.Combine(_folder, "deep", "er", "serial"), "*.log"));
        Assert.Equal(serial, File.ReadAllBytes(log));
        Assert.Equal("001-suite-test-0-128m.log", Path.GetFileName(log));
    }

    [Fact]
    public void JUnit_keeps_to_the_schema_that_Jenkins_checks_by()
    {
        RunResult run = Run(Item(0, Outcome.Passed, [7]), Item(1, Outcome.Failed, [8], "a\nb", Crash()), Item(2, Outcome.Error, [], "x"), Item(3, Outcome.Cancelled, []));

        Assert.Empty(JUnitSchema.Violations(XDocument.Load(Write(run, ReportFiles.WriteJUnit)).Root!));
    }

    [Fact]
    public void Json_holds_a_bounded_part_of_the_serial_log_and_names_the_file()
    {
        byte[] serial = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat("line \U0001F600\n", 100_000)));
        string target = Path.Combine(_folder, "all");
        ReportFiles.WriteAll(Run(Item(0, Outcome.Passed, serial)), target);

        byte[] json = File.ReadAllBytes(Path.Combine(target, "report.json"));
        using JsonDocument document = JsonDocument.Parse(json);
        JsonElement item = document.RootElement.GetProperty("items")[0];
        Assert.InRange(json.Length, 1, 200_000);
        Assert.Equal(serial.Length, item.GetProperty("serial-bytes").GetInt64());
        Assert.EndsWith("line \U0001F600\n", item.GetProperty("serial").GetString(), StringComparison.Ordinal);
        Assert.Equal(serial, File.ReadAllBytes(Path.Combine(target, item.GetProperty("serial-file").GetString()!)));
    }

    [Fact]
    public void Logs_of_the_run_before_go_and_nothing_else_does()
    {
        string serial = Path.Combine(_folder, "serial");
        ReportFiles.WriteAll(Run(Item(0, Outcome.Passed, [1]), Item(1, Outcome.Passed, [2])), _folder);
        File.WriteAllText(Path.Combine(serial, "004-mine.log"), "mine");
        File.WriteAllText(Path.Combine(_folder, "precious.log"), "mine");
        File.AppendAllText(Path.Combine(serial, ".virtshell-logs"), "../precious.log\n../../precious.log\n");

        ReportFiles.WriteAll(Run(Item(0, Outcome.Passed, [3])), _folder);

        Assert.Equal(["001-suite-test-0-128m.log", "004-mine.log"], Directory.GetFiles(serial, "*.log").Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.True(File.Exists(Path.Combine(_folder, "precious.log")));
    }

    [Fact]
    public void What_cannot_be_written_is_told_and_keeps_nothing_else_from_being_written()
    {
        // A file where the folder of the logs belongs, and a folder where the page belongs.
        File.WriteAllText(Path.Combine(_folder, "serial"), string.Empty);
        Directory.CreateDirectory(Path.Combine(_folder, "report.html", "x"));

        ReportException e = Assert.Throws<ReportException>(() => ReportFiles.WriteAll(Run(Item(0, Outcome.Passed, [1])), _folder));

        Assert.Contains("report.html", e.Message, StringComparison.Ordinal);
        Assert.Equal(["junit.xml", "report.json", "serial"], Directory.GetFiles(_folder).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void A_folder_that_cannot_take_reports_is_known_before_the_run()
    {
        File.WriteAllText(Path.Combine(_folder, "file"), string.Empty);

        Assert.Throws<ReportException>(() => ReportFiles.Probe(Path.Combine(_folder, "file", "below")));
        ReportFiles.Probe(Path.Combine(_folder, "new"));
        Assert.Empty(Directory.GetFiles(Path.Combine(_folder, "new")));
    }

    [Theory]
    [InlineData(new[] { Outcome.Passed }, 0)]
    [InlineData(new[] { Outcome.Passed, Outcome.Failed }, 1)]
    [InlineData(new[] { Outcome.Failed, Outcome.Error }, 2)]
    public void Exit_codes(Outcome[] outcomes, int code) => Assert.Equal(code, Run([.. outcomes.Select((o, i) => Item(i, o, []))]).ExitCode);

    private static RunResult Run(params ItemResult[] items) => new() { StartedAt = DateTimeOffset.UnixEpoch, Duration = TimeSpan.FromSeconds(2), Items = items };

    private static ItemResult Item(int index, Outcome outcome, byte[] serial, string message = "", CrashReport? crash = null) => new()
    {
        Item = new ItemInfo(index, "suite.yaml", "suite", "test", $"suite / test ({index}, 128M)", [new("index", $"{index}"), new("memory", "128M")]),
        Outcome = outcome,
        Message = message,
        Duration = TimeSpan.FromSeconds(1),
        End = crash is null ? VmEndKind.PowerOff : VmEndKind.TripleFault,
        Serial = serial,
        CrashReport = crash,
        Steps = [new StepResult { Number = 1, Description = "expect <x>", Outcome = outcome, Output = "a\x1bb", GuestTime = TimeSpan.FromSeconds(1) }],
        Assertions = [new AssertionResult("end is <poweroff>", outcome, "a & b")],
        Metrics = [new MetricResult { Name = "instructions", Value = 1000, Display = "1 K", Baseline = 990 }],
        Configuration = [new KeyValuePair<string, string>("guest", "<hello>")],
    };

    private static CrashReport Crash() => new()
    {
        VmName = "vm",
        Kind = VmEndKind.TripleFault,
        Summary = "Triple fault <at> 0xdead0000.",
        At = DateTimeOffset.UnixEpoch,
        Instructions = 1000,
        GuestTime = TimeSpan.FromSeconds(1),
        Mode = "32-bit",
        Registers = [new("RAX", 0), new("RIP", 0xdead0000)],
        Disassembly = ["   nop", "=> ud2"],
        StackAddress = 0x1000,
        StackBytes = [.. Enumerable.Range(0, 40).Select(i => (byte)i)],
        SerialTail = ["x"],
    };

    private string Write(RunResult run, Action<RunResult, string> write)
    {
        string path = Path.Combine(_folder, "report");
        write(run, path);
        return path;
    }
}
