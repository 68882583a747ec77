using System;

namespace VirtShell.Machine.Display;

/// <summary>The picture that the CRT controller and its neighbours make, worked out once for a look at the screen.</summary>
internal readonly struct VgaGeometry
{
    private const int WordBit = 0x40;

    private readonly int _shift;
    private readonly int _wrapBit;
    private readonly bool _replacesBit13;
    private readonly bool _replacesBit14;
    private readonly int _countShift;

    public VgaGeometry(VgaRegisters registers)
    {
        ReadOnlySpan<byte> crt = registers.Crt;
        ReadOnlySpan<byte> sequencer = registers.Sequencer;
        ReadOnlySpan<byte> graphics = registers.Graphics;
        ReadOnlySpan<byte> attributes = registers.Attributes;
        IsGraphics = (graphics[6] & 1) != 0;
        Columns = crt[1] + 1;
        DotScale = (sequencer[1] & 8) != 0 ? 2 : 1;
        CellWidth = IsGraphics || (sequencer[1] & 1) != 0 ? 8 : 9;
        Lines = VgaTiming.ShownLines(crt) << ((crt[0x17] >> 2) & 1);
        CellHeight = (crt[9] & 0x1F) + 1;
        LineRepeat = (crt[9] & 0x80) != 0 ? 2 : 1;
        Start = (crt[0xC] << 8) | crt[0xD];
        RowStep = crt[0x13] * 2;
        PresetRow = crt[8] & 0x1F;
        BytePan = (crt[8] >> 5) & 3;
        LineCompare = crt[0x18] | ((crt[7] & 0x10) << 4) | ((crt[9] & 0x40) << 3);
        Pan = attributes[0x13];
        SplitKeepsPan = (attributes[0x10] & 0x20) == 0;
        Is256Color = IsGraphics && (graphics[5] & 0x40) != 0;
        IsInterleaved = IsGraphics && (graphics[5] & 0x60) == 0x20;

        // Doublewords before words before bytes; the counter may go on at every second or fourth character only.
        bool isDoubleword = (crt[0x14] & 0x40) != 0;
        _shift = isDoubleword ? 2 : (crt[0x17] & WordBit) == 0 ? 1 : 0;
        _wrapBit = (crt[0x17] & 0x20) != 0 ? 15 : 13;
        _replacesBit13 = (crt[0x17] & 1) == 0;
        _replacesBit14 = (crt[0x17] & 2) == 0;
        _countShift = (crt[0x14] & 0x20) != 0 ? 2 : (crt[0x17] & 8) != 0 ? 1 : 0;
    }

    public bool IsGraphics { get; }

    /// <summary>Two pixels of each cell's dots, eight bits deep.</summary>
    public bool Is256Color { get; }

    /// <summary>Pixels of two bits, as on a CGA.</summary>
    public bool IsInterleaved { get; }

    /// <summary>Characters, or groups of eight dots, of a line.</summary>
    public int Columns { get; }

    public int CellWidth { get; }

    /// <summary>Scan lines of a row, not counting <see cref="LineRepeat"/>.</summary>
    public int CellHeight { get; }

    /// <summary>How often each scan line is shown.</summary>
    public int LineRepeat { get; }

    /// <summary>How many dots of the monitor a dot of the display takes.</summary>
    public int DotScale { get; }

    /// <summary>Lines that are shown.</summary>
    public int Lines { get; }

    public int Width => Columns * CellWidth * DotScale;

    public int Start { get; }

    public int RowStep { get; }

    public int PresetRow { get; }

    public int BytePan { get; }

    /// <summary>The last line before the split screen.</summary>
    public int LineCompare { get; }

    public int Pan { get; }

    public bool SplitKeepsPan { get; }

    /// <summary>By how many dots a line is moved to the left.</summary>
    public int PanDots => Is256Color ? Math.Min(Pan & 7, 7) & ~1 : CellWidth == 9 ? (Pan >= 8 ? 0 : Pan + 1) : Pan & 7;

    /// <summary>The address in the planes of what the counter names.</summary>
    /// <param name="counter">The memory address counter.</param>
    /// <param name="row">The scan line in its row.</param>
    public int Address(int counter, int row)
    {
        int address = _shift switch
        {
            2 => (counter << 2) | ((counter >> 12) & 3),
            1 => (counter << 1) | ((counter >> _wrapBit) & 1),
            _ => counter,
        };
        if (_replacesBit13)
        {
            address = (address & ~0x2000) | ((row & 1) << 13);
        }

        if (_replacesBit14)
        {
            address = (address & ~0x4000) | ((row & 2) << 13);
        }

        return address & (VideoMemory.PlaneSize - 1);
    }

    /// <summary>By how much the counter is on at a character of a line.</summary>
    public int CounterAt(int column) => column >> _countShift;
}

/// <summary>Walks down the lines of a VGA picture: which row of memory each shows.</summary>
internal ref struct VgaLineWalk
{
    private readonly VgaGeometry _geometry;
    private int _repeat;

    public VgaLineWalk(VgaGeometry geometry)
    {
        _geometry = geometry;
        Counter = geometry.Start + geometry.BytePan;
        Row = geometry.PresetRow;
        PanDots = geometry.PanDots;
        IsFirstOfRow = true;
    }

    /// <summary>The line, from 0.</summary>
    public int Line { get; private set; }

    /// <summary>The memory address counter at the line's start.</summary>
    public int Counter { get; private set; }

    /// <summary>The scan line in its row.</summary>
    public int Row { get; private set; }

    public int PanDots { get; private set; }

    /// <summary>Whether no earlier line showed this row of memory.</summary>
    public bool IsFirstOfRow { get; private set; }

    public void Next()
    {
        Line++;
        IsFirstOfRow = false;
        if (Line == _geometry.LineCompare + 1)
        {
            Counter = 0;
            Row = 0;
            _repeat = 0;
            IsFirstOfRow = true;
            if (!_geometry.SplitKeepsPan)
            {
                PanDots = 0;
            }

            return;
        }

        if (++_repeat < _geometry.LineRepeat)
        {
            return;
        }

        _repeat = 0;
        if (Row++ == _geometry.CellHeight - 1)
        {
            Row = 0;
            Counter += _geometry.RowStep;
            IsFirstOfRow = true;
        }

        Row &= 0x1F;
    }
}
