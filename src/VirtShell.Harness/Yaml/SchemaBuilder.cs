using System;
using System.Text.Json.Nodes;

namespace VirtShell.Harness.Yaml;

/// <summary>Builds a JSON Schema (draft 2020-12), with named parts under <c>$defs</c>.</summary>
internal sealed class SchemaBuilder
{
    private readonly JsonObject _definitions = [];

    /// <summary>A scalar that matches a whole expression; any value may be written as one.</summary>
    public const string ExpressionPattern = @"\$\{\{.*\}\}";

    public JsonObject Definitions => _definitions;

    /// <summary>A reference to a named part, built on first use (which allows parts that hold themselves).</summary>
    public JsonObject Reference(string name, Func<JsonObject> build)
    {
        if (!_definitions.ContainsKey(name))
        {
            _definitions[name] = new JsonObject();
            _definitions[name] = build();
        }

        return new JsonObject { ["$ref"] = $"#/$defs/{name}" };
    }

    public static JsonObject AnyOf(params JsonObject[] choices)
    {
        var list = new JsonArray();
        foreach (JsonObject choice in choices)
        {
            list.Add(choice);
        }

        return new JsonObject { ["anyOf"] = list };
    }

    public static JsonObject Expression() => new() { ["type"] = "string", ["pattern"] = ExpressionPattern };
}
