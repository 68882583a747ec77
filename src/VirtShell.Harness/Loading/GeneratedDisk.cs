using System;
using System.Buffers.Binary;
using System.Collections.Concurrent;
using System.IO;
using System.Security.Cryptography;

namespace VirtShell.Harness.Loading;

/// <summary>
/// Disks with pseudo-random content that is a function of size and seed alone, so that a suite can check what a guest
/// reads without shipping an image. The generator is SplitMix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom
/// Number Generators, 2014), little-endian words.
/// </summary>
internal static class GeneratedDisk
{
    private const ulong Increment = 0x9E3779B97F4A7C15;
    private const int ChunkBytes = 1 << 16;

    private static readonly ConcurrentDictionary<(long, ulong), string> s_known = new();

    public static string Sha256(long length, ulong seed) => s_known.GetOrAdd((length, seed), static key =>
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Produce(key.Item1, key.Item2, chunk => hash.AppendData(chunk));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    });

    public static void Write(string path, long length, ulong seed)
    {
        using FileStream file = File.Create(path);
        Produce(length, seed, chunk => file.Write(chunk));
    }

    private delegate void Sink(ReadOnlySpan<byte> chunk);

    private static void Produce(long length, ulong seed, Sink sink)
    {
        byte[] chunk = new byte[ChunkBytes];
        ulong state = seed;
        for (long done = 0; done < length; done += chunk.Length)
        {
            for (int i = 0; i < chunk.Length; i += sizeof(ulong))
            {
                state += Increment;
                ulong z = state;
                z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
                z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
                BinaryPrimitives.WriteUInt64LittleEndian(chunk.AsSpan(i), z ^ (z >> 31));
            }

            sink(chunk.AsSpan(0, (int)Math.Min(chunk.Length, length - done)));
        }
    }
}
