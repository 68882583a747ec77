using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.Privileged;

/// <summary>Far JMP, CALL, RET, IRET, INT n, INT3, INTO, INT1 and the UD instructions.</summary>
internal static unsafe class FarHandlers
{
    public static void Register()
    {
        HandlerTable.Add(Code.Jmp_ptr1616, &JmpImmediate);
        HandlerTable.Add(Code.Jmp_ptr1632, &JmpImmediate);
        HandlerTable.Add(Code.Call_ptr1616, &CallImmediate);
        HandlerTable.Add(Code.Call_ptr1632, &CallImmediate);
        HandlerTable.Add(Code.Jmp_m1616, null, &JmpMem<W16, Flat>, &JmpMem<W16, General>);
        HandlerTable.Add(Code.Jmp_m1632, null, &JmpMem<W32, Flat>, &JmpMem<W32, General>);
        HandlerTable.Add(Code.Jmp_m1664, null, &JmpMem<W64, Flat>, &JmpMem<W64, General>);
        HandlerTable.Add(Code.Call_m1616, null, &CallMem<W16, Flat>, &CallMem<W16, General>);
        HandlerTable.Add(Code.Call_m1632, null, &CallMem<W32, Flat>, &CallMem<W32, General>);
        HandlerTable.Add(Code.Call_m1664, null, &CallMem<W64, Flat>, &CallMem<W64, General>);
        foreach (Code code in new[] { Code.Retfw, Code.Retfd, Code.Retfq, Code.Retfw_imm16, Code.Retfd_imm16, Code.Retfq_imm16 })
        {
            HandlerTable.Add(code, &Return);
        }

        HandlerTable.Add(Code.Iretw, &InterruptReturn);
        HandlerTable.Add(Code.Iretd, &InterruptReturn);
        HandlerTable.Add(Code.Iretq, &InterruptReturn);
        HandlerTable.Add(Code.Int_imm8, &Int);
        HandlerTable.Add(Code.Int3, &Int3);
        HandlerTable.Add(Code.Into, &Into);
        HandlerTable.Add(Code.Int1, &Int1);
    }

    private static Op* JmpImmediate(CpuState* s, Op* o)
    {
        CpuState.Of(s).FarJump((ushort)o->Extra, o->Imm, Flow.NextRip(s, o));
        return Flow.Exit(s, o, s->Rip);
    }

    private static Op* CallImmediate(CpuState* s, Op* o)
    {
        CpuState.Of(s).FarCall((ushort)o->Extra, o->Imm, o->OperandSize, Flow.NextRip(s, o));
        return Flow.Exit(s, o, s->Rip);
    }

    private static Op* JmpMem<TW, TA>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        ulong linear = TA.Read(s, o, TW.Bytes + 2);
        ulong offset = TW.Read(s, linear);
        ushort selector = Mem.Read<ushort>(s, (linear + (ulong)TW.Bytes) & s->LinearMask);
        CpuState.Of(s).FarJump(selector, offset, Flow.NextRip(s, o));
        return Flow.Exit(s, o, s->Rip);
    }

    private static Op* CallMem<TW, TA>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        ulong linear = TA.Read(s, o, TW.Bytes + 2);
        ulong offset = TW.Read(s, linear);
        ushort selector = Mem.Read<ushort>(s, (linear + (ulong)TW.Bytes) & s->LinearMask);
        CpuState.Of(s).FarCall(selector, offset, TW.Bytes, Flow.NextRip(s, o));
        return Flow.Exit(s, o, s->Rip);
    }

    private static Op* Return(CpuState* s, Op* o)
    {
        CpuState.Of(s).FarReturn(o->OperandSize, (ushort)o->Imm);
        return Flow.Exit(s, o, s->Rip);
    }

    private static Op* InterruptReturn(CpuState* s, Op* o)
    {
        Vcpu cpu = CpuState.Of(s);
        cpu.BeforeInterruptReturn();
        cpu.InterruptReturn(o->OperandSize, Flow.NextRip(s, o));
        cpu.AfterInterruptReturn(Flow.RetiredBefore(s, o) + 1);
        return Flow.Exit(s, o, s->Rip);
    }

    private static Op* Int(CpuState* s, Op* o)
    {
        Vcpu cpu = CpuState.Of(s);
        int vector = (byte)o->Imm;
        ulong next = Flow.NextRip(s, o);
        if (s->Virtual8086 == 0 || !cpu.TryRedirectInterrupt(vector, next))
        {
            cpu.EnterHandler(vector, EventKind.Software, false, 0, next);
        }

        return Flow.Exit(s, o, s->Rip);
    }

    private static Op* Int3(CpuState* s, Op* o)
    {
        CpuState.Of(s).EnterHandler(Vector.Breakpoint, EventKind.Software, false, 0, Flow.NextRip(s, o));
        return Flow.Exit(s, o, s->Rip);
    }

    private static Op* Into(CpuState* s, Op* o)
    {
        if (!Flags.Of(s))
        {
            return Flow.FallThrough(s, o);
        }

        CpuState.Of(s).EnterHandler(Vector.Overflow, EventKind.Software, false, 0, Flow.NextRip(s, o));
        return Flow.Exit(s, o, s->Rip);
    }

    private static Op* Int1(CpuState* s, Op* o)
    {
        CpuState.Of(s).EnterDebugHandler(Flow.NextRip(s, o));
        return Flow.Exit(s, o, s->Rip);
    }
}
