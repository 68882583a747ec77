using System;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Instructions;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu;

/// <summary>How a task switch came about (SDM Vol. 3A §7.3).</summary>
internal enum TaskSwitchKind
{
    Jump,
    Call,
    Interrupt,
    Return,
}

/// <summary>Hardware task switches (SDM Vol. 3A chapter 7).</summary>
public sealed unsafe partial class Vcpu
{
    private const ulong Dr6TaskSwitch = 1 << 15;

    /// <summary>L0 to L3 and LE: cleared by a task switch (SDM Vol. 3B §18.2.4).</summary>
    private const ulong Dr7LocalEnables = 0x155;

    /// <summary>
    /// Switches to the task of a TSS selector. What is wrong with the tasks themselves is raised in the old one; what is wrong
    /// with the new task's segments is raised in the new one, before its first instruction.
    /// </summary>
    internal void SwitchTask(ushort selector, TaskSwitchKind kind, uint ext, bool hasError, uint error, ulong returnRip, uint flags)
    {
        CpuState* s = _s;
        Descriptor target = CheckTask(selector, kind, ext);
        bool wide = (target.Type & 8) != 0;
        Span<byte> image = stackalloc byte[wide ? TaskState.Size32 : TaskState.Size16];
        bool nests = kind is TaskSwitchKind.Call or TaskSwitchKind.Interrupt;
        bool wasWide = (s->Tr.Attributes & 8) != 0;
        ulong oldBase = s->Tr.Base;
        ulong oldDescriptor = (uint)(s->GdtBase + (s->Tr.Selector & 0xFFF8u));
        CheckTaskPages(oldBase, wasWide, oldDescriptor, target, wide, nests);
        Mmu.ReadBytes((uint)target.Base, image, system: true);
        TaskState next = new(image, wide);
        bool paging = (s->Cr0 & ControlBits.Cr0Paging) != 0;
        if (wide && paging && UsesPaePdptes(s->Cr4, s->Efer))
        {
            LoadPdptes(next.Cr3Value);
        }

        // From here on nothing in the old task can fault.
        SaveTask(oldBase, wasWide, kind == TaskSwitchKind.Return ? flags & ~Flags.NestedTask : flags, returnRip);
        if (!nests)
        {
            Mem.WriteSystem(s, oldDescriptor + 5, (byte)(Mem.ReadSystem<byte>(s, oldDescriptor + 5) & ~2));
        }
        else
        {
            Mem.WriteSystem(s, (uint)target.Base, s->Tr.Selector);
        }

        if (kind != TaskSwitchKind.Return)
        {
            Mem.WriteSystem(s, (uint)(target.Address + 5), (byte)(((target.Low | BusyBit) >> 40) & 0xFF));
        }

        target = target with { Low = target.Low | BusyBit };
        Op* op = s->CurrentOp;
        if (op != null)
        {
            // The instruction is done as far as its own task goes: a fault now belongs to the new task's EIP.
            s->Budget += op->Remaining;
            s->CurrentOp = null;
        }

        SetFromDescriptor(SegmentIndex.Tr, selector, in target);
        LoadTask(in next, wide, paging, nests, ext);
        if (hasError)
        {
            if (wide)
            {
                Stack.Push(s, error);
            }
            else
            {
                Stack.Push(s, (ushort)error);
            }
        }

        if (s->Rip > s->Cs.Limit)
        {
            Fault.GeneralProtection(s, ext);
        }

        if (wide && (image[TaskState.DebugTrap] & 1) != 0)
        {
            LatchDebugTrap(Dr6TaskSwitch);
        }

        if (op != null)
        {
            s->Budget -= op->Remaining;
            s->CurrentOp = op;

            // RF of the new task covers its first instruction, which comes when this one has retired.
            _resumeAt = Flow.RetiredBefore(s, op) + 1;
        }
    }

    private void EnterTask(ushort selector, uint ext, bool hasError, uint error, ulong returnRip, uint flags) =>
        SwitchTask(selector, TaskSwitchKind.Interrupt, ext, hasError, error, returnRip, flags);

