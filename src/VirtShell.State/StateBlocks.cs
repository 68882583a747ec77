using System;

namespace VirtShell.State;

/// <summary>Content of any size (memory, a disk), shown to a <see cref="StateVisitor"/> block by block, so that it passes through a stream without being held.</summary>
public abstract class StateBlocks
{
    /// <summary>The number of the first block from <paramref name="number"/> on that is worth saving; -1 where there is none.</summary>
    public abstract long Next(long number);

    /// <summary>The content of a block that <see cref="Next"/> gave; valid until the next call.</summary>
    public abstract ReadOnlySpan<byte> Read(long number);

    /// <summary>Room for a block of <paramref name="length"/> bytes that is being loaded; empty where there can be no such block.</summary>
    public abstract Span<byte> Room(long number, long length);

    /// <summary>The room that was given for a block is filled.</summary>
    public virtual void Filled(long number)
    {
    }
}
