using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Instructions;

namespace VirtShell.Cpu;

/// <summary>IRET in every mode and direction (SDM Vol. 2, IRET).</summary>
public sealed unsafe partial class Vcpu
{
    private const uint ReturnFlags16 = Flags.Status | Flags.Trap | Flags.Direction | Flags.NestedTask;
    private const uint ReturnFlags32 = ReturnFlags16 | Flags.Resume | Flags.AlignmentCheck | Flags.Identification;

    /// <summary>IRET with an operand size of 2, 4 or 8 bytes. Sets RIP.</summary>
    internal void InterruptReturn(int size, ulong nextRip)
    {
        CpuState* s = _s;
        if ((s->Cr0 & ControlBits.Cr0Protection) == 0)
        {
            ReturnReal(size, ReturnMask(size) | Flags.Interrupt | Flags.IoplMask);
        }
        else if (s->Virtual8086 != 0)
        {
            ReturnInVirtual8086(size);
        }
        else if (LongActive)
        {
            if ((s->FlagsRest & Flags.NestedTask) != 0)
            {
                Fault.GeneralProtection(s);
            }

            ReturnProtected(size);
        }
        else if ((s->FlagsRest & Flags.NestedTask) != 0)
        {
            ReturnFromTask(nextRip);
        }
        else
        {
            ReturnProtected(size);
        }
    }

    private static uint ReturnMask(int size) => size == 2 ? ReturnFlags16 : ReturnFlags32;

    private void ReturnReal(int size, uint mask)
    {
        CpuState* s = _s;
        ulong rip = PeekStack(0, size);
        ushort selector = (ushort)PeekStack(size, size);
        uint flags = (uint)PeekStack(size * 2, size);
        CheckRealTarget(rip);
        Stack.Move(s, size * 3);
        SetRealSegment(SegmentIndex.Cs, selector);
        s->Rip = rip;
        Flags.Set(s, flags, mask);
        UpdateMode();
    }

    private void ReturnInVirtual8086(int size)
    {
        CpuState* s = _s;
        if ((s->FlagsRest & Flags.IoplMask) == Flags.IoplMask)
        {
            ReturnReal(size, ReturnMask(size) | Flags.Interrupt);
            return;
        }

        uint flags = (uint)PeekStack(size * 2, size);
        bool pending = (flags & Flags.Interrupt) != 0 && (s->FlagsRest & Flags.VirtualInterruptPending) != 0;
        if (size != 2 || (s->Cr4 & ControlBits.Cr4Vme) == 0 || pending || (flags & Flags.Trap) != 0)
        {
            Fault.GeneralProtection(s);
        }

        // VME: IF of the image goes to VIF (SDM Vol. 3B §20.3).
        ReturnReal(size, ReturnFlags16);
        Flags.Set(s, (flags & Flags.Interrupt) != 0 ? Flags.VirtualInterrupt : 0, Flags.VirtualInterrupt);
    }

    private void ReturnProtected(int size)
    {
        CpuState* s = _s;
        ulong rip = PeekStack(0, size);
        ushort selector = (ushort)PeekStack(size, size);
        uint flags = (uint)PeekStack(size * 2, size);
        int cpl = (int)s->Cpl;
        if (size != 2 && (flags & Flags.Virtual8086) != 0 && cpl == 0 && !LongActive)
        {
            ReturnToVirtual8086(rip, selector, flags);
            return;
        }

        Descriptor code = CheckReturnCode(selector, rip);
        int rpl = selector & 3;
        uint mask = ReturnMask(size);
        mask |= cpl <= (int)((s->FlagsRest & Flags.IoplMask) >> Flags.IoplShift) ? Flags.Interrupt : 0;
        if (cpl == 0)
        {
            mask |= Flags.IoplMask;
            mask |= size != 2 ? Flags.VirtualInterrupt | Flags.VirtualInterruptPending : 0;
        }

        if (rpl == cpl && s->CodeSize != 64)
        {
            MarkAccessed(ref code);
            Stack.Move(s, size * 3);
            SetCode(selector, in code, rpl);
        }
        else
        {
            ulong pointer = PeekStack(size * 3, size);
            ushort stackSelector = (ushort)PeekStack(size * 4, size);
            Descriptor stack = CheckReturnStack(stackSelector, in code, rpl);
            MarkAccessed(ref code);
            SetCode(selector, in code, rpl);
            UpdateMode();
            SetReturnStack(stackSelector, in stack, pointer, size, 0);
            if (rpl > cpl)
            {
                DropInaccessibleSegments(rpl);
            }
        }

        s->Rip = rip;
        Flags.Set(s, flags, mask);
        UpdateMode();
    }

    private void ReturnToVirtual8086(ulong rip, ushort selector, uint flags)
    {
        CpuState* s = _s;
        ulong pointer = PeekStack(12, 4);
        ushort ss = (ushort)PeekStack(16, 4);
        ushort es = (ushort)PeekStack(20, 4);
        ushort ds = (ushort)PeekStack(24, 4);
        ushort fs = (ushort)PeekStack(28, 4);
        ushort gs = (ushort)PeekStack(32, 4);
        if (rip > 0xFFFF)
        {
            Fault.GeneralProtection(s);
        }

        Flags.Set(s, flags, uint.MaxValue);
        s->Cpl = 3;
        s->Virtual8086 = 1;
        SetRealSegment(SegmentIndex.Cs, selector);
        SetRealSegment(SegmentIndex.Ss, ss);
        SetRealSegment(SegmentIndex.Es, es);
        SetRealSegment(SegmentIndex.Ds, ds);
        SetRealSegment(SegmentIndex.Fs, fs);
        SetRealSegment(SegmentIndex.Gs, gs);
        s->Gpr[4] = (uint)pointer;
        s->Rip = rip;
        UpdateMode();
    }
}
