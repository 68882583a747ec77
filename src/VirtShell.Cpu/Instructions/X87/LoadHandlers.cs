using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Memory;
using VirtShell.Cpu.Numerics;

namespace VirtShell.Cpu.Instructions.X87;

/// <summary>FLD, FILD, FBLD and the constants.</summary>
internal static unsafe class LoadHandlers
{
    private interface IConstant
    {
        static abstract Float80 Get(FloatRounding rounding);
    }

    public static void Register()
    {
        Enter<Load32>(Code.Fld_m32fp);
        Enter<Load64>(Code.Fld_m64fp);
        Enter<Load80>(Code.Fld_m80fp);
        Enter<Integer16>(Code.Fild_m16int);
        Enter<Integer32>(Code.Fild_m32int);
        Enter<Integer64>(Code.Fild_m64int);
        Enter<Bcd>(Code.Fbld_m80bcd);
        HandlerTable.Add(Code.Fld_sti, &FromRegister);
        HandlerTable.Add(Code.Fld1, &Constant<One>);
        HandlerTable.Add(Code.Fldz, &Constant<Zero>);
        HandlerTable.Add(Code.Fldl2t, &Constant<Log2Of10>);
        HandlerTable.Add(Code.Fldl2e, &Constant<Log2OfE>);
        HandlerTable.Add(Code.Fldpi, &Constant<Pi>);
        HandlerTable.Add(Code.Fldlg2, &Constant<Log10Of2>);
        HandlerTable.Add(Code.Fldln2, &Constant<LnOf2>);
    }

    private static void Enter<TSource>(Code code)
        where TSource : struct, ISource =>
        HandlerTable.Add(code, null, &FromMemory<TSource, Flat>, &FromMemory<TSource, General>);

    private static Op* FromMemory<TSource, TA>(CpuState* s, Op* o)
        where TSource : struct, ISource
        where TA : struct, IAddressing
    {
        Fpu.Enter(s);
        FloatContext context = Fpu.Context(s);
        Float80 value = TSource.Read(s, TA.Read(s, o, TSource.Bytes), ref context);
        Fpu.NoteMemory(s, o);
        if (!Fpu.IsEmpty(s, -1))
        {
            PushOverflow(s);
            return o + 1;
        }

        Fpu.Commit(s, in context);

        // An unmasked denormal is loaded all the same.
        if ((context.Unmasked & FloatExceptions.Invalid) == 0)
        {
            Fpu.Push(s, value);
        }

        return o + 1;
    }

    private static Op* FromRegister(CpuState* s, Op* o)
    {
        Fpu.Enter(s);
        Fpu.Note(s, o);
        int source = o->Dst | o->Src;
        if (Fpu.IsEmpty(s, source))
        {
            if (Fpu.Underflow(s))
            {
                Fpu.Push(s, Float80.Indefinite);
            }
        }
        else if (!Fpu.IsEmpty(s, -1))
        {
            PushOverflow(s);
        }
        else
        {
            Fpu.ClearC1(s);
            Fpu.Push(s, Fpu.Get(s, source));
        }

        return o + 1;
    }

    private static Op* Constant<TConstant>(CpuState* s, Op* o)
        where TConstant : struct, IConstant
    {
        Fpu.Enter(s);
        Fpu.Note(s, o);
        if (!Fpu.IsEmpty(s, -1))
        {
            PushOverflow(s);
        }
        else
        {
            Fpu.ClearC1(s);
            Fpu.Push(s, TConstant.Get((FloatRounding)((s->Fcw >> 10) & 3)));
        }

        return o + 1;
    }

    private static void PushOverflow(CpuState* s)
    {
        if (Fpu.Overflow(s))
        {
            Fpu.Push(s, Float80.Indefinite);
        }
    }

    private struct Load32 : ISource
    {
        public static int Bytes => 4;

        public static Float80 Read(CpuState* s, ulong linear, ref FloatContext context) =>
            Float80Convert.FromSingle(Mem.Read<uint>(s, linear), ref context);
    }

    private struct Load64 : ISource
    {
        public static int Bytes => 8;

        public static Float80 Read(CpuState* s, ulong linear, ref FloatContext context) =>
            Float80Convert.FromDouble(Mem.Read<ulong>(s, linear), ref context);
    }

    private struct Load80 : ISource
    {
        public static int Bytes => 10;

        public static Float80 Read(CpuState* s, ulong linear, ref FloatContext context) => Mem.Read<Float80>(s, linear);
    }

    private struct Integer64 : ISource
    {
        public static int Bytes => 8;

        public static Float80 Read(CpuState* s, ulong linear, ref FloatContext context) =>
            Float80Convert.FromInt64(Mem.Read<long>(s, linear));
    }

    private struct Bcd : ISource
    {
        public static int Bytes => 10;

        public static Float80 Read(CpuState* s, ulong linear, ref FloatContext context)
        {
            Float80 digits = Mem.Read<Float80>(s, linear);
            return Float80Convert.FromBcd(digits.Significand, digits.SignExponent);
        }
    }

    private struct One : IConstant
    {
        public static Float80 Get(FloatRounding rounding) => Float80.One;
    }

    private struct Zero : IConstant
    {
        public static Float80 Get(FloatRounding rounding) => Float80.PositiveZero;
    }

    private struct Log2Of10 : IConstant
    {
        public static Float80 Get(FloatRounding rounding) => Float80Constants.Log2Of10(rounding);
    }

    private struct Log2OfE : IConstant
    {
        public static Float80 Get(FloatRounding rounding) => Float80Constants.Log2OfE(rounding);
    }

    private struct Pi : IConstant
    {
        public static Float80 Get(FloatRounding rounding) => Float80Constants.Pi(rounding);
    }

    private struct Log10Of2 : IConstant
    {
        public static Float80 Get(FloatRounding rounding) => Float80Constants.Log10Of2(rounding);
    }

    private struct LnOf2 : IConstant
    {
        public static Float80 Get(FloatRounding rounding) => Float80Constants.LnOf2(rounding);
    }
}
