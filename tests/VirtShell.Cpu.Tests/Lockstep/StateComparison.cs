using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using VirtShell.Cpu.Diagnostics;
using VirtShell.Cpu.Tests.Privileged;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Compares two processors, their memories and their buses: everything that a guest or its machine could ever see.</summary>
internal static unsafe class StateComparison
{
    /// <summary>Whether registers, counts and bus traffic agree; cheap enough for every chunk.</summary>
    public static bool Agrees(LockstepMachine a, LockstepMachine b)
    {
        bool differs = false;
        CompareBus(a.Bus, b.Bus, null, ref differs);
        return !differs && ProcessorComparison.Agree(a.Processor, b.Processor);
    }

    /// <summary>Whether memory and what only a saved state shows agree too.</summary>
    public static bool AgreesFully(LockstepMachine a, LockstepMachine b) =>
        Agrees(a, b) && MemoryAgrees(a, b) && SavedState.Of(a.Processor).AsSpan().SequenceEqual(SavedState.Of(b.Processor));

    /// <summary>Every difference, in the order in which people look for them; at most <paramref name="limit"/> of memory.</summary>
    public static List<EngineDifference> Differences(LockstepMachine a, LockstepMachine b, int limit = 16)
    {
        List<EngineDifference> list = ProcessorComparison.Differences(a.Processor, b.Processor);
        bool differs = false;
        CompareBus(a.Bus, b.Bus, list, ref differs);
        CompareMemory(a, b, list, limit);
        if (list.Count == 0 && !SavedState.Of(a.Processor).AsSpan().SequenceEqual(SavedState.Of(b.Processor)))
        {
            list.Add(new EngineDifference("saved state (A20, NMI blocking, RF, pending traps, PDPTEs, MTRRs, random numbers)", "see Vcpu.Save", "differs"));
        }

        return list;
    }

    public static bool MemoryAgrees(LockstepMachine a, LockstepMachine b) =>
        Ram(a).SequenceEqual(Ram(b));

    private static ReadOnlySpan<byte> Ram(LockstepMachine machine) => new(machine.Memory.Base, (int)machine.Memory.LowRamBytes);

    private static void CompareBus(LockstepBus a, LockstepBus b, List<EngineDifference>? list, ref bool differs)
    {
        var x = CollectionsMarshal.AsSpan(a.Events);
        var y = CollectionsMarshal.AsSpan(b.Events);
        int same = Math.Min(a.Checked, Math.Min(x.Length, y.Length));
        int end = Math.Min(x.Length, y.Length);
        while (same < end && x[same] == y[same])
        {
            same++;
        }

        if (same < x.Length || same < y.Length)
        {
            differs = true;
            list?.Add(new EngineDifference($"bus access {same}", same < x.Length ? x[same].ToString() : "none", same < y.Length ? y[same].ToString() : "none"));
        }

        a.Checked = same;
    }

    private static void CompareMemory(LockstepMachine a, LockstepMachine b, List<EngineDifference> list, int limit)
    {
        ReadOnlySpan<byte> x = Ram(a);
        ReadOnlySpan<byte> y = Ram(b);
        int at = 0;
        while (limit > 0 && at < x.Length)
        {
            at += x[at..].CommonPrefixLength(y[at..]);
            if (at < x.Length)
            {
                list.Add(EngineDifference.Of($"physical memory {at:X}", x[at], y[at]));
                limit--;
                at++;
            }
        }
    }
}
