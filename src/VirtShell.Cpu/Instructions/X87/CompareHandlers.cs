using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Numerics;

namespace VirtShell.Cpu.Instructions.X87;

/// <summary>FCOM, FUCOM, FICOM, FCOMI, FUCOMI and their popping forms, FTST and FXAM.</summary>
internal static unsafe class CompareHandlers
{
    /// <summary>What varies between the comparisons: quiet NaNs accepted, registers popped.</summary>
    private interface IKind
    {
        static abstract bool Quiet { get; }

        static abstract int Pops { get; }
    }

    public static void Register()
    {
        HandlerTable.Add(Code.Fcom_st0_sti, &OnRegister<Ordered>);
        HandlerTable.Add(Code.Fcom_st0_sti_DCD0, &OnRegister<Ordered>);
        HandlerTable.Add(Code.Fcomp_st0_sti, &OnRegister<OrderedPop>);
        HandlerTable.Add(Code.Fcomp_st0_sti_DCD8, &OnRegister<OrderedPop>);
        HandlerTable.Add(Code.Fcomp_st0_sti_DED0, &OnRegister<OrderedPop>);
        HandlerTable.Add(Code.Fcompp, &OnNext<OrderedPopTwo>);
        HandlerTable.Add(Code.Fucom_st0_sti, &OnRegister<Unordered>);
        HandlerTable.Add(Code.Fucomp_st0_sti, &OnRegister<UnorderedPop>);
        HandlerTable.Add(Code.Fucompp, &OnNext<UnorderedPopTwo>);
        HandlerTable.Add(Code.Fcomi_st0_sti, &ToFlags<Ordered>);
        HandlerTable.Add(Code.Fcomip_st0_sti, &ToFlags<OrderedPop>);
        HandlerTable.Add(Code.Fucomi_st0_sti, &ToFlags<Unordered>);
        HandlerTable.Add(Code.Fucomip_st0_sti, &ToFlags<UnorderedPop>);
        Enter<Real32>(Code.Fcom_m32fp, Code.Fcomp_m32fp);
        Enter<Real64>(Code.Fcom_m64fp, Code.Fcomp_m64fp);
        Enter<Integer16>(Code.Ficom_m16int, Code.Ficomp_m16int);
        Enter<Integer32>(Code.Ficom_m32int, Code.Ficomp_m32int);
        HandlerTable.Add(Code.Ftst, &Test);
        HandlerTable.Add(Code.Fxam, &Examine);
    }

    private static void Enter<TSource>(Code keeps, Code pops)
        where TSource : struct, ISource
    {
        HandlerTable.Add(keeps, null, &OnMemory<TSource, Ordered, Flat>, &OnMemory<TSource, Ordered, General>);
        HandlerTable.Add(pops, null, &OnMemory<TSource, OrderedPop, Flat>, &OnMemory<TSource, OrderedPop, General>);
    }

    private static Op* OnRegister<TKind>(CpuState* s, Op* o)
        where TKind : struct, IKind
    {
        Fpu.Enter(s);
        Fpu.Note(s, o);
        return WithRegister<TKind>(s, o, o->Src | o->Dst);
    }

    private static Op* OnNext<TKind>(CpuState* s, Op* o)
        where TKind : struct, IKind
    {
        Fpu.Enter(s);
        Fpu.Note(s, o);
        return WithRegister<TKind>(s, o, 1);
    }

    private static Op* WithRegister<TKind>(CpuState* s, Op* o, int source)
        where TKind : struct, IKind
    {
        FloatContext context = Fpu.Context(s);
        if (Fpu.IsEmpty(s, 0) || Fpu.IsEmpty(s, source))
        {
            return Finish<TKind>(s, o, Fpu.Underflow(s), FloatOrder.Unordered);
        }

        FloatOrder order = Float80Math.Compare(Fpu.Get(s, 0), Fpu.Get(s, source), TKind.Quiet, ref context);
        Fpu.Commit(s, in context);
        return Finish<TKind>(s, o, !context.Aborts, order);
    }

    private static Op* OnMemory<TSource, TKind, TA>(CpuState* s, Op* o)
        where TSource : struct, ISource
        where TKind : struct, IKind
        where TA : struct, IAddressing
    {
        Fpu.Enter(s);
        FloatContext context = Fpu.Context(s);
        Float80 operand = TSource.Read(s, TA.Read(s, o, TSource.Bytes), ref context);
        Fpu.NoteMemory(s, o);
        if (Fpu.IsEmpty(s, 0))
        {
            return Finish<TKind>(s, o, Fpu.Underflow(s), FloatOrder.Unordered);
        }

        FloatOrder order = Float80Math.Compare(Fpu.Get(s, 0), operand, TKind.Quiet, ref context);
        Fpu.Commit(s, in context);
        return Finish<TKind>(s, o, !context.Aborts, order);
    }

