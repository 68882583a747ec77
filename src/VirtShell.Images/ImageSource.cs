using System;
using System.IO;
using System.Text.RegularExpressions;

namespace VirtShell.Images;

/// <summary>What people write for a file, taken apart.</summary>
internal abstract partial record ImageSource
{
    /// <summary>The architecture of packages where the source names none: our guests', whatever the host is.</summary>
    public const string DefaultArchitecture = "amd64";

    /// <exception cref="ImageException">Not a source.</exception>
    public static ImageSource Parse(string source, string baseFolder)
    {
        if (string.IsNullOrWhiteSpace(source))
        {
            throw new ImageException("A source is empty: give a path, apt:PACKAGE#GLOB or an https: URL.");
        }

        if (source.StartsWith("apt:", StringComparison.OrdinalIgnoreCase))
        {
            var match = AptForm().Match(source);
            if (!match.Success)
            {
                throw new ImageException($"'{source}' is not an apt source: the form is apt:PACKAGE#GLOB, with an optional :ARCHITECTURE and =VERSION behind the package (apt:linux-image-cloud-amd64#boot/vmlinuz-*).");
            }

            var glob = match.Groups["glob"];
            return new AptFile(
                match.Groups["package"].Value,
                match.Groups["version"] is { Success: true } version ? version.Value : null,
                match.Groups["arch"] is { Success: true } arch ? arch.Value : DefaultArchitecture,
                glob.Success && glob.Length > 0 ? glob.Value.TrimStart('/') : null);
        }

        if (source.StartsWith("https:", StringComparison.OrdinalIgnoreCase))
        {
            const string fragment = "#sha256=";
            var at = source.LastIndexOf(fragment, StringComparison.OrdinalIgnoreCase);
            var (address, sha256) = at < 0 ? (source, null) : (source[..at], source[(at + fragment.Length)..]);
            return Uri.TryCreate(address, UriKind.Absolute, out var uri)
                ? new HttpsFile(uri, sha256)
                : throw new ImageException($"'{source}' is not a URL.");
        }

        if (source.StartsWith("http:", StringComparison.OrdinalIgnoreCase))
        {
            throw new ImageException($"'{source}': plain http is not fetched; use https with a sha256.");
        }

        if (source.StartsWith("~/", StringComparison.Ordinal))
        {
            source = Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), source[2..]);
        }

        return new LocalFile(Path.GetFullPath(source, Path.GetFullPath(baseFolder)));
    }

    [GeneratedRegex(@"^apt:(?<package>[a-z0-9][a-z0-9.+-]+)(:(?<arch>[a-z0-9-]+))?(=(?<version>[A-Za-z0-9.+:~-]+))?(#(?<glob>.*))?$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex AptForm();
}

/// <param name="Path">Absolute.</param>
internal sealed record LocalFile(string Path) : ImageSource;

internal sealed record HttpsFile(Uri Address, string? Sha256) : ImageSource;

/// <param name="Package">The package's name.</param>
/// <param name="Version">An exact version; null for apt's candidate.</param>
/// <param name="Architecture">Debian's name for it.</param>
/// <param name="Glob">Which file of the package; null where only the package is meant.</param>
internal sealed record AptFile(string Package, string? Version, string Architecture, string? Glob) : ImageSource
{
    public string PackageText => $"apt:{Package}{(Architecture == DefaultArchitecture ? string.Empty : ":" + Architecture)}{(Version is null ? string.Empty : "=" + Version)}";
}
