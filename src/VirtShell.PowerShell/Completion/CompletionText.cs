using System;
using System.Linq;

namespace VirtShell.PowerShell.Completion;

/// <summary>Quoting of completed words.</summary>
internal static class CompletionText
{
    /// <summary>What the user has typed of a word, without its quotes, and the quote that it began with (or none).</summary>
    internal static (string Prefix, char Quote) Parse(string? word)
    {
        word ??= string.Empty;
        if (word.Length == 0 || word[0] is not ('\'' or '"'))
        {
            return (word, '\0');
        }

        char quote = word[0];
        string inner = word[1..];
        if (inner.Length > 0 && inner[^1] == quote)
        {
            inner = inner[..^1];
        }

        return (inner.Replace(new string(quote, 2), quote.ToString(), StringComparison.Ordinal), quote);
    }

    /// <summary><paramref name="value"/> as an argument: bare where that is safe, else quoted, in the user's own kind of quotes.</summary>
    internal static string Quote(string value, char quote)
    {
        if (quote == '"')
        {
            return '"' + value.Replace("`", "``", StringComparison.Ordinal).Replace("\"", "`\"", StringComparison.Ordinal).Replace("$", "`$", StringComparison.Ordinal) + '"';
        }

        return quote == '\'' || !IsBareWord(value) ? "'" + value.Replace("'", "''", StringComparison.Ordinal) + "'" : value;
    }

    // Quoting too often does no harm, so only what is plainly safe goes bare. A leading dash would read as a parameter, a digit as a number.
    private static bool IsBareWord(string value) =>
        value.Length > 0 && (char.IsAsciiLetter(value[0]) || value[0] == '_') && value.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.');
}
