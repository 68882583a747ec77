using System;
using VirtShell.State;

namespace VirtShell.Storage;

/// <summary>A disk in memory, all zeros at first; only clusters that were written cost memory.</summary>
public sealed class MemoryDisk : IStatefulBlockDevice
{
    private readonly SparseClusters _clusters;

    /// <param name="length">Size in bytes, a positive multiple of 512.</param>
    /// <param name="memoryLimit">Bytes of content beyond which writes fail with a <see cref="StorageException"/>.</param>
    public MemoryDisk(long length, long memoryLimit = long.MaxValue)
    {
        _clusters = new SparseClusters(length, memoryLimit);
        Length = length;
    }

    /// <summary>A disk with this content, padded with zeros to a multiple of 512 bytes.</summary>
    public MemoryDisk(ReadOnlySpan<byte> content)
        : this(Math.Max(1, (content.Length + BlockRange.SectorSize - 1L) / BlockRange.SectorSize) * BlockRange.SectorSize)
    {
        Write(0, content);
    }

    public long Length { get; }

    public bool IsReadOnly => false;

    /// <summary>Bytes of host memory that hold content.</summary>
    public long StoredBytes => _clusters.StoredBytes;

    public void Read(long offset, Span<byte> destination)
    {
        BlockRange.Check(offset, destination.Length, Length);
        while (destination.Length > 0)
        {
            int within = (int)(offset % SparseClusters.ClusterSize);
            int part = Math.Min(destination.Length, SparseClusters.ClusterSize - within);
            if (_clusters.TryGet(offset / SparseClusters.ClusterSize, out ReadOnlySpan<byte> content))
            {
                content.Slice(within, part).CopyTo(destination);
            }
            else
            {
                destination[..part].Clear();
            }

            destination = destination[part..];
            offset += part;
        }
    }

    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        BlockRange.Check(offset, source.Length, Length);
        while (source.Length > 0)
        {
            int within = (int)(offset % SparseClusters.ClusterSize);
            int part = Math.Min(source.Length, SparseClusters.ClusterSize - within);
            source[..part].CopyTo(_clusters.GetOrCreate(offset / SparseClusters.ClusterSize, out _)[within..]);
            source = source[part..];
            offset += part;
        }
    }

    /// <summary>Nothing here survives the process, so there is nothing to do.</summary>
    public void Flush()
    {
    }

    public void Discard(long offset, long length) => WriteZeroes(offset, length);

    public void WriteZeroes(long offset, long length)
    {
        BlockRange.Check(offset, length, Length);
        long end = offset + length;
        long firstWhole = (offset + SparseClusters.ClusterSize - 1) / SparseClusters.ClusterSize;
        long lastWhole = end / SparseClusters.ClusterSize;
        _clusters.RemoveRange(firstWhole, lastWhole);
        if (firstWhole > lastWhole)
        {
            ClearPart(offset, end);
            return;
        }

        ClearPart(offset, firstWhole * SparseClusters.ClusterSize);
        ClearPart(lastWhole * SparseClusters.ClusterSize, end);
    }

    public void Save(StateWriter writer) => _clusters.Save(writer);

    public void Load(StateReader reader) => _clusters.Load(reader);

    public void Dispose() => _clusters.Clear();

    // Within one cluster.
    private void ClearPart(long start, long end)
    {
        long cluster = start / SparseClusters.ClusterSize;
        if (start < end && _clusters.TryGet(cluster, out _))
        {
            _clusters.GetOrCreate(cluster, out _).Slice((int)(start % SparseClusters.ClusterSize), (int)(end - start)).Clear();
        }
    }
}
