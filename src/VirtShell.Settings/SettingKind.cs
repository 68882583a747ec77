using System.Text.Json.Nodes;

namespace VirtShell.Settings;

/// <summary>A kind of value: what is allowed, what is wrong with one that is not, and its JSON Schema.</summary>
public abstract class SettingKind<T>
{
    /// <summary>What is allowed, to complete "expected ...".</summary>
    public abstract string Expected { get; }

    /// <summary>The bounds in words, to complete "memory is ..."; null where there are none beside those of the kind itself.</summary>
    public virtual string? Bounds => null;

    /// <summary>What is wrong with a value, as a clause about <paramref name="subject"/> without a full stop; null where it may be.</summary>
    public virtual string? Problem(string subject, T value) => null;

    /// <summary>Where a value that is no null itself holds one that it must not, as the end of a JSON path (".files"); null where it holds none.</summary>
    public virtual string? FindNull(T value) => null;

    /// <summary>The value in a default's place in documentation; null where there is nothing to show.</summary>
    public virtual string? Show(T value, FrontEnd frontEnd) => null;

    /// <summary>The choices in words, for documentation; null where there are too many to name.</summary>
    public virtual string? Choices(FrontEnd frontEnd) => null;

    public abstract JsonObject Schema();
}

/// <summary>A kind of value that people write as one word, number or line.</summary>
public abstract class ScalarKind<T> : SettingKind<T>
{
    /// <summary>One word for such a value, in usage texts: "size".</summary>
    public abstract string Word { get; }

    /// <summary>Reads a value. Bounds are <see cref="SettingKind{T}.Problem"/>'s business where the text is right otherwise.</summary>
    public abstract bool TryParse(string text, out T value);

    /// <summary>Text that <see cref="TryParse"/> reads as exactly this value.</summary>
    public abstract string Format(T value);

    public override string? Show(T value, FrontEnd frontEnd) => value is null || Format(value) is not { Length: > 0 } text ? null : text;
}
