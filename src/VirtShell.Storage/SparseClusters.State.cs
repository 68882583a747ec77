using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using VirtShell.State;

namespace VirtShell.Storage;

/// <summary>Saved state: which clusters are zeros, which are stored, and the content of those, all in the order of the disk.</summary>
internal sealed partial class SparseClusters : IStateful
{
    private const int ClustersPerRecord = 256;
    private const int ChunkBitmapBytes = ClusterMap.ClustersPerChunk / 8;
    private const int ChunkRecordBytes = 8 + ChunkBitmapBytes;

    public void Describe(StateVisitor visitor)
    {
        long length = _length;
        if (!visitor.Value("length", ref length) && visitor.IsLoading)
        {
            // What was saved is of a disk that keeps its content elsewhere.
            return;
        }

        if (length != _length)
        {
            throw visitor.Refused($"Saved state '{visitor.Path}' is of a disk of {length} bytes; this one has {_length}.");
        }

        if (visitor.IsLoading)
        {
            Load(visitor);
        }
        else
        {
            Save(visitor);
        }
    }

    private void Save(StateVisitor visitor)
    {
        WriteZeroChunks(visitor);
        byte[] stored = new byte[checked((_memory.Count + _spilled) * 8)];
        int at = 0;
        for (long cluster = _map.NextStored(0, _count); cluster >= 0; cluster = _map.NextStored(cluster + 1, _count))
        {
            BinaryPrimitives.WriteInt64LittleEndian(stored.AsSpan(at), cluster);
            at += 8;
        }

        visitor.Bytes("clusters", ref stored, int.MaxValue);
        visitor.Blocks("data-", new Records(this, Numbers(stored)));
    }

    private void Load(StateVisitor visitor)
    {
        // The first version listed clusters of zeros by their numbers.
        long[] zero = visitor.Version == 1 ? ReadIndex(visitor, "zero-clusters") : [];
        byte[] whole = [];
        byte[] mixed = [];
        if (visitor.Version != 1)
        {
            visitor.Bytes("zero-chunks", ref whole, int.MaxValue);
            visitor.Bytes("mixed-chunks", ref mixed, int.MaxValue);
        }

        long[] stored = ReadIndex(visitor, "clusters");
        Clear();
        for (int i = 0; i < zero.Length;)
        {
            int first = i++;
            while (i < zero.Length && zero[i] == zero[i - 1] + 1)
            {
                i++;
            }

            SetRange(zero[first], zero[i - 1] + 1, ClusterState.Zero);
        }

        ReadZeroChunks(visitor, whole, mixed);
        Records records = new(this, stored);
        visitor.Blocks("data-", records);
        if (records.Missing is int missing and >= 0)
        {
            throw visitor.Damaged($"'{visitor.Path}/data-{missing}' is missing.");
        }
    }

    private long ChunkStart(long chunk) => chunk * ClusterMap.ClustersPerChunk;

    private long ChunkEnd(long chunk) => Math.Min(_count, ChunkStart(chunk + 1));

    // Chunks of zeros by number, and of others with any, a bit for each cluster.
    private void WriteZeroChunks(StateVisitor visitor)
    {
        List<byte> whole = [];
        List<byte> mixed = [];
        byte[] record = new byte[ChunkRecordBytes];
        foreach (long chunk in _map.Chunks())
        {
            Array.Clear(record);
            BinaryPrimitives.WriteInt64LittleEndian(record, chunk);
            long zeros = 0;
            for (long cluster = ChunkStart(chunk); cluster < ChunkEnd(chunk); cluster++)
            {
                if (_map[cluster] == ClusterState.Zero)
                {
                    int index = (int)(cluster - ChunkStart(chunk));
                    record[8 + (index / 8)] |= (byte)(1 << (index % 8));
                    zeros++;
                }
            }

            if (zeros == ChunkEnd(chunk) - ChunkStart(chunk))
            {
                whole.AddRange(record.AsSpan(0, 8));
            }
            else if (zeros > 0)
            {
                mixed.AddRange(record);
            }
        }

        byte[] wholeBytes = [.. whole];
        byte[] mixedBytes = [.. mixed];
        visitor.Bytes("zero-chunks", ref wholeBytes, int.MaxValue);
        visitor.Bytes("mixed-chunks", ref mixedBytes, int.MaxValue);
    }

