using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;

namespace VirtShell.Settings;

/// <summary>A kind whose values are words.</summary>
public interface IWordKind
{
    IReadOnlyList<string> Words { get; }
}

/// <summary>One choice of a <see cref="WordKind{T}"/>.</summary>
/// <param name="Word">As suites and command lines write it.</param>
/// <param name="Value">What it stands for.</param>
/// <param name="Meaning">A few words on it, for documentation; empty where the word says enough.</param>
public sealed record Choice<T>(string Word, T Value, string Meaning = "");

/// <summary>One word of a fixed set.</summary>
public sealed class WordKind<T>(params Choice<T>[] choices) : ScalarKind<T>, IWordKind
{
    public IReadOnlyList<string> Words { get; } = [.. choices.Select(c => c.Word)];

    public override string Word => "word";

    public override string Expected => $"one of {string.Join(", ", Words)}";

    public override string? Problem(string subject, T value) =>
        choices.Any(c => EqualityComparer<T>.Default.Equals(c.Value, value)) ? null : $"{subject} is {Expected}; {value} is not";

    public override bool TryParse(string text, out T value)
    {
        Choice<T>? found = Array.Find(choices, c => string.Equals(c.Word, text, StringComparison.OrdinalIgnoreCase));
        value = found is null ? default! : found.Value;
        return found is not null;
    }

    /// <summary>As <see cref="TryParse"/>, and the value's own name too, both without regard to hyphens and underscores: read-only, ReadOnly, X86_64_V3.</summary>
    public bool TryParseLoosely(string text, out T value)
    {
        string wanted = Plain(text);
        Choice<T>? found = Array.Find(choices, c => string.Equals(Plain(c.Word), wanted, StringComparison.OrdinalIgnoreCase)
            || string.Equals(Plain(c.Value?.ToString() ?? string.Empty), wanted, StringComparison.OrdinalIgnoreCase));
        value = found is null ? default! : found.Value;
        return found is not null;
    }

    public override string Format(T value) =>
        Array.Find(choices, c => EqualityComparer<T>.Default.Equals(c.Value, value))?.Word ?? value?.ToString() ?? string.Empty;

    public override string? Show(T value, FrontEnd frontEnd) => frontEnd == FrontEnd.Cmdlets ? value?.ToString() : Format(value);

    public override string? Choices(FrontEnd frontEnd)
    {
        string[] all = [.. choices.Select(c => Show(c.Value, frontEnd) + (c.Meaning.Length == 0 ? string.Empty : $" ({c.Meaning})"))];
        return all.Length < 2 ? all.FirstOrDefault() : $"{string.Join(", ", all[..^1])} or {all[^1]}";
    }

    public override JsonObject Schema()
    {
        var words = new JsonArray();
        foreach (string word in Words)
        {
            words.Add(word);
        }

        return new JsonObject { ["enum"] = words };
    }

    private static string Plain(string text) => text.Replace("-", string.Empty, StringComparison.Ordinal).Replace("_", string.Empty, StringComparison.Ordinal);
}
