using System;

namespace VirtShell.Storage;

/// <summary>Another block device, with writes refused.</summary>
public sealed class ReadOnlyView : IBlockDevice
{
    private readonly IBlockDevice _inner;
    private readonly bool _ownsInner;

    /// <param name="inner">The device to show.</param>
    /// <param name="ownsInner">Whether disposing this disposes <paramref name="inner"/>.</param>
    public ReadOnlyView(IBlockDevice inner, bool ownsInner = false)
    {
        ArgumentNullException.ThrowIfNull(inner);
        _inner = inner;
        _ownsInner = ownsInner;
    }

    public long Length => _inner.Length;

    public bool IsReadOnly => true;

    public void Read(long offset, Span<byte> destination) => _inner.Read(offset, destination);

    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        BlockRange.Check(offset, source.Length, Length);
        throw Refused();
    }

    /// <summary>Nothing was written through here, so there is nothing to flush.</summary>
    public void Flush()
    {
    }

    public void Discard(long offset, long length)
    {
        BlockRange.Check(offset, length, Length);
        throw Refused();
    }

    public void Dispose()
    {
        if (_ownsInner)
        {
            _inner.Dispose();
        }
    }

    private static StorageException Refused() => new("The disk is attached read-only. Attach it writable, or under a throw-away overlay, to write to it.");
}
