using System;
using System.Runtime.CompilerServices;

namespace VirtShell.Machine.Display;

/// <summary>Draws the picture of a linear mode.</summary>
internal static class DispiRenderer
{
    public static ScreenPicture Draw(DispiRegisters dispi, VgaRegisters registers, VideoMemory memory)
    {
        int width = dispi.Width;
        int height = dispi.Height;
        byte[] rgb = new byte[width * height * 3];
        uint[] line = new uint[width];
        uint[] colors = new uint[256];
        for (int i = 0; i < colors.Length; i++)
        {
            colors[i] = registers.Color(i & registers.PelMask);
        }

        // A planar line has eight pixels in each group of four bytes.
        int bytes = dispi.Bits == 4 ? width / 2 : width * ((dispi.Bits + 7) / 8);
        byte[] content = new byte[bytes];
        for (int y = 0; y < height; y++)
        {
            int offset = dispi.FirstByte + (y * dispi.LineBytes);
            memory.CopyTo(offset, content);
            Convert(dispi.Bits, content, colors, registers, line);
            VgaRenderer.ToRgb(line, rgb.AsSpan(y * width * 3, width * 3));
        }

        return new ScreenPicture(width, height, rgb);
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Convert(int bits, ReadOnlySpan<byte> content, ReadOnlySpan<uint> colors, VgaRegisters registers, Span<uint> line)
    {
        switch (bits)
        {
            case 4:
                for (int x = 0; x < line.Length; x++)
                {
                    int group = (x >> 3) * 4;
                    int bit = 7 - (x & 7);
                    int value = ((content[group] >> bit) & 1) | (((content[group + 1] >> bit) & 1) << 1)
                        | (((content[group + 2] >> bit) & 1) << 2) | (((content[group + 3] >> bit) & 1) << 3);
                    line[x] = colors[registers.Attributes[value] & 0x3F];
                }

                break;
            case 8:
                for (int x = 0; x < line.Length; x++)
                {
                    line[x] = colors[content[x]];
                }

                break;
            case 15:
                for (int x = 0; x < line.Length; x++)
                {
                    int value = content[2 * x] | (content[(2 * x) + 1] << 8);
                    line[x] = (Widen5(value >> 10) << 16) | (Widen5(value >> 5) << 8) | Widen5(value);
                }

                break;
            case 16:
                for (int x = 0; x < line.Length; x++)
                {
                    int value = content[2 * x] | (content[(2 * x) + 1] << 8);
                    int green = (value >> 5) & 0x3F;
                    line[x] = (Widen5(value >> 11) << 16) | ((uint)((green << 2) | (green >> 4)) << 8) | Widen5(value);
                }

                break;
            default:
                int step = bits / 8;
                for (int x = 0; x < line.Length; x++)
                {
                    int at = x * step;
                    line[x] = (uint)(content[at] | (content[at + 1] << 8) | (content[at + 2] << 16));
                }

                break;
        }
    }

    private static uint Widen5(int value) => (uint)(((value & 0x1F) << 3) | ((value & 0x1F) >> 2));
}
