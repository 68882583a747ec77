using System;

namespace VirtShell.Images.Packages;

/// <summary>Paths from archives and definitions, which must stay below where they are put.</summary>
internal static class ConfinedPath
{
    private const int MaximumLength = 4000;

    /// <summary>The path with plain separators, without leading slash or dot; null for what leads outside or names nothing.</summary>
    public static string? Normalize(string path)
    {
        if (path.Length > MaximumLength || path.Contains('\0', StringComparison.Ordinal))
        {
            return null;
        }

        var parts = path.Split('/', StringSplitOptions.RemoveEmptyEntries);
        var kept = 0;
        foreach (var part in parts)
        {
            switch (part)
            {
                case ".":
                    break;
                case "..":
                    return null;
                default:
                    parts[kept++] = part;
                    break;
            }
        }

        return kept == 0 ? null : string.Join('/', parts, 0, kept);
    }

    /// <summary>Where a link at <paramref name="from"/> leads within the same tree; null for outside.</summary>
    public static string? FollowLink(string from, string target)
    {
        if (target.StartsWith('/'))
        {
            return Normalize(target);
        }

        var folder = from.LastIndexOf('/') is >= 0 and var slash ? from[..slash] : string.Empty;
        var parts = new System.Collections.Generic.List<string>(folder.Split('/', StringSplitOptions.RemoveEmptyEntries));
        foreach (var part in target.Split('/', StringSplitOptions.RemoveEmptyEntries))
        {
            if (part == "..")
            {
                if (parts.Count == 0)
                {
                    return null;
                }

                parts.RemoveAt(parts.Count - 1);
            }
            else if (part != ".")
            {
                parts.Add(part);
            }
        }

        return Normalize(string.Join('/', parts));
    }
}
