using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu;

/// <summary>What an event is, as far as its delivery differs.</summary>
internal enum EventKind
{
    /// <summary>INTR, NMI.</summary>
    External,

    /// <summary>A fault: RF is set in the pushed image.</summary>
    Fault,

    /// <summary>An instruction breakpoint: a fault, but RF in the pushed image is as it was.</summary>
    Breakpoint,

    /// <summary>A trap: RIP is behind the instruction.</summary>
    Trap,

    /// <summary>INT n, INT3, INTO: the gate's DPL is checked.</summary>
    Software,

    /// <summary>INT1: no DPL check.</summary>
    PrivilegedSoftware,
}

/// <summary>Delivery of interrupts and exceptions through the IVT and IDT in every mode (SDM Vol. 3A chapter 6, Vol. 2 INT n).</summary>
public sealed unsafe partial class Vcpu
{
    private const uint ErrorExternal = 1;
    private const uint ErrorIdt = 2;

    /// <summary>Delivers an event, combining the faults that this raises (SDM Vol. 3A §6.15, table 6-5).</summary>
    private void Deliver(int vector, EventKind kind, bool hasError, uint error)
    {
        while (true)
        {
            try
            {
                EnterHandler(vector, kind, hasError, error, _s->Rip);
                return;
            }
            catch (GuestFault)
            {
                _ = TakeDebugTrap();
                int second = _faultVector;
                bool serious = IsContributory(second) || second == Vector.PageFault;
                if (vector == Vector.DoubleFault && kind == EventKind.Fault && serious)
                {
                    _s->IsShutdown = 1;
                    return;
                }

                bool exception = kind is EventKind.Fault or EventKind.Breakpoint or EventKind.Trap;
                bool doubles = exception
                    && ((IsContributory(vector) && IsContributory(second)) || (vector == Vector.PageFault && serious));
                vector = doubles ? Vector.DoubleFault : second;
                hasError = doubles || _faultHasError;
                error = doubles ? 0 : _faultError;
                kind = EventKind.Fault;
            }
        }
    }

    private static bool IsContributory(int vector) => vector is Vector.DivideError or (>= Vector.InvalidTss and <= Vector.GeneralProtection);

    /// <summary>
    /// Enters the handler of a vector, or raises the fault that prevents it with nothing changed.
    /// <paramref name="returnRip"/> is what the handler's return goes to.
    /// </summary>
    internal void EnterHandler(int vector, EventKind kind, bool hasError, uint error, ulong returnRip)
    {
        CpuState* s = _s;
        uint flags = CurrentFlags();

        // SDM Vol. 3B §17.3.1.1. A software interrupt has cleared RF when it begins; between instructions it is as IRET left it.
        if (kind == EventKind.Fault || (kind is EventKind.External or EventKind.Trap && IsRepeating))
        {
            flags |= Flags.Resume;
        }
        else if (kind is EventKind.Software or EventKind.PrivilegedSoftware)
        {
            flags &= ~Flags.Resume;
        }

        if ((s->Cr0 & ControlBits.Cr0Protection) == 0)
        {
            EnterReal(vector, flags, returnRip);
        }
        else
        {
            uint ext = kind is EventKind.Software ? 0 : ErrorExternal;
            Descriptor gate = ReadGate(vector, kind, ext);
            if (gate.Type == Descriptor.TaskGate)
            {
                EnterTask(gate.GateSelector, ext, hasError, error, returnRip, flags);
            }
            else if (LongActive)
            {
                EnterLong(in gate, flags, ext, hasError, error, returnRip);
            }
            else
            {
                EnterProtected(in gate, flags, ext, hasError, error, returnRip);
            }
        }

        _stepTrapSuppressed = true;
    }

    /// <summary>Real mode, and virtual-8086 interrupts that VME redirects: vector table of far pointers at <paramref name="table"/>.</summary>
    internal void EnterVectorTable(ulong table, int vector, uint flagsImage, uint clear, ulong returnRip)
    {
        CpuState* s = _s;
        uint pointer = Mem.ReadSystem<uint>(s, (uint)(table + ((ulong)vector * 4)));
        InnerStack stack = InnerStack.Current(s, 0);
        stack.Push(flagsImage, 2);
        stack.Push(s->Cs.Selector, 2);
        stack.Push(returnRip, 2);
        CommitStackPointer(stack);
        SetRealSegment(SegmentIndex.Cs, (ushort)(pointer >> 16));
        s->Rip = (ushort)pointer;
        s->FlagsRest &= ~clear;
        UpdateMode();
    }

    private void EnterReal(int vector, uint flags, ulong returnRip)
    {
        CpuState* s = _s;
        if (((uint)vector * 4) + 3 > s->IdtLimit)
        {
            Fault.GeneralProtection(s);
        }

        EnterVectorTable(s->IdtBase, vector, flags, Flags.Interrupt | Flags.Trap | Flags.AlignmentCheck | Flags.Resume, returnRip);
    }

