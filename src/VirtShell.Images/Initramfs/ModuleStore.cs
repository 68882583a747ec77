using System;
using System.Collections.Generic;
using System.IO;
using System.IO.Enumeration;
using System.Linq;
using System.Text;
using System.Threading;
using VirtShell.Images.Packages;
using VirtShell.Storage;

namespace VirtShell.Images.Initramfs;

/// <summary>Where kernel modules come from: a kernel package, or a folder on the host.</summary>
internal abstract class ModuleStore
{
    /// <summary>Paths of every file below lib/modules/VERSION, relative to the folder that holds lib.</summary>
    public abstract IReadOnlyList<string> Paths { get; }

    /// <summary>For messages.</summary>
    public abstract string Title { get; }

    /// <summary>Local paths of the files, in the same order.</summary>
    public abstract IReadOnlyList<string> Fetch(IReadOnlyList<string> paths);

    /// <summary>The file's content, decompressed where its name says that it is compressed.</summary>
    public byte[] Read(string path)
    {
        var local = Fetch([path])[0];
        if (FileContent.KindOf(local) is not FileKind.Regular)
        {
            throw new ImageException($"{path} in {Title} is not a file, or has gone.");
        }

        try
        {
            using var file = File.OpenRead(local);
            using var data = new UnpackingStream(Decompressor.Open(file, Path.GetExtension(path)), UnpackingStream.LargestFile);
            return FileContent.ReadToEnd(data, path, UnpackingStream.LargestFile, CancellationToken.None);
        }
        catch (Exception e) when (e is InvalidDataException or EndOfStreamException or SharpCompress.Common.SharpCompressException or ZstdSharp.ZstdException)
        {
            throw new ImageException($"{path} in {Title} is damaged: {e.Message}", e);
        }
    }

    public string? ReadText(string name) =>
        Paths.FirstOrDefault(path => path.EndsWith('/' + name, StringComparison.Ordinal)) is { } path ? Encoding.UTF8.GetString(Read(path)) : null;
}

internal sealed class PackageModuleStore : ModuleStore
{
    private readonly PackageContents _contents;
    private readonly IProgress<string>? _progress;
    private readonly CancellationToken _cancellation;
    private readonly string _prefix;

    public PackageModuleStore(PackageContents contents, string title, IProgress<string>? progress, CancellationToken cancellation)
    {
        _contents = contents;
        _progress = progress;
        _cancellation = cancellation;
        Title = title;

        // Where the modules are: a package may keep other files in the other folder.
        _prefix = contents.Entries.Any(entry => entry.Path.StartsWith("usr/lib/modules/", StringComparison.Ordinal) && entry.Path.Contains(".ko", StringComparison.Ordinal)) ? "usr/" : string.Empty;
        Paths = [.. contents.Entries
            .Where(entry => entry.Kind == PackageEntryKind.File && entry.Path.StartsWith(_prefix + "lib/modules/", StringComparison.Ordinal))
            .Select(entry => entry.Path[_prefix.Length..])];
    }

    public override IReadOnlyList<string> Paths { get; }

    public override string Title { get; }

    public override IReadOnlyList<string> Fetch(IReadOnlyList<string> paths)
    {
        var wanted = paths.Select(Entry).ToList();
        if (_contents.HasAll(wanted))
        {
            return _contents.Extract(wanted, _progress, _cancellation);
        }

        // A pass over the package costs far more than a few small files, and modules depend on their neighbours first.
        var folders = paths.Select(Folder).ToHashSet(StringComparer.Ordinal);
        var neighbours = Paths.Where(path => folders.Contains(Folder(path))).Except(paths);
        return _contents.Extract([.. wanted, .. neighbours.Select(Entry)], _progress, _cancellation)[..paths.Count];
    }

    private PackageEntry Entry(string path) => _contents.Find(_prefix + path)!;

    private static string Folder(string path) => path[..path.LastIndexOf('/')];
}

internal sealed class FolderModuleStore : ModuleStore
{
    private readonly string _root;

    /// <param name="folder">A root (that holds lib/modules), a lib/modules folder, or one version's folder.</param>
    public FolderModuleStore(string folder)
    {
        Title = folder;
        var full = Path.GetFullPath(folder);
        foreach (var inner in (ReadOnlySpan<string>)["lib/modules", "usr/lib/modules"])
        {
            // Either may be there and empty, where a distribution has moved the other way.
            var candidate = Path.Combine(full, inner);
            if (Directory.Exists(candidate) && Directory.EnumerateFiles(candidate, "*.ko*", SearchOption.AllDirectories).Any())
            {
                full = candidate;
                break;
            }
        }

        // Make every path begin with lib/modules/VERSION, wherever that folder lies on the host.
        var isVersion = Directory.Exists(Path.Combine(full, "kernel"));
        _root = full;
        var start = isVersion ? "lib/modules/" + Path.GetFileName(full) + "/" : "lib/modules/";
        Start = start;

        // Links to folders are not followed: "build" and "source" lead to the kernel's sources, others may lead in a circle.
        Paths = [.. new FileSystemEnumerable<string>(
                full,
                static (ref FileSystemEntry entry) => entry.ToFullPath(),
                new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = 0, IgnoreInaccessible = false })
            {
                ShouldIncludePredicate = static (ref FileSystemEntry entry) => !entry.IsDirectory,
                ShouldRecursePredicate = static (ref FileSystemEntry entry) => (entry.Attributes & FileAttributes.ReparsePoint) == 0,
            }
            .Select(path => start + Path.GetRelativePath(full, path).Replace('\\', '/'))
            .Order(StringComparer.Ordinal)];
    }

    public override IReadOnlyList<string> Paths { get; }

    public override string Title { get; }

    private string Start { get; }

    public override IReadOnlyList<string> Fetch(IReadOnlyList<string> paths) => [.. paths.Select(path => Path.Combine(_root, path[Start.Length..]))];
}
