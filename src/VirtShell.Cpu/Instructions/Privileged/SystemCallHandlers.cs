using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;

namespace VirtShell.Cpu.Instructions.Privileged;

/// <summary>SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS, and the FS and GS base instructions.</summary>
internal static unsafe class SystemCallHandlers
{
    /// <summary>Attributes of the code segment that SYSCALL and its kin load, without its size and privilege level.</summary>
    public const uint FlatCode = SegmentRegister.Present | SegmentRegister.CodeOrData | SegmentRegister.Executable
        | SegmentRegister.WritableOrReadable | SegmentRegister.Accessed | SegmentRegister.Granularity;

    /// <summary>Attributes of the stack segment that they load, of privilege level 0.</summary>
    public const uint FlatData = SegmentRegister.Present | SegmentRegister.CodeOrData | SegmentRegister.WritableOrReadable
        | SegmentRegister.Accessed | SegmentRegister.Granularity | SegmentRegister.Big;

    /// <summary>Privilege level 3 in attributes.</summary>
    public const uint User = 3u << SegmentRegister.DplShift;

    public static void Register()
    {
        HandlerTable.Add(Code.Syscall, &Syscall);
        HandlerTable.Add(Code.Sysretd, &Sysret);
        HandlerTable.Add(Code.Sysretq, &Sysret);
        HandlerTable.Add(Code.Sysenter, &Sysenter);
        HandlerTable.Add(Code.Sysexitd, &Sysexit);
        HandlerTable.Add(Code.Sysexitq, &Sysexit);
        HandlerTable.Add(Code.Swapgs, &Swapgs);
        HandlerTable.Add(Code.Rdfsbase_r32, &ReadBase<W32, FsBase>);
        HandlerTable.Add(Code.Rdfsbase_r64, &ReadBase<W64, FsBase>);
        HandlerTable.Add(Code.Rdgsbase_r32, &ReadBase<W32, GsBase>);
        HandlerTable.Add(Code.Rdgsbase_r64, &ReadBase<W64, GsBase>);
        HandlerTable.Add(Code.Wrfsbase_r32, &WriteBase<W32, FsBase>);
        HandlerTable.Add(Code.Wrfsbase_r64, &WriteBase<W64, FsBase>);
        HandlerTable.Add(Code.Wrgsbase_r32, &WriteBase<W32, GsBase>);
        HandlerTable.Add(Code.Wrgsbase_r64, &WriteBase<W64, GsBase>);
    }

    private interface IBase
    {
        static abstract int Index { get; }
    }

    // SDM Vol. 2, SYSCALL: 64-bit mode only on Intel processors.
    private static Op* Syscall(CpuState* s, Op* o)
    {
        if (s->CodeSize != 64 || (s->Efer & ControlBits.EferSyscall) == 0)
        {
            Fault.InvalidOpcode(s);
        }

        Vcpu cpu = CpuState.Of(s);
        ulong next = Flow.NextRip(s, o);
        s->Gpr[1] = next;
        s->Gpr[11] = Flags.Get(s) & ~Flags.Resume;
        Flags.Set(s, 0, (uint)s->MsrFmask | Flags.Resume);
        ushort selector = (ushort)(s->MsrStar >> 32);
        SetFlat(cpu, SegmentIndex.Cs, (ushort)(selector & 0xFFFC), FlatCode | SegmentRegister.Long);
        SetFlat(cpu, SegmentIndex.Ss, (ushort)(selector + 8), FlatData);
        s->Cpl = 0;
        cpu.UpdateMode();
        cpu.TrapByNewFlags();
        return Flow.Exit(s, o, s->MsrLstar);
    }

    private static Op* Sysret(CpuState* s, Op* o)
    {
        if (s->CodeSize != 64 || (s->Efer & ControlBits.EferSyscall) == 0)
        {
            Fault.InvalidOpcode(s);
        }

        Vcpu cpu = CpuState.Of(s);
        cpu.CheckSupervisor();
        bool wide = o->OperandSize == 8;
        ulong rip = wide ? s->Gpr[1] : (uint)s->Gpr[1];
        if (!Vcpu.IsCanonical(rip))
        {
            Fault.GeneralProtection(s);
        }

        ushort selector = (ushort)(s->MsrStar >> 48);
        const uint Kept = Flags.Resume | Flags.Virtual8086;
        Flags.Set(s, (uint)s->Gpr[11] & ~Kept, uint.MaxValue);
        SetFlat(cpu, SegmentIndex.Cs, (ushort)((selector + (wide ? 16 : 0)) | 3), FlatCode | User | (wide ? SegmentRegister.Long : SegmentRegister.Big));
        SetFlat(cpu, SegmentIndex.Ss, (ushort)((selector + 8) | 3), FlatData | User);
        s->Cpl = 3;
        cpu.UpdateMode();
        cpu.TrapByNewFlags();
        return Flow.Exit(s, o, rip);
    }

