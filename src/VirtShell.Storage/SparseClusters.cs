using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using VirtShell.State;

namespace VirtShell.Storage;

/// <summary>The clusters of a disk that have been written, in memory, by cluster number; a cluster of zeros costs next to nothing.</summary>
internal sealed class SparseClusters
{
    /// <summary>4 KiB: the block of common file systems, so that their writes cover whole clusters and nothing need be copied from below.</summary>
    public const int ClusterSize = 4096;

    // What an entry for a cluster of zeros is charged.
    private const int ZeroClusterCost = 64;

    private const int ClustersPerChunk = 256;

    // Stands for a cluster of zeros; never written to.
    private static readonly byte[] ZeroCluster = new byte[ClusterSize];

    // Fixed configuration.
    private readonly long _length;
    private readonly long _memoryLimit;

    // Volatile (saved) state.
    private readonly Dictionary<long, byte[]> _clusters = [];
    private long _storedBytes;

    public SparseClusters(long length, long memoryLimit)
    {
        BlockRange.CheckSize(length);
        ArgumentOutOfRangeException.ThrowIfNegative(memoryLimit);
        _length = length;
        _memoryLimit = memoryLimit;
    }

    /// <summary>Bytes of host memory that hold content; a cluster of zeros counts a little.</summary>
    public long StoredBytes => _storedBytes;

    /// <summary>Clusters present, of zeros or not.</summary>
    public int Count => _clusters.Count;

    /// <summary>Gives a cluster's bytes for reading only, where it is present.</summary>
    public bool TryGet(long cluster, out ReadOnlySpan<byte> content)
    {
        bool found = _clusters.TryGetValue(cluster, out byte[]? bytes);
        content = bytes;
        return found;
    }

    /// <summary>Gives a cluster's bytes for writing; <paramref name="created"/> says that it was absent and holds zeros.</summary>
    /// <exception cref="StorageException">The memory limit is reached, or the host has no memory.</exception>
    public Span<byte> GetOrCreate(long cluster, out bool created)
    {
        bool found = _clusters.TryGetValue(cluster, out byte[]? bytes);
        created = !found;
        if (found && !ReferenceEquals(bytes, ZeroCluster))
        {
            return bytes;
        }

        CheckLimit(ClusterSize);
        try
        {
            byte[] fresh = new byte[ClusterSize];
            _clusters[cluster] = fresh;
            _storedBytes += ClusterSize - (found ? ZeroClusterCost : 0);
            return fresh;
        }
        catch (OutOfMemoryException e)
        {
            throw new StorageException($"The host has no memory left for a disk's changes ({_storedBytes >> 20} MiB so far). Attach a writable image instead.", e);
        }
    }

    /// <summary>Makes a whole cluster read as zeros.</summary>
    /// <exception cref="StorageException">The memory limit is reached.</exception>
    public void SetZero(long cluster)
    {
        if (!_clusters.ContainsKey(cluster))
        {
            CheckLimit(ZeroClusterCost);
        }

        Remove(cluster);
        _clusters[cluster] = ZeroCluster;
        _storedBytes += ZeroClusterCost;
    }

    public void Remove(long cluster)
    {
        if (_clusters.Remove(cluster, out byte[]? old))
        {
            _storedBytes -= ReferenceEquals(old, ZeroCluster) ? ZeroClusterCost : ClusterSize;
        }
    }

    /// <summary>Removes clusters from <paramref name="first"/> to before <paramref name="end"/>.</summary>
    public void RemoveRange(long first, long end)
    {
        if (end - first <= _clusters.Count)
        {
            for (long cluster = first; cluster < end; cluster++)
            {
                Remove(cluster);
            }

            return;
        }

        List<long> present = [];
        foreach (long cluster in _clusters.Keys)
        {
            if (cluster >= first && cluster < end)
            {
                present.Add(cluster);
            }
        }

        foreach (long cluster in present)
        {
            Remove(cluster);
        }
    }

