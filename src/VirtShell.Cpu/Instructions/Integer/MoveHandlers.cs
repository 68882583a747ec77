using Iced.Intel;
using VirtShell.Cpu.Decoding;

namespace VirtShell.Cpu.Instructions.Integer;

/// <summary>MOV between general registers, memory and immediates, MOVZX, MOVSX, MOVSXD, LEA, NOP, CMOVcc, SETcc.</summary>
internal static unsafe class MoveHandlers
{
    public static void Register()
    {
        Mov<W8>(Code.Mov_rm8_r8, Code.Mov_r8_rm8, Code.Mov_rm8_imm8, Code.Mov_r8_imm8);
        Mov<W16>(Code.Mov_rm16_r16, Code.Mov_r16_rm16, Code.Mov_rm16_imm16, Code.Mov_r16_imm16);
        Mov<W32>(Code.Mov_rm32_r32, Code.Mov_r32_rm32, Code.Mov_rm32_imm32, Code.Mov_r32_imm32);
        Mov<W64>(Code.Mov_rm64_r64, Code.Mov_r64_rm64, Code.Mov_rm64_imm32, Code.Mov_r64_imm64);
        Load<W8>(Code.Mov_AL_moffs8);
        Load<W16>(Code.Mov_AX_moffs16);
        Load<W32>(Code.Mov_EAX_moffs32);
        Load<W64>(Code.Mov_RAX_moffs64);
        Store<W8>(Code.Mov_moffs8_AL);
        Store<W16>(Code.Mov_moffs16_AX);
        Store<W32>(Code.Mov_moffs32_EAX);
        Store<W64>(Code.Mov_moffs64_RAX);

        Extend<W16, W8>(Code.Movzx_r16_rm8, Code.Movsx_r16_rm8);
        Extend<W32, W8>(Code.Movzx_r32_rm8, Code.Movsx_r32_rm8);
        Extend<W64, W8>(Code.Movzx_r64_rm8, Code.Movsx_r64_rm8);
        Extend<W16, W16>(Code.Movzx_r16_rm16, Code.Movsx_r16_rm16);
        Extend<W32, W16>(Code.Movzx_r32_rm16, Code.Movsx_r32_rm16);
        Extend<W64, W16>(Code.Movzx_r64_rm16, Code.Movsx_r64_rm16);
        Sign<W16, W16>(Code.Movsxd_r16_rm16);
        Sign<W32, W32>(Code.Movsxd_r32_rm32);
        Sign<W64, W32>(Code.Movsxd_r64_rm32);

        HandlerTable.Add(Code.Lea_r16_m, null, &Lea<W16>, &Lea<W16>);
        HandlerTable.Add(Code.Lea_r32_m, null, &Lea<W32>, &Lea<W32>);
        HandlerTable.Add(Code.Lea_r64_m, null, &LeaFlat, &Lea<W64>);

        // The whole range 0F18h–0F1Fh is NOP where no extension takes it; models without CET decode it as reserved NOP.
        for (Code reserved = Code.Reservednop_rm16_r16_0F18; reserved <= Code.Reservednop_rm64_r64_0F1F; reserved++)
        {
            HandlerTable.Add(reserved, &Nop);
        }

        foreach (Code reserved in new[] { Code.Reservednop_rm16_r16_0F0D, Code.Reservednop_rm32_r32_0F0D, Code.Reservednop_rm64_r64_0F0D })
        {
            HandlerTable.Add(reserved, &Nop);
        }

        foreach (Code nop in new[] { Code.Nopw, Code.Nopd, Code.Nopq, Code.Nop_rm16, Code.Nop_rm32, Code.Nop_rm64, Code.Pause, Code.Endbr32, Code.Endbr64 })
        {
            HandlerTable.Add(nop, &Nop);
        }

        Conditional<Conditions.O>(0);
        Conditional<Conditions.No>(1);
        Conditional<Conditions.B>(2);
        Conditional<Conditions.Ae>(3);
        Conditional<Conditions.E>(4);
        Conditional<Conditions.Ne>(5);
        Conditional<Conditions.Be>(6);
        Conditional<Conditions.A>(7);
        Conditional<Conditions.S>(8);
        Conditional<Conditions.Ns>(9);
        Conditional<Conditions.P>(10);
        Conditional<Conditions.Np>(11);
        Conditional<Conditions.L>(12);
        Conditional<Conditions.Ge>(13);
        Conditional<Conditions.Le>(14);
        Conditional<Conditions.G>(15);
    }

    internal static Op* Nop(CpuState* s, Op* o) => o + 1;

    // Iced lists CMOVcc as r16, r32, r64 for each condition in encoding order, and SETcc likewise.
    private static void Conditional<TC>(int condition)
        where TC : struct, ICondition
    {
        Code first = Code.Cmovo_r16_rm16 + (condition * 3);
        HandlerTable.Add(first, &CmovReg<TC, W16>, &CmovMem<TC, W16, Flat>, &CmovMem<TC, W16, General>);
        HandlerTable.Add(first + 1, &CmovReg<TC, W32>, &CmovMem<TC, W32, Flat>, &CmovMem<TC, W32, General>);
        HandlerTable.Add(first + 2, &CmovReg<TC, W64>, &CmovMem<TC, W64, Flat>, &CmovMem<TC, W64, General>);
        HandlerTable.Add(Code.Seto_rm8 + condition, &SetReg<TC>, &SetMem<TC, Flat>, &SetMem<TC, General>);
    }

