using System;
using System.Globalization;
using System.IO;
using System.Threading;

namespace VirtShell.Storage;

/// <summary>What a path leads to, links followed.</summary>
public enum FileKind
{
    Missing,
    Regular,
    Folder,
    Pipe,

    /// <summary>A character or block device, or a socket.</summary>
    Device,
}

/// <summary>
/// Reads whole files of bounded size. The kind is looked at before a file is opened: opening a pipe waits for its other
/// end, and a device may never end.
/// </summary>
public static class FileContent
{
    private const int TypeMask = 0xF000;
    private const int PipeType = 0x1000;
    private const int FolderType = 0x4000;
    private const int RegularType = 0x8000;
    private const int BufferSize = 1 << 16;

    /// <summary>On hosts other than Linux, pipes and devices count as regular files.</summary>
    public static FileKind KindOf(string path)
    {
        ArgumentException.ThrowIfNullOrEmpty(path);
        if (!OperatingSystem.IsLinux())
        {
            return File.Exists(path) ? FileKind.Regular : Directory.Exists(path) ? FileKind.Folder : FileKind.Missing;
        }

        HostFile.Status status = HostFile.StatusOf(HostFile.EncodePath(path), path);
        return !status.Exists ? FileKind.Missing : (status.Mode & TypeMask) switch
        {
            RegularType => FileKind.Regular,
            FolderType => FileKind.Folder,
            PipeType => FileKind.Pipe,
            _ => FileKind.Device,
        };
    }

    /// <summary>The bytes of a regular file.</summary>
    /// <param name="path">The file; links are followed.</param>
    /// <param name="limit">The most bytes that it may have.</param>
    /// <param name="allowPipe">Reads a pipe to its end too.</param>
    /// <param name="cancellation">Ends waiting for a pipe's other end.</param>
    /// <exception cref="IOException">It is no regular file, is larger than <paramref name="limit"/>, or cannot be read.</exception>
    /// <exception cref="UnauthorizedAccessException">The user may not read it.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellation"/> was signalled.</exception>
    public static byte[] Read(string path, long limit, bool allowPipe = false, CancellationToken cancellation = default)
    {
        switch (KindOf(path))
        {
            case FileKind.Pipe when allowPipe:
                return ReadPipe(path, limit, cancellation);
            case FileKind.Pipe:
                throw new IOException($"'{path}' is a pipe; a regular file is needed.");
            case FileKind.Device:
                throw new IOException($"'{path}' is a device or socket; a regular file is needed.");
            default:
                return ReadAll(path, limit, cancellation);
        }
    }

    /// <summary>Reads a stream to its end.</summary>
    /// <exception cref="IOException">It has more than <paramref name="limit"/> bytes.</exception>
    public static byte[] ReadToEnd(Stream stream, string name, long limit, CancellationToken cancellation)
    {
        ArgumentNullException.ThrowIfNull(stream);
        using MemoryStream all = new();
        byte[] buffer = new byte[BufferSize];
        for (int count; (count = stream.Read(buffer)) > 0;)
        {
            cancellation.ThrowIfCancellationRequested();
            if (all.Length + count > limit)
            {
                throw TooLarge(name, limit);
            }

            all.Write(buffer, 0, count);
        }

        return all.ToArray();
    }

    private static byte[] ReadAll(string path, long limit, CancellationToken cancellation)
    {
        using FileStream file = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0);
        if (file.Length > Math.Min(limit, Array.MaxLength))
        {
            throw TooLarge(path, Math.Min(limit, Array.MaxLength));
        }

        // The kernel of the host makes some files up as they are read, and says that they are empty.
        return ReadToEnd(file, path, limit, cancellation);
    }

    /// <summary>
    /// Neither opening a pipe nor reading one can be called off on every host, so that happens on a thread of its own. A
    /// cancelled one goes on until the other end closes, and keeps nothing but itself alive.
    /// </summary>
    private static byte[] ReadPipe(string path, long limit, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        byte[]? bytes = null;
        Exception? error = null;
        using ManualResetEventSlim done = new();
        Thread reader = new(() =>
        {
            try
            {
                using FileStream pipe = new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0);
                bytes = ReadToEnd(pipe, path, Math.Min(limit, Array.MaxLength), cancellation);
            }
            catch (Exception e)
            {
                error = e;
            }

            try
            {
                done.Set();
            }
            catch (ObjectDisposedException)
            {
                // Nobody waits any more.
            }
        })
        {
            IsBackground = true,
            Name = "VirtShell pipe",
        };
        try
        {
            reader.Start();
        }
        catch (Exception e) when (e is OutOfMemoryException or ThreadStartException)
        {
            throw new IOException($"'{path}' cannot be read: the host gives no more threads.", e);
        }

        done.Wait(cancellation);
        return error switch
        {
            null => bytes!,
            IOException or UnauthorizedAccessException or OperationCanceledException => throw error,
            _ => throw new IOException($"'{path}' cannot be read: {error.Message}", error),
        };
    }

    private static IOException TooLarge(string name, long limit) =>
        new(string.Create(CultureInfo.InvariantCulture, $"'{name}' has more than {limit:N0} bytes, which is the most that is read of such a file."));
}
