using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Instructions.Integer;
using VirtShell.Cpu.Memory;
using VirtShell.Cpu.Numerics;

namespace VirtShell.Cpu.Instructions.X87;

/// <summary>Control of the unit and its stack: FWAIT, FNINIT, FNCLEX, FLDCW, FNSTCW, FNSTSW, FFREE, FINCSTP, FDECSTP, FXCH, FCMOVcc, FNOP.</summary>
internal static unsafe class ControlHandlers
{
    public static void Register()
    {
        HandlerTable.Add(Code.Wait, &Wait);
        HandlerTable.Add(Code.Fnop, &NoOperation);
        HandlerTable.Add(Code.Fninit, &Initialize);
        HandlerTable.Add(Code.Fnclex, &ClearExceptions);

        // The 8087's interrupt enables and the 287's mode switches do nothing since the 387.
        HandlerTable.Add(Code.Fneni, &Ignored);
        HandlerTable.Add(Code.Fndisi, &Ignored);
        HandlerTable.Add(Code.Fnsetpm, &Ignored);
        HandlerTable.Add(Code.Fnstcw_m2byte, null, &StoreControl<Flat>, &StoreControl<General>);
        HandlerTable.Add(Code.Fldcw_m2byte, null, &LoadControl<Flat>, &LoadControl<General>);
        HandlerTable.Add(Code.Fnstsw_m2byte, null, &StoreStatus<Flat>, &StoreStatus<General>);
        HandlerTable.Add(Code.Fnstsw_AX, &StoreStatusAx);
        HandlerTable.Add(Code.Ffree_sti, &FreeRegister);
        HandlerTable.Add(Code.Ffreep_sti, &FreeAndPop);
        HandlerTable.Add(Code.Fincstp, &IncrementTop);
        HandlerTable.Add(Code.Fdecstp, &DecrementTop);
        HandlerTable.Add(Code.Fxch_st0_sti, &Exchange);
        HandlerTable.Add(Code.Fxch_st0_sti_DDC8, &Exchange);
        HandlerTable.Add(Code.Fxch_st0_sti_DFC8, &Exchange);
        HandlerTable.Add(Code.Fcmovb_st0_sti, &Move<Conditions.B>);
        HandlerTable.Add(Code.Fcmovnb_st0_sti, &Move<Conditions.Ae>);
        HandlerTable.Add(Code.Fcmove_st0_sti, &Move<Conditions.E>);
        HandlerTable.Add(Code.Fcmovne_st0_sti, &Move<Conditions.Ne>);
        HandlerTable.Add(Code.Fcmovbe_st0_sti, &Move<Conditions.Be>);
        HandlerTable.Add(Code.Fcmovnbe_st0_sti, &Move<Conditions.A>);
        HandlerTable.Add(Code.Fcmovu_st0_sti, &Move<Conditions.P>);
        HandlerTable.Add(Code.Fcmovnu_st0_sti, &Move<Conditions.Np>);
    }

    private static Op* Wait(CpuState* s, Op* o)
    {
        const ulong Monitored = ControlBits.Cr0MonitorCoprocessor | ControlBits.Cr0TaskSwitched;
        if ((s->Cr0 & Monitored) == Monitored)
        {
            Fault.DeviceNotAvailable(s);
        }

        Fpu.CheckPending(s);
        return o + 1;
    }

    private static Op* NoOperation(CpuState* s, Op* o)
    {
        Fpu.Enter(s);
        Fpu.Note(s, o);
        return o + 1;
    }

    private static Op* Ignored(CpuState* s, Op* o)
    {
        Fpu.EnterNoWait(s);
        return o + 1;
    }

    private static Op* Initialize(CpuState* s, Op* o)
    {
        Fpu.EnterNoWait(s);
        Fpu.Initialize(s);
        return o + 1;
    }

    private static Op* ClearExceptions(CpuState* s, Op* o)
    {
        Fpu.EnterNoWait(s);
        s->Fsw &= unchecked((ushort)~(Fpu.ExceptionFlags | Fpu.StackFault));
        Fpu.Summarize(s);
        return o + 1;
    }

    private static Op* StoreControl<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        Fpu.EnterNoWait(s);
        Mem.Write(s, TA.Write(s, o, 2), s->Fcw);
        return o + 1;
    }

    private static Op* LoadControl<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        Fpu.Enter(s);
        Fpu.SetControl(s, Mem.Read<ushort>(s, TA.Read(s, o, 2)));
        return o + 1;
    }

    private static Op* StoreStatus<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        Fpu.EnterNoWait(s);
        Mem.Write(s, TA.Write(s, o, 2), s->Fsw);
        return o + 1;
    }

    private static Op* StoreStatusAx(CpuState* s, Op* o)
    {
        Fpu.EnterNoWait(s);
        *(ushort*)s->Gpr = s->Fsw;
        return o + 1;
    }

    private static Op* FreeRegister(CpuState* s, Op* o)
    {
        Fpu.Enter(s);
        Fpu.Note(s, o);
        Fpu.ClearC1(s);
        Fpu.Free(s, o->Dst);
        return o + 1;
    }

    private static Op* FreeAndPop(CpuState* s, Op* o)
    {
        Fpu.Enter(s);
        Fpu.Note(s, o);
        Fpu.ClearC1(s);
        Fpu.Free(s, o->Dst);
        Fpu.Pop(s);
        return o + 1;
    }

    private static Op* IncrementTop(CpuState* s, Op* o)
    {
        Fpu.Enter(s);
        Fpu.Note(s, o);
        Fpu.ClearC1(s);
        Fpu.SetTop(s, s->FpuTop + 1);
        return o + 1;
    }

    private static Op* DecrementTop(CpuState* s, Op* o)
    {
        Fpu.Enter(s);
        Fpu.Note(s, o);
        Fpu.ClearC1(s);
        Fpu.SetTop(s, s->FpuTop - 1);
        return o + 1;
    }

    private static Op* Exchange(CpuState* s, Op* o)
    {
        Fpu.Enter(s);
        Fpu.Note(s, o);
        int other = o->Src | o->Dst;
        bool empty0 = Fpu.IsEmpty(s, 0);
        bool emptyOther = Fpu.IsEmpty(s, other);
        Float80 first = Fpu.Get(s, 0);
        Float80 second = Fpu.Get(s, other);
        if (empty0 || emptyOther)
        {
            if (!Fpu.Underflow(s))
            {
                return o + 1;
            }

            first = empty0 ? Float80.Indefinite : first;
            second = emptyOther ? Float80.Indefinite : second;
        }
        else
        {
            Fpu.ClearC1(s);
        }

        Fpu.Set(s, other, first);
        Fpu.Set(s, 0, second);
        return o + 1;
    }

    private static Op* Move<TCondition>(CpuState* s, Op* o)
        where TCondition : struct, ICondition
    {
        Fpu.Enter(s);
        Fpu.Note(s, o);
        int source = o->Src | o->Dst;
        if (Fpu.IsEmpty(s, 0) || Fpu.IsEmpty(s, source))
        {
            if (Fpu.Underflow(s))
            {
                Fpu.Set(s, 0, Float80.Indefinite);
            }

            return o + 1;
        }

        if (TCondition.Holds(s))
        {
            Fpu.Put(s, 0, Fpu.Get(s, source));
        }

        return o + 1;
    }
}
