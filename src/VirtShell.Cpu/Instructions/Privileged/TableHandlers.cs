using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.Privileged;

/// <summary>Descriptor table registers, LDTR, TR, and the instructions that examine selectors: LAR, LSL, VERR, VERW, ARPL.</summary>
internal static unsafe class TableHandlers
{
    public static void Register()
    {
        foreach (Code code in new[] { Code.Lgdt_m1632_16, Code.Lgdt_m1632, Code.Lgdt_m1664 })
        {
            HandlerTable.Add(code, null, &LoadTable<Flat, Gdt>, &LoadTable<General, Gdt>);
        }

        foreach (Code code in new[] { Code.Lidt_m1632_16, Code.Lidt_m1632, Code.Lidt_m1664 })
        {
            HandlerTable.Add(code, null, &LoadTable<Flat, Idt>, &LoadTable<General, Idt>);
        }

        foreach (Code code in new[] { Code.Sgdt_m1632_16, Code.Sgdt_m1632, Code.Sgdt_m1664 })
        {
            HandlerTable.Add(code, null, &StoreTable<Flat, Gdt>, &StoreTable<General, Gdt>);
        }

        foreach (Code code in new[] { Code.Sidt_m1632_16, Code.Sidt_m1632, Code.Sidt_m1664 })
        {
            HandlerTable.Add(code, null, &StoreTable<Flat, Idt>, &StoreTable<General, Idt>);
        }

        Selectors(Code.Lldt_rm16, Code.Lldt_r32m16, Code.Lldt_r64m16, &LldtReg, &LldtMem<Flat>, &LldtMem<General>);
        Selectors(Code.Ltr_rm16, Code.Ltr_r32m16, Code.Ltr_r64m16, &LtrReg, &LtrMem<Flat>, &LtrMem<General>);
        Selectors(Code.Verr_rm16, Code.Verr_r32m16, Code.Verr_r64m16, &VerrReg, &VerrMem<Flat>, &VerrMem<General>);
        Selectors(Code.Verw_rm16, Code.Verw_r32m16, Code.Verw_r64m16, &VerwReg, &VerwMem<Flat>, &VerwMem<General>);
        HandlerTable.Add(Code.Sldt_rm16, &SldtReg<W16>, &SldtMem<Flat>, &SldtMem<General>);
        HandlerTable.Add(Code.Sldt_r32m16, &SldtReg<W32>, &SldtMem<Flat>, &SldtMem<General>);
        HandlerTable.Add(Code.Sldt_r64m16, &SldtReg<W64>, &SldtMem<Flat>, &SldtMem<General>);
        HandlerTable.Add(Code.Str_rm16, &StrReg<W16>, &StrMem<Flat>, &StrMem<General>);
        HandlerTable.Add(Code.Str_r32m16, &StrReg<W32>, &StrMem<Flat>, &StrMem<General>);
        HandlerTable.Add(Code.Str_r64m16, &StrReg<W64>, &StrMem<Flat>, &StrMem<General>);
        HandlerTable.Add(Code.Lar_r16_rm16, &LarReg<W16>, &LarMem<W16, Flat>, &LarMem<W16, General>);
        HandlerTable.Add(Code.Lar_r32_r32m16, &LarReg<W32>, &LarMem<W32, Flat>, &LarMem<W32, General>);
        HandlerTable.Add(Code.Lar_r64_r64m16, &LarReg<W64>, &LarMem<W64, Flat>, &LarMem<W64, General>);
        HandlerTable.Add(Code.Lsl_r16_rm16, &LslReg<W16>, &LslMem<W16, Flat>, &LslMem<W16, General>);
        HandlerTable.Add(Code.Lsl_r32_r32m16, &LslReg<W32>, &LslMem<W32, Flat>, &LslMem<W32, General>);
        HandlerTable.Add(Code.Lsl_r64_r64m16, &LslReg<W64>, &LslMem<W64, Flat>, &LslMem<W64, General>);
        HandlerTable.Add(Code.Arpl_rm16_r16, &ArplReg, &ArplMem, &ArplMem);
        HandlerTable.Add(Code.Arpl_r32m16_r32, &ArplReg, &ArplMem, &ArplMem);
    }

    private interface ITable
    {
        static abstract void Get(CpuState* s, out ulong tableBase, out uint limit);

        static abstract void Set(CpuState* s, ulong tableBase, uint limit);
    }

