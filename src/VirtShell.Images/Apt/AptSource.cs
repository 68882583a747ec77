using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;
using VirtShell.Images.Packages;

namespace VirtShell.Images.Apt;

/// <summary>Files out of packages: finds the package that holds them, behind metapackages if need be, and unpacks just them.</summary>
internal sealed class AptSource(ImageCache cache)
{
    /// <summary>How many metapackages may stand in a row.</summary>
    private const int MaximumDepth = 3;
    private const int MaximumNamed = 5;

    private readonly AptClient _client = new(cache);

    public ResolvedFile ResolveFile(AptFile source, IProgress<string>? progress, CancellationToken cancellation)
    {
        var found = FindPackage(source, source.Glob!, progress, cancellation);
        var matches = found.Contents.Match(source.Glob!);
        if (matches.Count > 1)
        {
            var some = string.Join(", ", matches.Take(MaximumNamed).Select(entry => entry.Path));
            throw new ImageException($"{source.PackageText}#{source.Glob} matches {matches.Count} files ({some}{(matches.Count > MaximumNamed ? ", …" : string.Empty)}): make the glob match one.");
        }

        var path = found.Contents.Extract(matches, progress, cancellation)[0];
        return new ResolvedFile(path, null, $"apt:{found.Package.Name} {found.Package.Version} {found.Package.Architecture} {matches[0].Path}");
    }

    /// <summary>The package, or the first behind it, with a file that matches.</summary>
    public (AptPackage Package, PackageContents Contents) FindPackage(AptFile source, string glob, IProgress<string>? progress, CancellationToken cancellation)
    {
        List<string> searched = [];
        List<string> near = [];
        var queue = new Queue<(string Name, string? Version, int Depth)>();
        queue.Enqueue((source.Package, source.Version, 0));
        while (queue.TryDequeue(out var next))
        {
            if (searched.Contains(next.Name))
            {
                continue;
            }

            searched.Add(next.Name);
            var (package, deb) = _client.Get(next.Name, next.Version, source.Architecture, progress, cancellation);
            var contents = PackageContents.Open(cache, deb, package.Sha256, $"{package.Name} {package.Version}", progress, cancellation);
            if (contents.Match(glob).Count > 0)
            {
                return (package, contents);
            }

            near.AddRange(contents.Near(glob).Take(MaximumNamed + 1 - Math.Min(near.Count, MaximumNamed)));

            if (next.Depth < MaximumDepth)
            {
                foreach (var dependency in package.LikelyContent())
                {
                    queue.Enqueue((dependency, null, next.Depth + 1));
                }
            }
        }

        throw new ImageException($"No file matches {glob} in {string.Join(", ", searched)} ({source.Architecture}). Paths in packages have no leading slash, and * stays within one folder (** does not).{Hint(near)}");
    }

    private static string Hint(List<string> near) =>
        near.Count == 0 ? string.Empty : $" Near it: {string.Join(", ", near.Take(MaximumNamed))}{(near.Count > MaximumNamed ? ", …" : string.Empty)}.";
}
