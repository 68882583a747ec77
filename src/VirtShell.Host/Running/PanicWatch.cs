using System;
using System.Text;
using System.Text.RegularExpressions;
using VirtShell.State;

namespace VirtShell.Host.Running;

/// <summary>Looks through one serial port's lines for a kernel panic, byte by byte and without allocating.</summary>
internal sealed partial class PanicWatch : IStateful
{
    // A longer line is no panic message: printk's own limit is 1,024 characters with the prefix.
    private const int LongestLine = 1024;

    private readonly byte[] _line = new byte[LongestLine];
    private int _count;

    /// <summary>The panic's line, once one was seen.</summary>
    public string? Message { get; private set; }

    /// <summary>Whether the kernel has said all that it is going to say.</summary>
    public bool IsComplete { get; private set; }

    /// <summary>Takes the next byte. Gives true when the line that it ends changed <see cref="Message"/> or <see cref="IsComplete"/>.</summary>
    public bool Add(byte value)
    {
        if (value != (byte)'\n')
        {
            if (_count < LongestLine)
            {
                _line[_count++] = value;
            }

            return false;
        }

        int count = _count;
        _count = 0;
        return count > 0 && Check(_line.AsSpan(0, count).TrimEnd((byte)'\r'));
    }

    public void Reset()
    {
        _count = 0;
        Message = null;
        IsComplete = false;
    }

    public void Describe(StateVisitor visitor)
    {
        string? message = Message;
        visitor.Array<byte>("line", _line);
        visitor.Value("count", ref _count, 0, LongestLine);
        visitor.Text("message", ref message, LongestLine * 2);
        Message = message;
        IsComplete = visitor.Value("complete", IsComplete);
    }

    private bool Check(ReadOnlySpan<byte> bytes)
    {
        Span<char> line = stackalloc char[LongestLine];
        line = line[..Encoding.Latin1.GetChars(bytes, line)];
        if (Message is null)
        {
            foreach (GuestPattern pattern in GuestPatterns.Panics)
            {
                foreach (ValueMatch match in pattern.Pattern.EnumerateMatches(line))
                {
                    Message = line[match.Index..].ToString();
                    return true;
                }
            }

            return false;
        }

        if (!IsComplete && LastWords().IsMatch(line))
        {
            IsComplete = true;
            return true;
        }

        return false;
    }

    // What Linux's panic() prints last: without panic=, and with it.
    [GeneratedRegex(@"---\[ end Kernel panic - not syncing|Rebooting in \d+ seconds", RegexOptions.CultureInvariant)]
    private static partial Regex LastWords();
}
