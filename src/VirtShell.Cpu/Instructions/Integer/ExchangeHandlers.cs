using System;
using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.Integer;

/// <summary>XCHG, XADD, CMPXCHG, CMPXCHG8B, CMPXCHG16B (SDM Vol. 2).</summary>
internal static unsafe class ExchangeHandlers
{
    private const int Rax = 0;
    private const int Rcx = 1;
    private const int Rdx = 2;
    private const int Rbx = 3;

    public static void Register()
    {
        Row<W8>(Code.Xchg_rm8_r8, Code.Xadd_rm8_r8, Code.Cmpxchg_rm8_r8);
        Row<W16>(Code.Xchg_rm16_r16, Code.Xadd_rm16_r16, Code.Cmpxchg_rm16_r16);
        Row<W32>(Code.Xchg_rm32_r32, Code.Xadd_rm32_r32, Code.Cmpxchg_rm32_r32);
        Row<W64>(Code.Xchg_rm64_r64, Code.Xadd_rm64_r64, Code.Cmpxchg_rm64_r64);
        HandlerTable.Add(Code.Xchg_r16_AX, &XchgReg<W16>);
        HandlerTable.Add(Code.Xchg_r32_EAX, &XchgReg<W32>);
        HandlerTable.Add(Code.Xchg_r64_RAX, &XchgReg<W64>);
        HandlerTable.Add(Code.Cmpxchg8b_m64, null, &Cmpxchg8<Flat>, &Cmpxchg8<General>);
        HandlerTable.Add(Code.Cmpxchg16b_m128, null, &Cmpxchg16<Flat>, &Cmpxchg16<General>);
    }

    private static void Row<TW>(Code exchange, Code add, Code compare)
        where TW : struct, IWidth
    {
        HandlerTable.Add(exchange, &XchgReg<TW>, &XchgMem<TW, Flat>, &XchgMem<TW, General>);
        HandlerTable.Add(add, &XaddReg<TW>, &XaddMem<TW, Flat>, &XaddMem<TW, General>);
        HandlerTable.Add(compare, &CmpxchgReg<TW>, &CmpxchgMem<TW, Flat>, &CmpxchgMem<TW, General>);
    }

    private static Op* XchgReg<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        ulong a = TW.Get((byte*)s + o->Dst);
        TW.Set((byte*)s + o->Dst, TW.Get((byte*)s + o->Src));
        TW.Set((byte*)s + o->Src, a);
        return o + 1;
    }

    private static Op* XchgMem<TW, TA>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        ulong linear = TA.Write(s, o, TW.Bytes);
        ulong value = TW.ReadForWrite(s, linear);
        TW.Write(s, linear, TW.Get((byte*)s + o->Src));
        TW.Set((byte*)s + o->Src, value);
        return o + 1;
    }

    private static Op* XaddReg<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        ulong a = TW.Get((byte*)s + o->Dst);
        ulong b = TW.Get((byte*)s + o->Src);
        AluHandlers.SetAdd<TW>(s, a, b, a + b);
        TW.Set((byte*)s + o->Src, a);
        TW.Set((byte*)s + o->Dst, a + b);
        return o + 1;
    }

    private static Op* XaddMem<TW, TA>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        ulong linear = TA.Write(s, o, TW.Bytes);
        ulong a = TW.ReadForWrite(s, linear);
        ulong b = TW.Get((byte*)s + o->Src);
        TW.Write(s, linear, a + b);
        AluHandlers.SetAdd<TW>(s, a, b, a + b);
        TW.Set((byte*)s + o->Src, a);
        return o + 1;
    }

    private static Op* CmpxchgReg<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        byte* accumulator = (byte*)&s->Gpr[Rax];
        ulong a = TW.Get(accumulator);
        ulong value = TW.Get((byte*)s + o->Dst);
        AluHandlers.SetSub<TW>(s, a, value, a - value);
        if (a == value)
        {
            TW.Set((byte*)s + o->Dst, TW.Get((byte*)s + o->Src));
        }
        else
        {
            TW.Set(accumulator, value);
        }

        return o + 1;
    }

    // The destination is written in either case (SDM, CMPXCHG), so it must be writable even where the comparison fails.
    private static Op* CmpxchgMem<TW, TA>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        ulong linear = TA.Write(s, o, TW.Bytes);
        ulong value = TW.ReadForWrite(s, linear);
        byte* accumulator = (byte*)&s->Gpr[Rax];
        ulong a = TW.Get(accumulator);
        TW.Write(s, linear, a == value ? TW.Get((byte*)s + o->Src) : value);
        AluHandlers.SetSub<TW>(s, a, value, a - value);
        if (a != value)
        {
            TW.Set(accumulator, value);
        }

        return o + 1;
    }

    private static Op* Cmpxchg8<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        ulong linear = TA.Write(s, o, 8);
        ulong value = Mem.ReadForWrite<ulong>(s, linear);
        ulong expected = (s->Gpr[Rdx] << 32) | (uint)s->Gpr[Rax];
        bool equal = value == expected;
        Mem.Write(s, linear, equal ? (s->Gpr[Rcx] << 32) | (uint)s->Gpr[Rbx] : value);
        if (!equal)
        {
            s->Gpr[Rax] = (uint)value;
            s->Gpr[Rdx] = value >> 32;
        }

        SetZf(s, equal);
        return o + 1;
    }

    private static Op* Cmpxchg16<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        ulong linear = TA.Write(s, o, 16);
        if ((linear & 15) != 0)
        {
            Fault.GeneralProtection(s);
        }

        UInt128 value = Mem.ReadForWrite<UInt128>(s, linear);
        UInt128 expected = new(s->Gpr[Rdx], s->Gpr[Rax]);
        bool equal = value == expected;
        Mem.Write(s, linear, equal ? new UInt128(s->Gpr[Rcx], s->Gpr[Rbx]) : value);
        if (!equal)
        {
            s->Gpr[Rax] = (ulong)value;
            s->Gpr[Rdx] = (ulong)(value >> 64);
        }

        SetZf(s, equal);
        return o + 1;
    }

    private static void SetZf(CpuState* s, bool zero)
    {
        uint flags = Flags.GetStatus(s);
        Flags.SetStatus(s, zero ? flags | Flags.Zero : flags & ~Flags.Zero);
    }
}
