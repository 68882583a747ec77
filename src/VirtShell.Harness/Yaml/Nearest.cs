using System;
using System.Collections.Generic;
using System.Linq;

namespace VirtShell.Harness.Yaml;

/// <summary>Finds the word that someone probably meant.</summary>
internal static class Nearest
{
    /// <summary>The candidate nearest to <paramref name="word"/>, or null where none is near.</summary>
    public static string? Find(string word, IEnumerable<string> candidates)
    {
        string? best = null;
        int bestDistance = int.MaxValue;
        string normal = Normalise(word);
        foreach (string candidate in candidates)
        {
            string other = Normalise(candidate);
            int distance = Distance(normal, other);
            // A shared beginning is a strong hint: "mem" for "memory".
            if (normal.Length >= 3 && other.StartsWith(normal, StringComparison.Ordinal))
            {
                distance = Math.Min(distance, 1);
            }

            if (distance < bestDistance)
            {
                (best, bestDistance) = (candidate, distance);
            }
        }

        return bestDistance <= Math.Max(1, normal.Length / 3) ? best : null;
    }

    /// <summary>"; did you mean "x"?" or nothing, then what is allowed.</summary>
    public static string Hint(string word, IReadOnlyCollection<string> candidates)
    {
        string? near = Find(word, candidates);
        string allowed = candidates.Count == 0 ? string.Empty : $" Allowed: {string.Join(", ", candidates.Order(StringComparer.Ordinal))}.";
        return near is null ? $".{allowed}" : $"; did you mean \"{near}\"?{allowed}";
    }

    private static string Normalise(string word) => word.Replace('_', '-').Replace("-", string.Empty, StringComparison.Ordinal).ToUpperInvariant();

    /// <summary>Optimal string alignment distance: insert, delete, replace, swap neighbours.</summary>
    private static int Distance(string a, string b)
    {
        if (a.Length > 64 || b.Length > 64)
        {
            return int.MaxValue;
        }

        int[,] cost = new int[a.Length + 1, b.Length + 1];
        for (int i = 0; i <= a.Length; i++)
        {
            cost[i, 0] = i;
        }

        for (int j = 0; j <= b.Length; j++)
        {
            cost[0, j] = j;
        }

        for (int i = 1; i <= a.Length; i++)
        {
            for (int j = 1; j <= b.Length; j++)
            {
                int replace = a[i - 1] == b[j - 1] ? 0 : 1;
                int least = Math.Min(Math.Min(cost[i - 1, j] + 1, cost[i, j - 1] + 1), cost[i - 1, j - 1] + replace);
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    least = Math.Min(least, cost[i - 2, j - 2] + 1);
                }

                cost[i, j] = least;
            }
        }

        return cost[a.Length, b.Length];
    }
}
