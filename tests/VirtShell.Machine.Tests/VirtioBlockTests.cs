using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Text;
using VirtShell.Machine.Virtio;
using VirtShell.State;
using VirtShell.Storage;
using Xunit;

namespace VirtShell.Machine.Tests;

/// <summary>The block device, by each of the two interfaces.</summary>
public abstract class VirtioBlockTests : IDisposable
{
    private const int Slot = 6;
    private const int DiskBytes = 1 << 20;
    private readonly PciTestMachine _machine = new();
    private readonly List<StorageException> _faults = [];
    private readonly byte[] _content = new byte[DiskBytes];
    private VirtioBlock _device = null!;
    private VirtioTestDriver _driver = null!;
    private VirtioTestQueue _queue = null!;

    private readonly bool _legacy;

    protected VirtioBlockTests(bool legacy)
    {
        _legacy = legacy;
        new Random(1).NextBytes(_content);
    }

    // A legacy driver knows no FEATURES_OK.
    private byte ReadyStatus => (byte)(_legacy ? 0x07 : 0x0F);

    [Fact]
    public void Identifies_itself()
    {
        Start(new MemoryDisk(_content));
        Assert.Equal(0x1001_1AF4u, _machine.ReadConfig(Slot, 0, 0, 4));
        Assert.Equal(0u, _machine.ReadConfig(Slot, 0, 8, 1));
        Assert.Equal(0x0002_1AF4u, _machine.ReadConfig(Slot, 0, 0x2C, 4));
        Assert.Equal(0x0100u, _machine.ReadConfig(Slot, 0, 0x0A, 2));
        Assert.Equal(DiskBytes / 512UL, _driver.ReadDeviceConfig(0, 8));
        Assert.Equal(512UL, _driver.ReadDeviceConfig(20, 4));
        Assert.Equal((0UL, 1UL), (_driver.ReadDeviceConfig(60, 4), _driver.Read(0x12, 2)));
        ulong data = _driver.Allocate(20);
        Assert.Equal((byte)0, Request(8, 0, new TestBuffer(data, 20, true)));
        Assert.Equal("a serial", Encoding.ASCII.GetString(_driver.Fetch(data, 20)).TrimEnd('\0'));
    }

    [Theory]
    [InlineData(512, 1, false)]
    [InlineData(4096, 1, true)]
    [InlineData(4096, 8, false)]
    [InlineData(65536, 5, true)]
    [InlineData(1536, 3, true)]
    public void Reads_and_writes(int segment, int segments, bool indirect)
    {
        Start(new MemoryDisk(_content));
        TestBuffer[] buffers = new TestBuffer[segments];
        for (int i = 0; i < segments; i++)
        {
            buffers[i] = new TestBuffer(_driver.Allocate(segment), (uint)segment, true);
        }

        Assert.Equal((byte)0, Request(0, 16, buffers, indirect));
        for (int i = 0; i < segments; i++)
        {
            Assert.True(_content.AsSpan((16 * 512) + (i * segment), segment).SequenceEqual(_driver.Fetch(buffers[i].Address, segment)));
        }

        for (int i = 0; i < segments; i++)
        {
            byte[] fresh = new byte[segment];
            new Random(i).NextBytes(fresh);
            fresh.CopyTo(_content, 512 + (i * segment));
            buffers[i] = new TestBuffer(_driver.Place(fresh), (uint)segment, false);
        }

        Assert.Equal((byte)0, Request(1, 1, buffers, indirect));
        Assert.Equal((byte)0, Request(4, 0));
        AssertDiskIs(_content);
    }

    [Fact]
    public void Discards_and_writes_zeroes()
    {
        Start(new MemoryDisk(_content));
        Assert.Equal((byte)0, Request(11, 0, new TestBuffer(_driver.Place([.. Range(8, 16, 0), .. Range(100, 1, 0)]), 32, false)));
        _content.AsSpan(8 * 512, 16 * 512).Clear();
        _content.AsSpan(100 * 512, 512).Clear();
        Assert.Equal((byte)0, Request(13, 0, new TestBuffer(_driver.Place(Range(200, 3, 1)), 16, false)));
        _content.AsSpan(200 * 512, 3 * 512).Clear();
        AssertDiskIs(_content);

        Assert.Equal((byte)2, Request(11, 0, new TestBuffer(_driver.Place(Range(0, 8, 1)), 16, false)));
        Assert.Equal((byte)2, Request(13, 0, new TestBuffer(_driver.Place(Range(0, 8, 2)), 16, false)));
        Assert.Equal((byte)1, Request(13, 0, new TestBuffer(_driver.Place(Range(DiskBytes / 512, 1, 0)), 16, false)));
        Assert.Equal((byte)1, Request(13, 0, new TestBuffer(_driver.Place(Range(ulong.MaxValue, 2, 0)), 16, false)));
        Assert.Equal((byte)1, Request(13, 0, new TestBuffer(_driver.Place(Range(0, 1 << 20, 0)), 16, false)));
        Assert.Equal((byte)1, Request(11, 0, new TestBuffer(_driver.Place(Range(0, 8, 0)), 15, false)));
        Assert.Equal((byte)1, Request(11, 0));
        AssertDiskIs(_content);
    }

