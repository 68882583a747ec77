using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using Spectre.Console;
using VirtShell.Cli.Display;
using VirtShell.Harness;
using VirtShell.Harness.Reports;
using VirtShell.Host;

namespace VirtShell.Cli.Commands;

/// <summary><c>virtshell test</c>: runs suites.</summary>
internal static class TestCommand
{
    private static readonly Argument<string[]> s_suites = new("suite") { Description = "Suite files.", Arity = ArgumentArity.OneOrMore };
    private static readonly Option<string?> s_report = new("--report") { Description = "Folder for report.html, report.json, junit.xml and the serial logs.", HelpName = "folder" };
    private static readonly Option<string?> s_jUnit = new("--junit") { Description = "JUnit XML file to write.", HelpName = "file" };
    private static readonly Option<string?> s_json = new("--json") { Description = "JSON file to write.", HelpName = "file" };
    private static readonly Option<string?> s_html = new("--html") { Description = "HTML page to write.", HelpName = "file" };
    private static readonly Option<string?> s_filter = new("--filter") { Description = "Run only items whose name holds this text, or matches it where it has * or ?.", HelpName = "pattern" };
    private static readonly Option<int> s_jobs = new("--jobs", "-j") { Description = "Items that run at the same time. Default: one each processor core.", HelpName = "n" };
    private static readonly Option<bool> s_updateBaseline = new("--update-baseline") { Description = "Write the measured values to the suites' baseline files." };
    private static readonly Option<bool> s_updateReferences = new("--update-references") { Description = "Store what screens show beside the suites, for screen-expect with a picture." };
    private static readonly Option<bool> s_list = new("--list") { Description = "Print the items' names and run nothing." };
    private static readonly Option<string?> s_shardOption = new("--shard") { Description = "Run only this part of the items: 1/4 is the first quarter. Default: JOB_COMPLETION_INDEX and VIRTSHELL_SHARDS, where set.", HelpName = "i/n" };
    private static readonly Option<double> s_hostTimeScale = new("--host-time-scale") { Description = "Factor on the host-time safety limits, for very slow hosts.", HelpName = "factor", DefaultValueFactory = _ => 1 };
    private static readonly Option<string?> s_engine = EngineOption.Create("What executes the guests, whatever the suites say");
    private static readonly Option<bool> s_plain = new("--plain") { Description = "Plain lines instead of a live display." };

