using System;
using VirtShell.State;

namespace VirtShell.Machine.Pci;

/// <summary>
/// The i440FX's function 0 (Intel 290549, 82441FX PMC): its identity and, in machines that boot by firmware, the programmable attribute
/// map and the SMRAM register. System management mode is not modelled: SMRAM is closed, and the register only holds its bits.
/// </summary>
internal sealed class I440FxHostBridge : PciDevice
{
    /// <summary>PAM0 to PAM6 (3.2.14).</summary>
    private const int AttributeMap = 0x59;
    private const uint AttributesWritable = 0x33;
    private const byte FirmwareReadOnly = 0x10;
    private const byte AreaReadOnly = 0x11;
    private const int FirstFirmwareArea = 5;

    /// <summary>SMRAM (3.2.18): bit 6 D_OPEN, 5 D_CLS, 4 D_LCK, 3 G_SMRAME; the segment, 2:0, is fixed.</summary>
    private const int SmRam = 0x72;
    private const byte SmRamReset = 0x02;
    private const byte SmRamWritable = 0x78;

    private readonly ShadowMemory? _shadow;

    /// <param name="shadow">What the attribute map works on; null where memory stays as it is.</param>
    internal I440FxHostBridge(ShadowMemory? shadow)
        : base(new PciIdentity(0x8086, 0x1237, 0x060000, 0x02, 0x1AF4, 0x1100))
    {
        _shadow = shadow;
        if (shadow is not null)
        {
            Config.Define(AttributeMap, 1, 0, AttributesWritable & 0xF0);
            for (int i = 1; i < ShadowMemory.RegisterCount; i++)
            {
                Config.Define(AttributeMap + i, 1, 0, AttributesWritable);
            }

            Config.Define(SmRam, 1, SmRamReset, SmRamWritable);
        }
    }

    /// <summary>Memory as a processor finds it that starts at the reset vector of a firmware image. Once for each power-on and reset, and not before state is loaded.</summary>
    internal void PowerOnMemory(ReadOnlyMemory<byte> image) => _shadow?.PowerOn(image);

    /// <summary>Says which firmware image is behind shadow RAM, before state is loaded.</summary>
    internal void InsertFirmware(ReadOnlyMemory<byte> image) => _shadow?.Insert(image);

    /// <summary>The attribute map of a machine whose firmware stands in shadow RAM at E0000h to FFFFFh and has locked it; memory is so already.</summary>
    internal void AssumeShadowedFirmware()
    {
        if (_shadow is not null)
        {
            Config.Set(AttributeMap, 1, FirmwareReadOnly);
            for (int i = FirstFirmwareArea; i < ShadowMemory.RegisterCount; i++)
            {
                Config.Set(AttributeMap + i, 1, AreaReadOnly);
            }

            _shadow.Assume(Attributes());
        }
    }

    protected override void ResetDevice()
    {
    }

    protected override void DescribeDevice(StateVisitor visitor)
    {
        if (_shadow is not null)
        {
            _shadow.Describe(visitor);
            if (visitor.IsLoading)
            {
                // Guest memory was saved as the map says.
                _shadow.Assume(Attributes());
            }
        }
    }

    protected override void OnConfigWritten(int offset, int size)
    {
        if (offset < AttributeMap + ShadowMemory.RegisterCount && offset + size > AttributeMap)
        {
            _shadow?.Apply(Attributes());
        }
    }

    private byte[] Attributes()
    {
        byte[] registers = new byte[ShadowMemory.RegisterCount];
        for (int i = 0; i < registers.Length; i++)
        {
            registers[i] = (byte)Config.Read(AttributeMap + i, 1);
        }

        return registers;
    }
}

/// <summary>The PIIX3's ISA bridge (Intel 290550, 82371SB, 4.1) with its PCI interrupt routing.</summary>
internal sealed class Piix3IsaBridge : PciDevice, IPciFirmwareDefaults
{
    /// <summary>PIRQRC[A:D], PIRQx route control (4.1.10): bits 3:0 the IRQ, bit 7 set for none.</summary>
    private const int PirqRouteControl = 0x60;

    private const int PirqCount = 4;
    private const byte PirqDisabled = 0x80;
    private const byte PirqWritable = 0x8F;

