using System;
using System.CommandLine;
using System.Diagnostics;
using System.IO;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Host;
using VirtShell.Host.Lockstep;
using VirtShell.Machine;
using VirtShell.Settings;

namespace VirtShell.Cli.Commands;

/// <summary><c>virtshell lockstep</c>: runs one guest on both engines at once and compares them.</summary>
internal static class LockstepCommand
{
    private static readonly TimeSpan s_progressInterval = TimeSpan.FromSeconds(5);

    // Both engines run, from one date under the virtual clock, up to the first end.
    private static readonly GuestOptions s_guest = new(
        VmSettings.Engine,
        VmSettings.Clock,
        VmSettings.RtcStart,
        VmSettings.HangInstructions,
        VmSettings.ResetAction,
        VmSettings.CrashAction,
        VmSettings.CrashRestartLimit,
        VmSettings.DetectPanics);

    private static readonly Option<long> s_chunk = new("--chunk", "-n") { Description = "Instructions from one comparison to the next.", HelpName = "count", DefaultValueFactory = _ => 100_000 };
    private static readonly Option<int> s_memoryInterval = new("--memory-interval") { Description = "Chunks from one comparison of all memory to the next.", HelpName = "count", DefaultValueFactory = _ => 100 };
    private static readonly Option<long?> s_limit = new("--limit") { Description = "Instructions after which to stop. Default: when the guest ends.", HelpName = "count" };
    private static readonly Option<bool> s_quiet = new("--quiet", "-q") { Description = "Do not show what the guest sends on COM1." };

    public static Command Create()
    {
        var command = new Command("lockstep", "Runs one guest on two machines at once, one per engine, and compares processors, memory and serial bytes. The first difference is narrowed down to its instruction.")
        {
            s_chunk, s_memoryInterval, s_limit, s_quiet,
        };
        foreach (Option option in s_guest.All)
        {
            command.Add(option);
        }

        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        if (parsed.GetValue(s_chunk) < 1 || parsed.GetValue(s_memoryInterval) < 1 || parsed.GetValue(s_limit) < 1)
        {
            throw new UsageException("--chunk, --memory-interval and --limit are 1 or more.");
        }

        VmDefinition definition = RunCommand.Define(s_guest, parsed, interactive: false);
        using var host = new VmHost(homeFolder: null, workers: 1);
        using Stream console = Console.OpenStandardOutput();
        var plain = new Printable.Stream();
        var clock = Stopwatch.StartNew();
        TimeSpan shown = TimeSpan.Zero;
        var options = new EngineLockstepOptions
        {
            Chunk = parsed.GetValue(s_chunk),
            MemoryInterval = parsed.GetValue(s_memoryInterval),
            InstructionLimit = parsed.GetValue(s_limit) ?? long.MaxValue,
            Messages = new RunCommand.LineProgress(),
            SerialOutput = parsed.GetValue(s_quiet) ? null : value => console.Write(Encoding.UTF8.GetBytes(plain.Add([value]))),
            Progress = instructions =>
            {
                console.Flush();
                if (clock.Elapsed - shown > s_progressInterval)
                {
                    shown = clock.Elapsed;
                    Console.Error.WriteLine($"virtshell: {Units.FormatCount(instructions)} instructions without a difference");
                }
            },
        };
        EngineLockstepResult result;
        try
        {
            result = await Task.Run(() => EngineLockstep.Run(host, definition, options, cancellation), cancellation).ConfigureAwait(false);
        }
        catch (OperationCanceledException)
        {
            return ExitCodes.Interrupted;
        }

        return Conclude(result, clock.Elapsed);
    }

    private static int Conclude(EngineLockstepResult result, TimeSpan elapsed)
    {
        if (result.Report is not null)
        {
            Console.Error.WriteLine(Printable.Log(result.Report).TrimEnd());
            return ExitCodes.Failed;
        }

        string end = result.End == MachineExitKind.QuantumSpent ? "the limit" : result.End.ToString();
        Console.Error.WriteLine($"virtshell: no difference in {result.Instructions} instructions up to {end}, {result.Serial.Length} serial bytes, memory hash {result.MemoryHash:X16}, {Units.FormatDuration(elapsed)}");
        return ExitCodes.Success;
    }
}
