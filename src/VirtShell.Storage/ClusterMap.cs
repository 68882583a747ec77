using System;
using System.Collections.Generic;
using System.Numerics;
using VirtShell.State;

namespace VirtShell.Storage;

/// <summary>Where a cluster's content is. Bit 0 says that it is stored.</summary>
internal enum ClusterState
{
    /// <summary>Below, as it always was.</summary>
    Absent = 0,

    /// <summary>In memory.</summary>
    Memory = 1,

    /// <summary>Nowhere: it is zeros.</summary>
    Zero = 2,

    /// <summary>In a file.</summary>
    Spilled = 3,
}

/// <summary>
/// The state of every cluster of a disk in two bits, in chunks of 64 MiB of disk that take memory only while their clusters
/// differ: a disk of 100 GB costs 6.5 MB at worst, and a range of any length costs a step for each chunk.
/// </summary>
internal sealed class ClusterMap
{
    public const int ClustersPerChunk = 16384;

    private const int ClustersPerWord = 32;
    private const int WordsPerChunk = ClustersPerChunk / ClustersPerWord;
    private const long ChunkCost = (WordsPerChunk * sizeof(ulong)) + 32;
    private const long EntryCost = 64;
    private const ulong StoredBits = 0x5555_5555_5555_5555;

    // A chunk of zeros; never written to.
    private static readonly ulong[] s_allZero = Filled(ClusterState.Zero);

    private readonly long _clusters;
    private readonly Dictionary<long, ulong[]> _chunks = [];
    [NotState("Counts memory of the host.")]
    private long _ownChunks;

    /// <param name="clusters">Clusters of the disk; each number given to the methods is below it.</param>
    public ClusterMap(long clusters) => _clusters = clusters;

    /// <summary>Host memory that this takes, roughly.</summary>
    public long Bytes => (_chunks.Count * EntryCost) + (_ownChunks * ChunkCost);

    public ClusterState this[long cluster] =>
        _chunks.TryGetValue(cluster / ClustersPerChunk, out ulong[]? words) ? StateIn(words, (int)(cluster % ClustersPerChunk)) : ClusterState.Absent;

    /// <summary>How many clusters from <paramref name="first"/> to before <paramref name="end"/> share the first one's state.</summary>
    public long RunLength(long first, long end, out ClusterState state)
    {
        state = this[first];
        long next = first + 1;
        while (next < end && this[next] == state)
        {
            next++;
        }

        return next - first;
    }

    /// <summary>Makes sure that <see cref="Set"/> of this cluster needs no memory.</summary>
    /// <exception cref="OutOfMemoryException">The host has none.</exception>
    public void Reserve(long cluster) => Own(cluster / ClustersPerChunk);

    /// <summary>Makes sure that <see cref="SetRange"/> of this range needs no memory.</summary>
    /// <exception cref="OutOfMemoryException">The host has none.</exception>
    public void ReserveRange(long first, long end, ClusterState state)
    {
        if (first >= end)
        {
            return;
        }

        long firstChunk = first / ClustersPerChunk;
        long lastChunk = (end - 1) / ClustersPerChunk;
        long needed = _chunks.Count + lastChunk - firstChunk + 1;
        if (state == ClusterState.Zero && needed > _chunks.Capacity)
        {
            _chunks.EnsureCapacity((int)Math.Min(Array.MaxLength, Math.Max(needed, 2L * _chunks.Count)));
        }

        foreach (long chunk in (ReadOnlySpan<long>)[firstChunk, lastChunk])
        {
            bool isWhole = chunk * ClustersPerChunk >= first && ((chunk + 1) * ClustersPerChunk <= end || end == _clusters);
            if (!isWhole && !IsUniformly(chunk, state))
            {
                Own(chunk);
            }
        }
    }

    public void Set(long cluster, ClusterState state) =>
        SetWithin(Own(cluster / ClustersPerChunk), (int)(cluster % ClustersPerChunk), (int)(cluster % ClustersPerChunk) + 1, state);

