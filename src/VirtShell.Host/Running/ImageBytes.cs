using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Threading;
using VirtShell.Cpu.Memory;
using VirtShell.Images;
using VirtShell.Storage;

namespace VirtShell.Host.Running;

/// <summary>
/// The content of boot images, shared between the VMs that use the same ones: sixty VMs of one kernel hold it once.
/// Nothing is kept that no VM holds.
/// </summary>
internal static class ImageBytes
{
    private static readonly Dictionary<string, WeakReference<byte[]>> s_shared = new(StringComparer.Ordinal);

    /// <exception cref="VmException">The file cannot be read.</exception>
    public static byte[] Read(ResolvedFile file)
    {
        if (file.Content is { } content)
        {
            return content;
        }

        string key = Key(file);
        lock (s_shared)
        {
            if (s_shared.TryGetValue(key, out WeakReference<byte[]>? known) && known.TryGetTarget(out byte[]? bytes))
            {
                return bytes;
            }
        }

        byte[] read;
        try
        {
            read = ReadFile(file.Path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new VmException(VmErrorKind.ImageNotFound, $"The image '{file.Path}' cannot be read: {e.Message}", e);
        }

        lock (s_shared)
        {
            if (s_shared.TryGetValue(key, out WeakReference<byte[]>? known) && known.TryGetTarget(out byte[]? bytes))
            {
                return bytes;
            }

            s_shared[key] = new WeakReference<byte[]>(read);
            return read;
        }
    }

    private static byte[] ReadFile(string path)
    {
        if (FileContent.KindOf(path) is FileKind.Pipe or FileKind.Device)
        {
            throw new IOException("It is a pipe, device or socket; a file is needed.");
        }

        using var file = new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0, FileOptions.SequentialScan);
        if (!file.CanSeek || file.Length == 0)
        {
            // A file that does not tell how long it is.
            return FileContent.ReadToEnd(file, path, Array.MaxLength, CancellationToken.None);
        }

        if (file.Length > Array.MaxLength)
        {
            throw new IOException(string.Create(CultureInfo.InvariantCulture, $"The file has {file.Length} bytes, which is more than an image to boot can have ({Array.MaxLength})."));
        }

        byte[] bytes = GC.AllocateUninitializedArray<byte>((int)file.Length);
        HostPages.Bring(bytes);
        file.ReadExactly(bytes);
        return bytes;
    }

    /// <summary>What stands for the content: its hash where that is known, else the file as it is now. Hashing takes longer than all else that a start does with a kernel.</summary>
    private static string Key(ResolvedFile file)
    {
        if (file.IsHashed)
        {
            return file.Sha256;
        }

        FileInfo info = new(file.Path);
        return info.Exists ? string.Create(CultureInfo.InvariantCulture, $"{info.FullName}|{info.Length}|{info.LastWriteTimeUtc.Ticks}") : file.Path;
    }
}
