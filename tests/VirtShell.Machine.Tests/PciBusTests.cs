using System;
using System.Collections.Generic;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Pci;
using VirtShell.State;
using Xunit;

namespace VirtShell.Machine.Tests;

public sealed class PciBusTests : IDisposable
{
    private const int Slot = 9;
    private readonly PciTestMachine _machine = new();
    private readonly TestFunction _function = new();

    public PciBusTests()
    {
        _machine.AttachChipset();
        _machine.Pci.Attach(Slot, 0, _function);
        _machine.PowerOn();
    }

    [Fact]
    public void The_chipset_is_there()
    {
        Assert.Equal(0x12378086u, _machine.ReadConfig(0, 0, 0x00, 4));
        Assert.Equal(0x06000002u, _machine.ReadConfig(0, 0, 0x08, 4));
        Assert.Equal(0x70008086u, _machine.ReadConfig(1, 0, 0x00, 4));
        Assert.Equal(0x80u, _machine.ReadConfig(1, 0, 0x0E, 1));
        Assert.Equal(0x71138086u, _machine.ReadConfig(1, 3, 0x00, 4));
        Assert.Equal(0x601u, _machine.ReadConfig(1, 3, 0x40, 4));
        Assert.Equal(1u, _machine.ReadConfig(1, 3, 0x80, 1));
        Assert.Equal(new byte[] { 10, 11, 10, 11 }, _machine.PirqRoutes);
    }

    [Fact]
    public void The_power_function_tells_where_its_block_is()
    {
        using PciTestMachine machine = new();
        List<(ushort, bool)> moves = [];
        machine.AttachChipset().PowerManagementMoved = (port, decoded) => moves.Add((port, decoded));
        machine.PowerOn();
        Assert.Equal((0x600, true), moves[^1]);
        machine.WriteConfig(1, 3, 0x40, 4, 0xFFFF_B023);
        Assert.Equal((0xB000, true), moves[^1]);
        Assert.Equal(0xB001u, machine.ReadConfig(1, 3, 0x40, 4));
        machine.WriteConfig(1, 3, 0x80, 1, 0);
        Assert.Equal((0xB000, false), moves[^1]);
    }

    [Fact]
    public void Routes_can_be_changed_by_byte_and_doubleword()
    {
        _machine.WriteConfig(1, 0, 0x61, 1, 0x05);
        Assert.Equal(new byte[] { 10, 5, 10, 11 }, _machine.PirqRoutes);
        _machine.WriteConfig(1, 0, 0x60, 4, 0x8003_04FF);
        Assert.Equal(new byte[] { 0x8F, 4, 3, 0x80 }, _machine.PirqRoutes);
    }

    [Theory]
    [InlineData(2, 0)]
    [InlineData(31, 7)]
    [InlineData(0, 1)]
    public void Absent_functions_read_all_ones(int slot, int function)
    {
        _machine.WriteConfig(slot, function, 0x04, 4, 7);
        Assert.Equal(0xFFFF_FFFFu, _machine.ReadConfig(slot, function, 0, 4));
        Assert.Equal(0xFFFFu, _machine.ReadConfig(slot, function, 2, 2));
        Assert.Equal(0xFFu, _machine.ReadConfig(slot, function, 7, 1));
    }

    [Fact]
    public void The_address_register_takes_doublewords_only()
    {
        _machine.Bus.WritePort(0xCF8, 4, 0x8000_0000);
        Assert.Equal(0x8000_0000u, _machine.Bus.ReadPort(0xCF8, 4));
        _machine.Bus.WritePort(0xCFB, 1, 0x01);
        _machine.Bus.WritePort(0xCF8, 2, 0x1234);
        Assert.Equal(0x8000_0000u, _machine.Bus.ReadPort(0xCF8, 4));
        _machine.Bus.WritePort(0xCF8, 4, 0xFFFF_FFFF);
        Assert.Equal(0x80FF_FFFCu, _machine.Bus.ReadPort(0xCF8, 4));

        // Not enabled, and another bus: nobody answers.
        _machine.Bus.WritePort(0xCF8, 4, 0x0000_0000);
        Assert.Equal(0xFFFF_FFFFu, _machine.Bus.ReadPort(0xCFC, 4));
        _machine.Bus.WritePort(0xCF8, 4, 0x8001_0000);
        Assert.Equal(0xFFFF_FFFFu, _machine.Bus.ReadPort(0xCFC, 4));
    }

