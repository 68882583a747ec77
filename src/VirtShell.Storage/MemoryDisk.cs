using System;
using VirtShell.State;

namespace VirtShell.Storage;

/// <summary>A disk in memory, all zeros at first; only clusters that were written cost memory.</summary>
public sealed class MemoryDisk : IStatefulBlockDevice
{
    /// <summary>Bytes of content at most, where nothing else is said: 1 GiB.</summary>
    public const long DefaultMemoryLimit = 1L << 30;

    private readonly SparseClusters _clusters;

    /// <param name="length">Size in bytes, a positive multiple of 512.</param>
    /// <param name="memoryLimit">Bytes of content beyond which writes fail with a <see cref="StorageException"/>.</param>
    public MemoryDisk(long length, long memoryLimit = DefaultMemoryLimit)
    {
        _clusters = new SparseClusters(length, null, memoryLimit, long.MaxValue, null);
        Length = length;
    }

    /// <summary>A disk with this content, padded with zeros to a multiple of 512 bytes.</summary>
    public MemoryDisk(ReadOnlySpan<byte> content)
        : this(Math.Max(1, (content.Length + BlockRange.SectorSize - 1L) / BlockRange.SectorSize) * BlockRange.SectorSize, long.MaxValue)
    {
        Write(0, content);
    }

    public long Length { get; }

    public bool IsReadOnly => false;

    /// <summary>Bytes of host memory that hold content.</summary>
    public long StoredBytes => _clusters.StoredBytes;

    public void Read(long offset, Span<byte> destination) => _clusters.Read(offset, destination);

    public void Write(long offset, ReadOnlySpan<byte> source) => _clusters.Write(offset, source);

    /// <summary>Nothing here survives the process, so there is nothing to do.</summary>
    public void Flush()
    {
    }

    public void Discard(long offset, long length) => WriteZeroes(offset, length);

    public void WriteZeroes(long offset, long length) => _clusters.WriteZeroes(offset, length);

    public void Describe(StateVisitor visitor) => _clusters.Describe(visitor);

    public void Dispose() => _clusters.Dispose();
}
