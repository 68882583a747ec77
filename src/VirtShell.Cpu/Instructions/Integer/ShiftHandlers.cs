using System;
using System.Runtime.CompilerServices;
using Iced.Intel;
using VirtShell.Cpu.Decoding;

namespace VirtShell.Cpu.Instructions.Integer;

/// <summary>
/// ROL, ROR, RCL, RCR, SHL, SHR, SAR, SHLD, SHRD (SDM Vol. 2). A masked count of zero changes nothing, not even flags.
/// Undefined flags follow what processors do: OF is computed for every count as for the last step, AF is cleared.
/// </summary>
internal static unsafe class ShiftHandlers
{
    /// <summary>A shift by a count that is already masked and not zero.</summary>
    internal interface IShift
    {
        static abstract ulong Apply<TW>(CpuState* s, ulong value, int count)
            where TW : struct, IWidth;
    }

    public static void Register()
    {
        Group<Rol>(0);
        Group<Ror>(1);
        Group<Rcl>(2);
        Group<Rcr>(3);
        Group<Shl>(4);
        Group<Shr>(5);
        Group<Shl>(6);
        Group<Sar>(7);
        Double<W16>(Code.Shld_rm16_r16_imm8, Code.Shld_rm16_r16_CL, Code.Shrd_rm16_r16_imm8, Code.Shrd_rm16_r16_CL);
        Double<W32>(Code.Shld_rm32_r32_imm8, Code.Shld_rm32_r32_CL, Code.Shrd_rm32_r32_imm8, Code.Shrd_rm32_r32_CL);
        Double<W64>(Code.Shld_rm64_r64_imm8, Code.Shld_rm64_r64_CL, Code.Shrd_rm64_r64_imm8, Code.Shrd_rm64_r64_CL);
    }

    private static readonly string[] s_names = ["Rol", "Ror", "Rcl", "Rcr", "Shl", "Shr", "Sal", "Sar"];

    private static void Group<TS>(int digit)
        where TS : struct, IShift
    {
        string name = s_names[digit];
        Row<TS, W8>(name, "rm8");
        Row<TS, W16>(name, "rm16");
        Row<TS, W32>(name, "rm32");
        Row<TS, W64>(name, "rm64");
    }

    private static void Row<TS, TW>(string name, string operand)
        where TS : struct, IShift
        where TW : struct, IWidth
    {
        HandlerTable.Add(Enum.Parse<Code>($"{name}_{operand}_imm8"), &RegImm<TS, TW>, &MemImm<TS, TW, Flat>, &MemImm<TS, TW, General>);
        HandlerTable.Add(Enum.Parse<Code>($"{name}_{operand}_1"), &RegImm<TS, TW>, &MemImm<TS, TW, Flat>, &MemImm<TS, TW, General>);
        HandlerTable.Add(Enum.Parse<Code>($"{name}_{operand}_CL"), &RegCl<TS, TW>, &MemCl<TS, TW, Flat>, &MemCl<TS, TW, General>);
    }

