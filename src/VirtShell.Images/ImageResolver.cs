using System;
using System.IO;
using System.Text.RegularExpressions;
using System.Threading;
using VirtShell.Images.Apt;
using VirtShell.Images.Initramfs;
using VirtShell.Storage;

namespace VirtShell.Images;

/// <summary>
/// Turns what people write for a kernel, initramfs or disk into a local file: a path, <c>apt:PACKAGE#glob</c>
/// (<c>apt:PACKAGE:i386#glob</c> for another architecture, <c>apt:PACKAGE=VERSION#glob</c> for an exact version) or an
/// <c>https:</c> URL with a sha256. Thread-safe, and safe beside other processes that share the cache.
/// </summary>
public sealed class ImageResolver
{
    /// <summary>The most bytes that are read of a pipe.</summary>
    internal const int LargestPipe = 1 << 30;

    private readonly HttpsFetcher _https;
    private readonly AptSource _apt;
    private readonly InitramfsBuilder _initramfs;

    /// <param name="cacheFolder">Where downloads and unpacked files are kept, by content hash. Created when needed; may be deleted at any time that nothing uses it.</param>
    public ImageResolver(string cacheFolder)
    {
        ArgumentException.ThrowIfNullOrEmpty(cacheFolder);
        var cache = new ImageCache(cacheFolder);
        CacheFolder = cache.Folder;
        _https = new HttpsFetcher(cache);
        _apt = new AptSource(cache);
        _initramfs = new InitramfsBuilder(cache, _apt, this);
    }

    /// <summary>The cache's full path.</summary>
    public string CacheFolder { get; }

    /// <summary>Resolves <paramref name="source"/>; relative paths stand below <paramref name="baseFolder"/>.</summary>
    /// <exception cref="ImageException">No such file, package or match, no network, or a wrong hash; the message says what to do.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellation"/> was signalled.</exception>
    public ResolvedFile Resolve(string source, string baseFolder, string? sha256 = null, IProgress<string>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(source);
        return Guard(source, () =>
        {
            var parsed = ImageSource.Parse(source, baseFolder);
            var file = parsed switch
            {
                LocalFile local => ResolveLocal(source, local.Path, progress, cancellation),
                HttpsFile https => _https.Fetch(https.Address, sha256 ?? https.Sha256, progress, cancellation),
                AptFile { Glob: null } apt => throw new ImageException($"'{source}' names a package but no file of it: append #GLOB, for example {apt.PackageText}#boot/vmlinuz-*."),
                AptFile apt => _apt.ResolveFile(apt, progress, cancellation),
                _ => throw new ImageException($"'{source}' is not a source."),
            };
            if (sha256 is not null && HttpsFetcher.CheckHash(sha256) is var expected && file.Sha256 != expected)
            {
                throw new ImageException($"{source} has the sha256 {file.Sha256}, not {expected}.");
            }

            return file;
        });
    }

    /// <summary>Builds (or finds in the cache) the initramfs that <paramref name="definition"/> describes; the same inputs give the same bytes.</summary>
    /// <exception cref="ImageException">A part cannot be resolved.</exception>
    /// <exception cref="OperationCanceledException"><paramref name="cancellation"/> was signalled.</exception>
    public ResolvedFile BuildInitramfs(InitramfsDefinition definition, string baseFolder, IProgress<string>? progress = null, CancellationToken cancellation = default)
    {
        ArgumentNullException.ThrowIfNull(definition);
        return Guard("initramfs", () => _initramfs.Build(definition, baseFolder, progress, cancellation));
    }

    private static ResolvedFile ResolveLocal(string source, string path, IProgress<string>? progress, CancellationToken cancellation)
    {
        switch (FileContent.KindOf(path))
        {
            case FileKind.Regular:
                return new ResolvedFile(path, sha256: null, source);
            case FileKind.Pipe:
                progress?.Report($"Reading the pipe {source}");
                return new ResolvedFile(path, FileContent.Read(path, LargestPipe, allowPipe: true, cancellation), source);
            case FileKind.Folder:
                throw new ImageException($"{path} is a folder; a file is needed.");
            case FileKind.Device:
                throw new ImageException($"{path} is a device or socket; a file is needed. Copy what is wanted of it into a file, and give that.");
            default:
                throw new ImageException($"There is no file {path}.");
        }
    }

    /// <summary>What the file system refuses is the user's to mend, so it is told as such.</summary>
    private ResolvedFile Guard(string what, Func<ResolvedFile> work)
    {
        try
        {
            return work();
        }
        catch (IOException e) when (HostError.IsDiskFull(e))
        {
            throw new ImageException($"{what}: the file system of the cache folder '{CacheFolder}' (or your quota) is full. Free space on it, or delete the cache, then try again.", e);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException or ArgumentException or RegexMatchTimeoutException)
        {
            throw new ImageException($"{what}: {e.Message}", e);
        }
    }
}