    [Theory]
    [InlineData(0, DiskBytes / 512, 512)]
    [InlineData(0, (DiskBytes / 512) - 1, 1024)]
    [InlineData(0, -1, 512)]
    [InlineData(0, 0x7F_FFFF_FFFF_FFFF, 512)]
    [InlineData(0, 0, 100)]
    [InlineData(1, DiskBytes / 512, 512)]
    [InlineData(1, 0, 511)]
    public void Requests_outside_the_disk_fail(uint type, long sector, int length)
    {
        Start(new MemoryDisk(_content));
        Assert.Equal((byte)1, Request(type, (ulong)sector, new TestBuffer(_driver.Allocate(length), (uint)length, type == 0)));
        Assert.Equal(ReadyStatus, _driver.Status);
        AssertDiskIs(_content);
    }

    [Fact]
    public void Unknown_requests_are_unsupported()
    {
        Start(new MemoryDisk(_content));
        foreach (uint type in (uint[])[2, 3, 5, 9, 99, uint.MaxValue])
        {
            Assert.Equal((byte)2, Request(type, 0));
        }
    }

    [Fact]
    public void Read_only_disks_say_so_and_refuse_writes()
    {
        Start(new ReadOnlyView(new MemoryDisk(_content)));
        Assert.Equal(1UL << 5, _driver.DeviceFeatures & (1UL << 5));
        Assert.Equal(0UL, _driver.DeviceFeatures & (3UL << 13));
        Assert.Equal((byte)1, Request(1, 0, new TestBuffer(_driver.Place(new byte[512]), 512, false)));
        Assert.Equal((byte)2, Request(11, 0, new TestBuffer(_driver.Place(Range(0, 8, 0)), 16, false)));
        Assert.Equal((byte)0, Request(4, 0));
        Assert.Empty(_faults);
    }

    [Fact]
    public void A_failing_image_is_an_io_error_and_a_recorded_fault()
    {
        FaultyDisk disk = new(_content);
        Start(disk);
        ulong data = _driver.Allocate(512);
        disk.IsBroken = true;
        Assert.Equal((byte)1, Request(0, 0, new TestBuffer(data, 512, true)));
        Assert.Equal((byte)1, Request(4, 0));
        Assert.Equal(2, _faults.Count);
        Assert.Equal("the image is gone", _faults[0].Message);
        disk.IsBroken = false;
        Assert.Equal((byte)0, Request(0, 0, new TestBuffer(data, 512, true)));
    }

    [Fact]
    public void Write_through_flushes_every_write()
    {
        FaultyDisk disk = new(_content);
        Start(disk);
        TestBuffer data = new(_driver.Place(new byte[512]), 512, false);
        Request(1, 0, data);
        Assert.Equal(0, disk.Flushes);
        _driver.WriteDeviceConfig(32, 1, 0);
        Assert.Equal(0UL, _driver.ReadDeviceConfig(32, 1));
        Request(1, 0, data);
        Assert.Equal(1, disk.Flushes);
    }

    [Fact]
    public void Requests_complete_in_order_after_their_latency()
    {
        Start(new MemoryDisk(_content));
        ushort[] heads = new ushort[5];
        for (int i = 0; i < heads.Length; i++)
        {
            heads[i] = AddRequest(0, (ulong)i, [new TestBuffer(_driver.Allocate(4096), 4096, true)], false, out _);
        }

        _queue.Kick();
        Assert.Equal(0, _queue.UsedIndex);
        Assert.Equal(5, _device.InFlight);
        _machine.Clock.SkipTo(VirtioBlock.LatencyNanoseconds - 1);
        Assert.False(_machine.Clock.FireNext());
        Assert.Equal(5, _machine.RunEvents());
        Assert.InRange(_machine.Clock.Now, 5 * 4096 / VirtioBlock.BytesPerNanosecond, 2 * VirtioBlock.LatencyNanoseconds);
        foreach (ushort head in heads)
        {
            Assert.True(_queue.TryTake(out uint id, out uint length));
            Assert.Equal((head, 4097u), (id, length));
        }
    }

    [Fact]
    public void A_drivers_reset_cancels_what_is_in_flight()
    {
        Start(new MemoryDisk(_content));
        ulong data = _driver.Allocate(512);
        AddRequest(0, 0, [new TestBuffer(data, 512, true)], false, out _);
        _queue.Kick();
        _driver.Status = 0;
        Assert.Equal(0, _machine.RunEvents());
        Assert.Equal(new byte[512], _driver.Fetch(data, 512));
        Assert.Equal((0UL, 0UL), (_driver.Read(0x1C, 2), _driver.Read(0x20, 8)));
    }

