using System;
using System.Globalization;
using System.Text;

namespace VirtShell.Harness.Console;

/// <summary>
/// Wraps a command so that its output and exit status can be told from everything else on the line: the shell prints a
/// marker before and after it. The typed text never holds a marker (quotes split it), so the shell's echo cannot be taken for
/// one. The command goes through <c>eval</c>, so that it changes the shell's own directory and variables, and through
/// <c>command</c>, so that a syntax error is a status and not the end of the line.
/// </summary>
internal sealed class ShellCommand
{
    private const string Prefix = "VirtShell";

    /// <summary>Line editors of small shells hold about 1,000 characters a line.</summary>
    private const int LongestTypedLine = 200;

    private const ulong FnvOffset = 14695981039346656037;
    private const ulong FnvPrime = 1099511628211;

    private readonly string _marker;

    /// <param name="command">One or several lines for a POSIX shell.</param>
    /// <param name="salt">Makes the marker this step's own; the same salt gives the same marker, so that runs repeat.</param>
    public ShellCommand(string command, string salt)
    {
        ulong hash = FnvOffset;
        foreach (char c in salt)
        {
            hash = (hash ^ c) * FnvPrime;
        }

        string token = ((uint)(hash ^ (hash >> 32))).ToString("x8", CultureInfo.InvariantCulture);
        _marker = $"{Prefix}{token}";
        string split = $"{Prefix[..4]}''{Prefix[4..]}{token}";
        Typed = $"echo {split}:begin:; command eval {Quote(command.TrimEnd('\n'))}; echo {split}:end:$?:\n";
    }

    /// <summary>What to type, its last newline included.</summary>
    public string Typed { get; }

    /// <summary>Printed, with a newline, just before the command runs.</summary>
    public string BeginMarker => $"{_marker}:begin:";

    /// <summary>Printed just after the command; the exit status and a colon follow.</summary>
    public string EndMarker => $"{_marker}:end:";

    /// <summary>The output between the markers, as <c>$(...)</c> would give it: without line ends at its end.</summary>
    public static string TrimOutput(ReadOnlySpan<char> between) => between.TrimStart('\n').Length == between.Length
        ? between.TrimEnd('\n').ToString()
        : between[1..].TrimEnd('\n').ToString();

    /// <summary>One shell word, in single quotes, typed in pieces short enough for any line editor; tabs and other control characters, which editors act on, come from printf.</summary>
    private static string Quote(string command)
    {
        var result = new StringBuilder("'");
        int column = 0;
        foreach (char c in command)
        {
            if (c == '\n')
            {
                result.Append(c);
                column = 0;
                continue;
            }

            if (column >= LongestTypedLine && !char.IsLowSurrogate(c))
            {
                result.Append("'\\\n'");
                column = 0;
            }

            string piece = c switch
            {
                '\'' => "'\\''",
                _ when char.IsControl(c) => $"'\"$(printf '\\{Convert.ToString(c & 0xFF, 8)}')\"'",
                _ => c.ToString(),
            };
            result.Append(piece);
            column += piece.Length;
        }

        return result.Append('\'').ToString();
    }
}
