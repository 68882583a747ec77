using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Bench;
using VirtShell.Bench.Loops;
using VirtShell.Bench.Results;
using VirtShell.Cpu;
using VirtShell.Host;

namespace VirtShell.Cli.Commands;

/// <summary><c>virtshell bench</c>: the comparison with the host, QEMU and Bochs.</summary>
internal static class BenchCommand
{
    private const int MaximumRepeat = 1000;
    private const double MaximumScale = 1000;
    private const int DefaultRepeat = 3;

    private static readonly Option<string[]> Programs = new("--program", "-p") { Description = "Only programs whose name this is, or matches where it has * or ?; or a group's. May be repeated.", HelpName = "name", DefaultValueFactory = _ => [] };
    private static readonly Option<string[]> Only = new("--only") { Description = "Only these contestants: native, virtshell, qemu, icount.", HelpName = "names", DefaultValueFactory = _ => [] };
    private static readonly Option<int> Repeat = new("--repeat", "-r") { Description = "How often everything runs.", HelpName = "n", DefaultValueFactory = _ => DefaultRepeat };
    private static readonly Option<bool> Quick = new("--quick") { Description = "Everything runs once." };
    private static readonly Option<double> Scale = new("--scale") { Description = "Factor on the amount of work; 0.01 to 1000.", HelpName = "factor", DefaultValueFactory = _ => 1 };
    private static readonly Option<string> Engine = new("--engine") { Description = "VirtShell's engine: auto, translator, interpreter.", HelpName = "kind", DefaultValueFactory = _ => "auto" };
    private static readonly Option<string> Clock = new("--clock") { Description = "Which times to compare: wall, or processor (a busy host disturbs it less).", HelpName = "kind", DefaultValueFactory = _ => "wall" };
    private static readonly Option<string> QemuCpu = new("--qemu-cpu") { Description = "QEMU's processor model.", HelpName = "model", DefaultValueFactory = _ => "qemu64" };
    private static readonly Option<string> Kernel = new("--kernel", "-k") { Description = "The kernel that all guests boot: path, apt: or https:.", HelpName = "source", DefaultValueFactory = _ => BenchOptions.DefaultKernel };
    private static readonly Option<bool> NoBoot = new("--no-boot") { Description = "Leave out the boots to a shell." };
    private static readonly Option<bool> Check = new("--check") { Description = "Exit with 1 where a mark is missed or was not measured." };
    private static readonly Option<bool> Bochs = new("--bochs") { Description = "Compare VirtShell's interpreter with Bochs instead." };
    private static readonly Option<bool> List = new("--list") { Description = "List the programs and run nothing." };
    private static readonly Option<bool> Markdown = new("--markdown") { Description = "Print tables as Markdown." };
    private static readonly Option<string?> Json = new("--json") { Description = "Write all samples to a file.", HelpName = "file" };

    public static Command Create()
    {
        var command = new Command("bench", "Compares VirtShell's speed with the host's own and QEMU's, in one run, by the host's clock.")
        {
            Programs, Only, Repeat, Quick, Scale, Engine, Clock, QemuCpu, Kernel, NoBoot, Check, Bochs, List, Markdown, Json,
        };
        command.SetAction((parsed, cancellation) => Task.Run(() => Run(parsed, cancellation), CancellationToken.None));
        return command;
    }

    private static int Run(ParseResult parsed, CancellationToken cancellation)
    {
        if (parsed.GetValue(List))
        {
            PrintList();
            return ExitCodes.Success;
        }

        if (parsed.GetValue(Bochs))
        {
            return RunBochs(parsed, cancellation);
        }

        BenchOptions options = Define(parsed);
        BenchResult result = new BenchRunner(options, new LineProgress()).Run(cancellation);
        if (parsed.GetValue(Json) is { } file)
        {
            using FileStream stream = File.Create(file);
            ResultJson.Write(result, stream);
        }

        return Print(result, parsed.GetValue(Markdown), parsed.GetValue(Check));
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
        if (parsed.GetValue(Check) || (parsed.GetValue(Programs) ?? []).Length > 0 || (parsed.GetValue(Only) ?? []).Length > 0)
        {
            throw new UsageException("--bochs runs its own loops and knows no marks: leave out --check, --program and --only.");
        }

        // The interpreter stands beside Bochs, which is one, too, unless another engine is asked for by name.
        EngineKind engine = ReadEngine(parsed.GetRequiredValue(Engine));
        engine = engine == EngineKind.Auto ? EngineKind.Interpreter : engine;
        BenchClock clock = ReadClock(parsed.GetRequiredValue(Clock));
        var comparison = new LoopComparison(engine, ReadRepeat(parsed), ReadPercent(parsed.GetValue(Scale)), clock, new LineProgress());
        IReadOnlyList<LoopResult> results = comparison.Run(cancellation);
        if (parsed.GetValue(Json) is { } file)
        {
            using FileStream stream = File.Create(file);
            LoopComparison.WriteJson(results, comparison.BochsVersion, stream);
        }

        Console.Out.WriteLine($"VirtShell: {engine.ToString().ToLowerInvariant()}; {comparison.BochsVersion}; {ResultJson.HostProcessor()}{(clock == BenchClock.Processor ? "; processor time" : string.Empty)}");
        Console.Out.WriteLine();
        Console.Out.Write(LoopComparison.Format(results, parsed.GetValue(Markdown)));
        return ExitCodes.Success;
    }

