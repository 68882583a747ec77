using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Interrupts;
using VirtShell.State;
using VirtShell.Storage;
using Xunit;

namespace VirtShell.Machine.Tests.Chipset;

/// <summary>A board with the pins of two processors: what is addressed to one reaches that one, and each has registers of its own.</summary>
public sealed class LocalApicGroupTests
{
    private const ulong Registers = LocalApic.DefaultBase;
    private const byte Vector = 0x55;

    private readonly TwoProcessors _board = new();

    public static TheoryData<string, uint, bool, ApicDeliveryMode, string> Messages => new()
    {
        { "flat", 0, false, ApicDeliveryMode.Fixed, "0" },
        { "flat", 1, false, ApicDeliveryMode.Fixed, "1" },
        { "flat", 2, false, ApicDeliveryMode.Fixed, "" },
        { "flat", 0xFF, false, ApicDeliveryMode.Fixed, "0 1" },
        { "flat", 1, true, ApicDeliveryMode.Fixed, "0" },
        { "flat", 2, true, ApicDeliveryMode.Fixed, "1" },
        { "flat", 3, true, ApicDeliveryMode.Fixed, "0 1" },
        { "flat", 4, true, ApicDeliveryMode.Fixed, "" },
        { "flat", 3, true, ApicDeliveryMode.LowestPriority, "0" },
        { "flat", 2, true, ApicDeliveryMode.LowestPriority, "1" },
        { "flat", 0xFF, false, ApicDeliveryMode.LowestPriority, "0" },
        { "flat", 8, true, ApicDeliveryMode.LowestPriority, "" },
        { "first is busy", 3, true, ApicDeliveryMode.LowestPriority, "1" },
        { "first is busy", 1, true, ApicDeliveryMode.LowestPriority, "0" },
        { "cluster", 0x11, true, ApicDeliveryMode.Fixed, "0" },
        { "cluster", 0x21, true, ApicDeliveryMode.Fixed, "1" },
        { "cluster", 0x12, true, ApicDeliveryMode.Fixed, "" },
        { "cluster", 0xF1, true, ApicDeliveryMode.Fixed, "0 1" },
        { "flat", 1, false, ApicDeliveryMode.Nmi, "NMI 1" },
        { "flat", 0xFF, false, ApicDeliveryMode.Nmi, "NMI 0, NMI 1" },
        { "flat", 1, false, ApicDeliveryMode.Init, "INIT 1" },
        { "flat", 0, false, ApicDeliveryMode.Init, "INIT 0" },
        { "flat", 1, false, ApicDeliveryMode.StartUp, "start 1 at 55h" },
        { "second is off", 1, false, ApicDeliveryMode.Fixed, "" },
        { "second is off", 3, true, ApicDeliveryMode.LowestPriority, "0" },
    };

    [Theory]
    [MemberData(nameof(Messages))]
    public void A_message_reaches_whom_it_names(string setting, uint destination, bool isLogical, ApicDeliveryMode mode, string expected)
    {
        foreach (string way in (string[])["MSI", "I/O APIC", "IPI of the first", "IPI of the second"])
        {
            if (setting == "second is off" && way == "IPI of the second")
            {
                continue;
            }

            TwoProcessors board = new();
            Prepare(board, setting);
            board.Seen.Clear();
            Send(board, way, destination, isLogical, mode);
            Assert.Equal((way, expected), (way, board.Outcome(Vector)));
        }
    }

    [Theory]
    [InlineData(1, "0")]
    [InlineData(2, "0 1")]
    [InlineData(3, "1")]
    public void Shorthands_name_others_and_oneself(uint shorthand, string expected)
    {
        Prepare(_board, "flat");
        _board.Write(0, 0x300, (shorthand << 18) | Vector);
        Assert.Equal(expected, _board.Outcome(Vector));
    }

