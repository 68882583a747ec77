using System;
using System.Collections.Generic;
using System.Threading;

namespace VirtShell.Images;

/// <summary>A source that was resolved to a local file.</summary>
/// <param name="Path">The file.</param>
/// <param name="Sha256">Its content hash, lower-case hex.</param>
/// <param name="Origin">What it came from, for reports: <c>apt:linux-image-amd64 6.1.192-2</c>, a path, a URL.</param>
public sealed record ResolvedFile(string Path, string Sha256, string Origin);

/// <summary>
/// Turns what people write for a kernel, initramfs or disk into a local file: a path, <c>apt:PACKAGE#glob</c>
/// (<c>apt:PACKAGE:i386#glob</c> for another architecture) or an <c>https:</c> URL with a sha256.
/// </summary>
public sealed class ImageResolver
{
    /// <param name="cacheFolder">Where downloads and unpacked files are kept, by content hash.</param>
    public ImageResolver(string cacheFolder) => throw new NotSupportedException(cacheFolder);

    /// <summary>Resolves <paramref name="source"/>; relative paths stand below <paramref name="baseFolder"/>.</summary>
    /// <exception cref="ImageException">No such file, package or match, no network, or a wrong hash; the message says what to do.</exception>
    public ResolvedFile Resolve(string source, string baseFolder, string? sha256 = null, IProgress<string>? progress = null, CancellationToken cancellation = default) => throw new NotSupportedException();

    /// <summary>Builds (or finds in the cache) the initramfs that <paramref name="definition"/> describes; the same inputs give the same bytes.</summary>
    /// <exception cref="ImageException">A part cannot be resolved.</exception>
    public ResolvedFile BuildInitramfs(InitramfsDefinition definition, string baseFolder, IProgress<string>? progress = null, CancellationToken cancellation = default) => throw new NotSupportedException();
}

/// <summary>What an initramfs holds. Later parts replace earlier ones at the same path.</summary>
public sealed class InitramfsDefinition
{
    /// <summary>A folder whose whole content is copied.</summary>
    public string? Folder { get; init; }

    /// <summary>Files from sources: path in the initramfs to source (path, apt:, https:).</summary>
    public IReadOnlyDictionary<string, string> Files { get; init; } = new Dictionary<string, string>();

    /// <summary>Inline text files: path in the initramfs to content. Files below /bin, /sbin and the file /init are executable, as is any that starts with <c>#!</c>.</summary>
    public IReadOnlyDictionary<string, string> Text { get; init; } = new Dictionary<string, string>();

    /// <summary>Symbolic links: path to target.</summary>
    public IReadOnlyDictionary<string, string> Links { get; init; } = new Dictionary<string, string>();

    /// <summary>A busybox source (for example <c>apt:busybox-static#bin/busybox</c>): installed as /bin/busybox with links for every applet.</summary>
    public string? Busybox { get; init; }

    /// <summary>Kernel modules by name (virtio_blk …), with their dependencies; taken from <see cref="ModulesFrom"/>, put below /lib/modules, and listed in load order in /etc/modules-load.</summary>
    public IReadOnlyList<string> Modules { get; init; } = [];

    /// <summary>The package (apt:PACKAGE) or folder that holds the modules; it must be the kernel's own.</summary>
    public string? ModulesFrom { get; init; }

    /// <summary>Device nodes beyond /dev/console, /dev/null and /dev/ttyS0: path to "c MAJOR MINOR" or "b MAJOR MINOR".</summary>
    public IReadOnlyDictionary<string, string> Nodes { get; init; } = new Dictionary<string, string>();
}
