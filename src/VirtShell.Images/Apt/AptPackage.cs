using System;
using System.Collections.Generic;
using System.Linq;

namespace VirtShell.Images.Apt;

/// <summary>One package of one version, as apt's lists describe it (deb-control(5)).</summary>
internal sealed record AptPackage(string Name, string Version, string Architecture, string Sha256, long Size, IReadOnlyList<string> Depends)
{
    /// <summary>The first stanza of <c>apt-cache show</c>; null where there is none.</summary>
    public static AptPackage? Parse(string text)
    {
        Dictionary<string, string> fields = new(StringComparer.OrdinalIgnoreCase);
        var last = string.Empty;
        foreach (var line in text.Split('\n'))
        {
            if (line.Length == 0 && fields.Count > 0)
            {
                break;
            }

            if (line.StartsWith(' ') && last.Length > 0)
            {
                fields[last] += line;
            }
            else if (line.IndexOf(':', StringComparison.Ordinal) is > 0 and var colon)
            {
                last = line[..colon];
                fields[last] = line[(colon + 1)..].Trim();
            }
        }

        if (!fields.TryGetValue("Package", out var name) || !fields.TryGetValue("Version", out var version) || !fields.TryGetValue("SHA256", out var sha256))
        {
            return null;
        }

        _ = long.TryParse(fields.GetValueOrDefault("Size"), out var size);
        var depends = fields.GetValueOrDefault("Depends", string.Empty).Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return new AptPackage(name, version, fields.GetValueOrDefault("Architecture", string.Empty), sha256.ToLowerInvariant(), size, depends);
    }

    /// <summary>
    /// The dependencies that may hold what a metapackage stands for, likeliest first: those of exactly one version, those
    /// named alike in two parts (linux-image-…), and Ubuntu's linux-modules-…. Everything else (kmod, firmware) is left alone.
    /// </summary>
    public IEnumerable<string> LikelyContent()
    {
        var family = Family(Name);
        return Depends
            .Select(text => text.Split('|')[0].Trim())
            .Select(text => (Name: text.Split(' ', ':', '(')[0], Rank: Rank(text)))
            .Where(dependency => dependency.Rank >= 0 && dependency.Name != Name)
            .OrderBy(dependency => dependency.Rank)
            .Select(dependency => dependency.Name);

        int Rank(string text) =>
            text.Contains("(= ", StringComparison.Ordinal) ? 0
            : Family(text) == family ? 1
            : text.StartsWith("linux-modules-", StringComparison.Ordinal) ? 2
            : -1;
    }

    private static string Family(string name) => string.Join('-', name.Split(' ')[0].Split('-').Take(2));
}