    /// <summary>Gives the first stored cluster from <paramref name="first"/> to before <paramref name="end"/>, or -1.</summary>
    public long NextStored(long first, long end)
    {
        for (long chunk = first / ClustersPerChunk; chunk * ClustersPerChunk < end; chunk++)
        {
            if (!_chunks.TryGetValue(chunk, out ulong[]? words) || ReferenceEquals(words, s_allZero))
            {
                continue;
            }

            long start = chunk * ClustersPerChunk;
            int from = (int)Math.Max(0, first - start);
            for (int word = from / ClustersPerWord; word < WordsPerChunk; word++)
            {
                ulong stored = words[word] & StoredBits;
                if (word == from / ClustersPerWord)
                {
                    stored &= ulong.MaxValue << (2 * (from % ClustersPerWord));
                }

                if (stored != 0)
                {
                    long found = start + (word * ClustersPerWord) + (BitOperations.TrailingZeroCount(stored) / 2);
                    return found < end ? found : -1;
                }
            }
        }

        return -1;
    }

    /// <summary>Makes clusters from <paramref name="first"/> to before <paramref name="end"/> absent or zero; what they stored is the caller's care.</summary>
    public void SetRange(long first, long end, ClusterState state)
    {
        for (long chunk = first / ClustersPerChunk; chunk * ClustersPerChunk < end; chunk++)
        {
            long start = chunk * ClustersPerChunk;
            int from = (int)Math.Max(0, first - start);
            int to = (int)Math.Min(ClustersPerChunk, end - start);
            bool isWhole = from == 0 && (to == ClustersPerChunk || end == _clusters);
            if (IsUniformly(chunk, state))
            {
                continue;
            }

            if (!isWhole)
            {
                ulong[] words = Own(chunk);
                SetWithin(words, from, to, state);
                isWhole = words.AsSpan().IndexOfAnyExcept(Pattern(state)) < 0;
            }

            if (isWhole)
            {
                Replace(chunk, state);
            }
        }
    }

    public void Clear()
    {
        _chunks.Clear();
        _ownChunks = 0;
    }

    /// <summary>Numbers of the chunks of which any cluster is not absent, in order.</summary>
    public List<long> Chunks()
    {
        List<long> numbers = [.. _chunks.Keys];
        numbers.Sort();
        return numbers;
    }

    /// <summary>Whether a chunk is zeros throughout and said so at little cost.</summary>
    public bool IsAllZero(long chunk) => _chunks.TryGetValue(chunk, out ulong[]? words) && ReferenceEquals(words, s_allZero);

    private bool IsUniformly(long chunk, ClusterState state) => state == ClusterState.Absent ? !_chunks.ContainsKey(chunk) : IsAllZero(chunk);

    private static ClusterState StateIn(ulong[] words, int index) =>
        (ClusterState)((words[index / ClustersPerWord] >> (2 * (index % ClustersPerWord))) & 3);

    private static ulong Pattern(ClusterState state) => (ulong)state * StoredBits;

    private static ulong[] Filled(ClusterState state)
    {
        ulong[] words = new ulong[WordsPerChunk];
        Array.Fill(words, Pattern(state));
        return words;
    }

    private static void SetWithin(ulong[] words, int from, int to, ClusterState state)
    {
        ulong pattern = Pattern(state);
        while (from < to)
        {
            int bit = from % ClustersPerWord;
            int count = Math.Min(to - from, ClustersPerWord - bit);
            ulong mask = (count == ClustersPerWord ? ulong.MaxValue : (1UL << (2 * count)) - 1) << (2 * bit);
            ref ulong word = ref words[from / ClustersPerWord];
            word = (word & ~mask) | (pattern & mask);
            from += count;
        }
    }

    private void Replace(long chunk, ClusterState state)
    {
        if (_chunks.TryGetValue(chunk, out ulong[]? old) && !ReferenceEquals(old, s_allZero))
        {
            _ownChunks--;
        }

        if (state == ClusterState.Zero)
        {
            _chunks[chunk] = s_allZero;
        }
        else
        {
            _chunks.Remove(chunk);
        }
    }

    private ulong[] Own(long chunk)
    {
        bool found = _chunks.TryGetValue(chunk, out ulong[]? words);
        if (found && !ReferenceEquals(words, s_allZero))
        {
            return words!;
        }

        ulong[] fresh = Filled(found ? ClusterState.Zero : ClusterState.Absent);
        _chunks[chunk] = fresh;
        _ownChunks++;
        return fresh;
    }
}