    private static void PrintList()
    {
        int width = BenchCatalog.All.Max(p => p.Name.Length);
        foreach (BenchProgram program in BenchCatalog.All)
        {
            Console.Out.WriteLine($"{program.Name.PadRight(width)}  {program.Group.ToString().ToLowerInvariant(),-8}  {program.What}");
        }
    }

    private static BenchOptions Define(ParseResult parsed)
    {
        EngineKind engine = ReadEngine(parsed.GetRequiredValue(Engine));
        IReadOnlyList<string> run = RunCommandLine(engine);
        return new BenchOptions
        {
            Programs = BenchCatalog.Select(parsed.GetValue(Programs) ?? []),
            Contestants = Contestants.Parse(parsed.GetValue(Only) ?? []),
            Repeat = ReadRepeat(parsed),
            Percent = ReadPercent(parsed.GetValue(Scale)),
            Engine = engine,
            Clock = ReadClock(parsed.GetRequiredValue(Clock)),
            QemuCpu = parsed.GetRequiredValue(QemuCpu),
            Kernel = parsed.GetRequiredValue(Kernel),
            MeasureBoot = !parsed.GetValue(NoBoot) && (parsed.GetValue(Programs) ?? []).Length == 0,
            RunCommand = run,
            CacheFolder = CacheFolder(),
        };
    }

    private static string CacheFolder() => Path.Combine(VmHost.DefaultHomeFolder, "cache", "images");

    private static int ReadRepeat(ParseResult parsed)
    {
        int repeat = parsed.GetValue(Quick) ? 1 : parsed.GetValue(Repeat);
        return repeat is >= 1 and <= MaximumRepeat ? repeat : throw new UsageException($"--repeat is 1 to {MaximumRepeat}, not {repeat}.");
    }

    private static int ReadPercent(double scale)
    {
        const double toPercent = 100;
        return scale is >= 1 / toPercent and <= MaximumScale ? (int)Math.Round(scale * toPercent) : throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"--scale is 0.01 to {MaximumScale}, not {scale}."));
    }

    private static EngineKind ReadEngine(string text) => text.ToLowerInvariant() switch
    {
        "auto" => EngineKind.Auto,
        "translator" => EngineKind.Translator,
        "interpreter" => EngineKind.Interpreter,
        _ => throw new UsageException($"--engine is auto, translator or interpreter, not \"{text}\"."),
    };

    private static BenchClock ReadClock(string text) => text.ToLowerInvariant() switch
    {
        "wall" => BenchClock.Wall,
        "processor" => BenchClock.Processor,
        _ => throw new UsageException($"--clock is wall or processor, not \"{text}\"."),
    };

    // How this very program is started again: by its own name, or by dotnet and the assembly.
    private static IReadOnlyList<string> RunCommandLine(EngineKind engine)
    {
        string assembly = Path.Combine(AppContext.BaseDirectory, "virtshell.dll");
        if (Environment.ProcessPath is not { } process || !File.Exists(assembly))
        {
            return [];
        }

        bool isHost = string.Equals(Path.GetFileNameWithoutExtension(process), "dotnet", StringComparison.OrdinalIgnoreCase);
        string[] start = isHost ? [process, assembly, "run"] : [process, "run"];
        Option? option = RunCommand.Create().Options.FirstOrDefault(o => o.Name == Engine.Name);
        return engine == EngineKind.Auto ? start : option is null ? [] : [.. start, Engine.Name, engine.ToString().ToLowerInvariant()];
    }

    private sealed class LineProgress : IProgress<string>
    {
        public void Report(string value) => Console.Error.WriteLine($"virtshell: {value}");
    }
}
