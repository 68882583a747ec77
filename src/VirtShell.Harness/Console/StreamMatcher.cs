using System;
using VirtShell.Harness.Model;

namespace VirtShell.Harness.Console;

/// <summary>
/// Finds a pattern in one stream, at the earliest character at which it is there: text wherever it lies, a regular
/// expression within one line as that line grows.
/// </summary>
internal sealed class StreamMatcher
{
    /// <summary>Of a longer line only the end is given to a regular expression.</summary>
    private const int LongestLine = 4096;

    private readonly TextStream stream;
    private readonly TextPattern pattern;
    private readonly long from;
    private long next;
    private long lineStart;

    public StreamMatcher(TextStream stream, TextPattern pattern, long from)
    {
        this.stream = stream;
        this.pattern = pattern;
        this.from = from;
        next = from;
        lineStart = Math.Max(from, stream.First);
    }

    /// <summary>Position just after the match, once there is one.</summary>
    public long MatchEnd { get; private set; } = -1;

    /// <summary>Looks at what has come since the last call.</summary>
    public bool Advance()
    {
        next = Math.Max(next, stream.First);
        while (MatchEnd < 0 && next < stream.End)
        {
            char c = stream[next++];
            if (pattern.IsRegex ? c != '\n' && MatchesLine() : MatchesText(c))
            {
                MatchEnd = next;
            }

            if (c == '\n')
            {
                lineStart = next;
            }
        }

        return MatchEnd >= 0;
    }

    private bool MatchesText(char last)
    {
        string source = pattern.Source;
        return last == source[^1] && next - from >= source.Length && stream.Slice(Math.Max(from, next - source.Length), next).SequenceEqual(source);
    }

    private bool MatchesLine() => pattern.IsMatch(stream.Slice(Math.Max(lineStart, next - LongestLine), next));
}

/// <summary>Finds a pattern in either of a port's streams, whichever shows it first.</summary>
internal sealed class ConsoleMatcher
{
    private readonly ConsoleText text;
    private readonly StreamMatcher clean;
    private readonly StreamMatcher user;

    /// <param name="text">The port.</param>
    /// <param name="pattern">What to find.</param>
    /// <param name="fromByte">Number of the first byte that counts.</param>
    public ConsoleMatcher(ConsoleText text, TextPattern pattern, long fromByte)
    {
        this.text = text;
        clean = new StreamMatcher(text.Clean, pattern, text.Clean.PositionAt(fromByte));
        user = new StreamMatcher(text.User, pattern, text.User.PositionAt(fromByte));
    }

    /// <summary>Number of the byte after the match, once there is one.</summary>
    public long MatchEndByte { get; private set; } = -1;

    public bool Advance()
    {
        long end = long.MaxValue;
        if (clean.Advance())
        {
            end = text.Clean.OriginOf(clean.MatchEnd - 1) + 1;
        }

        if (user.Advance())
        {
            end = Math.Min(end, text.User.OriginOf(user.MatchEnd - 1) + 1);
        }

        if (end == long.MaxValue)
        {
            return false;
        }

        MatchEndByte = end;
        return true;
    }
}
