using System.Runtime.CompilerServices;
using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.Integer;

/// <summary>ADD, OR, ADC, SBB, AND, SUB, XOR, CMP, TEST, INC, DEC, NEG, NOT (SDM Vol. 2).</summary>
internal static unsafe class AluHandlers
{
    /// <summary>A two-operand operation that sets the status flags; values are zero-extended.</summary>
    internal interface IAluOp
    {
        /// <summary>False for CMP and TEST, which only set flags.</summary>
        static abstract bool Writes { get; }

        static abstract ulong Apply<TW>(CpuState* s, ulong a, ulong b)
            where TW : struct, IWidth;
    }

    /// <summary>An operation on one operand.</summary>
    internal interface IUnaryOp
    {
        static abstract ulong Apply<TW>(CpuState* s, ulong a)
            where TW : struct, IWidth;
    }

    public static void Register()
    {
        AddGroup<Add>(Code.Add_rm8_r8, 0);
        AddGroup<Or>(Code.Or_rm8_r8, 1);
        AddGroup<Adc>(Code.Adc_rm8_r8, 2);
        AddGroup<Sbb>(Code.Sbb_rm8_r8, 3);
        AddGroup<And>(Code.And_rm8_r8, 4);
        AddGroup<Sub>(Code.Sub_rm8_r8, 5);
        AddGroup<Xor>(Code.Xor_rm8_r8, 6);
        AddGroup<Cmp>(Code.Cmp_rm8_r8, 7);

        RmR<Test, W8>(Code.Test_rm8_r8);
        RmR<Test, W16>(Code.Test_rm16_r16);
        RmR<Test, W32>(Code.Test_rm32_r32);
        RmR<Test, W64>(Code.Test_rm64_r64);
        RmImm<Test, W8>(Code.Test_rm8_imm8);
        RmImm<Test, W16>(Code.Test_rm16_imm16);
        RmImm<Test, W32>(Code.Test_rm32_imm32);
        RmImm<Test, W64>(Code.Test_rm64_imm32);
        RmImm<Test, W8>(Code.Test_rm8_imm8_F6r1);
        RmImm<Test, W16>(Code.Test_rm16_imm16_F7r1);
        RmImm<Test, W32>(Code.Test_rm32_imm32_F7r1);
        RmImm<Test, W64>(Code.Test_rm64_imm32_F7r1);
        RmImm<Test, W8>(Code.Test_AL_imm8);
        RmImm<Test, W16>(Code.Test_AX_imm16);
        RmImm<Test, W32>(Code.Test_EAX_imm32);
        RmImm<Test, W64>(Code.Test_RAX_imm32);

        Unary<Inc>(Code.Inc_rm8, Code.Inc_rm16, Code.Inc_rm32, Code.Inc_rm64);
        Unary<Dec>(Code.Dec_rm8, Code.Dec_rm16, Code.Dec_rm32, Code.Dec_rm64);
        Unary<Neg>(Code.Neg_rm8, Code.Neg_rm16, Code.Neg_rm32, Code.Neg_rm64);
        Unary<Not>(Code.Not_rm8, Code.Not_rm16, Code.Not_rm32, Code.Not_rm64);
        HandlerTable.Add(Code.Inc_r16, &UnaryReg<Inc, W16>);
        HandlerTable.Add(Code.Inc_r32, &UnaryReg<Inc, W32>);
        HandlerTable.Add(Code.Dec_r16, &UnaryReg<Dec, W16>);
        HandlerTable.Add(Code.Dec_r32, &UnaryReg<Dec, W32>);
    }

    // Iced lists each operation's codes in one order: rm8_r8 rm16_r16 rm32_r32 rm64_r64 r8_rm8 r16_rm16 r32_rm32 r64_rm64
    // AL_imm8 AX_imm16 EAX_imm32 RAX_imm32; the immediate groups 80h–83h by their /digit.
    private static void AddGroup<TOp>(Code first, int digit)
        where TOp : struct, IAluOp
    {
        RmR<TOp, W8>(first);
        RmR<TOp, W16>(first + 1);
        RmR<TOp, W32>(first + 2);
        RmR<TOp, W64>(first + 3);
        RRm<TOp, W8>(first + 4);
        RRm<TOp, W16>(first + 5);
        RRm<TOp, W32>(first + 6);
        RRm<TOp, W64>(first + 7);
        RmImm<TOp, W8>(first + 8);
        RmImm<TOp, W16>(first + 9);
        RmImm<TOp, W32>(first + 10);
        RmImm<TOp, W64>(first + 11);
        RmImm<TOp, W8>(Code.Add_rm8_imm8 + digit);
        RmImm<TOp, W8>(Code.Add_rm8_imm8_82 + digit);
        RmImm<TOp, W16>(Code.Add_rm16_imm16 + (3 * digit));
        RmImm<TOp, W32>(Code.Add_rm32_imm32 + (3 * digit));
        RmImm<TOp, W64>(Code.Add_rm64_imm32 + (3 * digit));
        RmImm<TOp, W16>(Code.Add_rm16_imm8 + (3 * digit));
        RmImm<TOp, W32>(Code.Add_rm32_imm8 + (3 * digit));
        RmImm<TOp, W64>(Code.Add_rm64_imm8 + (3 * digit));
    }