    public void Clear()
    {
        _clusters.Clear();
        _storedBytes = 0;
    }

    public void Save(StateWriter writer)
    {
        using StateWriter.SectionScope section = writer.Section("disk", 1);
        writer.Write("length", _length);
        List<long> zero = [];
        List<long> stored = [];
        foreach ((long cluster, byte[] bytes) in _clusters)
        {
            (ReferenceEquals(bytes, ZeroCluster) ? zero : stored).Add(cluster);
        }

        // Dictionary order depends on history; the same content shall save as the same bytes.
        zero.Sort();
        stored.Sort();
        WriteIndex(writer, "zero-clusters", zero);
        WriteIndex(writer, "clusters", stored);
        byte[] chunk = new byte[ClustersPerChunk * ClusterSize];
        for (int first = 0; first < stored.Count; first += ClustersPerChunk)
        {
            int count = Math.Min(ClustersPerChunk, stored.Count - first);
            for (int i = 0; i < count; i++)
            {
                _clusters[stored[first + i]].CopyTo(chunk, i * ClusterSize);
            }

            writer.Write(ChunkName(first / ClustersPerChunk), chunk.AsSpan(0, count * ClusterSize));
        }
    }

    public void Load(StateReader reader)
    {
        StateReader section = reader.Section("disk", 1);
        long length = section.ReadInt64("length");
        if (length != _length)
        {
            throw new StateFormatException($"Saved state '{section.Path}' is of a disk of {length} bytes; this one has {_length}.");
        }

        long[] zero = ReadIndex(section, "zero-clusters");
        long[] stored = ReadIndex(section, "clusters");
        Clear();
        foreach (long cluster in zero)
        {
            SetZero(cluster);
        }

        byte[] chunk = new byte[ClustersPerChunk * ClusterSize];
        for (int first = 0; first < stored.Length; first += ClustersPerChunk)
        {
            int count = Math.Min(ClustersPerChunk, stored.Length - first);
            string name = ChunkName(first / ClustersPerChunk);
            if (!section.Has(name))
            {
                throw new StateFormatException($"Saved state is damaged: '{section.Path}/{name}' is missing.");
            }

            section.ReadBytes(name, chunk.AsSpan(0, count * ClusterSize));
            for (int i = 0; i < count; i++)
            {
                chunk.AsSpan(i * ClusterSize, ClusterSize).CopyTo(GetOrCreate(stored[first + i], out _));
            }
        }
    }

    private void CheckLimit(int bytes)
    {
        if (_storedBytes > _memoryLimit - bytes)
        {
            throw new StorageException($"The disk's changes fill their memory limit of {_memoryLimit >> 20} MiB. Raise the limit, or attach a writable image instead.");
        }
    }

    private static string ChunkName(int number) => "data-" + number.ToString(CultureInfo.InvariantCulture);

    private static void WriteIndex(StateWriter writer, string name, List<long> clusters)
    {
        byte[] bytes = new byte[checked(clusters.Count * 8)];
        for (int i = 0; i < clusters.Count; i++)
        {
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(i * 8), clusters[i]);
        }

        writer.Write(name, bytes);
    }

    private long[] ReadIndex(StateReader section, string name)
    {
        byte[] bytes = section.ReadBytes(name);
        long clusters = (_length + ClusterSize - 1) / ClusterSize;
        if (bytes.Length % 8 != 0)
        {
            throw new StateFormatException($"Saved state is damaged: '{section.Path}/{name}' is {bytes.Length} bytes long, not a multiple of 8.");
        }

        long[] result = new long[bytes.Length / 8];
        long previous = -1;
        for (int i = 0; i < result.Length; i++)
        {
            long cluster = BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(i * 8));
            if (cluster <= previous || cluster >= clusters)
            {
                throw new StateFormatException($"Saved state is damaged: '{section.Path}/{name}' names cluster {cluster} out of order or beyond the disk's {clusters}.");
            }

            result[i] = cluster;
            previous = cluster;
        }

        return result;
    }
}
