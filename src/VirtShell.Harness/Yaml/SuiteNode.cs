using System;
using System.Collections.Generic;
using VirtShell.Host;

namespace VirtShell.Harness.Yaml;

/// <summary>A place in a suite file; line and column count from 1.</summary>
internal readonly record struct Mark(int Line, int Column);

/// <summary>A YAML value with the place where it begins.</summary>
internal abstract class SuiteNode(Mark mark)
{
    public Mark Mark { get; } = mark;

    /// <summary>What it is, for messages: "a list".</summary>
    public abstract string Describe();
}

/// <summary>Stands for a value of which it was already told what is wrong, so that nothing else is said about it.</summary>
internal sealed class BrokenNode(Mark mark) : SuiteNode(mark)
{
    public override string Describe() => "a value that is wrong itself";
}

/// <summary>A scalar; quoted and block scalars are always text.</summary>
internal sealed class ScalarNode(Mark mark, string value, bool isPlain) : SuiteNode(mark)
{
    public string Value { get; } = value;

    public bool IsPlain { get; } = isPlain;

    public bool IsNull => IsPlain && Value is "" or "~" or "null";

    public override string Describe() => IsNull ? "nothing" : Value.Length <= 60 ? $"\"{Printable.Escape(Value)}\"" : $"\"{Printable.Escape(Value[..57])}...\"";
}

internal sealed class SequenceNode(Mark mark, IReadOnlyList<SuiteNode> items) : SuiteNode(mark)
{
    public IReadOnlyList<SuiteNode> Items { get; } = items;

    public override string Describe() => "a list";
}

internal sealed class MappingNode(Mark mark, IReadOnlyList<KeyValuePair<ScalarNode, SuiteNode>> entries) : SuiteNode(mark)
{
    public IReadOnlyList<KeyValuePair<ScalarNode, SuiteNode>> Entries { get; } = entries;

    public override string Describe() => "a mapping";

    public SuiteNode? Find(string key)
    {
        foreach (KeyValuePair<ScalarNode, SuiteNode> entry in Entries)
        {
            if (string.Equals(entry.Key.Value, key, StringComparison.Ordinal))
            {
                return entry.Value;
            }
        }

        return null;
    }

    public MappingNode Without(string key)
    {
        var rest = new List<KeyValuePair<ScalarNode, SuiteNode>>(Entries.Count);
        foreach (KeyValuePair<ScalarNode, SuiteNode> entry in Entries)
        {
            if (!string.Equals(entry.Key.Value, key, StringComparison.Ordinal))
            {
                rest.Add(entry);
            }
        }

        return new MappingNode(Mark, rest);
    }

    /// <summary>
    /// This mapping over <paramref name="defaults"/>: mappings merge key by key, anything else replaces the default, and
    /// an explicit null removes it.
    /// </summary>
    public MappingNode Over(MappingNode defaults)
    {
        var merged = new List<KeyValuePair<ScalarNode, SuiteNode>>(Entries.Count + defaults.Entries.Count);
        foreach (KeyValuePair<ScalarNode, SuiteNode> entry in Entries)
        {
            SuiteNode? fallback = defaults.Find(entry.Key.Value);
            if (entry.Value is ScalarNode { IsNull: true } && fallback is not null)
            {
                continue;
            }

            SuiteNode value = entry.Value is MappingNode own && fallback is MappingNode inherited ? own.Over(inherited) : entry.Value;
            merged.Add(new(entry.Key, value));
        }

        foreach (KeyValuePair<ScalarNode, SuiteNode> entry in defaults.Entries)
        {
            if (Find(entry.Key.Value) is null)
            {
                merged.Add(entry);
            }
        }

        return new MappingNode(Mark, merged);
    }
}
