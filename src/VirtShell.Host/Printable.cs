using System;
using System.Globalization;
using System.Net;
using System.Text;

namespace VirtShell.Host;

/// <summary>
/// Makes what comes from a guest, a file name or a suite harmless, for each kind of output: one line, logs that people and CI
/// systems read, XML, HTML, JSON and plain text. Nothing of the kind reaches an output in another way.
/// </summary>
/// <remarks>
/// CI systems take commands from what a job prints: GitHub's <c>::name::</c> at the start of a line, and <c>##[name]</c>,
/// <c>##vso[name]</c> and <c>##teamcity[name]</c> anywhere in it. A space takes their meaning away and leaves them readable.
/// </remarks>
public static class Printable
{
    private const char Replacement = '\uFFFD';

    /// <summary>One line: control characters, line separators and marks that reorder text as <c>\n</c>, <c>\x1b</c>, <c>\u202e</c>; CI commands defused.</summary>
    public static string Escape(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var result = new StringBuilder(text.Length);
        var commands = new CommandFilter();
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (commands.Defuses(c))
            {
                result.Append(' ');
            }

            switch (c)
            {
                case '\n': result.Append("\\n"); break;
                case '\r': result.Append("\\r"); break;
                case '\t': result.Append("\\t"); break;
                default:
                    if (char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
                    {
                        result.Append(c).Append(text[++i]);
                    }
                    else if (char.IsControl(c))
                    {
                        result.Append("\\x").Append(((int)c).ToString("x2", CultureInfo.InvariantCulture));
                    }
                    else if (IsUnsafe(c))
                    {
                        result.Append("\\u").Append(((int)c).ToString("x4", CultureInfo.InvariantCulture));
                    }
                    else
                    {
                        result.Append(c);
                    }

                    break;
            }
        }

        return result.ToString();
    }

    /// <summary>Quoted and escaped, cut to <paramref name="limit"/> characters.</summary>
    public static string Quote(string text, int limit = 80)
    {
        ArgumentNullException.ThrowIfNull(text);
        return text.Length <= limit ? $"\"{Escape(text)}\"" : $"\"{Escape(Head(text, limit - 3))}...\"";
    }

    /// <summary>
    /// Many lines, for a log that people or a CI system read: line ends normalised to <c>\n</c>, CI commands defused, and the
    /// rest as <see cref="Xml"/> does it.
    /// </summary>
    public static string Log(string text)
    {
        string clean = Xml(text);
        var result = new StringBuilder(clean.Length + 8);
        var commands = new CommandFilter();
        foreach (char c in clean)
        {
            if (commands.Defuses(c))
            {
                result.Append(' ');
            }

            result.Append(c);
        }

        return result.ToString();
    }

    /// <summary>
    /// Many lines, for XML 1.0: line ends normalised to <c>\n</c>; other control characters, lone surrogates, marks that reorder
    /// text and what XML forbids become visible pictures or U+FFFD. Also for Markdown in a fence and for what is HTML encoded next.
    /// </summary>
    public static string Xml(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var result = new StringBuilder(text.Length);
        for (int i = 0; i < text.Length; i++)
        {
            char c = text[i];
            if (c == '\r')
            {
                // CR LF, and CR CR LF as terminals' line discipline makes them, are one line end.
                int next = i;
                while (next + 1 < text.Length && text[next + 1] == '\r')
                {
                    next++;
                }

                if (next + 1 < text.Length && text[next + 1] == '\n')
                {
                    i = next;
                    continue;
                }

                result.Append('\u240D');
            }
            else if (c is '\n' or '\t')
            {
                result.Append(c);
            }
            else if (c < 0x20)
            {
                // Unicode control pictures stand at U+2400 plus the code.
                result.Append((char)(0x2400 + c));
            }
            else if (c == 0x7F)
            {
                result.Append('\u2421');
            }
            else if (char.IsHighSurrogate(c) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                result.Append(c).Append(text[++i]);
            }
            else
            {
                result.Append(IsUnsafe(c) || char.IsControl(c) ? Replacement : c);
            }
        }

        return result.ToString();
    }

    /// <summary>HTML text or an attribute's value: as <see cref="Xml"/>, then encoded.</summary>
    public static string Html(string text) => WebUtility.HtmlEncode(Xml(text));

