using System.Text.Json.Nodes;

namespace VirtShell.Harness.Yaml;

/// <summary>
/// A kind of value in a suite: how it is bound from YAML, what people are told when it is wrong, and its JSON Schema. One
/// description serves all three, so they cannot disagree.
/// </summary>
internal abstract class Kind<T>
{
    /// <summary>What is allowed, to complete "expected ...".</summary>
    public abstract string Expected { get; }

    /// <summary>Binds a node; on failure the reason is in <paramref name="diagnostics"/>.</summary>
    public abstract bool TryBind(SuiteNode node, Diagnostics diagnostics, out T value);

    public abstract JsonObject Schema(SchemaBuilder schema);

    protected void Mismatch(SuiteNode node, Diagnostics diagnostics)
    {
        if (node is not BrokenNode)
        {
            diagnostics.Add(node.Mark, $"expected {Expected}, found {node.Describe()}");
        }
    }
}

/// <summary>A value written as one scalar that only suites have, parsed by a function.</summary>
internal sealed class ParsedKind<T>(string expected, ParsedKind<T>.Parser parse, System.Func<JsonObject> schema) : Kind<T>
{
    public delegate bool Parser(ScalarNode node, out T value);

    public override string Expected => expected;

    public override bool TryBind(SuiteNode node, Diagnostics diagnostics, out T value)
    {
        value = default!;
        if (node is ScalarNode { IsNull: false } scalar && parse(scalar, out value))
        {
            return true;
        }

        Mismatch(node, diagnostics);
        return false;
    }

    public override JsonObject Schema(SchemaBuilder schema1) => schema();
}
