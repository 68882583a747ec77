using System;
using VirtShell.Cpu.Instructions;
using VirtShell.Cpu.Memory;
using VirtShell.State;

namespace VirtShell.Cpu;

/// <summary>What firmware does with the processor while it is called: guest memory through segments and paging, the stack, segment registers.</summary>
public sealed unsafe partial class Vcpu
{
    /// <summary>Where firmware's calls may stand, guest-physical.</summary>
    public const uint FirmwareStart = 0xF_0000;

    /// <summary>One past it.</summary>
    public const uint FirmwareEnd = 0x10_0000;

    /// <summary>How far execution goes on behind a call that returns <see cref="FirmwareReturn.Skip"/>, in bytes.</summary>
    public const int FirmwareSkip = 1;

    private const ulong WrapMask = 0xFFFF;

    /// <summary>What VMCALL in the firmware's range calls; null where it is #UD there, too. Set before the first run.</summary>
    [NotState("Wiring.")]
    public IFirmware? Firmware { get; set; }

    /// <summary>Whether the processor is in virtual-8086 mode or at a privilege level below the highest, so that HLT, CLI and ports may be refused.</summary>
    public bool IsRestricted => _s->Virtual8086 != 0 || _s->Cpl != 0;

    /// <summary>Reads from a segment (<see cref="SegmentIndex"/>), with offsets of 16 bits that wrap. Raises the guest's faults.</summary>
    public void ReadGuest(int segment, uint offset, Span<byte> destination)
    {
        for (int done = 0; done < destination.Length;)
        {
            int part = NextPart(segment, offset, done, destination.Length, write: false, out ulong linear);
            Mem.ReadBytes(_s, linear, destination.Slice(done, part));
            done += part;
        }
    }

    /// <summary>Writes to a segment (<see cref="SegmentIndex"/>), with offsets of 16 bits that wrap. Raises the guest's faults, which may leave a first part written.</summary>
    public void WriteGuest(int segment, uint offset, ReadOnlySpan<byte> source)
    {
        for (int done = 0; done < source.Length;)
        {
            int part = NextPart(segment, offset, done, source.Length, write: true, out ulong linear);
            Mem.WriteBytes(_s, linear, source.Slice(done, part));
            done += part;
        }
    }

    /// <summary>Raises the faults that <see cref="WriteGuest"/> would, and does nothing else.</summary>
    public void CheckGuestWrite(int segment, uint offset, int length)
    {
        for (int done = 0; done < length;)
        {
            int part = NextPart(segment, offset, done, length, write: true, out ulong linear);
            Mem.CheckWrite(_s, linear, part);
            done += part;
        }
    }

    /// <summary>Reads at a linear address of 32 bits. Raises the guest's page faults.</summary>
    public T ReadLinear<T>(uint linear)
        where T : unmanaged => Mem.Read<T>(_s, linear);

    /// <summary>Writes at a linear address of 32 bits. Raises the guest's page faults.</summary>
    public void WriteLinear<T>(uint linear, T value)
        where T : unmanaged => Mem.Write(_s, linear, value);

    /// <summary>Reads any number of bytes at a linear address of 32 bits. Raises the guest's page faults.</summary>
    public void ReadLinear(uint linear, Span<byte> destination)
    {
        for (int done = 0; done < destination.Length;)
        {
            uint at = linear + (uint)done;
            int part = PartOfPage(at, destination.Length - done);
            Mem.ReadBytes(_s, at, destination.Slice(done, part));
            done += part;
        }
    }

    /// <summary>Writes any number of bytes at a linear address of 32 bits. Raises the guest's page faults, which may leave a first part written.</summary>
    public void WriteLinear(uint linear, ReadOnlySpan<byte> source)
    {
        for (int done = 0; done < source.Length;)
        {
            uint at = linear + (uint)done;
            int part = PartOfPage(at, source.Length - done);
            Mem.WriteBytes(_s, at, source.Slice(done, part));
            done += part;
        }
    }

    /// <summary>Reads a word above the top of the stack. Raises the guest's faults.</summary>
    public ushort PeekStack(int offset) => Stack.Peek<ushort>(_s, offset);

    /// <summary>Writes a word above the top of the stack. Raises the guest's faults.</summary>
    public void PokeStack(int offset, ushort value)
    {
        ulong sp = (_s->Gpr[4] + (ulong)offset) & _s->StackMask;
        Mem.Write(_s, Stack.Linear(_s, sp, sizeof(ushort), write: true), value);
    }

    /// <summary>Loads a segment register other than CS in real and virtual-8086 mode; leaves it alone where selectors name descriptors.</summary>
    public void SetFirmwareSegment(int index, ushort selector)
    {
        if (!UsesDescriptors)
        {
            SetRealSegment(index, selector);
        }
    }

    private static int PartOfPage(uint linear, int left) => (int)Math.Min(PhysicalMemory.PageSize - (linear & (PhysicalMemory.PageSize - 1)), (ulong)left);

    // What can be accessed at once: within a page and within the 64 KiB that an offset reaches.
    private int NextPart(int segment, uint offset, int done, int length, bool write, out ulong linear)
    {
        ulong at = (offset + (ulong)done) & WrapMask;
        int part = (int)Math.Min((ulong)(length - done), WrapMask + 1 - at);
        part = PartOfPage((uint)(CpuState.Segment(_s, segment)->Base + at), part);
        linear = Addresses.Linear(_s, segment, at, part, write);
        return part;
    }
}