    private Descriptor ReadGate(int vector, EventKind kind, uint ext)
    {
        CpuState* s = _s;
        uint code = ((uint)vector << 3) | ErrorIdt | ext;
        uint size = LongActive ? 16u : 8u;
        uint offset = (uint)vector * size;
        if (offset + size - 1 > s->IdtLimit)
        {
            Fault.GeneralProtection(s, code);
        }

        ulong address = SystemAddress(s->IdtBase + offset);
        Descriptor gate = new(Mem.ReadSystem<ulong>(s, address), 0, address);
        bool valid = gate.IsSystem && (LongActive
            ? gate.Type is Descriptor.InterruptGate32 or Descriptor.TrapGate32
            : gate.Type is Descriptor.TaskGate or Descriptor.InterruptGate16 or Descriptor.TrapGate16 or Descriptor.InterruptGate32 or Descriptor.TrapGate32);
        if (!valid || (kind == EventKind.Software && gate.Dpl < (int)s->Cpl))
        {
            Fault.GeneralProtection(s, code);
        }

        if (!gate.IsPresent)
        {
            Fault.NotPresent(s, code);
        }

        return LongActive ? gate with { High = Mem.ReadSystem<ulong>(s, address + 8) & 0xFFFF_FFFF } : gate;
    }

    /// <summary>The code segment that an interrupt or trap gate names.</summary>
    private Descriptor ReadHandlerCode(in Descriptor gate, uint ext)
    {
        CpuState* s = _s;
        ushort selector = gate.GateSelector;
        if (IsNull(selector))
        {
            Fault.GeneralProtection(s, ext);
        }

        uint code = ErrorOf(selector) | ext;
        if (!TryReadDescriptor(selector, out Descriptor target) || !target.IsCode || target.Dpl > (int)s->Cpl
            || (LongActive && (!target.IsLong || target.IsBig)))
        {
            Fault.GeneralProtection(s, code);
        }

        if (!target.IsPresent)
        {
            Fault.NotPresent(s, code);
        }

        if (s->Virtual8086 != 0 && (target.IsConforming || target.Dpl != 0))
        {
            Fault.GeneralProtection(s, code);
        }

        return target;
    }

    private void EnterProtected(in Descriptor gate, uint flags, uint ext, bool hasError, uint error, ulong returnRip)
    {
        CpuState* s = _s;
        Descriptor target = ReadHandlerCode(in gate, ext);
        int size = (gate.Type & 8) != 0 ? 4 : 2;
        int cpl = target.IsConforming ? (int)s->Cpl : target.Dpl;
        bool inner = cpl < (int)s->Cpl;
        bool fromVirtual = s->Virtual8086 != 0;
        InnerStack stack;
        Descriptor stackDescriptor = default;
        ushort stackSelector = 0;
        if (inner)
        {
            ReadInnerStack(cpl, ext, out stackSelector, out ulong pointer);
            stackDescriptor = CheckInnerStack(stackSelector, cpl, ext);
            stack = InnerStack.Of(s, in stackDescriptor, pointer, system: true, ErrorOf(stackSelector) | ext);
            if (fromVirtual)
            {
                stack.Push(s->Gs.Selector, size);
                stack.Push(s->Fs.Selector, size);
                stack.Push(s->Ds.Selector, size);
                stack.Push(s->Es.Selector, size);
            }

            stack.Push(s->Ss.Selector, size);
            stack.Push(s->Gpr[4], size);
        }
        else
        {
            stack = InnerStack.Current(s, ext);
        }

        stack.Push(flags, size);
        stack.Push(s->Cs.Selector, size);
        stack.Push(returnRip, size);
        if (hasError)
        {
            stack.Push(error, size);
        }

        ulong offset = gate.GateOffset;
        if (offset > target.Limit)
        {
            Fault.GeneralProtection(s, ext);
        }

        MarkAccessed(ref target);
        if (inner)
        {
            MarkAccessed(ref stackDescriptor);
        }

        // Nothing can fault from here on.
        ClearForHandler(in gate);
        if (fromVirtual)
        {
            s->Virtual8086 = 0;
            SetNullSegment(SegmentIndex.Gs, 0);
            SetNullSegment(SegmentIndex.Fs, 0);
            SetNullSegment(SegmentIndex.Ds, 0);
            SetNullSegment(SegmentIndex.Es, 0);
        }

        SetCode(gate.GateSelector, in target, cpl);
        if (inner)
        {
            SetFromDescriptor(SegmentIndex.Ss, (ushort)((stackSelector & ~3) | cpl), in stackDescriptor);
        }

        CommitStackPointer(stack);
        s->Rip = offset;
        UpdateMode();
    }

