using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using VirtShell.Cpu.Tests.Privileged;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Compares two processors, their memories and their buses: everything that a guest or its machine could ever see.</summary>
internal static unsafe class StateComparison
{
    private const int VectorBytes = 16 * 32;

    private static readonly string[] GprNames = ["RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"];
    private static readonly string[] SegmentNames = ["ES", "CS", "SS", "DS", "FS", "GS", "FS64", "GS64", "flat", "LDTR", "TR"];

    /// <summary>Everything architectural from CR0 on, apart from the two arrays that have names of their own and scratch.</summary>
    private static readonly (string Name, int Size)[] Fields =
    [
        ("Rip", 8), ("Cpl", 4), ("ShadowAt", 8), ("DebugShadowAt", 8), ("Pending", 4), ("CodeSize", 4), ("Virtual8086", 4), ("Halted", 4), ("IsShutdown", 4),
        ("LinearMask", 8), ("StackMask", 8), ("ExecKey", 8),
        ("Cr0", 8), ("Cr2", 8), ("Cr3", 8), ("Cr4", 8), ("Efer", 8), ("GdtBase", 8), ("IdtBase", 8), ("GdtLimit", 4), ("IdtLimit", 4),
        ("MsrStar", 8), ("MsrLstar", 8), ("MsrCstar", 8), ("MsrFmask", 8), ("MsrKernelGsBase", 8), ("MsrSysenterCs", 8), ("MsrSysenterEsp", 8),
        ("MsrSysenterEip", 8), ("MsrTscAux", 8), ("MsrPat", 8), ("TscOffset", 8), ("TscAdjust", 8),
        ("Fcw", 2), ("Fsw", 2), ("FpuValid", 2), ("Fop", 2), ("Fcs", 2), ("Fds", 2), ("Mxcsr", 4), ("Fip", 8), ("Fdp", 8), ("Xcr0", 8), ("XInUse", 8),
    ];

    private static readonly (string Name, int Offset, int Size)[] Places = Array.ConvertAll(Fields, static f => (f.Name.ToUpperInvariant(), OffsetOf(f.Name), f.Size));

    /// <summary>Whether registers, counts and bus traffic agree; cheap enough for every chunk.</summary>
    public static bool Agrees(LockstepMachine a, LockstepMachine b) => !HasDifference(a, b, null);

    /// <summary>Whether memory and what only a saved state shows agree too.</summary>
    public static bool AgreesFully(LockstepMachine a, LockstepMachine b) =>
        Agrees(a, b) && MemoryAgrees(a, b) && SavedState.Of(a.Processor).AsSpan().SequenceEqual(SavedState.Of(b.Processor));

    /// <summary>Every difference, in the order in which people look for them; at most <paramref name="limit"/> of memory.</summary>
    public static List<Difference> Differences(LockstepMachine a, LockstepMachine b, int limit = 16)
    {
        List<Difference> list = [];
        HasDifference(a, b, list);
        CompareMemory(a, b, list, limit);
        if (list.Count == 0 && !SavedState.Of(a.Processor).AsSpan().SequenceEqual(SavedState.Of(b.Processor)))
        {
            list.Add(new Difference("saved state (A20, NMI blocking, RF, pending traps, PDPTEs, MTRRs, random numbers)", "see Vcpu.Save", "differs"));
        }

        return list;
    }

    public static bool MemoryAgrees(LockstepMachine a, LockstepMachine b) =>
        Ram(a).SequenceEqual(Ram(b));

    private static ReadOnlySpan<byte> Ram(LockstepMachine machine) => new(machine.Memory.Base, (int)machine.Memory.LowRamBytes);

