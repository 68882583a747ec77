using System.Linq;
using VirtShell.Machine.Acpi;
using VirtShell.Machine.Pci;
using Xunit;

namespace VirtShell.Machine.Tests.Chipset;

public sealed class LegacyTests
{
    private readonly TestBoard _rig = new();

    private void Command(int value) => _rig.Out(0x64, value);

    private void Data(int value) => _rig.Out(0x60, value);

    private byte Read()
    {
        Assert.Equal(1, _rig.In(0x64) & 1);
        return _rig.In(0x60);
    }

    private void AssertEmpty() => Assert.Equal(0, _rig.In(0x64) & 1);

    [Fact]
    public void The_controller_answers_a_drivers_probe()
    {
        Command(0xAA);
        Assert.Equal(0x55, Read());
        Command(0x20);
        Assert.Equal(0x65, Read());
        Command(0x60);
        Data(0x74);
        Command(0x20);
        Assert.Equal(0x74, Read());

        // The auxiliary loop tells that there is a mouse port and no multiplexer.
        Command(0xD3);
        Data(0x5A);
        Assert.Equal(0x21, _rig.In(0x64) & 0x21);
        Assert.Equal(0x5A, Read());
        Command(0xA7);
        Command(0x20);
        Assert.Equal(0x20, Read() & 0x20);
        Command(0xA8);
        Command(0x20);
        Assert.Equal(0x00, Read() & 0x20);
        Command(0xA9);
        Assert.Equal(0x00, Read());
        Command(0xAB);
        Assert.Equal(0x00, Read());
        AssertEmpty();
    }

    [Theory]
    [InlineData(0xFF, new byte[] { 0xFA, 0xAA })]
    [InlineData(0xF2, new byte[] { 0xFA, 0xAB, 0x83 })]
    [InlineData(0xEE, new byte[] { 0xEE })]
    [InlineData(0xF5, new byte[] { 0xFA })]
    [InlineData(0xEF, new byte[] { 0xFE })]
    public void The_keyboard_answers(int command, byte[] expected)
    {
        Data(command);
        foreach (byte value in expected)
        {
            Assert.Equal(0, _rig.In(0x64) & 0x20);
            Assert.Equal(value, Read());
        }

        AssertEmpty();
    }

    [Theory]
    [InlineData(0xFF, new byte[] { 0xFA, 0xAA, 0x00 })]
    [InlineData(0xF2, new byte[] { 0xFA, 0x00 })]
    [InlineData(0xE9, new byte[] { 0xFA, 0x00, 0x02, 100 })]
    [InlineData(0xE1, new byte[] { 0xFE })]
    public void The_mouse_answers_with_the_auxiliary_bit(int command, byte[] expected)
    {
        Command(0xD4);
        Data(command);
        foreach (byte value in expected)
        {
            Assert.Equal(0x20, _rig.In(0x64) & 0x20);
            Assert.Equal(value, Read());
        }

        AssertEmpty();
    }

    [Fact]
    public void Scan_code_sets_are_kept()
    {
        Data(0xF0);
        Assert.Equal(0xFA, Read());
        Data(0x03);
        Assert.Equal(0xFA, Read());
        Data(0xF0);
        Assert.Equal(0xFA, Read());
        Data(0x00);
        Assert.Equal(0xFA, Read());
        Assert.Equal(0x03, Read());
    }

    [Fact]
    public void Each_byte_interrupts()
    {
        _rig.UsePic();
        Data(0xF2);
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(0x31, _rig.Interrupts.Acknowledge());
            Read();
            _rig.Out(0x20, 0x20);
        }

