using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.Privileged;

/// <summary>MOV, PUSH and POP of segment registers, and LDS, LES, LFS, LGS, LSS.</summary>
internal static unsafe class SegmentHandlers
{
    public static void Register()
    {
        foreach (Code code in new[] { Code.Mov_Sreg_rm16, Code.Mov_Sreg_r32m16, Code.Mov_Sreg_r64m16 })
        {
            HandlerTable.Add(code, &LoadReg, &LoadMem<Flat>, &LoadMem<General>);
        }

        HandlerTable.Add(Code.Mov_rm16_Sreg, &StoreReg<W16>, &StoreMem<Flat>, &StoreMem<General>);
        HandlerTable.Add(Code.Mov_r32m16_Sreg, &StoreReg<W32>, &StoreMem<Flat>, &StoreMem<General>);
        HandlerTable.Add(Code.Mov_r64m16_Sreg, &StoreReg<W64>, &StoreMem<Flat>, &StoreMem<General>);
        foreach (Code code in new[]
        {
            Code.Pushw_ES, Code.Pushw_CS, Code.Pushw_SS, Code.Pushw_DS, Code.Pushw_FS, Code.Pushw_GS,
        })
        {
            HandlerTable.Add(code, &Push16);
        }

        foreach (Code code in new[]
        {
            Code.Pushd_ES, Code.Pushd_CS, Code.Pushd_SS, Code.Pushd_DS, Code.Pushd_FS, Code.Pushd_GS,
        })
        {
            HandlerTable.Add(code, &Push32);
        }

        HandlerTable.Add(Code.Pushq_FS, &Push64);
        HandlerTable.Add(Code.Pushq_GS, &Push64);
        foreach (Code code in new[]
        {
            Code.Popw_ES, Code.Popw_SS, Code.Popw_DS, Code.Popw_FS, Code.Popw_GS,
            Code.Popd_ES, Code.Popd_SS, Code.Popd_DS, Code.Popd_FS, Code.Popd_GS,
        })
        {
            HandlerTable.Add(code, &Pop);
        }

        HandlerTable.Add(Code.Popq_FS, &Pop);
        HandlerTable.Add(Code.Popq_GS, &Pop);
        Pointers();
    }

    private static void Pointers()
    {
        Pointer<W16>(SegmentIndex.Es, Code.Les_r16_m1616);
        Pointer<W32>(SegmentIndex.Es, Code.Les_r32_m1632);
        Pointer<W16>(SegmentIndex.Ds, Code.Lds_r16_m1616);
        Pointer<W32>(SegmentIndex.Ds, Code.Lds_r32_m1632);
        Pointer<W16>(SegmentIndex.Ss, Code.Lss_r16_m1616);
        Pointer<W32>(SegmentIndex.Ss, Code.Lss_r32_m1632);
        Pointer<W64>(SegmentIndex.Ss, Code.Lss_r64_m1664);
        Pointer<W16>(SegmentIndex.Fs, Code.Lfs_r16_m1616);
        Pointer<W32>(SegmentIndex.Fs, Code.Lfs_r32_m1632);
        Pointer<W64>(SegmentIndex.Fs, Code.Lfs_r64_m1664);
        Pointer<W16>(SegmentIndex.Gs, Code.Lgs_r16_m1616);
        Pointer<W32>(SegmentIndex.Gs, Code.Lgs_r32_m1632);
        Pointer<W64>(SegmentIndex.Gs, Code.Lgs_r64_m1664);
    }

    private static void Pointer<TW>(int segment, Code code)
        where TW : struct, IWidth
    {
        switch (segment)
        {
            case SegmentIndex.Es:
                HandlerTable.Add(code, null, &LoadPointer<TW, Flat, EsTarget>, &LoadPointer<TW, General, EsTarget>);
                break;
            case SegmentIndex.Ds:
                HandlerTable.Add(code, null, &LoadPointer<TW, Flat, DsTarget>, &LoadPointer<TW, General, DsTarget>);
                break;
            case SegmentIndex.Ss:
                HandlerTable.Add(code, null, &LoadPointer<TW, Flat, SsTarget>, &LoadPointer<TW, General, SsTarget>);
                break;
            case SegmentIndex.Fs:
                HandlerTable.Add(code, null, &LoadPointer<TW, Flat, FsTarget>, &LoadPointer<TW, General, FsTarget>);
                break;
            default:
                HandlerTable.Add(code, null, &LoadPointer<TW, Flat, GsTarget>, &LoadPointer<TW, General, GsTarget>);
                break;
        }
    }

