using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;

namespace VirtShell.Machine.Display;

/// <summary>Reads and draws the picture of a VGA from its registers and planes, as the hardware does line by line.</summary>
internal sealed class VgaRenderer
{
    private const int Colors = 256;
    private const byte MonoEmulation = 2;
    private const byte LineGraphics = 4;
    private const byte Blinks = 8;
    private const byte Wide256 = 0x40;

    private readonly VgaRegisters _registers;
    private readonly VideoMemory _memory;
    private readonly VgaGeometry _geometry;
    private readonly uint[] _dac = new uint[Colors];
    private readonly uint[] _palette = new uint[16];

    public VgaRenderer(VgaRegisters registers, VideoMemory memory)
    {
        _registers = registers;
        _memory = memory;
        _geometry = new VgaGeometry(registers);
        for (int i = 0; i < Colors; i++)
        {
            _dac[i] = registers.Color(i & registers.PelMask);
        }

        for (int i = 0; i < _palette.Length; i++)
        {
            _palette[i] = _dac[DacIndex(i)];
        }
    }

    public VgaGeometry Geometry => _geometry;

    /// <summary>The colours of the sixteen attributes.</summary>
    public IReadOnlyList<uint> Palette => _palette;

    /// <summary>Pixels of a line and lines as the mode counts them, and a pixel's bits.</summary>
    public (int Width, int Height, int Bits) Mode
    {
        get
        {
            // Lines of graphics that show the same memory count once.
            int repeat = _geometry.LineRepeat * (Interlaces ? 1 : _geometry.CellHeight);
            int width = _geometry.Columns * 8;
            return (_geometry.Is256Color ? width / 2 : width, Math.Max(_geometry.Lines / repeat, 1), _geometry.Is256Color ? 8 : _geometry.IsInterleaved ? 2 : 4);
        }
    }

    private bool Interlaces => (_registers.Crt[0x17] & 3) != 3;

    /// <summary>The characters of a text screen, and where the cursor is among them.</summary>
    public (List<TextCell> Cells, int Rows, (int Row, int Column)? Cursor) ReadText()
    {
        List<TextCell> cells = [];
        (int Row, int Column)? cursor = null;
        int cursorAddress = CursorAddress;
        int rows = 0;
        VgaLineWalk walk = new(_geometry);
        for (; walk.Line < _geometry.Lines; walk.Next())
        {
            if (!walk.IsFirstOfRow)
            {
                continue;
            }

            for (int column = 0; column < _geometry.Columns; column++)
            {
                int counter = walk.Counter + _geometry.CounterAt(column);
                uint planes = _memory.ReadPlanes(_geometry.Address(counter, 0));
                cells.Add(new TextCell((byte)planes, (byte)(planes >> 8)));
                if (HasCursor && (counter & 0xFFFF) == cursorAddress)
                {
                    cursor = (rows, column);
                }
            }

            rows++;
        }

        return (cells, rows, cursor);
    }

    /// <summary>Draws the whole picture.</summary>
    public ScreenPicture Draw()
    {
        int width = _geometry.Width;
        byte[] rgb = new byte[width * _geometry.Lines * 3];
        Span<uint> line = new uint[width + (2 * 9 * 2)];
        VgaLineWalk walk = new(_geometry);
        for (; walk.Line < _geometry.Lines; walk.Next())
        {
            if (_geometry.IsGraphics)
            {
                DrawPixels(walk.Counter, walk.Row, line);
            }
            else
            {
                DrawText(walk.Counter, walk.Row, line);
            }

            ToRgb(line.Slice(walk.PanDots * _geometry.DotScale, width), rgb.AsSpan(walk.Line * width * 3, width * 3));
        }

        return new ScreenPicture(width, _geometry.Lines, rgb);
    }

    /// <summary>Spreads colours into bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    public static void ToRgb(ReadOnlySpan<uint> colors, Span<byte> rgb)
    {
        for (int i = 0; i < colors.Length; i++)
        {
            uint color = colors[i];
            rgb[3 * i] = (byte)(color >> 16);
            rgb[(3 * i) + 1] = (byte)(color >> 8);
            rgb[(3 * i) + 2] = (byte)color;
        }
    }

    private bool HasCursor => (_registers.Crt[0xA] & 0x20) == 0 && (_registers.Crt[0xA] & 0x1F) <= (_registers.Crt[0xB] & 0x1F);

    private int CursorAddress => (((_registers.Crt[0xE] << 8) | _registers.Crt[0xF]) + ((_registers.Crt[0xB] >> 5) & 3)) & 0xFFFF;