    private static void Selectors(Code code16, Code code32, Code code64, delegate*<CpuState*, Op*, Op*> register, delegate*<CpuState*, Op*, Op*> flat, delegate*<CpuState*, Op*, Op*> general)
    {
        HandlerTable.Add(code16, register, flat, general);
        HandlerTable.Add(code32, register, flat, general);
        HandlerTable.Add(code64, register, flat, general);
    }

    private static Op* LoadTable<TA, TTable>(CpuState* s, Op* o)
        where TA : struct, IAddressing
        where TTable : struct, ITable
    {
        CpuState.Of(s).CheckSupervisor();
        bool wide = s->CodeSize == 64;
        ulong linear = TA.Read(s, o, wide ? 10 : 6);
        ushort limit = Mem.Read<ushort>(s, linear);
        ulong at = (linear + 2) & s->LinearMask;
        ulong tableBase = wide ? Mem.Read<ulong>(s, at) : Mem.Read<uint>(s, at);
        if (wide && !Vcpu.IsCanonical(tableBase))
        {
            Fault.GeneralProtection(s);
        }

        // A 16-bit operand size loads 24 bits of base.
        TTable.Set(s, !wide && o->OperandSize == 2 ? tableBase & 0xFF_FFFF : tableBase, limit);
        return o + 1;
    }

    private static Op* StoreTable<TA, TTable>(CpuState* s, Op* o)
        where TA : struct, IAddressing
        where TTable : struct, ITable
    {
        ControlRegisterHandlers.CheckUserMode(s);
        bool wide = s->CodeSize == 64;
        ulong linear = TA.Write(s, o, wide ? 10 : 6);
        TTable.Get(s, out ulong tableBase, out uint limit);
        Mem.CheckWrite(s, linear, wide ? 10 : 6);
        Mem.Write(s, linear, (ushort)limit);
        ulong at = (linear + 2) & s->LinearMask;
        if (wide)
        {
            Mem.Write(s, at, tableBase);
        }
        else
        {
            Mem.Write(s, at, (uint)tableBase);
        }

        return o + 1;
    }

    private static ushort RegisterSelector(CpuState* s, Op* o) => *(ushort*)((byte*)s + o->Dst);

    private static void NeedDescriptors(CpuState* s)
    {
        if (!CpuState.Of(s).UsesDescriptors)
        {
            Fault.InvalidOpcode(s);
        }
    }

    private static Op* LldtReg(CpuState* s, Op* o)
    {
        NeedDescriptors(s);
        CpuState.Of(s).LoadLdt(RegisterSelector(s, o));
        return o + 1;
    }