    [Fact]
    public void Without_the_bus_master_bit_nothing_moves_until_it_is_back()
    {
        Start(new MemoryDisk(_content));
        AddRequest(0, 0, [new TestBuffer(_driver.Allocate(512), 512, true)], false, out _);
        _queue.Kick();
        _machine.WriteConfig(Slot, 0, 4, 2, 3);
        _machine.RunEvents();
        Assert.Equal(0, _queue.UsedIndex);
        _machine.WriteConfig(Slot, 0, 4, 2, 7);
        _machine.RunEvents();
        Assert.Equal(1, _queue.UsedIndex);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Saved_in_flight_requests_complete_as_if_nothing_happened(bool msix)
    {
        Start(new MemoryDisk(_content), msix: msix);
        byte[] fresh = new byte[8192];
        new Random(5).NextBytes(fresh);
        AddRequest(1, 40, [new TestBuffer(_driver.Place(fresh), 8192, false)], true, out _);
        AddRequest(0, 30, [new TestBuffer(_driver.Allocate(16384), 16384, true)], false, out _);
        _queue.Kick();
        byte[] saved = _machine.Save();

        using PciTestMachine other = new();
        VirtioBlock device = new(other.Memory, other.Clock, new MemoryDisk(DiskBytes), "a serial");
        other.Pci.Attach(Slot, 0, new VirtioPciFunction(device));
        other.PowerOn();
        other.Load(saved);
        Assert.Equal(saved, other.Save());

        _machine.RunEvents();
        other.RunEvents();
        Assert.Equal(_machine.Clock.Now, other.Clock.Now);
        Assert.Equal(_machine.Memory.Hash(), other.Memory.Hash());
        Assert.Equal(_machine.Messages, other.Messages);
        Assert.Equal(_machine.AssertedPins, other.AssertedPins);
        Assert.Equal(_machine.Save(), other.Save());
        Assert.Equal(2, _queue.UsedIndex);
    }

    public void Dispose()
    {
        _machine.Dispose();
        GC.SuppressFinalize(this);
    }

    private static byte[] Range(ulong sector, uint sectors, uint flags)
    {
        byte[] bytes = new byte[16];
        BinaryPrimitives.WriteUInt64LittleEndian(bytes, sector);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), sectors);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(12), flags);
        return bytes;
    }

    private void Start(IBlockDevice disk, bool msix = false)
    {
        _device = new VirtioBlock(_machine.Memory, _machine.Clock, disk, "a serial") { Faulted = _faults.Add };
        _machine.Pci.Attach(Slot, 0, new VirtioPciFunction(_device));
        _machine.PowerOn();
        _driver = new VirtioTestDriver(_machine, Slot, legacy: _legacy);
        Assert.True(_driver.Negotiate(_driver.DeviceFeatures));
        if (msix)
        {
            _driver.EnableMsix(2);
        }

        _queue = _driver.SetUpQueue(0, 64, msix ? 1 : -1);
        _driver.Start();
    }

    private ushort AddRequest(uint type, ulong sector, TestBuffer[] data, bool indirect, out ulong status)
    {
        byte[] header = new byte[16];
        BinaryPrimitives.WriteUInt32LittleEndian(header, type);
        BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(8), sector);
        status = _driver.Place([0xEE]);
        TestBuffer[] chain = [new TestBuffer(_driver.Place(header), 16, false), .. data, new TestBuffer(status, 1, true)];
        return indirect ? _queue.AddIndirect(chain) : _queue.Add(chain);
    }

    private byte Request(uint type, ulong sector, params TestBuffer[] data) => Request(type, sector, data, indirect: false);

    private byte Request(uint type, ulong sector, TestBuffer[] data, bool indirect)
    {
        ushort head = AddRequest(type, sector, data, indirect, out ulong status);
        _queue.Kick();
        _machine.RunEvents();
        Assert.True(_queue.TryTake(out uint id, out _));
        Assert.Equal(head, id);
        return _driver.Fetch(status, 1)[0];
    }

    private void AssertDiskIs(byte[] expected)
    {
        const int Piece = 128 << 10;
        ulong data = _driver.Allocate(Piece);
        for (int at = 0; at < DiskBytes; at += Piece)
        {
            Assert.Equal((byte)0, Request(0, (ulong)at / 512, new TestBuffer(data, Piece, true)));
            Assert.True(expected.AsSpan(at, Piece).SequenceEqual(_driver.Fetch(data, Piece)), $"the disk differs within 128 KiB from {at}");
        }
    }

    /// <summary>A disk that can be told to fail, and counts flushes.</summary>
    private sealed class FaultyDisk(byte[] content) : IBlockDevice
    {
        private readonly MemoryDisk _inner = new(content);

        public bool IsBroken { get; set; }

        public int Flushes { get; private set; }

        public long Length => _inner.Length;

        public bool IsReadOnly => false;

        public void Read(long offset, Span<byte> destination)
        {
            Check();
            _inner.Read(offset, destination);
        }

        public void Write(long offset, ReadOnlySpan<byte> source)
        {
            Check();
            _inner.Write(offset, source);
        }

        public void Flush()
        {
            Check();
            Flushes++;
        }

        public void Discard(long offset, long length) => Check();

        public void Dispose() => _inner.Dispose();

        private void Check()
        {
            if (IsBroken)
            {
                throw new StorageException("the image is gone");
            }
        }
    }
}

public sealed class VirtioBlockModernTests() : VirtioBlockTests(legacy: false);

public sealed class VirtioBlockLegacyTests() : VirtioBlockTests(legacy: true);
