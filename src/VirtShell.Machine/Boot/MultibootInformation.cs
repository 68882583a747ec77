using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Text;
using VirtShell.Cpu.Memory;

namespace VirtShell.Machine.Boot;

/// <summary>Writes the Multiboot information structure (version 0.6.96, 3.3) with what it points to.</summary>
internal sealed class MultibootInformation
{
    // Flags.
    private const uint HasMemory = 1 << 0;
    private const uint HasCommandLine = 1 << 2;
    private const uint HasModules = 1 << 3;
    private const uint HasMemoryMap = 1 << 6;
    private const uint HasLoaderName = 1 << 9;
    private const int Length = 116;
    private const int MapEntryLength = 24;
    private const int ModuleEntryLength = 16;
    private const int LargestModuleCount = 64;

    // Offsets from the start of the information; strings take the rest.
    private const uint MapOffset = 0x100;
    private const uint NameOffset = 0xF00;
    private const uint GdtOffset = 0x1000;
    private const uint ModulesOffset = 0x1100;
    private const uint StringsOffset = 0x2000;
    private const uint End = 0x7C00;

    private readonly PhysicalMemory _memory;
    private ulong _nextString;

    public MultibootInformation(PhysicalMemory memory)
    {
        _memory = memory;
        Address = BootArea.MultibootStart(memory);
        _nextString = Address + StringsOffset;
    }

    public ulong Address { get; }

    public ulong Gdt => Address + GdtOffset;

    /// <param name="boot">Gives the command line and the modules.</param>
    /// <param name="free">Where the image already stands; the modules come above it.</param>
    /// <exception cref="MachineBootException">The modules or the strings do not fit.</exception>
    public void Write(MultibootBoot boot, FreeMemory free)
    {
        IReadOnlyList<MemoryRange> ranges = MemoryMap.Ranges(_memory);
        Span<byte> entry = stackalloc byte[MapEntryLength];
        for (int i = 0; i < ranges.Count; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(entry, MapEntryLength - 4);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[4..], ranges[i].Start);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[12..], ranges[i].Length);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[20..], (uint)ranges[i].Kind);
            _memory.Write(Address + MapOffset + (ulong)(i * MapEntryLength), entry);
        }

        _memory.Write(Address + NameOffset, "VirtShell\0"u8);
        ulong commandLine = WriteString(boot.CommandLine, "command line");
        WriteModules(boot.Modules, free);
        ulong lower = Math.Min(_memory.LowRamBytes, MemoryMap.ExtendedBiosData) >> 10;
        ulong upper = _memory.LowRamBytes > MemoryMap.HighMemory ? (_memory.LowRamBytes - MemoryMap.HighMemory) >> 10 : 0;
        byte[] info = new byte[Length];
        void Put(int offset, ulong value) => BinaryPrimitives.WriteUInt32LittleEndian(info.AsSpan(offset), (uint)value);
        Put(0, HasMemory | HasCommandLine | HasModules | HasMemoryMap | HasLoaderName);
        Put(4, lower);
        Put(8, upper);
        Put(16, commandLine);
        Put(20, (ulong)boot.Modules.Count);
        Put(24, boot.Modules.Count == 0 ? 0 : Address + ModulesOffset);
        Put(44, (ulong)(ranges.Count * MapEntryLength));
        Put(48, Address + MapOffset);
        Put(64, Address + NameOffset);
        _memory.Write(Address, info);
    }

    private void WriteModules(IReadOnlyList<MultibootModule> modules, FreeMemory free)
    {
        if (modules.Count > LargestModuleCount)
        {
            throw new MachineBootException($"There are {modules.Count} Multiboot modules; at most {LargestModuleCount} are passed.");
        }

        Span<byte> entry = stackalloc byte[ModuleEntryLength];
        for (int i = 0; i < modules.Count; i++)
        {
            ReadOnlySpan<byte> content = modules[i].Content.Span;
            ulong start = free.PlaceAbove(content, $"Multiboot module {i}");
            ulong line = WriteString(modules[i].CommandLine, $"command line of module {i}");
            BinaryPrimitives.WriteUInt32LittleEndian(entry, (uint)start);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[4..], (uint)(start + (ulong)content.Length));
            BinaryPrimitives.WriteUInt32LittleEndian(entry[8..], (uint)line);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[12..], 0);
            _memory.Write(Address + ModulesOffset + (ulong)(i * ModuleEntryLength), entry);
        }
    }

    private ulong WriteString(string text, string what)
    {
        byte[] bytes = Encoding.UTF8.GetBytes(text + "\0");
        ulong room = Address + End - _nextString;
        if ((ulong)bytes.Length > room)
        {
            throw new MachineBootException($"The Multiboot {what} is {bytes.Length - 1} bytes long; there is room for {(long)room - 1}.");
        }

        ulong address = _nextString;
        _memory.Write(address, bytes);
        _nextString += (ulong)bytes.Length;
        return address;
    }
}
