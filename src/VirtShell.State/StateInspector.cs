using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;

namespace VirtShell.State;

/// <summary>Notes what it is shown, as a tree; changes nothing.</summary>
internal sealed class StateInspector : StateVisitor
{
    /// <summary>Longer values are noted as a digest.</summary>
    public const int LargestValue = 4096;

    private readonly Stack<(string Path, StateNode Node)> _open = new();

    public StateInspector() => _open.Push((string.Empty, Root));

    public StateNode Root { get; } = new(string.Empty, 0);

    public override bool IsLoading => false;

    public override int Version => _open.Peek().Node.Version;

    public override string Path => _open.Peek().Path;

    public override bool Bytes(string name, ref byte[] value, int maxLength)
    {
        Note(name, value);
        return false;
    }

    public override void Blocks(string prefix, StateBlocks blocks, bool hexadecimal = false)
    {
        ArgumentNullException.ThrowIfNull(blocks);
        for (long number = blocks.Next(0); number >= 0; number = blocks.Next(number + 1))
        {
            Note(prefix + number.ToString(hexadecimal ? "x" : "d", CultureInfo.InvariantCulture), blocks.Read(number));
        }
    }

    internal override void Enter(string name, int version)
    {
        StateNode section = new(name, version);
        Add(section);
        _open.Push(($"{Path}/{name}", section));
    }

    internal override void Leave() => _open.Pop();

    internal override bool Number(string name, ref ulong value)
    {
        byte[] bytes = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, value);
        Add(new StateNode(name, bytes));
        return false;
    }

    internal override bool Fixed(string name, Span<byte> bytes)
    {
        Note(name, bytes);
        return false;
    }

    private void Note(string name, ReadOnlySpan<byte> value)
    {
        if (value.Length <= LargestValue)
        {
            Add(new StateNode(name, value.ToArray()));
            return;
        }

        StateDigest digest = new();
        digest.Add(value);
        Add(new StateNode(name, value.Length, digest.Value));
    }

    private void Add(StateNode node)
    {
        if (!_open.Peek().Node.Children!.TryAdd(node.Name, node))
        {
            throw new InvalidOperationException($"Two things are described as '{Path}/{node.Name}'.");
        }
    }
}
