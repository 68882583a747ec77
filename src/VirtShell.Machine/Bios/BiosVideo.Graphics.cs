using System;

namespace VirtShell.Machine.Bios;

/// <summary>Pixels and characters in graphics modes.</summary>
internal sealed partial class BiosVideo
{
    private const byte Exclusive = 0x80;
    private const int CgaOdd = 0x2000;

    private void SetPixel(int x, int y, byte colour, int page)
    {
        VideoMode mode = Mode;
        if (!HasDisplay || x >= mode.Width || y >= mode.Height)
        {
            return;
        }

        switch (mode.Kind)
        {
            case VideoKind.Cga:
                int bits = mode.Number == 6 ? 1 : 2;
                int perByte = 8 / bits;
                uint at = mode.Memory + (uint)(((y & 1) * CgaOdd) + ((y >> 1) * 80) + (x / perByte));
                int shift = (perByte - 1 - (x % perByte)) * bits;
                int mask = ((1 << bits) - 1) << shift;
                int value = (colour << shift) & mask;
                byte before = c.Byte(at);
                c.SetByte(at, (byte)((colour & Exclusive) != 0 ? before ^ value : (before & ~mask) | value));
                break;
            case VideoKind.Planar:
                DrawBits(mode.Memory + (uint)((page * mode.PageSize) + (y * mode.Columns) + (x >> 3)), (byte)(0x80 >> (x & 7)), colour);
                RestorePlanar();
                break;
            case VideoKind.Packed:
                c.SetByte(mode.Memory + (uint)((y * mode.Width) + x), colour);
                break;
            default:
                break;
        }
    }

    private byte GetPixel(int x, int y, int page)
    {
        VideoMode mode = Mode;
        if (!HasDisplay || x >= mode.Width || y >= mode.Height)
        {
            return 0;
        }

        switch (mode.Kind)
        {
            case VideoKind.Cga:
                int bits = mode.Number == 6 ? 1 : 2;
                int perByte = 8 / bits;
                byte packed = c.Byte(mode.Memory + (uint)(((y & 1) * CgaOdd) + ((y >> 1) * 80) + (x / perByte)));
                return (byte)((packed >> ((perByte - 1 - (x % perByte)) * bits)) & ((1 << bits) - 1));
            case VideoKind.Planar:
                uint at = mode.Memory + (uint)((page * mode.PageSize) + (y * mode.Columns) + (x >> 3));
                int colour = 0;
                for (int plane = 0; plane < 4; plane++)
                {
                    WriteIndexed(VgaPorts.GraphicsIndex, 4, plane);
                    colour |= ((c.Byte(at) >> (7 - (x & 7))) & 1) << plane;
                }

                WriteIndexed(VgaPorts.GraphicsIndex, 4, 0);
                return (byte)colour;
            case VideoKind.Packed:
                return c.Byte(mode.Memory + (uint)((y * mode.Width) + x));
            default:
                return 0;
        }
    }

    // Bits of a byte in all planes at once: set/reset gives the colour, the latches keep the other bits.
    private void DrawBits(uint at, byte bits, byte colour)
    {
        WriteIndexed(VgaPorts.GraphicsIndex, 8, bits);
        WriteIndexed(VgaPorts.GraphicsIndex, 0, colour & 0x0F);
        WriteIndexed(VgaPorts.GraphicsIndex, 1, 0x0F);
        WriteIndexed(VgaPorts.GraphicsIndex, 3, (colour & Exclusive) != 0 ? 0x18 : 0);
        c.Byte(at);
        c.SetByte(at, 0xFF);
    }

    private void RestorePlanar()
    {
        WriteIndexed(VgaPorts.GraphicsIndex, 8, 0xFF);
        WriteIndexed(VgaPorts.GraphicsIndex, 0, 0);
        WriteIndexed(VgaPorts.GraphicsIndex, 1, 0);
        WriteIndexed(VgaPorts.GraphicsIndex, 3, 0);
    }