    private static void Double<TW>(Code leftImmediate, Code leftCl, Code rightImmediate, Code rightCl)
        where TW : struct, IWidth
    {
        HandlerTable.Add(leftImmediate, &DoubleReg<Shld, TW, FromImmediate>, &DoubleMem<Shld, TW, FromImmediate, Flat>, &DoubleMem<Shld, TW, FromImmediate, General>);
        HandlerTable.Add(leftCl, &DoubleReg<Shld, TW, FromCl>, &DoubleMem<Shld, TW, FromCl, Flat>, &DoubleMem<Shld, TW, FromCl, General>);
        HandlerTable.Add(rightImmediate, &DoubleReg<Shrd, TW, FromImmediate>, &DoubleMem<Shrd, TW, FromImmediate, Flat>, &DoubleMem<Shrd, TW, FromImmediate, General>);
        HandlerTable.Add(rightCl, &DoubleReg<Shrd, TW, FromCl>, &DoubleMem<Shrd, TW, FromCl, Flat>, &DoubleMem<Shrd, TW, FromCl, General>);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Mask<TW>(ulong count)
        where TW : struct, IWidth => (int)count & (TW.Bits == 64 ? 63 : 31);

    private static Op* RegImm<TS, TW>(CpuState* s, Op* o)
        where TS : struct, IShift
        where TW : struct, IWidth => Reg<TS, TW>(s, o, Mask<TW>(o->Imm));

    private static Op* RegCl<TS, TW>(CpuState* s, Op* o)
        where TS : struct, IShift
        where TW : struct, IWidth => Reg<TS, TW>(s, o, Mask<TW>(s->Gpr[1]));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Op* Reg<TS, TW>(CpuState* s, Op* o, int count)
        where TS : struct, IShift
        where TW : struct, IWidth
    {
        byte* destination = (byte*)s + o->Dst;
        ulong value = TW.Get(destination);

        // A 32-bit destination is zero-extended even where the count is zero.
        TW.Set(destination, count == 0 ? value : TS.Apply<TW>(s, value, count));
        return o + 1;
    }

    private static Op* MemImm<TS, TW, TA>(CpuState* s, Op* o)
        where TS : struct, IShift
        where TW : struct, IWidth
        where TA : struct, IAddressing => Mem<TS, TW, TA>(s, o, Mask<TW>(o->Imm));

    private static Op* MemCl<TS, TW, TA>(CpuState* s, Op* o)
        where TS : struct, IShift
        where TW : struct, IWidth
        where TA : struct, IAddressing => Mem<TS, TW, TA>(s, o, Mask<TW>(s->Gpr[1]));

    private static Op* Mem<TS, TW, TA>(CpuState* s, Op* o, int count)
        where TS : struct, IShift
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        ulong linear = TA.Write(s, o, TW.Bytes);
        ulong value = TW.ReadForWrite(s, linear);
        if (count != 0)
        {
            TW.Write(s, linear, TS.Apply<TW>(s, value, count));
        }

        return o + 1;
    }

    private static Op* DoubleReg<TS, TW, TC>(CpuState* s, Op* o)
        where TS : struct, IDoubleShift
        where TW : struct, IWidth
        where TC : struct, ICount
    {
        int count = Mask<TW>(TC.Get(s, o));
        byte* destination = (byte*)s + o->Dst;
        ulong value = TW.Get(destination);
        TW.Set(destination, count == 0 ? value : TS.Apply<TW>(s, value, TW.Get((byte*)s + o->Src), count));
        return o + 1;
    }

    private static Op* DoubleMem<TS, TW, TC, TA>(CpuState* s, Op* o)
        where TS : struct, IDoubleShift
        where TW : struct, IWidth
        where TC : struct, ICount
        where TA : struct, IAddressing
    {
        ulong linear = TA.Write(s, o, TW.Bytes);
        ulong value = TW.ReadForWrite(s, linear);
        int count = Mask<TW>(TC.Get(s, o));
        if (count != 0)
        {
            TW.Write(s, linear, TS.Apply<TW>(s, value, TW.Get((byte*)s + o->Src), count));
        }

        return o + 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static bool Top<TW>(ulong value)
        where TW : struct, IWidth => ((value >> (TW.Bits - 1)) & 1) != 0;

    /// <summary>Rotates leave SF, ZF, AF and PF alone.</summary>
    internal static void SetRotate(CpuState* s, bool carry, bool overflow)
    {
        const ulong Both = Flags.AuxCarry | Flags.AuxCarryIn;
        s->FlagAux = (s->FlagAux & ~Both) | (carry ? Flags.AuxCarry : 0) | (carry != overflow ? Flags.AuxCarryIn : 0);
    }

    private static ulong Ones<TW>()
        where TW : struct, IWidth => ulong.MaxValue >> (64 - TW.Bits);

    internal interface IDoubleShift
    {
        static abstract ulong Apply<TW>(CpuState* s, ulong value, ulong other, int count)
            where TW : struct, IWidth;
    }

    internal interface ICount
    {
        static abstract ulong Get(CpuState* s, Op* o);
    }

    private struct FromImmediate : ICount
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Get(CpuState* s, Op* o) => o->Imm;
    }

