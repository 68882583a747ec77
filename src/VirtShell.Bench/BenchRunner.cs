using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Threading;
using VirtShell.Bench.Building;
using VirtShell.Bench.Running;
using VirtShell.Bench.Results;
using VirtShell.Cpu;

namespace VirtShell.Bench;

/// <summary>
/// Runs the comparison: in each repetition every contestant once, in turned order in every other one, so that what the
/// host does meanwhile strikes all of them alike.
/// </summary>
public sealed class BenchRunner(BenchOptions options, IProgress<string> progress)
{
    /// <summary>Longest time of a run at the normal amount of work, in seconds.</summary>
    private const double NormalLimit = 600;
    private const int NormalPercent = 100;

    private readonly List<string> _notes = [];
    private readonly List<Sample> _samples = [];
    private readonly List<BootSample> _boots = [];

    /// <summary>Runs everything.</summary>
    /// <exception cref="BenchException">A tool is missing, or a contestant failed.</exception>
    /// <exception cref="Images.ImageException">The kernel or busybox cannot be had.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellation"/> was signalled.</exception>
    public BenchResult Run(CancellationToken cancellation)
    {
        DateTime began = DateTime.UtcNow;
        string scratch = Directory.Exists("/dev/shm") ? "/dev/shm" : Path.GetTempPath();
        string? qemu = FindQemu();
        GuestFiles files = GuestFiles.Prepare(options, progress, cancellation);
        string? qemuVersion = qemu is null ? null : Qemu.Version(qemu, cancellation);
        IContestant[] contestants = [.. options.Contestants.Where(c => qemu is not null || !IsQemu(c)).Select(c => Create(c, files, qemu))];
        try
        {
            for (int repetition = 1; repetition <= options.Repeat; repetition++)
            {
                IContestant[] order = repetition % 2 == 1 ? contestants : [.. contestants.Reverse()];
                foreach (IContestant contestant in order)
                {
                    Report(repetition, $"{contestant.Kind.Word()}: {options.Programs.Count} programs");
                    _samples.AddRange(contestant.Run(repetition, cancellation));
                }

                MeasureBoots(order, repetition, files, qemu, cancellation);
            }
        }
        finally
        {
            File.Delete(files.List);
        }

        EngineKind? engine = contestants.OfType<VirtShellContestant>().FirstOrDefault()?.EngineUsed;
        return new BenchResult
        {
            Samples = _samples,
            Boots = _boots,
            Options = options,
            EngineUsed = engine,
            QemuVersion = qemuVersion,
            Compiler = files.Programs.Compiler,
            Kernel = files.KernelOrigin,
            Began = began,
            Notes = _notes,
        };

        IContestant Create(Contestant kind, GuestFiles guest, string? emulator) => kind switch
        {
            Contestant.VirtShell => new VirtShellContestant(guest, options.Engine, Limit),
            Contestant.Native => new ProcessContestant(kind, guest.Programs.Main, [guest.List, scratch, guest.Programs.Spawned], Limit),
            _ => new ProcessContestant(kind, emulator!, Qemu.Arguments(guest.Kernel, guest.Initramfs, options.QemuCpu, kind == Contestant.QemuIcount), Limit),
        };
    }

    private TimeSpan Limit => TimeSpan.FromSeconds(NormalLimit * Math.Max(1.0, (double)options.Percent / NormalPercent));

    private static bool IsQemu(Contestant contestant) => contestant is Contestant.Qemu or Contestant.QemuIcount;

    private string? FindQemu()
    {
        if (!options.Contestants.Any(IsQemu))
        {
            return null;
        }

        string? qemu = Qemu.Find();
        if (qemu is null)
        {
            _notes.Add($"{Qemu.Program} is not installed (on Debian: apt-get install qemu-system-x86), so nothing is compared with QEMU.");
        }

        return qemu;
    }

    private void MeasureBoots(IEnumerable<IContestant> order, int repetition, GuestFiles files, string? qemu, CancellationToken cancellation)
    {
        if (files.ShellInitramfs is not { } initramfs)
        {
            return;
        }

        foreach (Contestant kind in order.Select(c => c.Kind).Where(k => k != Contestant.Native))
        {
            if (kind == Contestant.VirtShell && options.RunCommand.Count == 0)
            {
                continue;
            }

            Report(repetition, $"{kind.Word()}: boot to shell");
            string program = kind == Contestant.VirtShell ? options.RunCommand[0] : qemu!;
            IReadOnlyList<string> arguments = kind == Contestant.VirtShell
                ? [.. options.RunCommand.Skip(1), "--kernel", files.Kernel, "--initrd", initramfs, "--append", BenchOptions.KernelCommandLine, "--memory", $"{BenchOptions.MemoryMegabytes}M"]
                : Qemu.Arguments(files.Kernel, initramfs, options.QemuCpu, kind == Contestant.QemuIcount);
            _boots.Add(BootTimer.Measure(kind, repetition, program, arguments, GuestFiles.Prompt, Limit, cancellation));
        }
    }

    private void Report(int repetition, string what) => progress.Report(string.Create(CultureInfo.InvariantCulture, $"{repetition}/{options.Repeat} {what}"));
}
