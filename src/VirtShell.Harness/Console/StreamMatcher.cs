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

    private readonly TextStream _stream;
    private readonly TextPattern _pattern;
    private long _from;
    private long _next;
    private long _lineStart;
    private long _looked;

    public StreamMatcher(TextStream stream, TextPattern pattern, long from)
    {
        this._stream = stream;
        this._pattern = pattern;
        this._from = from;
        _next = from;
        _lineStart = Math.Max(from, stream.First);
        _looked = _lineStart;
    }

    /// <summary>Position just after the match, once there is one.</summary>
    [NotState("Who has found it looks no further.")]
    public long MatchEnd { get; private set; } = -1;

    /// <summary>Looks at what has come since the last call.</summary>
    /// <param name="pausing">Whether the output pauses now, or has ended.</param>
    public bool Advance(bool pausing)
    {
        if (_next < _stream.First)
        {
            _next = _looked = _lineStart = _stream.First;
        }

        while (MatchEnd < 0 && _next < _stream.End)
        {
            if (_pattern.IsRegex)
            {
                AdvanceLine();
            }
            else if (MatchesText(_stream[_next++]))
            {
                MatchEnd = _next;
            }
        }

        if (pausing && MatchEnd < 0 && _pattern.IsRegex)
        {
            Look(_next);
        }

        return MatchEnd >= 0;
    }

    /// <summary>Once the stream is there.</summary>
    public void Describe(StateVisitor visitor)
    {
        visitor.Value("from", ref _from, 0, _stream.End);
        visitor.Value("next", ref _next, 0, _stream.End);
        visitor.Value("line-start", ref _lineStart, 0, _stream.End);
        visitor.Value("looked", ref _looked, 0, _stream.End);
    }

    private void AdvanceLine()
    {
        if (_stream.IsAfterPause(_next) && Look(_next))
        {
            return;
        }

        if (_stream[_next] == '\n')
        {
            if (!Look(_next))
            {
                _lineStart = _looked = _next + 1;
            }

            _next++;
            return;
        }

        _next++;
        if (_next - _looked >= Stride)
        {
            Look(_next);
        }
    }

    private bool MatchesText(char last)
    {
        string source = _pattern.Source;
        return last == source[^1] && _next - _from >= source.Length && _stream.Slice(Math.Max(_from, _next - source.Length), _next).SequenceEqual(source);
    }

    private bool Look(long end)
    {
        if (end <= _looked)
        {
            return false;
        }

        _looked = end;
        long start = Math.Max(_lineStart, end - LongestLine);
        int found = _pattern.Find(_stream.Slice(start, end));
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
    private readonly ConsoleText _text;
    private readonly StreamMatcher _clean;
    private readonly StreamMatcher _user;

    /// <param name="text">The port.</param>
    /// <param name="pattern">What to find.</param>
    /// <param name="fromByte">Number of the first byte that counts.</param>
    public ConsoleMatcher(ConsoleText text, TextPattern pattern, long fromByte)
    {
        this._text = text;
        _clean = new StreamMatcher(text.Clean, pattern, text.Clean.PositionAt(fromByte));
        _user = new StreamMatcher(text.User, pattern, text.User.PositionAt(fromByte));
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
        visitor.Part("clean", _clean);
        visitor.Part("user", _user);
    }

    /// <param name="pausing">Whether the output pauses now, or has ended.</param>
    public bool Advance(bool pausing = false)
    {
        long end = long.MaxValue;
        if (_clean.Advance(pausing))
        {
            end = _text.Clean.OriginOf(_clean.MatchEnd - 1) + 1;
        }

        if (_user.Advance(pausing))
        {
            end = Math.Min(end, _text.User.OriginOf(_user.MatchEnd - 1) + 1);
        }

        if (end == long.MaxValue)
        {
            return false;
        }

        MatchEndByte = end;
        return true;
    }
}