    private static void Mov<TW>(Code rmR, Code rRm, Code rmImmediate, Code rImmediate)
        where TW : struct, IWidth
    {
        Store<TW>(rmR);
        Load<TW>(rRm);
        HandlerTable.Add(rmImmediate, &MovRegImm<TW>, &MovMemImm<TW, Flat>, &MovMemImm<TW, General>);
        HandlerTable.Add(rImmediate, &MovRegImm<TW>);
    }

    private static void Store<TW>(Code code)
        where TW : struct, IWidth =>
        HandlerTable.Add(code, &MovReg<TW>, &MovStore<TW, Flat>, &MovStore<TW, General>);

    private static void Load<TW>(Code code)
        where TW : struct, IWidth =>
        HandlerTable.Add(code, &MovReg<TW>, &MovLoad<TW, Flat>, &MovLoad<TW, General>);

    private static void Extend<TTo, TFrom>(Code zero, Code sign)
        where TTo : struct, IWidth
        where TFrom : struct, IWidth
    {
        HandlerTable.Add(zero, &ZeroReg<TTo, TFrom>, &ZeroMem<TTo, TFrom, Flat>, &ZeroMem<TTo, TFrom, General>);
        Sign<TTo, TFrom>(sign);
    }

    private static void Sign<TTo, TFrom>(Code sign)
        where TTo : struct, IWidth
        where TFrom : struct, IWidth =>
        HandlerTable.Add(sign, &SignReg<TTo, TFrom>, &SignMem<TTo, TFrom, Flat>, &SignMem<TTo, TFrom, General>);

    private static Op* MovReg<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        TW.Set((byte*)s + o->Dst, TW.Get((byte*)s + o->Src));
        return o + 1;
    }

    private static Op* MovRegImm<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        TW.Set((byte*)s + o->Dst, o->Imm);
        return o + 1;
    }

    private static Op* MovLoad<TW, TA>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        TW.Set((byte*)s + o->Dst, TW.Read(s, TA.Read(s, o, TW.Bytes)));
        return o + 1;
    }

    private static Op* MovStore<TW, TA>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        TW.Write(s, TA.Write(s, o, TW.Bytes), TW.Get((byte*)s + o->Src));
        return o + 1;
    }

    private static Op* MovMemImm<TW, TA>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        TW.Write(s, TA.Write(s, o, TW.Bytes), o->Imm);
        return o + 1;
    }

    private static Op* ZeroReg<TTo, TFrom>(CpuState* s, Op* o)
        where TTo : struct, IWidth
        where TFrom : struct, IWidth
    {
        TTo.Set((byte*)s + o->Dst, TFrom.Get((byte*)s + o->Src));
        return o + 1;
    }

    private static Op* ZeroMem<TTo, TFrom, TA>(CpuState* s, Op* o)
        where TTo : struct, IWidth
        where TFrom : struct, IWidth
        where TA : struct, IAddressing
    {
        TTo.Set((byte*)s + o->Dst, TFrom.Read(s, TA.Read(s, o, TFrom.Bytes)));
        return o + 1;
    }

    private static Op* SignReg<TTo, TFrom>(CpuState* s, Op* o)
        where TTo : struct, IWidth
        where TFrom : struct, IWidth
    {
        TTo.Set((byte*)s + o->Dst, TFrom.SignExtend(TFrom.Get((byte*)s + o->Src)));
        return o + 1;
    }

    private static Op* SignMem<TTo, TFrom, TA>(CpuState* s, Op* o)
        where TTo : struct, IWidth
        where TFrom : struct, IWidth
        where TA : struct, IAddressing
    {
        TTo.Set((byte*)s + o->Dst, TFrom.SignExtend(TFrom.Read(s, TA.Read(s, o, TFrom.Bytes))));
        return o + 1;
    }

    private static Op* Lea<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        TW.Set((byte*)s + o->Dst, Addresses.Effective(s, o));
        return o + 1;
    }

    private static Op* LeaFlat(CpuState* s, Op* o)
    {
        *(ulong*)((byte*)s + o->Dst) = *(ulong*)((byte*)s + o->Base) + (*(ulong*)((byte*)s + o->Index) << o->Scale) + (ulong)o->Disp;
        return o + 1;
    }

    private static Op* CmovReg<TC, TW>(CpuState* s, Op* o)
        where TC : struct, ICondition
        where TW : struct, IWidth
    {
        // A 32-bit CMOV clears the upper half of its destination even where it does not move.
        byte* destination = (byte*)s + o->Dst;
        TW.Set(destination, TC.Holds(s) ? TW.Get((byte*)s + o->Src) : TW.Get(destination));
        return o + 1;
    }

    private static Op* CmovMem<TC, TW, TA>(CpuState* s, Op* o)
        where TC : struct, ICondition
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        ulong value = TW.Read(s, TA.Read(s, o, TW.Bytes));
        byte* destination = (byte*)s + o->Dst;
        TW.Set(destination, TC.Holds(s) ? value : TW.Get(destination));
        return o + 1;
    }

    private static Op* SetReg<TC>(CpuState* s, Op* o)
        where TC : struct, ICondition
    {
        *((byte*)s + o->Dst) = TC.Holds(s) ? (byte)1 : (byte)0;
        return o + 1;
    }

    private static Op* SetMem<TC, TA>(CpuState* s, Op* o)
        where TC : struct, ICondition
        where TA : struct, IAddressing
    {
        W8.Write(s, TA.Write(s, o, 1), TC.Holds(s) ? 1UL : 0UL);
        return o + 1;
    }
}