    // Bit 7 of the colour draws over what is there.
    private void DrawCharacter(int page, int row, int column, byte character, byte colour)
    {
        VideoMode mode = Mode;
        int height = c.Data(Bda.CharacterHeight);
        if (mode.Kind is VideoKind.Extended || height is 0 or > GlyphRoom)
        {
            return;
        }

        Span<byte> glyph = stackalloc byte[height];
        Glyph(character, glyph);
        for (int line = 0; line < height; line++)
        {
            int y = (row * height) + line;
            if (y >= mode.Height)
            {
                break;
            }

            switch (mode.Kind)
            {
                case VideoKind.Planar:
                    uint at = mode.Memory + (uint)((page * mode.PageSize) + (y * mode.Columns) + column);
                    if ((colour & Exclusive) == 0)
                    {
                        DrawBits(at, (byte)~glyph[line], 0);
                    }

                    DrawBits(at, glyph[line], colour);
                    break;
                case VideoKind.Packed:
                    for (int x = 0; x < 8; x++)
                    {
                        bool isSet = ((glyph[line] << x) & 0x80) != 0;
                        c.SetByte(mode.Memory + (uint)((y * mode.Width) + (column * 8) + x), isSet ? colour : (byte)0);
                    }

                    break;
                default:
                    DrawCgaLine(mode, y, column, glyph[line], colour);
                    break;
            }
        }

        if (mode.Kind == VideoKind.Planar)
        {
            RestorePlanar();
        }
    }

    private void DrawCgaLine(VideoMode mode, int y, int column, byte bits, byte colour)
    {
        uint line = mode.Memory + (uint)(((y & 1) * CgaOdd) + ((y >> 1) * 80));
        bool isExclusive = (colour & Exclusive) != 0;
        if (mode.Number == 6)
        {
            uint at = line + (uint)column;
            byte value = (colour & 1) != 0 ? bits : (byte)0;
            c.SetByte(at, isExclusive ? (byte)(c.Byte(at) ^ value) : value);
            return;
        }

        for (int half = 0; half < 2; half++)
        {
            uint at = line + (uint)((column * 2) + half);
            int value = 0;
            for (int x = 0; x < 4; x++)
            {
                bool isSet = ((bits << ((half * 4) + x)) & 0x80) != 0;
                value = (value << 2) | (isSet ? colour & 3 : 0);
            }

            c.SetByte(at, (byte)(isExclusive ? c.Byte(at) ^ value : value));
        }
    }

    // The CGA's modes have the upper half of their characters at INT 1Fh.
    private void Glyph(byte character, Span<byte> glyph)
    {
        uint vector = Mode.Kind == VideoKind.Cga && character >= 0x80 ? 0x1Fu : 0x43u;
        int index = vector == 0x1F ? character - 0x80 : character;
        uint font = ((uint)c.Word((vector * 4) + 2) << 4) + c.Word(vector * 4);
        c.Processor.ReadLinear(font + (uint)(index * glyph.Length), glyph);
    }

    // Which character stands there, by its looks; 0 where it is none.
    private ushort ReadGraphicCharacter(int page, int row, int column)
    {
        int height = c.Data(Bda.CharacterHeight);
        if (Mode.Kind is VideoKind.Extended || height is 0 or > GlyphRoom)
        {
            return 0;
        }

        Span<byte> seen = stackalloc byte[height];
        for (int line = 0; line < height; line++)
        {
            for (int x = 0; x < 8; x++)
            {
                seen[line] = (byte)((seen[line] << 1) | (GetPixel((column * 8) + x, (row * height) + line, page) != 0 ? 1 : 0));
            }
        }

        Span<byte> glyph = stackalloc byte[height];
        for (int character = 0; character < BiosFont.Characters; character++)
        {
            Glyph((byte)character, glyph);
            if (glyph.SequenceEqual(seen))
            {
                return (ushort)character;
            }
        }

        return 0;
    }

