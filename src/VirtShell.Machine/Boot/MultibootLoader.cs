using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Text;
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

    // Information structure flags.
    private const uint HasMemory = 1 << 0;
    private const uint HasCommandLine = 1 << 2;
    private const uint HasModules = 1 << 3;
    private const uint HasMemoryMap = 1 << 6;
    private const uint HasLoaderName = 1 << 9;
    private const int InfoLength = 116;

    // Below 1 MiB; images must keep off this.
    private const ulong GdtAddress = 0x1000;
    private const ulong InfoAddress = 0x2000;
    private const ulong MapAddress = 0x2100;
    private const ulong NameAddress = 0x2F00;
    private const ulong CommandLine = 0x3000;
    private const int CommandLineRoom = 0x1000;
    private const ulong OwnEnd = 0x4000;
    private const int MapEntryLength = 24;

    private const int EaxNumber = 0;
    private const int EbxNumber = 3;

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

        uint entry = (flags & AddressesValid) != 0 ? LoadByHeader(image, header, memory) : ElfLoader.Load(image, Place(memory));
        byte[] commandLine = Encoding.UTF8.GetBytes(boot.CommandLine + "\0");
        if (commandLine.Length > CommandLineRoom)
        {
            throw new MachineBootException($"The Multiboot command line is {commandLine.Length - 1} bytes long; at most {CommandLineRoom - 1} are passed.");
        }

        memory.Write(CommandLine, commandLine);
        memory.Write(NameAddress, "VirtShell\0"u8);
        WriteInformation(memory);
        FlatGdt.Write(memory, GdtAddress, longMode: false);
        cpu.EnterFlat32(entry, FlatGdt.CodeSelector, FlatGdt.DataSelector, GdtAddress, FlatGdt.Limit);
        cpu.SetRegister(EaxNumber, LoaderMagic);
        cpu.SetRegister(EbxNumber, InfoAddress);
    }

    private static int FindHeader(ReadOnlySpan<byte> image)
    {
        int end = Math.Min(image.Length, SearchLength) - HeaderLength;
        for (int at = 0; at <= end; at += 4)
        {
            if (DWord(image, at) == HeaderMagic && unchecked(DWord(image, at) + DWord(image, at + 4) + DWord(image, at + 8)) == 0)
            {
                return at;
            }
        }

        throw new MachineBootException($"The image of {image.Length} bytes has no Multiboot header (magic 1BADB002h with a right checksum) in its first {SearchLength} bytes.");
    }

    private static uint LoadByHeader(ReadOnlySpan<byte> image, int header, PhysicalMemory memory)
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
        Place(memory)(loadAddress, image.Slice((int)fileStart, (int)length), memoryLength);
        return entry;
    }

    // Memory is all zeros at this point, so that only the file's part needs writing.
    private static SegmentPlacer Place(PhysicalMemory memory) => (address, content, memoryLength) =>
    {
        ulong end = address + memoryLength;
        bool low = address >= OwnEnd && end <= MemoryMap.ExtendedBiosData && end <= memory.LowRamBytes;
        bool high = address >= MemoryMap.HighMemory && end <= memory.LowRamBytes;
        if (!low && !high)
        {
            throw new MachineBootException($"The image loads to {address:X}h–{end:X}h, which is not free memory: the machine has {memory.RamBytes >> 10} KiB, with {OwnEnd:X}h–{MemoryMap.ExtendedBiosData:X}h and everything from {MemoryMap.HighMemory:X}h free.");
        }

        memory.Write(address, content);
    };

    private static void WriteInformation(PhysicalMemory memory)
    {
        IReadOnlyList<MemoryRange> ranges = MemoryMap.Ranges(memory);
        Span<byte> entry = stackalloc byte[MapEntryLength];
        for (int i = 0; i < ranges.Count; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(entry, MapEntryLength - 4);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[4..], ranges[i].Start);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[12..], ranges[i].Length);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[20..], (uint)ranges[i].Kind);
            memory.Write(MapAddress + (ulong)(i * MapEntryLength), entry);
        }

        ulong lower = Math.Min(memory.LowRamBytes, MemoryMap.ExtendedBiosData) >> 10;
        ulong upper = memory.LowRamBytes > MemoryMap.HighMemory ? (memory.LowRamBytes - MemoryMap.HighMemory) >> 10 : 0;
        byte[] info = new byte[InfoLength];
        void Put(int offset, ulong value) => BinaryPrimitives.WriteUInt32LittleEndian(info.AsSpan(offset), (uint)value);
        Put(0, HasMemory | HasCommandLine | HasModules | HasMemoryMap | HasLoaderName);
        Put(4, lower);
        Put(8, upper);
        Put(16, CommandLine);
        Put(44, (ulong)(ranges.Count * MapEntryLength));
        Put(48, MapAddress);
        Put(64, NameAddress);
        memory.Write(InfoAddress, info);
    }

    private static uint DWord(ReadOnlySpan<byte> image, int offset) => BinaryPrimitives.ReadUInt32LittleEndian(image[offset..]);
}
