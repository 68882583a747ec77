using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace VirtShell.Harness.Yaml;

/// <summary>Reads YAML into nodes with places: one document, unique scalar keys, anchors, aliases and merge keys.</summary>
internal sealed class NodeReader
{
    private const int DepthLimit = 64;

    /// <summary>Nodes after aliases are expanded; stops "billion laughs" files.</summary>
    private const int SizeLimit = 200_000;

    private const string MergeKey = "<<";

    private const string Advice = "Check the indentation (spaces, no tabs) and quote text that holds \": \", \" #\", \"{\" or \"[\".";

    private readonly Parser _parser;
    private readonly Diagnostics _diagnostics;
    private readonly Dictionary<string, Anchor> _anchors = new(StringComparer.Ordinal);

    private NodeReader(TextReader text, Diagnostics diagnostics)
    {
        _parser = new Parser(text);
        this._diagnostics = diagnostics;
    }

    private sealed class Anchor
    {
        /// <summary>Null while the anchored node is still being read.</summary>
        public SuiteNode? Node { get; set; }

        public int Size { get; set; }
    }

    /// <summary>The document's root, or null where the text is no single YAML document (which is then diagnosed).</summary>
    public static SuiteNode? Read(string text, Diagnostics diagnostics)
    {
        var reader = new NodeReader(new StringReader(text), diagnostics);
        try
        {
            return reader.ReadDocument();
        }
        catch (SuiteLimitException e)
        {
            diagnostics.Add(e.Place, e.Message);
        }
        catch (YamlException e)
        {
            // The start is that of the construct; the end is where it stopped making sense.
            Yaml.Mark place = Place(e.End.Line > e.Start.Line ? e.End : e.Start);
            diagnostics.Add(TabIndentation(text, e) ?? place, Explain(e));
        }
        catch (Exception e) when (e is InvalidOperationException or InvalidCastException or ArgumentException or IndexOutOfRangeException or NullReferenceException or FormatException or OverflowException)
        {
            // The parser's scanner gives up in this way on some malformed flow collections.
            Yaml.Mark place = reader._parser.Current is { } last ? Place(last.End) : new Yaml.Mark(1, 1);
            diagnostics.Add(place, $"not valid YAML after this place. {Advice}");
        }

        return null;
    }

    /// <summary>The first tab that indents, where the parser complains of one but cannot say where.</summary>
    private static Yaml.Mark? TabIndentation(string text, YamlException e)
    {
        if (!e.Message.Contains("tab", StringComparison.Ordinal))
        {
            return null;
        }

        string[] lines = text.Split('\n');
        int line = Array.FindIndex(lines, l => l.AsSpan().TrimStart(' ').StartsWith("\t"));
        return line < 0 ? null : new Yaml.Mark(line + 1, lines[line].IndexOf('\t', StringComparison.Ordinal) + 1);
    }

    private sealed class SuiteLimitException(Yaml.Mark place, string message) : Exception(message)
    {
        public Yaml.Mark Place { get; } = place;
    }

    private static Yaml.Mark Place(YamlDotNet.Core.Mark mark) => new((int)Math.Max(1, mark.Line), (int)Math.Max(1, mark.Column));

    private static string Explain(YamlException e)
    {
        string reason = (e.InnerException as YamlException)?.Message ?? e.Message;
        return $"not valid YAML: {reason.TrimEnd('.')}. {Advice}";
    }

    private SuiteNode? ReadDocument()
    {
        _parser.Consume<StreamStart>();
        if (!_parser.TryConsume<DocumentStart>(out _))
        {
            _diagnostics.Add(new Yaml.Mark(1, 1), "the file is empty; a suite needs \"suite\" (its name) and \"tests\"");
            return null;
        }

        SuiteNode root = ReadNode(0, out _);
        _parser.Consume<DocumentEnd>();
        if (_parser.TryConsume<DocumentStart>(out DocumentStart? second))
        {
            _diagnostics.Add(Place(second.Start), "a suite file holds one YAML document; put the second one into a file of its own");
        }

        return root;
    }

