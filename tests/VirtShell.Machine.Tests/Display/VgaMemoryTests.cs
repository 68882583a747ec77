using System;
using Xunit;

namespace VirtShell.Machine.Tests.Display;

/// <summary>Display memory as the processor sees it, by the documentation of the graphics controller and the sequencer.</summary>
public sealed class VgaMemoryTests
{
    /// <summary>Registers and accesses at random, against a model that goes bit by bit over planes which are arrays.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Every_access_is_what_a_model_of_bits_says(int seed)
    {
        Random random = new(seed);
        VgaTestBoard rig = new();
        PlaneModel model = new();
        rig.UsePlanes();
        model.Sequencer[2] = 0xF;
        model.Sequencer[4] = 6;
        model.Graphics[6] = 5;
        model.Graphics[8] = 0xFF;
        for (int i = 0; i < 60_000; i++)
        {
            if (random.Next(8) == 0)
            {
                bool isSequencer = random.Next(4) == 0;
                int index = isSequencer ? random.Next(2) == 0 ? 2 : 4 : random.Next(9);
                int value = index == 6 && !isSequencer ? random.Next(16) : random.Next(3) == 0 ? 0 : random.Next(256);
                value = !isSequencer && index == 8 && random.Next(2) == 0 ? 0xFF : value;
                rig.Indexed(isSequencer ? 0x3C4 : 0x3CE, index, value);
                (isSequencer ? model.Sequencer : model.Graphics)[index] = (byte)value;
                continue;
            }

            // A small part of each region, so that accesses meet.
            int offset = (random.Next(4) << 15) + random.Next(96);
            if (random.Next(2) == 0)
            {
                int value = random.Next(256);
                rig.Poke(offset, value);
                model.Write(offset, (byte)value);
            }
            else
            {
                Assert.Equal(model.Read(offset), rig.Peek(offset));
            }
        }
    }

    /// <summary>A mode in which bytes pass unchanged maps its window as RAM after a while, which nothing may show.</summary>
    [Theory]
    [InlineData(0x02, 0x03, 0x10, 0x0E, 0x18000)]
    [InlineData(0x02, 0x03, 0x10, 0x0A, 0x10000)]
    [InlineData(0x0E, 0x0F, 0x40, 0x05, 0)]
    public void A_window_mapped_as_RAM_reads_and_leaves_the_same_planes(int memoryMode, int mapMask, int mode, int miscellaneous, int start)
    {
        Random random = new(start + 1);
        VgaTestBoard fast = new();
        PlaneModel model = new();
        fast.UsePlanes();
        (int Port, int Index, int Value)[] registers = [(0x3C4, 4, memoryMode), (0x3C4, 2, mapMask), (0x3CE, 5, mode), (0x3CE, 6, miscellaneous)];
        foreach ((int port, int index, int value) in registers)
        {
            fast.Indexed(port, index, value);
            (port == 0x3C4 ? model.Sequencer : model.Graphics)[index] = (byte)value;
        }

        model.Graphics[8] = 0xFF;
        Span<byte> one = stackalloc byte[1];
        bool wasMapped = false;
        for (int i = 0; i < 4000; i++)
        {
            int offset = start + random.Next(0x8000);
            ulong address = VgaTestBoard.Window + (ulong)offset;
            if (random.Next(2) == 0)
            {
                one[0] = (byte)random.Next(256);
                model.Write(offset, one[0]);
                Write(fast, address, one);
            }
            else
            {
                fast.Board.Board.Memory.Read(address, one);
                Assert.Equal(model.Read(offset), one[0]);
            }

            wasMapped |= fast.Board.Board.Memory.KindOf(address) != 0;
        }

        Assert.True(wasMapped);
        fast.UsePlanes();
        Assert.Equal(VirtShell.Cpu.Memory.PageKinds.None, fast.Board.Board.Memory.KindOf(VgaTestBoard.Window + (ulong)start));
        for (int plane = 0; plane < 4; plane++)
        {
            fast.Indexed(0x3CE, 4, plane);
            for (int at = 0; at < 0x10000; at += 7)
            {
                Assert.Equal(model.Planes[plane][at], fast.Peek(at));
            }
        }
    }

    [Fact]
    public void Nothing_answers_outside_the_window_and_with_memory_switched_off()
    {
        VgaTestBoard rig = new();
        rig.UsePlanes();
        rig.Poke(0, 0x5A);
        Assert.Equal(0xFF, rig.Peek(0x10000));
        rig.Board.Out(0x3C2, 0x61);
        rig.Poke(0, 0x33);
        Assert.Equal(0xFF, rig.Peek(0));
        rig.Board.Out(0x3C2, 0x63);
        Assert.Equal(0x5A, rig.Peek(0));
    }

    [Fact]
    public void A_window_that_is_covered_leaves_its_pages_alone()
    {
        VgaTestBoard rig = VgaTestBoard.InTextMode();
        for (int i = 0; i < 1000; i++)
        {
            rig.Poke(0x18000, i);
        }

        Assert.NotEqual(VirtShell.Cpu.Memory.PageKinds.None, rig.Board.Board.Memory.KindOf(0xB8000));
        rig.Adapter.Window.IsCovered = true;
        Assert.Equal(VirtShell.Cpu.Memory.PageKinds.None, rig.Board.Board.Memory.KindOf(0xB8000));
        for (int i = 0; i < 1000; i++)
        {
            rig.Poke(0x18000, i);
        }

        Assert.Equal(VirtShell.Cpu.Memory.PageKinds.None, rig.Board.Board.Memory.KindOf(0xB8000));
        Assert.Equal(999 & 0xFF, rig.Peek(0x18000));
    }

