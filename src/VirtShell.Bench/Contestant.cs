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
    private static readonly (Contestant Contestant, string Word)[] Words =
    [
        (Contestant.Native, "native"),
        (Contestant.VirtShell, "virtshell"),
        (Contestant.Qemu, "qemu"),
        (Contestant.QemuIcount, "icount"),
    ];

    public static string Word(this Contestant contestant) => Words.First(w => w.Contestant == contestant).Word;

    /// <summary>The contestants that the words name, in their own order; all where there are none. A word may hold several, with commas.</summary>
    /// <exception cref="BenchException">A word names none.</exception>
    public static IReadOnlyList<Contestant> Parse(IEnumerable<string> words)
    {
        string[] asked = [.. words.SelectMany(w => w.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))];
        foreach (string word in asked)
        {
            if (!Words.Any(w => string.Equals(w.Word, word, StringComparison.OrdinalIgnoreCase)))
            {
                throw new BenchException($"there is no contestant \"{word}\". There are: {string.Join(", ", Words.Select(w => w.Word))}.");
            }
        }

        return [.. Words.Where(w => asked.Length == 0 || asked.Contains(w.Word, StringComparer.OrdinalIgnoreCase)).Select(w => w.Contestant)];
    }
}