    /// <summary>For a JSON writer, which escapes control characters itself and takes no lone surrogates: those become U+FFFD, all else stays.</summary>
    public static string Json(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        StringBuilder? result = null;
        for (int i = 0; i < text.Length; i++)
        {
            if (!char.IsSurrogate(text[i]))
            {
                continue;
            }

            if (char.IsHighSurrogate(text[i]) && i + 1 < text.Length && char.IsLowSurrogate(text[i + 1]))
            {
                i++;
                continue;
            }

            result ??= new StringBuilder(text);
            result[i] = Replacement;
        }

        return result?.ToString() ?? text;
    }

    /// <summary>What a guest sent as plain text: without terminal sequences, carriage returns and other control characters; line ends are <c>\n</c>.</summary>
    public static string Text(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var result = new StringBuilder(text.Length);
        var escapes = new EscapeFilter();
        foreach (char c in text)
        {
            if (escapes.Keep(c))
            {
                result.Append(IsReordering(c) ? Replacement : c);
            }
        }

        return result.ToString();
    }

    /// <summary>The first characters, at most <paramref name="limit"/>, without half a surrogate pair at the cut.</summary>
    public static string Head(string text, int limit)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Length <= limit)
        {
            return text;
        }

        return limit > 0 && char.IsHighSurrogate(text[limit - 1]) ? text[..(limit - 1)] : text[..Math.Max(0, limit)];
    }

    /// <summary>The last characters, at most <paramref name="limit"/>, without half a surrogate pair at the cut.</summary>
    public static string Tail(string text, int limit)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text.Length <= limit)
        {
            return text;
        }

        int from = text.Length - Math.Max(0, limit);
        return from < text.Length && char.IsLowSurrogate(text[from]) ? text[(from + 1)..] : text[from..];
    }

    // Unicode's line and paragraph separators break lines; its bidirectional controls show text in another order than it has.
    private static bool IsReordering(char c) => c is '\u2028' or '\u2029' or '\u200E' or '\u200F' or '\u061C' or (>= '\u202A' and <= '\u202E') or (>= '\u2066' and <= '\u2069');

    private static bool IsUnsafe(char c) => char.IsSurrogate(c) || c is '\uFFFE' or '\uFFFF' || IsReordering(c);

    /// <summary>What a guest sends, piece by piece as it comes, for a log: plain text as of <see cref="Text"/>, with CI commands defused.</summary>
    public sealed class Stream
    {
        private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
        private readonly EscapeFilter _escapes = new();
        private readonly CommandFilter _commands = new();

        /// <summary>The text of the next bytes; a character or a sequence that is not complete yet waits for them.</summary>
        public string Add(ReadOnlySpan<byte> bytes)
        {
            char[] decoded = new char[_decoder.GetCharCount(bytes, flush: false)];
            int count = _decoder.GetChars(bytes, decoded, flush: false);
            var result = new StringBuilder(count + 4);
            for (int i = 0; i < count; i++)
            {
                char c = decoded[i];
                if (!_escapes.Keep(c))
                {
                    continue;
                }

                if (_commands.Defuses(c))
                {
                    result.Append(' ');
                }

                result.Append(IsReordering(c) ? Replacement : c);
            }

            return result.ToString();
        }
    }

    /// <summary>Sees the place in a CI command where a space takes its meaning away, character by character.</summary>
    private sealed class CommandFilter
    {
        private State _state = State.LineStart;

        private enum State
        {
            LineStart,
            FirstColon,
            Text,
            FirstHash,

            /// <summary>Two hashes or more, then letters.</summary>
            Hashes,
        }

        /// <summary>Whether a space belongs before this character.</summary>
        public bool Defuses(char c)
        {
            State before = _state;
            _state = c switch
            {
                '\n' or '\r' => State.LineStart,
                '#' => before is State.FirstHash or State.Hashes ? State.Hashes : State.FirstHash,
                ':' when before == State.LineStart => State.FirstColon,
                _ when before == State.LineStart && char.IsWhiteSpace(c) => State.LineStart,
                _ when before == State.Hashes && char.IsAsciiLetter(c) => State.Hashes,
                _ => State.Text,
            };
            return (before == State.FirstColon && c == ':') || (before == State.Hashes && c == '[');
        }
    }
}
