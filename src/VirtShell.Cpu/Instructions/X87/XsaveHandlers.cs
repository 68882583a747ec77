using System;
using System.Runtime.CompilerServices;
using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.X87;

/// <summary>
/// XSAVE, XSAVEOPT, XSAVEC, XRSTOR, XGETBV and XSETBV for the x87, SSE and AVX components (Intel SDM vol. 1, chapter 13).
/// Which components are in use (XINUSE) is read from their content; the modified optimization is not made.
/// </summary>
internal static unsafe class XsaveHandlers
{
    private interface IForm
    {
        /// <summary>REX.W: 64-bit instruction and data pointers.</summary>
        static abstract bool Wide { get; }

        /// <summary>Components in their initial state are not written.</summary>
        static abstract bool Optimized { get; }

        static abstract bool Compacted { get; }
    }

    public static void Register()
    {
        Enter<Plain>(Code.Xsave_mem);
        Enter<Plain64>(Code.Xsave64_mem);
        Enter<Optimizing>(Code.Xsaveopt_mem);
        Enter<Optimizing64>(Code.Xsaveopt64_mem);
        Enter<Compacting>(Code.Xsavec_mem);
        Enter<Compacting64>(Code.Xsavec64_mem);
        HandlerTable.Add(Code.Xrstor_mem, null, &Restore<Plain, Flat>, &Restore<Plain, General>);
        HandlerTable.Add(Code.Xrstor64_mem, null, &Restore<Plain64, Flat>, &Restore<Plain64, General>);
        HandlerTable.Add(Code.Xgetbv, &GetExtended);
        HandlerTable.Add(Code.Xsetbv, &SetExtended);
    }

    /// <summary>The components that differ from their initial state (SDM vol. 1, 13.6); MXCSR is not part of it.</summary>
    public static ulong InUse(CpuState* s)
    {
        ulong used = 0;
        if (s->Fcw != Fpu.ControlDefault || (s->Fsw | s->FpuValid | s->Fop | s->Fcs | s->Fds) != 0 || (s->Fip | s->Fdp) != 0
            || !IsZero((byte*)s->Fpr, 128))
        {
            used |= XsaveArea.X87;
        }

        for (int i = 0; i < 16; i++)
        {
            byte* vector = CpuState.Vector(s, i);
            used |= IsZero(vector, 16) ? 0 : XsaveArea.Sse;
            used |= IsZero(vector + 16, 16) ? 0 : XsaveArea.Avx;
        }

        return used;
    }

    private static void Enter<TForm>(Code code)
        where TForm : struct, IForm =>
        HandlerTable.Add(code, null, &Save<TForm, Flat>, &Save<TForm, General>);

    private static bool IsZero(byte* at, int size) => !new ReadOnlySpan<byte>(at, size).ContainsAnyExcept((byte)0);

    private static void Check(CpuState* s)
    {
        if ((s->Cr4 & ControlBits.Cr4Osxsave) == 0)
        {
            Fault.InvalidOpcode(s);
        }
    }

    private static ulong Requested(CpuState* s) => s->Xcr0 & ((uint)s->Gpr[0] | (s->Gpr[2] << 32));

