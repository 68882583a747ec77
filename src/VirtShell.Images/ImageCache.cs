using System;
using System.IO;
using System.Security.Cryptography;
using System.Text;
using System.Threading;
using VirtShell.Storage;

namespace VirtShell.Images;

/// <summary>
/// The folder that keeps what was fetched, unpacked and built. Files appear in it whole, by a rename; work that two
/// processes must not do at once is done under a lock file. What was made here is recorded by its SHA-256 below
/// <c>checks</c>, and only taken again while it still has that. Nothing in it is needed for good: it may be deleted.
/// </summary>
internal sealed class ImageCache(string folder)
{
    private const int LockPollMilliseconds = 50;
    private const int LargestRecord = 1024;
    private const string TemporaryName = "tmp";

    private int _isSwept;

    public string Folder { get; } = Path.GetFullPath(folder);

    /// <summary>A folder below the cache, created; others than its owner cannot enter it.</summary>
    public string Sub(params ReadOnlySpan<string> parts)
    {
        if (!Directory.Exists(Folder))
        {
            PrivateFile.CreateFolder(Folder);
        }

        var first = Path.Combine(Folder, parts[0]);
        PrivateFile.CreateFolder(first);
        if (parts.Length == 1)
        {
            return first;
        }

        var path = Path.Combine([Folder, .. parts]);
        Directory.CreateDirectory(path);
        return path;
    }

    /// <summary>Waits for, and takes, the lock of this name among all processes that share the cache.</summary>
    /// <exception cref="IOException">The lock cannot be had, for another reason than that somebody holds it.</exception>
    public IDisposable Lock(string name, IProgress<string>? progress, CancellationToken cancellation)
    {
        var path = Path.Combine(Sub("locks"), name);
        var told = false;
        while (true)
        {
            try
            {
                var held = PrivateFile.OpenLock(path);
                Sweep();
                return held;
            }
            catch (IOException e) when (HostError.IsInUse(e))
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

    /// <summary>Writes a file so that it is there whole or not at all, and records its content for <see cref="Find"/>.</summary>
    public void WriteWhole(string path, Action<Stream> write)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var temporary = NewTemporaryPath();
        try
        {
            using (var sha = SHA256.Create())
            {
                using (var stream = PrivateFile.CreateNew(temporary))
                using (var hashed = new CryptoStream(stream, sha, CryptoStreamMode.Write, leaveOpen: true))
                {
                    write(hashed);
                    hashed.FlushFinalBlock();
                }

                // The record comes first: a file without one is made anew, one with a wrong one is as well.
                var record = RecordOf(path);
                Directory.CreateDirectory(Path.GetDirectoryName(record)!);
                PrivateFile.Replace(record, Encoding.ASCII.GetBytes(Convert.ToHexStringLower(sha.Hash!)));
            }

            File.Move(temporary, path, overwrite: true);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    /// <summary>The SHA-256 of a file that <see cref="WriteWhole"/> wrote, in lower-case hexadecimal; null where it is not there, or not what was written.</summary>
    public string? Find(string path)
    {
        var record = RecordOf(path);
        if (FileContent.KindOf(path) != FileKind.Regular || FileContent.KindOf(record) != FileKind.Regular)
        {
            return null;
        }

        // The record of a damaged disk may be anything; then it equals no hash.
        var expected = Encoding.ASCII.GetString(FileContent.Read(record, LargestRecord));
        return ResolvedFile.Hash(path) is var actual && actual == expected ? actual : null;
    }

    /// <summary>Whether a file is there with just this content.</summary>
    public static bool Holds(string path, string sha256) => FileContent.KindOf(path) == FileKind.Regular && ResolvedFile.Hash(path) == sha256;

    /// <summary>Why a damaged file of the cache could not be made anew, and what to do.</summary>
    public static ImageException Damaged(string path, Exception reason) =>
        new($"The cached file '{path}' is damaged, and cannot be had anew: {reason.Message} Mend that and try again, or put a good copy of the file in its place.", reason);

    /// <summary>A fresh folder for one piece of work; delete it when done.</summary>
    public string NewTemporaryFolder() => Sub(TemporaryName, Guid.NewGuid().ToString("N"));

    public static string HashText(string text) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private string NewTemporaryPath() => Path.Combine(Sub(TemporaryName), Guid.NewGuid().ToString("N"));

    private string RecordOf(string path) => Path.Combine(Sub("checks"), Path.GetRelativePath(Folder, path));

    /// <summary>Deletes, once for each cache that is used, what killed processes left behind.</summary>
    private void Sweep()
    {
        if (Interlocked.Exchange(ref _isSwept, 1) != 0)
        {
            return;
        }

        try
        {
            foreach (var file in new DirectoryInfo(Sub(TemporaryName)).EnumerateFiles("*", SearchOption.AllDirectories))
            {
                PrivateFile.DeleteIfStale(file);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Leftovers cost room and nothing else.
        }
    }
}