    [Fact]
    public void In_x2APIC_mode_destinations_have_32_bits()
    {
        foreach (int processor in (int[])[0, 1])
        {
            LocalApic apic = _board.Interrupts.LocalApics[processor];
            Assert.True(apic.TryReadMsr(0x1B, out ulong apicBase));
            Assert.Equal(processor == 0, (apicBase & 0x100) != 0);
            Assert.True(apic.TryWriteMsr(0x1B, apicBase | 0xC00));
            Assert.True(apic.TryWriteMsr(0x80F, 0x1FF));
            Assert.True(apic.TryReadMsr(0x802, out ulong id));
            Assert.Equal((ulong)processor, id);
            Assert.True(apic.TryReadMsr(0x80D, out ulong logical));
            Assert.Equal(1ul << processor, logical);
        }

        // Physical to the second, logical to both, and one that would be a broadcast if it had eight bits.
        foreach ((ulong command, string expected) in ((ulong, string)[])[((1ul << 32) | Vector, "1"), ((3ul << 32) | 0x800 | Vector, "0 1"), ((0xFFul << 32) | Vector, ""), ((0xFFFF_FFFFul << 32) | Vector, "0 1")])
        {
            Assert.True(_board.Interrupts.LocalApics[0].TryWriteMsr(0x830, command));
            Assert.Equal(expected, _board.Outcome(Vector, take: true));
        }
    }

    [Fact]
    public void Each_processor_finds_its_own_registers()
    {
        Assert.Equal(0u, _board.Read(0, 0x20));
        Assert.Equal(1u << 24, _board.Read(1, 0x20));
        _board.Write(1, 0x80, 0x30);
        Assert.Equal((0u, 0x30u), (_board.Read(0, 0x80), _board.Read(1, 0x80)));

        // The second one moves away: its old place is empty for it, and the first one's as it was.
        Assert.True(_board.Interrupts.LocalApics[1].TryWriteMsr(0x1B, 0xFED0_0800));
        Assert.Equal(uint.MaxValue, _board.Read(1, 0x20));
        Assert.Equal(0u, _board.Read(0, 0x20));
        _board.Interrupts.LocalApics.Running = 1;
        Assert.Equal(1ul << 24, _board.Bus.ReadMmio(0xFED0_0020, 4));
        _board.Interrupts.LocalApics.Running = 0;
        Assert.Equal(uint.MaxValue, (uint)_board.Bus.ReadMmio(0xFED0_0020, 4));

        // And so does the first.
        Assert.True(_board.Interrupts.LocalApics[0].TryWriteMsr(0x1B, 0xFED0_0900));
        Assert.Equal(0ul, _board.Bus.ReadMmio(0xFED0_0020, 4));
        Assert.DoesNotContain(_board.Bus.MmioRanges(), static range => range.Start == Registers);
        Assert.Single(_board.Bus.MmioRanges(), static range => range.Start == 0xFED0_0000);
        _board.Board.Reset();
        Assert.Equal(1u << 24, _board.Read(1, 0x20));
    }

    [Fact]
    public void The_8259s_reach_the_first_processor_alone()
    {
        _board.Interrupts.LocalApic.InitializeAsFirmware();
        _board.Interrupts.Pic.InitializeAsFirmware();
        _board.Bus.WritePort(0x21, 1, 0);
        _board.Interrupts.SetIsaIrq(4, true);
        Assert.Equal("0", _board.Outcome(0x0C));
        Assert.Equal(-1, _board.Interrupts.Acknowledge(1));
        Assert.Equal(0x0C, _board.Interrupts.Acknowledge(0));
    }

    [Fact]
    public void State_of_each_is_its_own()
    {
        Prepare(_board, "cluster");
        _board.Write(0, 0x80, 0x20);
        _board.Interrupts.LocalApics.Deliver(new ApicMessage(1, false, ApicDeliveryMode.Fixed, Vector, false));
        TwoProcessors copy = new();
        copy.Load(_board.Save());
        copy.Interrupts.Resynchronize();
        Assert.Equal(_board.Save(), copy.Save());
        Assert.Equal((0x20u, 0u), (copy.Read(0, 0x80), copy.Read(1, 0x80)));
        Assert.Equal("1", copy.Outcome(Vector));

        // State with one processor is of the first one, and the others are reset.
        TestBoard single = new();
        single.Mmio(Registers + 0x80, 0x40);
        copy.Board.Reset();
        copy.Interrupts.LocalApics.Load(single.Board.Find<LocalApicGroup>()!.Save());
        Assert.Equal((0x40u, 0u), (copy.Read(0, 0x80), copy.Read(1, 0x80)));
    }

