using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Globalization;
using VirtShell.State;

namespace VirtShell.Storage;

/// <summary>Saved state: which clusters are zeros, which are stored, and the content of those, all in the order of the disk.</summary>
internal sealed partial class SparseClusters
{
    private const int ClustersPerRecord = 256;

    // Above this many clusters of zeros they are saved by chunks, which the first version did not know.
    private const long MostListedZeros = 1 << 20;

    private const int ChunkBitmapBytes = ClusterMap.ClustersPerChunk / 8;
    private const int ChunkRecordBytes = 8 + ChunkBitmapBytes;

    public void Save(StateWriter writer)
    {
        long zeros = CountZeros();
        bool isListed = zeros <= MostListedZeros;
        using StateWriter.SectionScope section = writer.Section("disk", isListed ? 1 : 2);
        writer.Write("length", _length);
        if (isListed)
        {
            WriteIndex(writer, "zero-clusters", zeros, stored: false);
        }
        else
        {
            WriteZeroChunks(writer);
        }

        WriteIndex(writer, "clusters", _memory.Count + _spilled, stored: true);
        byte[] record = new byte[ClustersPerRecord * ClusterSize];
        int filled = 0;
        int number = 0;
        for (long cluster = _map.NextStored(0, _count); cluster >= 0; cluster = _map.NextStored(cluster + 1, _count))
        {
            Span<byte> content = record.AsSpan(filled++ * ClusterSize, ClusterSize);
            content.Clear();
            long start = cluster * ClusterSize;
            Read(start, content[..(int)Math.Min(ClusterSize, _length - start)]);
            if (filled == ClustersPerRecord)
            {
                writer.Write(RecordName(number++), record);
                filled = 0;
            }
        }

        if (filled > 0)
        {
            writer.Write(RecordName(number), record.AsSpan(0, filled * ClusterSize));
        }
    }

    public void Load(StateReader reader)
    {
        StateReader section = reader.Section("disk", 2);
        long length = section.ReadInt64("length");
        if (length != _length)
        {
            throw new StateFormatException($"Saved state '{section.Path}' is of a disk of {length} bytes; this one has {_length}.");
        }

        long[] zero = ReadIndex(section, "zero-clusters");
        long[] stored = ReadIndex(section, "clusters");
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

        ReadZeroChunks(section);
        byte[] record = new byte[ClustersPerRecord * ClusterSize];
        for (int first = 0; first < stored.Length; first += ClustersPerRecord)
        {
            int count = Math.Min(ClustersPerRecord, stored.Length - first);
            string name = RecordName(first / ClustersPerRecord);
            if (!section.Has(name))
            {
                throw new StateFormatException($"Saved state is damaged: '{section.Path}/{name}' is missing.");
            }

            section.ReadBytes(name, record.AsSpan(0, count * ClusterSize));
            for (int i = 0; i < count; i++)
            {
                long start = stored[first + i] * ClusterSize;
                Write(start, record.AsSpan(i * ClusterSize, (int)Math.Min(ClusterSize, _length - start)));
            }
        }
    }

    private static string RecordName(int number) => "data-" + number.ToString(CultureInfo.InvariantCulture);

    private long ChunkStart(long chunk) => chunk * ClusterMap.ClustersPerChunk;

    private long ChunkEnd(long chunk) => Math.Min(_count, ChunkStart(chunk + 1));

    private long CountZeros()
    {
        long zeros = 0;
        foreach (long chunk in _map.Chunks())
        {
            if (_map.IsAllZero(chunk))
            {
                zeros += ChunkEnd(chunk) - ChunkStart(chunk);
                continue;
            }

            for (long cluster = ChunkStart(chunk); cluster < ChunkEnd(chunk); cluster++)
            {
                zeros += _map[cluster] == ClusterState.Zero ? 1 : 0;
            }
        }

        return zeros;
    }

    // The numbers of all clusters of zeros, or of all that are stored.
    private void WriteIndex(StateWriter writer, string name, long count, bool stored)
    {
        byte[] bytes = new byte[checked(count * 8)];
        int at = 0;
        foreach (long chunk in count > 0 ? _map.Chunks() : [])
        {
            for (long cluster = ChunkStart(chunk); cluster < ChunkEnd(chunk); cluster++)
            {
                ClusterState state = _map[cluster];
                if (stored ? (state & ClusterState.Memory) != 0 : state == ClusterState.Zero)
                {
                    BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(at), cluster);
                    at += 8;
                }
            }
        }

        writer.Write(name, bytes);
    }

    // Chunks of zeros by number, and of others with any, a bit for each cluster.
    private void WriteZeroChunks(StateWriter writer)
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

        writer.Write("zero-chunks", whole.ToArray());
        writer.Write("mixed-chunks", mixed.ToArray());
    }

    private void ReadZeroChunks(StateReader section)
    {
        byte[] whole = section.ReadBytes("zero-chunks");
        byte[] mixed = section.ReadBytes("mixed-chunks");
        long chunks = ((_count - 1) / ClusterMap.ClustersPerChunk) + 1;
        for (int at = 0; at < whole.Length; at += 8)
        {
            long chunk = ReadNumber(section, "zero-chunks", whole, at, 8, chunks);
            SetRange(ChunkStart(chunk), ChunkEnd(chunk), ClusterState.Zero);
        }

        for (int at = 0; at < mixed.Length; at += ChunkRecordBytes)
        {
            long chunk = ReadNumber(section, "mixed-chunks", mixed, at, ChunkRecordBytes, chunks);
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

    private long[] ReadIndex(StateReader section, string name)
    {
        byte[] bytes = section.ReadBytes(name);
        long[] result = new long[bytes.Length / 8];
        for (int at = 0; at < bytes.Length; at += 8)
        {
            result[at / 8] = ReadNumber(section, name, bytes, at, 8, _count);
        }

        return result;
    }

    // The number at the start of a record, which is below a limit and above that of the record before.
    private static long ReadNumber(StateReader section, string name, byte[] bytes, int at, int recordLength, long limit)
    {
        if (bytes.Length % recordLength != 0)
        {
            throw new StateFormatException($"Saved state is damaged: '{section.Path}/{name}' is {bytes.Length} bytes long, not a multiple of {recordLength}.");
        }

        long number = BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(at));
        long previous = at == 0 ? -1 : BinaryPrimitives.ReadInt64LittleEndian(bytes.AsSpan(at - recordLength));
        return number > previous && number < limit
            ? number
            : throw new StateFormatException($"Saved state is damaged: '{section.Path}/{name}' has the number {number} out of order or beyond {limit}.");
    }
}
