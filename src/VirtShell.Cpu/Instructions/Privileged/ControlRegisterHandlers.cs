using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.Privileged;

/// <summary>MOV to and from control and debug registers, CLTS, LMSW, SMSW, INVLPG, INVPCID, INVD, WBINVD, HLT.</summary>
internal static unsafe class ControlRegisterHandlers
{
    public static void Register()
    {
        HandlerTable.Add(Code.Mov_r32_cr, &ReadControl);
        HandlerTable.Add(Code.Mov_r64_cr, &ReadControl);
        HandlerTable.Add(Code.Mov_cr_r32, &WriteControl<W32>);
        HandlerTable.Add(Code.Mov_cr_r64, &WriteControl<W64>);
        HandlerTable.Add(Code.Mov_r32_dr, &ReadDebug);
        HandlerTable.Add(Code.Mov_r64_dr, &ReadDebug);
        HandlerTable.Add(Code.Mov_dr_r32, &WriteDebug<W32>);
        HandlerTable.Add(Code.Mov_dr_r64, &WriteDebug<W64>);
        HandlerTable.Add(Code.Clts, &Clts);
        foreach (Code code in new[] { Code.Lmsw_rm16, Code.Lmsw_r32m16, Code.Lmsw_r64m16 })
        {
            HandlerTable.Add(code, &LmswReg, &LmswMem<Flat>, &LmswMem<General>);
        }

        HandlerTable.Add(Code.Smsw_rm16, &SmswReg<W16>, &SmswMem<Flat>, &SmswMem<General>);
        HandlerTable.Add(Code.Smsw_r32m16, &SmswReg<W32>, &SmswMem<Flat>, &SmswMem<General>);
        HandlerTable.Add(Code.Smsw_r64m16, &SmswReg<W64>, &SmswMem<Flat>, &SmswMem<General>);
        HandlerTable.Add(Code.Invlpg_m, &Invlpg);
        HandlerTable.Add(Code.Invpcid_r32_m128, null, &Invpcid<W32, Flat>, &Invpcid<W32, General>);
        HandlerTable.Add(Code.Invpcid_r64_m128, null, &Invpcid<W64, Flat>, &Invpcid<W64, General>);
        HandlerTable.Add(Code.Invd, &Supervisor);
        HandlerTable.Add(Code.Wbinvd, &Supervisor);
        HandlerTable.Add(Code.Hlt, &Hlt);
    }

    private static Op* ReadControl(CpuState* s, Op* o)
    {
        Vcpu cpu = CpuState.Of(s);
        int number = o->Src;
        CheckNumber(s, number);
        cpu.CheckSupervisor();
        ulong value = number switch
        {
            0 => s->Cr0,
            2 => s->Cr2,
            3 => s->Cr3,
            4 => s->Cr4,
            _ => cpu.Bus.TaskPriority,
        };
        *(ulong*)((byte*)s + o->Dst) = s->CodeSize == 64 ? value : (uint)value;
        return o + 1;
    }

    private static Op* WriteControl<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        Vcpu cpu = CpuState.Of(s);
        int number = o->Dst;
        CheckNumber(s, number);
        cpu.CheckSupervisor();
        ulong value = TW.Get((byte*)s + o->Src);
        switch (number)
        {
            case 0:
                cpu.WriteCr0(value);
                break;
            case 2:
                s->Cr2 = value;
                break;
            case 3:
                cpu.WriteCr3(value);
                break;
            case 4:
                cpu.WriteCr4(value);
                break;
            default:
                if (value > 15)
                {
                    Fault.GeneralProtection(s);
                }

                cpu.Bus.TaskPriority = (byte)value;
                break;
        }

        return Flow.ExitNext(s, o);
    }

    private static void CheckNumber(CpuState* s, int number)
    {
        if (number is not (0 or 2 or 3 or 4) && !(number == 8 && s->CodeSize == 64))
        {
            Fault.InvalidOpcode(s);
        }
    }

    private static Op* ReadDebug(CpuState* s, Op* o)
    {
        int number = CpuState.Of(s).CheckDebugRegister(o->Src);
        *(ulong*)((byte*)s + o->Dst) = s->CodeSize == 64 ? s->Dr[number] : (uint)s->Dr[number];
        return o + 1;
    }

    private static Op* WriteDebug<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        Vcpu cpu = CpuState.Of(s);
        int number = cpu.CheckDebugRegister(o->Dst);
        cpu.WriteDebugRegister(number, TW.Get((byte*)s + o->Src));
        return Flow.ExitNext(s, o);
    }

    private static Op* Clts(CpuState* s, Op* o)
    {
        CpuState.Of(s).CheckSupervisor();
        s->Cr0 &= ~ControlBits.Cr0TaskSwitched;
        return o + 1;
    }

    private static Op* LmswReg(CpuState* s, Op* o) => Lmsw(s, o, *(ushort*)((byte*)s + o->Dst));

    private static Op* LmswMem<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        CpuState.Of(s).CheckSupervisor();
        return Lmsw(s, o, Mem.Read<ushort>(s, TA.Read(s, o, 2)));
    }

    private static Op* Lmsw(CpuState* s, Op* o, ushort value)
    {
        Vcpu cpu = CpuState.Of(s);
        cpu.CheckSupervisor();
        cpu.LoadMachineStatus(value);
        return Flow.ExitNext(s, o);
    }

    private static Op* SmswReg<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        CheckUserMode(s);
        TW.Set((byte*)s + o->Dst, TW.Bytes == 2 ? (ushort)s->Cr0 : s->Cr0);
        return o + 1;
    }

    private static Op* SmswMem<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        CheckUserMode(s);
        Mem.Write(s, TA.Write(s, o, 2), (ushort)s->Cr0);
        return o + 1;
    }

    /// <summary>UMIP: SGDT, SIDT, SLDT, STR and SMSW are for CPL 0 only (SDM Vol. 3A §2.5, CR4.UMIP).</summary>
    internal static void CheckUserMode(CpuState* s)
    {
        if (s->Cpl != 0 && (s->Cr4 & ControlBits.Cr4Umip) != 0)
        {
            Fault.GeneralProtection(s);
        }
    }

    private static Op* Invlpg(CpuState* s, Op* o)
    {
        Vcpu cpu = CpuState.Of(s);
        cpu.CheckSupervisor();
        ulong linear = (CpuState.Segment(s, o->Segment)->Base + Addresses.Effective(s, o)) & s->LinearMask;
        cpu.Mmu.FlushPage(linear);
        return Flow.ExitNext(s, o);
    }

    private static Op* Invpcid<TW, TA>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        Vcpu cpu = CpuState.Of(s);
        cpu.CheckSupervisor();
        ulong linear = TA.Read(s, o, 16);
        ulong pcid = Mem.Read<ulong>(s, linear);
        ulong address = Mem.Read<ulong>(s, (linear + 8) & s->LinearMask);
        cpu.InvalidatePcid(TW.Get((byte*)s + o->Dst), pcid, address);
        return Flow.ExitNext(s, o);
    }

    // Caches are not modelled: INVD and WBINVD have nothing to do.
    private static Op* Supervisor(CpuState* s, Op* o)
    {
        CpuState.Of(s).CheckSupervisor();
        return o + 1;
    }

    private static Op* Hlt(CpuState* s, Op* o)
    {
        CpuState.Of(s).CheckSupervisor();
        s->Halted = 1;
        return Flow.ExitNext(s, o);
    }
}
