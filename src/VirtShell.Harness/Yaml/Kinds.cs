using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using VirtShell.Settings;

namespace VirtShell.Harness.Yaml;

/// <summary>The kinds of scalar that suites are made of.</summary>
internal static class Kinds
{
    public static readonly Kind<string> Text = Of(SettingKinds.Text);

    public static readonly Kind<string> NonEmptyText = Of(SettingKinds.NonEmptyText);

    public static readonly Kind<bool> Boolean = Of(SettingKinds.Boolean);

    public static readonly Kind<long> Size = Of(SettingKinds.Size);

    /// <summary>Guest or host time in nanoseconds.</summary>
    public static readonly Kind<long> Duration = Of(SettingKinds.Duration);

    public static readonly Kind<long> Count = Of(SettingKinds.Count);

    /// <summary>A share from 0 to 1, written in percent.</summary>
    public static readonly Kind<double> Percent = Of(SettingKinds.Percent);

    public static readonly Kind<ulong> Seed = Of(SettingKinds.Seed);

    public static Kind<int> Integer(int minimum, int maximum) => Of(new IntegerKind(minimum, maximum));

    /// <summary>How values of a kind are written in suites.</summary>
    public static Kind<T> Of<T>(ScalarKind<T> kind) => new SettingNodeKind<T>(kind);
}

/// <summary>A value of a setting's kind, written as one scalar.</summary>
internal sealed class SettingNodeKind<T>(ScalarKind<T> kind) : Kind<T>
{
    public override string Expected => kind.Expected;

    public override bool TryBind(SuiteNode node, Diagnostics diagnostics, out T value)
    {
        value = default!;
        if (node is not ScalarNode { IsNull: false } scalar)
        {
            Mismatch(node, diagnostics);
            return false;
        }

        // In quotes true is text.
        if ((kind is not BooleanKind || scalar.IsPlain) && kind.TryParse(scalar.Value, out value))
        {
            return true;
        }

        if (kind is IWordKind { Words: var words })
        {
            diagnostics.Add(node.Mark, $"unknown word {node.Describe()}{Nearest.Hint(scalar.Value, words)}");
        }
        else
        {
            Mismatch(node, diagnostics);
        }

        return false;
    }

    /// <summary>Any value may be written as an expression; where its kind takes any text that is said already.</summary>
    public override JsonObject Schema(SchemaBuilder schema)
    {
        JsonObject own = kind.Schema();
        bool takesText = own["pattern"] is null && own["type"] is { } type && type.ToJsonString().Contains("\"string\"", StringComparison.Ordinal);
        return takesText ? own : SchemaBuilder.AnyOf(own, SchemaBuilder.Expression());
    }
}

/// <summary>One word of a fixed set that only suites have.</summary>
internal sealed class ChoiceKind<T>(params (string Word, T Value)[] choices) : Kind<T>
{
    private readonly Kind<T> _words = Kinds.Of(new WordKind<T>([.. choices.Select(c => new Choice<T>(c.Word, c.Value))]));

    public override string Expected => _words.Expected;

    public override bool TryBind(SuiteNode node, Diagnostics diagnostics, out T value) => _words.TryBind(node, diagnostics, out value);

    public override JsonObject Schema(SchemaBuilder schema) => _words.Schema(schema);
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
