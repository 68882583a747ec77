using System;
using System.Globalization;
using System.IO;

namespace VirtShell.Machine.Display;

/// <summary>Leaves the display in 80 by 25 characters, as a PC's firmware does before it starts a system.</summary>
internal static class VgaTextMode
{
    /// <summary>The number of the mode.</summary>
    public const byte Number = 3;
    public const int Columns = 80;
    public const int Rows = 25;
    public const int CharacterHeight = 16;

    private const int FontStep = 32;
    private const ushort Blank = 0x0720;

    // Register values of mode 3+ with 9 by 16 dots (IBM PS/2 Hardware Interface Technical Reference, Video Subsystem).
    private const byte Misc = 0x67;

    private static ReadOnlySpan<byte> Sequencer => [0x03, 0x00, 0x03, 0x00, 0x02];

    private static ReadOnlySpan<byte> Crt =>
    [
        0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, 0xBF, 0x1F, 0x00, 0x4F, 0x0D, 0x0E, 0x00,
        0x00, 0x00, 0x00, 0x9C, 0x8E, 0x8F, 0x28, 0x1F, 0x96, 0xB9, 0xA3, 0xFF,
    ];

    private static ReadOnlySpan<byte> Graphics => [0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0E, 0x0F, 0xFF];

    private static ReadOnlySpan<byte> Attributes => [0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F, 0x0C, 0x00, 0x0F, 0x08, 0x00];

    /// <summary>Sets registers, colours and font, and clears the screen.</summary>
    public static void Set(VgaAdapter display)
    {
        VgaRegisters registers = display.Registers;
        registers.Write(0x3C2, Misc);
        for (int i = 0; i < Sequencer.Length; i++)
        {
            Write(registers, 0x3C4, i, Sequencer[i]);
        }

        for (int i = 0; i < Crt.Length; i++)
        {
            Write(registers, 0x3D4, i, Crt[i]);
        }

        for (int i = 0; i < Graphics.Length; i++)
        {
            Write(registers, 0x3CE, i, Graphics[i]);
        }

        registers.Read(0x3DA, 0);
        for (int i = 0; i < Attributes.Length; i++)
        {
            registers.Write(0x3C0, (byte)i);
            registers.Write(0x3C0, Attributes[i]);
        }

        registers.Write(0x3C0, 0x20);
        SetColors(registers);
        WriteFont(display.Memory);
        for (int i = 0; i < VideoMemory.PlaneSize; i += 2)
        {
            display.Memory.WritePlanes(i, (display.Memory.ReadPlanes(i) & 0xFFFF_0000) | Blank);
        }
    }

    // 64 colours: bits 2:0 are red, green and blue of two thirds, bits 5:3 of one third.
    private static void SetColors(VgaRegisters registers)
    {
        registers.Write(0x3C6, 0xFF);
        registers.Write(0x3C8, 0);
        for (int color = 0; color < 64; color++)
        {
            for (int part = 2; part >= 0; part--)
            {
                registers.Write(0x3C9, (byte)((((color >> part) & 1) * 0x2A) + (((color >> (part + 3)) & 1) * 0x15)));
            }
        }
    }

    private static void WriteFont(VideoMemory memory)
    {
        using Stream stream = typeof(VgaTextMode).Assembly.GetManifestResourceStream("spleen-437.txt")
            ?? throw new InvalidOperationException("The font is missing from the assembly.");
        using StreamReader reader = new(stream);
        int character = 0;
        while (reader.ReadLine() is { } line)
        {
            if (line.StartsWith('#'))
            {
                continue;
            }

            for (int row = 0; row < CharacterHeight; row++)
            {
                uint dots = byte.Parse(line.AsSpan(2 * row, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
                int at = (character * FontStep) + row;
                memory.WritePlanes(at, (memory.ReadPlanes(at) & 0xFF00_FFFF) | (dots << 16));
            }

            character++;
        }
    }

    private static void Write(VgaRegisters registers, ushort port, int index, byte value)
    {
        registers.Write(port, (byte)index);
        registers.Write((ushort)(port + 1), value);
    }
}
