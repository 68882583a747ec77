using System;
using System.Collections.Generic;
using System.Formats.Tar;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using System.Threading;

namespace VirtShell.Images.Packages;

internal enum PackageEntryKind
{
    File,
    Folder,
    SymbolicLink,
    HardLink,
}

/// <param name="Path">Below the package's root, without leading slash.</param>
/// <param name="Kind">What it is.</param>
/// <param name="Size">In bytes.</param>
/// <param name="Target">Where a link leads.</param>
internal sealed record PackageEntry(string Path, PackageEntryKind Kind, long Size, string Target);

/// <summary>
/// A package's list of files, kept in the cache, and those of its files that anybody asked for, unpacked. Large kernel
/// packages hold hundreds of MiB of modules of which a guest needs a few.
/// </summary>
internal sealed class PackageContents
{
    private const string IndexName = "index.tsv";
    private const int MaximumLinks = 8;
    private const string KernelStart = "boot/vmlinuz-";

    /// <summary>Shorter beginnings of names are like too many.</summary>
    private const int ShortestHint = 3;

    /// <summary>Packages below this many bytes are unpacked whole.</summary>
    private const int SmallPackage = 4 << 20;

    private readonly ImageCache _cache;
    private readonly string _deb;
    private readonly string _hash;
    private readonly string _title;
    private readonly Dictionary<string, PackageEntry> _byPath;

    private PackageContents(ImageCache cache, string deb, string hash, string title, List<PackageEntry> entries)
    {
        _cache = cache;
        _deb = deb;
        _hash = hash;
        _title = title;
        Entries = entries;
        _byPath = new Dictionary<string, PackageEntry>(entries.Count, StringComparer.Ordinal);
        foreach (var entry in entries)
        {
            _byPath[entry.Path] = entry;
        }
    }

    public IReadOnlyList<PackageEntry> Entries { get; }

    private string Folder => _cache.Sub("packages", _hash);

    public static PackageContents Open(ImageCache cache, string deb, string hash, string title, IProgress<string>? progress, CancellationToken cancellation)
    {
        using (cache.Lock(hash, progress, cancellation))
        {
            var index = Path.Combine(cache.Sub("packages", hash), IndexName);
            if (!File.Exists(index))
            {
                progress?.Report($"Unpacking {title}");
                var contents = new PackageContents(cache, deb, hash, title, []);
                List<PackageEntry> entries = [];
                var isSmall = new FileInfo(deb).Length < SmallPackage;
                DebArchive.ReadFiles(
                    deb,
                    entry =>
                    {
                        if (ToEntry(entry) is { } known)
                        {
                            entries.Add(known);

                            if (known.Kind == PackageEntryKind.File && (isSmall || IsLikelyWanted(known.Path)))
                            {
                                contents.Store(known, entry);
                            }
                        }
                    },
                    cancellation);
                cache.WriteWhole(index, stream => WriteIndex(stream, entries));
            }

            return new PackageContents(cache, deb, hash, title, ReadIndex(index));
        }
    }

    /// <summary>
    /// Files (and links to files) that match. A glob without usr/ also finds what has moved there since, and a kernel's
    /// boot/vmlinuz-VERSION is found as usr/lib/modules/VERSION/vmlinuz, where later packages keep it.
    /// </summary>
    public List<PackageEntry> Match(string glob)
    {
        var matches = MatchExactly(glob);
        if (matches.Count == 0 && !glob.StartsWith("usr/", StringComparison.Ordinal))
        {
            matches = MatchExactly("usr/" + glob);
        }

        if (matches.Count == 0 && glob.StartsWith(KernelStart, StringComparison.Ordinal))
        {
            var version = glob[KernelStart.Length..];
            matches = [.. MatchExactly($"usr/lib/modules/{version}/vmlinuz"), .. MatchExactly($"lib/modules/{version}/vmlinuz")];
        }

        return matches;
    }

    /// <summary>Files whose names or folders are like those of the glob, for messages.</summary>
    public IEnumerable<string> Near(string glob)
    {
        var name = glob[(glob.LastIndexOf('/') + 1)..];
        var start = name[..(name.IndexOfAny(['*', '?', '[', '-', '.']) is >= 0 and var end ? end : name.Length)];
        var files = Entries.Where(entry => entry.Kind != PackageEntryKind.Folder).Select(entry => entry.Path);
        var folder = glob.LastIndexOf('/') is >= 0 and var slash ? glob[..(slash + 1)] : string.Empty;
        return files.Where(path =>
            (start.Length >= ShortestHint && path[(path.LastIndexOf('/') + 1)..].Contains(start, StringComparison.OrdinalIgnoreCase))
            || (folder.Length > 0 && (path.StartsWith(folder, StringComparison.Ordinal) || path.StartsWith("usr/" + folder, StringComparison.Ordinal))));
    }

    public PackageEntry? Find(string path) => _byPath.GetValueOrDefault(path);

    /// <summary>Whether all of these are unpacked already.</summary>
    public bool HasAll(IEnumerable<PackageEntry> entries) => entries.All(entry => File.Exists(LocalPath(FollowLinks(entry))));

