using System;
using System.Collections.Generic;
using System.CommandLine;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Cli.Terminals;
using VirtShell.Cpu;
using VirtShell.Guests;
using VirtShell.Harness;
using VirtShell.Host;
using VirtShell.Machine;

namespace VirtShell.Cli.Commands;

/// <summary><c>virtshell run</c>: runs one guest with its serial console in the terminal.</summary>
internal static class RunCommand
{
    private static readonly Option<string?> Kernel = new("--kernel", "-k") { Description = "A Linux bzImage or zImage, an ELF kernel (vmlinux, by PVH where it has that entry), a Multiboot image, or a real-mode program with a Linux header (iPXE): path, apt:PACKAGE[:ARCH]#GLOB, or https:.", HelpName = "source" };
    private static readonly Option<string?> KernelSha256 = new("--kernel-sha256") { Description = "SHA-256 of the kernel; required for https:.", HelpName = "hex" };
    private static readonly Option<string?> Initrd = new("--initrd", "-i") { Description = "An initramfs: path, apt: or https:.", HelpName = "source" };
    private static readonly Option<string?> Append = new("--append", "-a") { Description = "Kernel command line. Default for kernels: console=ttyS0.", HelpName = "text" };
    private static readonly Option<string?> Guest = new("--guest", "-g") { Description = "A bundled guest by name, instead of a kernel.", HelpName = "name" };
    private static readonly Option<string> Memory = new("--memory", "-m") { Description = "RAM.", HelpName = "size", DefaultValueFactory = _ => "256M" };
    private static readonly Option<string[]> Disks = new("--disk", "-d") { Description = "A raw image on virtio; append ,read-only or ,read-write (default: writes are thrown away). May be repeated.", HelpName = "image[,access]", DefaultValueFactory = _ => [] };
    private static readonly Option<string?> Cpu = new("--cpu") { Description = $"Processor model: {string.Join(", ", CpuModels.Words.Select(w => w.Word))}.", HelpName = "model" };
    private static readonly Option<string?> Clock = new("--clock") { Description = "host (paced; default where a terminal or a pipe is the input) or virtual (deterministic; default for files and no input).", HelpName = "kind" };
    private static readonly Option<string?> Engine = EngineOption.Create("What executes the guest");
    private static readonly Option<ulong> Seed = new("--seed") { Description = "Seed of the machine's random sources.", HelpName = "number" };
    private static readonly Option<string?> Rtc = new("--rtc") { Description = "What the guest's clock shows at the start: utc (default: the host's time), localtime, or a date such as 2026-01-01, for runs that repeat.", HelpName = "time" };
    private static readonly Option<bool> Raw = new("--raw") { Description = "Pass terminal sequences and all other bytes through where the output is no terminal, too." };
    private static readonly Option<bool> Stats = new("--stats") { Description = "Print instructions, times, speed, memory and the engine's counters at the end, on the error stream." };

    private const int ReadWaitMilliseconds = 200;

    /// <summary>The options that say what runs; other commands that run a guest have the same.</summary>
    internal static Option[] GuestOptions => [Guest, Kernel, KernelSha256, Initrd, Append, Memory, Disks, Cpu, Seed];

    public static Command Create()
    {
        var command = new Command("run", "Runs one guest with its serial console (COM1) in the terminal. Ctrl+] opens the menu: q quits, p presses the power button, h shows all.")
        {
            Guest, Kernel, KernelSha256, Initrd, Append, Memory, Disks, Cpu, Clock, Rtc, Engine, Seed, Stats, Raw,
        };
        command.SetAction(RunAsync);
        return command;
    }

