using System;
using System.Collections.Generic;
using System.Linq;

namespace VirtShell.Bench;

/// <summary>Where a program runs.</summary>
public enum Contestant
{
    /// <summary>On the host itself.</summary>
    Native,

    /// <summary>In a guest of this process.</summary>
    VirtShell,

    /// <summary>In QEMU's translator.</summary>
    Qemu,

    /// <summary>In QEMU's translator with a virtual clock that follows the instructions, as ours does.</summary>
    QemuIcount,
}

/// <summary>The words for contestants, on the command line and in results.</summary>
public static class Contestants
{
    private static readonly (Contestant Contestant, string Word)[] s_words =
    [
        (Contestant.Native, "native"),
        (Contestant.VirtShell, "virtshell"),
        (Contestant.Qemu, "qemu"),
        (Contestant.QemuIcount, "icount"),
    ];

    public static string Word(this Contestant contestant) => s_words.First(w => w.Contestant == contestant).Word;

    /// <summary>The contestants that the words name, in their own order; all where there are none. A word may hold several, with commas.</summary>
    /// <exception cref="BenchException">A word names none.</exception>
    public static IReadOnlyList<Contestant> Parse(IEnumerable<string> words)
    {
        string[] asked = [.. words.SelectMany(w => w.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))];
        foreach (string word in asked)
        {
            if (!s_words.Any(w => string.Equals(w.Word, word, StringComparison.OrdinalIgnoreCase)))
            {
                throw new BenchException($"there is no contestant \"{word}\". There are: {string.Join(", ", s_words.Select(w => w.Word))}.");
            }
        }

        return [.. s_words.Where(w => asked.Length == 0 || asked.Contains(w.Word, StringComparer.OrdinalIgnoreCase)).Select(w => w.Contestant)];
    }
}
