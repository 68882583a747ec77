using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using VirtShell.Harness.Yaml;

namespace VirtShell.Harness.Loading;

/// <summary>Gives a name's value; on failure adds what is wrong at <paramref name="mark"/> and returns null.</summary>
internal delegate SuiteNode? NameResolver(string name, Mark mark);

/// <summary>
/// Replaces <c>${{ name }}</c> in scalars. A scalar that is one expression and nothing else becomes the value itself, be it
/// a mapping or a list. Where a name cannot be resolved the reason is diagnosed, and a <see cref="BrokenNode"/> takes the value's place.
/// </summary>
internal static class Expressions
{
    private const string Open = "${{";
    private const string Close = "}}";

    public static SuiteNode Substitute(SuiteNode node, NameResolver resolve, Diagnostics diagnostics)
    {
        switch (node)
        {
            case ScalarNode scalar:
                return SubstituteScalar(scalar, resolve, diagnostics);
            case SequenceNode sequence:
                return new SequenceNode(sequence.Mark, [.. sequence.Items.Select(i => Substitute(i, resolve, diagnostics))]);
            case MappingNode mapping:
                return new MappingNode(mapping.Mark, [.. mapping.Entries.Select(e => new KeyValuePair<ScalarNode, SuiteNode>(e.Key, Substitute(e.Value, resolve, diagnostics)))]);
            default:
                return node;
        }
    }

    private static SuiteNode SubstituteScalar(ScalarNode scalar, NameResolver resolve, Diagnostics diagnostics)
    {
        string text = scalar.Value;
        int open = text.IndexOf(Open, StringComparison.Ordinal);
        if (open < 0)
        {
            return scalar;
        }

        var result = new StringBuilder();
        int position = 0;
        while (open >= 0)
        {
            int close = text.IndexOf(Close, open, StringComparison.Ordinal);
            if (close < 0)
            {
                diagnostics.Add(scalar.Mark, $"\"{Open}\" without \"{Close}\" in {scalar.Describe()}");
                return new BrokenNode(scalar.Mark);
            }

            string name = text[(open + Open.Length)..close].Trim();
            SuiteNode? value = resolve(name, scalar.Mark);
            if (value is null or BrokenNode)
            {
                return new BrokenNode(scalar.Mark);
            }

            if (open == 0 && close + Close.Length == text.Length)
            {
                // Keep the place of the use, where the reader looks when the value does not fit.
                return value is ScalarNode whole ? new ScalarNode(scalar.Mark, whole.Value, whole.IsPlain) : value;
            }

            if (value is not ScalarNode part)
            {
                diagnostics.Add(scalar.Mark, $"\"{Open} {name} {Close}\" is {value.Describe()} and cannot stand inside other text");
                return new BrokenNode(scalar.Mark);
            }

            result.Append(text, position, open - position).Append(part.Value);
            position = close + Close.Length;
            open = text.IndexOf(Open, position, StringComparison.Ordinal);
        }

        result.Append(text, position, text.Length - position);
        return new ScalarNode(scalar.Mark, result.ToString(), isPlain: false);
    }
}