    private static Op* ToFlags<TKind>(CpuState* s, Op* o)
        where TKind : struct, IKind
    {
        Fpu.Enter(s);
        Fpu.Note(s, o);
        int source = o->Src | o->Dst;
        bool completes;
        FloatOrder order = FloatOrder.Unordered;
        if (Fpu.IsEmpty(s, 0) || Fpu.IsEmpty(s, source))
        {
            completes = Fpu.Underflow(s);
        }
        else
        {
            FloatContext context = Fpu.Context(s);
            order = Float80Math.Compare(Fpu.Get(s, 0), Fpu.Get(s, source), TKind.Quiet, ref context);

            // C1 is left alone too.
            context.RoundedUp = (s->Fsw & Fpu.C1) != 0;
            Fpu.Commit(s, in context);
            completes = !context.Aborts;
        }

        // OF, SF and AF are cleared (SDM vol. 2, FCOMI).
        Flags.SetStatus(s, order switch
        {
            FloatOrder.Greater => 0,
            FloatOrder.Less => Flags.Carry,
            FloatOrder.Equal => Flags.Zero,
            _ => Flags.Zero | Flags.Parity | Flags.Carry,
        });
        if (completes && TKind.Pops != 0)
        {
            Fpu.Pop(s);
        }

        return o + 1;
    }

    private static Op* Test(CpuState* s, Op* o)
    {
        Fpu.Enter(s);
        Fpu.Note(s, o);
        if (Fpu.IsEmpty(s, 0))
        {
            return Finish<Ordered>(s, o, Fpu.Underflow(s), FloatOrder.Unordered);
        }

        FloatContext context = Fpu.Context(s);
        FloatOrder order = Float80Math.Compare(Fpu.Get(s, 0), Float80.PositiveZero, false, ref context);
        Fpu.Commit(s, in context);
        return Finish<Ordered>(s, o, true, order);
    }

    private static Op* Examine(CpuState* s, Op* o)
    {
        Fpu.Enter(s);
        Fpu.Note(s, o);
        Float80* value = Fpu.St(s, 0);
        int conditions = value->IsNegative ? Fpu.C1 : 0;
        if (Fpu.IsEmpty(s, 0))
        {
            conditions |= Fpu.C3 | Fpu.C0;
        }
        else
        {
            conditions |= value->Class switch
            {
                FloatClass.Unsupported => 0,
                FloatClass.NaN => Fpu.C0,
                FloatClass.Normal => Fpu.C2,
                FloatClass.Infinity => Fpu.C2 | Fpu.C0,
                FloatClass.Zero => Fpu.C3,
                _ => Fpu.C3 | Fpu.C2,
            };
        }

        Fpu.SetConditions(s, conditions);
        return o + 1;
    }

    /// <summary>The condition codes tell the outcome even where an unmasked exception keeps the registers from being popped.</summary>
    private static Op* Finish<TKind>(CpuState* s, Op* o, bool completes, FloatOrder order)
        where TKind : struct, IKind
    {
        Fpu.SetConditions(s, order switch
        {
            FloatOrder.Greater => 0,
            FloatOrder.Less => Fpu.C0,
            FloatOrder.Equal => Fpu.C3,
            _ => Fpu.C3 | Fpu.C2 | Fpu.C0,
        });
        if (completes)
        {
            for (int i = 0; i < TKind.Pops; i++)
            {
                Fpu.Pop(s);
            }
        }

        return o + 1;
    }

    private struct Ordered : IKind
    {
        public static bool Quiet => false;

        public static int Pops => 0;
    }

    private struct OrderedPop : IKind
    {
        public static bool Quiet => false;

        public static int Pops => 1;
    }

    private struct OrderedPopTwo : IKind
    {
        public static bool Quiet => false;

        public static int Pops => 2;
    }

    private struct Unordered : IKind
    {
        public static bool Quiet => true;

        public static int Pops => 0;
    }

    private struct UnorderedPop : IKind
    {
        public static bool Quiet => true;

        public static int Pops => 1;
    }

    private struct UnorderedPopTwo : IKind
    {
        public static bool Quiet => true;

        public static int Pops => 2;
    }
}
