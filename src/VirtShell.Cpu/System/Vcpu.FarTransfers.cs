using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Instructions;

namespace VirtShell.Cpu;

/// <summary>Far JMP, CALL and RET (SDM Vol. 3A §5.8, Vol. 2). Each sets RIP; the handlers then leave dispatch.</summary>
public sealed unsafe partial class Vcpu
{
    /// <summary>JMP far.</summary>
    internal void FarJump(ushort selector, ulong offset, ulong nextRip)
    {
        CpuState* s = _s;
        if (!UsesDescriptors)
        {
            CheckRealTarget(offset);
            SetRealSegment(SegmentIndex.Cs, selector);
            s->Rip = offset;
            UpdateMode();
            return;
        }

        Descriptor target = ReadFarTarget(selector);
        if (!target.IsSystem)
        {
            CheckDirectCode(selector, in target);
            EnterCode(selector, ref target, offset, (int)s->Cpl);
            return;
        }

        if (target.Type is Descriptor.CallGate16 or Descriptor.CallGate32)
        {
            Descriptor gate = CheckCallGate(selector, target);
            Descriptor code = ReadGateCode(in gate);
            if (!code.IsConforming && code.Dpl != (int)s->Cpl)
            {
                Fault.GeneralProtection(s, ErrorOf(gate.GateSelector));
            }

            CheckCodePresent(gate.GateSelector, in code);
            EnterCode(gate.GateSelector, ref code, gate.GateOffset, (int)s->Cpl);
            return;
        }

        SwitchByDescriptor(selector, in target, TaskSwitchKind.Jump, nextRip);
    }

    /// <summary>CALL far with an operand size of 2, 4 or 8 bytes.</summary>
    internal void FarCall(ushort selector, ulong offset, int size, ulong nextRip)
    {
        CpuState* s = _s;
        if (!UsesDescriptors)
        {
            CheckRealTarget(offset);
            InnerStack real = InnerStack.Current(s, 0);
            real.Push(s->Cs.Selector, size);
            real.Push(nextRip, size);
            CommitStackPointer(real);
            SetRealSegment(SegmentIndex.Cs, selector);
            s->Rip = offset;
            UpdateMode();
            return;
        }

        Descriptor target = ReadFarTarget(selector);
        if (!target.IsSystem)
        {
            CheckDirectCode(selector, in target);
            CallSamePrivilege(selector, target, offset, size, nextRip);
            return;
        }

        if (target.Type is Descriptor.CallGate16 or Descriptor.CallGate32)
        {
            CallThroughGate(CheckCallGate(selector, target), nextRip);
            return;
        }

        SwitchByDescriptor(selector, in target, TaskSwitchKind.Call, nextRip);
    }

    /// <summary>RET far with an operand size of 2, 4 or 8 bytes, releasing <paramref name="release"/> bytes of parameters.</summary>
    internal void FarReturn(int size, int release)
    {
        CpuState* s = _s;
        ulong rip = PeekStack(0, size);
        ushort selector = (ushort)PeekStack(size, size);
        if (!UsesDescriptors)
        {
            CheckRealTarget(rip);
            Stack.Move(s, (size * 2) + release);
            SetRealSegment(SegmentIndex.Cs, selector);
            s->Rip = rip;
            UpdateMode();
            return;
        }

        Descriptor code = CheckReturnCode(selector, rip);
        int rpl = selector & 3;
        if (rpl == (int)s->Cpl)
        {
            MarkAccessed(ref code);
            Stack.Move(s, (size * 2) + release);
            SetCode(selector, in code, rpl);
            s->Rip = rip;
            UpdateMode();
            return;
        }

        int at = (size * 2) + release;
        ulong pointer = PeekStack(at, size);
        ushort stackSelector = (ushort)PeekStack(at + size, size);
        Descriptor stack = CheckReturnStack(stackSelector, in code, rpl);
        MarkAccessed(ref code);
        SetCode(selector, in code, rpl);
        s->Rip = rip;
        UpdateMode();
        SetReturnStack(stackSelector, in stack, pointer, size, release);
        DropInaccessibleSegments(rpl);
    }

    /// <summary>A value at an offset above the stack pointer.</summary>
    private ulong PeekStack(int offset, int size) => size switch
    {
        2 => Stack.Peek<ushort>(_s, offset),
        4 => Stack.Peek<uint>(_s, offset),
        _ => Stack.Peek<ulong>(_s, offset),
    };

    private void CheckRealTarget(ulong offset)
    {
        if (offset > (_s->Virtual8086 != 0 ? 0xFFFF : _s->Cs.Limit))
        {
            Fault.GeneralProtection(_s);
        }
    }

    private Descriptor ReadFarTarget(ushort selector)
    {
        if (IsNull(selector))
        {
            Fault.GeneralProtection(_s);
        }

        if (!TryReadDescriptor(selector, out Descriptor target))
        {
            Fault.GeneralProtection(_s, ErrorOf(selector));
        }

        return target;
    }