    /// <summary>IRET with NT set: back to the task that the current TSS links to.</summary>
    private void ReturnFromTask(ulong returnRip)
    {
        ushort link = Mem.ReadSystem<ushort>(_s, SystemAddress(_s->Tr.Base));
        SwitchTask(link, TaskSwitchKind.Return, 0, false, 0, returnRip, CurrentFlags() & ~Flags.Resume);
    }

    /// <summary>The TSS descriptor of a task that is to be entered.</summary>
    private Descriptor CheckTask(ushort selector, TaskSwitchKind kind, uint ext)
    {
        CpuState* s = _s;
        bool returns = kind == TaskSwitchKind.Return;
        uint error = ErrorOf(selector) | ext;
        Descriptor target = default;
        bool found = (selector & 4) == 0 && !IsNull(selector) && TryReadDescriptor(selector, out target) && target.IsSystem
            && (returns
                ? target.Type is Descriptor.Tss16Busy or Descriptor.Tss32Busy
                : target.Type is Descriptor.Tss16Available or Descriptor.Tss32Available);
        if (!found)
        {
            if (returns)
            {
                Fault.InvalidTss(s, error);
            }

            Fault.GeneralProtection(s, error);
        }

        if (!target.IsPresent)
        {
            Fault.NotPresent(s, error);
        }

        if (target.Limit < ((target.Type & 8) != 0 ? TaskState.Size32 : TaskState.Size16) - 1)
        {
            Fault.InvalidTss(s, error);
        }

        return target;
    }

    /// <summary>Raises the page faults of everything that the switch will touch, before it touches any.</summary>
    private void CheckTaskPages(ulong oldBase, bool wasWide, ulong oldDescriptor, in Descriptor target, bool wide, bool nests)
    {
        CheckSystemRange((uint)(oldBase + (uint)TaskState.DynamicStart(wasWide)), TaskState.DynamicEnd(wasWide) - TaskState.DynamicStart(wasWide), Mmu.Access.Write);
        CheckSystemRange((uint)target.Base, wide ? TaskState.Size32 : TaskState.Size16, Mmu.Access.Read);
        CheckSystemRange((uint)target.Base, 2, nests ? Mmu.Access.Write : Mmu.Access.Read);
        CheckSystemRange(oldDescriptor, 8, Mmu.Access.Write);
        CheckSystemRange((uint)target.Address, 8, Mmu.Access.Write);
    }

    private void CheckSystemRange(ulong linear, int size, Mmu.Access access)
    {
        Mmu.TranslateOrThrow(linear, access, system: true);
        if ((linear & 0xFFF) + (ulong)size > 4096)
        {
            Mmu.TranslateOrThrow((uint)(linear + (ulong)size - 1), access, system: true);
        }
    }

    private void SaveTask(ulong address, bool wide, uint flags, ulong rip)
    {
        CpuState* s = _s;
        Span<byte> image = stackalloc byte[TaskState.Size32];
        image.Clear();
        int start = TaskState.DynamicStart(wide);
        int end = TaskState.DynamicEnd(wide);
        TaskState old = new(image, wide);
        old.Eip = (uint)rip;
        old.Eflags = flags;
        for (int i = 0; i < 8; i++)
        {
            old.SetRegister(i, (uint)s->Gpr[i]);
        }

        for (int i = 0; i < 6; i++)
        {
            old.SetSegment(i, CpuState.Segment(s, i)->Selector);
        }

        Mmu.WriteBytes((uint)(address + (uint)start), image[start..end], system: true);
    }

