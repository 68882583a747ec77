using System;
using System.Text;
using System.Text.RegularExpressions;

namespace VirtShell.Host;

/// <summary>
/// Looks for a pattern in a serial log as it grows. Each look decodes what has come since, with up to 64 KiB before it,
/// so that waiting costs no more as the log grows; a match spans at most that much.
/// </summary>
internal sealed class SerialSearch
{
    private const int Window = 64 * 1024;
    private readonly SerialLog _log;
    private readonly Regex? _pattern;
    private readonly string? _text;
    private long _from;

    public SerialSearch(SerialLog log, Regex pattern, long fromOffset)
    {
        _log = log;
        _pattern = pattern;
        _from = fromOffset;
    }

    public SerialSearch(SerialLog log, string text, long fromOffset)
    {
        _log = log;
        _text = text;
        _from = fromOffset;
    }

    /// <summary>Bytes looked at so far: there is nothing new before the log is longer.</summary>
    public long Seen { get; private set; }

    /// <summary>Looks at what is there; null where it does not match yet.</summary>
    public SerialMatch? Look()
    {
        byte[] bytes = _log.GetBytes(_from, long.MaxValue, out long start);
        Seen = start + bytes.Length;
        string text = Encoding.UTF8.GetString(bytes);
        int at;
        int length;
        if (_pattern is not null)
        {
            Match match = _pattern.Match(text);
            at = match.Success ? match.Index : -1;
            length = match.Length;
        }
        else
        {
            at = text.IndexOf(_text!, StringComparison.Ordinal);
            length = _text!.Length;
        }

        if (at < 0)
        {
            _from = Math.Max(start, AlignToCharacter(bytes, start));
            return null;
        }

        int begin = BytesOf(bytes, at);
        int end = BytesOf(bytes, at + length);
        return new SerialMatch(start + begin, start + end, text.Substring(at, length));
    }

    // The window's first byte must not split a character.
    private static long AlignToCharacter(byte[] bytes, long start)
    {
        int at = Math.Max(0, bytes.Length - Window);
        while (at < bytes.Length && (bytes[at] & 0xC0) == 0x80)
        {
            at++;
        }

        return start + at;
    }

    /// <summary>Bytes behind the first <paramref name="characters"/> UTF-16 characters, exact also where bytes are no UTF-8.</summary>
    private static int BytesOf(ReadOnlySpan<byte> bytes, int characters)
    {
        int done = 0;
        while (characters > 0 && done < bytes.Length)
        {
            Rune.DecodeFromUtf8(bytes[done..], out Rune rune, out int used);
            done += used;
            characters -= rune.Utf16SequenceLength;
        }

        return done;
    }
}
