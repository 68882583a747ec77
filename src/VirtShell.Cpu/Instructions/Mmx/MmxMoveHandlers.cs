using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Instructions.X87;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.Mmx;

/// <summary>MMX instructions that move between register files or memory, take an immediate, or end MMX use.</summary>
internal static unsafe class MmxMoveHandlers
{
    public static void Register()
    {
        HandlerTable.Add(Code.Movd_mm_rm32, &FromGeneral<W32>, &Load32<Flat>, &Load32<General>);
        HandlerTable.Add(Code.Movq_mm_rm64, &FromGeneral<W64>, &Load64<Flat>, &Load64<General>);
        HandlerTable.Add(Code.Movd_rm32_mm, &ToGeneral<W32>, &Store32<Flat>, &Store32<General>);
        HandlerTable.Add(Code.Movq_rm64_mm, &ToGeneral<W64>, &Store64<Flat>, &Store64<General>);
        HandlerTable.Add(Code.Movq_mmm64_mm, &Copy, &Store64<Flat>, &Store64<General>);
        HandlerTable.Add(Code.Movntq_m64_mm, null, &Store64<Flat>, &Store64<General>);
        HandlerTable.Add(Code.Maskmovq_rDI_mm_mm, &MaskedStore);
        HandlerTable.Add(Code.Pshufw_mm_mmm64_imm8, &ShuffleRegister, &ShuffleMemory<Flat>, &ShuffleMemory<General>);
        HandlerTable.Add(Code.Palignr_mm_mmm64_imm8, &AlignRegister, &AlignMemory<Flat>, &AlignMemory<General>);
        HandlerTable.Add(Code.Pinsrw_mm_r32m16_imm8, &InsertRegister, &InsertMemory<Flat>, &InsertMemory<General>);
        HandlerTable.Add(Code.Pinsrw_mm_r64m16_imm8, &InsertRegister, &InsertMemory<Flat>, &InsertMemory<General>);
        HandlerTable.Add(Code.Pextrw_r32_mm_imm8, &Extract);
        HandlerTable.Add(Code.Pextrw_r64_mm_imm8, &Extract);
        HandlerTable.Add(Code.Pmovmskb_r32_mm, &SignMask);
        HandlerTable.Add(Code.Pmovmskb_r64_mm, &SignMask);
        HandlerTable.Add(Code.Movq2dq_xmm_mm, &ToVector);
        HandlerTable.Add(Code.Movdq2q_mm_xmm, &FromVector);
        HandlerTable.Add(Code.Emms, &Empty);
    }

