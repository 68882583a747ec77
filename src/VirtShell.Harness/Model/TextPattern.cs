using System;
using System.Text.RegularExpressions;

namespace VirtShell.Harness.Model;

/// <summary>Something to find in what a guest sends: plain text, or a .NET regular expression.</summary>
internal sealed class TextPattern
{
    /// <summary>Stops a pathological expression; no pattern that people write comes near.</summary>
    private static readonly TimeSpan MatchTimeout = TimeSpan.FromSeconds(5);

    private readonly Regex? regex;

    private TextPattern(string source, Regex? regex, string? name)
    {
        Source = source;
        this.regex = regex;
        Name = name;
    }

    public string Source { get; }

    /// <summary>Name of a built-in pattern, else null.</summary>
    public string? Name { get; }

    public bool IsRegex => regex is not null;

    public static TextPattern FromText(string text) => new(text, null, null);

    /// <exception cref="ArgumentException">Not a regular expression.</exception>
    public static TextPattern FromRegex(string expression, string? name = null)
    {
        const RegexOptions Common = RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture;
        try
        {
            // Linear time whatever the guest sends; look-around and back-references are not supported there.
            return new TextPattern(expression, new Regex(expression, Common | RegexOptions.NonBacktracking, MatchTimeout), name);
        }
        catch (NotSupportedException)
        {
            return new TextPattern(expression, new Regex(expression, Common, MatchTimeout), name);
        }
    }

    public static TextPattern FromRegex(Regex regex, string name) => new(regex.ToString(), regex, name);

    public bool IsMatch(string text) => regex?.IsMatch(text) ?? text.Contains(Source, StringComparison.Ordinal);

    public bool IsMatch(ReadOnlySpan<char> text) => regex?.IsMatch(text) ?? text.IndexOf(Source.AsSpan(), StringComparison.Ordinal) >= 0;

    public override string ToString() => Name ?? (IsRegex ? $"/{Source}/" : Printable.Quote(Source));
}
