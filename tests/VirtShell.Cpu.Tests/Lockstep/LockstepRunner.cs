using System;
using System.Collections.Generic;
using VirtShell.Cpu.Diagnostics;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>What a run came to.</summary>
/// <param name="Instructions">Retired by each machine.</param>
/// <param name="Report">Null where the two agreed.</param>
/// <param name="End">Why the last chunk ended.</param>
internal sealed record LockstepResult(long Instructions, string? Report, ExitReason End)
{
    /// <summary>Accesses to the bus of one machine.</summary>
    public int BusAccesses { get; init; }

    /// <summary>Times that the handlers took the program back to its start.</summary>
    public long Restarts { get; init; }

    /// <summary>Exceptions and interrupts by vector.</summary>
    public IReadOnlyList<uint> Vectors { get; init; } = [];
}

/// <summary>
/// Runs a program on both engines in chunks of random sizes, with random events between them, and compares. Where they differ
/// it goes back to the start and narrows the difference down to the first instruction at which it can be seen.
/// </summary>
internal static unsafe class LockstepRunner
{
    /// <summary>Chunks from one comparison of all memory to the next.</summary>
    private const int MemoryInterval = 24;

    public static LockstepResult Run(GuestProgram program, long instructions, int seed, Action<LockstepMachine>? disturb = null, bool events = true)
    {
        Random random = new(seed);
        List<LockstepStep> steps = [];
        using LockstepPair pair = new(program) { Disturb = disturb };
        ExitReason reason = ExitReason.BudgetSpent;
        long checkedTo = 0;
        for (int i = 0; pair.Interpreter.Processor.InstructionsRetired < instructions && i < 100_000; i++)
        {
            steps.Add(NextStep(program, pair, random, reason, events));
            (reason, EngineDifference? difference) = pair.Run(steps[^1]);
            if (pair.Translator.Processor.FirstTranslationFailure is string failure)
            {
                // The interpreter has taken over, so nothing differs; but the engine has a fault.
                return Result(pair, $"{program}: {failure}", reason);
            }

            bool full = i % MemoryInterval == MemoryInterval - 1 || reason == ExitReason.Shutdown;
            bool agrees = difference is null && (full ? StateComparison.AgreesFully(pair.Interpreter, pair.Translator) : StateComparison.Agrees(pair.Interpreter, pair.Translator));
            if (!agrees)
            {
                return Result(pair, Narrowing.Explain(program, steps, full ? (int)checkedTo : steps.Count - 1, Seen(pair, difference), disturb), reason);
            }

            if (full)
            {
                checkedTo = i + 1;
            }

            if (reason == ExitReason.Shutdown || pair.Interpreter.Bus.IsFull)
            {
                break;
            }
        }

        bool same = StateComparison.AgreesFully(pair.Interpreter, pair.Translator);
        return Result(pair, same ? null : Narrowing.Explain(program, steps, (int)checkedTo, Seen(pair, null), disturb), reason);
    }

    private static List<EngineDifference> Seen(LockstepPair pair, EngineDifference? reason)
    {
        List<EngineDifference> differences = StateComparison.Differences(pair.Interpreter, pair.Translator);
        if (reason is not null)
        {
            differences.Insert(0, reason.Value);
        }

        return differences;
    }

    private static LockstepResult Result(LockstepPair pair, string? report, ExitReason reason)
    {
        LockstepMachine machine = pair.Interpreter;
        uint[] vectors = new uint[256];
        for (int i = 0; i < vectors.Length; i++)
        {
            vectors[i] = machine.Memory.ReadUInt32(Layout.Counters + ((ulong)i * 4));
        }

        return new LockstepResult(machine.Processor.InstructionsRetired, report, reason)
        {
            BusAccesses = machine.Bus.Events.Count,
            Restarts = machine.Memory.ReadUInt32(Layout.RestartCounter),
            Vectors = vectors,
        };
    }

    private static LockstepStep NextStep(GuestProgram program, LockstepPair pair, Random random, ExitReason last, bool events)
    {
        long budget = random.Next(20) switch
        {
            0 => 1,
            < 4 => random.Next(1, 10),
            < 10 => random.Next(10, 300),
            < 18 => random.Next(300, 3000),
            _ => random.Next(3000, 20_000),
        };
        if (last == ExitReason.Halted)
        {
            return pair.Interpreter.Processor.InterruptsEnabled
                ? new LockstepStep(HostAction.Interrupt, 0x20 + (ulong)random.Next(16), budget)
                : new LockstepStep(HostAction.Nmi, 0, budget);
        }

        if (!events || random.Next(3) != 0)
        {
            return new LockstepStep(HostAction.None, 0, budget);
        }

        return random.Next(24) switch
        {
            < 9 => new(HostAction.Interrupt, 0x20 + (ulong)random.Next(16), budget),
            9 => new(HostAction.Nmi, 0, budget),
            < 13 => new(HostAction.PatchCode, (ulong)random.Next(1 << 20), budget),
            13 => new(HostAction.WriteData, Layout.Data + (ulong)random.Next(0xE000), budget),
            14 => new(HostAction.A20, (ulong)random.Next(2), budget),
            15 when program.Starts.Count > 0 => new(HostAction.SetBreakpoint, program.Starts[random.Next(program.Starts.Count)], Math.Min(budget, 500)),
            < 19 => new(HostAction.ClearBreakpoints, 0, budget),
            19 => new(HostAction.DropCaches, 0, budget),
            < 22 => new(HostAction.Interpret, 0, budget),
            _ => new(HostAction.SaveAndLoad, 0, budget),
        };
    }
}
