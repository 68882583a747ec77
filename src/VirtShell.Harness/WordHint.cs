using System.Collections.Generic;

namespace VirtShell.Harness;

/// <summary>The word that someone probably meant, for messages.</summary>
public static class WordHint
{
    /// <summary>The candidate nearest to <paramref name="word"/>; null where none is near.</summary>
    public static string? Nearest(string word, IEnumerable<string> candidates) => Yaml.Nearest.Find(word, candidates);
}
