using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Threading;
using VirtShell.Bench.Building;
using VirtShell.Cpu;
using VirtShell.Machine;

namespace VirtShell.Bench.Running;

/// <summary>A guest in this process, under the virtual clock; marks are stamped as the guest sends them.</summary>
internal sealed class VirtShellContestant(GuestFiles files, EngineKind engine, TimeSpan limit) : IContestant
{
    private const long Slice = 20_000_000;

    public Contestant Kind => Contestant.VirtShell;

    /// <summary>Which engine the last run really used.</summary>
    public EngineKind EngineUsed { get; private set; } = EngineKind.Interpreter;

    public IReadOnlyList<Sample> Run(int repetition, CancellationToken cancellation)
    {
        using var machine = new VirtShell.Machine.Pc(new MachineConfiguration
        {
            MemoryBytes = (ulong)BenchOptions.MemoryMegabytes << 20,
            Engine = engine,
            Boot = new LinuxBoot(File.ReadAllBytes(files.Kernel), File.ReadAllBytes(files.Initramfs), BenchOptions.KernelCommandLine),
        });
        EngineUsed = machine.Cpu.IsTranslating ? EngineKind.Translator : EngineKind.Interpreter;
        var marks = new MarkReader(Kind, repetition) { Count = () => machine.Instructions, ProcessorTime = () => ProcessTime.Of(Environment.ProcessId) };
        machine.SerialOutput = (outlet, value) =>
        {
            if (outlet == Outlet.Com1)
            {
                marks.Feed(value, value == '\n' ? Stopwatch.GetTimestamp() : 0);
            }
        };
        long started = Stopwatch.GetTimestamp();
        MachineExit exit = default;
        while (!marks.IsDone && exit.Kind == MachineExitKind.QuantumSpent)
        {
            cancellation.ThrowIfCancellationRequested();
            exit = machine.Run(Slice);
            if (Stopwatch.GetElapsedTime(started) > limit)
            {
                throw Failure($"still running after {limit.TotalSeconds:F0} s", marks);
            }
        }

        if (marks.Error is not null || !marks.IsDone)
        {
            throw Failure(marks.Error ?? $"the guest ended too early ({exit.Kind})", marks);
        }

        return marks.Samples;
    }

    private static BenchException Failure(string why, MarkReader marks) => new($"virtshell: {why}.\n{string.Join('\n', marks.OtherLines)}".TrimEnd());
}
