using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.IO;
using System.Text;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Acpi;

namespace VirtShell.Machine.Boot;

/// <summary>Writes the Multiboot 2 information (specification 2.0, 3.6): tags, each on 8 bytes, of the command line, the modules, memory and ACPI.</summary>
internal sealed class Multiboot2Information
{
    private const uint CommandLine = 1;
    private const uint LoaderName = 2;
    private const uint Module = 3;
    private const uint BasicMemory = 4;
    private const uint MemoryMapTag = 6;
    private const uint AcpiNew = 15;
    private const uint MapEntryLength = 24;
    private const ulong GdtOffset = 0x7C00;
    private const int MostBytes = (int)GdtOffset;

    private readonly PhysicalMemory _memory;

    public Multiboot2Information(PhysicalMemory memory)
    {
        _memory = memory;
        Address = BootArea.MultibootStart(memory);
    }

    public ulong Address { get; }

    public ulong Gdt => Address + GdtOffset;

    /// <param name="boot">Gives the command line and the modules.</param>
    /// <param name="free">Where the image already stands; the modules come above it.</param>
    /// <param name="rsdp">Where the ACPI root pointer is; 0 for nowhere.</param>
    /// <exception cref="MachineBootException">The modules or the strings do not fit.</exception>
    public void Write(MultibootBoot boot, FreeMemory free, ulong rsdp)
    {
        using MemoryStream stream = new();
        using BinaryWriter writer = new(stream);
        void Tag(uint type, params ReadOnlySpan<byte> content)
        {
            writer.Write(type);
            writer.Write((uint)(8 + content.Length));
            writer.Write(content);
            while (stream.Length % 8 != 0)
            {
                writer.Write((byte)0);
            }
        }

        writer.Write(0ul);
        Tag(CommandLine, Text(boot.CommandLine));
        Tag(LoaderName, "VirtShell\0"u8);
        for (int i = 0; i < boot.Modules.Count; i++)
        {
            MultibootModule module = boot.Modules[i];
            uint start = (uint)free.PlaceAbove(module.Content.Span, $"Multiboot module {i}");
            Tag(Module, [.. BitConverter.GetBytes(start), .. BitConverter.GetBytes(start + (uint)module.Content.Length), .. Text(module.CommandLine)]);
        }

        uint lower = (uint)(Math.Min(_memory.LowRamBytes, MemoryMap.ExtendedBiosData) >> 10);
        uint upper = (uint)(_memory.LowRamBytes > MemoryMap.HighMemory ? (_memory.LowRamBytes - MemoryMap.HighMemory) >> 10 : 0);
        Tag(BasicMemory, [.. BitConverter.GetBytes(lower), .. BitConverter.GetBytes(upper)]);
        List<byte> map = [.. BitConverter.GetBytes(MapEntryLength), 0, 0, 0, 0];
        foreach (MemoryRange range in MemoryMap.Ranges(_memory))
        {
            map.AddRange([.. BitConverter.GetBytes(range.Start), .. BitConverter.GetBytes(range.Length), .. BitConverter.GetBytes((uint)range.Kind), 0, 0, 0, 0]);
        }

        Tag(MemoryMapTag, [.. map]);
        if (rsdp != 0)
        {
            byte[] pointer = new byte[AcpiTables.RsdpLength];
            _memory.Read(rsdp, pointer);
            Tag(AcpiNew, pointer);
        }

        Tag(0);
        byte[] information = stream.ToArray();
        if (information.Length > MostBytes)
        {
            throw new MachineBootException($"What a Multiboot 2 image is told takes {information.Length} bytes; there is room for {MostBytes}. Shorten the command lines, or give fewer modules.");
        }

        BinaryPrimitives.WriteInt32LittleEndian(information, information.Length);
        _memory.Write(Address, information);
    }

    private static byte[] Text(string text) => Encoding.UTF8.GetBytes(text + "\0");
}
