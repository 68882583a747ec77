using System;
using System.Buffers.Binary;
using VirtShell.Cpu;
using VirtShell.Cpu.Memory;

namespace VirtShell.Machine.Boot;

/// <summary>Loads a Multiboot (version 0.6.96) image: ELF32, ELF64, or any format by the addresses in the Multiboot header.</summary>
internal static class MultibootLoader
{
    private const uint HeaderMagic = 0x1BAD_B002;
    private const uint LoaderMagic = 0x2BAD_B002;
    private const int SearchLength = 8192;
    private const int HeaderLength = 12;
    private const int AddressHeaderLength = 32;

    // Header flags: 0 to 15 are demands. Page-aligned modules, memory information and a video mode are known; without a display the last is left unanswered.
    private const uint KnownDemands = 0x7;
    private const uint AddressesValid = 1 << 16;

    private const int EaxNumber = 0;
    private const int EbxNumber = 3;

    private const string NotElf = "The Multiboot image is not an ELF file, and its header gives no load addresses (flag 16).";

    /// <exception cref="MachineBootException">The image is damaged, or does not fit.</exception>
    public static void Load(MultibootBoot boot, Vcpu cpu, PhysicalMemory memory)
    {
        ReadOnlySpan<byte> image = boot.Image.Span;
        int header = FindHeader(image);
        uint flags = DWord(image, header + 4);
        if ((flags & 0xFFFF & ~KnownDemands) != 0)
        {
            throw new MachineBootException($"The Multiboot image demands features that are not offered (header flags {flags:X8}h).");
        }

        MultibootInformation information = new(memory);
        FreeMemory free = new(memory, information.Address);
        uint entry = (flags & AddressesValid) != 0 ? LoadByHeader(image, header, free) : ElfImage.Parse(image, NotElf).Load(free.Place);
        information.Write(boot, free);
        FlatGdt.Write(memory, information.Gdt, longMode: false);
        cpu.EnterFlat32(entry, FlatGdt.CodeSelector, FlatGdt.DataSelector, information.Gdt, FlatGdt.Limit);
        cpu.SetRegister(EaxNumber, LoaderMagic);
        cpu.SetRegister(EbxNumber, information.Address);
    }

    /// <summary>Whether a file is for this loader.</summary>
    public static bool HasHeader(ReadOnlySpan<byte> image) => SearchHeader(image) >= 0;

    private static int FindHeader(ReadOnlySpan<byte> image) => SearchHeader(image) is >= 0 and int at
        ? at
        : throw new MachineBootException($"The image of {image.Length} bytes has no Multiboot header (magic 1BADB002h with a right checksum) in its first {SearchLength} bytes.");

    private static int SearchHeader(ReadOnlySpan<byte> image)
    {
        int end = Math.Min(image.Length, SearchLength) - HeaderLength;
        for (int at = 0; at <= end; at += 4)
        {
            if (DWord(image, at) == HeaderMagic && unchecked(DWord(image, at) + DWord(image, at + 4) + DWord(image, at + 8)) == 0)
            {
                return at;
            }
        }

        return -1;
    }

    private static uint LoadByHeader(ReadOnlySpan<byte> image, int header, FreeMemory free)
    {
        if (header + AddressHeaderLength > image.Length)
        {
            throw new MachineBootException("The Multiboot image is cut short within its header.");
        }

        uint headerAddress = DWord(image, header + 12);
        uint loadAddress = DWord(image, header + 16);
        uint loadEnd = DWord(image, header + 20);
        uint bssEnd = DWord(image, header + 24);
        uint entry = DWord(image, header + 28);
        long fileStart = header - ((long)headerAddress - loadAddress);
        if (loadAddress > headerAddress || fileStart < 0)
        {
            throw new MachineBootException($"The Multiboot header's addresses contradict each other: header at {headerAddress:X}h, load address {loadAddress:X}h, header found at file offset {header:X}h.");
        }

        long length = loadEnd == 0 ? image.Length - fileStart : (long)loadEnd - loadAddress;
        if (length <= 0 || fileStart + length > image.Length)
        {
            throw new MachineBootException($"The Multiboot image is cut short: its header tells of {fileStart + length} bytes, the file has {image.Length}.");
        }

        ulong memoryLength = bssEnd > loadAddress ? Math.Max((ulong)length, bssEnd - loadAddress) : (ulong)length;
        free.Place(loadAddress, image.Slice((int)fileStart, (int)length), memoryLength);
        return entry;
    }

    private static uint DWord(ReadOnlySpan<byte> image, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(image[offset..]);
}