    private void MoveGraphicRows(int page, int top, int bottom, int left, int right, int lines, bool isUp, byte colour)
    {
        VideoMode mode = Mode;
        int height = c.Data(Bda.CharacterHeight);
        if (mode.Kind is VideoKind.Extended || height == 0)
        {
            return;
        }

        int unit = mode.Kind switch { VideoKind.Packed => 8, VideoKind.Cga => mode.Number == 6 ? 1 : 2, _ => 1 };
        int stride = mode.Kind switch { VideoKind.Packed => mode.Width, VideoKind.Cga => 80, _ => mode.Columns };
        Span<byte> line = stackalloc byte[(right - left + 1) * unit];
        uint Address(int y) => mode.Memory + (uint)(left * unit) + (uint)(mode.Kind == VideoKind.Cga
            ? ((y & 1) * CgaOdd) + ((y >> 1) * stride)
            : (page * (mode.Kind == VideoKind.Planar ? mode.PageSize : 0)) + (y * stride));
        byte fill = mode.Kind switch
        {
            VideoKind.Packed => colour,
            VideoKind.Cga => mode.Number == 6 ? (byte)((colour & 1) * 0xFF) : (byte)((colour & 3) * 0x55),
            _ => 0xFF,
        };
        int first = top * height;
        int last = Math.Min(((bottom + 1) * height) - 1, mode.Height - 1);
        int distance = lines * height;
        if (mode.Kind == VideoKind.Planar)
        {
            WriteIndexed(VgaPorts.SequencerIndex, 2, 0x0F);
        }

        for (int i = 0; i <= last - first; i++)
        {
            int to = isUp ? first + i : last - i;
            int from = isUp ? to + distance : to - distance;
            bool isCopied = lines != 0 && from >= first && from <= last;
            if (mode.Kind == VideoKind.Planar)
            {
                // Write mode 1 copies the latches; set/reset fills.
                if (isCopied)
                {
                    WriteIndexed(VgaPorts.GraphicsIndex, 5, 1);
                    for (int x = 0; x < line.Length; x++)
                    {
                        c.SetByte(Address(to) + (uint)x, c.Byte(Address(from) + (uint)x));
                    }
                }
                else
                {
                    WriteIndexed(VgaPorts.GraphicsIndex, 5, 0);
                    WriteIndexed(VgaPorts.GraphicsIndex, 0, colour & 0x0F);
                    WriteIndexed(VgaPorts.GraphicsIndex, 1, 0x0F);
                    line.Fill(fill);
                    c.Processor.WriteLinear(Address(to), (ReadOnlySpan<byte>)line);
                    WriteIndexed(VgaPorts.GraphicsIndex, 1, 0);
                }

                continue;
            }

            if (isCopied)
            {
                c.Processor.ReadLinear(Address(from), line);
            }
            else
            {
                line.Fill(fill);
            }

            c.Processor.WriteLinear(Address(to), (ReadOnlySpan<byte>)line);
        }

        if (mode.Kind == VideoKind.Planar)
        {
            WriteIndexed(VgaPorts.GraphicsIndex, 5, 0);
            WriteIndexed(VgaPorts.GraphicsIndex, 0, 0);
        }
    }

    private void SetCgaColours()
    {
        byte value = c.Data(Bda.CgaPalette);
        byte border = c.Bl;
        if (c.Bh == 0)
        {
            c.SetData(Bda.CgaPalette, (byte)((value & 0xE0) | (border & 0x1F)));
            if (HasDisplay)
            {
                byte colour = (byte)((border & 7) | ((border & 8) << 1));
                WriteAttribute(0x11, colour);
                if (Mode.Kind == VideoKind.Cga && Mode.Number != 6)
                {
                    WriteAttribute(0, colour);
                    for (int i = 1; i < 4; i++)
                    {
                        WriteAttribute(i, (byte)((ReadAttribute(i) & 0x0F) | (border & 0x10)));
                    }
                }
                else if (Mode.Number == 6)
                {
                    WriteAttribute(1, colour);
                }
            }
        }
        else if (c.Bh == 1)
        {
            c.SetData(Bda.CgaPalette, (byte)((value & ~0x20) | ((border & 1) << 5)));
            if (HasDisplay && Mode.Kind == VideoKind.Cga && Mode.Number != 6)
            {
                for (int i = 1; i < 4; i++)
                {
                    WriteAttribute(i, (byte)((i * 2) | (border & 1) | (ReadAttribute(i) & 0x10)));
                }
            }
        }
    }
}