    private void LoadTask(in TaskState next, bool wide, bool paging, bool nests, uint ext)
    {
        CpuState* s = _s;
        s->Cr0 |= ControlBits.Cr0TaskSwitched;
        s->Dr[7] &= ~Dr7LocalEnables;
        if (wide && paging)
        {
            s->Cr3 = next.Cr3Value;
            Mmu.SwitchPcid(0, flush: true);
        }

        Flags.Set(s, next.Eflags | (nests ? Flags.NestedTask : 0), uint.MaxValue);
        s->Rip = next.Eip;
        _resumeAt = InstructionsRetired;
        for (int i = 0; i < 8; i++)
        {
            s->Gpr[i] = next.GetRegister(i);
        }

        // Selectors first, so that a fault below finds the new task's whatever the order.
        for (int i = 0; i < 6; i++)
        {
            SetNullSegment(i, next.GetSegment(i));
        }

        ushort code = next.GetSegment(SegmentIndex.Cs);
        s->Cpl = (uint)code & 3;
        s->Ldtr.Attributes = SegmentRegister.Unusable;
        s->Ldtr.Selector = next.Ldt;
        UpdateBreakpoints();
        LoadTaskLdt(next.Ldt, ext);
        if ((s->FlagsRest & Flags.Virtual8086) != 0)
        {
            s->Cpl = 3;
            s->Virtual8086 = 1;
            for (int i = 0; i < 6; i++)
            {
                SetRealSegment(i, next.GetSegment(i));
            }

            UpdateMode();
            return;
        }

        LoadTaskCode(code, ext);
        UpdateMode();
        LoadTaskStack(next.GetSegment(SegmentIndex.Ss), ext);
        UpdateMode();
        LoadTaskData(SegmentIndex.Es, next.GetSegment(SegmentIndex.Es), ext);
        LoadTaskData(SegmentIndex.Ds, next.GetSegment(SegmentIndex.Ds), ext);
        LoadTaskData(SegmentIndex.Fs, next.GetSegment(SegmentIndex.Fs), ext);
        LoadTaskData(SegmentIndex.Gs, next.GetSegment(SegmentIndex.Gs), ext);
    }

    private void LoadTaskLdt(ushort selector, uint ext)
    {
        CpuState* s = _s;
        if (IsNull(selector))
        {
            return;
        }

        Descriptor descriptor = default;
        bool valid = (selector & 4) == 0 && TryReadDescriptor(selector, out descriptor)
            && descriptor.IsSystem && descriptor.Type == Descriptor.Ldt && descriptor.IsPresent;
        if (!valid)
        {
            Fault.InvalidTss(s, ErrorOf(selector) | ext);
        }

        SetFromDescriptor(SegmentIndex.Ldtr, selector, in descriptor);
    }

    private void LoadTaskCode(ushort selector, uint ext)
    {
        CpuState* s = _s;
        uint error = ErrorOf(selector) | ext;
        int rpl = selector & 3;
        Descriptor code = default;
        if (IsNull(selector) || !TryReadDescriptor(selector, out code) || !code.IsCode || (code.IsConforming ? code.Dpl > rpl : code.Dpl != rpl))
        {
            Fault.InvalidTss(s, error);
        }

        if (!code.IsPresent)
        {
            Fault.NotPresent(s, error);
        }

        MarkAccessed(ref code);
        SetCode(selector, in code, rpl);
    }

    private void LoadTaskStack(ushort selector, uint ext)
    {
        CpuState* s = _s;
        uint error = ErrorOf(selector) | ext;
        int cpl = (int)s->Cpl;
        Descriptor stack = default;
        if (IsNull(selector) || !TryReadDescriptor(selector, out stack) || !stack.IsWritableData || stack.Dpl != cpl || (selector & 3) != cpl)
        {
            Fault.InvalidTss(s, error);
        }

        if (!stack.IsPresent)
        {
            Fault.StackFault(s, error);
        }

        MarkAccessed(ref stack);
        SetFromDescriptor(SegmentIndex.Ss, selector, in stack);
    }

    private void LoadTaskData(int index, ushort selector, uint ext)
    {
        CpuState* s = _s;
        if (IsNull(selector))
        {
            return;
        }

        uint error = ErrorOf(selector) | ext;
        Descriptor data = default;
        bool valid = TryReadDescriptor(selector, out data) && data.IsReadable
            && ((data.IsCode && data.IsConforming) || (data.Dpl >= (selector & 3) && data.Dpl >= (int)s->Cpl));
        if (!valid)
        {
            Fault.InvalidTss(s, error);
        }

        if (!data.IsPresent)
        {
            Fault.NotPresent(s, error);
        }

        MarkAccessed(ref data);
        SetFromDescriptor(index, selector, in data);
    }
}