    public static Command Create()
    {
        var command = new Command("test", "Runs suites of tests. Exit code 0: all passed; 1: some failed; 2: some could not be run.")
        {
            s_suites, s_report, s_jUnit, s_json, s_html, s_filter, s_jobs, s_updateBaseline, s_updateReferences, s_list, s_shardOption, s_hostTimeScale, s_engine, s_plain,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        var options = new SuiteRunOptions
        {
            SuiteFiles = ReadSuites(parsed),
            Filter = parsed.GetValue(s_filter),
            Jobs = NotNegative(parsed.GetValue(s_jobs), "--jobs"),
            UpdateBaseline = parsed.GetValue(s_updateBaseline),
            UpdateReferences = parsed.GetValue(s_updateReferences),
            Shard = ReadShard(parsed.GetValue(s_shardOption)),
            Engine = EngineOption.Read(parsed.GetValue(s_engine)),
            HostTimeScale = parsed.GetValue(s_hostTimeScale) is > 0 and var scale ? scale : throw new UsageException("--host-time-scale needs a number above 0."),
        };
        if (parsed.GetValue(s_list))
        {
            foreach (ItemInfo item in SuiteRunner.List(options))
            {
                Console.Out.WriteLine(Printable.Escape(item.Name));
            }

            return ExitCodes.Success;
        }

        ProbeReports(parsed);
        bool live = !parsed.GetValue(s_plain) && LiveProgressDisplay.Suits(AnsiConsole.Console);
        RunResult result = live
            ? await LiveProgressDisplay.RunAsync(AnsiConsole.Console, observer => SuiteRunner.RunAsync(options, observer, cancellation)).ConfigureAwait(false)
            : await SuiteRunner.RunAsync(options, new PlainDisplay(Console.Out), cancellation).ConfigureAwait(false);
        List<string> problems = [];
        foreach (string written in WriteReports(parsed, result, problems))
        {
            Console.Out.WriteLine(Printable.Escape(written));
        }

        foreach (string problem in problems)
        {
            Console.Error.WriteLine($"virtshell: {Printable.Escape(problem)}");
        }

        return problems.Count > 0 && result.ExitCode != ExitCodes.Interrupted ? ExitCodes.CannotRun : result.ExitCode;
    }

    // The parser takes an option that it does not know for a suite's name.
    private static string[] ReadSuites(ParseResult parsed)
    {
        string[] suites = parsed.GetRequiredValue(s_suites);
        if (suites.FirstOrDefault(s => s.Length > 1 && s[0] == '-') is { } option)
        {
            string[] known = [.. parsed.CommandResult.Command.Options.Select(o => o.Name)];
            string? near = WordHint.Nearest(option.Split('=')[0], known);
            throw new UsageException($"unknown option {Printable.Escape(option)}{(near is null ? "." : $"; did you mean {near}?")} See virtshell test --help; a suite file of that name is written ./{Printable.Escape(option)}.");
        }

        return suites;
    }

    // Before anything runs: an hour of work must not end at a folder that cannot be written.
    private static void ProbeReports(ParseResult parsed)
    {
        if (parsed.GetValue(s_report) is { } folder)
        {
            ReportFiles.Probe(folder);
        }

        foreach (Option<string?> option in new[] { s_jUnit, s_json, s_html })
        {
            if (parsed.GetValue(option) is { } path)
            {
                ReportFiles.ProbeFile(path);
            }
        }
    }

    private static List<string> WriteReports(ParseResult parsed, RunResult result, List<string> problems)
    {
        var written = new List<string>();
        void Attempt(Action write)
        {
            try
            {
                write();
            }
            catch (ReportException e)
            {
                // The next report may lie on another disk.
                problems.Add(e.Message);
            }
        }

        if (parsed.GetValue(s_report) is { } folder)
        {
            Attempt(() => written.Add($"report: {ReportFiles.WriteAll(result, folder)}"));
        }

        (Option<string?> Option, Action<RunResult, string> Write)[] files =
            [(s_jUnit, ReportFiles.WriteJUnit), (s_json, ReportFiles.WriteJson), (s_html, ReportFiles.WriteHtml)];
        foreach ((Option<string?> option, Action<RunResult, string> write) in files)
        {
            if (parsed.GetValue(option) is { } path)
            {
                Attempt(() =>
                {
                    write(result, path);
                    written.Add($"{option.Name[2..]}: {path}");
                });
            }
        }

        written.AddRange(result.UpdatedBaselines.Select(b => $"updated: {b}"));
        return written;
    }

    private static Shard ReadShard(string? text)
    {
        if (text is not null)
        {
            return Shard.TryParse(text, out Shard shard) ? shard : throw new UsageException($"--shard needs i/n with i from 1 to n, not \"{text}\".");
        }

        // Kubernetes numbers the pods of an indexed Job from 0 in JOB_COMPLETION_INDEX; the number of parts has no variable of its own.
        string? count = Environment.GetEnvironmentVariable("VIRTSHELL_SHARDS");
        string? index = Environment.GetEnvironmentVariable("JOB_COMPLETION_INDEX");
        if (count is null || index is null)
        {
            return Shard.All;
        }

        return int.TryParse(index, out int zeroBased) && Shard.TryParse($"{zeroBased + 1}/{count}", out Shard fromEnvironment)
            ? fromEnvironment
            : throw new UsageException($"JOB_COMPLETION_INDEX is \"{index}\" and VIRTSHELL_SHARDS \"{count}\": that is no part of a run.");
    }

    private static int NotNegative(int value, string option) => value >= 0 ? value : throw new UsageException($"{option} needs a number that is not negative.");
}
