using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text.Json.Nodes;
using VirtShell.Host;

namespace VirtShell.Harness.Yaml;

/// <summary>The kinds of scalar that suites are made of.</summary>
internal static class Kinds
{
    public static readonly Kind<string> Text = new ScalarKind<string>(
        "text",
        (ScalarNode node, out string value) =>
        {
            value = node.Value;
            return true;
        },
        () => new JsonObject { ["type"] = new JsonArray("string", "number", "boolean") });

    public static readonly Kind<string> NonEmptyText = new ScalarKind<string>(
        "text that is not empty",
        (ScalarNode node, out string value) =>
        {
            value = node.Value;
            return value.Length > 0;
        },
        () => new JsonObject { ["type"] = new JsonArray("string", "number"), ["minLength"] = 1 });

    public static readonly Kind<bool> Boolean = new ScalarKind<bool>(
        "true or false",
        (ScalarNode node, out bool value) =>
        {
            value = node.Value == "true";
            return node.IsPlain && node.Value is "true" or "false";
        },
        () => SchemaBuilder.AnyOf(new JsonObject { ["type"] = "boolean" }, SchemaBuilder.Expression()));

    /// <summary>RAM and disk sizes, in bytes; units are binary whether written M, MB or MiB, as people expect of memory.</summary>
    public static readonly Kind<long> Size = new ScalarKind<long>(
        "a size such as 64K, 128M or 1G (K, M and G count in 1024s)",
        (ScalarNode node, out long value) => Units.TryParseSize(node.Value, out value),
        () => new JsonObject { ["type"] = new JsonArray("string", "integer") });

    /// <summary>Guest or host time in nanoseconds.</summary>
    public static readonly Kind<long> Duration = new ScalarKind<long>(
        "a duration such as 500ms, 30s or 2m",
        (ScalarNode node, out long value) => Units.TryParseDuration(node.Value, out value),
        () => new JsonObject { ["type"] = "string", ["pattern"] = $@"^\s*[0-9.]+\s*(ns|us|ms|s|m|h)\s*$|{SchemaBuilder.ExpressionPattern}" });

    /// <summary>Counts; units are decimal.</summary>
    public static readonly Kind<long> Count = new ScalarKind<long>(
        "a count such as 5000, 20M or 3G (K, M and G count in 1000s)",
        (ScalarNode node, out long value) => Units.TryParseCount(node.Value, out value),
        () => new JsonObject { ["type"] = new JsonArray("string", "integer") });

    /// <summary>A share from 0 to 1, written in percent.</summary>
    public static readonly Kind<double> Percent = new ScalarKind<double>(
        "a percentage such as 0%, 0.5% or 10%",
        (ScalarNode node, out double value) => Units.TryParsePercent(node.Value, out value),
        () => new JsonObject { ["type"] = new JsonArray("string", "number") });

    public static Kind<int> Integer(int minimum, int maximum) => new ScalarKind<int>(
        $"a whole number from {minimum} to {maximum}",
        (ScalarNode node, out int value) => int.TryParse(node.Value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out value) && value >= minimum && value <= maximum,
        () => SchemaBuilder.AnyOf(new JsonObject { ["type"] = "integer", ["minimum"] = minimum, ["maximum"] = maximum }, SchemaBuilder.Expression()));

    public static readonly Kind<ulong> Seed = new ScalarKind<ulong>(
        "a whole number from 0 to 18446744073709551615",
        (ScalarNode node, out ulong value) => ulong.TryParse(node.Value, NumberStyles.None, CultureInfo.InvariantCulture, out value),
        () => SchemaBuilder.AnyOf(new JsonObject { ["type"] = "integer", ["minimum"] = 0 }, SchemaBuilder.Expression()));

    public static readonly Kind<RtcStart> RtcStart = new ScalarKind<RtcStart>(
        "a date from 1970 on such as 2026-01-01 or 2026-01-01T12:30:00, utc or localtime",
        (ScalarNode node, out RtcStart value) => Host.RtcStart.TryParse(node.Value, out value),
        () => new JsonObject { ["type"] = "string" });

    public static readonly Kind<string> Sha256 = new ScalarKind<string>(
        "a SHA-256 in 64 hexadecimal digits",
        (ScalarNode node, out string value) =>
        {
            value = node.Value.ToLowerInvariant();
            return value.Length == 64 && value.All(char.IsAsciiHexDigitLower);
        },
        () => new JsonObject { ["type"] = "string", ["pattern"] = $"^[0-9a-fA-F]{{64}}$|{SchemaBuilder.ExpressionPattern}" });
}

