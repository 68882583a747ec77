using System;
using System.Globalization;
using System.IO;
using System.Threading;
using VirtShell.State;
using VirtShell.Storage;

namespace VirtShell.Host.Running;

/// <summary>
/// Stands between a machine and a disk: counts accesses (progress, for the hang check) and tells the run when the image
/// fails underneath. The guest gets its I/O error all the same. Where there is only no room for a change, the guest gets
/// the error, the run goes on, and a warning stays.
/// </summary>
internal sealed class GuardedDisk : IStatefulBlockDevice
{
    private readonly IBlockDevice _inner;
    private long _bytesRead;
    private long _bytesWritten;
    private long _operations;
    [NotState("What this host had no room for.")]
    private string? _warning;

    /// <param name="inner">The disk; disposed with this.</param>
    /// <param name="source">What the user wrote for the image.</param>
    public GuardedDisk(IBlockDevice inner, string source)
    {
        _inner = inner;
        Source = source;
    }

    /// <summary>What the user wrote for the image.</summary>
    public string Source { get; }

    public long Length => _inner.Length;

    public bool IsReadOnly => _inner.IsReadOnly;

    /// <summary>The file that the image is; null for one whose content the cache knows by its hash.</summary>
    public string? ImageFile { get; init; }

    /// <summary>Called on each access, before it.</summary>
    public Action? Accessed { get; set; }

    /// <summary>Called when the image failed, with the reason.</summary>
    public Action<StorageException>? Failed { get; set; }

    /// <summary>Whether the guest's changes are thrown away.</summary>
    public bool IsOverlay => _inner is MemoryOverlay;

    /// <summary>Host memory that the guest's changes take, in bytes, the account of where they are included.</summary>
    public long StoredBytes => _inner is MemoryOverlay overlay ? overlay.StoredBytes + overlay.BookkeepingBytes : 0;

    /// <summary>Bytes of the guest's changes in a file of the host.</summary>
    public long SpilledBytes => _inner is MemoryOverlay overlay ? overlay.SpilledBytes : 0;

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
            _inner.Read(offset, destination);
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
            _inner.Write(offset, source);
            Count(ref _bytesWritten, source.Length);
        }
        catch (Exception e) when (e is not ArgumentOutOfRangeException && !_inner.IsReadOnly)
        {
            throw Fail(e);
        }
    }

    public void Flush()
    {
        Accessed?.Invoke();
        try
        {
            _inner.Flush();
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
            _inner.Discard(offset, length);
        }
        catch (Exception e) when (e is not ArgumentOutOfRangeException && !_inner.IsReadOnly)
        {
            throw Fail(e);
        }
    }

    public void WriteZeroes(long offset, long length)
    {
        Accessed?.Invoke();
        try
        {
            _inner.WriteZeroes(offset, length);
        }
        catch (Exception e) when (e is not ArgumentOutOfRangeException && !_inner.IsReadOnly)
        {
            throw Fail(e);
        }
    }

    public void Describe(StateVisitor visitor) => (_inner as IStatefulBlockDevice)?.Describe(visitor);

    public void Dispose() => _inner.Dispose();

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

    /// <summary>
    /// What a run's state holds of a disk beside the machine: which image it is, so that a guest does not go on over content that is not
    /// what it knows, and what the guest did with it.
    /// </summary>
    internal sealed class Account(GuardedDisk disk, string name) : IStateful
    {
        /// <summary>Names the section.</summary>
        public string Name => name;

        public void Describe(StateVisitor visitor)
        {
            long length = visitor.Value("length", disk.Length);
            if (length != disk.Length)
            {
                throw visitor.Refused($"Disk '{disk.Source}' has {disk.Length} bytes, and had {length} when the state was saved. Attach the image that the VM had then.");
            }

            bool isReadOnly = visitor.Value("read-only", disk.IsReadOnly);
            bool isOverlay = visitor.Value("overlay", disk.IsOverlay);
            if (isReadOnly != disk.IsReadOnly || isOverlay != disk.IsOverlay)
            {
                throw visitor.Refused($"Disk '{disk.Source}' was {Words(isReadOnly, isOverlay)} when the state was saved, and is {Words(disk.IsReadOnly, disk.IsOverlay)} now. Attach it as it was.");
            }

            // A guest holds parts of its disk in memory, and would mix them with what others wrote meanwhile.
            long here = disk.ImageFile is { } file ? File.GetLastWriteTimeUtc(file).Ticks : 0;
            long changed = visitor.Value("changed", here);
            if (changed != here)
            {
                throw visitor.Refused($"The disk image '{disk.Source}' has changed since the state was saved ({At(changed)}; now {At(here)}), and the system in the VM would damage what is on it. Put the image back as it was, or start the VM anew.");
            }

            visitor.Value("bytes-read", ref disk._bytesRead, min: 0);
            visitor.Value("bytes-written", ref disk._bytesWritten, min: 0);
            visitor.Value("operations", ref disk._operations, min: 0);
        }

        private static string Words(bool isReadOnly, bool isOverlay) => isReadOnly ? "read-only" : isOverlay ? "an overlay" : "writable";

        private static string At(long ticks) => ticks >= 0 && ticks <= DateTime.MaxValue.Ticks ? new DateTime(ticks, DateTimeKind.Utc).ToString("u", CultureInfo.InvariantCulture) : "an unknown time";
    }
}