    private void ReadZeroChunks(StateVisitor visitor, byte[] whole, byte[] mixed)
    {
        long chunks = ((_count - 1) / ClusterMap.ClustersPerChunk) + 1;
        for (int at = 0; at < whole.Length; at += 8)
        {
            long chunk = ReadNumber(visitor, "zero-chunks", whole, at, 8, chunks);
            SetRange(ChunkStart(chunk), ChunkEnd(chunk), ClusterState.Zero);
        }

        for (int at = 0; at < mixed.Length; at += ChunkRecordBytes)
        {
            long chunk = ReadNumber(visitor, "mixed-chunks", mixed, at, ChunkRecordBytes, chunks);
            for (long cluster = ChunkStart(chunk); cluster < ChunkEnd(chunk); cluster++)
            {
                int index = (int)(cluster - ChunkStart(chunk));
                if ((mixed[at + 8 + (index / 8)] & (1 << (index % 8))) != 0)
                {
                    SetRange(cluster, cluster + 1, ClusterState.Zero);
                }
            }
        }
    }

    private long[] ReadIndex(StateVisitor visitor, string name)
    {
        byte[] bytes = [];
        visitor.Bytes(name, ref bytes, int.MaxValue);
        long[] result = new long[bytes.Length / 8];
        for (int at = 0; at < bytes.Length; at += 8)
        {
            result[at / 8] = ReadNumber(visitor, name, bytes, at, 8, _count);
        }

        return result;
    }

    // The number at the start of a record, which is below a limit and above that of the record before.
    private static long ReadNumber(StateVisitor visitor, string name, byte[] bytes, int at, int recordLength, long limit)
    {
        if (bytes.Length % recordLength != 0)
        {
            throw visitor.Damaged($"'{visitor.Path}/{name}' is {bytes.Length} bytes long, not a multiple of {recordLength}.");
        }

        long number = BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(at));
        long previous = at == 0 ? -1 : BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(at - recordLength));
        return number > previous && number < limit
            ? number
            : throw visitor.Damaged($"'{visitor.Path}/{name}' has the number {number} out of order or beyond {limit}.");
    }

    private static long[] Numbers(byte[] index) => MemoryMarshal.Cast<byte, long>(index).ToArray();

    // The content of clusters by their place among those that are stored, some hundreds to a block.
    private sealed class Records(SparseClusters clusters, long[] stored) : StateBlocks
    {
        private readonly byte[] _record = new byte[ClustersPerRecord * ClusterSize];
        private readonly bool[] _filled = new bool[(stored.Length + ClustersPerRecord - 1) / ClustersPerRecord];

        /// <summary>The first block that was not loaded, or -1.</summary>
        public int Missing => Array.IndexOf(_filled, false);

        public override long Next(long number) => number < _filled.Length ? number : -1;

        public override ReadOnlySpan<byte> Read(long number)
        {
            Span<byte> record = Record(number);
            record.Clear();
            for (int i = 0; i < record.Length / ClusterSize; i++)
            {
                clusters.Read(StartOf(number, i), Content(number, i));
            }

            return record;
        }

        public override Span<byte> Room(long number, long length) => number < _filled.Length ? Record(number) : default;

        public override void Filled(long number)
        {
            for (int i = 0; i < Record(number).Length / ClusterSize; i++)
            {
                clusters.Write(StartOf(number, i), Content(number, i));
            }

            _filled[number] = true;
        }

        private Span<byte> Record(long number) => _record.AsSpan(0, (int)Math.Min(ClustersPerRecord, stored.Length - (number * ClustersPerRecord)) * ClusterSize);

        private long StartOf(long number, int index) => stored[(number * ClustersPerRecord) + index] * ClusterSize;

        // The last cluster of a disk may reach over its end.
        private Span<byte> Content(long number, int index) =>
            _record.AsSpan(index * ClusterSize, (int)Math.Min(ClusterSize, clusters._length - StartOf(number, index)));
    }
}
