using System.Globalization;
using System.Linq;
using System.Text.Json.Nodes;

namespace VirtShell.Settings;

/// <summary>Text as it is written.</summary>
/// <param name="word">One word for it in usage texts: "source".</param>
/// <param name="isEmptyAllowed">Whether it may be empty.</param>
public sealed class TextKind(string word = "text", bool isEmptyAllowed = false) : ScalarKind<string>
{
    public override string Word => word;

    public override string Expected => isEmptyAllowed ? "text" : "text that is not empty";

    public override string? Problem(string subject, string value) =>
        !isEmptyAllowed && string.IsNullOrWhiteSpace(value) ? $"{subject} is empty; give it a value, or leave it out" : null;

    public override bool TryParse(string text, out string value)
    {
        value = text;
        return isEmptyAllowed || text.Length > 0;
    }

    public override string Format(string value) => value;

    public override JsonObject Schema() => isEmptyAllowed
        ? new() { ["type"] = new JsonArray("string", "number", "boolean") }
        : new() { ["type"] = new JsonArray("string", "number"), ["minLength"] = 1 };
}

/// <summary>A SHA-256 in hexadecimal digits; upper case is read as lower case.</summary>
public sealed class Sha256Kind : ScalarKind<string>
{
    private const int Digits = 64;

    public override string Word => "hex";

    public override string Expected => "a SHA-256 in 64 hexadecimal digits";

    public override string? Problem(string subject, string value) => TryParse(value, out _) ? null : $"{subject} is {Expected}";

    public override bool TryParse(string text, out string value)
    {
        value = text.ToLowerInvariant();
        return value.Length == Digits && value.All(char.IsAsciiHexDigitLower);
    }

    public override string Format(string value) => value;

    public override JsonObject Schema() => new() { ["type"] = "string", ["pattern"] = "^[0-9a-fA-F]{64}$" };
}

/// <summary>true or false.</summary>
public sealed class BooleanKind : ScalarKind<bool>
{
    public override string Word => "true|false";

    public override string Expected => "true or false";

    public override bool TryParse(string text, out bool value)
    {
        value = text == "true";
        return text is "true" or "false";
    }

    public override string Format(bool value) => value ? "true" : "false";

    public override string? Show(bool value, FrontEnd frontEnd) => frontEnd == FrontEnd.Cmdlets ? "$" + Format(value) : Format(value);

    public override JsonObject Schema() => new() { ["type"] = "boolean" };
}

/// <summary>Any number of 64 bits.</summary>
public sealed class SeedKind : ScalarKind<ulong>
{
    public override string Word => "number";

    public override string Expected => "a whole number from 0 to 18446744073709551615";

    public override bool TryParse(string text, out ulong value) => ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out value);

    public override string Format(ulong value) => value.ToString(CultureInfo.InvariantCulture);

    public override JsonObject Schema() => new() { ["type"] = "integer", ["minimum"] = 0 };
}