    private static void RmR<TOp, TW>(Code code)
        where TOp : struct, IAluOp
        where TW : struct, IWidth =>
        HandlerTable.Add(code, &RegReg<TOp, TW>, &MemReg<TOp, TW, Flat>, &MemReg<TOp, TW, General>);

    private static void RRm<TOp, TW>(Code code)
        where TOp : struct, IAluOp
        where TW : struct, IWidth =>
        HandlerTable.Add(code, &RegReg<TOp, TW>, &RegMem<TOp, TW, Flat>, &RegMem<TOp, TW, General>);

    private static void RmImm<TOp, TW>(Code code)
        where TOp : struct, IAluOp
        where TW : struct, IWidth =>
        HandlerTable.Add(code, &RegImm<TOp, TW>, &MemImm<TOp, TW, Flat>, &MemImm<TOp, TW, General>);

    private static void Unary<TOp>(Code code8, Code code16, Code code32, Code code64)
        where TOp : struct, IUnaryOp
    {
        HandlerTable.Add(code8, &UnaryReg<TOp, W8>, &UnaryMem<TOp, W8, Flat>, &UnaryMem<TOp, W8, General>);
        HandlerTable.Add(code16, &UnaryReg<TOp, W16>, &UnaryMem<TOp, W16, Flat>, &UnaryMem<TOp, W16, General>);
        HandlerTable.Add(code32, &UnaryReg<TOp, W32>, &UnaryMem<TOp, W32, Flat>, &UnaryMem<TOp, W32, General>);
        HandlerTable.Add(code64, &UnaryReg<TOp, W64>, &UnaryMem<TOp, W64, Flat>, &UnaryMem<TOp, W64, General>);
    }

    private static Op* RegReg<TOp, TW>(CpuState* s, Op* o)
        where TOp : struct, IAluOp
        where TW : struct, IWidth
    {
        byte* destination = (byte*)s + o->Dst;
        ulong result = TOp.Apply<TW>(s, TW.Get(destination), TW.Get((byte*)s + o->Src));
        if (TOp.Writes)
        {
            TW.Set(destination, result);
        }

        return o + 1;
    }

    private static Op* RegImm<TOp, TW>(CpuState* s, Op* o)
        where TOp : struct, IAluOp
        where TW : struct, IWidth
    {
        byte* destination = (byte*)s + o->Dst;
        ulong result = TOp.Apply<TW>(s, TW.Get(destination), TW.Get((byte*)&o->Imm));
        if (TOp.Writes)
        {
            TW.Set(destination, result);
        }

        return o + 1;
    }

    private static Op* RegMem<TOp, TW, TA>(CpuState* s, Op* o)
        where TOp : struct, IAluOp
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        ulong value = TW.Read(s, TA.Read(s, o, TW.Bytes));
        byte* destination = (byte*)s + o->Dst;
        ulong result = TOp.Apply<TW>(s, TW.Get(destination), value);
        if (TOp.Writes)
        {
            TW.Set(destination, result);
        }

