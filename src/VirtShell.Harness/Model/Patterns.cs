using System;
using System.Collections.Generic;
using System.Linq;
using System.Text.Json.Nodes;
using VirtShell.Harness.Yaml;
using VirtShell.Host;

namespace VirtShell.Harness.Model;

/// <summary>How patterns are written: text, or <c>{regex: ...}</c>, or <c>{text: ...}</c>.</summary>
internal static class Patterns
{
    public static readonly Kind<TextPattern> Pattern = new PatternKind(builtins: false);

    /// <summary>As <see cref="Pattern"/>, and the bare names of the built-in patterns.</summary>
    public static readonly Kind<TextPattern> NeverPattern = new PatternKind(builtins: true);

    /// <summary>The host's patterns of guests in trouble, under their names.</summary>
    public static IReadOnlyList<TextPattern> BuiltIn { get; } =
        [.. GuestPatterns.Panics.Concat(GuestPatterns.Faults).Select(p => TextPattern.FromRegex(p.Pattern, p.Name))];

    /// <summary>The name of a built-in pattern.</summary>
    public static readonly Kind<string> BuiltInName = new ChoiceKind<string>([.. BuiltIn.Select(p => (p.Name!, p.Name!))]);

    private sealed class PatternKind(bool builtins) : Kind<TextPattern>
    {
        public override string Expected => builtins ? $"{string.Join(", ", BuiltIn.Select(p => p.Name))}, text, or {{regex: ...}}" : "text, or {regex: ...}";

        public override bool TryBind(SuiteNode node, Diagnostics diagnostics, out TextPattern value)
        {
            value = null!;
            switch (node)
            {
                case ScalarNode { Value.Length: > 0, IsNull: false } scalar:
                    value = (builtins && scalar.IsPlain ? BuiltIn.FirstOrDefault(p => p.Name == scalar.Value) : null) ?? TextPattern.FromText(scalar.Value);
                    return true;
                case MappingNode { Entries.Count: 1 } mapping when mapping.Entries[0].Value is ScalarNode { Value.Length: > 0 } source:
                    return TryBindNamed(mapping.Entries[0].Key, source, diagnostics, out value);
                default:
                    Mismatch(node, diagnostics);
                    return false;
            }
        }

        public override JsonObject Schema(SchemaBuilder schema) => schema.Reference(builtins ? "never-pattern" : "pattern", () =>
        {
            JsonObject text = new() { ["type"] = new JsonArray("string", "number"), ["minLength"] = 1 };
            JsonObject choices = SchemaBuilder.AnyOf(text, Member("regex", "A .NET regular expression."), Member("text", "Text, found exactly as written."));
            if (builtins)
            {
                choices["anyOf"]!.AsArray().Insert(0, new JsonObject { ["enum"] = new JsonArray([.. BuiltIn.Select(p => (JsonNode?)p.Name)]) });
            }

            return choices;
        });

        private static JsonObject Member(string key, string description) => new()
        {
            ["type"] = "object",
            ["properties"] = new JsonObject { [key] = new JsonObject { ["type"] = "string", ["minLength"] = 1, ["description"] = description } },
            ["required"] = new JsonArray(key),
            ["additionalProperties"] = false,
        };

        private static bool TryBindNamed(ScalarNode key, ScalarNode source, Diagnostics diagnostics, out TextPattern value)
        {
            value = null!;
            string[] words = ["regex", "text"];
            if (!words.Contains(key.Value))
            {
                diagnostics.Add(key.Mark, $"unknown kind of pattern \"{Printable.Escape(key.Value)}\"{Nearest.Hint(key.Value, words)}");
                return false;
            }

            if (key.Value == "text")
            {
                value = TextPattern.FromText(source.Value);
                return true;
            }

            try
            {
                value = TextPattern.FromRegex(source.Value, mark: source.Mark);
                return true;
            }
            catch (ArgumentException e)
            {
                diagnostics.Add(source.Mark, $"not a regular expression: {e.Message}");
                return false;
            }
        }
    }
}
