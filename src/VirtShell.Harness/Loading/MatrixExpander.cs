using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Harness.Yaml;
using VirtShell.Host;

namespace VirtShell.Harness.Loading;

/// <summary>One combination of a test's matrix: axis to value, in the order of the axes.</summary>
internal sealed class MatrixRow(IReadOnlyList<KeyValuePair<string, SuiteNode>> values)
{
    public static MatrixRow Empty { get; } = new([]);

    public IReadOnlyList<KeyValuePair<string, SuiteNode>> Values { get; } = values;

    public SuiteNode? Find(string axis)
    {
        foreach (KeyValuePair<string, SuiteNode> value in Values)
        {
            if (value.Key == axis)
            {
                return value.Value;
            }
        }

        return null;
    }

    /// <summary>A value in a word: a mapping by its <c>name</c> (or its first value), a list by its entries.</summary>
    public static string Label(SuiteNode node) => node switch
    {
        ScalarNode scalar => scalar.Value,
        MappingNode mapping => Label(mapping.Find("name") ?? (mapping.Entries.Count > 0 ? mapping.Entries[0].Value : new ScalarNode(mapping.Mark, string.Empty, isPlain: true))),
        SequenceNode sequence => string.Join('+', sequence.Items.Select(Label)),
        _ => string.Empty,
    };
}

/// <summary>Expands a matrix: every combination of the axes, without those excluded, then those included.</summary>
internal static class MatrixExpander
{
    private const string Include = "include";
    private const string Exclude = "exclude";
    private const int RowLimit = 1000;

    public static IReadOnlyList<MatrixRow> Expand(SuiteNode? matrix, Diagnostics diagnostics)
    {
        if (matrix is null or ScalarNode { IsNull: true })
        {
            return [MatrixRow.Empty];
        }

        if (matrix is not MappingNode mapping)
        {
            diagnostics.Add(matrix.Mark, $"expected a mapping of axes, each with a list of values, found {matrix.Describe()}");
            return [];
        }

        var axes = new List<KeyValuePair<ScalarNode, SequenceNode>>();
        foreach (KeyValuePair<ScalarNode, SuiteNode> entry in mapping.Entries)
        {
            if (entry.Key.Value is Include or Exclude)
            {
                continue;
            }

            if (entry.Value is SequenceNode { Items.Count: > 0 } values)
            {
                axes.Add(new(entry.Key, values));
            }
            else
            {
                diagnostics.Add(entry.Value.Mark, $"the axis \"{Printable.Escape(entry.Key.Value)}\" needs a list of values, found {(entry.Value is SequenceNode ? "an empty list" : entry.Value.Describe())}");
            }
        }

        string[] names = [.. axes.Select(a => a.Key.Value)];
        var rows = new List<MatrixRow>();
        if (axes.Count > 0)
        {
            if (axes.Aggregate(1L, (product, axis) => Math.Min(product * axis.Value.Items.Count, int.MaxValue)) > RowLimit)
            {
                diagnostics.Add(matrix.Mark, $"the matrix has more than {RowLimit} combinations");
                return [];
            }

            Combine(axes, 0, [], rows);
        }

        IReadOnlyList<MappingNode> excluded = ReadRows(mapping, Exclude, diagnostics);
        IReadOnlyList<MappingNode> included = ReadRows(mapping, Include, diagnostics);
        foreach (MappingNode pattern in excluded)
        {
            ApplyExclude(pattern, names, rows, diagnostics);
        }

        foreach (MappingNode row in included)
        {
            AddIncluded(row, names, rows, diagnostics);
        }

        if (rows.Count == 0 && !diagnostics.Any)
        {
            diagnostics.Add(matrix.Mark, "the matrix has no combination left");
        }

        return rows;
    }

    private static void Combine(List<KeyValuePair<ScalarNode, SequenceNode>> axes, int axis, List<KeyValuePair<string, SuiteNode>> chosen, List<MatrixRow> rows)
    {
        if (axis == axes.Count)
        {
            rows.Add(new MatrixRow([.. chosen]));
            return;
        }

        foreach (SuiteNode value in axes[axis].Value.Items)
        {
            chosen.Add(new(axes[axis].Key.Value, value));
            Combine(axes, axis + 1, chosen, rows);
            chosen.RemoveAt(chosen.Count - 1);
        }
    }

    private static IReadOnlyList<MappingNode> ReadRows(MappingNode matrix, string key, Diagnostics diagnostics)
    {
        SuiteNode? node = matrix.Find(key);
        if (node is null or ScalarNode { IsNull: true })
        {
            return [];
        }

        if (node is not SequenceNode sequence)
        {
            diagnostics.Add(node.Mark, $"\"{key}\" needs a list of mappings from axis to value, found {node.Describe()}");
            return [];
        }

        var rows = new List<MappingNode>();
        foreach (SuiteNode item in sequence.Items)
        {
            if (item is MappingNode { Entries.Count: > 0 } row)
            {
                rows.Add(row);
            }
            else
            {
                diagnostics.Add(item.Mark, $"an entry of \"{key}\" is a mapping from axis to value, found {item.Describe()}");
            }
        }

        return rows;
    }

    private static void ApplyExclude(MappingNode pattern, string[] axes, List<MatrixRow> rows, Diagnostics diagnostics)
    {
        bool known = true;
        foreach (KeyValuePair<ScalarNode, SuiteNode> entry in pattern.Entries)
        {
            if (!axes.Contains(entry.Key.Value))
            {
                diagnostics.Add(entry.Key.Mark, $"unknown axis \"{Printable.Escape(entry.Key.Value)}\"{Nearest.Hint(entry.Key.Value, axes)}");
                known = false;
            }
        }

        if (known && rows.RemoveAll(row => pattern.Entries.All(e => MatrixRow.Label(row.Find(e.Key.Value)!) == MatrixRow.Label(e.Value))) == 0)
        {
            diagnostics.Add(pattern.Mark, "this excludes nothing: no combination left has these values");
        }
    }

    private static void AddIncluded(MappingNode row, string[] axes, List<MatrixRow> rows, Diagnostics diagnostics)
    {
        string[] missing = [.. axes.Where(a => row.Find(a) is null)];
        if (missing.Length > 0)
        {
            diagnostics.Add(row.Mark, $"an included combination gives every axis a value; missing: {string.Join(", ", missing)}");
            return;
        }

        var values = axes.Select(a => new KeyValuePair<string, SuiteNode>(a, row.Find(a)!))
            .Concat(row.Entries.Where(e => !axes.Contains(e.Key.Value)).Select(e => new KeyValuePair<string, SuiteNode>(e.Key.Value, e.Value)));
        rows.Add(new MatrixRow([.. values]));
    }
}