/// <summary>One word of a fixed set.</summary>
internal sealed class ChoiceKind<T>(params (string Word, T Value)[] choices) : Kind<T>
{
    public IEnumerable<string> Words => choices.Select(c => c.Word);

    public override string Expected => $"one of {string.Join(", ", Words)}";

    public override bool TryBind(SuiteNode node, Diagnostics diagnostics, out T value)
    {
        value = default!;
        if (node is not ScalarNode { IsNull: false } scalar)
        {
            Mismatch(node, diagnostics);
            return false;
        }

        foreach ((string word, T choice) in choices)
        {
            if (string.Equals(word, scalar.Value, StringComparison.OrdinalIgnoreCase))
            {
                value = choice;
                return true;
            }
        }

        diagnostics.Add(node.Mark, $"unknown word {node.Describe()}{Nearest.Hint(scalar.Value, [.. Words])}");
        return false;
    }

    public override JsonObject Schema(SchemaBuilder schema)
    {
        var words = new JsonArray();
        foreach (string word in Words)
        {
            words.Add(word);
        }

        return SchemaBuilder.AnyOf(new JsonObject { ["enum"] = words }, SchemaBuilder.Expression());
    }
}

/// <summary>A list; a single value stands for a list of one where <paramref name="allowSingle"/>.</summary>
internal sealed class ListKind<T>(Kind<T> item, bool allowSingle = false) : Kind<IReadOnlyList<T>>
{
    public override string Expected => allowSingle ? $"{item.Expected}, or a list of them" : $"a list, each entry {item.Expected}";

    public override bool TryBind(SuiteNode node, Diagnostics diagnostics, out IReadOnlyList<T> value)
    {
        var result = new List<T>();
        value = result;
        bool ok = true;
        if (node is SequenceNode sequence)
        {
            foreach (SuiteNode entry in sequence.Items)
            {
                if (item.TryBind(entry, diagnostics, out T bound))
                {
                    result.Add(bound);
                }
                else
                {
                    ok = false;
                }
            }

            return ok;
        }

        if (allowSingle && node is not ScalarNode { IsNull: true })
        {
            ok = item.TryBind(node, diagnostics, out T single);
            result.Add(single);
            return ok;
        }

        Mismatch(node, diagnostics);
        return false;
    }

    public override JsonObject Schema(SchemaBuilder schema)
    {
        var list = new JsonObject { ["type"] = "array", ["items"] = item.Schema(schema) };
        return allowSingle ? SchemaBuilder.AnyOf(item.Schema(schema), list) : SchemaBuilder.AnyOf(list, SchemaBuilder.Expression());
    }
}

/// <summary>A mapping from free keys to values of one kind.</summary>
internal sealed class MapKind<T>(string keyMeaning, Kind<T> item) : Kind<IReadOnlyDictionary<string, T>>
{
    public override string Expected => $"a mapping from {keyMeaning} to {item.Expected}";

    public override bool TryBind(SuiteNode node, Diagnostics diagnostics, out IReadOnlyDictionary<string, T> value)
    {
        var result = new Dictionary<string, T>(StringComparer.Ordinal);
        value = result;
        if (node is not MappingNode mapping)
        {
            Mismatch(node, diagnostics);
            return false;
        }

        bool ok = true;
        foreach (KeyValuePair<ScalarNode, SuiteNode> entry in mapping.Entries)
        {
            if (item.TryBind(entry.Value, diagnostics, out T bound))
            {
                result[entry.Key.Value] = bound;
            }
            else
            {
                ok = false;
            }
        }

        return ok;
    }

    public override JsonObject Schema(SchemaBuilder schema) => new() { ["type"] = "object", ["additionalProperties"] = item.Schema(schema) };
}

/// <summary>A part that is bound later (tests before their matrix is expanded), with the schema that it will have.</summary>
internal sealed class DeferredKind(string expected, Func<SchemaBuilder, JsonObject> schema) : Kind<SuiteNode>
{
    public override string Expected => expected;

    public override bool TryBind(SuiteNode node, Diagnostics diagnostics, out SuiteNode value)
    {
        value = node;
        return true;
    }

    public override JsonObject Schema(SchemaBuilder schema1) => schema(schema1);
}
