using System;
using System.Globalization;
using System.Text;

namespace VirtShell.Harness;

/// <summary>Makes guests' bytes and users' text safe to show on one line or in a log.</summary>
public static class Printable
{
    /// <summary>One line: control characters as <c>\n</c>, <c>\t</c>, <c>\x1b</c>.</summary>
    public static string Escape(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var result = new StringBuilder(text.Length);
        foreach (char c in text)
        {
            switch (c)
            {
                case '\n': result.Append("\\n"); break;
                case '\r': result.Append("\\r"); break;
                case '\t': result.Append("\\t"); break;
                default:
                    if (char.IsControl(c))
                    {
                        result.Append("\\x").Append(((int)c).ToString("x2", CultureInfo.InvariantCulture));
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
        return text.Length <= limit ? $"\"{Escape(text)}\"" : $"\"{Escape(text[..(limit - 3)])}...\"";
    }

    /// <summary>Many lines: line ends normalised to <c>\n</c>; other control characters, lone surrogates and what XML 1.0 forbids become visible pictures or U+FFFD.</summary>
    public static string Log(string text)
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
            else if (char.IsSurrogate(c) || c is '\uFFFE' or '\uFFFF' || (c >= 0x80 && c < 0xA0))
            {
                result.Append('\uFFFD');
            }
            else
            {
                result.Append(c);
            }
        }

        return result.ToString();
    }
}
