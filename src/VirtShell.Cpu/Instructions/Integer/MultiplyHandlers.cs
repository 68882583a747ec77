using System;
using System.Runtime.CompilerServices;
using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;

namespace VirtShell.Cpu.Instructions.Integer;

/// <summary>MUL, IMUL, DIV, IDIV, MULX (SDM Vol. 2). SF, ZF, AF and PF after a multiplication are undefined: they are left as computed from the low result.</summary>
internal static unsafe class MultiplyHandlers
{
    private const int Rax = 0;
    private const int Rdx = 2;

    /// <summary>An operation on the accumulator and one operand.</summary>
    internal interface IAccumulatorOp
    {
        static abstract void Apply<TW>(CpuState* s, ulong operand)
            where TW : struct, IWidth;
    }

    public static void Register()
    {
        Accumulator<Mul>(Code.Mul_rm8, Code.Mul_rm16, Code.Mul_rm32, Code.Mul_rm64);
        Accumulator<Imul>(Code.Imul_rm8, Code.Imul_rm16, Code.Imul_rm32, Code.Imul_rm64);
        Accumulator<Div>(Code.Div_rm8, Code.Div_rm16, Code.Div_rm32, Code.Div_rm64);
        Accumulator<Idiv>(Code.Idiv_rm8, Code.Idiv_rm16, Code.Idiv_rm32, Code.Idiv_rm64);
        Two<W16>(Code.Imul_r16_rm16, Code.Imul_r16_rm16_imm16, Code.Imul_r16_rm16_imm8);
        Two<W32>(Code.Imul_r32_rm32, Code.Imul_r32_rm32_imm32, Code.Imul_r32_rm32_imm8);
        Two<W64>(Code.Imul_r64_rm64, Code.Imul_r64_rm64_imm32, Code.Imul_r64_rm64_imm8);
        HandlerTable.Add(Code.VEX_Mulx_r32_r32_rm32, &MulxReg<W32>, &MulxMem<W32, Flat>, &MulxMem<W32, General>);
        HandlerTable.Add(Code.VEX_Mulx_r64_r64_rm64, &MulxReg<W64>, &MulxMem<W64, Flat>, &MulxMem<W64, General>);
    }

    private static void Accumulator<TOp>(Code code8, Code code16, Code code32, Code code64)
        where TOp : struct, IAccumulatorOp
    {
        HandlerTable.Add(code8, &AccumulatorReg<TOp, W8>, &AccumulatorMem<TOp, W8, Flat>, &AccumulatorMem<TOp, W8, General>);
        HandlerTable.Add(code16, &AccumulatorReg<TOp, W16>, &AccumulatorMem<TOp, W16, Flat>, &AccumulatorMem<TOp, W16, General>);
        HandlerTable.Add(code32, &AccumulatorReg<TOp, W32>, &AccumulatorMem<TOp, W32, Flat>, &AccumulatorMem<TOp, W32, General>);
        HandlerTable.Add(code64, &AccumulatorReg<TOp, W64>, &AccumulatorMem<TOp, W64, Flat>, &AccumulatorMem<TOp, W64, General>);
    }

    private static void Two<TW>(Code plain, Code immediate, Code immediate8)
        where TW : struct, IWidth
    {
        HandlerTable.Add(plain, &ImulReg<TW>, &ImulMem<TW, Flat>, &ImulMem<TW, General>);
        HandlerTable.Add(immediate, &ImulRegImm<TW>, &ImulMemImm<TW, Flat>, &ImulMemImm<TW, General>);
        HandlerTable.Add(immediate8, &ImulRegImm<TW>, &ImulMemImm<TW, Flat>, &ImulMemImm<TW, General>);
    }

    private static Op* AccumulatorReg<TOp, TW>(CpuState* s, Op* o)
        where TOp : struct, IAccumulatorOp
        where TW : struct, IWidth
    {
        TOp.Apply<TW>(s, TW.Get((byte*)s + o->Dst));
        return o + 1;
    }