    private static async Task<int> RunAsync(ParseResult parsed, CancellationToken cancellation)
    {
        using ITerminal terminal = Terminal.Open();

        // A file's end is known, and so is that of no input at all; a pipe may have someone at its other end who types.
        bool someoneTypes = terminal.IsInteractive || terminal.IsInputOpen;
        VmDefinition definition = Define(parsed, someoneTypes);
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
        using (var session = new ConsoleSession(vm, terminal, piped, terminal.IsInteractive || parsed.GetValue(Raw)))
        {
            left = await session.RunAsync(cancellation).ConfigureAwait(false);
        }

        if (vm.State is not (VmState.Off or VmState.Crashed))
        {
            await Task.Run(vm.TurnOff, CancellationToken.None).ConfigureAwait(false);
        }

        return Conclude(vm, left, parsed.GetValue(Stats), cancellation);
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

        if (left)
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
    internal static VmDefinition Define(ParseResult parsed, bool interactive)
    {
        string? guest = parsed.GetValue(Guest);
        string? kernel = parsed.GetValue(Kernel);
        if ((guest is null) == (kernel is null))
        {
            throw new UsageException(guest is null ? "say what to run: --guest NAME (virtshell guests lists them) or --kernel SOURCE." : "--guest and --kernel exclude each other.");
        }

        if (guest is not null && GuestCatalog.Find(guest) is null)
        {
            throw new UsageException($"there is no bundled guest \"{guest}\". There are: {string.Join(", ", GuestCatalog.All.Select(g => g.Name))}.");
        }

        if (!Units.TryParseSize(parsed.GetRequiredValue(Memory), out long memory) || memory < 1)
        {
            throw new UsageException($"--memory needs a size such as 128M or 1G, not \"{parsed.GetRequiredValue(Memory)}\".");
        }

        return new VmDefinition
        {
            Name = guest ?? "guest",
            Guest = guest,
            Kernel = kernel,
            KernelSha256 = parsed.GetValue(KernelSha256),
            Initrd = parsed.GetValue(Initrd),
            ResetAction = ResetAction.EndRun,
            CommandLine = parsed.GetValue(Append) ?? (kernel is null ? string.Empty : "console=ttyS0"),
            MemoryBytes = (ulong)memory,
            Disks = [.. (parsed.GetValue(Disks) ?? []).Select(ReadDisk)],
            CpuModel = ReadCpu(parsed.GetValue(Cpu)),
            Clock = ReadClock(parsed.GetValue(Clock), interactive),
            Engine = EngineOption.Read(parsed.GetValue(Engine)) ?? EngineKind.Auto,
            Seed = parsed.GetValue(Seed),
            RtcStart = ReadRtc(parsed.GetValue(Rtc)),
            BaseFolder = Directory.GetCurrentDirectory(),
        };
    }

    private static VmDisk ReadDisk(string text)
    {
        (string Suffix, DiskAccess Access)[] kinds = [(",read-only", DiskAccess.ReadOnly), (",read-write", DiskAccess.ReadWrite), (",overlay", DiskAccess.Overlay)];
        foreach ((string suffix, DiskAccess access) in kinds)
        {
            if (text.EndsWith(suffix, StringComparison.OrdinalIgnoreCase))
            {
                return new VmDisk(text[..^suffix.Length], access);
            }
        }

        return new VmDisk(text);
    }

    private static CpuModel ReadCpu(string? text)
    {
        if (text is null)
        {
            return CpuModel.X86_64_V3;
        }

        IEnumerable<(string Word, CpuModel Model)> found = CpuModels.Words.Where(w => string.Equals(w.Word, text, StringComparison.OrdinalIgnoreCase));
        return found.Any() ? found.First().Model : throw new UsageException($"--cpu knows {string.Join(", ", CpuModels.Words.Select(w => w.Word))}, not \"{text}\".");
    }

    private static RtcStart ReadRtc(string? text) =>
        text is null ? RtcStart.Utc
        : RtcStart.TryParse(text, out RtcStart start) ? start
        : throw new UsageException($"--rtc is utc, localtime, or a date from 1970 on such as 2026-01-01 or 2026-01-01T12:30:00, not \"{text}\".");

    private static ClockMode ReadClock(string? text, bool interactive) => text?.ToLowerInvariant() switch
    {
        null => interactive ? ClockMode.Host : ClockMode.Virtual,
        "host" => ClockMode.Host,
        "virtual" => ClockMode.Virtual,
        _ => throw new UsageException($"--clock is host or virtual, not \"{text}\"."),
    };

    /// <summary>What happens before the guest runs (downloads), on the error stream.</summary>
    internal sealed class LineProgress : IProgress<string>
    {
        public void Report(string value) => Console.Error.WriteLine($"virtshell: {Printable.Escape(value)}");
    }
}
