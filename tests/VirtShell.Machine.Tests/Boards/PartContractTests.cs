using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Display;
using VirtShell.Machine.Pci;
using Xunit;

namespace VirtShell.Machine.Tests.Boards;

/// <summary>What every part of every model keeps to, found in the rows: a part that is added is tested here by that alone.</summary>
public sealed class PartContractTests
{
    private const int Accesses = 200_000;
    private const int Copies = 4;

    // What a part holds is what it saves; the largest are the buffers of drives, 64 KiB each, and what is written to their media, but for
    // memory of its own, of which blocks of zeros are not saved.
    private const int LargestGrowth = 256 << 10;

    // Moving a range on the bus makes a map of all of them.
    private const long MostAllocated = 8192L * Accesses;

    // Events of a nanosecond each at most, in what time passes here.
    private const int MostEvents = Accesses;

    public static TheoryData<string, string> Parts
    {
        get
        {
            TheoryData<string, string> parts = [];
            foreach (MachineModel model in MachineModel.All)
            {
                foreach (PartRow row in model.Rows)
                {
                    parts.Add(model.Name, row.Name);
                }
            }

            return parts;
        }
    }

    /// <summary>Reset, accesses of every width anywhere in the claims, saving and loading in between: nothing is thrown, nothing grows, nothing is lost.</summary>
    [Theory]
    [MemberData(nameof(Parts))]
    public void Random_accesses_do_no_harm_and_state_stays_whole(string model, string part)
    {
        TestBoard board = BoardWith(part);
        board.UsePic();
        Toucher toucher = new(Row(model, part), seed: 1);
        int before = board.Snapshot().Length;
        long allocated = 0;
        long events = 0;
        for (int copy = 0; copy < Copies; copy++)
        {
            allocated -= GC.GetAllocatedBytesForCurrentThread();
            events += toucher.Touch(board, Accesses / Copies);
            allocated += GC.GetAllocatedBytesForCurrentThread();
            TestBoard loaded = board.Copy();
            Assert.Equal(board.Snapshot(), loaded.Snapshot());
            Assert.Equal(board.Intr, loaded.Intr);
            board = loaded;
        }

        int own = board.Board.Find<VgaAdapter>()?.Memory.Size ?? 0;
        Assert.InRange(board.Snapshot().Length - before, -LargestGrowth, LargestGrowth + own);
        Assert.InRange(allocated, 0, MostAllocated);
        Assert.InRange(events, 0, MostEvents);
        board.Board.Reset();
    }

    /// <summary>The same accesses give the same state, whatever happens on another board meanwhile, and reset forgets them all.</summary>
    [Theory]
    [MemberData(nameof(Parts))]
    public void Boards_beside_each_other_are_independent(string model, string part)
    {
        PartRow row = Row(model, part);
        (TestBoard first, TestBoard second, TestBoard untouched) = (BoardWith(part), BoardWith(part), BoardWith(part));
        byte[] start = untouched.Snapshot();
        Toucher one = new(row, seed: 2);
        Toucher other = new(row, seed: 2);
        for (int i = 0; i < 200; i++)
        {
            one.Touch(first, 10);
            if (i % 2 != 0)
            {
                other.Touch(second, 20);
            }
        }

        Assert.Equal(first.Snapshot(), second.Snapshot());
        Assert.Equal(start, untouched.Snapshot());
    }

    /// <summary>What a row claims is what its part maps, no less; that it is no more is seen whenever a board is built.</summary>
    [Theory]
    [MemberData(nameof(Parts))]
    public void Every_claim_is_answered(string model, string part)
    {
        TestBoard board = BoardWith(part);
        foreach (Claim claim in Row(model, part).Claims)
        {
            switch (claim.Kind)
            {
                case ClaimKind.Ports:
                    for (int port = (int)claim.First; port <= (int)claim.Last; port++)
                    {
                        Assert.Contains(board.Bus.PortRanges(), range => port >= range.First && port < range.First + range.Count);
                    }

                    break;
                case ClaimKind.Memory:
                    Assert.Contains((claim.First, claim.Last - claim.First + 1), board.Bus.MmioRanges());
                    break;
                default:
                    break;
            }
        }
    }

