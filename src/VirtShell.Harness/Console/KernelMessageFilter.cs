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

    private readonly TextStream target;
    private readonly char[] held = new char[LongestStamp];
    private readonly long[] heldOrigin = new long[LongestStamp];
    private Place place;
    private int heldCount;
    private int digits;

    public KernelMessageFilter(TextStream target)
    {
        this.target = target;
    }

    public void Append(char c, long byteNumber)
    {
        switch (place)
        {
            case Place.Message:
                if (c == '\n')
                {
                    place = Place.Text;
                }

                return;
            case Place.Text:
                if (c == '[')
                {
                    Hold(c, byteNumber);
                    place = Place.Seconds;
                    digits = 0;
                    return;
                }

                target.Append(c, byteNumber);
                return;
            case Place.Seconds when c == ' ' && digits == 0:
                break;
            case Place.Seconds when char.IsAsciiDigit(c):
                digits++;
                break;
            case Place.Seconds when c == '.' && digits > 0:
                place = Place.Fraction;
                digits = 0;
                break;
            case Place.Fraction when char.IsAsciiDigit(c):
                digits++;
                break;
            case Place.Fraction when c == ']' && digits == FractionDigits:
                place = Place.AfterStamp;
                break;
            case Place.AfterStamp when c is ' ' or '[':
                heldCount = 0;
                place = Place.Message;
                return;
            default:
                Release();
                Append(c, byteNumber);
                return;
        }

        if (heldCount == LongestStamp)
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
        for (int i = 0; i < heldCount; i++)
        {
            target.Append(held[i], heldOrigin[i]);
        }

        heldCount = 0;
        place = Place.Text;
    }

    public void Describe(StateVisitor visitor)
    {
        int part = (int)place;
        visitor.Value("place", ref part, 0, (int)Place.Message);
        visitor.Array<char>("held", held);
        visitor.Array<long>("held-origin", heldOrigin);
        visitor.Value("held-count", ref heldCount, 0, LongestStamp);
        visitor.Value("digits", ref digits, 0, LongestStamp);
        place = (Place)part;
        if (place is Place.Text or Place.Message && heldCount > 0)
        {
            throw visitor.Damaged($"'{visitor.Path}' holds back what it has no reason to.");
        }
    }

    private void Hold(char c, long byteNumber)
    {
        held[heldCount] = c;
        heldOrigin[heldCount++] = byteNumber;
    }
}
