using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu;

/// <summary>LDTR and TR, and what LAR, LSL, VERR and VERW find (SDM Vol. 2, Vol. 3A §5.10).</summary>
public sealed unsafe partial class Vcpu
{
    private const ulong BusyBit = 1UL << 41;

    internal void LoadLdt(ushort selector)
    {
        CpuState* s = _s;
        CheckSupervisor();
        if (IsNull(selector))
        {
            SegmentRegister* ldtr = &s->Ldtr;
            ldtr->Selector = selector;
            ldtr->Attributes = SegmentRegister.Unusable;
            return;
        }

        SetFromDescriptor(SegmentIndex.Ldtr, selector, ReadSystemSegment(selector, static d => d.Type == Descriptor.Ldt));
    }

    internal void LoadTaskRegister(ushort selector)
    {
        CpuState* s = _s;
        CheckSupervisor();
        if (IsNull(selector))
        {
            Fault.GeneralProtection(s);
        }

        Descriptor descriptor = ReadSystemSegment(selector, LongActive
            ? static d => d.Type == Descriptor.Tss32Available
            : static d => d.Type is Descriptor.Tss32Available or Descriptor.Tss16Available);
        descriptor = descriptor with { Low = descriptor.Low | BusyBit };
        Mem.WriteSystem(s, SystemAddress(descriptor.Address + 5), (byte)(descriptor.Low >> 40));
        SetFromDescriptor(SegmentIndex.Tr, selector, in descriptor);
    }

    /// <summary>What LAR and LSL see: false where the selector's descriptor is out of reach or of a type without the property.</summary>
    internal bool TryExamine(ushort selector, bool forLimit, out Descriptor descriptor)
    {
        descriptor = default;
        if (IsNull(selector) || !TryReadDescriptor(selector, out descriptor))
        {
            return false;
        }

        if (descriptor.IsSystem)
        {
            bool valid = LongActive
                ? descriptor.Type is Descriptor.Ldt or Descriptor.Tss32Available or Descriptor.Tss32Busy || (!forLimit && descriptor.Type == Descriptor.CallGate32)
                : descriptor.Type is Descriptor.Tss16Available or Descriptor.Ldt or Descriptor.Tss16Busy or Descriptor.Tss32Available or Descriptor.Tss32Busy
                    || (!forLimit && descriptor.Type is Descriptor.CallGate16 or Descriptor.CallGate32 or Descriptor.TaskGate);
            return valid && IsVisible(selector, in descriptor);
        }

        return (descriptor.IsCode && descriptor.IsConforming) || IsVisible(selector, in descriptor);
    }

    /// <summary>VERR and VERW.</summary>
    internal bool CanAccess(ushort selector, bool write)
    {
        if (IsNull(selector) || !TryReadDescriptor(selector, out Descriptor descriptor) || descriptor.IsSystem)
        {
            return false;
        }

        if (write)
        {
            return descriptor.IsWritableData && IsVisible(selector, in descriptor);
        }

        return descriptor.IsReadable && ((descriptor.IsCode && descriptor.IsConforming) || IsVisible(selector, in descriptor));
    }

    private bool IsVisible(ushort selector, in Descriptor descriptor) =>
        descriptor.Dpl >= (int)_s->Cpl && descriptor.Dpl >= (selector & 3);

    private Descriptor ReadSystemSegment(ushort selector, System.Func<Descriptor, bool> suits)
    {
        CpuState* s = _s;
        uint error = ErrorOf(selector);
        Descriptor descriptor = default;
        if ((selector & 4) != 0 || !TryReadDescriptor(selector, out descriptor) || !descriptor.IsSystem || !suits(descriptor))
        {
            Fault.GeneralProtection(s, error);
        }

        if (!descriptor.IsPresent)
        {
            Fault.NotPresent(s, error);
        }

        if (LongActive && (!TryWiden(selector, ref descriptor) || ((descriptor.High >> 40) & 0x1F) != 0 || !IsCanonical(descriptor.Base)))
        {
            Fault.GeneralProtection(s, error);
        }

        return descriptor;
    }
}