    private void EnterLong(in Descriptor gate, uint flags, uint ext, bool hasError, uint error, ulong returnRip)
    {
        CpuState* s = _s;
        Descriptor target = ReadHandlerCode(in gate, ext);
        int cpl = target.IsConforming ? (int)s->Cpl : target.Dpl;
        bool inner = cpl < (int)s->Cpl;
        ulong pointer = s->Gpr[4];
        if (gate.GateStackTable != 0)
        {
            pointer = ReadLongStack(28 + (gate.GateStackTable * 8), ext);
        }
        else if (inner)
        {
            pointer = ReadLongStack(4 + (cpl * 8), ext);
        }
        else if (s->CodeSize != 64)
        {
            pointer &= s->StackMask;
        }

        InnerStack stack = InnerStack.Flat(s, pointer & ~15UL, system: cpl != 3 && s->Cpl == 3);
        stack.Push(s->Ss.Selector, 8);
        stack.Push(s->Gpr[4], 8);
        stack.Push(flags, 8);
        stack.Push(s->Cs.Selector, 8);
        stack.Push(returnRip, 8);
        if (hasError)
        {
            stack.Push(error, 8);
        }

        ulong offset = gate.GateOffset;
        if (!IsCanonical(offset))
        {
            Fault.GeneralProtection(s, ext);
        }

        MarkAccessed(ref target);
        ClearForHandler(in gate);
        SetCode(gate.GateSelector, in target, cpl);
        if (inner)
        {
            SetNullSegment(SegmentIndex.Ss, (ushort)cpl);
        }

        s->Gpr[4] = stack.Pointer;
        s->Rip = offset;
        UpdateMode();
    }

    private void ClearForHandler(in Descriptor gate)
    {
        _s->FlagsRest &= ~(Flags.Trap | Flags.NestedTask | Flags.Resume | Flags.Virtual8086);
        if ((gate.Type & 1) == 0)
        {
            _s->FlagsRest &= ~Flags.Interrupt;
        }
    }

    /// <summary>SS:SP or SS:ESP for a privilege level from a 16- or 32-bit TSS (SDM Vol. 3A §7.2.1, §7.6).</summary>
    internal void ReadInnerStack(int cpl, uint ext, out ushort selector, out ulong pointer)
    {
        CpuState* s = _s;
        bool wide = (s->Tr.Attributes & 8) != 0;
        uint at = wide ? ((uint)cpl * 8) + 4 : ((uint)cpl * 4) + 2;
        if (at + (wide ? 5u : 3u) > s->Tr.Limit)
        {
            Fault.InvalidTss(s, ErrorOf(s->Tr.Selector) | ext);
        }

        ulong address = s->Tr.Base + at;
        pointer = wide ? Mem.ReadSystem<uint>(s, (uint)address) : Mem.ReadSystem<ushort>(s, (uint)address);
        selector = Mem.ReadSystem<ushort>(s, (uint)(address + (wide ? 4u : 2u)));
    }

    /// <summary>A stack pointer from a 64-bit TSS (SDM Vol. 3A §7.7).</summary>
    internal ulong ReadLongStack(int at, uint ext)
    {
        CpuState* s = _s;
        if ((uint)at + 7 > s->Tr.Limit)
        {
            Fault.InvalidTss(s, ErrorOf(s->Tr.Selector) | ext);
        }

        ulong pointer = Mem.ReadSystem<ulong>(s, s->Tr.Base + (uint)at);
        if (!IsCanonical(pointer))
        {
            Fault.StackFault(s, ext);
        }

        return pointer;
    }

    /// <summary>Checks a stack segment that the TSS names for an inner privilege level.</summary>
    internal Descriptor CheckInnerStack(ushort selector, int cpl, uint ext)
    {
        CpuState* s = _s;
        if (IsNull(selector))
        {
            Fault.InvalidTss(s, ext);
        }

        if (!TryReadDescriptor(selector, out Descriptor descriptor) || (selector & 3) != cpl || descriptor.Dpl != cpl || !descriptor.IsWritableData)
        {
            Fault.InvalidTss(s, ErrorOf(selector) | ext);
        }

        if (!descriptor.IsPresent)
        {
            Fault.StackFault(s, ErrorOf(selector) | ext);
        }

        return descriptor;
    }

    /// <summary>Makes the pointer of a stack that was pushed to RSP; call after SS is loaded.</summary>
    internal void CommitStackPointer(in InnerStack stack)
    {
        CpuState* s = _s;
        s->Gpr[4] = stack.Is16 ? (s->Gpr[4] & ~0xFFFFUL) | (stack.Pointer & 0xFFFF) : stack.Pointer;
    }
}