    // What else firmware sets up (4.1.4 to 4.1.15), as offset, reset value and writable bits: I/O recovery, XBCS (which BIOS ranges are
    // decoded, and whether they are written), top of memory, and the DMA channels of the board.
    private static readonly (int Offset, byte Reset, byte Writable)[] s_held =
    [
        (0x4C, 0x4D, 0xFF), (0x4E, 0x03, 0xFF), (0x4F, 0x00, 0x01), (0x69, 0x02, 0xFE), (0x6A, 0x00, 0xFF), (0x76, 0x04, 0x8F), (0x77, 0x04, 0x8F),
    ];

    private readonly PciBus _bus;

    /// <param name="bus">Whose interrupt lines it routes.</param>
    /// <param name="isSetUpByFirmware">Whether it has the registers that firmware sets up before it starts a system; they hold what is written, and do nothing.</param>
    public Piix3IsaBridge(PciBus bus, bool isSetUpByFirmware = false)
        : base(new PciIdentity(0x8086, 0x7000, 0x060100, 0x00, 0x1AF4, 0x1100, MultiFunction: true))
    {
        ArgumentNullException.ThrowIfNull(bus);
        _bus = bus;
        for (int pirq = 0; pirq < PirqCount; pirq++)
        {
            Config.Define(PirqRouteControl + pirq, 1, PirqDisabled, PirqWritable);
        }

        foreach ((int offset, byte reset, byte writable) in isSetUpByFirmware ? s_held : [])
        {
            Config.Define(offset, 1, reset, writable);
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
internal sealed class Piix4PowerFunction : PciDevice, IPciFirmwareDefaults
{
    /// <summary>PMBA, power management base address (7.1.26): bits 15:6, bit 0 reads one.</summary>
    private const int PmBase = 0x40;

    /// <summary>PMREGMISC (7.1.37): bit 0 enables decoding of the block.</summary>
    private const int PmRegMisc = 0x80;

    private const uint PmBaseWritable = 0xFFC0;
    private const byte PmIoEnable = 1;

    /// <summary>DEVACTB (7.1.30): bit 25 has writes to the SMI command port raise an SMI. It reads one: firmware takes system management for set up.</summary>
    private const int DeviceActivityB = 0x58;
    private const uint ApmcEnable = 1u << 25;

    /// <summary>SMBBA (7.1.38): bits 15:4, bit 0 reads one; and SMBHSTCFG (7.1.39), whose bit 0 enables the controller.</summary>
    private const int SmBusBase = 0x90;
    private const uint SmBusBaseWritable = 0xFFF0;
    private const int SmBusHostConfiguration = 0xD2;
    private const byte SmBusHostWritable = 0x0F;
    private const byte SmBusEnable = 1;

    private readonly ushort _firmwareBase;
    private readonly SmBusHost? _smBus;

    /// <param name="firmwareBase">Where a PC's firmware puts the block.</param>
    /// <param name="smBus">The SMBus host controller; null for none, and none of what only firmware looks at.</param>
    internal Piix4PowerFunction(ushort firmwareBase, SmBusHost? smBus = null)
        : base(new PciIdentity(0x8086, 0x7113, 0x068000, 0x03, 0x1AF4, 0x1100))
    {
        if (firmwareBase == 0 || (firmwareBase & ~PmBaseWritable) != 0)
        {
            throw new ArgumentOutOfRangeException(nameof(firmwareBase), firmwareBase, "The power management block starts at a multiple of 64, not 0.");
        }

        _firmwareBase = firmwareBase;
        _smBus = smBus;
        if (smBus is not null)
        {
            Config.Define(DeviceActivityB, 4, ApmcEnable, uint.MaxValue);
            Config.Define(SmBusBase, 4, 1, SmBusBaseWritable);
            Config.Define(SmBusHostConfiguration, 1, 0, SmBusHostWritable);
        }

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

    protected override void ResetDevice()
    {
        _smBus?.Reset();
        Tell();
    }

    protected override void DescribeDevice(StateVisitor visitor)
    {
        _smBus?.Describe(visitor);
        if (visitor.IsLoading)
        {
            Tell();
        }
    }

    protected override void OnConfigWritten(int offset, int size)
    {
        if ((offset & ~3) is PmBase or PmRegMisc or SmBusBase or (SmBusHostConfiguration & ~3))
        {
            Tell();
        }
    }

    private void Tell()
    {
        PowerManagementMoved?.Invoke((ushort)(Config.Read(PmBase, 2) & PmBaseWritable), (Config.Read(PmRegMisc, 1) & PmIoEnable) != 0);
        _smBus?.MoveTo((ushort)(Config.Read(SmBusBase, 2) & SmBusBaseWritable), (Config.Read(SmBusHostConfiguration, 1) & SmBusEnable) != 0);
    }
}
