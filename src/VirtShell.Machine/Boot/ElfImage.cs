using System;
using System.Buffers.Binary;

namespace VirtShell.Machine.Boot;

/// <summary>Puts a segment's content at a physical address, where <paramref name="memoryLength"/> bytes are needed; the rest is zeros.</summary>
internal delegate void SegmentPlacer(ulong address, ReadOnlySpan<byte> content, ulong memoryLength);

/// <summary>An ELF executable (System V ABI, chapter 5) for x86, of either class: its PT_LOAD segments, and the notes that boot loaders look for.</summary>
internal readonly ref struct ElfImage
{
    private const uint Magic = 0x464C_457F;
    private const byte Class32 = 1;
    private const byte Class64 = 2;
    private const byte LittleEndian = 1;
    private const ushort Machine386 = 3;
    private const ushort MachineX86_64 = 62;
    private const uint PtLoad = 1;
    private const uint PtNote = 4;
    private const int Header32 = 52;
    private const int Header64 = 64;
    private const int Program32 = 32;
    private const int Program64 = 56;
    private const int LargestProgramCount = 256;

    // A note: name length, content length, type, name and content, both padded to four bytes.
    private const int NoteHeader = 12;
    private const uint XenPhys32Entry = 18;

    private readonly ReadOnlySpan<byte> _image;
    private readonly bool _wide;
    private readonly ulong _entry;
    private readonly int _table;
    private readonly int _entrySize;
    private readonly int _count;

    private ElfImage(ReadOnlySpan<byte> image, bool wide, ulong table)
    {
        _image = image;
        _wide = wide;
        _entry = wide ? QWord(image, 24) : DWord(image, 24);
        _table = (int)table;
        _entrySize = Word(image, wide ? 54 : 42);
        _count = Word(image, wide ? 56 : 44);
        Is64Bit = wide && Word(image, 18) == MachineX86_64;
    }

    /// <summary>Whether the code is 64-bit code; ELF64 files of machine 386 hold 32-bit code.</summary>
    public bool Is64Bit { get; }

    public static bool IsElf(ReadOnlySpan<byte> image) => image.Length >= Header32 && DWord(image, 0) == Magic;

    /// <summary>Reads the headers.</summary>
    /// <param name="image">The file.</param>
    /// <param name="otherwise">What to say where the file is not ELF.</param>
    /// <exception cref="MachineBootException">The file is damaged or not for this machine.</exception>
    public static ElfImage Parse(ReadOnlySpan<byte> image, string otherwise)
    {
        bool wide = image.Length > 5 && image[4] == Class64;
        if (!IsElf(image) || (wide && image.Length < Header64))
        {
            throw new MachineBootException(otherwise);
        }

        if ((!wide && image[4] != Class32) || image[5] != LittleEndian || Word(image, 18) is not (Machine386 or MachineX86_64))
        {
            throw new MachineBootException($"The ELF image is not for x86 (class {image[4]}, byte order {image[5]}, machine {Word(image, 18)}).");
        }

        ulong table = wide ? QWord(image, 32) : DWord(image, 28);
        int entrySize = Word(image, wide ? 54 : 42);
        int count = Word(image, wide ? 56 : 44);
        int leastSize = wide ? Program64 : Program32;
        if (count == 0 || count > LargestProgramCount || entrySize < leastSize || table > (ulong)image.Length || (ulong)(count * entrySize) > (ulong)image.Length - table)
        {
            throw new MachineBootException($"The ELF image's program headers ({count} of {entrySize} bytes at {table:X}h) do not lie in the file of {image.Length} bytes.");
        }

        return new ElfImage(image, wide, table);
    }

    /// <summary>Loads all segments and gives the physical address of the entry.</summary>
    /// <exception cref="MachineBootException">The file is cut short, or loads to where no memory is.</exception>
    public uint Load(SegmentPlacer place)
    {
        ulong physicalEntry = _entry;
        for (int i = 0; i < _count; i++)
        {
            Segment segment = ReadSegment(i);
            if (segment.Type != PtLoad)
            {
                continue;
            }

            ReadOnlySpan<byte> content = Content(segment, i);
            if (segment.Physical > uint.MaxValue || segment.MemoryLength > uint.MaxValue)
            {
                throw new MachineBootException($"The ELF image's segment {i} loads to {segment.Physical:X}h, above 4 GiB.");
            }

            if (segment.MemoryLength == 0)
            {
                continue;
            }

            place(segment.Physical, content, segment.MemoryLength);
            if (_entry >= segment.Linear && _entry - segment.Linear < segment.MemoryLength)
            {
                physicalEntry = segment.Physical + (_entry - segment.Linear);
            }
        }

        return physicalEntry <= uint.MaxValue
            ? (uint)physicalEntry
            : throw new MachineBootException($"The ELF image's entry {_entry:X}h lies in none of its segments.");
    }

    /// <summary>The 32-bit physical entry that the note XEN_ELFNOTE_PHYS32_ENTRY tells (PVH boot ABI); null where there is none.</summary>
    /// <exception cref="MachineBootException">The file is cut short within its notes.</exception>
    public uint? FindPvhEntry()
    {
        for (int i = 0; i < _count; i++)
        {
            Segment segment = ReadSegment(i);
            if (segment.Type == PtNote && FindPvhEntry(Content(segment, i)) is { } entry)
            {
                return entry;
            }
        }

        return null;
    }

    private static uint? FindPvhEntry(ReadOnlySpan<byte> notes)
    {
        while (notes.Length >= NoteHeader)
        {
            uint nameLength = DWord(notes, 0);
            uint length = DWord(notes, 4);
            ulong contentStart = NoteHeader + Padded(nameLength);
            ulong end = contentStart + Padded(length);
            if (contentStart + length > (ulong)notes.Length)
            {
                return null;
            }

            if (DWord(notes, 8) == XenPhys32Entry && length >= 4 && notes.Slice(NoteHeader, (int)nameLength).SequenceEqual("Xen\0"u8))
            {
                return DWord(notes, (int)contentStart);
            }

            notes = end >= (ulong)notes.Length ? default : notes[(int)end..];
        }

        return null;
    }

    private static ulong Padded(uint length) => (length + 3UL) & ~3UL;

    private ReadOnlySpan<byte> Content(Segment segment, int index) =>
        segment.Offset <= (ulong)_image.Length && segment.FileLength <= (ulong)_image.Length - segment.Offset && segment.MemoryLength >= segment.FileLength
            ? _image.Slice((int)segment.Offset, (int)segment.FileLength)
            : throw new MachineBootException($"The ELF image is cut short: segment {index} takes {segment.FileLength} bytes from {segment.Offset:X}h, the file has {_image.Length}.");

    private Segment ReadSegment(int index)
    {
        ReadOnlySpan<byte> program = _image.Slice(_table + (index * _entrySize), _wide ? Program64 : Program32);
        return _wide
            ? new(DWord(program, 0), QWord(program, 8), QWord(program, 16), QWord(program, 24), QWord(program, 32), QWord(program, 40))
            : new(DWord(program, 0), DWord(program, 4), DWord(program, 8), DWord(program, 12), DWord(program, 16), DWord(program, 20));
    }

    private static ushort Word(ReadOnlySpan<byte> image, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(image[offset..]);

    private static uint DWord(ReadOnlySpan<byte> image, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(image[offset..]);

    private static ulong QWord(ReadOnlySpan<byte> image, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(image[offset..]);

    private readonly record struct Segment(uint Type, ulong Offset, ulong Linear, ulong Physical, ulong FileLength, ulong MemoryLength);
}