    /// <summary>A code segment as the direct target of JMP or CALL.</summary>
    private void CheckDirectCode(ushort selector, in Descriptor target)
    {
        CpuState* s = _s;
        bool privileged = target.IsConforming ? target.Dpl <= (int)s->Cpl : target.Dpl == (int)s->Cpl && (selector & 3) <= (int)s->Cpl;
        if (!target.IsCode || !privileged || (LongActive && target.IsLong && target.IsBig))
        {
            Fault.GeneralProtection(s, ErrorOf(selector));
        }

        CheckCodePresent(selector, in target);
    }

    private void CheckCodePresent(ushort selector, in Descriptor code)
    {
        if (!code.IsPresent)
        {
            Fault.NotPresent(_s, ErrorOf(selector));
        }
    }

    private void CheckOffset(in Descriptor code, ulong offset)
    {
        bool wrong = LongActive && code.IsLong ? !IsCanonical(offset) : offset > code.Limit;
        if (wrong)
        {
            Fault.GeneralProtection(_s);
        }
    }

    private void EnterCode(ushort selector, ref Descriptor code, ulong offset, int cpl)
    {
        CheckOffset(in code, offset);
        MarkAccessed(ref code);
        SetCode(selector, in code, cpl);
        _s->Rip = offset;
        UpdateMode();
    }

    private void CallSamePrivilege(ushort selector, Descriptor code, ulong offset, int size, ulong nextRip)
    {
        CpuState* s = _s;
        CheckOffset(in code, offset);
        InnerStack stack = s->CodeSize == 64 ? InnerStack.Flat(s, s->Gpr[4], system: false) : InnerStack.Current(s, 0);
        stack.Push(s->Cs.Selector, size);
        stack.Push(nextRip, size);
        MarkAccessed(ref code);
        CommitStackPointer(stack);
        SetCode(selector, in code, (int)s->Cpl);
        s->Rip = offset;
        UpdateMode();
    }

    /// <summary>Privilege, presence and form of a call gate.</summary>
    private Descriptor CheckCallGate(ushort selector, Descriptor gate)
    {
        CpuState* s = _s;
        uint error = ErrorOf(selector);
        if (gate.Dpl < (int)s->Cpl || gate.Dpl < (selector & 3) || (LongActive && gate.Type != Descriptor.CallGate32))
        {
            Fault.GeneralProtection(s, error);
        }

        if (LongActive)
        {
            // The upper half's type field must be 0 (SDM Vol. 3A §5.8.3.1).
            if (!TryWiden(selector, ref gate) || ((gate.High >> 40) & 0x1F) != 0)
            {
                Fault.GeneralProtection(s, error);
            }

            gate = gate with { High = gate.High & 0xFFFF_FFFF };
        }

        if (!gate.IsPresent)
        {
            Fault.NotPresent(s, error);
        }

        return gate;
    }

    private Descriptor ReadGateCode(in Descriptor gate)
    {
        CpuState* s = _s;
        ushort selector = gate.GateSelector;
        Descriptor code = ReadFarTarget(selector);
        if (!code.IsCode || code.Dpl > (int)s->Cpl || (LongActive && (!code.IsLong || code.IsBig)))
        {
            Fault.GeneralProtection(s, ErrorOf(selector));
        }

        return code;
    }

    private void CallThroughGate(Descriptor gate, ulong nextRip)
    {
        CpuState* s = _s;
        Descriptor code = ReadGateCode(in gate);
        CheckCodePresent(gate.GateSelector, in code);
        int size = LongActive ? 8 : (gate.Type & 8) != 0 ? 4 : 2;
        if (code.IsConforming || code.Dpl == (int)s->Cpl)
        {
            CallSamePrivilege(gate.GateSelector, code, gate.GateOffset, size, nextRip);
            return;
        }

        int cpl = code.Dpl;
        if (LongActive)
        {
            CheckOffset(in code, gate.GateOffset);
            InnerStack flat = InnerStack.Flat(s, ReadLongStack(4 + (cpl * 8), 0), system: true);
            flat.Push(s->Ss.Selector, 8);
            flat.Push(s->Gpr[4], 8);
            flat.Push(s->Cs.Selector, 8);
            flat.Push(nextRip, 8);
            MarkAccessed(ref code);
            SetCode(gate.GateSelector, in code, cpl);
            SetNullSegment(SegmentIndex.Ss, (ushort)cpl);
            s->Gpr[4] = flat.Pointer;
            s->Rip = gate.GateOffset;
            UpdateMode();
            return;
        }

        ReadInnerStack(cpl, 0, out ushort stackSelector, out ulong pointer);
        Descriptor stackDescriptor = CheckInnerStack(stackSelector, cpl, 0);
        InnerStack stack = InnerStack.Of(s, in stackDescriptor, pointer, system: true, ErrorOf(stackSelector));
        stack.Push(s->Ss.Selector, size);
        stack.Push(s->Gpr[4], size);
        for (int i = gate.GateParameters - 1; i >= 0; i--)
        {
            stack.Push(PeekStack(i * size, size), size);
        }

        stack.Push(s->Cs.Selector, size);
        stack.Push(nextRip, size);
        CheckOffset(in code, gate.GateOffset);
        MarkAccessed(ref code);
        MarkAccessed(ref stackDescriptor);
        SetCode(gate.GateSelector, in code, cpl);
        SetFromDescriptor(SegmentIndex.Ss, (ushort)((stackSelector & ~3) | cpl), in stackDescriptor);
        CommitStackPointer(stack);
        s->Rip = gate.GateOffset;
        UpdateMode();
    }

