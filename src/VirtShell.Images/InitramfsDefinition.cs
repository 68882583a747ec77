using System.Collections.Generic;

namespace VirtShell.Images;

/// <summary>
/// What an initramfs holds. Parts are laid in the order Folder, Busybox, Modules, Files, Text, Links, Nodes; a later
/// part replaces an earlier one at the same path, except that busybox's applet links never replace anything. The
/// folders /dev, /proc, /sys, /run and /tmp, and the nodes /dev/console, /dev/null and /dev/ttyS0, are always there.
/// Everything belongs to root and carries no time.
/// </summary>
public sealed record InitramfsDefinition
{
    /// <summary>A folder whose whole content is copied.</summary>
    public string? Folder { get; init; }

    /// <summary>Files from sources: path in the initramfs to source (path, apt:, https:).</summary>
    public IReadOnlyDictionary<string, string> Files { get; init; } = new Dictionary<string, string>();

    /// <summary>Inline text files: path in the initramfs to content; CR LF becomes LF. Files below /bin, /sbin and the file /init are executable, as is any that starts with <c>#!</c>.</summary>
    public IReadOnlyDictionary<string, string> Text { get; init; } = new Dictionary<string, string>();

    /// <summary>Symbolic links: path to target.</summary>
    public IReadOnlyDictionary<string, string> Links { get; init; } = new Dictionary<string, string>();

    /// <summary>
    /// A busybox source (for example <c>apt:busybox-static#bin/busybox</c>): installed as /bin/busybox with links for
    /// every applet. Where nothing else brings an /init, one is added that mounts /proc, /sys and /dev, loads the
    /// modules, runs a shell on the console, and powers off when the shell ends.
    /// </summary>
    public string? Busybox { get; init; }

    /// <summary>Kernel modules by name (virtio_blk …), with their dependencies; taken from <see cref="ModulesFrom"/>, put below /lib/modules, and listed with full paths in load order in /etc/modules-load.</summary>
    public IReadOnlyList<string> Modules { get; init; } = [];

    /// <summary>The package (apt:PACKAGE) or folder that holds the modules; it must be the kernel's own.</summary>
    public string? ModulesFrom { get; init; }

    /// <summary>Device nodes beyond /dev/console, /dev/null and /dev/ttyS0: path to "c MAJOR MINOR" or "b MAJOR MINOR".</summary>
    public IReadOnlyDictionary<string, string> Nodes { get; init; } = new Dictionary<string, string>();

    /// <summary>Compresses the archive with gzip. Off by default: a guest unpacks a plain one in far fewer instructions.</summary>
    public bool Gzip { get; init; }
}
