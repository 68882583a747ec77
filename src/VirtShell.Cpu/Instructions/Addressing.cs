using System.Runtime.CompilerServices;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;

namespace VirtShell.Cpu.Instructions;

/// <summary>How a handler turns its memory operand into a linear address; a type parameter, so that each handler is compiled for each.</summary>
internal unsafe interface IAddressing
{
    /// <summary>Linear address for reading <paramref name="size"/> bytes; raises segment faults.</summary>
    static abstract ulong Read(CpuState* s, Op* o, int size);

    /// <summary>Linear address for writing <paramref name="size"/> bytes; raises segment faults.</summary>
    static abstract ulong Write(CpuState* s, Op* o, int size);
}

/// <summary>64-bit mode, 64-bit addresses, no FS or GS: the sum is the linear address.</summary>
internal unsafe struct Flat : IAddressing
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Read(CpuState* s, Op* o, int size) => Address(s, o);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Write(CpuState* s, Op* o, int size) => Address(s, o);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Address(CpuState* s, Op* o) =>
        *(ulong*)((byte*)s + o->Base) + (*(ulong*)((byte*)s + o->Index) << o->Scale) + (ulong)o->Disp;
}

/// <summary>Everything else: address size, segment base and limit.</summary>
internal unsafe struct General : IAddressing
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Read(CpuState* s, Op* o, int size)
    {
        ulong offset = Addresses.Effective(s, o);
        SegmentRegister* segment = CpuState.Segment(s, o->Segment);
        if (offset + (ulong)size > segment->ReadEnd)
        {
            Addresses.CheckSegment(s, o->Segment, offset, size, write: false);
        }

        return (segment->Base + offset) & s->LinearMask;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Write(CpuState* s, Op* o, int size)
    {
        ulong offset = Addresses.Effective(s, o);
        SegmentRegister* segment = CpuState.Segment(s, o->Segment);
        if (offset + (ulong)size > segment->WriteEnd)
        {
            Addresses.CheckSegment(s, o->Segment, offset, size, write: true);
        }

        return (segment->Base + offset) & s->LinearMask;
    }
}

/// <summary>Address arithmetic shared by handlers that cannot be generic over <see cref="IAddressing"/>.</summary>
internal static unsafe class Addresses
{
    /// <summary>Effective address (offset in the segment), truncated to the address size.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Effective(CpuState* s, Op* o)
    {
        ulong sum = *(ulong*)((byte*)s + o->Base) + (*(ulong*)((byte*)s + o->Index) << o->Scale) + (ulong)o->Disp;
        return sum << o->AddressShift >> o->AddressShift;
    }

    /// <summary>Linear address of an offset in a segment, all checks made (string instructions, implied operands).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Linear(CpuState* s, int segmentIndex, ulong offset, int size, bool write)
    {
        SegmentRegister* segment = CpuState.Segment(s, segmentIndex);
        if (offset + (ulong)size > (write ? segment->WriteEnd : segment->ReadEnd))
        {
            CheckSegment(s, segmentIndex, offset, size, write);
        }

        return (segment->Base + offset) & s->LinearMask;
    }

    /// <summary>The exact check behind the fast one (SDM Vol. 3A §5.3, §5.5): returns where the access is legal, raises #SS or #GP where not.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void CheckSegment(CpuState* s, int segmentIndex, ulong offset, int size, bool write)
    {
        SegmentRegister* segment = CpuState.Segment(s, segmentIndex);
        uint a = segment->Attributes;
        const uint Needed = SegmentRegister.Present | SegmentRegister.CodeOrData;
        bool code = (a & SegmentRegister.Executable) != 0;
        bool expandDown = !code && (a & SegmentRegister.ExpandDownOrConforming) != 0;
        bool permitted = write ? !code && (a & SegmentRegister.WritableOrReadable) != 0 : !code || (a & SegmentRegister.WritableOrReadable) != 0;
        if (segment->IsUsable && (a & Needed) == Needed && permitted && expandDown)
        {
            ulong top = (a & SegmentRegister.Big) != 0 ? 0xFFFF_FFFF : 0xFFFF;
            if (offset > segment->Limit && offset + (ulong)size - 1 <= top)
            {
                return;
            }
        }

        // Real mode checks limits only, whatever protected mode left in the cached rights.
        if ((s->Cr0 & ControlBits.Cr0Protection) == 0 && offset + (ulong)size <= (ulong)segment->Limit + 1)
        {
            return;
        }

        if (segmentIndex == SegmentIndex.Ss)
        {
            Fault.StackFault(s);
        }

        Fault.GeneralProtection(s);
    }
}
