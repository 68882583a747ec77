using System;
using System.IO;
using Microsoft.Win32.SafeHandles;
using VirtShell.State;

namespace VirtShell.Storage;

/// <summary>
/// A disk image that is nothing but the disk's bytes, in a file. One writer or any number of readers hold it (by the
/// host's advisory file locks); the file is checked on every access, so that an image that was deleted, replaced or cut
/// short while in use is an error that names it, not wrong data.
/// </summary>
public sealed class RawImage : IBlockDevice
{
    // Fixed configuration.
    private readonly string _path;
    [NotState("Where the image is; its content is the host's.")]
    private readonly byte[] _encodedPath;
    private readonly HostFile.Status _identity;

    // Runtime glue.
    private readonly SafeFileHandle _handle;

    /// <summary>Takes over a handle; <see cref="Open"/> is the way in.</summary>
    internal RawImage(SafeFileHandle handle, string path, long length, bool readOnly)
    {
        _handle = handle;
        _path = path;
        _encodedPath = HostFile.EncodePath(path);
        _identity = HostFile.StatusOf(handle);
        Length = length;
        IsReadOnly = readOnly;
    }

    public long Length { get; }

    public bool IsReadOnly { get; }

    /// <summary>The image's full path.</summary>
    public string FilePath => _path;

    /// <summary>Opens an image of any size that is a positive multiple of 512 bytes.</summary>
    /// <exception cref="StorageException">The image is missing, no regular file, of an odd size, not permitted, or in use.</exception>
    public static RawImage Open(string path, bool readOnly)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        path = Path.GetFullPath(path);
        if (Directory.Exists(path))
        {
            throw new StorageException($"Disk image '{path}' is a folder. Give the path of an image file.");
        }

        // Before opening, since opening a FIFO would wait for its other end.
        HostFile.Status status = HostFile.StatusOf(HostFile.EncodePath(path), path);
        if (status.Exists && !status.IsRegular)
        {
            throw new StorageException($"Disk image '{path}' is not a regular file. Copy the device's content into a file and attach that.");
        }

