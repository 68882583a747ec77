using System;
using System.Collections.Generic;
using VirtShell.Cpu.Diagnostics;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Finds the first instruction after which a difference can be seen, by running again from the start: both engines are deterministic.</summary>
internal static unsafe class Narrowing
{
    /// <param name="program">The program.</param>
    /// <param name="steps">The chunks that were run, the last of which showed a difference.</param>
    /// <param name="good">How many of them are known to have left no difference.</param>
    /// <param name="seen">The difference at the end of the last chunk.</param>
    /// <param name="disturb">As in the first run.</param>
    public static string Explain(GuestProgram program, List<LockstepStep> steps, int good, List<EngineDifference> seen, Action<LockstepMachine>? disturb)
    {
        // First the chunk: everything is compared this time.
        int low = good;
        int high = steps.Count;
        while (low + 1 < high)
        {
            int middle = (low + high) / 2;
            if (Differs(program, steps[..middle], disturb))
            {
                high = middle;
            }
            else
            {
                low = middle;
            }
        }

        List<LockstepStep> before = steps[..(high - 1)];
        LockstepStep last = steps[high - 1];

        // Then how much of it: the translator may need more than one instruction at a time to go wrong.
        long from = 0;
        long to = last.Budget;
        while (from + 1 < to)
        {
            long middle = (from + to) / 2;
            if (Differs(program, [.. before, last with { Budget = middle }], disturb))
            {
                to = middle;
            }
            else
            {
                from = middle;
            }
        }

        return MismatchReport.Write(program, before, last with { Budget = to }, seen, disturb);
    }

    private static bool Differs(GuestProgram program, List<LockstepStep> steps, Action<LockstepMachine>? disturb)
    {
        using LockstepPair pair = new(program) { Disturb = disturb };
        foreach (LockstepStep step in steps)
        {
            if (pair.Run(step).Difference is not null)
            {
                return true;
            }
        }

        return !StateComparison.AgreesFully(pair.Interpreter, pair.Translator);
    }
}