    /// <summary>Unpacks what is not yet there; the local paths, in the same order.</summary>
    public List<string> Extract(IReadOnlyList<PackageEntry> entries, IProgress<string>? progress, CancellationToken cancellation)
    {
        List<PackageEntry> files = [.. entries.Select(FollowLinks)];
        using (_cache.Lock(_hash, progress, cancellation))
        {
            var missing = files.Where(entry => !File.Exists(LocalPath(entry))).ToDictionary(entry => entry.Path, StringComparer.Ordinal);
            if (missing.Count > 0)
            {
                progress?.Report($"Unpacking {_title}");
                DebArchive.ReadFiles(
                    _deb,
                    entry =>
                    {
                        if (ConfinedPath.Normalize(entry.Name) is { } path && missing.Remove(path, out var wanted))
                        {
                            Store(wanted, entry);
                        }
                    },
                    cancellation);
            }

            if (missing.Count > 0)
            {
                throw new ImageException($"{_title} does not hold {missing.Keys.First()} as its file list says: delete {Folder} to have it read again.");
            }
        }

        return [.. files.Select(LocalPath)];
    }

    private List<PackageEntry> MatchExactly(string glob)
    {
        var pattern = new PathGlob(glob);
        return [.. Entries.Where(entry => entry.Kind != PackageEntryKind.Folder && pattern.IsMatch(entry.Path))];
    }

    private PackageEntry FollowLinks(PackageEntry entry)
    {
        var at = entry;
        for (var i = 0; i < MaximumLinks; i++)
        {
            if (at.Kind == PackageEntryKind.File)
            {
                return at;
            }

            var path = at.Kind == PackageEntryKind.HardLink ? ConfinedPath.Normalize(at.Target) : ConfinedPath.FollowLink(at.Path, at.Target);
            if (path is null || !_byPath.TryGetValue(path, out var next))
            {
                throw new ImageException($"{entry.Path} in {_title} links to {at.Target}, which the package does not hold.");
            }

            at = next;
        }

        throw new ImageException($"{entry.Path} in {_title} is not a file.");
    }

    private string LocalPath(PackageEntry entry) => Path.Combine(Folder, "files", entry.Path);

    private void Store(PackageEntry known, TarEntry entry) => _cache.WriteWhole(LocalPath(known), stream => entry.DataStream?.CopyTo(stream));

    /// <summary>What nearly everybody who opens a kernel package asks for next; every pass over one costs seconds.</summary>
    private static bool IsLikelyWanted(string path) =>
        path.StartsWith("boot/vmlinuz", StringComparison.Ordinal)
        || (path.EndsWith("/vmlinuz", StringComparison.Ordinal) && path.Contains("lib/modules/", StringComparison.Ordinal))
        || (path.Contains("lib/modules/", StringComparison.Ordinal)
            && (path.Contains("/modules.", StringComparison.Ordinal) || path.Contains("/kernel/drivers/virtio/", StringComparison.Ordinal) || path.Contains("/virtio_blk.ko", StringComparison.Ordinal)));

    private static PackageEntry? ToEntry(TarEntry entry)
    {
        // A tab or line feed in a name would break the index; no package has one.
        if (ConfinedPath.Normalize(entry.Name) is not { } path || path.AsSpan().IndexOfAny('\t', '\n') >= 0 || entry.LinkName.AsSpan().IndexOfAny('\t', '\n') >= 0)
        {
            return null;
        }

        return entry.EntryType switch
        {
            TarEntryType.RegularFile or TarEntryType.V7RegularFile or TarEntryType.ContiguousFile => new PackageEntry(path, PackageEntryKind.File, entry.Length, string.Empty),
            TarEntryType.Directory => new PackageEntry(path, PackageEntryKind.Folder, 0, string.Empty),
            TarEntryType.SymbolicLink => new PackageEntry(path, PackageEntryKind.SymbolicLink, 0, entry.LinkName),
            TarEntryType.HardLink => new PackageEntry(path, PackageEntryKind.HardLink, 0, entry.LinkName),
            _ => null,
        };
    }

    private static void WriteIndex(Stream stream, List<PackageEntry> entries)
    {
        using var writer = new StreamWriter(stream, new UTF8Encoding(false), leaveOpen: true) { NewLine = "\n" };
        foreach (var entry in entries)
        {
            writer.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{entry.Kind}\t{entry.Size}\t{entry.Path}\t{entry.Target}"));
        }
    }

    private static List<PackageEntry> ReadIndex(string index)
    {
        List<PackageEntry> entries = [];
        foreach (var line in File.ReadLines(index))
        {
            var fields = line.Split('\t');
            if (fields.Length == 4 && Enum.TryParse<PackageEntryKind>(fields[0], out var kind) && long.TryParse(fields[1], CultureInfo.InvariantCulture, out var size))
            {
                entries.Add(new PackageEntry(fields[2], kind, size, fields[3]));
            }
        }

        return entries;
    }
}
