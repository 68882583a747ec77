using System;

namespace VirtShell.Machine.Bios;

/// <summary>How a video mode keeps its picture.</summary>
internal enum VideoKind
{
    Text,

    /// <summary>Two colours or four, even and odd lines apart, as the CGA has it.</summary>
    Cga,

    /// <summary>Four planes.</summary>
    Planar,

    /// <summary>A byte a pixel.</summary>
    Packed,

    /// <summary>A mode of the VBE, which the standard functions do not draw in.</summary>
    Extended,
}

/// <summary>Which colours the DAC gets.</summary>
internal enum VideoPalette
{
    /// <summary>Three levels of grey.</summary>
    Mono,

    /// <summary>16 colours, bit 4 being their brightness.</summary>
    Cga,

    /// <summary>64 colours, two bits for each part.</summary>
    Ega,

    /// <summary>256 colours.</summary>
    Vga,
}

/// <summary>A standard video mode: what the data area says of it, and the values of the VGA's registers (IBM PS/2 Hardware Interface Technical Reference, video subsystem).</summary>
internal sealed record VideoMode(
    byte Number,
    VideoKind Kind,
    int Columns,
    int CharacterHeight,
    int Width,
    int Height,
    int PageSize,
    int Pages,
    uint Memory,
    VideoPalette Palette,
    byte Miscellaneous,
    byte[] Sequencer,
    byte[] Crtc,
    byte[] Graphics,
    byte[] Attribute)
{
    private const uint TextMemory = 0xB_8000;
    private const uint MonoMemory = 0xB_0000;
    private const uint GraphicsMemory = 0xA_0000;

    // Attribute controllers' palettes.
    private static readonly byte[] s_ega = [0, 1, 2, 3, 4, 5, 0x14, 7, 0x38, 0x39, 0x3A, 0x3B, 0x3C, 0x3D, 0x3E, 0x3F];
    private static readonly byte[] s_bright = [0, 1, 2, 3, 4, 5, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17];
    private static readonly byte[] s_cga4 = [0, 0x13, 0x15, 0x17, 2, 4, 6, 7, 0x10, 0x11, 0x12, 0x13, 0x14, 0x15, 0x16, 0x17];
    private static readonly byte[] s_cga2 = [0, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17, 0x17];
    private static readonly byte[] s_mono = [0, 8, 8, 8, 8, 8, 8, 8, 0x10, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18, 0x18];
    private static readonly byte[] s_mono2 = [0, 8, 0, 0, 0x18, 0x18, 0, 0, 0, 8, 0, 0, 0, 0x18, 0, 0];
    private static readonly byte[] s_two = [0, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F, 0x3F];
    private static readonly byte[] s_plain = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    private static readonly VideoMode[] s_all = Build();

    /// <summary>Rows of characters.</summary>
    public int Rows => Height / CharacterHeight;

    /// <summary>The first of the CRT controller's two ports.</summary>
    public ushort CrtcPort => (ushort)((Miscellaneous & 1) != 0 ? 0x3D4 : 0x3B4);

    /// <summary>The mode of a number, without bit 7; null where there is none.</summary>
    public static VideoMode? Find(int number)
    {
        foreach (VideoMode mode in s_all)
        {
            if (mode.Number == number)
            {
                return mode;
            }
        }

        return null;
    }

    private static VideoMode[] Build()
    {
        byte[] graphicsText = [0, 0, 0, 0, 0, 0x10, 0x0E, 0, 0xFF];
        byte[] graphicsMono = [0, 0, 0, 0, 0, 0x10, 0x0A, 0, 0xFF];
        byte[] graphicsPlanar = [0, 0, 0, 0, 0, 0, 0x05, 0x0F, 0xFF];
        byte[] crtc40 = MakeCrtc(0x2D, 0x27, 0x28, 0x90, 0x2B, 0xA0, Lines400, 0x4F, cursor: true, 0x14, 0x1F, 0xA3);
        byte[] crtc80 = MakeCrtc(0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, Lines400, 0x4F, cursor: true, 0x28, 0x1F, 0xA3);
        byte[] crtcMono = MakeCrtc(0x5F, 0x4F, 0x50, 0x82, 0x55, 0x81, Lines400, 0x4F, cursor: true, 0x28, 0x0F, 0xA3);
        byte[] attributeText = [.. s_ega, 0x0C, 0, 0x0F, 0x08, 0];
        VideoMode Text(byte number, int columns) => new(
            number, VideoKind.Text, columns, 16, columns * (columns == 80 ? 9 : 8), 400, columns == 80 ? 0x1000 : 0x800, 8, TextMemory, VideoPalette.Ega, 0x67,
            [0x03, columns == 80 ? (byte)0 : (byte)8, 0x03, 0, 0x02], columns == 80 ? crtc80 : crtc40, graphicsText, attributeText);
        VideoMode Planar(byte number, int columns, int height, int character, int width, int page, int pages, VideoPalette palette, byte misc, byte clock, byte[] crtc, byte[] attribute) => new(
            number, VideoKind.Planar, columns, character, width, height, page, pages, GraphicsMemory, palette, misc, [0x03, clock, 0x0F, 0, 0x06], crtc, graphicsPlanar, attribute);
        byte[] low = MakeCrtc(0x2D, 0x27, 0x28, 0x90, 0x2B, 0x80, Lines400, 0xC0, cursor: false, 0x14, 0x00, 0xE3);
        byte[] wide = MakeCrtc(0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, Lines400, 0xC0, cursor: false, 0x28, 0x00, 0xE3);
        byte[] tall = MakeCrtc(0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, Lines350, 0x40, cursor: false, 0x28, 0x0F, 0xE3);
        byte[] full = MakeCrtc(0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, Lines480, 0x40, cursor: false, 0x28, 0x00, 0xE3);
        byte[] colours = [.. s_ega, 0x01, 0, 0x0F, 0, 0];
        return
        [
            Text(0, 40), Text(1, 40), Text(2, 80), Text(3, 80),
            new(4, VideoKind.Cga, 40, 8, 320, 200, 0x4000, 1, TextMemory, VideoPalette.Cga, 0x63, [0x03, 9, 0x03, 0, 0x02],
                MakeCrtc(0x2D, 0x27, 0x28, 0x90, 0x2B, 0x80, Lines400, 0xC1, cursor: false, 0x14, 0x00, 0xA2), [0, 0, 0, 0, 0, 0x30, 0x0F, 0, 0xFF], [.. s_cga4, 0x01, 0, 0x03, 0, 0]),
            new(5, VideoKind.Cga, 40, 8, 320, 200, 0x4000, 1, TextMemory, VideoPalette.Cga, 0x63, [0x03, 9, 0x03, 0, 0x02],
                MakeCrtc(0x2D, 0x27, 0x28, 0x90, 0x2B, 0x80, Lines400, 0xC1, cursor: false, 0x14, 0x00, 0xA2), [0, 0, 0, 0, 0, 0x30, 0x0F, 0, 0xFF], [.. s_cga4, 0x01, 0, 0x03, 0, 0]),
            new(6, VideoKind.Cga, 80, 8, 640, 200, 0x4000, 1, TextMemory, VideoPalette.Cga, 0x63, [0x03, 1, 0x01, 0, 0x06],
                MakeCrtc(0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, Lines400, 0xC1, cursor: false, 0x28, 0x00, 0xC2), [0, 0, 0, 0, 0, 0, 0x0D, 0, 0xFF], [.. s_cga2, 0x01, 0, 0x01, 0, 0]),
            new(7, VideoKind.Text, 80, 16, 720, 400, 0x1000, 8, MonoMemory, VideoPalette.Mono, 0x66, [0x03, 0, 0x03, 0, 0x02], crtcMono, graphicsMono, [.. s_mono, 0x0E, 0, 0x0F, 0x08, 0]),
            Planar(0x0D, 40, 200, 8, 320, 0x2000, 8, VideoPalette.Cga, 0x63, 9, low, [.. s_bright, 0x01, 0, 0x0F, 0, 0]),
            Planar(0x0E, 80, 200, 8, 640, 0x4000, 4, VideoPalette.Cga, 0x63, 1, wide, [.. s_bright, 0x01, 0, 0x0F, 0, 0]),
            Planar(0x0F, 80, 350, 14, 640, 0x8000, 2, VideoPalette.Mono, 0xA2, 1, tall, [.. s_mono2, 0x0B, 0, 0x05, 0, 0]),
            Planar(0x10, 80, 350, 14, 640, 0x8000, 2, VideoPalette.Ega, 0xA3, 1, tall, colours),
            Planar(0x11, 80, 480, 16, 640, 0xA000, 1, VideoPalette.Ega, 0xE3, 1, full, [.. s_two, 0x01, 0, 0x0F, 0, 0]),
            Planar(0x12, 80, 480, 16, 640, 0xA000, 1, VideoPalette.Ega, 0xE3, 1, full, colours),
            new(0x13, VideoKind.Packed, 40, 8, 320, 200, 0x10000, 1, GraphicsMemory, VideoPalette.Vga, 0x63, [0x03, 1, 0x0F, 0, 0x0E],
                MakeCrtc(0x5F, 0x4F, 0x50, 0x82, 0x54, 0x80, Lines400, 0x41, cursor: false, 0x28, 0x40, 0xA3), [0, 0, 0, 0, 0, 0x40, 0x05, 0x0F, 0xFF], [.. s_plain, 0x41, 0, 0x0F, 0, 0]),
        ];
    }

    // Vertical total, overflow; then retrace start and end, display end, blanking start and end.
    private static ReadOnlySpan<byte> Lines350 => [0xBF, 0x1F, 0x83, 0x85, 0x5D, 0x63, 0xBA];

    private static ReadOnlySpan<byte> Lines400 => [0xBF, 0x1F, 0x9C, 0x8E, 0x8F, 0x96, 0xB9];

    private static ReadOnlySpan<byte> Lines480 => [0x0B, 0x3E, 0xEA, 0x8C, 0xDF, 0xE7, 0x04];

    private static byte[] MakeCrtc(byte total, byte shown, byte blank, byte blankEnd, byte retrace, byte retraceEnd, ReadOnlySpan<byte> lines, byte rows, bool cursor, byte offset, byte underline, byte mode) =>
    [
        total, shown, blank, blankEnd, retrace, retraceEnd, lines[0], lines[1], 0, rows,
        cursor ? (byte)0x0D : (byte)0, cursor ? (byte)0x0E : (byte)0, 0, 0, 0, 0,
        lines[2], lines[3], lines[4], offset, underline, lines[5], lines[6], mode, 0xFF,
    ];

    /// <summary>A colour of the mode's palette, 6 bits a part.</summary>
    public static (byte Red, byte Green, byte Blue) Colour(VideoPalette palette, int index)
    {
        const int Third = 0x15;
        byte Cga(int part, int colour)
        {
            // Dark yellow is brown.
            bool isBrown = (colour & 15) == 6 && part == 1;
            return (byte)((((colour >> (2 - part)) & 1) * (isBrown ? Third : 2 * Third)) + ((colour & 8) != 0 ? Third : 0));
        }

        switch (palette)
        {
            case VideoPalette.Mono:
                byte grey = (index & 0x18) switch { 0 => 0, 8 => 0x2A, 0x10 => 0x15, _ => 0x3F };
                return (grey, grey, grey);
            case VideoPalette.Cga:
                int colour = (index & 7) | ((index & 0x10) >> 1);
                return (Cga(0, colour), Cga(1, colour), Cga(2, colour));
            case VideoPalette.Ega:
                byte Part(int at) => (byte)(((((index >> at) & 1) * 2) + ((index >> (at + 3)) & 1)) * Third);
                return (Part(2), Part(1), Part(0));
            default:
                return index < 16 ? (Cga(0, index), Cga(1, index), Cga(2, index)) : Hue(index);
        }
    }

    // 16 greys; then, of three brightnesses, three saturations of 24 hues each.
    private static (byte Red, byte Green, byte Blue) Hue(int index)
    {
        ReadOnlySpan<byte> greys = [0x00, 0x05, 0x08, 0x0B, 0x0E, 0x11, 0x14, 0x18, 0x1C, 0x20, 0x24, 0x28, 0x2D, 0x32, 0x38, 0x3F];
        ReadOnlySpan<byte> levels =
        [
            0x00, 0x10, 0x1F, 0x2F, 0x3F, 0x1F, 0x27, 0x2F, 0x37, 0x3F, 0x2D, 0x31, 0x36, 0x3A, 0x3F,
            0x00, 0x07, 0x0E, 0x15, 0x1C, 0x0E, 0x11, 0x15, 0x18, 0x1C, 0x14, 0x16, 0x18, 0x1A, 0x1C,
            0x00, 0x04, 0x08, 0x0C, 0x10, 0x08, 0x0A, 0x0C, 0x0E, 0x10, 0x0B, 0x0C, 0x0D, 0x0F, 0x10,
        ];
        if (index < 32)
        {
            return (greys[index - 16], greys[index - 16], greys[index - 16]);
        }

        if (index >= 32 + (9 * 24))
        {
            return (0, 0, 0);
        }

        ReadOnlySpan<byte> level = levels.Slice((index - 32) / 24 * 5, 5);
        int hue = (index - 32) % 24;
        int step = hue % 4;
        int up = step;
        int down = 4 - step;
        (int r, int g, int b) = (hue / 4) switch
        {
            0 => (up, 0, 4),
            1 => (4, 0, down),
            2 => (4, up, 0),
            3 => (down, 4, 0),
            4 => (0, 4, up),
            _ => (0, down, 4),
        };
        return (level[r], level[g], level[b]);
    }
}
