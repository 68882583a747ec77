using System;
using System.Globalization;

namespace VirtShell.Cpu.Tests.Native;

/// <summary>How many random cases a comparison with the host runs: a sample, or what VIRTSHELL_SOAK_CASES says.</summary>
internal static class SoakCases
{
    /// <summary>The seed of every comparison, unless VIRTSHELL_SOAK_SEED gives another.</summary>
    public static int Seed { get; } = Read("VIRTSHELL_SOAK_SEED", 20_260_101);

    /// <summary>A seed of its own for each row of a comparison, the same in every run.</summary>
    public static int SeedFor(string row)
    {
        int seed = Seed;
        foreach (char c in row)
        {
            seed = unchecked((seed * 31) + c);
        }

        return seed;
    }

    /// <summary>The cases for one row: <paramref name="sample"/>, or the environment's count where that is set.</summary>
    public static int Count(int sample) => Read("VIRTSHELL_SOAK_CASES", sample);

    private static int Read(string variable, int fallback) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.Integer, CultureInfo.InvariantCulture, out int value)
            ? value
            : fallback;
}
