using System;
using System.Collections.Generic;
using System.CommandLine;
using System.Globalization;
using System.IO;
using System.Linq;
using VirtShell.Bench;
using VirtShell.Cpu;
using VirtShell.Host;

namespace VirtShell.Cli.Commands;

/// <summary>The options of <c>virtshell bench</c>, and what they come to.</summary>
internal static class BenchArguments
{
    private const int MaximumRepeat = 1000;
    private const double MaximumScale = 1000;
    private const int DefaultRepeat = 3;

    public static readonly Option<string[]> Programs = new("--program", "-p") { Description = "Only programs whose name this is, or matches where it has * or ?; or a group's. May be repeated.", HelpName = "name", DefaultValueFactory = _ => [] };
    public static readonly Option<string[]> Only = new("--only") { Description = "Only these contestants: native, virtshell, qemu, icount.", HelpName = "names", DefaultValueFactory = _ => [] };
    public static readonly Option<int> Repeat = new("--repeat", "-r") { Description = "How often everything runs.", HelpName = "n", DefaultValueFactory = _ => DefaultRepeat };
    public static readonly Option<bool> Quick = new("--quick") { Description = "Everything runs once." };
    public static readonly Option<double> Scale = new("--scale") { Description = "Factor on the amount of work; 0.01 to 1000.", HelpName = "factor", DefaultValueFactory = _ => 1 };
    public static readonly Option<string> Engine = new("--engine") { Description = "VirtShell's engine: auto, translator, interpreter.", HelpName = "kind", DefaultValueFactory = _ => "auto" };
    public static readonly Option<string> Clock = new("--clock") { Description = "Which times to compare: wall, or processor (a busy host disturbs it less).", HelpName = "kind", DefaultValueFactory = _ => "wall" };
    public static readonly Option<string> QemuCpu = new("--qemu-cpu") { Description = "QEMU's processor model.", HelpName = "model", DefaultValueFactory = _ => "qemu64" };
    public static readonly Option<string> Kernel = new("--kernel", "-k") { Description = "The kernel that all guests boot: path, apt: or https:.", HelpName = "source", DefaultValueFactory = _ => BenchOptions.DefaultKernel };
    public static readonly Option<bool> NoBoot = new("--no-boot") { Description = "Leave out the boots to a shell." };
    public static readonly Option<bool> Check = new("--check") { Description = "Exit with 1 where a mark is missed or was not measured." };
    public static readonly Option<bool> Bochs = new("--bochs") { Description = "Compare VirtShell's interpreter with Bochs instead." };
    public static readonly Option<bool> List = new("--list") { Description = "List the programs and run nothing." };
    public static readonly Option<bool> Markdown = new("--markdown") { Description = "Print tables as Markdown." };
    public static readonly Option<string?> Json = new("--json") { Description = "Write all samples to a file.", HelpName = "file" };

    /// <exception cref="UsageException">An option is out of its range.</exception>
    /// <exception cref="BenchException">There is no such program or contestant.</exception>
    public static BenchOptions Define(ParseResult parsed)
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

    public static int ReadRepeat(ParseResult parsed)
    {
        int repeat = parsed.GetValue(Quick) ? 1 : parsed.GetValue(Repeat);
        return repeat is >= 1 and <= MaximumRepeat ? repeat : throw new UsageException($"--repeat is 1 to {MaximumRepeat}, not {repeat}.");
    }

    public static int ReadPercent(double scale)
    {
        const double toPercent = 100;
        return scale is >= 1 / toPercent and <= MaximumScale ? (int)Math.Round(scale * toPercent) : throw new UsageException(string.Create(CultureInfo.InvariantCulture, $"--scale is 0.01 to {MaximumScale}, not {scale}."));
    }

    public static EngineKind ReadEngine(string text) => text.ToLowerInvariant() switch
    {
        "auto" => EngineKind.Auto,
        "translator" => EngineKind.Translator,
        "interpreter" => EngineKind.Interpreter,
        _ => throw new UsageException($"--engine is auto, translator or interpreter, not \"{text}\"."),
    };

    public static BenchClock ReadClock(string text) => text.ToLowerInvariant() switch
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
        string[] start = [.. isHost ? [process, assembly] : new[] { process }, "run", "--clock", "virtual"];
        Option? option = RunCommand.Create().Options.FirstOrDefault(o => o.Name == Engine.Name);
        return engine == EngineKind.Auto ? start : option is null ? [] : [.. start, Engine.Name, engine.ToString().ToLowerInvariant()];
    }
}
