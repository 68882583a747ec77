using System;
using System.Buffers.Binary;
using System.IO;
using Iced.Intel;

namespace VirtShell.Machine.Tests.Boot;

/// <summary>Builds Multiboot images from assembled code, in each of the formats that a loader must know.</summary>
internal static class MultibootImages
{
    public const uint LoadAddress = 0x10_0000;
    private const uint Magic = 0x1BAD_B002;
    private const int HeaderLength = 32;

    /// <summary>An image with the addresses in its header; code begins right behind it.</summary>
    public static byte[] Flat(Action<Assembler> code, uint bss = 0x1000)
    {
        byte[] text = Assemble(code, LoadAddress + HeaderLength);
        byte[] image = new byte[HeaderLength + text.Length];
        WriteHeader(image, 0x1_0000);
        uint[] addresses = [LoadAddress, LoadAddress, LoadAddress + (uint)image.Length, LoadAddress + (uint)image.Length + bss, LoadAddress + HeaderLength];
        for (int i = 0; i < addresses.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(image.AsSpan(12 + (4 * i)), addresses[i]);
        }

        text.CopyTo(image, HeaderLength);
        return image;
    }

    /// <summary>An ELF image of either class with one segment, linked 4000_0000h above where it loads.</summary>
    public static byte[] Elf(bool wide, Action<Assembler> code, ushort machine = 3)
    {
        const uint linked = LoadAddress + 0x4000_0000;
        byte[] text = Assemble(code, linked + 12);
        byte[] image = new byte[0x100 + 12 + text.Length];
        Span<byte> i = image;
        new byte[] { 0x7F, (byte)'E', (byte)'L', (byte)'F', (byte)(wide ? 2 : 1), 1, 1 }.CopyTo(i);
        BinaryPrimitives.WriteUInt16LittleEndian(i[16..], 2);
        BinaryPrimitives.WriteUInt16LittleEndian(i[18..], machine);
        int length = 12 + text.Length;
        if (wide)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(i[24..], linked + 12);
            BinaryPrimitives.WriteUInt64LittleEndian(i[32..], 64);
            BinaryPrimitives.WriteUInt16LittleEndian(i[54..], 56);
            BinaryPrimitives.WriteUInt16LittleEndian(i[56..], 1);
            Span<byte> p = i[64..];
            BinaryPrimitives.WriteUInt32LittleEndian(p, 1);
            BinaryPrimitives.WriteUInt64LittleEndian(p[8..], 0x100);
            BinaryPrimitives.WriteUInt64LittleEndian(p[16..], linked);
            BinaryPrimitives.WriteUInt64LittleEndian(p[24..], LoadAddress);
            BinaryPrimitives.WriteUInt64LittleEndian(p[32..], (ulong)length);
            BinaryPrimitives.WriteUInt64LittleEndian(p[40..], (ulong)length + 0x2000);
        }
        else
        {
            BinaryPrimitives.WriteUInt32LittleEndian(i[24..], linked + 12);
            BinaryPrimitives.WriteUInt32LittleEndian(i[28..], 52);
            BinaryPrimitives.WriteUInt16LittleEndian(i[42..], 32);
            BinaryPrimitives.WriteUInt16LittleEndian(i[44..], 1);
            Span<byte> p = i[52..];
            BinaryPrimitives.WriteUInt32LittleEndian(p, 1);
            BinaryPrimitives.WriteUInt32LittleEndian(p[4..], 0x100);
            BinaryPrimitives.WriteUInt32LittleEndian(p[8..], linked);
            BinaryPrimitives.WriteUInt32LittleEndian(p[12..], LoadAddress);
            BinaryPrimitives.WriteUInt32LittleEndian(p[16..], (uint)length);
            BinaryPrimitives.WriteUInt32LittleEndian(p[20..], (uint)length + 0x2000);
        }

        WriteHeader(i[0x100..], 0);
        text.CopyTo(i[0x10C..]);
        return image;
    }

    /// <summary>A Multiboot 2 image: by the addresses in its header, or an ELF file of either class; with one more header tag.</summary>
    public static byte[] Second(string format, Action<Assembler> code, ushort tag = 6, ushort flags = 0)
    {
        const int length = 16 + 24 + 16 + 8 + 8;
        byte[] header = new byte[length];
        Span<byte> h = header;
        uint[] start = [0xE852_50D6, 0, length, unchecked(0u - 0xE852_50D6 - length)];
        for (int i = 0; i < start.Length; i++)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(h[(4 * i)..], start[i]);
        }

        // Tag 2 or, in an ELF file, one that may be left unknown; tag 3; the one asked for; the end.
        bool isFlat = format == "flat";
        BinaryPrimitives.WriteUInt16LittleEndian(h[16..], isFlat ? (ushort)2 : (ushort)99);
        BinaryPrimitives.WriteUInt16LittleEndian(h[18..], isFlat ? (ushort)0 : (ushort)1);
        BinaryPrimitives.WriteUInt32LittleEndian(h[20..], 24);
        BinaryPrimitives.WriteUInt32LittleEndian(h[24..], LoadAddress);
        BinaryPrimitives.WriteUInt32LittleEndian(h[28..], LoadAddress);
        BinaryPrimitives.WriteUInt16LittleEndian(h[40..], 3);
        BinaryPrimitives.WriteUInt32LittleEndian(h[44..], 12);
        BinaryPrimitives.WriteUInt32LittleEndian(h[48..], LoadAddress + (isFlat ? (uint)length : 12));
        BinaryPrimitives.WriteUInt16LittleEndian(h[56..], tag);
        BinaryPrimitives.WriteUInt16LittleEndian(h[58..], flags);
        BinaryPrimitives.WriteUInt32LittleEndian(h[60..], 8);
        BinaryPrimitives.WriteUInt32LittleEndian(h[68..], 8);
        if (isFlat)
        {
            return [.. header, .. Assemble(code, LoadAddress + length)];
        }

        // The header of the first version gives way to one of the second behind the segment.
        byte[] elf = Elf(format == "elf64", code, format == "elf64" ? (ushort)62 : (ushort)3);
        elf.AsSpan(0x100, 12).Clear();
        Array.Resize(ref elf, ((elf.Length + 7) & ~7) + length);
        header.CopyTo(elf, elf.Length - length);
        return elf;
    }

    private static void WriteHeader(Span<byte> at, uint flags)
    {
        BinaryPrimitives.WriteUInt32LittleEndian(at, Magic);
        BinaryPrimitives.WriteUInt32LittleEndian(at[4..], flags);
        BinaryPrimitives.WriteUInt32LittleEndian(at[8..], unchecked(0u - Magic - flags));
    }

    private static byte[] Assemble(Action<Assembler> code, ulong address)
    {
        Assembler assembler = new(32);
        code(assembler);
        using MemoryStream stream = new();
        assembler.Assemble(new StreamCodeWriter(stream), address);
        return stream.ToArray();
    }
}
