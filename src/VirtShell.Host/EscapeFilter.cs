using System;
using VirtShell.State;

namespace VirtShell.Host;

/// <summary>
/// Takes terminal control out of a character stream: escape sequences of ECMA-48 (CSI, OSC, DCS and the short ones),
/// carriage returns, and control characters other than newline and tab. A backspace takes back nothing: line editors use it
/// in ways that only a full terminal could follow, and what is matched is output, not editing.
/// </summary>
public sealed class EscapeFilter : IStateful
{
    private const char Escape = '\x1b';
    private const char Bell = '\a';

    /// <summary>A sequence longer than this is no sequence; what follows counts as text again.</summary>
    private const int LongestSequence = 256;

    private enum Place
    {
        Text,
        Escape,
        Intermediate,
        ControlSequence,
        ControlString,
        ControlStringEscape,
    }

    private Place _place;
    private int _length;

    /// <summary>Which part of a sequence has come.</summary>
    void IStateful.Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        int part = (int)_place;
        visitor.Value("place", ref part, 0, (int)Place.ControlStringEscape);
        visitor.Value("length", ref _length, 0, LongestSequence + 1);
        _place = (Place)part;
    }

    /// <summary>Whether the character is text to keep.</summary>
    public bool Keep(char c)
    {
        if (_place != Place.Text && ++_length > LongestSequence)
        {
            _place = Place.Text;
        }

        switch (_place)
        {
            case Place.Text:
                if (c == Escape)
                {
                    _place = Place.Escape;
                    _length = 0;
                    return false;
                }

                return c is '\n' or '\t' || (c >= ' ' && c != '\x7f' && (c < '\x80' || c >= '\xa0'));
            case Place.Escape:
                // ECMA-48 5.3-5.6: "[" opens a control sequence; "]", "P", "X", "^", "_" control strings; 20-2F are intermediate.
                _place = c switch
                {
                    '[' => Place.ControlSequence,
                    ']' or 'P' or 'X' or '^' or '_' => Place.ControlString,
                    >= ' ' and <= '/' => Place.Intermediate,
                    Escape => Place.Escape,
                    _ => Place.Text,
                };
                return false;
            case Place.Intermediate:
                if (c is < ' ' or > '/')
                {
                    _place = Place.Text;
                }

                return false;
            case Place.ControlSequence:
                if (c == Escape)
                {
                    _place = Place.Escape;
                    return false;
                }

                if (c is '\n')
                {
                    // A sequence cut short by a line end, as when a kernel message breaks in.
                    _place = Place.Text;
                    return true;
                }

                if (c is >= '@' and <= '~')
                {
                    _place = Place.Text;
                }

                return false;
            case Place.ControlString:
                if (c == Bell)
                {
                    _place = Place.Text;
                }
                else if (c == Escape)
                {
                    _place = Place.ControlStringEscape;
                }

                return false;
            default:
                _place = c == '\\' ? Place.Text : Place.ControlString;
                return false;
        }
    }
}
