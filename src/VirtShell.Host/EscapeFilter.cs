namespace VirtShell.Host;

/// <summary>
/// Takes terminal control out of a character stream: escape sequences of ECMA-48 (CSI, OSC, DCS and the short ones),
/// carriage returns, and control characters other than newline and tab. A backspace takes back nothing: line editors use it
/// in ways that only a full terminal could follow, and what is matched is output, not editing.
/// </summary>
public sealed class EscapeFilter
{
    private const char Escape = '\x1b';
    private const char Bell = '\a';

    /// <summary>A sequence longer than this is no sequence; what follows counts as text again.</summary>
    private const int LongestSequence = 256;

    private enum State
    {
        Text,
        Escape,
        Intermediate,
        ControlSequence,
        ControlString,
        ControlStringEscape,
    }

    private State state;
    private int length;

    /// <summary>Whether the character is text to keep.</summary>
    public bool Keep(char c)
    {
        if (state != State.Text && ++length > LongestSequence)
        {
            state = State.Text;
        }

        switch (state)
        {
            case State.Text:
                if (c == Escape)
                {
                    state = State.Escape;
                    length = 0;
                    return false;
                }

                return c is '\n' or '\t' || (c >= ' ' && c != '\x7f' && (c < '\x80' || c >= '\xa0'));
            case State.Escape:
                // ECMA-48 5.3-5.6: "[" opens a control sequence; "]", "P", "X", "^", "_" control strings; 20-2F are intermediate.
                state = c switch
                {
                    '[' => State.ControlSequence,
                    ']' or 'P' or 'X' or '^' or '_' => State.ControlString,
                    >= ' ' and <= '/' => State.Intermediate,
                    Escape => State.Escape,
                    _ => State.Text,
                };
                return false;
            case State.Intermediate:
                if (c is < ' ' or > '/')
                {
                    state = State.Text;
                }

                return false;
            case State.ControlSequence:
                if (c == Escape)
                {
                    state = State.Escape;
                    return false;
                }

                if (c is '\n')
                {
                    // A sequence cut short by a line end, as when a kernel message breaks in.
                    state = State.Text;
                    return true;
                }

                if (c is >= '@' and <= '~')
                {
                    state = State.Text;
                }

                return false;
            case State.ControlString:
                if (c == Bell)
                {
                    state = State.Text;
                }
                else if (c == Escape)
                {
                    state = State.ControlStringEscape;
                }

                return false;
            default:
                state = c == '\\' ? State.Text : State.ControlString;
                return false;
        }
    }
}