    private static void Prepare(TwoProcessors board, string setting)
    {
        for (int processor = 0; processor < 2; processor++)
        {
            bool isCluster = setting == "cluster";
            board.Write(processor, 0xF0, 0x1FF);
            board.Write(processor, 0xE0, isCluster ? 0x0FFF_FFFF : uint.MaxValue);
            board.Write(processor, 0xD0, isCluster ? (((uint)processor + 1) << 28) | (1u << 24) : 1u << (24 + processor));
        }

        if (setting == "first is busy")
        {
            board.Write(0, 0x80, 0x30);
        }
        else if (setting == "second is off")
        {
            Assert.True(board.Interrupts.LocalApics[1].TryWriteMsr(0x1B, LocalApic.DefaultBase));
        }
    }

    private static void Send(TwoProcessors board, string way, uint destination, bool isLogical, ApicDeliveryMode mode)
    {
        uint command = ((uint)mode << 8) | Vector;
        switch (way)
        {
            case "MSI":
                board.Interrupts.DeliverMsi(0xFEE0_0000 | (destination << 12) | (isLogical ? 4u : 0), command);
                break;
            case "I/O APIC":
                board.Bus.WriteMmio(IoApic.BaseAddress, 4, 0x19);
                board.Bus.WriteMmio(IoApic.BaseAddress + 0x10, 4, destination << 24);
                board.Bus.WriteMmio(IoApic.BaseAddress, 4, 0x18);
                board.Bus.WriteMmio(IoApic.BaseAddress + 0x10, 4, command | (isLogical ? 0x800u : 0));
                board.Interrupts.SetIsaIrq(4, true);
                break;
            default:
                int sender = way.EndsWith("first", StringComparison.Ordinal) ? 0 : 1;
                board.Write(sender, 0x310, destination << 24);
                board.Write(sender, 0x300, command | (isLogical ? 0x800u : 0));
                break;
        }
    }

    /// <summary>The board of the PC with two processors' pins, which note what comes.</summary>
    private sealed class TwoProcessors : IBoardSignals, IStateful
    {
        private readonly Pins[] _pins;

        public TwoProcessors()
        {
            _pins = [new Pins(this, 0), new Pins(this, 1)];
            Board = new Board(
                new MachineConfiguration { MemoryBytes = 1 << 20, Boot = new MultibootBoot(default, string.Empty) },
                new PhysicalMemory(1 << 20),
                new MachineClock(static () => 0),
                this);
            Board.Reset();
        }

        public Board Board { get; }

        public IoBus Bus => Board.Bus;

        public InterruptRouter Interrupts => Board.Interrupts;

        public IReadOnlyList<IProcessorPins> Processors => _pins;

        public List<string> Seen { get; } = [];

        public uint Read(int processor, ulong register)
        {
            Interrupts.LocalApics.Running = processor;
            return (uint)Bus.ReadMmio(Registers + register, 4);
        }

        public void Write(int processor, ulong register, uint value)
        {
            Interrupts.LocalApics.Running = processor;
            Bus.WriteMmio(Registers + register, 4, value);
        }

        /// <summary>Who was told what, and who is asked to take an interrupt.</summary>
        public string Outcome(int vector, bool take = false)
        {
            string requested = string.Join(' ', _pins.Where(static pins => pins.Intr).Select(static pins => pins.Number));
            foreach (Pins pins in _pins.Where(pins => take && pins.Intr))
            {
                Assert.Equal(vector, Interrupts.Acknowledge(pins.Number));
                Interrupts.LocalApics[pins.Number].TryWriteMsr(0x80B, 0);
            }

            return string.Join(", ", Seen.Append(requested).Where(static text => text.Length > 0));
        }

        public void SetA20(bool isOpen)
        {
        }

        public void RequestExit(MachineExit exit) => throw new InvalidOperationException($"{exit}");

        public void Output(Outlet outlet, byte value) => throw new InvalidOperationException(outlet.Name);

        public void StorageFaulted(StorageException error) => throw error;

        public void Describe(StateVisitor visitor) => visitor.Parts(Board.Devices, static device => device.Name, last: Board.ControllerCount);

        private sealed class Pins(TwoProcessors board, int number) : IProcessorPins
        {
            public int Number => number;

            public bool Intr { get; private set; }

            public void SetInterruptRequest(bool asserted) => Intr = asserted;

            public void RaiseNmi() => board.Seen.Add($"NMI {number}");

            public void RaiseInit() => board.Seen.Add($"INIT {number}");

            public void RaiseStartUp(byte vector) => board.Seen.Add($"start {number} at {vector:X}h");
        }
    }
}
