using System;

namespace VirtShell.Storage;

/// <summary>
/// A disk's content as bytes. Offsets and lengths are in bytes, need no alignment, and are checked: an access outside
/// <see cref="Length"/> throws <see cref="ArgumentOutOfRangeException"/>. Not thread-safe: one VM uses it from one thread at a time.
/// </summary>
public interface IBlockDevice : IDisposable
{
    /// <summary>Size in bytes; fixed for the life of the object.</summary>
    long Length { get; }

    bool IsReadOnly { get; }

    /// <summary>Fills <paramref name="destination"/> from <paramref name="offset"/>.</summary>
    /// <exception cref="StorageException">The backing image failed or vanished.</exception>
    void Read(long offset, Span<byte> destination);

    /// <exception cref="StorageException">The backing image is read-only, failed, full or vanished.</exception>
    void Write(long offset, ReadOnlySpan<byte> source);

    /// <summary>Returns once everything written before it survives a power loss.</summary>
    void Flush();

    /// <summary>Says that a range's content no longer matters; it may read as zeros afterwards.</summary>
    void Discard(long offset, long length);

    /// <summary>Makes a range read as zeros. A format that can do so without storing them overrides this.</summary>
    void WriteZeroes(long offset, long length)
    {
        BlockRange.Check(offset, length, Length);
        ReadOnlySpan<byte> zeros = BlockRange.Zeros;
        while (length > 0)
        {
            int part = (int)Math.Min(length, zeros.Length);
            Write(offset, zeros[..part]);
            offset += part;
            length -= part;
        }
    }
}
