using System;
using System.Runtime.InteropServices;

namespace VirtShell.State;

/// <summary>A hash of content that is too large to be held: equal content has an equal one, different content hardly ever.</summary>
internal struct StateDigest
{
    private const ulong Prime = 0x100000001B3;
    private ulong _hash;

    public StateDigest() => _hash = 0xCBF29CE484222325;

    public readonly ulong Value => _hash;

    /// <summary>Adds the next piece: all but the last a multiple of eight bytes long.</summary>
    public void Add(ReadOnlySpan<byte> piece)
    {
        ulong hash = _hash;
        foreach (ulong word in MemoryMarshal.Cast<byte, ulong>(piece))
        {
            hash = (hash ^ word) * Prime;
            hash ^= hash >> 29;
        }

        foreach (byte rest in piece[(piece.Length & ~7)..])
        {
            hash = (hash ^ rest) * Prime;
        }

        _hash = hash;
    }
}
