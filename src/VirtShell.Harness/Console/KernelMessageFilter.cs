namespace VirtShell.Harness.Console;

/// <summary>
/// Takes Linux kernel messages out of a character stream, also where they break into the middle of a line: from
/// <c>[    1.234567] </c> to the end of that line. What only begins like one is held back until it proves not to be.
/// </summary>
internal sealed class KernelMessageFilter
{
    /// <summary>printk's time stamp has six digits after the point (kernel/printk/printk.c prints "[%5lu.%06lu]").</summary>
    private const int FractionDigits = 6;

    private const int LongestStamp = 24;

    private enum State
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
    private State state;
    private int heldCount;
    private int digits;

    public KernelMessageFilter(TextStream target)
    {
        this.target = target;
    }

    public void Append(char c, long byteNumber)
    {
        switch (state)
        {
            case State.Message:
                if (c == '\n')
                {
                    state = State.Text;
                }

                return;
            case State.Text:
                if (c == '[')
                {
                    Hold(c, byteNumber);
                    state = State.Seconds;
                    digits = 0;
                    return;
                }

                target.Append(c, byteNumber);
                return;
            case State.Seconds when c == ' ' && digits == 0:
                break;
            case State.Seconds when char.IsAsciiDigit(c):
                digits++;
                break;
            case State.Seconds when c == '.' && digits > 0:
                state = State.Fraction;
                digits = 0;
                break;
            case State.Fraction when char.IsAsciiDigit(c):
                digits++;
                break;
            case State.Fraction when c == ']' && digits == FractionDigits:
                state = State.AfterStamp;
                break;
            case State.AfterStamp when c is ' ' or '[':
                heldCount = 0;
                state = State.Message;
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
        state = State.Text;
    }

    private void Hold(char c, long byteNumber)
    {
        held[heldCount] = c;
        heldOrigin[heldCount++] = byteNumber;
    }
}
