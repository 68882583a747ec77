using System;
using VirtShell.State;

namespace VirtShell.Machine.Bios;

/// <summary>
/// INT 10h. It drives a VGA through its ports and its memory, and does without one: what is written then goes to the
/// terminal alone (<see cref="BiosTerminal"/>).
/// </summary>
[NotState("What is to be remembered stands in the guest's memory.")]
internal sealed partial class BiosVideo(BiosCpu c, BiosTerminal terminal)
{
    private const byte StartMode = 3;
    private const byte KeepMemory = 0x80;
    private const byte Plain = 0x07;
    private const int PageCount = 8;

    private bool HasDisplay => terminal.HasDisplay;

    private VideoMode Mode => VideoMode.Find(c.Data(Bda.VideoMode) & 0x7F) ?? VideoMode.Find(StartMode)!;

    private int Columns => Math.Max((int)c.DataWord(Bda.Columns), 1);

    private int Rows => c.Data(Bda.Rows) + 1;

    private byte ActivePage => c.Data(Bda.ActivePage);

    /// <summary>Sets the mode that systems find.</summary>
    public void PowerOn()
    {
        terminal.PowerOn();
        SetMode(StartMode);
    }

    /// <summary>Writes text of the BIOS itself.</summary>
    public void Write(string text)
    {
        foreach (char value in text)
        {
            Teletype((byte)value, ActivePage, null);
        }
    }

    public void Call()
    {
        switch (c.Ah)
        {
            case 0x00:
                byte wanted = c.Al;
                SetMode(wanted);
                c.Al = (byte)((wanted & 0x7F) switch { 6 => 0x3F, <= 7 => 0x30, _ => 0x20 });
                terminal.Clear();
                break;
            case 0x01:
                SetCursorShape(c.Cx);
                break;
            case 0x02:
                SetCursor(c.Bh, c.Dh, c.Dl);
                break;
            case 0x03:
                c.Cx = c.DataWord(Bda.CursorShape);
                c.Dx = c.DataWord(Bda.Cursors + (2 * (c.Bh & 7)));
                c.Ax = 0;
                break;
            case 0x04:
                // There is no light pen.
                c.Ah = 0;
                break;
            case 0x05:
                SetPage(c.Al);
                break;
            case 0x06 or 0x07:
                Scroll(c.Ah == 0x06);
                break;
            case 0x08:
                ReadCharacter();
                break;
            case 0x09 or 0x0A:
                WriteCharacters(c.Al, c.Ah == 0x09 ? c.Bl : null, c.Cx);
                break;
            case 0x0B:
                SetCgaColours();
                break;
            case 0x0C:
                SetPixel(c.Cx, c.Dx, c.Al, c.Bh);
                break;
            case 0x0D:
                c.Al = GetPixel(c.Cx, c.Dx, c.Bh);
                break;
            case 0x0E:
                Teletype(c.Al, ActivePage, Mode.Kind == VideoKind.Text ? null : c.Bl);
                break;
            case 0x0F:
                c.Al = (byte)(c.Data(Bda.VideoMode) | (c.Data(Bda.VideoControl) & KeepMemory));
                c.Ah = (byte)Columns;
                c.Bh = ActivePage;
                break;
            case 0x10:
                CallPalette();
                break;
            case 0x11:
                CallFont();
                break;
            case 0x12:
                CallAlternate();
                break;
            case 0x13:
                WriteString();
                break;
            case 0x1A:
                if (c.Al == 0)
                {
                    c.Bx = c.Data(Bda.DisplayCode);
                }

                c.Al = 0x1A;
                break;
            case 0x1B:
                TellState();
                break;
            case 0x4F:
                CallVbe();
                break;
            default:
                break;
        }
    }

    private uint TextAddress(int page, int row, int column) =>
        Mode.Memory + (uint)(((page * c.DataWord(Bda.PageSize)) + (((row * Columns) + column) * 2)) & 0x7FFF);

