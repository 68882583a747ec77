using VirtShell.State;

namespace VirtShell.Harness.Console;

/// <summary>
/// Takes Linux kernel messages out of a character stream, also where they break into the middle of a line: from
/// <c>[    1.234567] </c> to the end of that line. What only begins like one is held back until it proves not to be.
/// </summary>
internal sealed class KernelMessageFilter : IStateful
{
    /// <summary>printk's time stamp has six digits after the point (kernel/printk/printk.c prints "[%5lu.%06lu]").</summary>
    private const int FractionDigits = 6;

    private const int LongestStamp = 24;

    private enum Place
    {
        Text,
        Seconds,
        Fraction,
        AfterStamp,
        Message,
    }

    private readonly TextStream _target;
    private readonly char[] _held = new char[LongestStamp];
    private readonly long[] _heldOrigin = new long[LongestStamp];
    private Place _place;
    private int _heldCount;
    private int _digits;

    public KernelMessageFilter(TextStream target)
    {
        this._target = target;
    }

    public void Append(char c, long byteNumber)
    {
        switch (_place)
        {
            case Place.Message:
                if (c == '\n')
                {
                    _place = Place.Text;
                }

                return;
            case Place.Text:
                if (c == '[')
                {
                    Hold(c, byteNumber);
                    _place = Place.Seconds;
                    _digits = 0;
                    return;
                }

                _target.Append(c, byteNumber);
                return;
            case Place.Seconds when c == ' ' && _digits == 0:
                break;
            case Place.Seconds when char.IsAsciiDigit(c):
                _digits++;
                break;
            case Place.Seconds when c == '.' && _digits > 0:
                _place = Place.Fraction;
                _digits = 0;
                break;
            case Place.Fraction when char.IsAsciiDigit(c):
                _digits++;
                break;
            case Place.Fraction when c == ']' && _digits == FractionDigits:
                _place = Place.AfterStamp;
                break;
            case Place.AfterStamp when c is ' ' or '[':
                _heldCount = 0;
                _place = Place.Message;
                return;
            default:
                Release();
                Append(c, byteNumber);
                return;
        }

        if (_heldCount == LongestStamp)
        {
            Release();
            Append(c, byteNumber);
            return;
        }

        Hold(c, byteNumber);
    }

    /// <summary>Lets go of what is held back, at the end of a run.</summary>
    public void Release()
    {
        for (int i = 0; i < _heldCount; i++)
        {
            _target.Append(_held[i], _heldOrigin[i]);
        }

        _heldCount = 0;
        _place = Place.Text;
    }

    public void Describe(StateVisitor visitor)
    {
        int part = (int)_place;
        visitor.Value("place", ref part, 0, (int)Place.Message);
        visitor.Array<char>("held", _held);
        visitor.Array<long>("held-origin", _heldOrigin);
        visitor.Value("held-count", ref _heldCount, 0, LongestStamp);
        visitor.Value("digits", ref _digits, 0, LongestStamp);
        _place = (Place)part;
        if (_place is Place.Text or Place.Message && _heldCount > 0)
        {
            throw visitor.Damaged($"'{visitor.Path}' holds back what it has no reason to.");
        }
    }

    private void Hold(char c, long byteNumber)
    {
        _held[_heldCount] = c;
        _heldOrigin[_heldCount++] = byteNumber;
    }
}
