using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;

namespace VirtShell.Cpu.Instructions.Integer;

/// <summary>Near JMP, Jcc, CALL, RET, LOOP and JCXZ families (SDM Vol. 2).</summary>
internal static unsafe class BranchHandlers
{
    public static void Register()
    {
        foreach (Code code in new[] { Code.Jmp_rel8_16, Code.Jmp_rel8_32, Code.Jmp_rel8_64, Code.Jmp_rel16, Code.Jmp_rel32_32, Code.Jmp_rel32_64 })
        {
            HandlerTable.Add(code, &JmpDirect);
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

        Indirect<W16>(Code.Jmp_rm16, Code.Call_rm16);
        Indirect<W32>(Code.Jmp_rm32, Code.Call_rm32);
        Indirect<W64>(Code.Jmp_rm64, Code.Call_rm64);
        HandlerTable.Add(Code.Call_rel16, &CallDirect<ushort>);
        HandlerTable.Add(Code.Call_rel32_32, &CallDirect<uint>);
        HandlerTable.Add(Code.Call_rel32_64, &CallDirect64);
        HandlerTable.Add(Code.Retnw, &Ret16);
        HandlerTable.Add(Code.Retnw_imm16, &Ret16);
        HandlerTable.Add(Code.Retnd, &Ret32);
        HandlerTable.Add(Code.Retnd_imm16, &Ret32);
        HandlerTable.Add(Code.Retnq, &Ret64);
        HandlerTable.Add(Code.Retnq_imm16, &Ret64);
        Loops();
    }

    // Iced lists each Jcc as rel8_16 rel8_32 rel8_64 and as rel16 rel32_32 rel32_64, conditions in encoding order.
    private static void Conditional<TC>(int condition)
        where TC : struct, ICondition
    {
        for (int i = 0; i < 3; i++)
        {
            HandlerTable.Add(Code.Jo_rel8_16 + (condition * 3) + i, &JccDirect<TC>);
            HandlerTable.Add(Code.Jo_rel16 + (condition * 3) + i, &JccDirect<TC>);
        }
    }

    private static void Indirect<TW>(Code jump, Code call)
        where TW : struct, IWidth
    {
        HandlerTable.Add(jump, &JmpReg<TW>, &JmpMem<TW, Flat>, &JmpMem<TW, General>);
        HandlerTable.Add(call, &CallReg<TW>, &CallMem<TW, Flat>, &CallMem<TW, General>);
    }

    // Each of LOOPNE, LOOPE and LOOP by operand size (what IP is truncated to) and address size (which counter).
    private static void Loops()
    {
        foreach (Code code in new[]
        {
            Code.Loopne_rel8_16_CX, Code.Loopne_rel8_32_CX, Code.Loopne_rel8_16_ECX, Code.Loopne_rel8_32_ECX, Code.Loopne_rel8_64_ECX, Code.Loopne_rel8_16_RCX, Code.Loopne_rel8_64_RCX,
        })
        {
            HandlerTable.Add(code, &LoopNe);
        }

        foreach (Code code in new[]
        {
            Code.Loope_rel8_16_CX, Code.Loope_rel8_32_CX, Code.Loope_rel8_16_ECX, Code.Loope_rel8_32_ECX, Code.Loope_rel8_64_ECX, Code.Loope_rel8_16_RCX, Code.Loope_rel8_64_RCX,
        })
        {
            HandlerTable.Add(code, &LoopE);
        }

        foreach (Code code in new[]
        {
            Code.Loop_rel8_16_CX, Code.Loop_rel8_32_CX, Code.Loop_rel8_16_ECX, Code.Loop_rel8_32_ECX, Code.Loop_rel8_64_ECX, Code.Loop_rel8_16_RCX, Code.Loop_rel8_64_RCX,
        })
        {
            HandlerTable.Add(code, &LoopAlways);
        }

        foreach (Code code in new[]
        {
            Code.Jcxz_rel8_16, Code.Jcxz_rel8_32, Code.Jecxz_rel8_16, Code.Jecxz_rel8_32, Code.Jecxz_rel8_64, Code.Jrcxz_rel8_16, Code.Jrcxz_rel8_64,
        })
        {
            HandlerTable.Add(code, &Jcxz);
        }
    }

    private static Op* JmpDirect(CpuState* s, Op* o) => Flow.Branch(s, o);

    private static Op* JccDirect<TC>(CpuState* s, Op* o)
        where TC : struct, ICondition => TC.Holds(s) ? Flow.Branch(s, o) : Flow.FallThrough(s, o);

    private static Op* JmpReg<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth => To<TW>(s, o, TW.Get((byte*)s + o->Dst));

    private static Op* JmpMem<TW, TA>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TA : struct, IAddressing => To<TW>(s, o, TW.Read(s, TA.Read(s, o, TW.Bytes)));

    private static Op* CallReg<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        ulong target = TW.Get((byte*)s + o->Dst);
        Check<TW>(s, target);
        PushReturn<TW>(s, o);
        return Flow.Jump(s, o, target);
    }