    private static Op* LoadReg(CpuState* s, Op* o) => Load(s, o, *(ushort*)((byte*)s + o->Src));

    private static Op* LoadMem<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing => Load(s, o, Mem.Read<ushort>(s, TA.Read(s, o, 2)));

    private static Op* Load(CpuState* s, Op* o, ushort selector)
    {
        if (o->Dst == SegmentIndex.Cs)
        {
            Fault.InvalidOpcode(s);
        }

        CpuState.Of(s).LoadSegment(o->Dst, selector);
        if (o->Dst == SegmentIndex.Ss)
        {
            Shadow(s, o);
        }

        return o + 1;
    }

    private static Op* StoreReg<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        TW.Set((byte*)s + o->Dst, CpuState.Segment(s, o->Src)->Selector);
        return o + 1;
    }

    private static Op* StoreMem<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        Mem.Write(s, TA.Write(s, o, 2), CpuState.Segment(s, o->Src)->Selector);
        return o + 1;
    }

    private static Op* Push16(CpuState* s, Op* o)
    {
        Stack.Push(s, CpuState.Segment(s, o->Dst)->Selector);
        return o + 1;
    }

    // The upper half of the stack slot keeps what it held (SDM Vol. 2, PUSH).
    private static Op* Push32(CpuState* s, Op* o)
    {
        ulong sp = (s->Gpr[4] - 4) & s->StackMask;
        Mem.Write(s, Stack.Linear(s, sp, 2, write: true), CpuState.Segment(s, o->Dst)->Selector);
        Stack.SetPointer(s, sp);
        return o + 1;
    }

    private static Op* Push64(CpuState* s, Op* o)
    {
        Stack.Push(s, (ulong)CpuState.Segment(s, o->Dst)->Selector);
        return o + 1;
    }

    private static Op* Pop(CpuState* s, Op* o)
    {
        ushort selector = Stack.Peek<ushort>(s, 0);
        ulong sp = s->Gpr[4] + o->OperandSize;
        ulong mask = s->StackMask;
        CpuState.Of(s).LoadSegment(o->Dst, selector);
        s->Gpr[4] = mask == 0xFFFF ? (s->Gpr[4] & ~0xFFFFUL) | (sp & 0xFFFF) : sp & mask;
        if (o->Dst == SegmentIndex.Ss)
        {
            Shadow(s, o);
        }

        return o + 1;
    }

    private static Op* LoadPointer<TW, TA, TS>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TA : struct, IAddressing
        where TS : struct, ISegmentTarget
    {
        ulong linear = TA.Read(s, o, TW.Bytes + 2);
        ulong offset = TW.Read(s, linear);
        ushort selector = Mem.Read<ushort>(s, (linear + (ulong)TW.Bytes) & s->LinearMask);
        CpuState.Of(s).LoadSegment(TS.Index, selector);
        TW.Set((byte*)s + o->Dst, offset);
        return o + 1;
    }

    /// <summary>
    /// MOV SS and POP SS hold interrupts and debug exceptions off until after the next instruction; of several in a row, only the first
    /// does (SDM Vol. 3A §6.8.3), so that no program holds them off for longer.
    /// </summary>
    private static void Shadow(CpuState* s, Op* o)
    {
        long after = Flow.RetiredBefore(s, o) + 1;
        if (s->DebugShadowAt == after - 1)
        {
            return;
        }

        s->ShadowAt = after;
        s->DebugShadowAt = after;
    }

    private interface ISegmentTarget
    {
        static abstract int Index { get; }
    }

    private readonly struct EsTarget : ISegmentTarget
    {
        public static int Index => SegmentIndex.Es;
    }

    private readonly struct DsTarget : ISegmentTarget
    {
        public static int Index => SegmentIndex.Ds;
    }

    private readonly struct SsTarget : ISegmentTarget
    {
        public static int Index => SegmentIndex.Ss;
    }

    private readonly struct FsTarget : ISegmentTarget
    {
        public static int Index => SegmentIndex.Fs;
    }

    private readonly struct GsTarget : ISegmentTarget
    {
        public static int Index => SegmentIndex.Gs;
    }
}