    // Firmware's machines have the most; what one of their parts replaces is on the others.
    private static TestBoard BoardWith(string part) =>
        MachineModel.Pc.Rows.Any(row => row.Replaces.Contains(part)) ? new($"{part}=on") : TestBoard.WithFirmware($"{part}=on");

    private static PartRow Row(string model, string part) => MachineModel.All.First(m => m.Name == model).Find(part)!;

    /// <summary>Accesses, from a seed, to whatever a part answers.</summary>
    private sealed class Toucher(PartRow row, int seed)
    {
        private readonly Random _random = new(seed);

        /// <summary>Makes that many accesses, time passing in between; gives how many events fired.</summary>
        public long Touch(TestBoard board, int count)
        {
            List<PciDevice> functions = [.. board.Board.Pci.Functions().Where(f => row.Claims.Any(c => c.Kind == ClaimKind.Pci && c.Overlaps(Claim.PciFunction("it", f.Slot, f.Function))))];
            List<Claim> ranges = [.. row.Claims.Where(claim => claim.Kind is ClaimKind.Ports or ClaimKind.Memory)];
            long events = 0;
            for (int i = 0; i < count; i++)
            {
                int size = 1 << _random.Next(3);
                int choice = _random.Next(16);
                if (choice == 0)
                {
                    events += board.Advance(_random.Next(4) == 0 ? _random.Next(20_000) : _random.Next(50));
                }
                else if (choice == 1)
                {
                    board.Interrupts.Acknowledge();
                }
                else if (functions.Count > 0 && (ranges.Count == 0 || choice < 8))
                {
                    TouchFunction(board, functions[_random.Next(functions.Count)], size);
                }
                else if (ranges.Count > 0)
                {
                    Claim claim = ranges[_random.Next(ranges.Count)];
                    Access(board, claim.Kind == ClaimKind.Memory, claim.First + (ulong)_random.NextInt64(claim.Count), size);
                }
            }

            return events;
        }

        private void TouchFunction(TestBoard board, PciDevice function, int size)
        {
            if (function.Bars.Count > 0 && _random.Next(4) != 0)
            {
                PciBar bar = function.Bars[_random.Next(function.Bars.Count)];
                uint at = (function.Config.Read(bar.Register, 4) & ~(bar.Size - 1)) + (uint)_random.NextInt64(bar.Size);
                if (!bar.IsIo || at <= ushort.MaxValue)
                {
                    Access(board, !bar.IsIo, at, size);
                }

                return;
            }

            int offset = _random.Next(256 / size) * size;
            if (_random.Next(2) == 0)
            {
                PciTestMachine.ReadConfig(board.Bus, function.Slot, function.Function, offset, size);
            }
            else
            {
                PciTestMachine.WriteConfig(board.Bus, function.Slot, function.Function, offset, size, Value());
            }
        }

        private void Access(TestBoard board, bool isMemory, ulong address, int size)
        {
            bool isRead = _random.Next(2) == 0;
            if (isMemory)
            {
                size <<= _random.Next(2);
                address = _random.Next(2) == 0 ? address & ~0xFul : address;
                if (isRead)
                {
                    board.Bus.ReadMmio(address, size);
                }
                else
                {
                    board.Bus.WriteMmio(address, size, Value());
                }
            }
            else if (isRead)
            {
                board.Bus.ReadPort((ushort)address, size);
            }
            else
            {
                board.Bus.WritePort((ushort)address, size, Value());
            }
        }

        private uint Value() => _random.Next(4) switch
        {
            0 => 0,
            1 => uint.MaxValue,
            2 => (uint)_random.Next(256),
            _ => (uint)_random.NextInt64(1L << 32),
        };
    }
}
