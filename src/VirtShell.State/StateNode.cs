using System;
using System.Collections.Generic;

namespace VirtShell.State;

/// <summary>A named value or section of state held in memory.</summary>
internal sealed class StateNode
{
    /// <summary>A value.</summary>
    public StateNode(string name, byte[] value)
    {
        Name = name;
        Value = value;
        Length = value.Length;
    }

    /// <summary>A value too large to be held.</summary>
    public StateNode(string name, long length, ulong digest)
    {
        Name = name;
        Length = length;
        Digest = digest;
    }

    /// <summary>A section.</summary>
    public StateNode(string name, int version)
    {
        Name = name;
        Version = version;
        Children = new OrderedDictionary<string, StateNode>(StringComparer.Ordinal);
    }

    public string Name { get; }

    public int Version { get; }

    /// <summary>Length of the value in bytes.</summary>
    public long Length { get; }

    /// <summary>The value; null for a section and for what was too large.</summary>
    public byte[]? Value { get; }

    /// <summary>A hash of the value where that was too large.</summary>
    public ulong Digest { get; }

    /// <summary>What a section holds, in its order; null for a value.</summary>
    public OrderedDictionary<string, StateNode>? Children { get; }
}
