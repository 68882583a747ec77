using System;
using VirtShell.State;

namespace VirtShell.Storage;

/// <summary>
/// A writable disk over a base that is never changed: what is written stays in memory, by clusters of 4 KiB, and is gone
/// when this is disposed. Over a read-only image that is how a test uses a disk without altering it.
/// </summary>
public sealed class MemoryOverlay : IStatefulBlockDevice
{
    private readonly IBlockDevice _base;
    private readonly bool _ownsBase;
    private readonly SparseClusters _clusters;

    /// <param name="baseDevice">Where content comes from that has not been written.</param>
    /// <param name="ownsBase">Whether disposing this disposes <paramref name="baseDevice"/>.</param>
    /// <param name="memoryLimit">Bytes of changes beyond which writes fail with a <see cref="StorageException"/>.</param>
    public MemoryOverlay(IBlockDevice baseDevice, bool ownsBase = false, long memoryLimit = long.MaxValue)
    {
        ArgumentNullException.ThrowIfNull(baseDevice);
        _base = baseDevice;
        _ownsBase = ownsBase;
        Length = baseDevice.Length;
        _clusters = new SparseClusters(Length, memoryLimit);
    }

    public long Length { get; }

    public bool IsReadOnly => false;

    /// <summary>Bytes of host memory that hold changes.</summary>
    public long StoredBytes => _clusters.StoredBytes;

    public void Read(long offset, Span<byte> destination)
    {
        BlockRange.Check(offset, destination.Length, Length);
        int fromBase = 0;
        int done = 0;
        while (done < destination.Length)
        {
            long cluster = (offset + done) / SparseClusters.ClusterSize;
            int within = (int)((offset + done) % SparseClusters.ClusterSize);
            int part = Math.Min(destination.Length - done, SparseClusters.ClusterSize - within);
            if (_clusters.TryGet(cluster, out ReadOnlySpan<byte> content))
            {
                ReadBase(offset, destination, fromBase, done);
                content.Slice(within, part).CopyTo(destination[done..]);
                fromBase = done + part;
            }

            done += part;
        }

        ReadBase(offset, destination, fromBase, done);
    }

    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        BlockRange.Check(offset, source.Length, Length);
        while (source.Length > 0)
        {
            long cluster = offset / SparseClusters.ClusterSize;
            int within = (int)(offset % SparseClusters.ClusterSize);
            int part = Math.Min(source.Length, SparseClusters.ClusterSize - within);
            source[..part].CopyTo(Writable(cluster, whole: part == SparseClusters.ClusterSize)[within..]);
            source = source[part..];
            offset += part;
        }
    }

    /// <summary>Nothing here survives the process, so there is nothing to do.</summary>
    public void Flush()
    {
    }

    /// <summary>Forgets the changes to whole clusters in the range, which then read as the base does: a guest that discards a large disk shall not cost memory.</summary>
    public void Discard(long offset, long length)
    {
        BlockRange.Check(offset, length, Length);
        _clusters.RemoveRange(
            (offset + SparseClusters.ClusterSize - 1) / SparseClusters.ClusterSize,
            (offset + length) / SparseClusters.ClusterSize);
    }

    public void WriteZeroes(long offset, long length)
    {
        BlockRange.Check(offset, length, Length);
        while (length > 0)
        {
            long cluster = offset / SparseClusters.ClusterSize;
            int within = (int)(offset % SparseClusters.ClusterSize);
            int part = (int)Math.Min(length, SparseClusters.ClusterSize - within);
            if (part == SparseClusters.ClusterSize)
            {
                _clusters.SetZero(cluster);
            }
            else
            {
                Writable(cluster, whole: false).Slice(within, part).Clear();
            }

            offset += part;
            length -= part;
        }
    }

    public void Save(StateWriter writer) => _clusters.Save(writer);

    public void Load(StateReader reader) => _clusters.Load(reader);

    public void Dispose()
    {
        _clusters.Clear();
        if (_ownsBase)
        {
            _base.Dispose();
        }
    }

    // One read for neighbouring clusters that are all unchanged.
    private void ReadBase(long offset, Span<byte> destination, int start, int end)
    {
        if (end > start)
        {
            _base.Read(offset + start, destination[start..end]);
        }
    }

    private Span<byte> Writable(long cluster, bool whole)
    {
        Span<byte> content = _clusters.GetOrCreate(cluster, out bool created);
        if (created && !whole)
        {
            long start = cluster * SparseClusters.ClusterSize;
            try
            {
                _base.Read(start, content[..(int)Math.Min(SparseClusters.ClusterSize, Length - start)]);
            }
            catch (StorageException)
            {
                // A cluster half copied must not hide the base once the base works again.
                _clusters.Remove(cluster);
                throw;
            }
        }

        return content;
    }
}
