using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Numerics;

namespace VirtShell.Cpu.Instructions.X87;

/// <summary>Instructions on ST(0), or on ST(0) and ST(1), without operands: FCHS, FABS, FSQRT, FRNDINT, FSCALE, FPREM, FXTRACT and the transcendentals.</summary>
internal static unsafe class UnaryHandlers
{
    private interface IUnary
    {
        static abstract Float80 Do(Float80 a, ref FloatContext context);
    }

    /// <summary>A function of ST(0) and ST(1).</summary>
    private interface IBinary
    {
        static abstract Float80 Do(Float80 st0, Float80 st1, ref FloatContext context);
    }

    private interface ITrigonometric
    {
        static abstract Float80 Do(Float80 a, out bool outOfRange, ref FloatContext context);
    }

    /// <summary>A function of ST(0) with two results: the first replaces it, the second is pushed.</summary>
    private interface IPair
    {
        /// <summary>C2 tells whether the argument was in range.</summary>
        static abstract bool Reduces { get; }

        static abstract Float80 Do(Float80 a, out Float80 pushed, out bool outOfRange, ref FloatContext context);
    }

    public static void Register()
    {
        HandlerTable.Add(Code.Fchs, &ChangeSign);
        HandlerTable.Add(Code.Fabs, &Absolute);
        HandlerTable.Add(Code.Fsqrt, &OnOne<SquareRoot>);
        HandlerTable.Add(Code.Frndint, &OnOne<RoundToInteger>);
        HandlerTable.Add(Code.F2xm1, &OnOne<PowerMinusOne>);
        HandlerTable.Add(Code.Fscale, &OnTwo<Scale>);
        HandlerTable.Add(Code.Fyl2x, &Popping<Logarithm>);
        HandlerTable.Add(Code.Fyl2xp1, &Popping<LogarithmPlusOne>);
        HandlerTable.Add(Code.Fpatan, &Popping<ArcTangent>);
        HandlerTable.Add(Code.Fsin, &Trigonometric<Sine>);
        HandlerTable.Add(Code.Fcos, &Trigonometric<Cosine>);
        HandlerTable.Add(Code.Fsincos, &Pushing<SineCosine>);
        HandlerTable.Add(Code.Fptan, &Pushing<Tangent>);
        HandlerTable.Add(Code.Fxtract, &Pushing<Extract>);
        HandlerTable.Add(Code.Fprem, &Remainder);
        HandlerTable.Add(Code.Fprem1, &RemainderNearest);
    }

    private static Op* ChangeSign(CpuState* s, Op* o)
    {
        if (Begin(s, o))
        {
            Fpu.Put(s, 0, Fpu.Get(s, 0).Negate());
        }

        return o + 1;
    }

    private static Op* Absolute(CpuState* s, Op* o)
    {
        if (Begin(s, o))
        {
            Fpu.Put(s, 0, Fpu.Get(s, 0).Absolute());
        }

        return o + 1;
    }

    private static Op* OnOne<TOp>(CpuState* s, Op* o)
        where TOp : struct, IUnary
    {
        if (Begin(s, o))
        {
            FloatContext context = Fpu.Context(s);
            Float80 result = TOp.Do(Fpu.Get(s, 0), ref context);
            Fpu.Commit(s, in context);
            if (!context.Aborts)
            {
                Fpu.Put(s, 0, result);
            }
        }

        return o + 1;
    }

    private static Op* OnTwo<TOp>(CpuState* s, Op* o)
        where TOp : struct, IBinary
    {
        if (BeginTwo(s, o, out _))
        {
            FloatContext context = Fpu.Context(s);
            Float80 result = TOp.Do(Fpu.Get(s, 0), Fpu.Get(s, 1), ref context);
            Fpu.Commit(s, in context);
            if (!context.Aborts)
            {
                Fpu.Put(s, 0, result);
            }
        }

        return o + 1;
    }

    private static Op* Popping<TOp>(CpuState* s, Op* o)
        where TOp : struct, IBinary
    {
        if (BeginTwo(s, o, out bool masked, destination: 1))
        {
            FloatContext context = Fpu.Context(s);
            Float80 result = TOp.Do(Fpu.Get(s, 0), Fpu.Get(s, 1), ref context);
            Fpu.Commit(s, in context);
            masked = !context.Aborts;
            if (masked)
            {
                Fpu.Put(s, 1, result);
            }
        }

        if (masked)
        {
            Fpu.Pop(s);
        }

        return o + 1;
    }

    private static Op* Trigonometric<TOp>(CpuState* s, Op* o)
        where TOp : struct, ITrigonometric
    {
        bool valid = Begin(s, o);
        ClearC2(s);
        if (valid)
        {
            FloatContext context = Fpu.Context(s);
            Float80 result = TOp.Do(Fpu.Get(s, 0), out bool outOfRange, ref context);
            Finish(s, outOfRange, in context);
            if (!context.Aborts && !outOfRange)
            {
                Fpu.Put(s, 0, result);
            }
        }

        return o + 1;
    }

    private static Op* Pushing<TOp>(CpuState* s, Op* o)
        where TOp : struct, IPair
    {
        Fpu.Enter(s);
        Fpu.Note(s, o);
        if (TOp.Reduces)
        {
            ClearC2(s);
        }

        bool empty = Fpu.IsEmpty(s, 0);
        if (empty || !Fpu.IsEmpty(s, -1))
        {
            if (empty ? Fpu.Underflow(s) : Fpu.Overflow(s))
            {
                Fpu.Set(s, 0, Float80.Indefinite);
                Fpu.Push(s, Float80.Indefinite);
            }

            return o + 1;
        }

        FloatContext context = Fpu.Context(s);
        Float80 result = TOp.Do(Fpu.Get(s, 0), out Float80 pushed, out bool outOfRange, ref context);
        Finish(s, outOfRange, in context);
        if (!context.Aborts && !outOfRange)
        {
            Fpu.Put(s, 0, result);
            Fpu.Push(s, pushed);
        }

        return o + 1;
    }