        SafeFileHandle handle;
        try
        {
            handle = readOnly
                ? File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.Read)
                : File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.None);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            throw CannotOpen(path, readOnly, e);
        }

        try
        {
            return new RawImage(handle, path, CheckedLength(path, RandomAccess.GetLength(handle)), readOnly);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <summary>Creates an image full of zeros, sparse where the host can, its size rounded up to a multiple of 512 bytes, and opens it for writing.</summary>
    /// <exception cref="StorageException">The file exists already, or cannot be created.</exception>
    public static RawImage Create(string path, long length)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(length);
        path = Path.GetFullPath(path);
        length = checked((length + BlockRange.SectorSize - 1) / BlockRange.SectorSize * BlockRange.SectorSize);
        if (File.Exists(path))
        {
            throw new StorageException($"Disk image '{path}' exists already. Choose another name, or delete it first.");
        }

        SafeFileHandle? handle = null;
        try
        {
            handle = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.None);
            RandomAccess.SetLength(handle, length);
            return new RawImage(handle, path, length, readOnly: false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            handle?.Dispose();
            if (handle is not null)
            {
                File.Delete(path);
            }

            throw new StorageException($"Disk image '{path}' of {length} bytes cannot be created: {HostError.Reason(e)}", e);
        }
    }

    public void Read(long offset, Span<byte> destination)
    {
        BlockRange.Check(offset, destination.Length, Length);
        CheckIdentity();
        try
        {
            while (destination.Length > 0)
            {
                int count = RandomAccess.Read(_handle, destination, offset);
                if (count == 0)
                {
                    throw new StorageException($"Disk image '{_path}' ended at byte {offset} of {Length}: it was cut short while in use. Restore it, then restart the VM.");
                }

                destination = destination[count..];
                offset += count;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StorageException($"Disk image '{_path}' cannot be read at byte {offset}: {HostError.Reason(e)}", e);
        }
    }

    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        BlockRange.Check(offset, source.Length, Length);
        CheckWritable();
        CheckIdentity();
        try
        {
            RandomAccess.Write(_handle, source, offset);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StorageException(
                HostError.IsDiskFull(e)
                    ? $"Disk image '{_path}' cannot grow: the host file system (or its quota) is full. Free space on it, then restart the VM."
                    : $"Disk image '{_path}' cannot be written at byte {offset}: {HostError.Reason(e)}",
                e);
        }
    }

    public void Flush()
    {
        CheckIdentity();
        if (IsReadOnly)
        {
            return;
        }

        try
        {
            RandomAccess.FlushToDisk(_handle);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StorageException(
                HostError.IsDiskFull(e)
                    ? $"Disk image '{_path}' cannot be flushed: the host file system (or its quota) is full. Free space on it, then restart the VM."
                    : $"Disk image '{_path}' cannot be flushed: {HostError.Reason(e)} What was written last may be lost.",
                e);
        }
    }

    /// <summary>Gives the range back to the host's file system where it can; otherwise the content stays.</summary>
    public void Discard(long offset, long length)
    {
        BlockRange.Check(offset, length, Length);
        CheckWritable();
        CheckIdentity();
        if (length > 0)
        {
            HostFile.TryPunchHole(_handle, offset, length);
        }
    }

    public void WriteZeroes(long offset, long length)
    {
        BlockRange.Check(offset, length, Length);
        CheckWritable();
        CheckIdentity();
        if (length > 0 && HostFile.TryPunchHole(_handle, offset, length))
        {
            return;
        }

        ReadOnlySpan<byte> zeros = BlockRange.Zeros;
        while (length > 0)
        {
            int part = (int)Math.Min(length, zeros.Length);
            Write(offset, zeros[..part]);
            offset += part;
            length -= part;
        }
    }

    public void Dispose() => _handle.Dispose();

    private static long CheckedLength(string path, long length)
    {
        if (length == 0)
        {
            throw new StorageException($"Disk image '{path}' is empty. A raw image has the size of its disk; make one with 'truncate -s 1G FILE', for example.");
        }

        if (length % BlockRange.SectorSize != 0)
        {
            long rounded = (length / BlockRange.SectorSize + 1) * BlockRange.SectorSize;
            throw new StorageException(
                $"Disk image '{path}' is {length} bytes long, not a multiple of 512, so it is cut short or not a raw disk image. "
                + $"If it is one, round it up to {rounded} bytes with 'truncate -s {rounded} FILE'.");
        }

        return length;
    }

    private static StorageException CannotOpen(string path, bool readOnly, Exception e) => e switch
    {
        FileNotFoundException or DirectoryNotFoundException => new StorageException($"Disk image '{path}' does not exist. Check the path.", e),
        UnauthorizedAccessException when !readOnly => new StorageException($"Disk image '{path}' may not be written: permission denied. Attach it read-only or under an overlay, or change its permissions.", e),
        UnauthorizedAccessException => new StorageException($"Disk image '{path}' may not be read: permission denied. Change its permissions.", e),
        _ when HostError.IsInUse(e) && readOnly => new StorageException($"Disk image '{path}' is in use: another VM or program has it open for writing. Stop that one first.", e),
        _ when HostError.IsInUse(e) => new StorageException($"Disk image '{path}' is in use by another VM or program, so it cannot be opened for writing. Stop that one first, or attach the image read-only to both.", e),
        _ => new StorageException($"Disk image '{path}' cannot be opened: {HostError.Reason(e)}", e),
    };

    private void CheckWritable()
    {
        if (IsReadOnly)
        {
            throw new StorageException($"Disk image '{_path}' is attached read-only. Attach it writable, or under an overlay, to write to it.");
        }
    }

    // One statx(2), microseconds: cheap enough to be asked on every access, so that nothing hangs on timing.
    private void CheckIdentity()
    {
        HostFile.Status now = HostFile.StatusOf(_encodedPath, _path);
        if (now.Exists && now.Size >= Length && now.IsSameFile(_identity))
        {
            return;
        }

        throw new StorageException(
            !now.Exists ? $"Disk image '{_path}' vanished while in use: it was deleted, moved, or its file system is gone. Put it back, then restart the VM."
            : !now.IsSameFile(_identity) ? $"Disk image '{_path}' was replaced by another file while in use. Put the first one back, then restart the VM."
            : $"Disk image '{_path}' was cut short from {Length} to {now.Size} bytes while in use. Restore it, then restart the VM.");
    }
}
