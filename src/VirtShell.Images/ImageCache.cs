using System;
using System.IO;
using System.Security.Cryptography;
using System.Text;
using System.Threading;

namespace VirtShell.Images;

/// <summary>
/// The folder that keeps what was fetched, unpacked and built. Files appear in it whole, by a rename; work that two
/// processes must not do at once is done under a lock file. Nothing in it is needed for good: it may be deleted.
/// </summary>
internal sealed class ImageCache(string folder)
{
    private const int LockPollMilliseconds = 50;

    public string Folder { get; } = Path.GetFullPath(folder);

    /// <summary>A folder below the cache, created.</summary>
    public string Sub(params ReadOnlySpan<string> parts)
    {
        var path = Path.Combine([Folder, .. parts]);
        Directory.CreateDirectory(path);
        return path;
    }

    /// <summary>Waits for, and takes, the lock of this name among all processes that share the cache.</summary>
    public IDisposable Lock(string name, IProgress<string>? progress, CancellationToken cancellation)
    {
        var path = Path.Combine(Sub("locks"), name);
        var told = false;
        while (true)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, 1);
            }
            catch (IOException) when (File.Exists(path))
            {
                if (!told)
                {
                    progress?.Report("Waiting for another process that prepares images");
                    told = true;
                }

                cancellation.WaitHandle.WaitOne(LockPollMilliseconds);
                cancellation.ThrowIfCancellationRequested();
            }
        }
    }

    /// <summary>Writes a file so that it is there whole or not at all.</summary>
    public void WriteWhole(string path, Action<Stream> write)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var temporary = Path.Combine(Sub("tmp"), Guid.NewGuid().ToString("N"));
        try
        {
            using (var stream = new FileStream(temporary, FileMode.CreateNew, FileAccess.Write))
            {
                write(stream);
            }

            File.Move(temporary, path, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <summary>A fresh folder for one piece of work; delete it when done.</summary>
    public string NewTemporaryFolder() => Sub("tmp", Guid.NewGuid().ToString("N"));

    public static string HashText(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));
}
