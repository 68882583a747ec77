using System;
using System.Collections.Concurrent;
using System.Text.RegularExpressions;
using VirtShell.Harness.Yaml;
using VirtShell.Host;

namespace VirtShell.Harness.Model;

/// <summary>Something to find in what a guest sends: plain text, or a .NET regular expression.</summary>
internal sealed class TextPattern
{
    /// <summary>Stops a pathological expression; no pattern that people write comes near. A limit or Ctrl+C waits for no more than one look.</summary>
    private static readonly TimeSpan s_matchTimeout = TimeSpan.FromSeconds(1);

    /// <summary>A matrix brings the same expression again and again, and compiling one takes much longer than all else that is done at loading.</summary>
    private static readonly ConcurrentDictionary<string, Regex> s_known = new(StringComparer.Ordinal);

    private readonly Regex? _regex;

    private TextPattern(string source, Regex? regex, string? name)
    {
        Source = source;
        this._regex = regex;
        Name = name;
    }

    public string Source { get; }

    /// <summary>Name of a built-in pattern, else null.</summary>
    public string? Name { get; }

    public bool IsRegex => _regex is not null;

    public static TextPattern FromText(string text) => new(text, null, null);

    /// <exception cref="ArgumentException">Not a regular expression.</exception>
    public static TextPattern FromRegex(string expression, string? name = null, Mark mark = default)
    {
        return new TextPattern(expression, s_known.GetOrAdd(expression, Compile), name) { Mark = mark };
    }

    private static Regex Compile(string expression)
    {
        const RegexOptions Common = RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture;
        try
        {
            // Linear time whatever the guest sends; look-around and back-references are not supported there.
            return new Regex(expression, Common | RegexOptions.NonBacktracking, s_matchTimeout);
        }
        catch (NotSupportedException)
        {
            return new Regex(expression, Common, s_matchTimeout);
        }
    }

    public static TextPattern FromRegex(Regex regex, string name) => new(regex.ToString(), regex, name);

    /// <summary>Where it stands in the suite; line 0 where it does not.</summary>
    public Mark Mark { get; init; }

    /// <exception cref="PatternTimeoutException">The expression takes too long.</exception>
    public bool IsMatch(ReadOnlySpan<char> text) => Find(text) >= 0;

    /// <summary>Where the first match ends, in characters from the beginning of <paramref name="text"/>; -1 where there is none.</summary>
    /// <exception cref="PatternTimeoutException">The expression takes too long.</exception>
    public int Find(ReadOnlySpan<char> text)
    {
        if (_regex is null)
        {
            int at = text.IndexOf(Source.AsSpan(), StringComparison.Ordinal);
            return at < 0 ? -1 : at + Source.Length;
        }

        try
        {
            foreach (ValueMatch match in _regex.EnumerateMatches(text))
            {
                return match.Index + match.Length;
            }

            return -1;
        }
        catch (RegexMatchTimeoutException)
        {
            throw new PatternTimeoutException(this, text.Length);
        }
    }

    public override string ToString() => Name ?? (IsRegex ? $"/{Source}/" : Printable.Quote(Source));
}

/// <summary>A regular expression of a suite takes too long: the suite's mistake, with its place.</summary>
internal sealed class PatternTimeoutException(TextPattern pattern, int length) : Exception
{
    public override string Message => $"the regular expression {pattern} took longer than a second on {length} characters of what the guest sent; write it without repetitions inside repetitions, and without look-around and back-references, which cost the most";

    /// <summary>The mistake as a diagnostic of the suite <paramref name="file"/>.</summary>
    public SuiteDiagnostic In(string file) => new(file, pattern.Mark.Line, pattern.Mark.Column, Message);
}