    private SuiteNode ReadNode(int depth, out int size)
    {
        ParsingEvent current = _parser.Current ?? throw new SuiteLimitException(new Yaml.Mark(1, 1), "the file ends too early");
        Yaml.Mark place = Place(current.Start);
        if (depth > DepthLimit)
        {
            throw new SuiteLimitException(place, $"nested deeper than {DepthLimit} levels");
        }

        if (_parser.TryConsume<AnchorAlias>(out AnchorAlias? alias))
        {
            return ResolveAlias(alias.Value.Value, place, out size);
        }

        var node = (NodeEvent)current;
        Anchor? anchor = null;
        if (!node.Anchor.IsEmpty)
        {
            anchor = new Anchor();
            _anchors[node.Anchor.Value] = anchor;
        }

        SuiteNode result;
        switch (current)
        {
            case Scalar scalar:
                _parser.MoveNext();
                result = new ScalarNode(place, scalar.Value, scalar.Style == ScalarStyle.Plain);
                size = 1;
                break;
            case SequenceStart:
                result = ReadSequence(place, depth, out size);
                break;
            default:
                result = ReadMapping(place, depth, out size);
                break;
        }

        if (size > SizeLimit)
        {
            throw new SuiteLimitException(place, $"more than {SizeLimit} values once aliases are expanded");
        }

        if (anchor is not null)
        {
            anchor.Node = result;
            anchor.Size = size;
        }

        return result;
    }

    private SuiteNode ResolveAlias(string name, Yaml.Mark place, out int size)
    {
        size = 1;
        if (!_anchors.TryGetValue(name, out Anchor? anchor))
        {
            _diagnostics.Add(place, $"unknown anchor \"*{name}\"{Nearest.Hint(name, _anchors.Keys)}");
            return new BrokenNode(place);
        }

        if (anchor.Node is null)
        {
            _diagnostics.Add(place, $"anchor \"&{name}\" contains itself");
            return new BrokenNode(place);
        }

        size = anchor.Size;
        return anchor.Node;
    }

    private SequenceNode ReadSequence(Yaml.Mark place, int depth, out int size)
    {
        _parser.MoveNext();
        var items = new List<SuiteNode>();
        size = 1;
        while (!_parser.TryConsume<SequenceEnd>(out _))
        {
            items.Add(ReadNode(depth + 1, out int itemSize));
            size = CheckedAdd(size, itemSize, place);
        }

        return new SequenceNode(place, items);
    }

    private MappingNode ReadMapping(Yaml.Mark place, int depth, out int size)
    {
        _parser.MoveNext();
        var entries = new List<KeyValuePair<ScalarNode, SuiteNode>>();
        var seen = new Dictionary<string, Yaml.Mark>(StringComparer.Ordinal);
        var merged = new List<MappingNode>();
        size = 1;
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            SuiteNode keyNode = ReadNode(depth + 1, out _);
            SuiteNode value = ReadNode(depth + 1, out int valueSize);
            size = CheckedAdd(size, valueSize, place);
            if (keyNode is not ScalarNode key)
            {
                _diagnostics.Add(keyNode.Mark, $"a key must be a word, found {keyNode.Describe()}; quote text that begins with \"{{\" or \"[\"");
                continue;
            }

            if (key is { Value: MergeKey, IsPlain: true })
            {
                CollectMerge(value, merged);
                continue;
            }

            if (!seen.TryAdd(key.Value, key.Mark))
            {
                _diagnostics.Add(key.Mark, $"key \"{key.Value}\" is given twice; the first one is on line {seen[key.Value].Line}");
                continue;
            }

            entries.Add(new(key, value));
        }

        foreach (KeyValuePair<ScalarNode, SuiteNode> entry in merged.SelectMany(m => m.Entries))
        {
            if (seen.TryAdd(entry.Key.Value, entry.Key.Mark))
            {
                entries.Add(entry);
            }
        }

        return new MappingNode(place, entries);
    }

    private void CollectMerge(SuiteNode value, List<MappingNode> merged)
    {
        switch (value)
        {
            case MappingNode mapping:
                merged.Add(mapping);
                break;
            case SequenceNode sequence when sequence.Items.All(i => i is MappingNode):
                merged.AddRange(sequence.Items.Cast<MappingNode>());
                break;
            case BrokenNode:
                break;
            default:
                _diagnostics.Add(value.Mark, $"\"<<\" needs a mapping (usually an alias such as *base) or a list of them, found {value.Describe()}");
                break;
        }
    }

    private static int CheckedAdd(int a, int b, Yaml.Mark place)
    {
        return a + b <= SizeLimit ? a + b : throw new SuiteLimitException(place, $"more than {SizeLimit} values once aliases are expanded");
    }
}
