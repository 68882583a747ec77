using System;
using System.Collections.Generic;
using System.IO;
using System.Security.Cryptography;
using System.Text;
using VirtShell.Images.Packages;

namespace VirtShell.Images.Initramfs;

/// <summary>One thing in the tree: its mode, and its bytes, file or link target, or device numbers.</summary>
internal sealed record TreeNode(uint Mode, byte[]? Bytes = null, string? SourceFile = null, uint Major = 0, uint Minor = 0)
{
    public bool IsFolder => (Mode & FileMode.TypeMask) == FileMode.Folder;

    public bool IsLink => (Mode & FileMode.TypeMask) == FileMode.Link;
}

/// <summary>The content of an initramfs by path, sorted, so that every folder stands before what it holds.</summary>
internal sealed class InitramfsTree
{
    private const int MaximumLinks = 8;

    private readonly Dictionary<string, string> _hashes = new(StringComparer.Ordinal);
    private readonly SortedDictionary<string, TreeNode> _nodes = new(StringComparer.Ordinal);

    public bool Contains(string path) => _nodes.ContainsKey(Place(path));

    public void AddFolder(string path)
    {
        var place = Place(path);
        if (!_nodes.TryGetValue(place, out var old) || !old.IsFolder)
        {
            Put(place, new TreeNode(FileMode.Folder | FileMode.Executable));
        }
    }

    public void AddFile(string path, byte[] content, bool? isExecutable = null)
    {
        var place = Place(path);
        Put(place, new TreeNode(Mode(isExecutable ?? LooksExecutable(place, content)), content));
    }

    /// <summary>Adds a file of the host by reference; it is read when the archive is written.</summary>
    public void AddHostFile(string path, string sourceFile, bool? isExecutable = null)
    {
        var place = Place(path);
        if (isExecutable is null)
        {
            Span<byte> start = stackalloc byte[4];
            using var stream = File.OpenRead(sourceFile);
            var count = stream.ReadAtLeast(start, start.Length, throwOnEndOfStream: false);
            isExecutable = LooksExecutable(place, start[..count]);
        }

        Put(place, new TreeNode(Mode(isExecutable.Value), SourceFile: sourceFile));
    }

    public void AddLink(string path, string target)
    {
        if (target.Length == 0 || target.Contains('\0', StringComparison.Ordinal))
        {
            throw new ImageException($"The link /{path} in the initramfs has no target.");
        }

        Put(Place(path), new TreeNode(FileMode.Link | FileMode.LinkPermissions, Encoding.UTF8.GetBytes(target)));
    }

    public void AddDevice(string path, bool isBlock, uint major, uint minor, uint permissions = FileMode.Private) =>
        Put(Place(path), new TreeNode((isBlock ? FileMode.BlockDevice : FileMode.CharacterDevice) | permissions, Major: major, Minor: minor));

    /// <summary>A text that changes with any change of the tree.</summary>
    public string Fingerprint()
    {
        var text = new StringBuilder();
        foreach (var (path, node) in _nodes)
        {
            var content = node.SourceFile is { } file ? _hashes[file] = ResolvedFile.Hash(file)
                : node.Bytes is { } bytes ? Convert.ToHexStringLower(SHA256.HashData(bytes))
                : string.Empty;
            text.Append(path).Append('\0').Append(node.Mode).Append('\0').Append(content).Append('\0').Append(node.Major).Append(':').Append(node.Minor).Append('\n');
        }

        return ImageCache.HashText(text.ToString());
    }

    /// <summary>Writes what <see cref="Fingerprint"/> told of.</summary>
    public void Write(Stream output)
    {
        var writer = new CpioWriter(output);
        foreach (var (path, node) in _nodes)
        {
            if (node.SourceFile is { } file)
            {
                using var data = File.OpenRead(file);
                using var sha = SHA256.Create();
                using var hashed = new CryptoStream(data, sha, CryptoStreamMode.Read);
                writer.Write(path, node.Mode, hashed, data.Length);

                // The archive is kept by what the files were; one that changed since must not be kept under that name.
                if (_hashes.TryGetValue(file, out var expected) && (sha.Hash is not { } actual || Convert.ToHexStringLower(actual) != expected))
                {
                    throw new ImageException($"{file} changed while it was read. Try again.");
                }
            }
            else if (node.Bytes is { } bytes)
            {
                using var data = new MemoryStream(bytes, writable: false);
                writer.Write(path, node.Mode, data, bytes.Length);
            }
            else
            {
                writer.Write(path, node.Mode, null, 0, node.Major, node.Minor);
            }
        }

        writer.Finish();
    }

    /// <summary>The path with every link among its folders followed, as the guest will see it.</summary>
    private string Place(string path)
    {
        var place = ConfinedPath.Normalize(path)
            ?? throw new ImageException($"'{path}' is not a path in an initramfs: it must name something below / without '..'.");
        for (var hops = 0; hops < MaximumLinks; hops++)
        {
            if (LinkAmongFolders(place) is not { } folder)
            {
                return place;
            }

            var target = ConfinedPath.FollowLink(folder, Encoding.UTF8.GetString(_nodes[folder].Bytes!))
                ?? throw new ImageException($"/{path}: the link /{folder} leads out of the initramfs.");
            place = target + place[folder.Length..];
        }

        throw new ImageException($"/{path}: too many links in a row.");
    }

    private string? LinkAmongFolders(string path)
    {
        for (var slash = path.IndexOf('/', StringComparison.Ordinal); slash >= 0; slash = path.IndexOf('/', slash + 1))
        {
            if (_nodes.TryGetValue(path[..slash], out var node) && node.IsLink)
            {
                return path[..slash];
            }
        }

        return null;
    }

    private void Put(string path, TreeNode node)
    {
        for (var slash = path.IndexOf('/', StringComparison.Ordinal); slash >= 0; slash = path.IndexOf('/', slash + 1))
        {
            var folder = path[..slash];
            if (!_nodes.TryGetValue(folder, out var parent))
            {
                _nodes.Add(folder, new TreeNode(FileMode.Folder | FileMode.Executable));
            }
            else if (!parent.IsFolder)
            {
                throw new ImageException($"/{path} cannot be put into the initramfs: /{folder} is not a folder.");
            }
        }

        if (_nodes.TryGetValue(path, out var old) && old.IsFolder && !node.IsFolder && HasChildren(path))
        {
            throw new ImageException($"/{path} cannot be put into the initramfs: a folder of that name holds other things.");
        }

        _nodes[path] = node;
    }

    private bool HasChildren(string folder)
    {
        var start = folder + '/';
        foreach (var path in _nodes.Keys)
        {
            if (path.StartsWith(start, StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }

    private static uint Mode(bool isExecutable) => FileMode.File | (isExecutable ? FileMode.Executable : FileMode.Plain);

    private static bool LooksExecutable(string path, ReadOnlySpan<byte> content)
    {
        if (path == "init" || content.StartsWith("#!"u8))
        {
            return true;
        }

        ReadOnlySpan<string> folders = ["bin/", "sbin/", "usr/bin/", "usr/sbin/"];
        foreach (var folder in folders)
        {
            if (path.StartsWith(folder, StringComparison.Ordinal))
            {
                return true;
            }
        }

        return false;
    }
}
