using System;
using System.Collections.Generic;
using VirtShell.State;

namespace VirtShell.Storage;

/// <summary>
/// What was changed of a disk, by clusters: in memory up to a limit, in a file without a name beyond it, where there is a
/// folder for one. Everything else comes from the disk below, or is zeros where there is none. A write that finds no room
/// throws a <see cref="StorageException"/> that <see cref="StorageException.IsFull"/>, and changes nothing of its cluster.
/// </summary>
internal sealed partial class SparseClusters : IDisposable
{
    /// <summary>4 KiB: the block of common file systems, so that their writes cover whole clusters and nothing need be copied from below.</summary>
    public const int ClusterSize = 4096;

    // Fixed configuration.
    private readonly IBlockDevice? _below;
    private readonly long _length;
    private readonly long _memoryLimit;
    private readonly long _limit;
    private readonly string? _folder;
    private readonly long _count;

    // Runtime glue.
    [NotState("Within a write.")]
    private readonly byte[] _cluster = new byte[ClusterSize];
    [NotState("Where the host keeps content; the content is state.")]
    private SpillFile? _spill;

    // Volatile (saved) state.
    private readonly ClusterMap _map;
    private readonly Dictionary<long, byte[]> _memory = [];
    [NotState("Where the host keeps content; the content is state.")]
    private long _spilled;

    /// <param name="length">Size of the disk in bytes.</param>
    /// <param name="below">Where unchanged content comes from; null for zeros. Not disposed here.</param>
    /// <param name="memoryLimit">Bytes of content in memory at most.</param>
    /// <param name="limit">Bytes of content at most, in memory and in the file.</param>
    /// <param name="folder">Where the file is made once it is needed; null for none.</param>
    public SparseClusters(long length, IBlockDevice? below, long memoryLimit, long limit, string? folder)
    {
        BlockRange.CheckSize(length);
        ArgumentOutOfRangeException.ThrowIfNegative(memoryLimit);
        ArgumentOutOfRangeException.ThrowIfNegative(limit);
        _length = length;
        _below = below;
        _memoryLimit = memoryLimit;
        _limit = limit;
        _folder = folder;
        _count = ((length - 1) / ClusterSize) + 1;
        _map = new ClusterMap(_count);
    }

    /// <summary>Bytes of host memory that hold content.</summary>
    public long StoredBytes => _memory.Count * (long)ClusterSize;

    /// <summary>Bytes of content in the file.</summary>
    public long SpilledBytes => _spilled * ClusterSize;

    /// <summary>Bytes of host memory that say where content is.</summary>
    public long BookkeepingBytes => _map.Bytes;

    /// <summary>Takes over the file that changes go to once memory is full, before there is one.</summary>
    internal void SpillTo(SpillFile file) => _spill = file;

    public void Read(long offset, Span<byte> destination)
    {
        BlockRange.Check(offset, destination.Length, _length);
        while (destination.Length > 0)
        {
            long cluster = offset / ClusterSize;
            int within = (int)(offset % ClusterSize);
            long run = _map.RunLength(cluster, ((offset + destination.Length - 1) / ClusterSize) + 1, out ClusterState state);
            int part = (int)Math.Min(destination.Length, (run * ClusterSize) - within);
            switch (state)
            {
                case ClusterState.Memory:
                    part = Math.Min(part, ClusterSize - within);
                    _memory[cluster].AsSpan(within, part).CopyTo(destination);
                    break;
                case ClusterState.Spilled:
                    _spill!.Read(offset, destination[..part]);
                    break;
                case ClusterState.Absent when _below is not null:
                    _below.Read(offset, destination[..part]);
                    break;
                default:
                    destination[..part].Clear();
                    break;
            }

            destination = destination[part..];
            offset += part;
        }
    }

    public void Write(long offset, ReadOnlySpan<byte> source)
    {
        BlockRange.Check(offset, source.Length, _length);
        while (source.Length > 0)
        {
            long cluster = offset / ClusterSize;
            int within = (int)(offset % ClusterSize);
            int part = Math.Min(source.Length, ClusterSize - within);
            switch (_map[cluster])
            {
                case ClusterState.Memory:
                    source[..part].CopyTo(_memory[cluster].AsSpan(within));
                    break;
                case ClusterState.Spilled:
                    long run = _map.RunLength(cluster, ((offset + source.Length - 1) / ClusterSize) + 1, out _);
                    part = (int)Math.Min(source.Length, (run * ClusterSize) - within);
                    _spill!.Write(offset, source[..part]);
                    break;
                default:
                    part = Store(cluster, within, source);
                    break;
            }

            source = source[part..];
            offset += part;
        }
    }

    /// <summary>Makes whole clusters of the range be as they were below.</summary>
    public void Forget(long offset, long length)
    {
        BlockRange.Check(offset, length, _length);
        SetRange((offset + ClusterSize - 1) / ClusterSize, (offset + length) / ClusterSize, ClusterState.Absent);
    }

