using System;
using System.CommandLine;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Cli.Terminals;
using VirtShell.Guests;
using VirtShell.Host;
using VirtShell.Machine;
using VirtShell.Settings;

namespace VirtShell.Cli.Commands;

/// <summary><c>virtshell run</c>: runs one guest with its serial console in the terminal.</summary>
internal static class RunCommand
{
    private static readonly GuestOptions s_guest = new();
    private static readonly Option<bool> s_raw = new("--raw") { Description = "Pass terminal sequences and all other bytes through where the output is no terminal, too." };
    private static readonly Option<bool> s_stats = new("--stats") { Description = "Print instructions, times, speed, memory and the engine's counters at the end, on the error stream." };

    private const int ReadWaitMilliseconds = 200;

    public static Command Create()
    {
        var command = new Command("run", "Runs one guest with its serial console (COM1) in the terminal. Ctrl+] opens the menu: q quits, p presses the power button, h shows all.")
        {
            s_stats, s_raw,
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
        using ITerminal terminal = Terminal.Open();

        // A file's end is known, and so is that of no input at all; a pipe may have someone at its other end who types.
        bool someoneTypes = terminal.IsInteractive || terminal.IsInputOpen;
        VmDefinition definition = Define(s_guest, parsed, someoneTypes);
        PipedInput? piped = terminal.IsInteractive ? null : new PipedInput();
        using var host = new VmHost(homeFolder: null, workers: 1);
        VirtualMachine vm = host.Create(definition);
        var progress = new LineProgress();
        if (piped is not null && definition.Clock == ClockMode.Virtual)
        {
            // An idle guest's time would run ahead of what is on its way: all of it comes first.
            await Task.Run(() => ReadAll(terminal, piped, cancellation), cancellation).ConfigureAwait(false);
        }

        await Task.Run(() => vm.Start(piped, progress, cancellation), cancellation).ConfigureAwait(false);

        bool left;
        using (var session = new ConsoleSession(vm, terminal, piped, terminal.IsInteractive || parsed.GetValue(s_raw)))
        {
            left = await session.RunAsync(cancellation).ConfigureAwait(false);
        }

        if (vm.State is not (VmState.Off or VmState.Crashed))
        {
            await Task.Run(vm.TurnOff, CancellationToken.None).ConfigureAwait(false);
        }

        return Conclude(vm, left, parsed.GetValue(s_stats), cancellation);
    }

    private static void ReadAll(ITerminal terminal, PipedInput piped, CancellationToken cancellation)
    {
        byte[] buffer = new byte[4096];
        bool told = false;
        while (true)
        {
            cancellation.ThrowIfCancellationRequested();
            int count = terminal.Read(buffer, ReadWaitMilliseconds);
            if (count < 0)
            {
                piped.End();
                return;
            }

            if (count == 0 && !told)
            {
                told = true;
                Console.Error.WriteLine("virtshell: with the virtual clock the guest starts when all input is there; waiting for its end (--clock host does not wait).");
            }

            piped.Add(buffer.AsSpan(0, count));
        }
    }

    private static int Conclude(VirtualMachine vm, bool left, bool stats, CancellationToken cancellation)
    {
        foreach (string warning in vm.Warnings)
        {
            Console.Error.WriteLine($"virtshell: warning: {warning}");
        }

        VmMetrics used = vm.Metrics;
        if (stats)
        {
            double speed = used.HostTime.TotalSeconds > 0 ? used.Instructions / used.HostTime.TotalSeconds : 0;
            Console.Error.WriteLine($"{used.Instructions} instructions, {Units.FormatDuration(used.GuestTime)} of guest time, {Units.FormatDuration(used.HostTime)} of host processor time ({Units.FormatCount((long)speed)} instructions/s), {Units.FormatSize(used.PeakMemoryBytes)} peak memory, {used.SerialBytes} serial bytes");
            Console.Error.Write(vm.EngineMetrics.ToText());
        }

        if (cancellation.IsCancellationRequested)
        {
            return ExitCodes.Interrupted;
        }

        if (left && vm.State != VmState.Crashed)
        {
            return ExitCodes.Success;
        }

        if (vm.CrashReport is { } crash)
        {
            Console.Error.WriteLine(Printable.Log(crash.ToText()).TrimEnd());
        }

        switch (vm.End)
        {
            case VmEndKind.PowerOff or VmEndKind.TurnedOff or VmEndKind.Reset:
                return ExitCodes.Success;
            case VmEndKind.DebugExit:
                Console.Error.WriteLine($"virtshell: the guest ended with debug exit code {vm.EndCode}.");
                return vm.EndCode == 0 ? ExitCodes.Success : ExitCodes.Failed;
            case VmEndKind.StorageFault or VmEndKind.EngineFault:
                return ExitCodes.CannotRun;
            default:
                Console.Error.WriteLine($"virtshell: the guest crashed: {Printable.Escape(vm.CrashReport?.Summary ?? vm.End.ToString())}");
                return ExitCodes.Failed;
        }
    }

    /// <summary>The VM that the options describe.</summary>
    internal static VmDefinition Define(GuestOptions options, ParseResult parsed, bool interactive)
    {
        VmDefinition definition = VmSettings.WithDefaults(new VmDefinition { Name = "guest", BaseFolder = Directory.GetCurrentDirectory() }, FrontEnd.Console);
        definition = options.Apply(definition with { Clock = interactive ? ClockMode.Host : ClockMode.Virtual }, parsed);
        string? guest = definition.Guest;
        int given = new[] { guest, definition.Kernel, definition.Firmware }.Count(what => what is not null);
        if (given == 0 && !definition.HasDrives())
        {
            throw new UsageException("say what to run: --guest NAME (virtshell guests lists them), --kernel SOURCE, --firmware SOURCE, or --disk, --cd or --floppy SOURCE to boot from.");
        }

        if (given > 1)
        {
            throw new UsageException("--guest, --kernel and --firmware exclude each other.");
        }

        if (guest is not null && GuestCatalog.Find(guest) is null)
        {
            throw new UsageException($"there is no bundled guest \"{guest}\". There are: {string.Join(", ", GuestCatalog.All.Select(g => g.Name))}.");
        }

        bool needsConsole = definition.Kernel is not null && !options.Gives(parsed, VmSettings.CommandLine);
        return definition with { Name = guest ?? "guest", CommandLine = needsConsole ? "console=ttyS0" : definition.CommandLine };
    }

    /// <summary>What happens before the guest runs (downloads), on the error stream.</summary>
    internal sealed class LineProgress : IProgress<string>
    {
        public void Report(string value) => Console.Error.WriteLine($"virtshell: {Printable.Escape(value)}");
    }
}
