using System;
using VirtShell.State;

namespace VirtShell.Machine.Pci;

/// <summary>The i440FX's function 0 (Intel 290549, 82441FX PMC), as far as its identity.</summary>
public sealed class I440FxHostBridge : PciDevice
{
    public I440FxHostBridge()
        : base(new PciIdentity(0x8086, 0x1237, 0x060000, 0x02, 0x1AF4, 0x1100))
    {
    }

    protected override void ResetDevice()
    {
    }
}

/// <summary>The PIIX3's ISA bridge (Intel 290550, 82371SB, 4.1) with its PCI interrupt routing.</summary>
public sealed class Piix3IsaBridge : PciDevice, IPciFirmwareDefaults
{
    /// <summary>PIRQRC[A:D], PIRQx route control (4.1.10): bits 3:0 the IRQ, bit 7 set for none.</summary>
    private const int PirqRouteControl = 0x60;

    private const int PirqCount = 4;
    private const byte PirqDisabled = 0x80;
    private const byte PirqWritable = 0x8F;

    private readonly PciBus _bus;

    public Piix3IsaBridge(PciBus bus)
        : base(new PciIdentity(0x8086, 0x7000, 0x060100, 0x00, 0x1AF4, 0x1100, MultiFunction: true))
    {
        ArgumentNullException.ThrowIfNull(bus);
        _bus = bus;
        for (int pirq = 0; pirq < PirqCount; pirq++)
        {
            Config.Define(PirqRouteControl + pirq, 1, PirqDisabled, PirqWritable);
        }
    }

    /// <summary>IRQ 10 and 11, as <see cref="Bus.IPciInterruptSink.LegacyIrqOf"/> tells the functions.</summary>
    void IPciFirmwareDefaults.ApplyFirmwareDefaults()
    {
        ReadOnlySpan<byte> routes = [10, 11, 10, 11];
        for (int pirq = 0; pirq < PirqCount; pirq++)
        {
            WriteConfig(PirqRouteControl + pirq, 1, routes[pirq]);
        }
    }

    protected override void ResetDevice() => Route();

    protected override void DescribeDevice(StateVisitor visitor)
    {
        if (visitor.IsLoading)
        {
            Route();
        }
    }

    protected override void OnConfigWritten(int offset, int size)
    {
        if (offset < PirqRouteControl + PirqCount && offset + size > PirqRouteControl)
        {
            Route();
        }
    }

    private void Route()
    {
        for (int pirq = 0; pirq < PirqCount; pirq++)
        {
            _bus.Interrupts.SetPirqRoute(pirq, (byte)Config.Read(PirqRouteControl + pirq, 1));
        }
    }
}

/// <summary>
/// The PIIX4's function 3 (Intel 290562, 82371AB, 7.1): where the ACPI power management block stands. The block itself is
/// elsewhere, at the base that the machine was built with.
/// </summary>
public sealed class Piix4PowerFunction : PciDevice, IPciFirmwareDefaults
{
    /// <summary>PMBA, power management base address (7.1.26): bits 15:6, bit 0 reads one.</summary>
    private const int PmBase = 0x40;

    /// <summary>PMREGMISC (7.1.37): bit 0 enables decoding of the block.</summary>
    private const int PmRegMisc = 0x80;

    private const uint PmBaseWritable = 0xFFC0;
    private const byte PmIoEnable = 1;

    private readonly ushort _firmwareBase;

    public Piix4PowerFunction(ushort firmwareBase)
        : base(new PciIdentity(0x8086, 0x7113, 0x068000, 0x03, 0x1AF4, 0x1100))
    {
        if (firmwareBase == 0 || (firmwareBase & ~PmBaseWritable) != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(firmwareBase), firmwareBase, "The power management block starts at a multiple of 64, not 0.");
        }

        _firmwareBase = firmwareBase;
        Config.Define(PmBase, 4, 1, PmBaseWritable);
        Config.Define(PmRegMisc, 1, 0, PmIoEnable);

        // The SCI has no pin of the bus behind it; the register only tells that it is IRQ 9.
        Config.Define(PciRegister.InterruptLine, 1, 9, 0xFF);
    }

    /// <summary>Called at reset, and when the guest moves the block or switches it: first port, and whether it is decoded.</summary>
    public Action<ushort, bool>? PowerManagementMoved { get; set; }

    void IPciFirmwareDefaults.ApplyFirmwareDefaults()
    {
        WriteConfig(PmBase, 4, _firmwareBase);
        WriteConfig(PmRegMisc, 1, PmIoEnable);
    }

    protected override void ResetDevice() => Tell();

    protected override void DescribeDevice(StateVisitor visitor)
    {
        if (visitor.IsLoading)
        {
            Tell();
        }
    }

    protected override void OnConfigWritten(int offset, int size)
    {
        if ((offset & ~3) is PmBase or PmRegMisc)
        {
            Tell();
        }
    }

    private void Tell() => PowerManagementMoved?.Invoke(
        (ushort)(Config.Read(PmBase, 2) & PmBaseWritable),
        (Config.Read(PmRegMisc, 1) & PmIoEnable) != 0);
}