    private void SwitchByDescriptor(ushort selector, in Descriptor target, TaskSwitchKind kind, ulong nextRip)
    {
        CpuState* s = _s;
        uint error = ErrorOf(selector);
        bool known = target.Type is Descriptor.TaskGate or Descriptor.Tss16Available or Descriptor.Tss32Available;
        if (LongActive || !known || target.Dpl < (int)s->Cpl || target.Dpl < (selector & 3))
        {
            Fault.GeneralProtection(s, error);
        }

        if (!target.IsPresent)
        {
            Fault.NotPresent(s, error);
        }

        SwitchTask(target.Type == Descriptor.TaskGate ? target.GateSelector : selector, kind, 0, false, 0, nextRip, CurrentFlags() & ~Flags.Resume);
    }

    /// <summary>The code segment that RET far or IRET returns to.</summary>
    private Descriptor CheckReturnCode(ushort selector, ulong rip)
    {
        CpuState* s = _s;
        if (IsNull(selector))
        {
            Fault.GeneralProtection(s);
        }

        int rpl = selector & 3;
        if (!TryReadDescriptor(selector, out Descriptor code) || !code.IsCode || rpl < (int)s->Cpl
            || (code.IsConforming ? code.Dpl > rpl : code.Dpl != rpl)
            || (LongActive && code.IsLong && code.IsBig))
        {
            Fault.GeneralProtection(s, ErrorOf(selector));
        }

        CheckCodePresent(selector, in code);
        CheckOffset(in code, rip);
        return code;
    }

    /// <summary>The stack segment that a return to <paramref name="rpl"/> loads; a default descriptor stands for a permitted null selector.</summary>
    private Descriptor CheckReturnStack(ushort selector, in Descriptor code, int rpl)
    {
        CpuState* s = _s;
        if (IsNull(selector))
        {
            if (!LongActive || !code.IsLong || rpl == 3 || (selector & 3) != rpl)
            {
                Fault.GeneralProtection(s);
            }

            return default;
        }

        if (!TryReadDescriptor(selector, out Descriptor stack) || (selector & 3) != rpl || !stack.IsWritableData || stack.Dpl != rpl)
        {
            Fault.GeneralProtection(s, ErrorOf(selector));
        }

        if (!stack.IsPresent)
        {
            Fault.StackFault(s, ErrorOf(selector));
        }

        MarkAccessed(ref stack);
        return stack;
    }

    private void SetReturnStack(ushort selector, in Descriptor stack, ulong pointer, int size, int release)
    {
        CpuState* s = _s;
        if (IsNull(selector))
        {
            SetNullSegment(SegmentIndex.Ss, selector);
        }
        else
        {
            SetFromDescriptor(SegmentIndex.Ss, selector, in stack);
        }

        _ = size;
        Stack.SetPointer(s, pointer + (ulong)release);
    }

    /// <summary>After a return to an outer level: data segments that it may not use become null (SDM Vol. 3A §5.8.6).</summary>
    private void DropInaccessibleSegments(int cpl)
    {
        CpuState* s = _s;
        DropInaccessible(SegmentIndex.Es, s->Es.Attributes, cpl);
        DropInaccessible(SegmentIndex.Ds, s->Ds.Attributes, cpl);
        DropInaccessible(SegmentIndex.Fs, s->Fs.Attributes, cpl);
        DropInaccessible(SegmentIndex.Gs, s->Gs.Attributes, cpl);
    }

    // In IA-32e mode the bases of FS and GS stay: 64-bit code uses them whatever their selectors are.
    private void DropInaccessible(int index, uint attributes, int cpl)
    {
        const uint ConformingCode = SegmentRegister.Executable | SegmentRegister.ExpandDownOrConforming;
        int dpl = (int)(attributes >> SegmentRegister.DplShift) & 3;
        if ((attributes & SegmentRegister.Unusable) == 0 && dpl < cpl && (attributes & ConformingCode) != ConformingCode)
        {
            ulong kept = index >= SegmentIndex.Fs && LongActive ? CpuState.Segment(_s, index)->Base : 0;
            SetNullSegment(index, 0);
            CpuState.Segment(_s, index)->Base = kept;
            UpdateSegmentBases();
        }
    }
}