    // One character more than a line, for panning. Optimized at once: a picture is many lines, and often the only one.
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void DrawText(int counter, int row, Span<uint> line)
    {
        ReadOnlySpan<byte> crt = _registers.Crt;
        byte mode = _registers.Attributes[0x10];
        (int fontA, int fontB) = Fonts();
        int width = _geometry.CellWidth;
        int scale = _geometry.DotScale;
        bool inCursor = HasCursor && row >= (crt[0xA] & 0x1F) && row <= (crt[0xB] & 0x1F);
        int cursor = inCursor ? CursorAddress : -1;
        int at = 0;
        for (int column = 0; column <= _geometry.Columns; column++)
        {
            int here = counter + _geometry.CounterAt(column);
            uint planes = _memory.ReadPlanes(_geometry.Address(here, row));
            int code = (byte)planes;
            int attribute = (byte)(planes >> 8);
            int font = (attribute & 8) != 0 ? fontA : fontB;
            int bits = (byte)(_memory.ReadPlanes((font + (code * 32) + row) & (VideoMemory.PlaneSize - 1)) >> 16);
            if ((mode & MonoEmulation) != 0 && (attribute & 7) == 1 && row == (crt[0x14] & 0x1F))
            {
                bits = 0xFF;
            }

            int nine = (mode & LineGraphics) != 0 && (code & 0xE0) == 0xC0 ? bits & 1 : 0;
            if ((here & 0xFFFF) == cursor)
            {
                bits = 0xFF;
                nine = 1;
            }

            uint foreground = _palette[attribute & 0xF];
            uint background = _palette[(attribute >> 4) & ((mode & Blinks) != 0 ? 7 : 15)];
            int dots = (bits << 1) | nine;
            for (int dot = 0; dot < width; dot++)
            {
                uint color = ((dots >> (8 - dot)) & 1) != 0 ? foreground : background;
                for (int i = 0; i < scale; i++)
                {
                    line[at++] = color;
                }
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private void DrawPixels(int counter, int row, Span<uint> line)
    {
        int scale = _geometry.DotScale;
        int at = 0;
        for (int column = 0; column <= _geometry.Columns; column++)
        {
            uint planes = _memory.ReadPlanes(_geometry.Address(counter + _geometry.CounterAt(column), row));
            for (int dot = 0; dot < 8; dot++)
            {
                uint color = _geometry.Is256Color ? Pixel256(planes, dot)
                    : _palette[(_geometry.IsInterleaved ? Pixel4(planes, dot) : Pixel16(planes, dot)) & _registers.Attributes[0x12]];
                for (int i = 0; i < scale; i++)
                {
                    line[at++] = color;
                }
            }
        }
    }

    // Four pixels of two dots, a plane each; where the attribute controller was not told, each dot takes a nibble.
    private uint Pixel256(uint planes, int dot)
    {
        int value = (byte)(planes >> (8 * (dot >> 1)));
        return (_registers.Attributes[0x10] & Wide256) != 0 ? _dac[value]
            : _palette[((dot & 1) == 0 ? value >> 4 : value) & _registers.Attributes[0x12] & 0xF];
    }

    private static int Pixel16(uint planes, int dot)
    {
        uint bits = planes >> (7 - dot);
        return (int)((bits & 1) | ((bits >> 7) & 2) | ((bits >> 14) & 4) | ((bits >> 21) & 8));
    }

    // Four pixels from planes 0 and 2, then four from 1 and 3.
    private static int Pixel4(uint planes, int dot)
    {
        uint pair = planes >> ((dot < 4 ? 0 : 8) + 6 - (2 * (dot & 3)));
        return (int)((pair & 3) | ((pair >> 14) & 0xC));
    }

    private int DacIndex(int attribute)
    {
        ReadOnlySpan<byte> attributes = _registers.Attributes;
        int color = attributes[attribute];
        int select = attributes[0x14];
        if ((attributes[0x10] & 0x80) != 0)
        {
            color = (color & 0xF) | ((select & 3) << 4);
        }

        return (color & 0x3F) | ((select & 0xC) << 4);
    }

    // Where the character sets begin in plane 2, for attributes with bit 3 and without.
    private (int A, int B) Fonts()
    {
        int select = _registers.Sequencer[3];
        return (FontOffset(((select >> 2) & 3) | ((select >> 3) & 4)), FontOffset((select & 3) | ((select >> 2) & 4)));
    }

    private static int FontOffset(int map) => ((map & 3) * 0x4000) + ((map & 4) != 0 ? 0x2000 : 0);
}