    private static Op* Remainder(CpuState* s, Op* o) => Remainder(s, o, false);

    private static Op* RemainderNearest(CpuState* s, Op* o) => Remainder(s, o, true);

    private static Op* Remainder(CpuState* s, Op* o, bool nearest)
    {
        if (!BeginTwo(s, o, out _))
        {
            ClearC2(s);
            return o + 1;
        }

        FloatContext context = Fpu.Context(s);
        Float80 result = Float80Math.Remainder(Fpu.Get(s, 0), Fpu.Get(s, 1), nearest, out ulong quotient, out bool partial, ref context);
        Fpu.Commit(s, in context);
        int conditions = partial ? Fpu.C2 : 0;
        if (context.Aborts || result.IsNaN)
        {
            // No quotient: C0 and C3 stay.
            conditions = s->Fsw & (Fpu.C0 | Fpu.C1 | Fpu.C3);
        }
        else if (!partial)
        {
            conditions |= (quotient & 1) != 0 ? Fpu.C1 : 0;
            conditions |= (quotient & 2) != 0 ? Fpu.C3 : 0;
            conditions |= (quotient & 4) != 0 ? Fpu.C0 : 0;
        }

        Fpu.SetConditions(s, conditions);
        if (!context.Aborts)
        {
            Fpu.Put(s, 0, result);
        }

        return o + 1;
    }

    private static void Finish(CpuState* s, bool outOfRange, in FloatContext context)
    {
        Fpu.Commit(s, in context);
        s->Fsw |= outOfRange ? Fpu.C2 : (ushort)0;
    }

    private static void ClearC2(CpuState* s) => s->Fsw &= unchecked((ushort)~Fpu.C2);

    /// <summary>False where ST(0) is empty, all that follows from that done.</summary>
    private static bool Begin(CpuState* s, Op* o)
    {
        Fpu.Enter(s);
        Fpu.Note(s, o);
        if (!Fpu.IsEmpty(s, 0))
        {
            Fpu.ClearC1(s);
            return true;
        }

        if (Fpu.Underflow(s))
        {
            Fpu.Set(s, 0, Float80.Indefinite);
        }

        return false;
    }

    /// <summary>False where ST(0) or ST(1) is empty: masked, the destination has become the indefinite value.</summary>
    private static bool BeginTwo(CpuState* s, Op* o, out bool masked, int destination = 0)
    {
        Fpu.Enter(s);
        Fpu.Note(s, o);
        masked = false;
        if (!Fpu.IsEmpty(s, 0) && !Fpu.IsEmpty(s, 1))
        {
            return true;
        }

        masked = Fpu.Underflow(s);
        if (masked)
        {
            Fpu.Set(s, destination, Float80.Indefinite);
        }

        return false;
    }

    private struct SquareRoot : IUnary
    {
        public static Float80 Do(Float80 a, ref FloatContext context) => Float80Math.SquareRoot(a, ref context);
    }

    private struct RoundToInteger : IUnary
    {
        public static Float80 Do(Float80 a, ref FloatContext context) => Float80Math.RoundToInteger(a, ref context);
    }

    private struct PowerMinusOne : IUnary
    {
        public static Float80 Do(Float80 a, ref FloatContext context) => Float80Math.PowerMinusOne(a, ref context);
    }

    private struct Scale : IBinary
    {
        public static Float80 Do(Float80 st0, Float80 st1, ref FloatContext context) => Float80Math.Scale(st0, st1, ref context);
    }

    private struct Logarithm : IBinary
    {
        public static Float80 Do(Float80 st0, Float80 st1, ref FloatContext context) => Float80Math.Logarithm(st0, st1, ref context);
    }

    private struct LogarithmPlusOne : IBinary
    {
        public static Float80 Do(Float80 st0, Float80 st1, ref FloatContext context) => Float80Math.LogarithmPlusOne(st0, st1, ref context);
    }

    private struct ArcTangent : IBinary
    {
        public static Float80 Do(Float80 st0, Float80 st1, ref FloatContext context) => Float80Math.ArcTangent(st1, st0, ref context);
    }

    private struct Sine : ITrigonometric
    {
        public static Float80 Do(Float80 a, out bool outOfRange, ref FloatContext context) => Float80Math.Sine(a, out outOfRange, ref context);
    }

    private struct Cosine : ITrigonometric
    {
        public static Float80 Do(Float80 a, out bool outOfRange, ref FloatContext context) => Float80Math.Cosine(a, out outOfRange, ref context);
    }

    private struct SineCosine : IPair
    {
        public static bool Reduces => true;

        public static Float80 Do(Float80 a, out Float80 pushed, out bool outOfRange, ref FloatContext context) =>
            Float80Math.SineCosine(a, out pushed, out outOfRange, ref context);
    }

    private struct Tangent : IPair
    {
        public static bool Reduces => true;

        public static Float80 Do(Float80 a, out Float80 pushed, out bool outOfRange, ref FloatContext context)
        {
            Float80 tangent = Float80Math.Tangent(a, out outOfRange, ref context);
            pushed = tangent.IsNaN ? tangent : Float80.One;
            return tangent;
        }
    }

    private struct Extract : IPair
    {
        public static bool Reduces => false;

        public static Float80 Do(Float80 a, out Float80 pushed, out bool outOfRange, ref FloatContext context)
        {
            outOfRange = false;
            return Float80Math.Extract(a, out pushed, ref context);
        }
    }
}
