using System;
using System.Collections.Generic;
using VirtShell.Machine.Display;

namespace VirtShell.PowerShell.Output;

/// <summary>A VM's screen at one moment, as Get-VMScreen -Attributes gives it out.</summary>
public sealed class VMScreen
{
    private readonly ScreenSnapshot _screen;

    internal VMScreen(string name, ScreenSnapshot screen)
    {
        VMName = name;
        _screen = screen;
    }

    public string VMName { get; }

    /// <summary>Text, Graphics or Blank.</summary>
    public ScreenKind Mode => _screen.Kind;

    /// <summary>Pixels of a line, as the mode counts them.</summary>
    public int Width => _screen.Width;

    /// <summary>Lines, as the mode counts them.</summary>
    public int Height => _screen.Height;

    public int BitsPerPixel => _screen.BitsPerPixel;

    public int Columns => _screen.Columns;

    public int Rows => _screen.Rows;

    /// <summary>Row of the cursor, from 0; null where there is none.</summary>
    public int? CursorRow => _screen.Cursor?.Row;

    /// <summary>Column of the cursor, from 0; null where there is none.</summary>
    public int? CursorColumn => _screen.Cursor?.Column;

    /// <summary>The rows of text.</summary>
    public IReadOnlyList<string> Lines => _screen.Lines;

    public string Text => _screen.Text;

    /// <summary>Every character with its attribute, row by row: Character, Foreground, Background, Code, Attribute.</summary>
    public IReadOnlyList<TextCell> Cells => _screen.Cells;

    /// <summary>The colours that attributes mean, 16 of 0xRRGGBB.</summary>
    public IReadOnlyList<uint> Palette => _screen.Palette;

    /// <summary>Guest time since power-on.</summary>
    public TimeSpan Time => TimeSpan.FromTicks(_screen.Time / 100);

    /// <summary>A hash that is near for screens that look alike.</summary>
    public string PerceptualHash => _screen.Picture?.PerceptualHash() ?? string.Empty;
}