    private static Op* Save<TForm, TA>(CpuState* s, Op* o)
        where TForm : struct, IForm
        where TA : struct, IAddressing
    {
        Check(s);
        if ((s->Cr0 & ControlBits.Cr0TaskSwitched) != 0)
        {
            Fault.DeviceNotAvailable(s);
        }

        ulong requested = Requested(s);
        int size = (requested & XsaveArea.Avx) != 0 ? XsaveArea.End : XsaveArea.HeaderEnd;
        ulong linear = FxsaveHandlers.Aligned(s, TA.Write(s, o, size), 64);
        Mem.CheckWrite(s, linear, size);
        byte* area = stackalloc byte[XsaveArea.End];
        ulong used = InUse(s);
        if (TForm.Compacted && s->Mxcsr != XsaveArea.MxcsrDefault)
        {
            used |= XsaveArea.Sse;
        }

        ulong written = TForm.Optimized ? requested & used : requested;
        if ((written & XsaveArea.X87) != 0)
        {
            FxsaveHandlers.WriteX87(s, area, TForm.Wide);
            Put(s, linear, area, XsaveArea.Control, XsaveArea.Mxcsr);
            Put(s, linear, area, XsaveArea.St0, XsaveArea.Xmm0);
        }

        ulong mxcsrWith = TForm.Compacted ? written & XsaveArea.Sse : requested & (XsaveArea.Sse | XsaveArea.Avx);
        if (mxcsrWith != 0)
        {
            FxsaveHandlers.WriteMxcsr(s, area);
            Put(s, linear, area, XsaveArea.Mxcsr, XsaveArea.St0);
        }

        int vectors = FxsaveHandlers.VectorCount(s);
        if ((written & XsaveArea.Sse) != 0)
        {
            FxsaveHandlers.WriteXmm(s, area);
            Put(s, linear, area, XsaveArea.Xmm0, XsaveArea.Xmm0 + (vectors * 16));
        }

        if ((written & XsaveArea.Avx) != 0)
        {
            for (int i = 0; i < vectors; i++)
            {
                Unsafe.CopyBlockUnaligned(area + XsaveArea.YmmHigh + (i * 16), CpuState.Vector(s, i) + 16, 16);
            }

            Put(s, linear, area, XsaveArea.YmmHigh, XsaveArea.YmmHigh + (vectors * 16));
        }

        ulong bits = used & requested;
        if (TForm.Compacted)
        {
            Mem.Write(s, linear + XsaveArea.StateBits, bits);
            Mem.Write(s, linear + XsaveArea.CompactionBits, requested | XsaveArea.Compacted);
        }
        else
        {
            ulong old = Mem.Read<ulong>(s, linear + XsaveArea.StateBits);
            Mem.Write(s, linear + XsaveArea.StateBits, (old & ~requested) | bits);
        }

        return o + 1;
    }

    private static void Put(CpuState* s, ulong linear, byte* area, int from, int to) =>
        Mem.WriteBytes(s, linear + (ulong)from, new ReadOnlySpan<byte>(area + from, to - from));

    private static Op* Restore<TForm, TA>(CpuState* s, Op* o)
        where TForm : struct, IForm
        where TA : struct, IAddressing
    {
        Check(s);
        if ((s->Cr0 & ControlBits.Cr0TaskSwitched) != 0)
        {
            Fault.DeviceNotAvailable(s);
        }

        ulong requested = Requested(s);
        int size = (requested & XsaveArea.Avx) != 0 ? XsaveArea.End : XsaveArea.HeaderEnd;
        ulong linear = FxsaveHandlers.Aligned(s, TA.Read(s, o, size), 64);
        byte* area = stackalloc byte[XsaveArea.End];
        Mem.ReadBytes(s, linear, new Span<byte>(area, XsaveArea.HeaderEnd));
        ulong bits = *(ulong*)(area + XsaveArea.StateBits);
        ulong compaction = *(ulong*)(area + XsaveArea.CompactionBits);
        bool compacted = (compaction & XsaveArea.Compacted) != 0;
        CheckHeader(s, area, bits, compaction, compacted);
        ulong restored = requested & bits;
        bool loadsMxcsr = compacted
            ? (restored & XsaveArea.Sse) != 0
            : (requested & (XsaveArea.Sse | XsaveArea.Avx)) != 0;
        uint mxcsr = *(uint*)(area + XsaveArea.Mxcsr);
        if (loadsMxcsr && (mxcsr & ~XsaveArea.MxcsrWritable) != 0)
        {
            Fault.GeneralProtection(s);
        }

        int vectors = FxsaveHandlers.VectorCount(s);
        if ((restored & XsaveArea.Avx) != 0)
        {
            Mem.ReadBytes(s, linear + XsaveArea.YmmHigh, new Span<byte>(area + XsaveArea.YmmHigh, vectors * 16));
        }

        // Nothing faults any more.
        if ((requested & XsaveArea.X87) != 0)
        {
            if ((restored & XsaveArea.X87) == 0)
            {
                Unsafe.InitBlockUnaligned(area, 0, XsaveArea.Mxcsr);
                Unsafe.InitBlockUnaligned(area + XsaveArea.St0, 0, 128);
                *(ushort*)(area + XsaveArea.Control) = Fpu.ControlDefault;
            }

            FxsaveHandlers.ReadX87(s, area, TForm.Wide);
        }

        if (loadsMxcsr)
        {
            s->Mxcsr = mxcsr;
        }
        else if (compacted && (requested & XsaveArea.Sse) != 0)
        {
            s->Mxcsr = XsaveArea.MxcsrDefault;
        }

        if ((requested & XsaveArea.Sse) != 0)
        {
            if ((restored & XsaveArea.Sse) == 0)
            {
                Unsafe.InitBlockUnaligned(area + XsaveArea.Xmm0, 0, 256);
            }

            FxsaveHandlers.ReadXmm(s, area);
        }

        if ((requested & XsaveArea.Avx) != 0)
        {
            if ((restored & XsaveArea.Avx) == 0)
            {
                Unsafe.InitBlockUnaligned(area + XsaveArea.YmmHigh, 0, 256);
            }

            for (int i = 0; i < vectors; i++)
            {
                Unsafe.CopyBlockUnaligned(CpuState.Vector(s, i) + 16, area + XsaveArea.YmmHigh + (i * 16), 16);
            }
        }

        return o + 1;
    }

