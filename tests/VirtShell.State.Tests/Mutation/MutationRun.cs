using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;

namespace VirtShell.State.Tests.Mutation;

/// <summary>
/// Gives a loader damaged copies of good files. Each either loads or is refused with the exceptions that the loader
/// documents, and costs a bounded amount of memory. <c>./test --soak mutation</c> gives 100,000 to each loader;
/// VIRTSHELL_SOAK_CASES and VIRTSHELL_SOAK_SEED say how many and which, VIRTSHELL_SOAK_REPORT names a file for the figures.
/// </summary>
internal static class MutationRun
{
    /// <summary>Copies for a loader that takes long for one.</summary>
    public const int SmallSample = 200;

    private const int Sample = 2000;
    private const int LongRun = 100_000;

    private static readonly object s_gate = new();

    /// <param name="name">Of the loader, in messages.</param>
    /// <param name="goods">Files that load.</param>
    /// <param name="words">Of the format, put where they do not belong.</param>
    /// <param name="load">Loads one copy.</param>
    /// <param name="mostBytes">What a copy may allocate.</param>
    /// <param name="documented">What the loader may throw.</param>
    public static void Check(string name, IReadOnlyList<byte[]> goods, IReadOnlyList<string> words, Action<byte[]> load, long mostBytes, params Type[] documented) =>
        Check(name, goods, words, load, mostBytes, Sample, documented);

    /// <param name="sample">How many copies where nothing else is asked for.</param>
    public static void Check(string name, IReadOnlyList<byte[]> goods, IReadOnlyList<string> words, Action<byte[]> load, long mostBytes, int sample, params Type[] documented)
    {
        foreach (byte[] good in goods)
        {
            load(good);
        }

        int seed = Read("VIRTSHELL_SOAK_SEED", 20_260_101);
        int cases = Read("VIRTSHELL_SOAK_CASES", Environment.GetEnvironmentVariable("VIRTSHELL_SOAK") == "mutation" ? LongRun : sample);
        Mutator mutator = new(seed, goods, words);
        int loaded = 0;
        long most = 0;
        for (int i = 0; i < cases; i++)
        {
            byte[] copy = mutator.Next();
            long before = GC.GetAllocatedBytesForCurrentThread();
            try
            {
                load(copy);
                loaded++;
            }
            catch (Exception e) when (documented.Any(type => type.IsInstanceOfType(e)))
            {
                // What is documented is what is wanted.
            }
            catch (Exception e)
            {
                throw new InvalidOperationException($"{name}: copy {i} of seed {seed} ({copy.Length} bytes) was answered with {e.GetType()}: {e.Message} It is kept as {Keep(name, copy)}.", e);
            }

            long cost = GC.GetAllocatedBytesForCurrentThread() - before;
            most = Math.Max(most, cost);
            if (cost > mostBytes)
            {
                throw new InvalidOperationException($"{name}: copy {i} of seed {seed} ({copy.Length} bytes) allocated {cost:N0} bytes; {mostBytes:N0} are the most. It is kept as {Keep(name, copy)}.");
            }
        }

        Report(string.Create(CultureInfo.InvariantCulture, $"{name}: seed {seed}, {cases:N0} copies, {loaded:N0} loaded, {cases - loaded:N0} refused, at most {most:N0} bytes each"));
    }

    private static int Read(string variable, int fallback) =>
        int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.Integer, CultureInfo.InvariantCulture, out int value) ? value : fallback;

    private static string Keep(string name, byte[] copy)
    {
        string path = Path.Combine(Path.GetTempPath(), $"virtshell-mutant-{name.Replace(' ', '-')}-{Guid.NewGuid():N}");
        File.WriteAllBytes(path, copy);
        return path;
    }

    private static void Report(string line)
    {
        if (Environment.GetEnvironmentVariable("VIRTSHELL_SOAK_REPORT") is { Length: > 0 } path)
        {
            lock (s_gate)
            {
                File.AppendAllText(path, line + Environment.NewLine);
            }
        }
    }
}
