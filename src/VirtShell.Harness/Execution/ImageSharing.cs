using System;
using System.Collections.Generic;
using System.Linq;

namespace VirtShell.Harness.Execution;

/// <summary>
/// Puts items in rows that can run beside each other. Items that use an image which one of them writes stand in one row, in the
/// suite's order: each finds the image as the one before it left it, as on a machine that is booted again and again.
/// </summary>
internal static class ImageSharing
{
    /// <param name="images">For each item the images that it uses, and whether it writes them.</param>
    /// <returns>Rows of item numbers; every item is in one of them.</returns>
    public static IReadOnlyList<IReadOnlyList<int>> Rows(IReadOnlyList<IReadOnlyList<(string Path, bool Writes)>> images)
    {
        HashSet<string> written = [.. images.SelectMany(i => i).Where(i => i.Writes).Select(i => i.Path)];
        int[] row = [.. Enumerable.Range(0, images.Count)];
        var firstUser = new Dictionary<string, int>(StringComparer.Ordinal);
        for (int item = 0; item < images.Count; item++)
        {
            foreach ((string path, bool _) in images[item])
            {
                if (written.Contains(path) && !firstUser.TryAdd(path, item))
                {
                    row[Root(row, item)] = Root(row, firstUser[path]);
                }
            }
        }

        return [.. Enumerable.Range(0, images.Count).GroupBy(i => Root(row, i)).Select(g => (IReadOnlyList<int>)[.. g.Order()])];
    }

    private static int Root(int[] row, int item)
    {
        while (row[item] != item)
        {
            item = row[item];
        }

        return item;
    }
}
