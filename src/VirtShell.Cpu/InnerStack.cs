using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu;

/// <summary>
/// A stack that is being pushed to before it becomes current: event delivery and call gates write their whole frame
/// through it and change registers only afterwards, so that a fault in the middle leaves the processor as it was.
/// </summary>
internal unsafe ref struct InnerStack
{
    private readonly CpuState* _s;

    /// <summary>Supervisor accesses although the CPL has not changed yet.</summary>
    private readonly bool _system;

    /// <summary>Error code of #SS where the frame does not fit.</summary>
    private readonly uint _error;
    private readonly bool _flat;
    private readonly ulong _mask;
    private SegmentRegister _segment;

    private InnerStack(CpuState* s, bool system, uint error, bool flat, ulong mask, SegmentRegister segment, ulong pointer)
    {
        _s = s;
        _system = system;
        _error = error;
        _flat = flat;
        _mask = mask;
        _segment = segment;
        Pointer = pointer;
    }

    public ulong Pointer { get; private set; }

    /// <summary>Whether only the low 16 bits of <see cref="Pointer"/> are the stack's.</summary>
    public readonly bool Is16 => _mask == 0xFFFF;

    /// <summary>A 64-bit stack.</summary>
    public static InnerStack Flat(CpuState* s, ulong pointer, bool system) => new(s, system, 0, true, ulong.MaxValue, default, pointer);

    /// <summary>The current stack outside of 64-bit mode.</summary>
    public static InnerStack Current(CpuState* s, uint error) => new(s, false, error, false, s->StackMask, s->Ss, s->Gpr[4]);

    /// <summary>A stack whose segment a descriptor gives.</summary>
    public static InnerStack Of(CpuState* s, scoped in Descriptor descriptor, ulong pointer, bool system, uint error)
    {
        SegmentRegister segment = default;
        segment.Base = descriptor.Base;
        segment.Limit = descriptor.Limit;
        segment.Attributes = descriptor.Attributes;
        segment.UpdateEnds();
        return new InnerStack(s, system, error, false, descriptor.IsBig ? uint.MaxValue : 0xFFFFUL, segment, pointer);
    }

    /// <summary>Pushes 2, 4 or 8 bytes of a value.</summary>
    public void Push(ulong value, int size)
    {
        switch (size)
        {
            case 2:
                Push((ushort)value);
                break;
            case 4:
                Push((uint)value);
                break;
            default:
                Push(value);
                break;
        }
    }

    private void Push<T>(T value)
        where T : unmanaged
    {
        ulong at = (Pointer - (ulong)sizeof(T)) & _mask;
        ulong linear = at;
        if (_flat)
        {
            if (!Vcpu.IsCanonical(at))
            {
                Fault.StackFault(_s, _error);
            }
        }
        else
        {
            CheckLimit(at, sizeof(T));
            linear = (_segment.Base + at) & uint.MaxValue;
        }

        if (_system)
        {
            TlbEntry* e = _s->SystemTlb + ((linear >> 12) & Mem.TlbMask);
            if (linear - e->TagWrite <= 4096 - (ulong)sizeof(T))
            {
                *(T*)(e->Page + (linear - e->TagWrite)) = value;
            }
            else
            {
                Mem.WriteSystem(_s, linear, value);
            }
        }
        else
        {
            Mem.Write(_s, linear, value);
        }

        Pointer = (Pointer & ~_mask) | at;
    }

    private readonly void CheckLimit(ulong at, int size)
    {
        if (at + (ulong)size <= _segment.WriteEnd)
        {
            return;
        }

        uint a = _segment.Attributes;
        const uint ExpandDown = SegmentRegister.Present | SegmentRegister.CodeOrData | SegmentRegister.WritableOrReadable | SegmentRegister.ExpandDownOrConforming;
        const uint Kind = ExpandDown | SegmentRegister.Executable | SegmentRegister.Unusable;
        if ((a & Kind) != ExpandDown || at <= _segment.Limit || at + (ulong)size - 1 > _mask)
        {
            Fault.StackFault(_s, _error);
        }
    }
}
