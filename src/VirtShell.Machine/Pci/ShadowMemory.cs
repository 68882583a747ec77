using System;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Pci;

/// <summary>
/// What stands at C0000h to FFFFFh, as the host bridge's programmable attribute map says (Intel 290549, 82441FX, 3.2.14): for each of 13
/// segments whether reads find RAM or what is behind it on the bus, and whether writes reach RAM. Behind it is the last 128 KiB of a
/// firmware image, where there is one, and nothing elsewhere.
/// </summary>
/// <remarks>
/// Guest memory holds one content for each page: what the guest reads. The RAM of a segment whose reads find the ROM waits here, and
/// goes on taking the guest's writes where these are enabled; devices reach it only while reads find it, too.
/// </remarks>
internal sealed class ShadowMemory : IMmioHandler
{
    public const ulong Start = 0xC_0000;
    public const ulong Length = 0x4_0000;

    /// <summary>How much of an image stands below 1 MiB, at most.</summary>
    public const int MostRom = 0x2_0000;

    /// <summary>An attribute: reads find RAM.</summary>
    public const byte ReadEnable = 1;

    /// <summary>An attribute: writes reach RAM.</summary>
    public const byte WriteEnable = 2;

    /// <summary>PAM0 to PAM6: F0000h in the upper half of the first, then two segments of 16 KiB in each.</summary>
    public const int RegisterCount = 7;

    private const int SegmentCount = 13;
    private const int BiosSegment = 12;
    private const ulong SegmentLength = 0x4000;
    private const ulong BiosLength = 0x1_0000;

    // Runtime glue.
    private readonly PhysicalMemory _memory;
    [NotState("The firmware's.")]
    private ReadOnlyMemory<byte> _rom;

    [NotState("Follows from configuration space.")]
    private readonly byte[] _attributes = new byte[SegmentCount];

    // Saved state.
    private readonly byte[] _hidden = new byte[Length];

    public ShadowMemory(IoBus bus, PhysicalMemory memory)
    {
        _memory = memory;
        bus.MapMmio(Start, Length, this);
    }

    /// <summary>Power-on: nothing is RAM, and the image's end shows below 1 MiB.</summary>
    public void PowerOn(ReadOnlyMemory<byte> image)
    {
        Insert(image);
        Array.Clear(_attributes);
        Array.Clear(_hidden);
        for (int segment = 0; segment < SegmentCount; segment++)
        {
            Show(segment);
        }
    }

    /// <summary>Says what is behind the RAM, without a change to what is seen.</summary>
    public void Insert(ReadOnlyMemory<byte> image) => _rom = image.Length > MostRom ? image[^MostRom..] : image;

    /// <summary>Takes registers as firmware that put everything in its place has left them: guest memory is as they say already.</summary>
    public void Assume(ReadOnlySpan<byte> registers)
    {
        for (int segment = 0; segment < SegmentCount; segment++)
        {
            _attributes[segment] = AttributesOf(registers, segment);
        }
    }

    /// <summary>Makes memory what the registers say, while the guest runs.</summary>
    public void Apply(ReadOnlySpan<byte> registers)
    {
        for (int segment = 0; segment < SegmentCount; segment++)
        {
            byte wanted = AttributesOf(registers, segment);
            byte before = _attributes[segment];
            if (wanted == before)
            {
                continue;
            }

            Span<byte> hidden = _hidden.AsSpan((int)(StartOf(segment) - Start), (int)LengthOf(segment));
            if ((before & ReadEnable) != 0 && (wanted & ReadEnable) == 0)
            {
                _memory.Read(StartOf(segment), hidden);
            }

            _attributes[segment] = wanted;
            if (((before ^ wanted) & ReadEnable) != 0)
            {
                Show(segment);
            }
            else if ((wanted & ReadEnable) != 0)
            {
                Open(segment);
            }
        }
    }

    /// <summary>Reached where no memory stands.</summary>
    public ulong ReadMmio(ulong offset, int size) => ulong.MaxValue;

    /// <summary>Reached where the guest's writes do not go to what it reads.</summary>
    public void WriteMmio(ulong offset, int size, ulong value)
    {
        for (int i = 0; i < size && offset + (ulong)i < Length; i++)
        {
            ulong at = offset + (ulong)i;
            if (_attributes[SegmentAt(at)] == WriteEnable)
            {
                _hidden[at] = (byte)(value >> (8 * i));
            }
        }
    }

    public void Describe(StateVisitor visitor) => visitor.Array("shadow", _hidden.AsSpan());

    private static ulong StartOf(int segment) => Start + ((ulong)segment * SegmentLength);

    private static ulong LengthOf(int segment) => segment == BiosSegment ? BiosLength : SegmentLength;

    private static int SegmentAt(ulong offset) => (int)Math.Min(offset / SegmentLength, BiosSegment);

    private static byte AttributesOf(ReadOnlySpan<byte> registers, int segment)
    {
        int value = segment == BiosSegment ? registers[0] >> 4 : registers[1 + (segment / 2)] >> (4 * (segment & 1));
        return (byte)(value & (ReadEnable | WriteEnable));
    }

    // Puts in guest memory what the guest reads.
    private void Show(int segment)
    {
        if ((_attributes[segment] & ReadEnable) != 0)
        {
            Span<byte> hidden = _hidden.AsSpan((int)(StartOf(segment) - Start), (int)LengthOf(segment));
            _memory.MapRom(StartOf(segment), hidden);
            hidden.Clear();
            Open(segment);
            return;
        }

        ulong romStart = Start + Length - (ulong)_rom.Length;
        if (StartOf(segment) >= romStart)
        {
            _memory.MapRom(StartOf(segment), _rom.Span.Slice((int)(StartOf(segment) - romStart), (int)LengthOf(segment)));
        }
        else
        {
            _memory.Unmap(StartOf(segment), LengthOf(segment));
        }
    }

    // RAM that is read: whether it takes writes.
    private void Open(int segment)
    {
        if ((_attributes[segment] & WriteEnable) != 0)
        {
            _memory.MapRam(StartOf(segment), LengthOf(segment));
        }
        else
        {
            _memory.MapReadOnly(StartOf(segment), LengthOf(segment));
        }
    }
}
