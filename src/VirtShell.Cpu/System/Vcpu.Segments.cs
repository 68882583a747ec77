using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu;

/// <summary>Descriptor tables and the loading of segment registers (SDM Vol. 3A chapters 3 and 5).</summary>
public sealed unsafe partial class Vcpu
{
    private const uint RealAttributes = SegmentRegister.Present | SegmentRegister.CodeOrData | SegmentRegister.WritableOrReadable | SegmentRegister.Accessed;
    private const uint Virtual8086Attributes = RealAttributes | (3u << SegmentRegister.DplShift);

    /// <summary>IA-32e mode: 64-bit or compatibility.</summary>
    internal bool LongActive => (_s->Efer & ControlBits.EferLongActive) != 0;

    /// <summary>Protected mode with segment descriptors: CR0.PE set and not in virtual-8086 mode.</summary>
    internal bool UsesDescriptors => (_s->Cr0 & ControlBits.Cr0Protection) != 0 && _s->Virtual8086 == 0;

    internal static bool IsCanonical(ulong address) => (ulong)((long)(address << 16) >> 16) == address;

    internal static bool IsNull(ushort selector) => (selector & ~3) == 0;

    /// <summary>Selector part of an error code: index and TI.</summary>
    internal static uint ErrorOf(ushort selector) => selector & 0xFFFCu;

    /// <summary>Reads an 8-byte descriptor; false where the selector lies beyond its table.</summary>
    internal bool TryReadDescriptor(ushort selector, out Descriptor descriptor)
    {
        CpuState* s = _s;
        ulong tableBase = s->GdtBase;
        ulong limit = s->GdtLimit;
        descriptor = default;
        if ((selector & 4) != 0)
        {
            if (!s->Ldtr.IsUsable)
            {
                return false;
            }

            tableBase = s->Ldtr.Base;
            limit = s->Ldtr.Limit;
        }

        uint offset = selector & 0xFFF8u;
        if (offset + 7 > limit)
        {
            return false;
        }

        ulong address = SystemAddress(tableBase + offset);
        descriptor = new Descriptor(Mem.ReadSystem<ulong>(s, address), 0, address);
        return true;
    }

    /// <summary>Adds the upper half of a 16-byte system descriptor; false where it lies beyond its table.</summary>
    internal bool TryWiden(ushort selector, ref Descriptor descriptor)
    {
        CpuState* s = _s;
        ulong limit = (selector & 4) != 0 ? s->Ldtr.Limit : s->GdtLimit;
        if ((selector & 0xFFF8u) + 15 > limit)
        {
            return false;
        }

        descriptor = descriptor with { High = Mem.ReadSystem<ulong>(s, SystemAddress(descriptor.Address + 8)) };
        return true;
    }

    /// <summary>Sets the accessed bit of a code or data descriptor in its table.</summary>
    internal void MarkAccessed(ref Descriptor descriptor)
    {
        if ((descriptor.Low & (1UL << 40)) == 0)
        {
            descriptor = descriptor with { Low = descriptor.Low | (1UL << 40) };
            Mem.WriteSystem(_s, descriptor.Address + 5, (byte)(descriptor.Low >> 40));
        }
    }

    /// <summary>Tables live in the linear address space: 64 bits in IA-32e mode, 32 otherwise.</summary>
    internal ulong SystemAddress(ulong linear) => LongActive ? linear : (uint)linear;

    /// <summary>Loads DS, ES, FS, GS or SS as MOV, POP and LDS do, with every check and fault of the mode.</summary>
    internal void LoadSegment(int index, ushort selector)
    {
        CpuState* s = _s;
        if (!UsesDescriptors)
        {
            SetRealSegment(index, selector);
            return;
        }

        if (index == SegmentIndex.Ss)
        {
            LoadStackSegment(selector);
        }
        else if (IsNull(selector))
        {
            SetNullSegment(index, selector);
        }
        else
        {
            Descriptor descriptor = CheckDataSegment(selector, (int)s->Cpl);
            MarkAccessed(ref descriptor);
            SetFromDescriptor(index, selector, in descriptor);
        }
    }

