using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;

namespace VirtShell.State;

/// <summary>A place where two states differ: names from the root joined by '/', and what each has there.</summary>
public sealed record StateDifference(string Path, string First, string Second);

/// <summary>State as people read it: every name with its value, of a living part or of a stream.</summary>
public sealed class StateTree
{
    private const string Nothing = "nothing";
    private readonly StateNode _root;

    private StateTree(StateNode root) => _root = root;

    /// <summary>What a part describes now.</summary>
    public static StateTree Of(IStateful part)
    {
        ArgumentNullException.ThrowIfNull(part);
        StateInspector inspector = new();
        part.Describe(inspector);
        return new StateTree(inspector.Root);
    }

    /// <summary>What was saved, whatever it is of.</summary>
    /// <exception cref="StateFormatException">The state is damaged or cut short.</exception>
    public static StateTree Read(Stream input) => new(new StateLoader(input).ReadTree(StateInspector.LargestValue));

    /// <summary>Where two trees differ, in the order of <paramref name="first"/>, at most <paramref name="limit"/> places.</summary>
    public static IReadOnlyList<StateDifference> Differences(StateTree first, StateTree second, int limit = int.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(first);
        ArgumentNullException.ThrowIfNull(second);
        List<StateDifference> list = [];
        Compare(first._root, second._root, string.Empty, list, limit);
        return list;
    }

    /// <summary>Every value by the names that lead to it, joined by '/', in the order in which they are described.</summary>
    public IEnumerable<KeyValuePair<string, string>> Values() => ValuesOf(_root, string.Empty);

    /// <summary>Writes a line for each section and each value, indented by what it is in.</summary>
    public void WriteTo(TextWriter writer)
    {
        ArgumentNullException.ThrowIfNull(writer);
        Write(writer, _root, 0);
    }

    private static IEnumerable<KeyValuePair<string, string>> ValuesOf(StateNode section, string path)
    {
        foreach (StateNode node in section.Children!.Values)
        {
            string name = $"{path}/{node.Name}";
            if (node.Children is null)
            {
                yield return new(name, TextOf(node));
                continue;
            }

            foreach (KeyValuePair<string, string> value in ValuesOf(node, name))
            {
                yield return value;
            }
        }
    }

    private static void Write(TextWriter writer, StateNode section, int depth)
    {
        foreach (StateNode node in section.Children!.Values)
        {
            writer.Write(new string(' ', 2 * depth));
            writer.Write(node.Name);
            if (node.Children is null)
            {
                writer.Write(": ");
                writer.WriteLine(TextOf(node));
            }
            else
            {
                writer.WriteLine();
                Write(writer, node, depth + 1);
            }
        }
    }

    private static void Compare(StateNode first, StateNode second, string path, List<StateDifference> list, int limit)
    {
        foreach (StateNode node in first.Children!.Values)
        {
            string name = $"{path}/{node.Name}";
            second.Children!.TryGetValue(node.Name, out StateNode? other);
            if (list.Count >= limit)
            {
                return;
            }

            if (node.Children is not null && other?.Children is not null)
            {
                Compare(node, other, name, list, limit);
            }
            else if (!IsSame(node, other))
            {
                list.Add(new StateDifference(name, TextOf(node), TextOf(other)));
            }
        }

        foreach (StateNode node in second.Children!.Values)
        {
            if (list.Count < limit && !first.Children.ContainsKey(node.Name))
            {
                list.Add(new StateDifference($"{path}/{node.Name}", Nothing, TextOf(node)));
            }
        }
    }

    private static bool IsSame(StateNode node, StateNode? other) => other is not null
        && (node.Children is null) == (other.Children is null)
        && node.Length == other.Length
        && node.Digest == other.Digest
        && node.Value.AsSpan().SequenceEqual(other.Value);

    private static string TextOf(StateNode? node)
    {
        return node switch
        {
            null => Nothing,
            { Children: not null } => "a section",
            { Value: null } => string.Create(CultureInfo.InvariantCulture, $"{node.Length} bytes, digest {node.Digest:x16}"),
            { Length: 8 } => NumberText(BinaryPrimitives.ReadUInt64LittleEndian(node.Value)),
            { Length: > 0 } when !node.Value.AsSpan().ContainsAnyExceptInRange((byte)' ', (byte)'~') => $"\"{Encoding.ASCII.GetString(node.Value)}\"",
            _ => Convert.ToHexStringLower(node.Value),
        };
    }

    private static string NumberText(ulong value) => value < 10
        ? value.ToString(CultureInfo.InvariantCulture)
        : string.Create(CultureInfo.InvariantCulture, $"{(long)value} (0x{value:x})");
}
