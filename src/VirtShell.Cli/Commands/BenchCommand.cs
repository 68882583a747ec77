using System;
using System.Collections.Generic;
using System.CommandLine;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Bench;
using VirtShell.Bench.Loops;
using VirtShell.Bench.Results;
using VirtShell.Cpu;

namespace VirtShell.Cli.Commands;

/// <summary><c>virtshell bench</c>: the comparison with the host, QEMU and Bochs.</summary>
internal static class BenchCommand
{
    public static Command Create()
    {
        var command = new Command("bench", "Compares VirtShell's speed with the host's own and QEMU's, in one run, by the host's clock.")
        {
            BenchArguments.Programs,
            BenchArguments.Only,
            BenchArguments.Repeat,
            BenchArguments.Quick,
            BenchArguments.Scale,
            BenchArguments.Engine,
            BenchArguments.Clock,
            BenchArguments.QemuCpu,
            BenchArguments.Kernel,
            BenchArguments.NoBoot,
            BenchArguments.Check,
            BenchArguments.Bochs,
            BenchArguments.List,
            BenchArguments.Markdown,
            BenchArguments.Json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() => Run(parsed, cancellation), CancellationToken.None));
        return command;
    }

    private static int Run(ParseResult parsed, CancellationToken cancellation)
    {
        if (parsed.GetValue(BenchArguments.List))
        {
            PrintList();
            return ExitCodes.Success;
        }

        if (parsed.GetValue(BenchArguments.Bochs))
        {
            return RunBochs(parsed, cancellation);
        }

        BenchOptions options = BenchArguments.Define(parsed);
        using FileStream? json = CreateJson(parsed);
        BenchResult result = new BenchRunner(options, new LineProgress()).Run(cancellation);
        if (json is not null)
        {
            ResultJson.Write(result, json);
        }

        return Print(result, parsed.GetValue(BenchArguments.Markdown), parsed.GetValue(BenchArguments.Check));
    }

    private static int Print(BenchResult result, bool markdown, bool check)
    {
        TextWriter output = Console.Out;
        Summary summary = result.Summary;
        output.WriteLine(ResultText.Heading(result));
        output.WriteLine();
        output.Write(ResultTable.Format(summary, markdown));
        foreach (string note in result.Notes)
        {
            output.WriteLine($"Note: {note}");
        }

        foreach (string disagreement in summary.Disagreements)
        {
            output.WriteLine($"Wrong result: {disagreement}");
        }

        IReadOnlyList<Mark> marks = Marks.Of(summary);
        if (check || marks.Any(m => m.Reached is not null))
        {
            output.WriteLine();
            foreach (Mark mark in marks.Where(m => check || m.Reached is not null))
            {
                output.WriteLine(mark);
            }
        }

        bool failed = summary.Disagreements.Count > 0 || (check && marks.Any(m => !m.Holds));
        return failed ? ExitCodes.Failed : ExitCodes.Success;
    }

    private static int RunBochs(ParseResult parsed, CancellationToken cancellation)
    {
        if (parsed.GetValue(BenchArguments.Check) || (parsed.GetValue(BenchArguments.Programs) ?? []).Length > 0 || (parsed.GetValue(BenchArguments.Only) ?? []).Length > 0)
        {
            throw new UsageException("--bochs runs its own loops and knows no marks: leave out --check, --program and --only.");
        }

        // The interpreter stands beside Bochs, which is one, too, unless another engine is asked for by name.
        EngineKind engine = BenchArguments.ReadEngine(parsed.GetRequiredValue(BenchArguments.Engine));
        engine = engine == EngineKind.Auto ? EngineKind.Interpreter : engine;
        BenchClock clock = BenchArguments.ReadClock(parsed.GetRequiredValue(BenchArguments.Clock));
        var comparison = new LoopComparison(engine, BenchArguments.ReadRepeat(parsed), BenchArguments.ReadPercent(parsed.GetValue(BenchArguments.Scale)), clock, new LineProgress());
        using FileStream? json = CreateJson(parsed);
        IReadOnlyList<LoopResult> results = comparison.Run(cancellation);
        if (json is not null)
        {
            LoopComparison.WriteJson(results, comparison.BochsVersion, json);
        }

        Console.Out.WriteLine($"VirtShell: {engine.ToString().ToLowerInvariant()}; {comparison.BochsVersion}; {ResultJson.HostProcessor()}{(clock == BenchClock.Processor ? "; processor time" : string.Empty)}");
        Console.Out.WriteLine();
        Console.Out.Write(LoopComparison.Format(results, parsed.GetValue(BenchArguments.Markdown)));
        return ExitCodes.Success;
    }

    // Before anything runs: minutes of work must not end at a folder that is not there.
    private static FileStream? CreateJson(ParseResult parsed) => parsed.GetValue(BenchArguments.Json) is { } file ? File.Create(file) : null;

    private static void PrintList()
    {
        int width = BenchCatalog.All.Max(p => p.Name.Length);
        foreach (BenchProgram program in BenchCatalog.All)
        {
            Console.Out.WriteLine($"{program.Name.PadRight(width)}  {program.Group.ToString().ToLowerInvariant(),-8}  {program.What}");
        }
    }

    private sealed class LineProgress : IProgress<string>
    {
        public void Report(string value) => Console.Error.WriteLine($"virtshell: {value}");
    }
}