    /// <summary>Real and virtual-8086 mode: base from the selector; real mode keeps the cached limit.</summary>
    internal void SetRealSegment(int index, ushort selector)
    {
        CpuState* s = _s;
        SegmentRegister* segment = CpuState.Segment(s, index);
        segment->Selector = selector;
        segment->Base = (ulong)selector << 4;
        if (s->Virtual8086 != 0)
        {
            segment->Limit = 0xFFFF;
            segment->Attributes = Virtual8086Attributes;
        }
        else
        {
            segment->Attributes = RealAttributes | (segment->Attributes & (SegmentRegister.Big | SegmentRegister.Granularity));
        }

        segment->UpdateEnds();
        AfterSegmentLoad(index);
    }

    internal void SetNullSegment(int index, ushort selector)
    {
        SegmentRegister* segment = CpuState.Segment(_s, index);
        segment->Selector = selector;
        segment->Base = 0;
        segment->Attributes = SegmentRegister.Unusable;
        segment->UpdateEnds();
        AfterSegmentLoad(index);
    }

    internal void SetFromDescriptor(int index, ushort selector, in Descriptor descriptor)
    {
        SegmentRegister* segment = CpuState.Segment(_s, index);
        segment->Selector = selector;
        segment->Base = descriptor.Base;
        segment->Limit = descriptor.Limit;
        segment->Attributes = descriptor.Attributes;
        segment->UpdateEnds();
        AfterSegmentLoad(index);
    }

    /// <summary>Loads CS with a checked descriptor at a privilege level; the caller calls <see cref="UpdateMode"/>.</summary>
    internal void SetCode(ushort selector, in Descriptor descriptor, int cpl)
    {
        SegmentRegister* cs = &_s->Cs;
        cs->Selector = (ushort)((selector & ~3) | cpl);
        cs->Base = descriptor.Base;
        cs->Limit = descriptor.Limit;
        cs->Attributes = descriptor.Attributes;
        cs->UpdateEnds();
        _s->Cpl = (uint)cpl;
    }

    /// <summary>The checks of a data segment load (SDM Vol. 2, MOV): #GP(selector) or #NP(selector).</summary>
    private Descriptor CheckDataSegment(ushort selector, int cpl)
    {
        CpuState* s = _s;
        if (!TryReadDescriptor(selector, out Descriptor descriptor) || !descriptor.IsReadable)
        {
            Fault.GeneralProtection(s, ErrorOf(selector));
        }

        bool conforming = descriptor.IsCode && descriptor.IsConforming;
        if (!conforming && ((selector & 3) > descriptor.Dpl || cpl > descriptor.Dpl))
        {
            Fault.GeneralProtection(s, ErrorOf(selector));
        }

        if (!descriptor.IsPresent)
        {
            Fault.NotPresent(s, ErrorOf(selector));
        }

        return descriptor;
    }

    private void LoadStackSegment(ushort selector)
    {
        CpuState* s = _s;
        int cpl = (int)s->Cpl;
        if (IsNull(selector))
        {
            if (s->CodeSize != 64 || cpl == 3 || (selector & 3) != cpl)
            {
                Fault.GeneralProtection(s);
            }

            SetNullSegment(SegmentIndex.Ss, selector);
            return;
        }

        if (!TryReadDescriptor(selector, out Descriptor descriptor) || (selector & 3) != cpl || !descriptor.IsWritableData || descriptor.Dpl != cpl)
        {
            Fault.GeneralProtection(s, ErrorOf(selector));
        }

        if (!descriptor.IsPresent)
        {
            Fault.StackFault(s, ErrorOf(selector));
        }

        MarkAccessed(ref descriptor);
        SetFromDescriptor(SegmentIndex.Ss, selector, in descriptor);
    }

    private void AfterSegmentLoad(int index)
    {
        if (index == SegmentIndex.Ss)
        {
            if (_s->CodeSize != 64)
            {
                _s->StackMask = (_s->Ss.Attributes & SegmentRegister.Big) != 0 ? uint.MaxValue : 0xFFFFUL;
            }
        }
        else if (index >= SegmentIndex.Fs)
        {
            UpdateSegmentBases();
        }
    }
}
