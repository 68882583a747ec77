using System;
using VirtShell.Harness.Model;
using VirtShell.State;

namespace VirtShell.Harness.Console;

/// <summary>
/// Finds a pattern in one stream: text at the character at which it is there, wherever it lies; a regular expression within
/// one line, looked for when the line ends, after every <see cref="Stride"/> characters of a long one, and when the output
/// pauses. So an expression costs about as much as the output is long, however it comes, and where it matches is a function
/// of the characters and of the pauses between them alone.
/// </summary>
internal sealed class StreamMatcher : IStateful
{
    /// <summary>The output has paused when nothing came for this long, in nanoseconds of guest time.</summary>
    public const long Pause = 1_000_000;

    /// <summary>Characters of an unfinished line from one look to the next.</summary>
    public const int Stride = 256;

    /// <summary>Of a longer line only the end is given to a regular expression.</summary>
    public const int LongestLine = 4096;

    private readonly TextStream stream;
    private readonly TextPattern pattern;
    private long from;
    private long next;
    private long lineStart;
    private long looked;

    public StreamMatcher(TextStream stream, TextPattern pattern, long from)
    {
        this.stream = stream;
        this.pattern = pattern;
        this.from = from;
        next = from;
        lineStart = Math.Max(from, stream.First);
        looked = lineStart;
    }

    /// <summary>Position just after the match, once there is one.</summary>
    [NotState("Who has found it looks no further.")]
    public long MatchEnd { get; private set; } = -1;

    /// <summary>Looks at what has come since the last call.</summary>
    /// <param name="pausing">Whether the output pauses now, or has ended.</param>
    public bool Advance(bool pausing)
    {
        if (next < stream.First)
        {
            next = looked = lineStart = stream.First;
        }

        while (MatchEnd < 0 && next < stream.End)
        {
            if (pattern.IsRegex)
            {
                AdvanceLine();
            }
            else if (MatchesText(stream[next++]))
            {
                MatchEnd = next;
            }
        }

        if (pausing && MatchEnd < 0 && pattern.IsRegex)
        {
            Look(next);
        }

        return MatchEnd >= 0;
    }

    /// <summary>Once the stream is there.</summary>
    public void Describe(StateVisitor visitor)
    {
        visitor.Value("from", ref from, 0, stream.End);
        visitor.Value("next", ref next, 0, stream.End);
        visitor.Value("line-start", ref lineStart, 0, stream.End);
        visitor.Value("looked", ref looked, 0, stream.End);
    }

    private void AdvanceLine()
    {
        if (stream.IsAfterPause(next) && Look(next))
        {
            return;
        }

        if (stream[next] == '\n')
        {
            if (!Look(next))
            {
                lineStart = looked = next + 1;
            }

            next++;
            return;
        }

        next++;
        if (next - looked >= Stride)
        {
            Look(next);
        }
    }

    private bool MatchesText(char last)
    {
        string source = pattern.Source;
        return last == source[^1] && next - from >= source.Length && stream.Slice(Math.Max(from, next - source.Length), next).SequenceEqual(source);
    }

    private bool Look(long end)
    {
        if (end <= looked)
        {
            return false;
        }

        looked = end;
        long start = Math.Max(lineStart, end - LongestLine);
        int found = pattern.Find(stream.Slice(start, end));
        if (found < 0)
        {
            return false;
        }

        // An empty match stands behind the first character, so that every match takes something.
        MatchEnd = start + Math.Max(1, found);
        return true;
    }
}

/// <summary>Finds a pattern in either of a port's streams, whichever shows it first.</summary>
internal sealed class ConsoleMatcher : IStateful
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
        Missed = text.Clean.First > 0 ? Math.Max(0, text.Clean.OriginOf(text.Clean.First) - fromByte) : 0;
    }

    /// <summary>Bytes from <c>fromByte</c> on that were no longer held when the search began.</summary>
    public long Missed { get; private set; }

    /// <summary>Number of the byte after the match, once there is one.</summary>
    [NotState("Who has found it looks no further.")]
    public long MatchEndByte { get; private set; } = -1;

    public void Describe(StateVisitor visitor)
    {
        Missed = visitor.Value("missed", Missed);
        visitor.Part("clean", clean);
        visitor.Part("user", user);
    }

    /// <param name="pausing">Whether the output pauses now, or has ended.</param>
    public bool Advance(bool pausing = false)
    {
        long end = long.MaxValue;
        if (clean.Advance(pausing))
        {
            end = text.Clean.OriginOf(clean.MatchEnd - 1) + 1;
        }

        if (user.Advance(pausing))
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
