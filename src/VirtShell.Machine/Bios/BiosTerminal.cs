using System;
using System.Globalization;
using System.Text;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Display;
using VirtShell.Machine.Serial;
using VirtShell.State;

namespace VirtShell.Machine.Bios;

/// <summary>
/// The serial console: what INT 10h writes goes to a terminal at COM1, and what is typed there comes back as keys. It leaves
/// the port alone once a system has taken it: while its interrupts are on, or its divisor is being set.
/// </summary>
/// <remarks>Text that is written from left to right, top to bottom, needs no escape sequences, so that it can be read in a log.</remarks>
[NotState("What is to be remembered stands in the guest's memory.")]
internal sealed class BiosTerminal
{
    private const int Port = Uart16550.Com1Port;
    private const int InterruptEnable = Port + 1;
    private const int FifoControl = Port + 2;
    private const int LineControl = Port + 3;
    private const int LineStatus = Port + 5;
    private const byte DivisorAccess = 0x80;
    private const byte DataReady = 0x01;
    private const byte Plain = 0x07;
    private const byte Escape = 0x1B;
    private const int Columns = 80;
    private const int Rows = 25;

    // After so many ticks an ESC stands for itself.
    private const byte EscapeTicks = 2;

    private const ushort EscapeKey = 0x011B;
    private const int NumberFollows = 0x80;

    private readonly BiosCpu _c;

    public BiosTerminal(BiosCpu cpu)
    {
        _c = cpu;
        long wanted = cpu.Board.Value(PcModel.BiosPart, PcModel.BiosSerial);
        HasDisplay = cpu.Board.Find<VgaAdapter>() is not null;
        IsOn = cpu.Board.Find<Uart16550>() is { Port: Uart16550.Com1Port } && (wanted < 0 ? !HasDisplay : wanted != 0);
    }

    /// <summary>Whether the machine has a VGA.</summary>
    public bool HasDisplay { get; }

    public bool IsOn { get; }

    private bool IsFree => IsOn && _c.In(InterruptEnable) == 0 && (_c.In(LineControl) & DivisorAccess) == 0;

    /// <summary>At power-on: a FIFO, so that what is typed fast is not lost between two ticks.</summary>
    public void PowerOn()
    {
        if (IsOn)
        {
            _c.Out(FifoControl, 0x07);
        }

        _c.SetExtendedByte(Ebda.TerminalAttribute, Plain);
    }

    /// <summary>Sends a character for a place of the screen, 25 rows of 80.</summary>
    public void Put(int row, int column, byte character, byte attribute)
    {
        if (!IsFree || row >= Rows || column >= Columns)
        {
            return;
        }

        Move(row, column);
        Dress(attribute);
        SendGlyph(character);
        Note(column + 1 < Columns ? row : row + 1, column + 1 < Columns ? column + 1 : 0);
    }

    /// <summary>Sends CR, LF, BS or BEL with the cursor at a place.</summary>
    public void Control(int row, int column, byte character)
    {
        if (!IsFree)
        {
            return;
        }

        Move(row, column);
        Send(character);
        switch (character)
        {
            case (byte)'\r':
                Note(row, 0);
                break;
            case (byte)'\n':
                Note(Math.Min(row + 1, Rows - 1), column);
                break;
            case (byte)'\b':
                Note(row, Math.Max(column - 1, 0));
                break;
            default:
                break;
        }
    }

    /// <summary>Puts the terminal's cursor where it is to be seen.</summary>
    public void Show(int row, int column)
    {
        if (row < Rows && column < Columns && IsFree)
        {
            Move(row, column);
        }
    }

    /// <summary>Clears the screen.</summary>
    public void Clear()
    {
        if (IsFree)
        {
            Dress(Plain);
            Send("\u001b[2J\u001b[H");
            Note(0, 0);
        }
    }

    /// <summary>Scrolls whole rows, up where <paramref name="lines"/> is positive; 0 clears them. What reaches less than from edge to edge cannot be scrolled on a terminal.</summary>
    public void Scroll(int top, int bottom, int left, int right, int lines, byte attribute)
    {
        if (!IsFree || top >= Rows)
        {
            return;
        }

        bottom = Math.Min(bottom, Rows - 1);
        bool isWide = left == 0 && right >= Columns - 1;
        if (lines == 0)
        {
            Dress(attribute);
            for (int row = top; row <= bottom; row++)
            {
                Move(row, left);
                if (right >= Columns - 1)
                {
                    Send("\u001b[K");
                    continue;
                }

                for (int i = left; i <= right; i++)
                {
                    Send((byte)' ');
                }

                Note(row, right + 1);
            }
        }
        else if (isWide)
        {
            Dress(attribute);
            bool isWhole = top == 0 && bottom == Rows - 1;
            if (!isWhole)
            {
                Send(string.Create(CultureInfo.InvariantCulture, $"\u001b[{top + 1};{bottom + 1}r"));
                Note(0, 0);
            }

            Move(lines > 0 ? bottom : top, 0);
            for (int i = 0; i < Math.Abs(lines); i++)
            {
                Send(lines > 0 ? "\n" : "\u001bM");
            }

            if (!isWhole)
            {
                Send("\u001b[r");
                Note(0, 0);
            }
        }
    }

