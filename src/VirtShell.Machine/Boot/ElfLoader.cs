using System;
using System.Buffers.Binary;

namespace VirtShell.Machine.Boot;

/// <summary>Puts a segment's content at a physical address, where <paramref name="memoryLength"/> bytes are needed; the rest is zeros.</summary>
internal delegate void SegmentPlacer(ulong address, ReadOnlySpan<byte> content, ulong memoryLength);

/// <summary>Loads the PT_LOAD segments of an ELF executable (System V ABI, chapter 5) for x86, of either class, to their physical addresses.</summary>
internal static class ElfLoader
{
    private const uint Magic = 0x464C_457F;
    private const byte Class32 = 1;
    private const byte Class64 = 2;
    private const byte LittleEndian = 1;
    private const ushort Machine386 = 3;
    private const ushort MachineX86_64 = 62;
    private const uint PtLoad = 1;
    private const int Header32 = 52;
    private const int Header64 = 64;
    private const int Program32 = 32;
    private const int Program64 = 56;
    private const int LargestProgramCount = 256;

    /// <summary>Loads all segments and gives the physical address of the entry.</summary>
    /// <exception cref="MachineBootException">The file is damaged or not for this machine.</exception>
    public static uint Load(ReadOnlySpan<byte> image, SegmentPlacer place)
    {
        bool wide = image.Length > 5 && image[4] == Class64;
        if (image.Length < (wide ? Header64 : Header32) || DWord(image, 0) != Magic)
        {
            throw new MachineBootException("The Multiboot image is not an ELF file, and its header gives no load addresses (flag 16).");
        }

        if ((!wide && image[4] != Class32) || image[5] != LittleEndian || Word(image, 18) is not (Machine386 or MachineX86_64))
        {
            throw new MachineBootException($"The ELF image is not for x86 (class {image[4]}, byte order {image[5]}, machine {Word(image, 18)}).");
        }

        ulong entry = wide ? QWord(image, 24) : DWord(image, 24);
        ulong table = wide ? QWord(image, 32) : DWord(image, 28);
        int entrySize = Word(image, wide ? 54 : 42);
        int count = Word(image, wide ? 56 : 44);
        int leastSize = wide ? Program64 : Program32;
        if (count == 0 || count > LargestProgramCount || entrySize < leastSize || table > (ulong)image.Length || (ulong)(count * entrySize) > (ulong)image.Length - table)
        {
            throw new MachineBootException($"The ELF image's program headers ({count} of {entrySize} bytes at {table:X}h) do not lie in the file of {image.Length} bytes.");
        }

        ulong physicalEntry = entry;
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> program = image.Slice((int)table + (i * entrySize), leastSize);
            if (DWord(program, 0) != PtLoad)
            {
                continue;
            }

            ulong offset = wide ? QWord(program, 8) : DWord(program, 4);
            ulong linear = wide ? QWord(program, 16) : DWord(program, 8);
            ulong physical = wide ? QWord(program, 24) : DWord(program, 12);
            ulong fileLength = wide ? QWord(program, 32) : DWord(program, 16);
            ulong memoryLength = wide ? QWord(program, 40) : DWord(program, 20);
            if (offset > (ulong)image.Length || fileLength > (ulong)image.Length - offset || memoryLength < fileLength)
            {
                throw new MachineBootException($"The ELF image is cut short: segment {i} takes {fileLength} bytes from {offset:X}h, the file has {image.Length}.");
            }

            if (physical > uint.MaxValue || memoryLength > uint.MaxValue)
            {
                throw new MachineBootException($"The ELF image's segment {i} loads to {physical:X}h, above 4 GiB.");
            }

            if (memoryLength == 0)
            {
                continue;
            }

            place(physical, image.Slice((int)offset, (int)fileLength), memoryLength);
            if (entry >= linear && entry - linear < memoryLength)
            {
                physicalEntry = physical + (entry - linear);
            }
        }

        return physicalEntry <= uint.MaxValue
            ? (uint)physicalEntry
            : throw new MachineBootException($"The ELF image's entry {entry:X}h lies in none of its segments.");
    }

    private static ushort Word(ReadOnlySpan<byte> image, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(image[offset..]);

    private static uint DWord(ReadOnlySpan<byte> image, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(image[offset..]);

    private static ulong QWord(ReadOnlySpan<byte> image, int offset) => BinaryPrimitives.ReadUInt64LittleEndian(image[offset..]);
}
