using System;
using System.Buffers.Binary;
using System.IO;
using VirtShell.State;
using VirtShell.State.Tests.Formats;
using Xunit;

namespace VirtShell.Storage.Tests;

/// <summary>What a throw-away disk costs the host, whatever its guest does.</summary>
public sealed class OverlayLimitTests : TemporaryFolder
{
    private const long HugeDisk = 100_000_000_000 / 4096 * 4096;

    [Fact]
    public void Changes_above_the_memory_limit_go_to_a_file_without_a_name()
    {
        using MemoryOverlay overlay = new(new MemoryDisk(HugeDisk), ownsBase: true, memoryLimit: 1 << 20, spillFolder: PathOf("spill"));
        Assert.False(Directory.Exists(PathOf("spill")));
        byte[] content = Pattern(1, 3 << 20);
        overlay.Write(HugeDisk - content.Length, content);
        Assert.Equal((1 << 20, 2 << 20), (overlay.StoredBytes, overlay.SpilledBytes));
        Assert.Empty(Directory.GetFileSystemEntries(PathOf("spill")));
        byte[] read = new byte[content.Length];
        overlay.Read(HugeDisk - content.Length, read);
        Assert.Equal(content, read);

        overlay.Discard(HugeDisk - content.Length, content.Length);
        Assert.Equal((0, 0), (overlay.StoredBytes, overlay.SpilledBytes));
        overlay.Read(HugeDisk - content.Length, read);
        Assert.Equal(new byte[content.Length], read);

        // Room in memory is used again, and what the file had there is not seen.
        overlay.Write(HugeDisk - 100, [7]);
        Assert.Equal((4096, 0), (overlay.StoredBytes, overlay.SpilledBytes));
        overlay.Read(HugeDisk - 4096, read.AsSpan(0, 4096));
        Assert.Equal(4096 - 100, read.AsSpan(0, 4096).IndexOfAnyExcept((byte)0));
    }