    private static Op* LldtMem<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        NeedDescriptors(s);
        CpuState.Of(s).CheckSupervisor();
        CpuState.Of(s).LoadLdt(Mem.Read<ushort>(s, TA.Read(s, o, 2)));
        return o + 1;
    }

    private static Op* LtrReg(CpuState* s, Op* o)
    {
        NeedDescriptors(s);
        CpuState.Of(s).LoadTaskRegister(RegisterSelector(s, o));
        return o + 1;
    }

    private static Op* LtrMem<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        NeedDescriptors(s);
        CpuState.Of(s).CheckSupervisor();
        CpuState.Of(s).LoadTaskRegister(Mem.Read<ushort>(s, TA.Read(s, o, 2)));
        return o + 1;
    }

    private static Op* SldtReg<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        NeedDescriptors(s);
        ControlRegisterHandlers.CheckUserMode(s);
        TW.Set((byte*)s + o->Dst, s->Ldtr.Selector);
        return o + 1;
    }

    private static Op* SldtMem<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        NeedDescriptors(s);
        ControlRegisterHandlers.CheckUserMode(s);
        Mem.Write(s, TA.Write(s, o, 2), s->Ldtr.Selector);
        return o + 1;
    }

    private static Op* StrReg<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        NeedDescriptors(s);
        ControlRegisterHandlers.CheckUserMode(s);
        TW.Set((byte*)s + o->Dst, s->Tr.Selector);
        return o + 1;
    }

    private static Op* StrMem<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        NeedDescriptors(s);
        ControlRegisterHandlers.CheckUserMode(s);
        Mem.Write(s, TA.Write(s, o, 2), s->Tr.Selector);
        return o + 1;
    }

    private static Op* LarReg<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth => Lar<TW>(s, o, *(ushort*)((byte*)s + o->Src));

    private static Op* LarMem<TW, TA>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        NeedDescriptors(s);
        return Lar<TW>(s, o, Mem.Read<ushort>(s, TA.Read(s, o, 2)));
    }

    private static Op* Lar<TW>(CpuState* s, Op* o, ushort selector)
        where TW : struct, IWidth
    {
        NeedDescriptors(s);
        Vcpu cpu = CpuState.Of(s);
        bool ok = cpu.TryExamine(selector, forLimit: false, out Descriptor descriptor);
        if (ok)
        {
            TW.Set((byte*)s + o->Dst, (descriptor.Low >> 32) & (TW.Bytes == 2 ? 0xFF00UL : 0x00F0_FF00UL));
        }

        SetZero(s, ok);
        return o + 1;
    }

    private static Op* LslReg<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth => Lsl<TW>(s, o, *(ushort*)((byte*)s + o->Src));

    private static Op* LslMem<TW, TA>(CpuState* s, Op* o)
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        NeedDescriptors(s);
        return Lsl<TW>(s, o, Mem.Read<ushort>(s, TA.Read(s, o, 2)));
    }

    private static Op* Lsl<TW>(CpuState* s, Op* o, ushort selector)
        where TW : struct, IWidth
    {
        NeedDescriptors(s);
        bool ok = CpuState.Of(s).TryExamine(selector, forLimit: true, out Descriptor descriptor);
        if (ok)
        {
            TW.Set((byte*)s + o->Dst, descriptor.Limit);
        }

        SetZero(s, ok);
        return o + 1;
    }

    private static Op* VerrReg(CpuState* s, Op* o) => Verify(s, o, RegisterSelector(s, o), write: false);

    private static Op* VerrMem<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        NeedDescriptors(s);
        return Verify(s, o, Mem.Read<ushort>(s, TA.Read(s, o, 2)), write: false);
    }

    private static Op* VerwReg(CpuState* s, Op* o) => Verify(s, o, RegisterSelector(s, o), write: true);

    private static Op* VerwMem<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        NeedDescriptors(s);
        return Verify(s, o, Mem.Read<ushort>(s, TA.Read(s, o, 2)), write: true);
    }

    private static Op* Verify(CpuState* s, Op* o, ushort selector, bool write)
    {
        NeedDescriptors(s);
        SetZero(s, CpuState.Of(s).CanAccess(selector, write));
        return o + 1;
    }

    private static Op* ArplReg(CpuState* s, Op* o)
    {
        NeedDescriptors(s);
        ushort* at = (ushort*)((byte*)s + o->Dst);
        ushort source = *(ushort*)((byte*)s + o->Src);
        bool adjust = (*at & 3) < (source & 3);
        if (adjust)
        {
            *at = (ushort)((*at & ~3) | (source & 3));
        }

        SetZero(s, adjust);
        return o + 1;
    }

    private static Op* ArplMem(CpuState* s, Op* o)
    {
        NeedDescriptors(s);
        ushort value = Mem.Read<ushort>(s, General.Read(s, o, 2));
        ushort source = *(ushort*)((byte*)s + o->Src);
        bool adjust = (value & 3) < (source & 3);
        if (adjust)
        {
            // Only now must the destination be writable.
            Mem.Write(s, General.Write(s, o, 2), (ushort)((value & ~3) | (source & 3)));
        }

        SetZero(s, adjust);
        return o + 1;
    }

    private static void SetZero(CpuState* s, bool zero) =>
        Flags.SetStatus(s, (Flags.GetStatus(s) & ~Flags.Zero) | (zero ? Flags.Zero : 0));

    private readonly struct Gdt : ITable
    {
        public static void Get(CpuState* s, out ulong tableBase, out uint limit)
        {
            tableBase = s->GdtBase;
            limit = s->GdtLimit;
        }

        public static void Set(CpuState* s, ulong tableBase, uint limit)
        {
            s->GdtBase = tableBase;
            s->GdtLimit = limit;
        }
    }

    private readonly struct Idt : ITable
    {
        public static void Get(CpuState* s, out ulong tableBase, out uint limit)
        {
            tableBase = s->IdtBase;
            limit = s->IdtLimit;
        }

        public static void Set(CpuState* s, ulong tableBase, uint limit)
        {
            s->IdtBase = tableBase;
            s->IdtLimit = limit;
        }
    }
}
