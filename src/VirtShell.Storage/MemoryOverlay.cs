using System;
using VirtShell.State;

namespace VirtShell.Storage;

/// <summary>
/// A writable disk over a base that is never changed: what is written stays in memory, by clusters of 4 KiB, beyond a limit
/// in a file without a name, and is gone when this is disposed. Over a read-only image that is how a test uses a disk
/// without altering it.
/// </summary>
public sealed class MemoryOverlay : IStatefulBlockDevice
{
    /// <summary>Bytes of changes in memory, where nothing else is said: 64 MiB.</summary>
    public const long DefaultMemoryLimit = 64L << 20;

    /// <summary>Bytes of changes at most, where nothing else is said: 16 GiB.</summary>
    public const long DefaultLimit = 16L << 30;

    private readonly IBlockDevice _base;
    private readonly bool _ownsBase;
    private readonly SparseClusters _clusters;

    /// <param name="baseDevice">Where content comes from that has not been written.</param>
    /// <param name="ownsBase">Whether disposing this disposes <paramref name="baseDevice"/>.</param>
    /// <param name="memoryLimit">Bytes of changes that are kept in memory.</param>
    /// <param name="limit">Bytes of changes beyond which writes fail with a <see cref="StorageException"/> that <see cref="StorageException.IsFull"/>.</param>
    /// <param name="spillFolder">Where changes above <paramref name="memoryLimit"/> go, in a file that is made when it is needed and has no name; null: nowhere, so that writes fail.</param>
    public MemoryOverlay(IBlockDevice baseDevice, bool ownsBase = false, long memoryLimit = DefaultMemoryLimit, long limit = DefaultLimit, string? spillFolder = null)
    {
        ArgumentNullException.ThrowIfNull(baseDevice);
        _base = baseDevice;
        _ownsBase = ownsBase;
        Length = baseDevice.Length;
        _clusters = new SparseClusters(Length, baseDevice, memoryLimit, limit, spillFolder);
    }

    public long Length { get; }

    public bool IsReadOnly => false;

    /// <summary>Bytes of host memory that hold changes.</summary>
    public long StoredBytes => _clusters.StoredBytes;

    /// <summary>Bytes of host memory that say where changes are.</summary>
    public long BookkeepingBytes => _clusters.BookkeepingBytes;

    /// <summary>Bytes of changes in the file.</summary>
    public long SpilledBytes => _clusters.SpilledBytes;

    public void Read(long offset, Span<byte> destination) => _clusters.Read(offset, destination);

    public void Write(long offset, ReadOnlySpan<byte> source) => _clusters.Write(offset, source);

    /// <summary>Nothing here survives the process, so there is nothing to do.</summary>
    public void Flush()
    {
    }

    /// <summary>Forgets the changes to whole clusters in the range, which then read as the base does: a guest that discards a large disk shall not cost memory.</summary>
    public void Discard(long offset, long length) => _clusters.Forget(offset, length);

    public void WriteZeroes(long offset, long length) => _clusters.WriteZeroes(offset, length);

    public void Describe(StateVisitor visitor) => _clusters.Describe(visitor);

    public void Dispose()
    {
        _clusters.Dispose();
        if (_ownsBase)
        {
            _base.Dispose();
        }
    }

    /// <summary>Takes over the file for changes above the memory limit.</summary>
    internal void SpillTo(SpillFile file) => _clusters.SpillTo(file);
}