    /// <summary>Takes the next byte that was typed at the terminal; false where there is none. The key that it ends, as scan code and character, or 0.</summary>
    public bool TryRead(out ushort key)
    {
        key = 0;
        if (!IsFree)
        {
            return false;
        }

        // Twice, and last of all: input waits on the other side until a guest asks again and again.
        int state = _c.ExtendedByte(Ebda.TerminalEscape);
        _c.In(LineStatus);
        if ((_c.In(LineStatus) & DataReady) == 0)
        {
            byte waited = (byte)(_c.Data(Bda.Ticks) - _c.ExtendedByte(Ebda.TerminalEscapeTick));
            if (state != 1 || waited < EscapeTicks)
            {
                return false;
            }

            _c.SetExtendedByte(Ebda.TerminalEscape, 0);
            key = EscapeKey;
            return true;
        }

        key = Take(_c.In(Port), state);
        return true;
    }

    private ushort Take(byte typed, int state)
    {
        switch (state)
        {
            case 0 when typed == Escape:
                _c.SetExtendedByte(Ebda.TerminalEscape, 1);
                _c.SetExtendedByte(Ebda.TerminalEscapeTick, _c.Data(Bda.Ticks));
                return 0;
            case 0:
                return KeyTable.OfCharacter(typed switch { (byte)'\n' => (byte)'\r', 0x7F => (byte)'\b', _ => typed });
            case 1 when typed is (byte)'[' or (byte)'O':
                _c.SetExtendedByte(Ebda.TerminalEscape, 2);
                return 0;
            case 1:
                // ESC and a key is Alt and that key; ESC twice is ESC.
                _c.SetExtendedByte(Ebda.TerminalEscape, 0);
                return typed == Escape ? EscapeKey : KeyTable.OfAlt(typed);
            case 2 when typed is >= (byte)'0' and <= (byte)'9':
                _c.SetExtendedByte(Ebda.TerminalEscape, (byte)(NumberFollows | (typed & 0x0F)));
                return 0;
            case 2:
                _c.SetExtendedByte(Ebda.TerminalEscape, 0);
                return OfLetter(typed);
            case >= NumberFollows when typed is >= (byte)'0' and <= (byte)'9':
                int number = ((state & 0x7F) * 10) + (typed & 0x0F);
                _c.SetExtendedByte(Ebda.TerminalEscape, (byte)(NumberFollows | (number & 0x7F)));
                return 0;
            default:
                _c.SetExtendedByte(Ebda.TerminalEscape, 0);
                return typed == (byte)'~' ? OfNumber(state & 0x7F) : (ushort)0;
        }
    }

    // ESC [ or ESC O, and a letter.
    private static ushort OfLetter(byte letter) => (char)letter switch
    {
        'A' => 0x4800,
        'B' => 0x5000,
        'C' => 0x4D00,
        'D' => 0x4B00,
        'H' => 0x4700,
        'F' => 0x4F00,
        'P' => 0x3B00,
        'Q' => 0x3C00,
        'R' => 0x3D00,
        'S' => 0x3E00,
        _ => 0,
    };

    // ESC [ number ~.
    private static ushort OfNumber(int number) => number switch
    {
        1 or 7 => 0x4700,
        2 => 0x5200,
        3 => 0x5300,
        4 or 8 => 0x4F00,
        5 => 0x4900,
        6 => 0x5100,
        >= 11 and <= 15 => (ushort)(0x3B00 + ((number - 11) << 8)),
        >= 17 and <= 21 => (ushort)(0x4000 + ((number - 17) << 8)),
        23 => 0x8500,
        24 => 0x8600,
        _ => 0,
    };

    private void Move(int row, int column)
    {
        int atRow = _c.ExtendedByte(Ebda.TerminalRow);
        int atColumn = _c.ExtendedByte(Ebda.TerminalColumn);
        if (atRow == row && atColumn == column)
        {
            return;
        }

        // The start of the next line is reached as text reaches it.
        if (column == 0 && row == atRow + 1)
        {
            Send("\r\n");
        }
        else if (column == 0 && row == atRow)
        {
            Send((byte)'\r');
        }
        else
        {
            Send(string.Create(CultureInfo.InvariantCulture, $"\u001b[{row + 1};{column + 1}H"));
        }

        Note(row, column);
    }

    private void Note(int row, int column)
    {
        _c.SetExtendedByte(Ebda.TerminalRow, (byte)Math.Min(row, Rows - 1));
        _c.SetExtendedByte(Ebda.TerminalColumn, (byte)column);
    }

    // IRGB to ANSI's BGR.
    private void Dress(byte attribute)
    {
        if (_c.ExtendedByte(Ebda.TerminalAttribute) == attribute)
        {
            return;
        }

        _c.SetExtendedByte(Ebda.TerminalAttribute, attribute);
        if (attribute == Plain)
        {
            Send("\u001b[0m");
            return;
        }

        ReadOnlySpan<byte> colours = [0, 4, 2, 6, 1, 5, 3, 7];
        int bold = (attribute & 8) != 0 ? 1 : 0;
        Send(string.Create(CultureInfo.InvariantCulture, $"\u001b[0;{bold};3{colours[attribute & 7]};4{colours[(attribute >> 4) & 7]}m"));
    }

    private void SendGlyph(byte character)
    {
        if (character is >= 0x20 and < 0x7F)
        {
            Send(character);
            return;
        }

        char glyph = CodePage437.ToUnicode(character);
        Span<byte> bytes = stackalloc byte[4];
        int length = Encoding.UTF8.GetBytes(new ReadOnlySpan<char>(in glyph), bytes);
        foreach (byte value in bytes[..length])
        {
            Send(value);
        }
    }

    private void Send(string text)
    {
        foreach (char value in text)
        {
            Send((byte)value);
        }
    }

    private void Send(byte value) => _c.Out(Port, value);
}
