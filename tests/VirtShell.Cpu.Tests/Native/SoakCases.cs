using System;
using System.Globalization;
using System.IO;
using System.Threading;

namespace VirtShell.Cpu.Tests.Native;

/// <summary>How many random cases a comparison with the host runs: a sample, the long run's number (VIRTSHELL_SOAK=cpu, which <c>./test --soak cpu</c> sets), or what VIRTSHELL_SOAK_CASES says.</summary>
internal static class SoakCases
{
    /// <summary>Cases a row in the long run: over ten million for all of them.</summary>
    private const int LongRun = 6000;

    private static long s_compared;

    static SoakCases()
    {
        if (Environment.GetEnvironmentVariable("VIRTSHELL_SOAK_REPORT") is { Length: > 0 } path)
        {
            AppDomain.CurrentDomain.ProcessExit += (_, _) => File.WriteAllText(path, string.Create(CultureInfo.InvariantCulture, $"seed {Seed}: {s_compared:N0} cases compared with the host's processor{Environment.NewLine}"));
        }
    }

    /// <summary>The seed of every comparison, unless VIRTSHELL_SOAK_SEED gives another.</summary>
    public static int Seed { get; } = Read("VIRTSHELL_SOAK_SEED", 20_260_101);

    /// <summary>Counts one comparison, for the report that VIRTSHELL_SOAK_REPORT asks for.</summary>
    public static void NoteCompared() => Interlocked.Increment(ref s_compared);

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

    /// <summary>The cases for one row: <paramref name="sample"/>, or more in a long run.</summary>
    public static int Count(int sample) => Read("VIRTSHELL_SOAK_CASES", Environment.GetEnvironmentVariable("VIRTSHELL_SOAK") == "cpu" ? LongRun : sample);

    private static int Read(string variable, int fallback) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.Integer, CultureInfo.InvariantCulture, out int value)
            ? value
            : fallback;
}