    private void SetCursorShape(ushort shape)
    {
        c.SetDataWord(Bda.CursorShape, shape);
        if (!HasDisplay)
        {
            return;
        }

        int start = shape >> 8;
        int end = shape & 0x1F;
        int height = c.Data(Bda.CharacterHeight);

        // Programs think of 8 lines: scaled to what there are, as 40:87h bit 0 allows.
        if ((c.Data(Bda.VideoControl) & 1) == 0 && height > 8 && end < 8 && (start & 0x1F) < 8)
        {
            int top = start & 0x1F;
            int scaledEnd = end == top + 1 ? height - 1 : ((end + 1) * height / 8) - 1;
            int scaledTop = end == top + 1 ? height - 2 : (top + 1) * height / 8 - 1;
            if (end is 6 or 7 && top is 5 or 6)
            {
                (scaledTop, scaledEnd) = (height - 3, height - 2);
            }

            start = (start & 0x60) | Math.Max(scaledTop, 0);
            end = scaledEnd;
        }

        WriteCrtc(0x0A, start & 0x3F);
        WriteCrtc(0x0B, end);
    }

    private void SetCursor(int page, int row, int column)
    {
        page &= PageCount - 1;
        c.SetDataWord(Bda.Cursors + (2 * page), (ushort)((row << 8) | column));
        if (page == ActivePage)
        {
            ShowCursor();
        }
    }

    private void ShowCursor()
    {
        if (HasDisplay && Mode.Kind == VideoKind.Text)
        {
            ushort cursor = c.DataWord(Bda.Cursors + (2 * ActivePage));
            int at = (c.DataWord(Bda.PageStart) / 2) + ((cursor >> 8) * Columns) + (cursor & 0xFF);
            WriteCrtc(0x0E, at >> 8);
            WriteCrtc(0x0F, at);
        }
    }

    private void SetPage(byte page)
    {
        page &= PageCount - 1;
        VideoMode mode = Mode;
        if (page >= mode.Pages)
        {
            return;
        }

        int start = page * c.DataWord(Bda.PageSize);
        c.SetData(Bda.ActivePage, page);
        c.SetDataWord(Bda.PageStart, (ushort)start);
        if (HasDisplay)
        {
            int shown = mode.Kind == VideoKind.Planar ? start : start / 2;
            WriteCrtc(0x0C, shown >> 8);
            WriteCrtc(0x0D, shown);
            ShowCursor();
        }
    }

    // AL lines of the window CH,CL to DH,DL; 0 clears it with attribute BH.
    private void Scroll(bool isUp)
    {
        int top = c.Ch;
        int left = c.Cl;
        int bottom = Math.Min((int)c.Dh, Rows - 1);
        int right = Math.Min((int)c.Dl, Columns - 1);
        int lines = c.Al;
        if (top > bottom || left > right)
        {
            return;
        }

        if (lines > bottom - top)
        {
            lines = 0;
        }

        bool isAll = lines == 0 && top == 0 && left == 0 && bottom == Rows - 1 && right == Columns - 1;
        if (isAll && c.Bh == Plain)
        {
            terminal.Clear();
        }
        else
        {
            terminal.Scroll(top, bottom, left, right, isUp ? lines : -lines, c.Bh);
        }

        MoveRows(ActivePage, top, bottom, left, right, lines, isUp, c.Bh);
    }

    private void MoveRows(int page, int top, int bottom, int left, int right, int lines, bool isUp, byte attribute)
    {
        if (!HasDisplay)
        {
            return;
        }

        if (Mode.Kind != VideoKind.Text)
        {
            MoveGraphicRows(page, top, bottom, left, right, lines, isUp, attribute);
            return;
        }

        Span<byte> row = stackalloc byte[(right - left + 1) * 2];
        int count = bottom - top + 1;
        for (int i = 0; i < count; i++)
        {
            int to = isUp ? top + i : bottom - i;
            int from = isUp ? to + lines : to - lines;
            if (lines != 0 && from >= top && from <= bottom)
            {
                c.Processor.ReadLinear(TextAddress(page, from, left), row);
            }
            else
            {
                for (int at = 0; at < row.Length; at += 2)
                {
                    (row[at], row[at + 1]) = ((byte)' ', attribute);
                }
            }

            c.Processor.WriteLinear(TextAddress(page, to, left), (ReadOnlySpan<byte>)row);
        }
    }

    private void ReadCharacter()
    {
        ushort cursor = c.DataWord(Bda.Cursors + (2 * (c.Bh & 7)));
        if (!HasDisplay)
        {
            c.Ax = (Plain << 8) | ' ';
        }
        else if (Mode.Kind == VideoKind.Text)
        {
            c.Ax = c.Word(TextAddress(c.Bh & 7, cursor >> 8, cursor & 0xFF));
        }
        else
        {
            c.Ax = ReadGraphicCharacter(c.Bh & 7, cursor >> 8, cursor & 0xFF);
        }
    }

