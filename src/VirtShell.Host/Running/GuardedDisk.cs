using System;
using System.Threading;
using VirtShell.State;
using VirtShell.Storage;

namespace VirtShell.Host.Running;

/// <summary>
/// Stands between a machine and a disk: counts accesses (progress, for the hang check) and tells the run when the image
/// fails underneath. The guest gets its I/O error all the same. Where there is only no room for a change, the guest gets
/// the error, the run goes on, and a warning stays.
/// </summary>
internal sealed class GuardedDisk(IBlockDevice inner, string source) : IStatefulBlockDevice
{
    private long _bytesRead;
    private long _bytesWritten;
    private long _operations;
    private string? _warning;

    /// <summary>What the user wrote for the image.</summary>
    public string Source { get; } = source;

    public long Length => inner.Length;

    public bool IsReadOnly => inner.IsReadOnly;

    /// <summary>Called on each access, before it.</summary>
    public Action? Accessed { get; set; }

    /// <summary>Called when the image failed, with the reason.</summary>
    public Action<StorageException>? Failed { get; set; }

    /// <summary>Host memory that the guest's changes take, in bytes, the account of where they are included.</summary>
    public long StoredBytes => inner is MemoryOverlay overlay ? overlay.StoredBytes + overlay.BookkeepingBytes : 0;

    /// <summary>Bytes of the guest's changes in a file of the host.</summary>
    public long SpilledBytes => inner is MemoryOverlay overlay ? overlay.SpilledBytes : 0;

    /// <summary>Why the first write that found no room failed, with what to do; null while there was none. Any thread.</summary>
    public string? Warning => Volatile.Read(ref _warning);

    /// <summary>Bytes that the guest has read. These three may be read on any thread.</summary>
    public long BytesRead => Volatile.Read(ref _bytesRead);

    /// <summary>Bytes that the guest has written.</summary>
    public long BytesWritten => Volatile.Read(ref _bytesWritten);

    /// <summary>Reads and writes of the guest.</summary>
    public long Operations => Volatile.Read(ref _operations);

    public void Read(long offset, Span<byte> destination)
    {
        Accessed?.Invoke();
        try
        {
            inner.Read(offset, destination);
            Count(ref _bytesRead, destination.Length);
        }
        catch (Exception e) when (e is not ArgumentOutOfRangeException)
        {
            throw Fail(e);
        }
    }

    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        Accessed?.Invoke();
        try
        {
            inner.Write(offset, source);
            Count(ref _bytesWritten, source.Length);
        }
        catch (Exception e) when (e is not ArgumentOutOfRangeException && !inner.IsReadOnly)
        {
            throw Fail(e);
        }
    }

    public void Flush()
    {
        Accessed?.Invoke();
        try
        {
            inner.Flush();
        }
        catch (Exception e)
        {
            throw Fail(e);
        }
    }

    public void Discard(long offset, long length)
    {
        Accessed?.Invoke();
        try
        {
            inner.Discard(offset, length);
        }
        catch (Exception e) when (e is not ArgumentOutOfRangeException && !inner.IsReadOnly)
        {
            throw Fail(e);
        }
    }

    public void WriteZeroes(long offset, long length)
    {
        Accessed?.Invoke();
        try
        {
            inner.WriteZeroes(offset, length);
        }
        catch (Exception e) when (e is not ArgumentOutOfRangeException && !inner.IsReadOnly)
        {
            throw Fail(e);
        }
    }

    public void Describe(StateVisitor visitor) => (inner as IStatefulBlockDevice)?.Describe(visitor);

    public void Dispose() => inner.Dispose();

    // One thread at a time writes; others read.
    private void Count(ref long bytes, int length)
    {
        Volatile.Write(ref bytes, bytes + length);
        Volatile.Write(ref _operations, _operations + 1);
    }

    private StorageException Fail(Exception e)
    {
        if (e is StorageException { IsFull: true } or OutOfMemoryException)
        {
            string reason = e is OutOfMemoryException ? "The host has no memory left for a request to it. Stop other VMs." : e.Message;
            StorageException full = new($"Disk '{Source}': {reason}", e) { IsFull = true };
            Interlocked.CompareExchange(ref _warning, full.Message, null);
            return full;
        }

        StorageException failure = e as StorageException ?? new StorageException($"Disk '{Source}' failed: {e.Message}", e);
        Failed?.Invoke(failure);
        return failure;
    }
}