    private static Op* CallMem<TW, TA>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        ulong target = TW.Read(s, TA.Read(s, o, TW.Bytes));
        Check<TW>(s, target);
        PushReturn<TW>(s, o);
        return Flow.Jump(s, o, target);
    }

    private static Op* CallDirect<T>(CpuState* s, Op* o)
        where T : unmanaged
    {
        ulong target = s->RipBase + o->Imm;
        target = sizeof(T) == 2 ? (ushort)target : (uint)target;
        CheckLimit(s, target);
        if (sizeof(T) == 2)
        {
            Stack.Push(s, (ushort)Flow.NextRip(s, o));
        }
        else
        {
            Stack.Push(s, (uint)Flow.NextRip(s, o));
        }

        return Flow.Branch(s, o);
    }

    private static Op* CallDirect64(CpuState* s, Op* o)
    {
        ulong sp = s->Gpr[4] - 8;
        Memory.Mem.Write(s, sp, s->RipBase + o->PageOffset + o->Length);
        s->Gpr[4] = sp;
        return Flow.Branch(s, o);
    }

    private static Op* Ret16(CpuState* s, Op* o)
    {
        ulong target = Stack.Peek<ushort>(s, 0);
        CheckLimit(s, target);
        Stack.Move(s, 2 + (long)(ushort)o->Imm);
        return Flow.Jump(s, o, target);
    }

    private static Op* Ret32(CpuState* s, Op* o)
    {
        ulong target = Stack.Peek<uint>(s, 0);
        CheckLimit(s, target);
        Stack.Move(s, 4 + (long)(ushort)o->Imm);
        return Flow.Jump(s, o, target);
    }

    private static Op* Ret64(CpuState* s, Op* o)
    {
        ulong sp = s->Gpr[4];
        ulong target = Memory.Mem.Read<ulong>(s, sp);
        CheckCanonical(s, target);
        s->Gpr[4] = sp + 8 + (ushort)o->Imm;
        return Flow.Jump(s, o, target);
    }

    private static Op* LoopNe(CpuState* s, Op* o) => Count(s, o) && !Flags.Zf(s) ? Flow.Branch(s, o) : Flow.FallThrough(s, o);

    private static Op* LoopE(CpuState* s, Op* o) => Count(s, o) && Flags.Zf(s) ? Flow.Branch(s, o) : Flow.FallThrough(s, o);

    private static Op* LoopAlways(CpuState* s, Op* o) => Count(s, o) ? Flow.Branch(s, o) : Flow.FallThrough(s, o);

    private static Op* Jcxz(CpuState* s, Op* o)
    {
        ulong counter = s->Gpr[1] << o->AddressShift;
        return counter == 0 ? Flow.Branch(s, o) : Flow.FallThrough(s, o);
    }

    /// <summary>Decrements CX, ECX or RCX by address size; true while it is not zero.</summary>
    private static bool Count(CpuState* s, Op* o)
    {
        ulong counter = s->Gpr[1] - 1;
        switch (o->AddressShift)
        {
            case 48:
                *(ushort*)&s->Gpr[1] = (ushort)counter;
                return (ushort)counter != 0;
            case 32:
                s->Gpr[1] = (uint)counter;
                return (uint)counter != 0;
            default:
                s->Gpr[1] = counter;
                return counter != 0;
        }
    }

    private static Op* To<TW>(CpuState* s, Op* o, ulong target)
        where TW : struct, IWidth
    {
        Check<TW>(s, target);
        return Flow.Jump(s, o, target);
    }

    private static void Check<TW>(CpuState* s, ulong target)
        where TW : struct, IWidth
    {
        if (TW.Bytes == 8)
        {
            CheckCanonical(s, target);
        }
        else
        {
            CheckLimit(s, target);
        }
    }

    private static void PushReturn<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        ulong next = Flow.NextRip(s, o);
        if (TW.Bytes == 8)
        {
            Stack.Push(s, next);
        }
        else if (TW.Bytes == 4)
        {
            Stack.Push(s, (uint)next);
        }
        else
        {
            Stack.Push(s, (ushort)next);
        }
    }

    private static void CheckCanonical(CpuState* s, ulong target)
    {
        if ((ulong)((long)(target << 16) >> 16) != target)
        {
            Fault.GeneralProtection(s);
        }
    }

    /// <summary>A near transfer beyond the CS limit faults at the transfer, not at its target.</summary>
    private static void CheckLimit(CpuState* s, ulong target)
    {
        if (target > s->Cs.Limit && s->CodeSize != 64)
        {
            Fault.GeneralProtection(s);
        }
    }
}