    /// <summary>A range that covers 90 GiB, and every second cluster of a disk of 100 GB: neither may cost more than a map of two bits a cluster.</summary>
    [Theory]
    [InlineData("zeroes")]
    [InlineData("discard")]
    [InlineData("zeroes, then discard")]
    [InlineData("a zero in each chunk")]
    public void Bookkeeping_is_bounded(string what)
    {
        const long Chunk = ClusterMap.ClustersPerChunk * 4096L;
        using MemoryOverlay overlay = new(new MemoryDisk(HugeDisk), ownsBase: true);
        long before = GC.GetAllocatedBytesForCurrentThread();
        if (what.StartsWith("zeroes", StringComparison.Ordinal))
        {
            overlay.WriteZeroes(4096, 90L << 30);
        }

        if (what.EndsWith("discard", StringComparison.Ordinal))
        {
            overlay.Discard(0, HugeDisk);
            Assert.Equal(0, overlay.BookkeepingBytes);
        }

        for (long at = 0; what[0] == 'a' && at <= HugeDisk - 4096; at += Chunk)
        {
            overlay.WriteZeroes(at, 4096);
        }

        Assert.Equal(0, overlay.StoredBytes);
        Assert.InRange(overlay.BookkeepingBytes, 0, 8 << 20);
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 10 << 20);
    }

    [Fact]
    public void Pieces_of_a_range_end_as_the_whole_range()
    {
        using MemoryOverlay whole = new(new MemoryDisk(HugeDisk), ownsBase: true);
        using MemoryOverlay pieces = new(new MemoryDisk(HugeDisk), ownsBase: true);
        whole.WriteZeroes(0, 1L << 30);
        for (long at = 0; at < 1L << 30; at += 1 << 20)
        {
            pieces.WriteZeroes(at, 1 << 20);
        }

        Assert.Equal(whole.Save(), pieces.Save());
        Assert.Equal(whole.BookkeepingBytes, pieces.BookkeepingBytes);
    }

    [Fact]
    public void Beyond_the_limit_writes_fail_and_nothing_is_lost()
    {
        using MemoryOverlay overlay = new(new MemoryDisk(HugeDisk), ownsBase: true, memoryLimit: 1 << 20, limit: 2 << 20, spillFolder: Folder);
        byte[] content = Pattern(1, 2 << 20);
        overlay.Write(1 << 30, content);
        StorageException full = Assert.Throws<StorageException>(() => overlay.Write(0, new byte[1]));
        Assert.True(full.IsFull);
        Assert.Contains("limit of 2 MiB", full.Message);
        overlay.Write((1 << 30) + 5, content.AsSpan(5, 1 << 20));
        byte[] read = new byte[content.Length];
        overlay.Read(1 << 30, read);
        Assert.Equal(content, read);
        overlay.WriteZeroes(1 << 30, 1 << 20);
        overlay.Write(0, new byte[1 << 20]);
    }

    [Fact]
    public void Without_a_folder_the_memory_limit_is_the_limit()
    {
        using MemoryOverlay overlay = new(new MemoryDisk(HugeDisk), ownsBase: true, memoryLimit: 1 << 20);
        overlay.Write(0, new byte[1 << 20]);
        StorageException full = Assert.Throws<StorageException>(() => overlay.Write(HugeDisk - 512, new byte[512]));
        Assert.True(full.IsFull);
        Assert.Contains("memory limit of 1 MiB", full.Message);
    }

    [SkippableFact]
    public void A_full_host_disk_fails_the_write_and_keeps_the_rest()
    {
        Skip.IfNot(File.Exists("/dev/full"), "needs a device that is always full (/dev/full of Linux)");
        byte[] below = Pattern(3, 64 << 10);
        using MemoryOverlay overlay = new(new MemoryDisk(below), ownsBase: true, memoryLimit: 8192);
        overlay.Write(0, Pattern(4, 8192));
        overlay.SpillTo(new SpillFile(File.OpenHandle("/dev/full", FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite), "/somewhere"));
        foreach (int length in (int[])[512, 4096, 16384])
        {
            StorageException full = Assert.Throws<StorageException>(() => overlay.Write(20480, new byte[length]));
            Assert.True(full.IsFull);
            Assert.Contains("/somewhere", full.Message);
        }

        Assert.Equal([.. Pattern(4, 8192), .. below[8192..]], ReadAll(overlay));
        Assert.Equal(0, overlay.SpilledBytes);
        overlay.Discard(0, 4096);
        overlay.Write(20480, [1]);
        Assert.Equal(8192, overlay.StoredBytes);
    }

    [Fact]
    public void A_folder_that_cannot_be_made_is_named()
    {
        File.WriteAllText(PathOf("file"), "no folder");
        using MemoryOverlay overlay = new(new MemoryDisk(1 << 20), ownsBase: true, memoryLimit: 0, spillFolder: PathOf("file"));
        StorageException full = Assert.Throws<StorageException>(() => overlay.Write(0, new byte[4096]));
        Assert.True(full.IsFull);
        Assert.Contains(PathOf("file"), full.Message);
        Assert.Equal(new byte[1 << 20], ReadAll(overlay));
    }

    /// <summary>More zeros than a list of their clusters could hold.</summary>
    [Theory]
    [InlineData((4L << 30) - 4096)]
    [InlineData(4L << 30)]
    [InlineData(90L << 30)]
    public void Saves_any_amount_of_zeros(long zeros)
    {
        using MemoryOverlay before = new(new MemoryDisk(HugeDisk), ownsBase: true);
        before.Write(8192, Pattern(2, 40_960));
        before.WriteZeroes(65_536, zeros);
        before.WriteZeroes(HugeDisk - 8192, 8192);
        before.Discard(HugeDisk - 8192, 4096);
        byte[] saved = before.Save();
        Assert.InRange(saved.Length, 1, 9 << 20);
        using MemoryOverlay after = new(new MemoryDisk(HugeDisk), ownsBase: true);
        after.Write(0, Pattern(5, 100_000));
        after.Load(saved);
        Assert.Equal(saved, after.Save());
        byte[] start = new byte[1 << 20];
        after.Read(0, start);
        Assert.Equal([.. new byte[8192], .. Pattern(2, 40_960)], start[..49_152]);
    }

    /// <summary>A state as the first version wrote it: a list of clusters of zeros, a list of stored ones, their content by 256.</summary>
    [Fact]
    public void Loads_the_first_version()
    {
        byte[] content = Pattern(9, 300 * 4096);
        using MemoryStream stream = new();
        FirstFormatWriter writer = new(stream);
        using (writer.Section("disk", 1))
        {
            writer.Write("length", 4L << 20);
            writer.Write("zero-clusters", Numbers(1, 2, 1000));
            long[] stored = new long[300];
            for (int i = 0; i < stored.Length; i++)
            {
                stored[i] = 10 + (2 * i);
            }

            writer.Write("clusters", Numbers(stored));
            writer.Write("data-0", content.AsSpan(0, 256 * 4096));
            writer.Write("data-1", content.AsSpan(256 * 4096));
        }

        byte[] below = Pattern(1, 4 << 20);
        using MemoryOverlay overlay = new(new MemoryDisk(below), ownsBase: true, memoryLimit: 1 << 20, spillFolder: Folder);
        new Holder(overlay).Load(stream.ToArray());
        foreach (int zero in (int[])[1, 2, 1000])
        {
            below.AsSpan(zero * 4096, 4096).Clear();
        }

        for (int i = 0; i < 300; i++)
        {
            content.AsSpan(i * 4096, 4096).CopyTo(below.AsSpan((10 + (2 * i)) * 4096));
        }

        Assert.Equal(below, ReadAll(overlay));
        using MemoryOverlay again = new(new MemoryDisk(Pattern(1, 4 << 20)), ownsBase: true);
        again.Load(overlay.Save());
        Assert.Equal(below, ReadAll(again));
    }

    [Theory]
    [InlineData("zero-chunks", 8)]
    [InlineData("mixed-chunks", 8 + (ClusterMap.ClustersPerChunk / 8))]
    public void Refuses_damaged_chunks(string field, int record)
    {
        foreach ((int length, long first, long second) in ((int, long, long)[])[(record + 1, 0, 0), (2 * record, 1, 1), (2 * record, 0, 1 << 20), (record, -1, 0)])
        {
            byte[] bytes = new byte[length];
            BinaryPrimitives.WriteInt64LittleEndian(bytes, first);
            if (length >= 2 * record)
            {
                BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(record), second);
            }

            using MemoryStream stream = new();
            StateSaver saver = new(stream);
            saver.Value("length", HugeDisk);
            saver.Array(field, bytes.AsSpan());
            saver.Complete();

            using MemoryOverlay overlay = new(new MemoryDisk(HugeDisk), ownsBase: true);
            Assert.Contains(field, Assert.Throws<StateFormatException>(() => overlay.Load(stream.ToArray())).Message);
        }
    }

    private static byte[] Numbers(params ReadOnlySpan<long> numbers)
    {
        byte[] bytes = new byte[8 * numbers.Length];
        for (int i = 0; i < numbers.Length; i++)
        {
            BinaryPrimitives.WriteInt64LittleEndian(bytes.AsSpan(8 * i), numbers[i]);
        }

        return bytes;
    }

    // The disk as a machine saves it.
    private sealed class Holder(IStatefulBlockDevice disk) : IStateful
    {
        public void Describe(StateVisitor visitor) => visitor.Part("disk", disk, IStatefulBlockDevice.StateVersion, isRequired: true);
    }
}