    private static Op* Sysenter(CpuState* s, Op* o)
    {
        Vcpu cpu = CpuState.Of(s);
        ushort selector = (ushort)(s->MsrSysenterCs & 0xFFFC);
        if ((s->Cr0 & ControlBits.Cr0Protection) == 0 || selector == 0)
        {
            Fault.GeneralProtection(s);
        }

        bool wide = cpu.LongActive;
        s->FlagsRest &= ~(Flags.Virtual8086 | Flags.Interrupt | Flags.Resume);
        SetFlat(cpu, SegmentIndex.Cs, selector, FlatCode | (wide ? SegmentRegister.Long : SegmentRegister.Big));
        SetFlat(cpu, SegmentIndex.Ss, (ushort)(selector + 8), FlatData);
        s->Cpl = 0;
        s->Gpr[4] = wide ? s->MsrSysenterEsp : (uint)s->MsrSysenterEsp;
        cpu.UpdateMode();
        return Flow.Exit(s, o, wide ? s->MsrSysenterEip : (uint)s->MsrSysenterEip);
    }

    private static Op* Sysexit(CpuState* s, Op* o)
    {
        Vcpu cpu = CpuState.Of(s);
        ushort selector = (ushort)(s->MsrSysenterCs & 0xFFFC);
        if ((s->Cr0 & ControlBits.Cr0Protection) == 0 || selector == 0 || s->Cpl != 0)
        {
            Fault.GeneralProtection(s);
        }

        bool wide = o->OperandSize == 8;
        ulong rip = wide ? s->Gpr[2] : (uint)s->Gpr[2];
        ulong rsp = wide ? s->Gpr[1] : (uint)s->Gpr[1];
        if (wide && (!Vcpu.IsCanonical(rip) || !Vcpu.IsCanonical(rsp)))
        {
            Fault.GeneralProtection(s);
        }

        SetFlat(cpu, SegmentIndex.Cs, (ushort)((selector + (wide ? 32 : 16)) | 3), FlatCode | User | (wide ? SegmentRegister.Long : SegmentRegister.Big));
        SetFlat(cpu, SegmentIndex.Ss, (ushort)((selector + (wide ? 40 : 24)) | 3), FlatData | User);
        s->Cpl = 3;
        s->Gpr[4] = rsp;
        cpu.UpdateMode();
        return Flow.Exit(s, o, rip);
    }

    private static Op* Swapgs(CpuState* s, Op* o)
    {
        if (s->CodeSize != 64)
        {
            Fault.InvalidOpcode(s);
        }

        Vcpu cpu = CpuState.Of(s);
        cpu.CheckSupervisor();
        (s->Gs.Base, s->MsrKernelGsBase) = (s->MsrKernelGsBase, s->Gs.Base);
        cpu.UpdateSegmentBases();
        return o + 1;
    }

    private static Op* ReadBase<TW, TB>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TB : struct, IBase
    {
        CheckBaseAccess(s);
        TW.Set((byte*)s + o->Dst, CpuState.Segment(s, TB.Index)->Base);
        return o + 1;
    }

    private static Op* WriteBase<TW, TB>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TB : struct, IBase
    {
        CheckBaseAccess(s);
        ulong value = TW.Get((byte*)s + o->Dst);
        if (!Vcpu.IsCanonical(value))
        {
            Fault.GeneralProtection(s);
        }

        CpuState.Segment(s, TB.Index)->Base = value;
        CpuState.Of(s).UpdateSegmentBases();
        return o + 1;
    }

    private static void CheckBaseAccess(CpuState* s)
    {
        if (s->CodeSize != 64 || (s->Cr4 & ControlBits.Cr4FsGsBase) == 0)
        {
            Fault.InvalidOpcode(s);
        }
    }

    private static void SetFlat(Vcpu cpu, int index, ushort selector, uint attributes) =>
        cpu.SetSegment(index, selector, 0, uint.MaxValue, attributes);

    private readonly struct FsBase : IBase
    {
        public static int Index => SegmentIndex.Fs;
    }

    private readonly struct GsBase : IBase
    {
        public static int Index => SegmentIndex.Gs;
    }
}
