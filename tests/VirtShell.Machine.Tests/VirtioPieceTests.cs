using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Machine.Virtio;
using VirtShell.State;
using VirtShell.Storage;
using Xunit;

namespace VirtShell.Machine.Tests;

/// <summary>Whatever a guest asks for in one access, a small piece is done in it and in each event after it; the result is the same.</summary>
public sealed class VirtioPieceTests : IDisposable
{
    private const int RngSlot = 4;
    private const int ConsoleSlot = 5;
    private const int DiskSlot = 6;
    private const long HugeDisk = 100_000_000_000 / 4096 * 4096;
    private readonly PciTestMachine _machine = new();

    public static TheoryData<string, bool> Works
    {
        get
        {
            TheoryData<string, bool> rows = [];
            foreach (string work in (string[])["console output", "console input", "entropy", "disk read", "disk write", "zeroes", "discard", "long chains of output", "long chains of entropy", "long chains to the disk"])
            {
                rows.Add(work, false);
                rows.Add(work, true);
            }

            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Works))]
    public void Is_done_in_bounded_pieces(string work, bool legacy)
    {
        using Case one = new(_machine, work, legacy);
        one.Begin();
        int pieces = 0;
        while (true)
        {
            one.AssertPieceIsSmall();
            if (!FireOne(_machine))
            {
                break;
            }

            pieces++;
        }

        Assert.InRange(pieces, 2, 5000);
        one.AssertAllIsDone();
    }

    [Theory]
    [MemberData(nameof(Works))]
    public void Saved_half_way_it_ends_as_if_nothing_happened(string work, bool legacy)
    {
        using Case one = new(_machine, work, legacy);
        one.Begin();
        for (int i = 0; i < 3; i++)
        {
            FireOne(_machine);
        }

        byte[] saved = _machine.Save();
        using PciTestMachine machine = new();
        using Case other = new(machine, work, legacy);
        machine.Load(saved);
        Assert.Equal(saved, machine.Save());
        _machine.RunEvents();
        machine.RunEvents();
        Assert.Equal(_machine.Clock.Now, machine.Clock.Now);
        Assert.Equal(_machine.Memory.Hash(), machine.Memory.Hash());
        Assert.Equal(_machine.AssertedPins, machine.AssertedPins);
        Assert.Equal(_machine.Save(), machine.Save());
        one.AssertAllIsDone();
    }

    [Theory]
    [MemberData(nameof(Works))]
    public void A_reset_half_way_ends_it(string work, bool legacy)
    {
        using Case one = new(_machine, work, legacy);
        one.Begin();
        FireOne(_machine);
        one.Driver.Status = 0;
        Assert.Equal(0, _machine.RunEvents());
        one.Restart();
        one.Begin();
        _machine.RunEvents();
        one.AssertAllIsDone();
    }

    [Theory]
    [MemberData(nameof(Works))]
    public void Without_the_bus_master_bit_it_waits(string work, bool legacy)
    {
        using Case one = new(_machine, work, legacy);
        one.Begin();
        FireOne(_machine);
        one.Driver.WriteConfig(4, 2, 3);
        _machine.RunEvents();
        ushort used = one.Queue.UsedIndex;
        Assert.True(used < one.Queue.AvailableIndex);
        one.Driver.WriteConfig(4, 2, 7);
        _machine.RunEvents();
        one.AssertAllIsDone();
    }

    /// <summary>A notification while work is pending changes nothing: the work goes on by itself, at its own pace.</summary>
    [Theory]
    [MemberData(nameof(Works))]
    public void Notifying_again_does_not_hurry_it(string work, bool legacy)
    {
        using Case one = new(_machine, work, legacy);
        one.Begin();
        one.AssertPieceIsSmall();
        ushort used = one.Queue.UsedIndex;
        for (int i = 0; i < 100; i++)
        {
            one.Queue.Kick();
        }

        Assert.Equal(used, one.Queue.UsedIndex);
        _machine.RunEvents();
        one.AssertAllIsDone();
    }

    public static TheoryData<string, string> Changes
    {
        get
        {
            TheoryData<string, string> rows = [];
            foreach (string work in (string[])["console output", "disk read", "disk write", "zeroes", "discard"])
            {
                foreach (string change in (string[])["shorter", "longer", "outside RAM", "loop", "other header", "random"])
                {
                    rows.Add(work, change);
                }
            }

            return rows;
        }
    }

    /// <summary>What the guest changes under a request in hand is checked like any other: nothing throws or spins, and a reset heals.</summary>
    [Theory]
    [MemberData(nameof(Changes))]
    public void Changed_descriptors_are_checked_again(string work, string change)
    {
        for (int seed = 0; seed < 20; seed++)
        {
            using PciTestMachine machine = new();
            using Case one = new(machine, work, legacy: false);
            one.Begin();
            Random random = new(seed);
            for (int i = 0; i <= seed % 3; i++)
            {
                FireOne(machine);
            }

            one.Change(change, random);
            int events = machine.RunEvents(limit: 20_000);
            Assert.InRange(events, 0, 19_999);
            one.Driver.Status = 0;
            one.Restart();
            one.Begin();
            machine.RunEvents();
            one.AssertAllIsDone();
        }
    }

    [Theory]
    [InlineData(512)]
    [InlineData(65_536)]
    [InlineData(65_537 - 1 + 512)]
    [InlineData(1 << 20)]
    public void Pieces_move_no_completion(int bytes)
    {
        using Case one = new(_machine, "disk read", legacy: false);
        ulong data = one.Driver.Allocate(bytes);
        ulong header = one.Driver.Place(new byte[16]);
        one.Queue.Add(new TestBuffer(header, 16, false), new TestBuffer(data, (uint)bytes, true), new TestBuffer(one.Driver.Allocate(1), 1, true));
        one.Queue.Kick();
        _machine.RunEvents();
        Assert.Equal(1, one.Queue.UsedIndex);
        Assert.Equal(VirtioBlock.LatencyNanoseconds + ((bytes + 17) / VirtioBlock.BytesPerNanosecond), _machine.Clock.Now);
    }

    /// <summary>States from before pieces have no word of them.</summary>
    [Fact]
    public void Old_states_of_requests_in_flight_load()
    {
        using Case one = new(_machine, "disk read", legacy: false);
        one.Begin();
        byte[] saved = StateWithout(_machine.Save(), "transfers", "done", "accepting", "legacy");
        using PciTestMachine machine = new();
        using Case other = new(machine, "disk read", legacy: false);
        machine.Load(saved);
        machine.RunEvents();
        _machine.RunEvents();
        Assert.Equal(_machine.Memory.Hash(), machine.Memory.Hash());
    }

    /// <summary>Before there was a legacy interface devices had other identities.</summary>
    [Theory]
    [InlineData(0x1AF4_1042u, true)]
    [InlineData(0x1AF4_1001u, true)]
    [InlineData(0x1AF4_1044u, false)]
    [InlineData(0x8086_1042u, false)]
    public void States_of_the_old_identity_load(uint id, bool loads)
    {
        using Case one = new(_machine, "disk read", legacy: false);
        byte[] saved = _machine.Save();
        int at = saved.AsSpan().IndexOf("06.0"u8) + 4 + 4;
        Assert.Equal("id", System.Text.Encoding.ASCII.GetString(saved, at + 2, 2));
        BinaryPrimitives.WriteUInt32LittleEndian(saved.AsSpan(at + 4 + 8), id);
        if (loads)
        {
            _machine.Load(saved);
            Assert.Equal(0x1001_1AF4u, _machine.ReadConfig(DiskSlot, 0, 0, 4));
        }
        else
        {
            Assert.Throws<StateFormatException>(() => _machine.Load(saved));
        }
    }

    public void Dispose() => _machine.Dispose();

    private static bool FireOne(PciTestMachine machine)
    {
        if (machine.Clock.NextDue == long.MaxValue)
        {
            return false;
        }

        machine.Clock.SkipTo(machine.Clock.NextDue);
        return machine.Clock.FireNext();
    }

    // Renames values, which a reader then does not find.
    private static byte[] StateWithout(byte[] saved, params ReadOnlySpan<string> names)
    {
        foreach (string name in names)
        {
            byte[] header = [1, (byte)name.Length, .. System.Text.Encoding.ASCII.GetBytes(name)];
            for (byte kind = 1; kind <= 2; kind++)
            {
                header[0] = kind;
                for (int at = saved.AsSpan().IndexOf(header); at >= 0; at = saved.AsSpan().IndexOf(header))
                {
                    saved[at + 2] = (byte)'?';
                }
            }
        }

        return saved;
    }

    /// <summary>A device with a lot of work before it, and a measure of what one access does of it.</summary>
    private sealed class Case : IDisposable
    {
        private readonly PciTestMachine _machine;
        private readonly string _work;
        private readonly List<byte> _sent = [];
        private readonly CountingDisk _disk;
        private readonly VirtioConsole _console;
        private readonly bool _legacy;
        private int _sentBefore;
        private ushort _usedBefore;
        private ulong _start;
        private uint _bufferBytes;
        private int _chain;

        public Case(PciTestMachine machine, string work, bool legacy)
        {
            _machine = machine;
            _work = work;
            _legacy = legacy;
            _disk = new CountingDisk(HugeDisk);
            _console = new VirtioConsole(machine.Memory, machine.Clock, _sent.Add);
            machine.Pci.Attach(RngSlot, 0, new VirtioPciFunction(new VirtioRng(machine.Memory, machine.Clock, 1)));
            machine.Pci.Attach(ConsoleSlot, 0, new VirtioPciFunction(_console));
            machine.Pci.Attach(DiskSlot, 0, new VirtioPciFunction(new VirtioBlock(machine.Memory, machine.Clock, _disk, "pieces")));
            machine.PowerOn();
            Restart();
        }

        public VirtioTestDriver Driver { get; private set; } = null!;

        public VirtioTestQueue Queue { get; private set; } = null!;

        private bool IsLong => _work.StartsWith("long", StringComparison.Ordinal);

        private bool IsDisk => _work.Contains("disk", StringComparison.Ordinal) || _work is "zeroes" or "discard";

        /// <summary>A driver that starts from nothing.</summary>
        public void Restart()
        {
            int slot = IsDisk ? DiskSlot : _work.EndsWith("entropy", StringComparison.Ordinal) ? RngSlot : ConsoleSlot;
            int index = _work.EndsWith("output", StringComparison.Ordinal) ? 1 : 0;
            _machine.Memory.Write(0, new byte[PciTestMachine.MemoryBytes]);
            Driver = new VirtioTestDriver(_machine, slot, legacy: _legacy);
            Assert.True(Driver.Negotiate(Driver.RequiredFeatures | (Driver.DeviceFeatures & (VirtioFeature.RingIndirectDescriptors | (3UL << 13)))));
            Queue = Driver.SetUpQueue(index, 64);
            Driver.Start();
            Queue.Kick();
            _machine.RunEvents();
            _sent.Clear();
            _sentBefore = 0;
            _usedBefore = Queue.UsedIndex;
        }

        /// <summary>Hands it all over in one notification.</summary>
        public void Begin()
        {
            _disk.BytesAtOnce = 0;
            switch (_work)
            {
                case "console output":
                    Hand(64, 64 << 10, writable: false);
                    break;
                case "console input":
                    Hand(64, 4096, writable: true);
                    _console.Send(new byte[64 * 4096]);
                    return;
                case "entropy":
                    Hand(64, 4096, writable: true);
                    break;
                case "long chains of output":
                case "long chains of entropy":
                    _chain = 1024;
                    Hand(64, 1, writable: _work.EndsWith("entropy", StringComparison.Ordinal));
                    break;
                case "long chains to the disk":
                    // 62 sectors in buffers of 32 bytes.
                    _chain = 992;
                    HandToDisk(1, 64, 32, writable: false);
                    break;
                case "disk read":
                case "disk write":
                    HandToDisk(_work == "disk read" ? 0u : 1u, 3, 1 << 20, writable: _work == "disk read");
                    break;
                case "zeroes":
                    HandToDisk(13, 3, 16, writable: false, Range(8, 65_535));
                    break;
                case "discard":
                    HandToDisk(11, 3, 16 * 3, writable: false, [.. Range(8, 1 << 22), .. Range(1 << 23, 3), .. Range(1 << 24, (1 << 22) - 1)]);
                    break;
            }

            Queue.Kick();
        }

        /// <summary>What was done since the last call is little.</summary>
        public void AssertPieceIsSmall()
        {
            int requests = (ushort)(Queue.UsedIndex - _usedBefore);
            Assert.InRange(_sent.Count - _sentBefore, 0, VirtioConsole.OutputPieceBytes);
            Assert.InRange(_disk.BytesAtOnce, 0, _work switch
            {
                "discard" => VirtioBlock.DiscardPieceBytes,
                "zeroes" => VirtioBlock.WriteZeroesPieceBytes,
                _ => VirtioBlock.PieceBytes,
            });
            if (_bufferBytes > 1)
            {
                Assert.InRange(requests * (long)_bufferBytes, 0, IsDisk ? long.MaxValue : _work == "console input" ? VirtioConsole.InputPieceBytes : VirtioRng.PieceBytes);
            }

            if (IsLong)
            {
                Assert.InRange(requests, 0, (QueueWork.DescriptorBudget / _chain) + 1);
            }

            _sentBefore = _sent.Count;
            _usedBefore = Queue.UsedIndex;
            _disk.BytesAtOnce = 0;
        }

        public void AssertAllIsDone()
        {
            Assert.Equal(Queue.AvailableIndex, Queue.UsedIndex);
            Assert.Equal(0, Driver.Status & VirtioStatus.NeedsReset);
            if (IsDisk)
            {
                Assert.All(_statuses, at => Assert.Equal(0, Driver.Fetch(at, 1)[0]));
            }
        }

        public void Change(string how, Random random)
        {
            switch (how)
            {
                case "shorter":
                    WriteData((uint)(512 * random.Next(1, 4)), _start);
                    break;
                case "longer":
                    WriteData(2 << 20, _start);
                    break;
                case "outside RAM":
                    WriteData(1 << 20, PciTestMachine.MemoryBytes - 512);
                    break;
                case "loop":
                    for (int i = 0; i < Queue.Size; i++)
                    {
                        Queue.WriteDescriptor(Queue.Descriptors, i, _start, 16, 1, (ushort)i);
                    }

                    break;
                case "other header":
                    byte[] header = new byte[16];
                    random.NextBytes(header);
                    BinaryPrimitives.WriteUInt32LittleEndian(header, (uint)random.Next(15));
                    _machine.Memory.Write(_header, header);
                    break;
                default:
                    byte[] table = new byte[16 * Queue.Size];
                    random.NextBytes(table);
                    _machine.Memory.Write(Queue.Descriptors, table);
                    break;
            }
        }

        public void Dispose() => _disk.Dispose();

        private readonly List<ulong> _statuses = [];
        private ulong _header;

        private static byte[] Range(ulong sector, uint sectors)
        {
            byte[] bytes = new byte[16];
            BinaryPrimitives.WriteUInt64LittleEndian(bytes, sector);
            BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(8), sectors);
            return bytes;
        }

        private void WriteData(uint length, ulong address)
        {
            // The second descriptor of a request to the disk, or the only one.
            int index = IsDisk ? 1 : 0;
            ushort flags = (ushort)((IsDisk ? 1 : 0) | (_work == "disk read" ? 2 : 0));
            Queue.WriteDescriptor(Queue.Descriptors, index, address, length, flags, 2);
        }

        private void Hand(int requests, int bytes, bool writable)
        {
            _bufferBytes = (uint)bytes;
            _start = Driver.Allocate(bytes);
            for (int i = 0; i < requests; i++)
            {
                TestBuffer buffer = new(_start, (uint)bytes, writable);
                _ = IsLong ? Queue.AddIndirect([.. Enumerable.Repeat(buffer, _chain)]) : Queue.Add(buffer);
            }
        }

        private void HandToDisk(uint type, int requests, int bytes, bool writable, byte[]? data = null)
        {
            _bufferBytes = (uint)bytes;
            _start = data is null ? Driver.Allocate(bytes) : Driver.Place(data);
            byte[] header = new byte[16];
            BinaryPrimitives.WriteUInt32LittleEndian(header, type);
            BinaryPrimitives.WriteUInt64LittleEndian(header.AsSpan(8), 77);
            _header = Driver.Place(header);
            _statuses.Clear();
            for (int i = 0; i < requests; i++)
            {
                ulong status = Driver.Place([0xEE]);
                _statuses.Add(status);
                TestBuffer[] middle = [.. Enumerable.Repeat(new TestBuffer(_start, (uint)bytes, writable), IsLong ? _chain : 1)];
                TestBuffer[] chain = [new TestBuffer(_header, 16, false), .. middle, new TestBuffer(status, 1, true)];
                _ = IsLong ? Queue.AddIndirect(chain) : Queue.Add(chain);
            }
        }
    }

    /// <summary>A disk over memory that counts what is asked of it.</summary>
    private sealed class CountingDisk(long length) : IStatefulBlockDevice
    {
        private readonly MemoryDisk _inner = new(length);

        public long BytesAtOnce { get; set; }

        public long Length => length;

        public bool IsReadOnly => false;

        public void Read(long offset, Span<byte> destination)
        {
            BytesAtOnce += destination.Length;
            _inner.Read(offset, destination);
        }

        public void Write(long offset, ReadOnlySpan<byte> source)
        {
            BytesAtOnce += source.Length;
            _inner.Write(offset, source);
        }

        public void Flush()
        {
        }

        public void Discard(long offset, long length)
        {
            BytesAtOnce += length;
            _inner.Discard(offset, length);
        }

        public void WriteZeroes(long offset, long length)
        {
            BytesAtOnce += length;
            _inner.WriteZeroes(offset, length);
        }

        public void Describe(StateVisitor visitor) => _inner.Describe(visitor);

        public void Dispose() => _inner.Dispose();
    }
}
