using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;

namespace VirtShell.Cpu.Instructions.Integer;

/// <summary>CLC, STC, CMC, CLD, STD, CLI, STI, CLAC, STAC, LAHF, SAHF, SALC, PUSHF, POPF (SDM Vol. 2).</summary>
internal static unsafe class FlagHandlers
{
    public static void Register()
    {
        HandlerTable.Add(Code.Clc, &Clc);
        HandlerTable.Add(Code.Stc, &Stc);
        HandlerTable.Add(Code.Cmc, &Cmc);
        HandlerTable.Add(Code.Cld, &Cld);
        HandlerTable.Add(Code.Std, &Std);
        HandlerTable.Add(Code.Cli, &Cli);
        HandlerTable.Add(Code.Sti, &Sti);
        HandlerTable.Add(Code.Clac, &Clac);
        HandlerTable.Add(Code.Stac, &Stac);
        HandlerTable.Add(Code.Lahf, &Lahf);
        HandlerTable.Add(Code.Sahf, &Sahf);
        HandlerTable.Add(Code.Salc, &Salc);
        HandlerTable.Add(Code.Pushfw, &Pushfw);
        HandlerTable.Add(Code.Pushfd, &Pushfd);
        HandlerTable.Add(Code.Pushfq, &Pushfq);
        HandlerTable.Add(Code.Popfw, &Popfw);
        HandlerTable.Add(Code.Popfd, &Popfd);
        HandlerTable.Add(Code.Popfq, &Popfq);
    }

    private static uint Iopl(CpuState* s) => (s->FlagsRest & Flags.IoplMask) >> Flags.IoplShift;

    private static bool ProtectedMode(CpuState* s) => (s->Cr0 & ControlBits.Cr0Protection) != 0;

    private static Op* Clc(CpuState* s, Op* o)
    {
        Flags.SetCf(s, false);
        return o + 1;
    }

    private static Op* Stc(CpuState* s, Op* o)
    {
        Flags.SetCf(s, true);
        return o + 1;
    }

    private static Op* Cmc(CpuState* s, Op* o)
    {
        s->FlagAux ^= Flags.AuxCarry | Flags.AuxCarryIn;
        return o + 1;
    }

    private static Op* Cld(CpuState* s, Op* o)
    {
        s->FlagsRest &= ~Flags.Direction;
        return o + 1;
    }

    private static Op* Std(CpuState* s, Op* o)
    {
        s->FlagsRest |= Flags.Direction;
        return o + 1;
    }

    /// <summary>True where CLI, STI act on VIF instead of IF: virtual-8086 mode with VME, or CPL 3 with PVI (SDM Vol. 3B §20.3, §20.4). Raises #GP where neither is allowed.</summary>
    private static bool UsesVirtualFlag(CpuState* s)
    {
        if (!ProtectedMode(s))
        {
            return false;
        }

        if (s->Virtual8086 != 0)
        {
            if (Iopl(s) == 3)
            {
                return false;
            }

            if ((s->Cr4 & ControlBits.Cr4Vme) == 0)
            {
                Fault.GeneralProtection(s);
            }

            return true;
        }

        if (s->Cpl <= Iopl(s))
        {
            return false;
        }

        if (s->Cpl != 3 || (s->Cr4 & ControlBits.Cr4Pvi) == 0)
        {
            Fault.GeneralProtection(s);
        }

        return true;
    }

    private static Op* Cli(CpuState* s, Op* o)
    {
        s->FlagsRest &= UsesVirtualFlag(s) ? ~Flags.VirtualInterrupt : ~Flags.Interrupt;
        return o + 1;
    }

    private static Op* Sti(CpuState* s, Op* o)
    {
        if (UsesVirtualFlag(s))
        {
            if ((s->FlagsRest & Flags.VirtualInterruptPending) != 0)
            {
                Fault.GeneralProtection(s);
            }

            s->FlagsRest |= Flags.VirtualInterrupt;
            return o + 1;
        }

        if ((s->FlagsRest & Flags.Interrupt) == 0)
        {
            s->FlagsRest |= Flags.Interrupt;

            // Interrupts are taken after the next instruction at the earliest.
            s->ShadowAt = Flow.RetiredBefore(s, o) + 1;
        }

        return Flow.AfterFlags(s, o);
    }

    private static Op* Clac(CpuState* s, Op* o) => SetAc(s, o, false);

    private static Op* Stac(CpuState* s, Op* o) => SetAc(s, o, true);

    private static Op* SetAc(CpuState* s, Op* o, bool set)
    {
        if (s->Cpl != 0 || (o->Flags & OpFlags.Lock) != 0)
        {
            Fault.InvalidOpcode(s);
        }

        s->FlagsRest = set ? s->FlagsRest | Flags.AlignmentCheck : s->FlagsRest & ~Flags.AlignmentCheck;
        CpuState.Of(s).Mmu.SelectView();
        return o + 1;
    }

