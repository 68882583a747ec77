using System;
using System.IO;
using Microsoft.Win32.SafeHandles;

namespace VirtShell.Storage;

/// <summary>
/// A sparse file without a name that takes what a disk's memory limit leaves no room for, each byte at its offset on the
/// disk. It is gone when it is closed or its process ends, however that ends.
/// </summary>
internal sealed class SpillFile : IDisposable
{
    private readonly SafeFileHandle _handle;
    private readonly string _folder;

    /// <summary>Takes over a handle; <see cref="Open"/> is the way in.</summary>
    internal SpillFile(SafeFileHandle handle, string folder)
    {
        _handle = handle;
        _folder = folder;
    }

    /// <summary>Makes the file in a folder, which is made too where it is missing.</summary>
    /// <exception cref="StorageException">It cannot be made; <see cref="StorageException.IsFull"/> is set.</exception>
    public static SpillFile Open(string folder)
    {
        SafeFileHandle? handle = null;
        try
        {
            Directory.CreateDirectory(folder);
            string path = Path.Combine(folder, Path.GetRandomFileName());
            bool isWindows = OperatingSystem.IsWindows();
            handle = File.OpenHandle(path, FileMode.CreateNew, FileAccess.ReadWrite, FileShare.Delete, isWindows ? FileOptions.DeleteOnClose : FileOptions.None);
            if (!isWindows)
            {
                // Without a name it ends with its last handle, even where the process is killed.
                File.Delete(path);
            }
            else if (!HostFile.TryMakeSparse(handle))
            {
                throw new IOException("its file system has no sparse files.");
            }

            return new SpillFile(handle, folder);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            handle?.Dispose();
            throw new StorageException($"The changes to a throw-away disk need room in the folder '{folder}', where no file can be made: {HostError.Reason(e)}", e) { IsFull = true };
        }
    }

    /// <summary>Reads; what was never written is zeros.</summary>
    /// <exception cref="StorageException">The host cannot read it.</exception>
    public void Read(long offset, Span<byte> destination)
    {
        try
        {
            while (destination.Length > 0)
            {
                int count = RandomAccess.Read(_handle, destination, offset);
                if (count == 0)
                {
                    destination.Clear();
                    return;
                }

                destination = destination[count..];
                offset += count;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new StorageException($"The changes to a throw-away disk that are kept in the folder '{_folder}' cannot be read: {HostError.Reason(e)}", e);
        }
    }

    /// <exception cref="StorageException">The host cannot write it; <see cref="StorageException.IsFull"/> says that it has no room.</exception>
    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        try
        {
            RandomAccess.Write(_handle, source, offset);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw HostError.IsDiskFull(e)
                ? new StorageException($"The changes to a throw-away disk need room in the folder '{_folder}', and the host's file system there (or its quota) is full. Free space on it; until then the guest's writes fail.", e) { IsFull = true }
                : new StorageException($"The changes to a throw-away disk cannot be written in the folder '{_folder}': {HostError.Reason(e)}", e);
        }
    }

    /// <summary>Gives a range back to the host, where it can.</summary>
    public void Discard(long offset, long length) => HostFile.TryPunchHole(_handle, offset, length);

    public void Dispose() => _handle.Dispose();
}
