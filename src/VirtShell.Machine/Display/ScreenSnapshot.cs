using System;
using System.Collections.Generic;
using System.Text;

namespace VirtShell.Machine.Display;

/// <summary>What kind of picture a screen shows.</summary>
public enum ScreenKind
{
    /// <summary>Nothing: the display is switched off, or no mode was ever set.</summary>
    Blank,

    /// <summary>Rows of characters.</summary>
    Text,

    /// <summary>Pixels.</summary>
    Graphics,
}

/// <summary>A character on a text screen.</summary>
/// <param name="Code">Its number in the font, 0 to 255.</param>
/// <param name="Attribute">The attribute byte: bits 3:0 foreground, 6:4 background, 7 blinking or bright background.</param>
public readonly record struct TextCell(byte Code, byte Attribute)
{
    /// <summary>The character in Unicode, as code page 437 has it; a space for codes that show nothing.</summary>
    public char Character => CodePage437.ToUnicode(Code);

    /// <summary>Foreground colour, 0 to 15.</summary>
    public int Foreground => Attribute & 0xF;

    /// <summary>Background colour, 0 to 7, or to 15 where no bit means blinking.</summary>
    public int Background => Attribute >> 4;
}

/// <summary>What a screen showed at one moment. Nothing of it changes afterwards.</summary>
public sealed class ScreenSnapshot
{
    public ScreenKind Kind { get; init; }

    /// <summary>Pixels of a line as the mode counts them: 320 in mode 13h, though each is two dots wide. Of text, dots.</summary>
    public int Width { get; init; }

    /// <summary>Lines as the mode counts them: 200 in mode 13h, though each is shown twice. Of text, lines.</summary>
    public int Height { get; init; }

    /// <summary>Bits of a pixel's value; of text, 4.</summary>
    public int BitsPerPixel { get; init; }

    /// <summary>Characters of a row; 0 where there is no text.</summary>
    public int Columns { get; init; }

    /// <summary>Rows of characters; 0 where there is no text.</summary>
    public int Rows { get; init; }

    /// <summary>The characters, row by row from the top.</summary>
    public IReadOnlyList<TextCell> Cells { get; init; } = [];

    /// <summary>Row and column of the cursor, from 0; null where there is none on the screen.</summary>
    public (int Row, int Column)? Cursor { get; init; }

    /// <summary>The colours of the attributes, 16 of 0xRRGGBB.</summary>
    public IReadOnlyList<uint> Palette { get; init; } = [];

    /// <summary>The picture, dot by dot as a monitor shows it, cursor and blinking characters in their visible phase; null where it was not asked for. A blank screen is black.</summary>
    public ScreenPicture? Picture { get; init; }

    /// <summary>Guest time, in nanoseconds since power-on.</summary>
    public long Time { get; init; }

    /// <summary>The rows of a text screen without what is empty at their ends.</summary>
    public IReadOnlyList<string> Lines
    {
        get
        {
            string[] lines = new string[Rows];
            StringBuilder line = new(Columns);
            for (int row = 0; row < Rows; row++)
            {
                line.Clear();
                for (int column = 0; column < Columns; column++)
                {
                    line.Append(Cells[(row * Columns) + column].Character);
                }

                lines[row] = line.ToString().TrimEnd(' ', CodePage437.NoBreakSpace);
            }

            return lines;
        }
    }

    /// <summary>A text screen as lines, each with a line feed between it and the next; rows that are empty at the end are left out.</summary>
    public string Text => string.Join('\n', Lines).TrimEnd('\n');

    /// <summary>What is shown, for people: "text 80×25", "graphics 640×480, 8 bits", "blank".</summary>
    public override string ToString() => Kind switch
    {
        ScreenKind.Text => FormattableString.Invariant($"text {Columns}×{Rows}"),
        ScreenKind.Graphics => FormattableString.Invariant($"graphics {Width}×{Height}, {BitsPerPixel} bits"),
        _ => "blank",
    };
}