    private static Op* Lahf(CpuState* s, Op* o)
    {
        *((byte*)&s->Gpr[0] + 1) = (byte)((Flags.GetStatus(s) & 0xFF) | Flags.Fixed);
        return o + 1;
    }

    private static Op* Sahf(CpuState* s, Op* o)
    {
        uint ah = *((byte*)&s->Gpr[0] + 1);
        Flags.SetStatus(s, (Flags.GetStatus(s) & Flags.Overflow) | (ah & (Flags.Status & 0xFF)));
        return o + 1;
    }

    private static Op* Salc(CpuState* s, Op* o)
    {
        *(byte*)&s->Gpr[0] = Flags.Cf(s) ? (byte)0xFF : (byte)0;
        return o + 1;
    }

    /// <summary>The image that PUSHF pushes: VM and RF clear.</summary>
    private static uint PushImage(CpuState* s) => Flags.Get(s) & ~(Flags.Virtual8086 | Flags.Resume);

    private static Op* Pushfw(CpuState* s, Op* o)
    {
        uint image = PushImage(s);
        if (s->Virtual8086 != 0 && Iopl(s) < 3)
        {
            if ((s->Cr4 & ControlBits.Cr4Vme) == 0)
            {
                Fault.GeneralProtection(s);
            }

            // With VME, IF of the image is VIF and IOPL reads as 3.
            image = (image & ~Flags.Interrupt) | Flags.IoplMask | ((image & Flags.VirtualInterrupt) != 0 ? Flags.Interrupt : 0);
        }

        Stack.Push(s, (ushort)image);
        return o + 1;
    }

    private static Op* Pushfd(CpuState* s, Op* o)
    {
        CheckVirtual8086(s);
        Stack.Push(s, PushImage(s));
        return o + 1;
    }

    private static Op* Pushfq(CpuState* s, Op* o)
    {
        Stack.Push(s, (ulong)PushImage(s));
        return o + 1;
    }

    private static Op* Popfw(CpuState* s, Op* o)
    {
        ushort image = Stack.Peek<ushort>(s, 0);
        if (s->Virtual8086 != 0 && Iopl(s) < 3)
        {
            PopVirtual(s, image);
            Stack.Move(s, 2);
            return Flow.ExitNext(s, o);
        }

        Stack.Move(s, 2);
        return Pop(s, o, image, 0xFFFF);
    }

    private static Op* Popfd(CpuState* s, Op* o)
    {
        CheckVirtual8086(s);
        return Pop(s, o, Stack.Pop<uint>(s), uint.MaxValue);
    }

    private static Op* Popfq(CpuState* s, Op* o) => Pop(s, o, (uint)Stack.Pop<ulong>(s), uint.MaxValue);

    private static void CheckVirtual8086(CpuState* s)
    {
        if (s->Virtual8086 != 0 && Iopl(s) < 3)
        {
            Fault.GeneralProtection(s);
        }
    }

    // POPF in virtual-8086 mode with VME and IOPL below 3 (SDM Vol. 3B §20.3).
    private static void PopVirtual(CpuState* s, ushort image)
    {
        if ((s->Cr4 & ControlBits.Cr4Vme) == 0
            || (image & Flags.Trap) != 0
            || ((image & Flags.Interrupt) != 0 && (s->FlagsRest & Flags.VirtualInterruptPending) != 0))
        {
            Fault.GeneralProtection(s);
        }

        Flags.Set(s, image, Flags.Status | Flags.Trap | Flags.Direction | Flags.NestedTask);
        s->FlagsRest = (image & Flags.Interrupt) != 0 ? s->FlagsRest | Flags.VirtualInterrupt : s->FlagsRest & ~Flags.VirtualInterrupt;
    }

    private static Op* Pop(CpuState* s, Op* o, uint image, uint sizeMask)
    {
        uint mask = Flags.Status | Flags.Trap | Flags.Direction | Flags.NestedTask | Flags.AlignmentCheck | Flags.Identification;
        uint before = s->FlagsRest;
        if (!ProtectedMode(s) || s->Cpl == 0)
        {
            mask |= Flags.IoplMask | Flags.Interrupt;
        }
        else if (s->Cpl <= Iopl(s))
        {
            mask |= Flags.Interrupt;
        }

        Flags.Set(s, image, mask & sizeMask);
        s->FlagsRest &= sizeMask == 0xFFFF ? uint.MaxValue : ~Flags.Resume;
        if (((before ^ s->FlagsRest) & Flags.AlignmentCheck) != 0)
        {
            CpuState.Of(s).UpdateMode();
        }

        return Flow.AfterFlags(s, o);
    }
}