    /// <summary>Makes the range read as zeros, at no cost for whole clusters.</summary>
    public void WriteZeroes(long offset, long length)
    {
        BlockRange.Check(offset, length, _length);
        long end = offset + length;
        long firstWhole = (offset + ClusterSize - 1) / ClusterSize;
        long lastWhole = end / ClusterSize;
        if (firstWhole > lastWhole)
        {
            ZeroPart(offset, end);
            return;
        }

        ZeroPart(offset, firstWhole * ClusterSize);
        SetRange(firstWhole, lastWhole, _below is null ? ClusterState.Absent : ClusterState.Zero);
        ZeroPart(lastWhole * ClusterSize, end);
    }

    public void Clear()
    {
        _map.Clear();
        _memory.Clear();
        _spilled = 0;
        _spill?.Discard(0, _length);
    }

    public void Dispose()
    {
        _map.Clear();
        _memory.Clear();
        _spilled = 0;
        _spill?.Dispose();
        _spill = null;
    }

    private static StorageException OutOfMemory(OutOfMemoryException e) =>
        new("The host has no memory left for the changes to a throw-away disk. Stop other VMs, or attach a writable image instead.", e) { IsFull = true };

    // Within one cluster.
    private void ZeroPart(long start, long end)
    {
        bool isZero = start >= end || _map[start / ClusterSize] switch
        {
            ClusterState.Zero => true,
            ClusterState.Absent => _below is null,
            _ => false,
        };
        if (!isZero)
        {
            Write(start, BlockRange.Zeros[..(int)(end - start)]);
        }
    }

    private void SetRange(long first, long end, ClusterState state)
    {
        if (first >= end)
        {
            return;
        }

        try
        {
            _map.ReserveRange(first, end, state);
        }
        catch (OutOfMemoryException e)
        {
            throw OutOfMemory(e);
        }

        bool spilled = false;
        for (long cluster = _map.NextStored(first, end); cluster >= 0; cluster = _map.NextStored(cluster + 1, end))
        {
            if (_map[cluster] == ClusterState.Memory)
            {
                _memory.Remove(cluster);
            }
            else
            {
                spilled = true;
                _spilled--;
            }
        }

        _map.SetRange(first, end, state);
        if (spilled)
        {
            _spill!.Discard(first * ClusterSize, Math.Min(_length, end * ClusterSize) - (first * ClusterSize));
        }
    }

    // Gives clusters a place that have none, from the first, and what source has for them; gives how many bytes it took.
    private int Store(long cluster, int within, ReadOnlySpan<byte> source)
    {
        int part = Math.Min(source.Length, ClusterSize - within);
        if (StoredBytes + SpilledBytes > _limit - ClusterSize)
        {
            throw new StorageException($"The changes to a throw-away disk fill their limit of {_limit >> 20} MiB. Raise the limit, or attach a writable image instead.") { IsFull = true };
        }

        try
        {
            _map.Reserve(cluster);
            if (StoredBytes <= _memoryLimit - ClusterSize)
            {
                byte[] fresh = new byte[ClusterSize];
                FillAround(cluster, within, part, fresh);
                source[..part].CopyTo(fresh.AsSpan(within));
                _memory.Add(cluster, fresh);
                _map.Set(cluster, ClusterState.Memory);
                return part;
            }
        }
        catch (OutOfMemoryException e) when (_folder is null && _spill is null)
        {
            throw OutOfMemory(e);
        }
        catch (OutOfMemoryException)
        {
            // The file has room yet.
        }

        return Spill(cluster, within, source);
    }

    private int Spill(long cluster, int within, ReadOnlySpan<byte> source)
    {
        if (_spill is null && _folder is null)
        {
            throw new StorageException($"The disk's changes fill their memory limit of {_memoryLimit >> 20} MiB. Raise the limit, or attach a writable image instead.") { IsFull = true };
        }

        _spill ??= SpillFile.Open(_folder!);
        int part = Math.Min(source.Length, ClusterSize - within);
        long count = 1;
        long start = cluster * ClusterSize;
        if (part < ClusterSize)
        {
            Span<byte> whole = _cluster.AsSpan(0, (int)Math.Min(ClusterSize, _length - start));
            whole.Clear();
            FillAround(cluster, within, part, whole);
            source[..part].CopyTo(whole[within..]);
            Reserve(cluster);
            _spill.Write(start, whole);
        }
        else
        {
            // Whole clusters side by side go in one piece.
            long most = Math.Min(source.Length / ClusterSize, (_limit - StoredBytes - SpilledBytes) / ClusterSize);
            Reserve(cluster);
            while (count < most && (_map[cluster + count] & ClusterState.Memory) == 0)
            {
                Reserve(cluster + count);
                count++;
            }

            part = (int)count * ClusterSize;
            _spill.Write(start, source[..part]);
        }

        for (int i = 0; i < count; i++)
        {
            _map.Set(cluster + i, ClusterState.Spilled);
        }

        _spilled += count;
        return part;
    }

    private void Reserve(long cluster)
    {
        try
        {
            _map.Reserve(cluster);
        }
        catch (OutOfMemoryException e)
        {
            throw OutOfMemory(e);
        }
    }

    // The present content of a cluster without a place, where a write leaves some of it.
    private void FillAround(long cluster, int within, int part, Span<byte> content)
    {
        long start = cluster * ClusterSize;
        int length = (int)Math.Min(ClusterSize, _length - start);
        if (_below is not null && (within > 0 || part < length) && _map[cluster] == ClusterState.Absent)
        {
            _below.Read(start, content[..length]);
        }
    }
}
