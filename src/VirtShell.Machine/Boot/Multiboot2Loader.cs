using System;
using System.Buffers.Binary;
using VirtShell.Cpu;
using VirtShell.Cpu.Memory;

namespace VirtShell.Machine.Boot;

/// <summary>Loads a Multiboot 2 image (specification 2.0) for its 32-bit entry: ELF32, ELF64, or any format by the addresses in its header.</summary>
internal static class Multiboot2Loader
{
    private const uint HeaderMagic = 0xE852_50D6;
    private const uint LoaderMagic = 0x36D7_6289;
    private const uint Protected32 = 0;
    private const int SearchLength = 32768;
    private const int HeaderLength = 16;
    private const int TagLength = 8;

    // Header tags (3.1.4 on). Those of EFI are for other loaders; a framebuffer is offered by none here.
    private const ushort EndTag = 0;
    private const ushort InformationRequest = 1;
    private const ushort Address = 2;
    private const ushort EntryAddress = 3;
    private const ushort ConsoleFlags = 4;
    private const ushort ModuleAlignment = 6;
    private const ushort EfiServices = 7;
    private const ushort EfiEntry64 = 9;
    private const ushort Relocatable = 10;
    private const ushort Optional = 1;

    private const int EaxNumber = 0;
    private const int EbxNumber = 3;

    private const string NotElf = "The Multiboot 2 image is not an ELF file, and its header gives no load addresses (tag 2).";

    /// <summary>Whether the file has the header, and none of Multiboot 1, which is taken where a file has both.</summary>
    public static bool Accepts(ReadOnlySpan<byte> image) => !MultibootLoader.HasHeader(image) && FindHeader(image) >= 0;

    /// <exception cref="MachineBootException">The image is damaged, demands what is not offered, or does not fit.</exception>
    public static void Load(MultibootBoot boot, Vcpu cpu, PhysicalMemory memory, ulong rsdp)
    {
        ReadOnlySpan<byte> image = boot.Image.Span;
        int header = FindHeader(image);
        if (header < 0)
        {
            throw new MachineBootException($"The image of {image.Length} bytes has no Multiboot 2 header (magic E85250D6h with a right checksum) in its first {SearchLength} bytes.");
        }

        int length = (int)Math.Min(DWord(image, header + 8), (uint)(image.Length - header));
        ReadOnlySpan<byte> tags = image.Slice(header, length);
        Multiboot2Information information = new(memory);
        FreeMemory free = new(memory, information.Address);
        uint? entry = null;
        int addresses = -1;
        for (int at = HeaderLength; at + TagLength <= tags.Length;)
        {
            ushort type = Word(tags, at);
            uint size = DWord(tags, at + 4);
            if (type == EndTag || size < TagLength || size > (uint)(tags.Length - at))
            {
                break;
            }

            switch (type)
            {
                case Address when size >= 24:
                    addresses = at;
                    break;
                case EntryAddress when size >= 12:
                    entry = DWord(tags, at + 8);
                    break;
                case InformationRequest or ConsoleFlags or ModuleAlignment or (>= EfiServices and <= EfiEntry64) or Relocatable:
                    break;
                default:
                    if ((Word(tags, at + 2) & Optional) == 0)
                    {
                        throw new MachineBootException($"The Multiboot 2 image demands what is not offered (header tag {type}).");
                    }

                    break;
            }

            at += (int)((size + 7) & ~7u);
        }

        uint elfEntry = addresses >= 0 ? LoadByHeader(image, header, tags[addresses..], free) : ElfImage.Parse(image, NotElf).Load(free.Place);
        if (addresses >= 0 && entry is null)
        {
            throw new MachineBootException("The Multiboot 2 image gives load addresses, but no entry address (tag 3).");
        }

        information.Write(boot, free, rsdp);
        FlatGdt.Write(memory, information.Gdt, longMode: false);
        cpu.EnterFlat32(entry ?? elfEntry, FlatGdt.CodeSelector, FlatGdt.DataSelector, information.Gdt, FlatGdt.Limit);
        cpu.SetRegister(EaxNumber, LoaderMagic);
        cpu.SetRegister(EbxNumber, information.Address);
    }

    private static int FindHeader(ReadOnlySpan<byte> image)
    {
        int end = Math.Min(image.Length, SearchLength) - HeaderLength;
        for (int at = 0; at <= end; at += 8)
        {
            if (DWord(image, at) == HeaderMagic && DWord(image, at + 4) == Protected32
                && unchecked(DWord(image, at) + DWord(image, at + 4) + DWord(image, at + 8) + DWord(image, at + 12)) == 0)
            {
                return at;
            }
        }

        return -1;
    }

    private static uint LoadByHeader(ReadOnlySpan<byte> image, int header, ReadOnlySpan<byte> tag, FreeMemory free)
    {
        uint headerAddress = DWord(tag, 8);
        uint loadAddress = DWord(tag, 12);
        uint loadEnd = DWord(tag, 16);
        uint bssEnd = DWord(tag, 20);

        // All ones stand for the file's start.
        long fileStart = loadAddress == uint.MaxValue ? 0 : header - ((long)headerAddress - loadAddress);
        long start = loadAddress == uint.MaxValue ? (long)headerAddress - header : loadAddress;
        if (fileStart < 0 || start < 0)
        {
            throw new MachineBootException($"The Multiboot 2 header's addresses contradict each other: header at {headerAddress:X}h, load address {loadAddress:X}h, header found at file offset {header:X}h.");
        }

        long length = loadEnd == 0 ? image.Length - fileStart : loadEnd - start;
        if (length <= 0 || fileStart + length > image.Length)
        {
            throw new MachineBootException($"The Multiboot 2 image is cut short: its header tells of {fileStart + length} bytes, the file has {image.Length}.");
        }

        free.Place((ulong)start, image.Slice((int)fileStart, (int)length), Math.Max((ulong)length, bssEnd > start ? (ulong)(bssEnd - start) : 0));
        return (uint)start;
    }

    private static ushort Word(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(bytes[offset..]);

    private static uint DWord(ReadOnlySpan<byte> bytes, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(bytes[offset..]);
}