    // As a guest: by RAM where there is some, else by the bus.
    private static void Write(VgaTestBoard rig, ulong address, ReadOnlySpan<byte> bytes)
    {
        if (rig.Board.Board.Memory.KindOf(address) != 0)
        {
            rig.Board.Board.Memory.Write(address, bytes);
        }
        else
        {
            rig.Board.Bus.WriteMmio(address, 1, bytes[0]);
        }
    }

    private sealed class PlaneModel
    {
        private readonly byte[] _latches = new byte[4];

        public byte[][] Planes { get; } = [new byte[65536], new byte[65536], new byte[65536], new byte[65536]];

        public byte[] Sequencer { get; } = new byte[8];

        public byte[] Graphics { get; } = new byte[16];

        private bool Chain4 => (Sequencer[4] & 8) != 0;

        private int WriteMode => Graphics[5] & 3;

        // Modes that pass bytes unchanged do not load latches here; the documentation of the part says so.
        private bool IsPlain
        {
            get
            {
                bool unchanged = WriteMode == 0 && (Graphics[5] & 8) == 0 && (Graphics[1] & 0xF) == 0 && (Graphics[3] & 0x1F) == 0 && Graphics[8] == 0xFF;
                bool text = (Sequencer[4] & 4) == 0 && (Graphics[5] & 0x10) != 0 && (Graphics[6] & 2) != 0 && (Sequencer[2] & 0xF) == 3 && (Graphics[6] & 8) != 0;
                return unchanged && (Chain4 ? (Sequencer[2] & 0xF) == 0xF && (Graphics[6] & 0xC) == 4 : text);
            }
        }

        public int Read(int offset)
        {
            if (!Find(offset, out int address))
            {
                return 0xFF;
            }

            int plane = Graphics[4] & 3;
            int at = address;
            if (Chain4)
            {
                plane = address % 4;
                at = Chained(address);
            }
            else
            {
                plane = (Graphics[5] & 0x10) != 0 ? (plane & 2) + (address % 2) : plane;
                at = (Graphics[6] & 2) != 0 ? address - (address % 2) : address;
            }

            at %= 65536;
            if (!IsPlain)
            {
                for (int i = 0; i < 4; i++)
                {
                    _latches[i] = Planes[i][at];
                }
            }

            if (Chain4 || (Graphics[5] & 8) == 0)
            {
                return Planes[plane][at];
            }

            int result = 0;
            for (int bit = 0; bit < 8; bit++)
            {
                bool same = true;
                for (int i = 0; i < 4; i++)
                {
                    if ((Graphics[7] >> i & 1) != 0)
                    {
                        same &= (Planes[i][at] >> bit & 1) == (Graphics[2] >> i & 1);
                    }
                }

                result |= same ? 1 << bit : 0;
            }

            return result;
        }

        public void Write(int offset, byte value)
        {
            if (!Find(offset, out int address))
            {
                return;
            }

            for (int plane = 0; plane < 4; plane++)
            {
                bool enabled = (Sequencer[2] >> plane & 1) != 0;
                if (Chain4)
                {
                    enabled &= address % 4 == plane;
                }
                else if ((Sequencer[4] & 4) == 0)
                {
                    enabled &= address % 2 == plane % 2;
                }

                int at = (Chain4 ? Chained(address) : (Graphics[6] & 2) != 0 ? address - (address % 2) : address) % 65536;
                if (enabled)
                {
                    Planes[plane][at] = Result(plane, value);
                }
            }
        }

        private byte Result(int plane, byte value)
        {
            if (WriteMode == 1)
            {
                return _latches[plane];
            }

            int count = Graphics[3] & 7;
            int turned = ((value >> count) | (value << (8 - count))) & 0xFF;
            int setReset = (Graphics[0] >> plane & 1) != 0 ? 0xFF : 0;
            int mask = WriteMode == 3 ? Graphics[8] & turned : Graphics[8];
            int data = WriteMode switch
            {
                0 => (Graphics[1] >> plane & 1) != 0 ? setReset : turned,
                2 => (value >> plane & 1) != 0 ? 0xFF : 0,
                _ => setReset,
            };
            int latch = _latches[plane];
            int combined = (Graphics[3] >> 3 & 3) switch { 1 => data & latch, 2 => data | latch, 3 => data ^ latch, _ => data };
            return (byte)((combined & mask) | (latch & ~mask));
        }

        private static int Chained(int address) => ((address % 65536) - (address % 4)) + (address / 16384 % 4);

        private bool Find(int offset, out int address)
        {
            (int start, int length) = (Graphics[6] >> 2 & 3) switch { 0 => (0, 0x20000), 1 => (0, 0x10000), 2 => (0x10000, 0x8000), _ => (0x18000, 0x8000) };
            address = offset - start;
            return address >= 0 && address < length;
        }
    }
}