    private static bool HasDifference(LockstepMachine a, LockstepMachine b, List<Difference>? list)
    {
        CpuState* x = a.Processor.State;
        CpuState* y = b.Processor.State;
        bool differs = false;
        Check(list, ref differs, "instructions retired", (ulong)a.Processor.InstructionsRetired, (ulong)b.Processor.InstructionsRetired);
        for (int i = 0; i < 16; i++)
        {
            Check(list, ref differs, GprNames[i], x->Gpr[i], y->Gpr[i]);
        }

        CheckFlags(list, ref differs, a.Processor.CurrentFlags(), b.Processor.CurrentFlags());
        foreach ((string name, int offset, int size) in Places)
        {
            Check(list, ref differs, name, Read(x, offset, size), Read(y, offset, size));
        }

        for (int i = 0; i < 8; i++)
        {
            Check(list, ref differs, "DR", i, x->Dr[i], y->Dr[i]);
        }

        CheckSegments(list, ref differs, x, y);
        if (!new ReadOnlySpan<byte>(x->Fpr, 128).SequenceEqual(new ReadOnlySpan<byte>(y->Fpr, 128)))
        {
            for (int i = 0; i < 16; i++)
            {
                Check(list, ref differs, (i & 1) == 0 ? "FPR significand" : "FPR sign and exponent", i >> 1, x->Fpr[i], y->Fpr[i]);
            }
        }

        if (!new ReadOnlySpan<byte>(CpuState.Vector(x, 0), VectorBytes).SequenceEqual(new ReadOnlySpan<byte>(CpuState.Vector(y, 0), VectorBytes)))
        {
            for (int i = 0; i < 64; i++)
            {
                Check(list, ref differs, $"YMM{i / 4} quadword", i % 4, ((ulong*)CpuState.Vector(x, 0))[i], ((ulong*)CpuState.Vector(y, 0))[i]);
            }
        }

        CompareBus(a.Bus, b.Bus, list, ref differs);
        return differs;
    }

    private static void CheckFlags(List<Difference>? list, ref bool differs, uint a, uint b)
    {
        if (a == b)
        {
            return;
        }

        differs = true;
        list?.Add(new Difference("RFLAGS", $"{a:X} ({FlagNames.Of(a)})", $"{b:X} ({FlagNames.Of(b)})"));
    }

    private static void CheckSegments(List<Difference>? list, ref bool differs, CpuState* x, CpuState* y)
    {
        for (int i = 0; i < SegmentIndex.Count; i++)
        {
            SegmentRegister* p = CpuState.Segment(x, i);
            SegmentRegister* q = CpuState.Segment(y, i);
            if (p->Selector == q->Selector && p->Base == q->Base && p->Limit == q->Limit && p->Attributes == q->Attributes && p->ReadEnd == q->ReadEnd && p->WriteEnd == q->WriteEnd)
            {
                continue;
            }

            string name = SegmentNames[i];
            Check(list, ref differs, $"{name} selector", p->Selector, q->Selector);
            Check(list, ref differs, $"{name} base", p->Base, q->Base);
            Check(list, ref differs, $"{name} limit", p->Limit, q->Limit);
            Check(list, ref differs, $"{name} attributes", p->Attributes, q->Attributes);
            Check(list, ref differs, $"{name} read end", p->ReadEnd, q->ReadEnd);
            Check(list, ref differs, $"{name} write end", p->WriteEnd, q->WriteEnd);
        }
    }

    private static void CompareBus(LockstepBus a, LockstepBus b, List<Difference>? list, ref bool differs)
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
            list?.Add(new Difference($"bus access {same}", same < x.Length ? x[same].ToString() : "none", same < y.Length ? y[same].ToString() : "none"));
        }

        a.Checked = same;
    }

    private static void CompareMemory(LockstepMachine a, LockstepMachine b, List<Difference> list, int limit)
    {
        ReadOnlySpan<byte> x = Ram(a);
        ReadOnlySpan<byte> y = Ram(b);
        int at = 0;
        while (limit > 0 && at < x.Length)
        {
            at += x[at..].CommonPrefixLength(y[at..]);
            if (at < x.Length)
            {
                list.Add(Difference.Of($"physical memory {at:X}", x[at], y[at]));
                limit--;
                at++;
            }
        }
    }

    private static void Check(List<Difference>? list, ref bool differs, string what, ulong a, ulong b)
    {
        if (a != b)
        {
            differs = true;
            list?.Add(Difference.Of(what, a, b));
        }
    }

    private static void Check(List<Difference>? list, ref bool differs, string what, int number, ulong a, ulong b)
    {
        if (a != b)
        {
            differs = true;
            list?.Add(Difference.Of($"{what} {number}", a, b));
        }
    }

    private static ulong Read(CpuState* s, int offset, int size) => size switch
    {
        2 => *(ushort*)CpuState.At(s, offset),
        4 => *(uint*)CpuState.At(s, offset),
        _ => *(ulong*)CpuState.At(s, offset),
    };

    private static int OffsetOf(string field) => (int)Marshal.OffsetOf<CpuState>(field);
}
