using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;

namespace VirtShell.Cpu.Diagnostics;

/// <summary>Compares two processors that ran the same guest on different engines: everything that the guest or its machine could ever see of them.</summary>
/// <remarks>Unsafe code is sound here because it reads the states of two live processors, between their runs.</remarks>
public static unsafe class ProcessorComparison
{
    private const int VectorBytes = 16 * 32;

    private static readonly string[] s_gprNames = ["RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI", "R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15"];
    private static readonly string[] s_segmentNames = ["ES", "CS", "SS", "DS", "FS", "GS", "FS64", "GS64", "flat", "LDTR", "TR"];

    /// <summary>Everything architectural from CR0 on, apart from the two arrays that have names of their own and scratch.</summary>
    private static readonly (string Name, int Size)[] s_fields =
    [
        ("Rip", 8), ("Cpl", 4), ("ShadowAt", 8), ("DebugShadowAt", 8), ("Pending", 4), ("CodeSize", 4), ("Virtual8086", 4), ("Halted", 4), ("IsShutdown", 4),
        ("LinearMask", 8), ("StackMask", 8), ("ExecKey", 8),
        ("Cr0", 8), ("Cr2", 8), ("Cr3", 8), ("Cr4", 8), ("Efer", 8), ("GdtBase", 8), ("IdtBase", 8), ("GdtLimit", 4), ("IdtLimit", 4),
        ("MsrStar", 8), ("MsrLstar", 8), ("MsrCstar", 8), ("MsrFmask", 8), ("MsrKernelGsBase", 8), ("MsrSysenterCs", 8), ("MsrSysenterEsp", 8),
        ("MsrSysenterEip", 8), ("MsrTscAux", 8), ("MsrPat", 8), ("TscOffset", 8), ("TscAdjust", 8),
        ("Fcw", 2), ("Fsw", 2), ("FpuValid", 2), ("Fop", 2), ("Fcs", 2), ("Fds", 2), ("Mxcsr", 4), ("Fip", 8), ("Fdp", 8), ("Xcr0", 8), ("XInUse", 8),
    ];

    private static readonly (string Name, int Offset, int Size)[] s_places = Array.ConvertAll(s_fields, static f => (f.Name.ToUpperInvariant(), OffsetOf(f.Name), f.Size));

    /// <summary>Whether registers and counts agree; cheap enough for every few instructions. What only a saved state shows (A20, NMI blocking, MTRRs) is left out.</summary>
    public static bool Agree(Vcpu interpreter, Vcpu translator) => !HasDifference(interpreter, translator, null);

    /// <summary>Every difference, in the order in which people look for them.</summary>
    public static List<EngineDifference> Differences(Vcpu interpreter, Vcpu translator)
    {
        List<EngineDifference> list = [];
        HasDifference(interpreter, translator, list);
        return list;
    }

    private static bool HasDifference(Vcpu a, Vcpu b, List<EngineDifference>? list)
    {
        CpuState* x = a.State;
        CpuState* y = b.State;
        bool differs = false;
        Check(list, ref differs, "instructions retired", (ulong)a.InstructionsRetired, (ulong)b.InstructionsRetired);
        for (int i = 0; i < 16; i++)
        {
            Check(list, ref differs, s_gprNames[i], x->Gpr[i], y->Gpr[i]);
        }

        CheckFlags(list, ref differs, a.CurrentFlags(), b.CurrentFlags());
        foreach ((string name, int offset, int size) in s_places)
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

        return differs;
    }

    private static void CheckFlags(List<EngineDifference>? list, ref bool differs, uint a, uint b)
    {
        if (a == b)
        {
            return;
        }

        differs = true;
        list?.Add(new EngineDifference("RFLAGS", $"{a:X} ({FlagNames.Of(a)})", $"{b:X} ({FlagNames.Of(b)})"));
    }

    private static void CheckSegments(List<EngineDifference>? list, ref bool differs, CpuState* x, CpuState* y)
    {
        for (int i = 0; i < SegmentIndex.Count; i++)
        {
            SegmentRegister* p = CpuState.Segment(x, i);
            SegmentRegister* q = CpuState.Segment(y, i);
            if (p->Selector == q->Selector && p->Base == q->Base && p->Limit == q->Limit && p->Attributes == q->Attributes && p->ReadEnd == q->ReadEnd && p->WriteEnd == q->WriteEnd)
            {
                continue;
            }

            string name = s_segmentNames[i];
            Check(list, ref differs, $"{name} selector", p->Selector, q->Selector);
            Check(list, ref differs, $"{name} base", p->Base, q->Base);
            Check(list, ref differs, $"{name} limit", p->Limit, q->Limit);
            Check(list, ref differs, $"{name} attributes", p->Attributes, q->Attributes);
            Check(list, ref differs, $"{name} read end", p->ReadEnd, q->ReadEnd);
            Check(list, ref differs, $"{name} write end", p->WriteEnd, q->WriteEnd);
        }
    }

    private static void Check(List<EngineDifference>? list, ref bool differs, string what, ulong a, ulong b)
    {
        if (a != b)
        {
            differs = true;
            list?.Add(EngineDifference.Of(what, a, b));
        }
    }

    private static void Check(List<EngineDifference>? list, ref bool differs, string what, int number, ulong a, ulong b)
    {
        if (a != b)
        {
            differs = true;
            list?.Add(EngineDifference.Of($"{what} {number}", a, b));
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
