using System.Collections.Generic;
using System.Text;
using VirtShell.Host;

namespace VirtShell.PowerShell.Output;

/// <summary>Turns serial bytes that arrive in pieces into lines. Line ends are CR LF, LF or LF CR.</summary>
/// <param name="asSent">Keeps terminal sequences and other control characters, which otherwise go.</param>
internal sealed class SerialLines(bool asSent)
{
    private readonly EscapeFilter _escapes = new();
    private readonly Decoder _decoder = Encoding.UTF8.GetDecoder();
    private string _rest = string.Empty;

    /// <summary>Whether a line has begun that has not ended yet.</summary>
    internal bool HasRest => _rest.Length > 0;

    /// <summary>The text of <paramref name="bytes"/>; a character that is not complete yet waits for the next piece.</summary>
    internal string Decode(byte[] bytes)
    {
        char[] chars = new char[_decoder.GetCharCount(bytes, flush: false)];
        int count = _decoder.GetChars(bytes, chars, flush: false);
        if (asSent)
        {
            return new string(chars, 0, count);
        }

        int kept = 0;
        for (int i = 0; i < count; i++)
        {
            if (_escapes.Keep(chars[i]))
            {
                chars[kept++] = chars[i];
            }
        }

        return new string(chars, 0, kept);
    }

    /// <summary>The lines that <paramref name="text"/> completes.</summary>
    internal IReadOnlyList<string> Split(string text)
    {
        string all = _rest + text;
        List<string> lines = [];
        int start = 0;
        for (int end = all.IndexOf('\n', start); end >= 0; end = all.IndexOf('\n', start))
        {
            lines.Add(all[start..end].Trim('\r'));
            start = end + 1;
        }

        _rest = all[start..];
        return lines;
    }

    /// <summary>The line that has begun, without waiting for its end.</summary>
    internal string TakeRest()
    {
        string rest = _rest.Trim('\r');
        _rest = string.Empty;
        return rest;
    }

    /// <summary>The last <paramref name="lines"/> lines of <paramref name="text"/>, with their line ends.</summary>
    internal static string Last(string text, int lines)
    {
        if (lines <= 0)
        {
            return string.Empty;
        }

        int position = text.EndsWith('\n') ? text.Length - 1 : text.Length;
        for (int i = 0; i < lines; i++)
        {
            if (position <= 0)
            {
                return text;
            }

            position = text.LastIndexOf('\n', position - 1);
            if (position < 0)
            {
                return text;
            }
        }

        return text[(position + 1)..];
    }
}