    private static Op* FromGeneral<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        MmxState.Enter(s);
        MmxState.Transition(s);
        MmxState.Set(s, o->Dst, TW.Get((byte*)s + o->Src));
        return o + 1;
    }

    private static Op* ToGeneral<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        MmxState.Enter(s);
        MmxState.Transition(s);
        TW.Set((byte*)s + o->Dst, TW.Get((byte*)s + o->Src));
        return o + 1;
    }

    private static Op* Load32<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        MmxState.Enter(s);
        ulong value = Mem.Read<uint>(s, TA.Read(s, o, 4));
        MmxState.Transition(s);
        MmxState.Set(s, o->Dst, value);
        return o + 1;
    }

    private static Op* Load64<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        MmxState.Enter(s);
        ulong value = Mem.Read<ulong>(s, TA.Read(s, o, 8));
        MmxState.Transition(s);
        MmxState.Set(s, o->Dst, value);
        return o + 1;
    }

    private static Op* Store32<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        MmxState.Enter(s);
        Mem.Write(s, TA.Write(s, o, 4), (uint)MmxState.Get(s, o->Src));
        MmxState.Transition(s);
        return o + 1;
    }

    private static Op* Store64<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        MmxState.Enter(s);
        Mem.Write(s, TA.Write(s, o, 8), MmxState.Get(s, o->Src));
        MmxState.Transition(s);
        return o + 1;
    }

    private static Op* Copy(CpuState* s, Op* o)
    {
        MmxState.Enter(s);
        MmxState.Transition(s);
        MmxState.Set(s, o->Dst, MmxState.Get(s, o->Src));
        return o + 1;
    }

    /// <summary>MASKMOVQ: bytes of the second operand to DS:rDI where the third has its sign bits set. The store's faults come even with an empty mask.</summary>
    private static Op* MaskedStore(CpuState* s, Op* o)
    {
        MmxState.Enter(s);
        ulong offset = s->Gpr[7] << o->AddressShift >> o->AddressShift;
        ulong linear = Addresses.Linear(s, o->Segment, offset, 8, write: true);
        Mem.CheckWrite(s, linear, 8);
        ulong data = MmxState.Get(s, o->Src);
        ulong mask = MmxState.Get(s, o->Src2);
        for (int i = 0; i < 8; i++)
        {
            if (((mask >> ((i * 8) + 7)) & 1) != 0)
            {
                Mem.Write(s, (linear + (ulong)i) & s->LinearMask, (byte)(data >> (i * 8)));
            }
        }

        MmxState.Transition(s);
        return o + 1;
    }

    private static Op* ShuffleRegister(CpuState* s, Op* o)
    {
        MmxState.Enter(s);
        MmxState.Transition(s);
        MmxState.Set(s, o->Dst, WholeOperations.ShuffleWords(MmxState.Get(s, o->Src), (byte)o->Imm));
        return o + 1;
    }

    private static Op* ShuffleMemory<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        MmxState.Enter(s);
        ulong value = Mem.Read<ulong>(s, TA.Read(s, o, 8));
        MmxState.Transition(s);
        MmxState.Set(s, o->Dst, WholeOperations.ShuffleWords(value, (byte)o->Imm));
        return o + 1;
    }

    private static Op* AlignRegister(CpuState* s, Op* o)
    {
        MmxState.Enter(s);
        MmxState.Transition(s);
        MmxState.Set(s, o->Dst, WholeOperations.AlignRight(MmxState.Get(s, o->Dst), MmxState.Get(s, o->Src), (byte)o->Imm));
        return o + 1;
    }

    private static Op* AlignMemory<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        MmxState.Enter(s);
        ulong value = Mem.Read<ulong>(s, TA.Read(s, o, 8));
        MmxState.Transition(s);
        MmxState.Set(s, o->Dst, WholeOperations.AlignRight(MmxState.Get(s, o->Dst), value, (byte)o->Imm));
        return o + 1;
    }

    private static Op* InsertRegister(CpuState* s, Op* o)
    {
        MmxState.Enter(s);
        MmxState.Transition(s);
        Insert(s, o, *(ushort*)((byte*)s + o->Src));
        return o + 1;
    }

    private static Op* InsertMemory<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        MmxState.Enter(s);
        ushort value = Mem.Read<ushort>(s, TA.Read(s, o, 2));
        MmxState.Transition(s);
        Insert(s, o, value);
        return o + 1;
    }

    private static void Insert(CpuState* s, Op* o, ushort value)
    {
        int shift = ((int)o->Imm & 3) * 16;
        MmxState.Set(s, o->Dst, (MmxState.Get(s, o->Dst) & ~(0xFFFFUL << shift)) | ((ulong)value << shift));
    }

    private static Op* Extract(CpuState* s, Op* o)
    {
        MmxState.Enter(s);
        MmxState.Transition(s);
        *(ulong*)((byte*)s + o->Dst) = (ushort)(MmxState.Get(s, o->Src) >> (((int)o->Imm & 3) * 16));
        return o + 1;
    }

    private static Op* SignMask(CpuState* s, Op* o)
    {
        MmxState.Enter(s);
        MmxState.Transition(s);
        *(ulong*)((byte*)s + o->Dst) = WholeOperations.SignMask(MmxState.Get(s, o->Src));
        return o + 1;
    }

    private static Op* ToVector(CpuState* s, Op* o)
    {
        MmxState.Enter(s);
        MmxState.Transition(s);
        ulong* vector = (ulong*)((byte*)s + o->Dst);
        vector[0] = MmxState.Get(s, o->Src);
        vector[1] = 0;
        return o + 1;
    }

    private static Op* FromVector(CpuState* s, Op* o)
    {
        MmxState.Enter(s);
        MmxState.Transition(s);
        MmxState.Set(s, o->Dst, *(ulong*)((byte*)s + o->Src));
        return o + 1;
    }

    /// <summary>EMMS: all registers empty, ready for x87 use.</summary>
    private static Op* Empty(CpuState* s, Op* o)
    {
        MmxState.Enter(s);
        s->FpuValid = 0;
        s->Fsw &= unchecked((ushort)~Fpu.TopMask);
        return o + 1;
    }
}
