using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Numerics;

namespace VirtShell.Cpu.Instructions.X87;

/// <summary>FADD, FSUB, FSUBR, FMUL, FDIV, FDIVR with register, real and integer operands, and their popping forms.</summary>
internal static unsafe class ArithmeticHandlers
{
    /// <summary>destination = Do(destination, source).</summary>
    private interface IBinary
    {
        static abstract Float80 Do(Float80 a, Float80 b, ref FloatContext context);
    }

    public static void Register()
    {
        Enter<Add>(Code.Fadd_st0_sti, Code.Fadd_sti_st0, Code.Faddp_sti_st0, Code.Fadd_m32fp, Code.Fadd_m64fp, Code.Fiadd_m16int, Code.Fiadd_m32int);
        Enter<Mul>(Code.Fmul_st0_sti, Code.Fmul_sti_st0, Code.Fmulp_sti_st0, Code.Fmul_m32fp, Code.Fmul_m64fp, Code.Fimul_m16int, Code.Fimul_m32int);
        Enter<Sub>(Code.Fsub_st0_sti, Code.Fsub_sti_st0, Code.Fsubp_sti_st0, Code.Fsub_m32fp, Code.Fsub_m64fp, Code.Fisub_m16int, Code.Fisub_m32int);
        Enter<SubR>(Code.Fsubr_st0_sti, Code.Fsubr_sti_st0, Code.Fsubrp_sti_st0, Code.Fsubr_m32fp, Code.Fsubr_m64fp, Code.Fisubr_m16int, Code.Fisubr_m32int);
        Enter<Div>(Code.Fdiv_st0_sti, Code.Fdiv_sti_st0, Code.Fdivp_sti_st0, Code.Fdiv_m32fp, Code.Fdiv_m64fp, Code.Fidiv_m16int, Code.Fidiv_m32int);
        Enter<DivR>(Code.Fdivr_st0_sti, Code.Fdivr_sti_st0, Code.Fdivrp_sti_st0, Code.Fdivr_m32fp, Code.Fdivr_m64fp, Code.Fidivr_m16int, Code.Fidivr_m32int);
    }

    private static void Enter<TOp>(Code st0Sti, Code stiSt0, Code pop, Code m32, Code m64, Code m16int, Code m32int)
        where TOp : struct, IBinary
    {
        HandlerTable.Add(st0Sti, &OnRegisters<TOp, Keeps>);
        HandlerTable.Add(stiSt0, &OnRegisters<TOp, Keeps>);
        HandlerTable.Add(pop, &OnRegisters<TOp, Pops>);
        HandlerTable.Add(m32, null, &OnMemory<TOp, Real32, Flat>, &OnMemory<TOp, Real32, General>);
        HandlerTable.Add(m64, null, &OnMemory<TOp, Real64, Flat>, &OnMemory<TOp, Real64, General>);
        HandlerTable.Add(m16int, null, &OnMemory<TOp, Integer16, Flat>, &OnMemory<TOp, Integer16, General>);
        HandlerTable.Add(m32int, null, &OnMemory<TOp, Integer32, Flat>, &OnMemory<TOp, Integer32, General>);
    }

    private static Op* OnRegisters<TOp, TPops>(CpuState* s, Op* o)
        where TOp : struct, IBinary
        where TPops : struct, IPops
    {
        Fpu.Enter(s);
        Fpu.Note(s, o);
        if (Fpu.IsEmpty(s, o->Dst) || Fpu.IsEmpty(s, o->Src))
        {
            if (!Fpu.Underflow(s))
            {
                return o + 1;
            }

            Fpu.Set(s, o->Dst, Float80.Indefinite);
        }
        else
        {
            FloatContext context = Fpu.Context(s);
            Float80 result = TOp.Do(Fpu.Get(s, o->Dst), Fpu.Get(s, o->Src), ref context);
            Fpu.Commit(s, in context);
            if (context.Aborts)
            {
                return o + 1;
            }

            Fpu.Put(s, o->Dst, result);
        }

        if (TPops.Value)
        {
            Fpu.Pop(s);
        }

        return o + 1;
    }

    private static Op* OnMemory<TOp, TSource, TA>(CpuState* s, Op* o)
        where TOp : struct, IBinary
        where TSource : struct, ISource
        where TA : struct, IAddressing
    {
        Fpu.Enter(s);
        FloatContext context = Fpu.Context(s);
        Float80 operand = TSource.Read(s, TA.Read(s, o, TSource.Bytes), ref context);
        Fpu.NoteMemory(s, o);
        if (Fpu.IsEmpty(s, 0))
        {
            if (Fpu.Underflow(s))
            {
                Fpu.Set(s, 0, Float80.Indefinite);
            }

            return o + 1;
        }

        Float80 result = TOp.Do(Fpu.Get(s, 0), operand, ref context);
        Fpu.Commit(s, in context);
        if (!context.Aborts)
        {
            Fpu.Put(s, 0, result);
        }

        return o + 1;
    }

    private struct Add : IBinary
    {
        public static Float80 Do(Float80 a, Float80 b, ref FloatContext context) => Float80Math.Add(a, b, ref context);
    }

    private struct Sub : IBinary
    {
        public static Float80 Do(Float80 a, Float80 b, ref FloatContext context) => Float80Math.Subtract(a, b, ref context);
    }

    private struct SubR : IBinary
    {
        public static Float80 Do(Float80 a, Float80 b, ref FloatContext context) => Float80Math.Subtract(b, a, ref context);
    }

    private struct Mul : IBinary
    {
        public static Float80 Do(Float80 a, Float80 b, ref FloatContext context) => Float80Math.Multiply(a, b, ref context);
    }

    private struct Div : IBinary
    {
        public static Float80 Do(Float80 a, Float80 b, ref FloatContext context) => Float80Math.Divide(a, b, ref context);
    }

    private struct DivR : IBinary
    {
        public static Float80 Do(Float80 a, Float80 b, ref FloatContext context) => Float80Math.Divide(b, a, ref context);
    }
}