    [Fact]
    public void Data_is_read_by_byte_word_and_doubleword()
    {
        Assert.Equal(0x5678_1234u, _machine.ReadConfig(Slot, 0, 0, 4));
        Assert.Equal(0x1234u, _machine.ReadConfig(Slot, 0, 0, 2));
        Assert.Equal(0x5678u, _machine.ReadConfig(Slot, 0, 2, 2));
        Assert.Equal([0x34u, 0x12u, 0x78u, 0x56u], [_machine.ReadConfig(Slot, 0, 0, 1), _machine.ReadConfig(Slot, 0, 1, 1), _machine.ReadConfig(Slot, 0, 2, 1), _machine.ReadConfig(Slot, 0, 3, 1)]);
        Assert.Equal(0x7812u, _machine.ReadConfig(Slot, 0, 1, 2));
        Assert.Equal(0xABCD_1AF4u, _machine.ReadConfig(Slot, 0, 0x2C, 4));
    }

    [Fact]
    public void Writes_are_honoured_by_mask()
    {
        for (int offset = 0; offset < 0x40; offset += 4)
        {
            _machine.WriteConfig(Slot, 0, offset, 4, 0xFFFF_FFFF);
        }

        Assert.Equal(0x5678_1234u, _machine.ReadConfig(Slot, 0, 0, 4));
        Assert.Equal(0x0547u, _machine.ReadConfig(Slot, 0, 4, 2));
        Assert.Equal(0x0010u, _machine.ReadConfig(Slot, 0, 6, 2));
        Assert.Equal(0xABCD_1AF4u, _machine.ReadConfig(Slot, 0, 0x2C, 4));
        Assert.Equal(0x01FFu, _machine.ReadConfig(Slot, 0, 0x3C, 4));
    }

    [Fact]
    public void Resources_are_assigned_at_reset()
    {
        uint memory = _machine.ReadConfig(Slot, 0, 0x10, 4);
        uint ports = _machine.ReadConfig(Slot, 0, 0x14, 4);
        Assert.InRange(memory, PciBus.MemoryWindowStart, PciBus.MemoryWindowEnd - 1);
        Assert.Equal(0u, memory & (TestFunction.MemorySize - 1));
        Assert.Equal(1u, ports & 3);
        Assert.InRange(ports, PciBus.PortWindowStart, 0xFFFFu);
        Assert.Equal(3u, _machine.ReadConfig(Slot, 0, 4, 2));
        Assert.Equal((uint)_machine.LegacyIrqOf(Slot, 1), _machine.ReadConfig(Slot, 0, 0x3C, 1));
        Assert.Equal(0xA5_08UL, _machine.Bus.ReadMmio(memory + 8, 2));
        Assert.Equal((ports & ~3u) + 4, _machine.Bus.ReadPort((ushort)((ports & ~3u) + 4), 4));
    }