    private struct FromCl : ICount
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Get(CpuState* s, Op* o) => s->Gpr[1];
    }

    internal struct Shl : IShift
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<TW>(CpuState* s, ulong value, int count)
            where TW : struct, IWidth
        {
            // For 8 and 16 bits the count may exceed the width: the carry is then 0.
            ulong result = (value << count) & Ones<TW>();
            bool carry = count <= TW.Bits && ((value >> (TW.Bits - count)) & 1) != 0;
            Flags.SetResult(s, TW.SignExtend(result), carry, Top<TW>(result) != carry, false);
            return result;
        }
    }

    internal struct Shr : IShift
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<TW>(CpuState* s, ulong value, int count)
            where TW : struct, IWidth
        {
            ulong result = value >> count;
            bool carry = ((value >> (count - 1)) & 1) != 0;
            bool overflow = Top<TW>(result << 1) != Top<TW>(result);
            Flags.SetResult(s, TW.SignExtend(result), carry, overflow, false);
            return result;
        }
    }

    internal struct Sar : IShift
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<TW>(CpuState* s, ulong value, int count)
            where TW : struct, IWidth
        {
            long wide = (long)TW.SignExtend(value);
            long result = wide >> count;
            bool carry = ((wide >> (count - 1)) & 1) != 0;
            Flags.SetResult(s, (ulong)result, carry, false, false);
            return (ulong)result & Ones<TW>();
        }
    }

    private struct Rol : IShift
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<TW>(CpuState* s, ulong value, int count)
            where TW : struct, IWidth
        {
            int by = count & (TW.Bits - 1);
            ulong result = by == 0 ? value : ((value << by) | (value >> (TW.Bits - by))) & Ones<TW>();
            bool carry = (result & 1) != 0;
            SetRotate(s, carry, Top<TW>(result) != carry);
            return result;
        }
    }

    private struct Ror : IShift
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<TW>(CpuState* s, ulong value, int count)
            where TW : struct, IWidth
        {
            int by = count & (TW.Bits - 1);
            ulong result = by == 0 ? value : ((value >> by) | (value << (TW.Bits - by))) & Ones<TW>();
            bool carry = Top<TW>(result);
            SetRotate(s, carry, carry != Top<TW>(result << 1));
            return result;
        }
    }

    private struct Rcl : IShift
    {
        public static ulong Apply<TW>(CpuState* s, ulong value, int count)
            where TW : struct, IWidth
        {
            int by = count % (TW.Bits + 1);
            bool carry = Flags.Cf(s);
            ulong result = value;
            for (int i = 0; i < by; i++)
            {
                bool top = Top<TW>(result);
                result = ((result << 1) | (carry ? 1UL : 0)) & Ones<TW>();
                carry = top;
            }

            SetRotate(s, carry, Top<TW>(result) != carry);
            return result;
        }
    }

    private struct Rcr : IShift
    {
        public static ulong Apply<TW>(CpuState* s, ulong value, int count)
            where TW : struct, IWidth
        {
            int by = count % (TW.Bits + 1);
            bool carry = Flags.Cf(s);
            ulong result = value;
            for (int i = 0; i < by; i++)
            {
                bool low = (result & 1) != 0;
                result = (result >> 1) | (carry ? 1UL << (TW.Bits - 1) : 0);
                carry = low;
            }

            SetRotate(s, carry, Top<TW>(result) != Top<TW>(result << 1));
            return result;
        }
    }

    private struct Shld : IDoubleShift
    {
        public static ulong Apply<TW>(CpuState* s, ulong value, ulong other, int count)
            where TW : struct, IWidth
        {
            // A 16-bit operand with a count above 16 rotates through value:other:value, as processors do.
            ulong result;
            bool carry;
            if (count > TW.Bits)
            {
                int more = count - TW.Bits;
                result = ((other << more) | (value >> (TW.Bits - more))) & Ones<TW>();
                carry = ((other >> (TW.Bits - more)) & 1) != 0;
            }
            else
            {
                result = ((value << count) | (count == 64 ? other : other >> (TW.Bits - count))) & Ones<TW>();
                carry = ((value >> (TW.Bits - count)) & 1) != 0;
            }

            Flags.SetResult(s, TW.SignExtend(result), carry, Top<TW>(result) != Top<TW>(value), false);
            return result;
        }
    }

    private struct Shrd : IDoubleShift
    {
        public static ulong Apply<TW>(CpuState* s, ulong value, ulong other, int count)
            where TW : struct, IWidth
        {
            ulong result;
            bool carry;
            if (count > TW.Bits)
            {
                int more = count - TW.Bits;
                result = ((other >> more) | (value << (TW.Bits - more))) & Ones<TW>();
                carry = ((other >> (more - 1)) & 1) != 0;
            }
            else
            {
                result = ((value >> count) | (other << (TW.Bits - count))) & Ones<TW>();
                carry = ((value >> (count - 1)) & 1) != 0;
            }

            Flags.SetResult(s, TW.SignExtend(result), carry, Top<TW>(result) != Top<TW>(value), false);
            return result;
        }
    }
}