        return o + 1;
    }

    private static Op* MemReg<TOp, TW, TA>(CpuState* s, Op* o)
        where TOp : struct, IAluOp
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        Memory<TOp, TW, TA>(s, o, TW.Get((byte*)s + o->Src));
        return o + 1;
    }

    private static Op* MemImm<TOp, TW, TA>(CpuState* s, Op* o)
        where TOp : struct, IAluOp
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        Memory<TOp, TW, TA>(s, o, TW.Get((byte*)&o->Imm));
        return o + 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Memory<TOp, TW, TA>(CpuState* s, Op* o, ulong operand)
        where TOp : struct, IAluOp
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        if (!TOp.Writes)
        {
            TOp.Apply<TW>(s, TW.Read(s, TA.Read(s, o, TW.Bytes)), operand);
            return;
        }

        ulong linear = TA.Write(s, o, TW.Bytes);
        byte* host = Mem.Rmw(s, linear, TW.Bytes);
        if (host != null)
        {
            TW.Store(host, TOp.Apply<TW>(s, TW.Get(host), operand));
        }
        else
        {
            ulong value = TW.ReadForWrite(s, linear);
            TW.Write(s, linear, TOp.Apply<TW>(s, value, operand));
        }
    }

    private static Op* UnaryReg<TOp, TW>(CpuState* s, Op* o)
        where TOp : struct, IUnaryOp
        where TW : struct, IWidth
    {
        byte* destination = (byte*)s + o->Dst;
        TW.Set(destination, TOp.Apply<TW>(s, TW.Get(destination)));
        return o + 1;
    }

    private static Op* UnaryMem<TOp, TW, TA>(CpuState* s, Op* o)
        where TOp : struct, IUnaryOp
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        ulong linear = TA.Write(s, o, TW.Bytes);
        byte* host = Mem.Rmw(s, linear, TW.Bytes);
        if (host != null)
        {
            TW.Store(host, TOp.Apply<TW>(s, TW.Get(host)));
        }
        else
        {
            ulong value = TW.ReadForWrite(s, linear);
            TW.Write(s, linear, TOp.Apply<TW>(s, value));
        }

        return o + 1;
    }

    /// <summary>Flags of a + b (+ carry) = r: the carry out of every bit position gives CF, OF and AF.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void SetAdd<TW>(CpuState* s, ulong a, ulong b, ulong result)
        where TW : struct, IWidth
    {
        ulong carries = (a & b) | ((a | b) & ~result);
        s->FlagResult = TW.SignExtend(result);
        s->FlagAux = ((carries << (64 - TW.Bits)) & (Flags.AuxCarry | Flags.AuxCarryIn)) | (carries & Flags.AuxAdjust);
    }

    /// <summary>Flags of a - b (- borrow) = r: the borrow out of every bit position gives CF, OF and AF.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    internal static void SetSub<TW>(CpuState* s, ulong a, ulong b, ulong result)
        where TW : struct, IWidth
    {
        ulong borrows = (~a & b) | ((~a | b) & result);
        s->FlagResult = TW.SignExtend(result);
        s->FlagAux = ((borrows << (64 - TW.Bits)) & (Flags.AuxCarry | Flags.AuxCarryIn)) | (borrows & Flags.AuxAdjust);
    }

    private struct Add : IAluOp
    {
        public static bool Writes => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<TW>(CpuState* s, ulong a, ulong b)
            where TW : struct, IWidth
        {
            ulong r = a + b;
            SetAdd<TW>(s, a, b, r);
            return r;
        }
    }

    private struct Adc : IAluOp
    {
        public static bool Writes => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<TW>(CpuState* s, ulong a, ulong b)
            where TW : struct, IWidth
        {
            ulong r = a + b + (s->FlagAux >> 63);
            SetAdd<TW>(s, a, b, r);
            return r;
        }
    }

    private struct Sub : IAluOp
    {
        public static bool Writes => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<TW>(CpuState* s, ulong a, ulong b)
            where TW : struct, IWidth
        {
            ulong r = a - b;
            SetSub<TW>(s, a, b, r);
            return r;
        }
    }

    private struct Sbb : IAluOp
    {
        public static bool Writes => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<TW>(CpuState* s, ulong a, ulong b)
            where TW : struct, IWidth
        {
            ulong r = a - b - (s->FlagAux >> 63);
            SetSub<TW>(s, a, b, r);
            return r;
        }
    }

    private struct Cmp : IAluOp
    {
        public static bool Writes => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<TW>(CpuState* s, ulong a, ulong b)
            where TW : struct, IWidth
        {
            SetSub<TW>(s, a, b, a - b);
            return 0;
        }
    }

    private struct And : IAluOp
    {
        public static bool Writes => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<TW>(CpuState* s, ulong a, ulong b)
            where TW : struct, IWidth
        {
            ulong r = a & b;
            Flags.SetLogic(s, TW.SignExtend(r));
            return r;
        }
    }

    private struct Or : IAluOp
    {
        public static bool Writes => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<TW>(CpuState* s, ulong a, ulong b)
            where TW : struct, IWidth
        {
            ulong r = a | b;
            Flags.SetLogic(s, TW.SignExtend(r));
            return r;
        }
    }

    private struct Xor : IAluOp
    {
        public static bool Writes => true;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<TW>(CpuState* s, ulong a, ulong b)
            where TW : struct, IWidth
        {
            ulong r = a ^ b;
            Flags.SetLogic(s, TW.SignExtend(r));
            return r;
        }
    }

    private struct Test : IAluOp
    {
        public static bool Writes => false;

        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<TW>(CpuState* s, ulong a, ulong b)
            where TW : struct, IWidth
        {
            Flags.SetLogic(s, TW.SignExtend(a & b));
            return 0;
        }
    }

    private struct Inc : IUnaryOp
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<TW>(CpuState* s, ulong a)
            where TW : struct, IWidth
        {
            bool carry = Flags.Cf(s);
            ulong r = a + 1;
            SetAdd<TW>(s, a, 1, r);
            Flags.SetCf(s, carry);
            return r;
        }
    }

    private struct Dec : IUnaryOp
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<TW>(CpuState* s, ulong a)
            where TW : struct, IWidth
        {
            bool carry = Flags.Cf(s);
            ulong r = a - 1;
            SetSub<TW>(s, a, 1, r);
            Flags.SetCf(s, carry);
            return r;
        }
    }

    private struct Neg : IUnaryOp
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<TW>(CpuState* s, ulong a)
            where TW : struct, IWidth
        {
            ulong r = 0 - a;
            SetSub<TW>(s, 0, a, r);
            return r;
        }
    }

    private struct Not : IUnaryOp
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static ulong Apply<TW>(CpuState* s, ulong a)
            where TW : struct, IWidth => ~a;
    }
}