    [Fact]
    public void Bars_size_move_and_follow_the_decode_bits()
    {
        uint old = _machine.ReadConfig(Slot, 0, 0x10, 4);
        _machine.WriteConfig(Slot, 0, 4, 2, 0);
        Assert.Equal(0xFFUL, _machine.Bus.ReadMmio(old, 1));
        _machine.WriteConfig(Slot, 0, 0x10, 4, 0xFFFF_FFFF);
        Assert.Equal(~(TestFunction.MemorySize - 1), _machine.ReadConfig(Slot, 0, 0x10, 4));
        _machine.WriteConfig(Slot, 0, 0x14, 4, 0xFFFF_FFFF);
        Assert.Equal(~(TestFunction.PortCount - 1) | 1, _machine.ReadConfig(Slot, 0, 0x14, 4));

        _machine.WriteConfig(Slot, 0, 0x10, 4, 0xF000_0123);
        _machine.WriteConfig(Slot, 0, 0x14, 4, 0xD000);
        Assert.Equal(0xF000_0000u, _machine.ReadConfig(Slot, 0, 0x10, 4));
        Assert.Equal(0xFFUL, _machine.Bus.ReadMmio(0xF000_0000, 1));
        _machine.WriteConfig(Slot, 0, 4, 2, 2);
        Assert.Equal(0xA5_10UL, _machine.Bus.ReadMmio(0xF000_0010, 2));
        Assert.Equal(0xFFu, _machine.Bus.ReadPort(0xD000, 1));
        _machine.WriteConfig(Slot, 0, 4, 2, 3);
        Assert.Equal(0xD004u, _machine.Bus.ReadPort(0xD004, 2));
        _machine.WriteConfig(Slot, 0, 0x10, 4, 0xF100_0000);
        Assert.Equal(0xFFUL, _machine.Bus.ReadMmio(0xF000_0010, 1));
        Assert.Equal(0xA5_10UL, _machine.Bus.ReadMmio(0xF100_0010, 2));
    }

    [Fact]
    public void The_interrupt_pin_follows_its_level_and_the_disable_bit()
    {
        _function.Drive(true);
        Assert.Contains((Slot, 1), _machine.AssertedPins);
        Assert.Equal(0x0018u, _machine.ReadConfig(Slot, 0, 6, 2));
        _machine.WriteConfig(Slot, 0, 4, 2, 0x0403);
        Assert.Empty(_machine.AssertedPins);
        Assert.Equal(0x0018u, _machine.ReadConfig(Slot, 0, 6, 2));
        _machine.WriteConfig(Slot, 0, 4, 2, 0x0003);
        Assert.Contains((Slot, 1), _machine.AssertedPins);
        _function.Drive(false);
        Assert.Empty(_machine.AssertedPins);
        Assert.Equal(0x0010u, _machine.ReadConfig(Slot, 0, 6, 2));
    }

    [Fact]
    public void Msix_delivers_masks_and_keeps_pending()
    {
        uint table = EnableMsix();
        _function.Drive(true);
        Assert.Empty(_machine.AssertedPins);
        _function.Raise(1);
        Assert.Equal([(0xFEE0_1000UL, 0x41u)], _machine.Messages);
        _machine.Messages.Clear();

        // Masked by vector, then by function: pending, delivered once when unmasked.
        _machine.Bus.WriteMmio(table + 16 + 12, 4, 1);
        _function.Raise(1);
        _function.Raise(1);
        Assert.Equal(2UL, _machine.Bus.ReadMmio(table + 0x800, 8));
        Assert.Empty(_machine.Messages);
        _machine.WriteConfig(Slot, 0, 0x42, 2, 0xC000);
        _machine.Bus.WriteMmio(table + 16 + 12, 4, 0);
        Assert.Empty(_machine.Messages);
        _machine.WriteConfig(Slot, 0, 0x42, 2, 0x8000);
        Assert.Equal([(0xFEE0_1000UL, 0x41u)], _machine.Messages);
        Assert.Equal(0UL, _machine.Bus.ReadMmio(table + 0x800, 8));

        // Vectors that do not exist do nothing.
        _function.Raise(3);
        _function.Raise(-1);
        _function.Raise(0xFFFF);
        Assert.Single(_machine.Messages);

        // Off again: the pin is back.
        _machine.WriteConfig(Slot, 0, 0x42, 2, 0);
        Assert.Contains((Slot, 1), _machine.AssertedPins);
    }

    [Fact]
    public void Msix_needs_the_bus_master_bit()
    {
        EnableMsix();
        _machine.WriteConfig(Slot, 0, 4, 2, 3);
        _function.Raise(1);
        Assert.Empty(_machine.Messages);
        _machine.WriteConfig(Slot, 0, 4, 2, 7);
        Assert.Single(_machine.Messages);
    }