    private static Op* AccumulatorMem<TOp, TW, TA>(CpuState* s, Op* o)
        where TOp : struct, IAccumulatorOp
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        TOp.Apply<TW>(s, TW.Read(s, TA.Read(s, o, TW.Bytes)));
        return o + 1;
    }

    private static Op* ImulReg<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        byte* destination = (byte*)s + o->Dst;
        TW.Set(destination, Signed<TW>(s, TW.Get(destination), TW.Get((byte*)s + o->Src)));
        return o + 1;
    }

    private static Op* ImulMem<TW, TA>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        ulong value = TW.Read(s, TA.Read(s, o, TW.Bytes));
        byte* destination = (byte*)s + o->Dst;
        TW.Set(destination, Signed<TW>(s, TW.Get(destination), value));
        return o + 1;
    }

    private static Op* ImulRegImm<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        TW.Set((byte*)s + o->Dst, Signed<TW>(s, TW.Get((byte*)s + o->Src), o->Imm));
        return o + 1;
    }

    private static Op* ImulMemImm<TW, TA>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        TW.Set((byte*)s + o->Dst, Signed<TW>(s, TW.Read(s, TA.Read(s, o, TW.Bytes)), o->Imm));
        return o + 1;
    }

    private static Op* MulxReg<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        Mulx<TW>(s, o, TW.Get((byte*)s + o->Src2));
        return o + 1;
    }

    private static Op* MulxMem<TW, TA>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        Mulx<TW>(s, o, TW.Read(s, TA.Read(s, o, TW.Bytes)));
        return o + 1;
    }

    private static void Mulx<TW>(CpuState* s, Op* o, ulong operand)
        where TW : struct, IWidth
    {
        // The high half is written last: it wins where both destinations are one register.
        ulong multiplicand = TW.Get((byte*)&s->Gpr[Rdx]);
        ulong low;
        ulong high;
        if (TW.Bits == 64)
        {
            high = Math.BigMul(multiplicand, operand, out low);
        }
        else
        {
            low = multiplicand * operand;
            high = low >> 32;
        }

        TW.Set((byte*)s + o->Src, low);
        TW.Set((byte*)s + o->Dst, high);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static ulong Signed<TW>(CpuState* s, ulong a, ulong b)
        where TW : struct, IWidth
    {
        long x = (long)TW.SignExtend(a);
        long y = (long)TW.SignExtend(b);
        ulong low;
        bool overflow;
        if (TW.Bits == 64)
        {
            long high = Math.BigMul(x, y, out long lowSigned);
            low = (ulong)lowSigned;
            overflow = high != lowSigned >> 63;
        }
        else
        {
            long product = x * y;
            low = (ulong)product;
            overflow = (long)TW.SignExtend(low) != product;
        }

        Flags.SetResult(s, TW.SignExtend(low), overflow, overflow, false);
        return low;
    }

    private struct Mul : IAccumulatorOp
    {
        public static void Apply<TW>(CpuState* s, ulong operand)
            where TW : struct, IWidth
        {
            ulong a = TW.Get((byte*)&s->Gpr[Rax]);
            ulong low;
            ulong high;
            if (TW.Bits == 64)
            {
                high = Math.BigMul(a, operand, out low);
            }
            else
            {
                ulong product = a * operand;
                low = product & (ulong.MaxValue >> (64 - TW.Bits));
                high = product >> TW.Bits;
            }

            Result<TW>(s, low, high);
            Flags.SetResult(s, TW.SignExtend(low), high != 0, high != 0, false);
        }
    }

    private struct Imul : IAccumulatorOp
    {
        public static void Apply<TW>(CpuState* s, ulong operand)
            where TW : struct, IWidth
        {
            long a = (long)TW.SignExtend(TW.Get((byte*)&s->Gpr[Rax]));
            long b = (long)TW.SignExtend(operand);
            ulong low;
            ulong high;
            bool overflow;
            if (TW.Bits == 64)
            {
                long top = Math.BigMul(a, b, out long lowSigned);
                low = (ulong)lowSigned;
                high = (ulong)top;
                overflow = top != lowSigned >> 63;
            }
            else
            {
                long product = a * b;
                low = (ulong)product & (ulong.MaxValue >> (64 - TW.Bits));
                high = (ulong)(product >> TW.Bits);
                overflow = (long)TW.SignExtend(low) != product;
            }

            Result<TW>(s, low, high);
            Flags.SetResult(s, TW.SignExtend(low), overflow, overflow, false);
        }
    }

    private struct Div : IAccumulatorOp
    {
        public static void Apply<TW>(CpuState* s, ulong operand)
            where TW : struct, IWidth
        {
            if (operand == 0)
            {
                Fault.DivideError(s);
            }

            ulong quotient;
            ulong remainder;
            if (TW.Bits == 64)
            {
                ulong high = s->Gpr[Rdx];
                if (high >= operand)
                {
                    Fault.DivideError(s);
                }

                if (high == 0)
                {
                    (quotient, remainder) = Math.DivRem(s->Gpr[Rax], operand);
                }
                else
                {
                    (UInt128 q, UInt128 r) = UInt128.DivRem(new UInt128(high, s->Gpr[Rax]), operand);
                    quotient = (ulong)q;
                    remainder = (ulong)r;
                }
            }
            else
            {
                (quotient, remainder) = Math.DivRem(Dividend<TW>(s), operand);
                if (quotient >> TW.Bits != 0)
                {
                    Fault.DivideError(s);
                }
            }

            Result<TW>(s, quotient, remainder);
        }
    }

    private struct Idiv : IAccumulatorOp
    {
        public static void Apply<TW>(CpuState* s, ulong operand)
            where TW : struct, IWidth
        {
            if (operand == 0)
            {
                Fault.DivideError(s);
            }

            Int128 dividend = TW.Bits switch
            {
                64 => (Int128)new UInt128(s->Gpr[Rdx], s->Gpr[Rax]),
                32 => (long)Dividend<TW>(s),
                16 => (int)Dividend<TW>(s),
                _ => (short)Dividend<TW>(s),
            };
            Int128 divisor = (long)TW.SignExtend(operand);
            Int128 quotient;
            Int128 remainder;
            if (dividend == (long)dividend && !((long)dividend == long.MinValue && divisor == -1))
            {
                (long q, long r) = Math.DivRem((long)dividend, (long)divisor);
                quotient = q;
                remainder = r;
            }
            else if (divisor == -1)
            {
                // -dividend may not fit 128 bits for the most negative one; it cannot fit the quotient either.
                Fault.DivideError(s);
                return;
            }
            else
            {
                (quotient, remainder) = Int128.DivRem(dividend, divisor);
            }

            long limit = long.MaxValue >> (64 - TW.Bits);
            if (quotient > limit || quotient < -limit - 1)
            {
                Fault.DivideError(s);
            }

            Result<TW>(s, (ulong)(long)quotient, (ulong)(long)remainder);
        }
    }

    /// <summary>AX, DX:AX or EDX:EAX.</summary>
    private static ulong Dividend<TW>(CpuState* s)
        where TW : struct, IWidth => TW.Bits switch
        {
            32 => (s->Gpr[Rdx] << 32) | (uint)s->Gpr[Rax],
            16 => (uint)(ushort)s->Gpr[Rdx] << 16 | (ushort)s->Gpr[Rax],
            _ => (ushort)s->Gpr[Rax],
        };

    /// <summary>Writes low and high (or quotient and remainder) to AX, or to the accumulator and DX, EDX or RDX.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Result<TW>(CpuState* s, ulong low, ulong high)
        where TW : struct, IWidth
    {
        if (TW.Bits == 8)
        {
            *(ushort*)&s->Gpr[Rax] = (ushort)((low & 0xFF) | (high << 8));
        }
        else
        {
            TW.Set((byte*)&s->Gpr[Rax], low);
            TW.Set((byte*)&s->Gpr[Rdx], high);
        }
    }
}