    /// <summary>#GP(0) for a header that names what the processor does not have, or sets reserved bytes (SDM vol. 1, 13.8).</summary>
    private static void CheckHeader(CpuState* s, byte* area, ulong bits, ulong compaction, bool compacted)
    {
        ulong components = compaction & ~XsaveArea.Compacted;
        bool valid = compacted
            ? (components & ~s->Xcr0) == 0 && (bits & ~components) == 0
                && IsZero(area + XsaveArea.HeaderReserved, XsaveArea.HeaderEnd - XsaveArea.HeaderReserved)
            : (bits & ~s->Xcr0) == 0 && compaction == 0 && IsZero(area + XsaveArea.HeaderReserved, 8);
        if (!valid)
        {
            Fault.GeneralProtection(s);
        }
    }

    private static Op* GetExtended(CpuState* s, Op* o)
    {
        Check(s);
        uint index = (uint)s->Gpr[1];
        if (index > 1 || (index == 1 && !CpuFeatures.Has(CpuState.Of(s).Model, CpuidFeature.XSAVEC)))
        {
            Fault.GeneralProtection(s);
        }

        ulong value = index == 0 ? s->Xcr0 : s->Xcr0 & InUse(s);
        s->Gpr[0] = (uint)value;
        s->Gpr[2] = value >> 32;
        return o + 1;
    }

    private static Op* SetExtended(CpuState* s, Op* o)
    {
        Check(s);
        ulong value = (uint)s->Gpr[0] | (s->Gpr[2] << 32);
        bool valid = (value & XsaveArea.X87) != 0
            && (value & ~CpuFeatures.Xcr0Bits(CpuState.Of(s).Model)) == 0
            && (value & (XsaveArea.Sse | XsaveArea.Avx)) != XsaveArea.Avx;
        if (s->Cpl != 0 || (uint)s->Gpr[1] != 0 || !valid)
        {
            Fault.GeneralProtection(s);
        }

        s->Xcr0 = value;
        return Flow.ExitNext(s, o);
    }

    private struct Plain : IForm
    {
        public static bool Wide => false;

        public static bool Optimized => false;

        public static bool Compacted => false;
    }

    private struct Plain64 : IForm
    {
        public static bool Wide => true;

        public static bool Optimized => false;

        public static bool Compacted => false;
    }

    private struct Optimizing : IForm
    {
        public static bool Wide => false;

        public static bool Optimized => true;

        public static bool Compacted => false;
    }

    private struct Optimizing64 : IForm
    {
        public static bool Wide => true;

        public static bool Optimized => true;

        public static bool Compacted => false;
    }

    private struct Compacting : IForm
    {
        public static bool Wide => false;

        public static bool Optimized => true;

        public static bool Compacted => true;
    }

    private struct Compacting64 : IForm
    {
        public static bool Wide => true;

        public static bool Optimized => true;

        public static bool Compacted => true;
    }
}