    [Fact]
    public void The_capability_list_ends()
    {
        Assert.Equal(0x40u, _machine.ReadConfig(Slot, 0, 0x34, 1));
        Assert.Equal(0x11u, _machine.ReadConfig(Slot, 0, 0x40, 1));
        Assert.Equal(0u, _machine.ReadConfig(Slot, 0, 0x41, 1));
        Assert.Equal(2u, _machine.ReadConfig(Slot, 0, 0x42, 2));
        Assert.Equal(2u, _machine.ReadConfig(Slot, 0, 0x44, 4));
        Assert.Equal(0x802u, _machine.ReadConfig(Slot, 0, 0x48, 4));
    }

    [Fact]
    public void Saves_and_loads()
    {
        uint table = EnableMsix();
        _machine.WriteConfig(Slot, 0, 0x10, 4, 0xF200_0000);
        _machine.Bus.WriteMmio(table + 12, 4, 1);
        _function.Raise(0);
        _function.Drive(true);
        byte[] saved = _machine.Save();

        using PciTestMachine other = new();
        TestFunction function = new();
        other.AttachChipset();
        other.Pci.Attach(Slot, 0, function);
        other.PowerOn();
        other.Load(saved);
        Assert.Equal(saved, other.Save());
        Assert.Equal(0xA5_10UL, other.Bus.ReadMmio(0xF200_0010, 2));
        Assert.Equal(1UL, other.Bus.ReadMmio(table + 0x800, 8));
        other.WriteConfig(Slot, 0, 0x42, 2, 0);
        Assert.Contains((Slot, 1), other.AssertedPins);

        using PciTestMachine wrong = new();
        wrong.AttachChipset();
        wrong.Pci.Attach(Slot, 0, new TestFunction(0x9999));
        Assert.Contains("another device", Assert.Throws<StateFormatException>(() => wrong.Load(saved)).Message);
    }

    [Fact]
    public void Random_configuration_accesses_do_no_harm()
    {
        Random random = new(11);
        for (int i = 0; i < 50_000; i++)
        {
            ushort port = (ushort)random.Next(0xCF8, 0xD00);
            int size = 1 << random.Next(3);
            uint value = (uint)random.NextInt64(1L << 32);
            if (random.Next(3) == 0)
            {
                _machine.Bus.WritePort(0xCF8, 4, 0x8000_0000 | (value & 0xFFFC));
            }
            else if (random.Next(2) == 0)
            {
                _machine.Bus.WritePort(port, size, value);
            }
            else
            {
                _machine.Bus.ReadPort(port, size);
            }
        }

        _machine.PowerOn();
        Resources_are_assigned_at_reset();
    }

    public void Dispose() => _machine.Dispose();

    private uint EnableMsix()
    {
        uint table = _machine.ReadConfig(Slot, 0, 0x18, 4);
        _machine.Bus.WriteMmio(table + 16, 8, 0xFEE0_1000);
        _machine.Bus.WriteMmio(table + 16 + 8, 4, 0x41);
        _machine.Bus.WriteMmio(table + 16 + 12, 4, 0);
        _machine.WriteConfig(Slot, 0, 0x42, 2, 0x8000);
        _machine.WriteConfig(Slot, 0, 4, 2, 7);
        return table;
    }

    /// <summary>Answers its memory BAR with the offset and its port BAR with the port.</summary>
    private sealed class TestFunction : PciDevice, IMmioHandler, IPortHandler
    {
        public const uint MemorySize = 0x2000;
        public const uint PortCount = 32;

        public TestFunction(ushort device = 0x5678)
            : base(new PciIdentity(0x1234, device, 0x020000, 3, 0x1AF4, 0xABCD))
        {
            AddInterruptPin(1);
            AddMemoryBar(0, MemorySize, this);
            AddPortBar(1, PortCount, this);
            AddMsix(2, 3);
        }

        public void Drive(bool level) => SetInterrupt(level);

        public void Raise(int vector) => Msix!.Raise(vector);

        public ulong ReadMmio(ulong offset, int size) => 0xA500 | offset;

        public void WriteMmio(ulong offset, int size, ulong value)
        {
        }

        public uint ReadPort(ushort port, int size) => port;

        public void WritePort(ushort port, int size, uint value)
        {
        }

        protected override void ResetDevice()
        {
        }
    }
}