    // Without moving the cursor; an attribute of null keeps what is there.
    private void WriteCharacters(byte character, byte? attribute, int count)
    {
        int page = c.Bh & 7;
        VideoMode mode = Mode;
        if (mode.Kind == VideoKind.Packed)
        {
            // BH is the background there.
            page = 0;
        }

        ushort cursor = c.DataWord(Bda.Cursors + (2 * page));
        int row = cursor >> 8;
        int column = cursor & 0xFF;
        count = Math.Min(count, Math.Max(0, (Rows * Columns) - (row * Columns) - column));
        for (int i = 0; i < count; i++)
        {
            PutCharacter(page, row, column, character, attribute, mode.Kind == VideoKind.Text ? Plain : c.Bl);
            if (page == ActivePage)
            {
                terminal.Put(row, column, character, attribute ?? Plain);
            }

            if (++column >= Columns)
            {
                column = 0;
                row++;
            }
        }
    }

    private void PutCharacter(int page, int row, int column, byte character, byte? attribute, byte colour)
    {
        if (!HasDisplay)
        {
            return;
        }

        if (Mode.Kind != VideoKind.Text)
        {
            DrawCharacter(page, row, column, character, attribute ?? colour);
        }
        else if (attribute is { } value)
        {
            c.SetWord(TextAddress(page, row, column), (ushort)((value << 8) | character));
        }
        else
        {
            c.SetByte(TextAddress(page, row, column), character);
        }
    }

    private void Teletype(byte character, int page, byte? colour)
    {
        page &= PageCount - 1;
        ushort cursor = c.DataWord(Bda.Cursors + (2 * page));
        int row = cursor >> 8;
        int column = cursor & 0xFF;
        switch (character)
        {
            case 0x07:
                terminal.Control(row, column, character);
                return;
            case 0x08:
                terminal.Control(row, column, character);
                column = Math.Max(column - 1, 0);
                break;
            case (byte)'\r':
                terminal.Control(row, column, character);
                column = 0;
                break;
            case (byte)'\n':
                terminal.Control(row, column, character);
                row++;
                break;
            default:
                PutCharacter(page, row, column, character, null, colour ?? Plain);
                terminal.Put(row, column, character, Plain);
                if (++column >= Columns)
                {
                    column = 0;
                    row++;
                }

                break;
        }

        if (row >= Rows)
        {
            row = Rows - 1;
            byte attribute = HasDisplay && Mode.Kind == VideoKind.Text ? c.Byte(TextAddress(page, row, Math.Min(column, Columns - 1)) + 1) : (byte)(Mode.Kind == VideoKind.Text ? Plain : 0);
            MoveRows(page, 0, row, 0, Columns - 1, 1, isUp: true, attribute);
        }

        SetCursor(page, row, column);
    }

    // CX characters at ES:BP; bit 1 of AL: each with its attribute; bit 0: the cursor goes along.
    private void WriteString()
    {
        const int MostCharacters = 0x4000;
        int page = c.Bh & 7;
        int count = Math.Min((int)c.Cx, MostCharacters);
        bool hasAttributes = (c.Al & 2) != 0;
        ushort before = c.DataWord(Bda.Cursors + (2 * page));
        Span<byte> cell = stackalloc byte[hasAttributes ? 2 : 1];
        SetCursor(page, c.Dh, c.Dl);
        for (int i = 0; i < count; i++)
        {
            c.ReadEs((uint)c.Bp + (uint)(i * cell.Length), cell);
            byte attribute = hasAttributes ? cell[1] : c.Bl;
            if (cell[0] is 0x07 or 0x08 or (byte)'\r' or (byte)'\n')
            {
                Teletype(cell[0], page, attribute);
                continue;
            }

            ushort cursor = c.DataWord(Bda.Cursors + (2 * page));
            PutCharacter(page, cursor >> 8, cursor & 0xFF, cell[0], attribute, attribute);
            terminal.Put(cursor >> 8, cursor & 0xFF, cell[0], attribute);
            Advance(page, cursor >> 8, (cursor & 0xFF) + 1, attribute);
        }

        if ((c.Al & 1) == 0)
        {
            SetCursor(page, before >> 8, before & 0xFF);
        }
    }

    private void Advance(int page, int row, int column, byte attribute)
    {
        if (column >= Columns)
        {
            column = 0;
            row++;
        }

        if (row >= Rows)
        {
            row = Rows - 1;
            MoveRows(page, 0, row, 0, Columns - 1, 1, isUp: true, attribute);
        }

        SetCursor(page, row, column);
    }
}