        Assert.False(_rig.Intr);
    }

    [Fact]
    public void Resets_come_from_all_three_places()
    {
        Command(0xFE);
        Assert.Equal(1, _rig.Resets);
        _rig.Out(0x92, 0x03);
        Assert.Equal(2, _rig.Resets);
        _rig.Out(0xCF9, 0x02);
        Assert.Equal(2, _rig.Resets);
        _rig.Out(0xCF9, 0x06);
        Assert.Equal(3, _rig.Resets);
    }

    [Fact]
    public void A20_is_open_where_either_gate_is()
    {
        Assert.True(_rig.A20);
        _rig.Out(0x92, 0x00);
        Assert.True(_rig.A20);
        Command(0xD1);
        Data(0xDD);
        Assert.False(_rig.A20);
        Command(0xDF);
        Assert.True(_rig.A20);
    }

    [Fact]
    public void Debug_ports_report()
    {
        _rig.Out(0xE9, 'h');
        _rig.Out(0x402, 'i');
        Assert.Equal("hi"u8.ToArray(), _rig.DebugOutput);
        Assert.Equal(0xE9, _rig.In(0xE9));
        _rig.Out(0x501, 0x31);
        _rig.Bus.WritePort(0x501, 4, 0x1234_5678);
        Assert.Equal([0x31, 0x1234_5678], _rig.ExitCodes);
        _rig.Out(0x80, 0x42);
        Assert.Equal(0x42, _rig.In(0x80));
        Assert.Equal(0x42, _rig.In(0x80));
    }

    [Theory]
    [InlineData(0x4FE, 4, 0x4433_2211u, 0x44)]
    [InlineData(0x500, 1, 0x11u, null)]
    [InlineData(0x500, 2, 0x2211u, 0x22)]
    [InlineData(0x500, 4, 0x4433_2211u, 0x3322)]
    [InlineData(0x501, 1, 0x11u, 0x11)]
    [InlineData(0x501, 2, 0x2211u, 0x2211)]
    [InlineData(0x501, 4, 0x4433_2211u, 0x4433_2211)]
    [InlineData(0x502, 1, 0x11u, null)]
    [InlineData(0x502, 2, 0x2211u, null)]
    [InlineData(0x503, 4, 0x4433_2211u, null)]
    [InlineData(0x504, 1, 0x11u, null)]
    public void The_debug_exit_is_one_port(int port, int size, uint value, int? code)
    {
        _rig.Bus.WritePort((ushort)port, size, value);
        Assert.Equal(code is null ? [] : [code.Value], _rig.ExitCodes);
    }

    /// <summary>First port and count, as docs/machine.md tells.</summary>
    [Fact]
    public void Devices_claim_the_ports_that_the_documentation_says()
    {
        (int, int)[] documented =
        [
            (0x20, 2), (0xA0, 2), (0x4D0, 2), (0x40, 4), (0x61, 1), (0x70, 2), (0x3F8, 8), (0x2F8, 8), (0x60, 1), (0x64, 1), (0x80, 16), (0x92, 1),
            (0xCF9, 1), (0xE9, 1), (0x3D4, 2), (0x402, 1), (0x501, 1), (0x600, 64), (0xB2, 2), (0xCF8, 1), (0xCFA, 6), (0xF0, 2), (0x00, 16), (0xC0, 32),
            (0x1F0, 1), (0x1F1, 7), (0x3F6, 1), (0x170, 1), (0x171, 7), (0x376, 1), (0x3F0, 6), (0x3F7, 1),
        ];
        TestBoard rig = new(TestBoard.SomeDrives);

        // Below where base address registers begin.
        Assert.Equal(documented.Order(), rig.Bus.PortRanges().Where(r => r.First < PciBus.PortWindowStart).Select(r => ((int)r.First, r.Count)).Order());
        Assert.Equal([(0xFEC0_0000ul, 0x1000ul), (0xFEE0_0000, 0x1000)], rig.Bus.MmioRanges().Where(r => r.Start >= PciBus.MemoryWindowEnd).Order().ToArray());
    }

    [Fact]
    public void Acpi_mode_is_switched_by_the_smi_command()
    {
        Assert.Equal(0u, _rig.Bus.ReadPort(AcpiPm.Base + 4, 2));
        _rig.Out(AcpiPm.SmiCommandPort, AcpiPm.EnableCommand);
        Assert.Equal(1u, _rig.Bus.ReadPort(AcpiPm.Base + 4, 2));
        _rig.Bus.WritePort(AcpiPm.Base + 4, 2, 0);
        Assert.Equal(1u, _rig.Bus.ReadPort(AcpiPm.Base + 4, 2));
        _rig.Out(AcpiPm.SmiCommandPort, AcpiPm.DisableCommand);
        Assert.Equal(0u, _rig.Bus.ReadPort(AcpiPm.Base + 4, 2));
    }

    [Fact]
    public void The_power_button_is_an_sci_and_S5_switches_off()
    {
        _rig.UsePic();
        _rig.Out(AcpiPm.SmiCommandPort, AcpiPm.EnableCommand);
        _rig.Power.PressPowerButton();
        Assert.False(_rig.Intr);
        _rig.Bus.WritePort(AcpiPm.Base + 2, 2, 0x100);
        Assert.True(_rig.Intr);
        Assert.Equal(0x39, _rig.Interrupts.Acknowledge());
        Assert.Equal(0x100u, _rig.Bus.ReadPort(AcpiPm.Base, 2));
        _rig.Bus.WritePort(AcpiPm.Base, 2, 0x100);
        Assert.Equal(0u, _rig.Bus.ReadPort(AcpiPm.Base, 2));
        _rig.Bus.WritePort(AcpiPm.Base + 4, 2, 0x1C01);
        Assert.Equal(0, _rig.PowerOffs);
        _rig.Bus.WritePort(AcpiPm.Base + 4, 2, 0x0001);
        Assert.Equal(0, _rig.PowerOffs);
        _rig.Bus.WritePort(AcpiPm.Base + 4, 2, 0x2001);
        Assert.Equal(1, _rig.PowerOffs);
    }

    [Fact]
    public void The_pm_timer_counts_and_its_top_bit_is_an_event()
    {
        _rig.Out(AcpiPm.SmiCommandPort, AcpiPm.EnableCommand);
        _rig.UsePic();
        uint before = _rig.Bus.ReadPort(AcpiPm.Base + 8, 4);
        _rig.Advance(1_000_000_000);
        Assert.Equal(3_579_545u, _rig.Bus.ReadPort(AcpiPm.Base + 8, 4) - before);
        _rig.Bus.WritePort(AcpiPm.Base + 2, 2, 1);
        Assert.False(_rig.Intr);
        _rig.Advance(1_400_000_000);
        Assert.True(_rig.Intr);
        Assert.Equal(1u, _rig.Bus.ReadPort(AcpiPm.Base, 2) & 1);
        _rig.Bus.WritePort(AcpiPm.Base, 2, 1);
        Assert.False(_rig.Intr);
        _rig.Advance(10_000_000_000);
        Assert.True(_rig.Bus.ReadPort(AcpiPm.Base + 8, 4) < 1 << 24);
    }
}
