using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Machine.Acpi;
using VirtShell.Machine.Display;
using VirtShell.Machine.Dma;
using VirtShell.Machine.Drives;
using VirtShell.Machine.FirmwareConfig;
using VirtShell.Machine.Interrupts;
using VirtShell.Machine.Legacy;
using VirtShell.Machine.Pci;
using VirtShell.Machine.Serial;
using VirtShell.Machine.Timers;
using VirtShell.Machine.Virtio;

namespace VirtShell.Machine.Boards;

/// <summary>
/// The parts of the PC, a row each. New rows go to the end of their layer: a saved state holds its parts in this order, and
/// a base address register is given out by slot, so that nothing that is there moves when something is added.
/// </summary>
internal static class PcModel
{
    /// <summary>The part whose options are the built-in BIOS's.</summary>
    public const string BiosPart = "bios";

    /// <summary>Its switch for the serial console.</summary>
    public const string BiosSerial = "serial";

    // PCI slots.
    private const int HostBridgeSlot = 0;
    private const int PiixSlot = 1;
    private const int DisplaySlot = 2;
    private const int WatchdogSlot = 3;
    private const int RngSlot = 4;
    private const int ConsoleSlot = 5;
    private const int FirstDiskSlot = 6;
    private const int MostDisks = 32 - FirstDiskSlot;

    // Where ISA devices stand in the DSDT. Systems number what they find there in this order, so it does not follow the rows'.
    private const int Com1Place = 1;
    private const int Com2Place = 2;
    private const int KeyboardPlace = 3;
    private const int MousePlace = 4;
    private const int RtcPlace = 5;
    private const int Com3Place = 6;
    private const int Com4Place = 7;
    private const int Lpt1Place = 8;
    private const int PanicPlace = 9;
    private const int FloppyPlace = 10;

    /// <summary>The rows, in any order that <see cref="PartRow.Needs"/> allows.</summary>
    public static IReadOnlyList<PartRow> Rows { get; } =
    [
        new("interrupt-router", "interrupt lines")
        {
            Layer = PartLayer.Wiring,
            IsEssential = true,
            Device = c => c.Interrupts,
        },
        new("pic", "8259A pair, ELCR")
        {
            Layer = PartLayer.Controllers,
            IsEssential = true,
            Claims =
            [
                Claim.Ports("master", Pic8259Pair.MasterPort, 2),
                Claim.Ports("slave", Pic8259Pair.SlavePort, 2),
                Claim.Ports("elcr", Pic8259Pair.ElcrPort, 2, isReserved: true),
                Claim.Irq("cascade", Pic8259Pair.CascadeInput),
            ],
            Device = c => c.Interrupts.Connect(new Pic8259Pair(c.Bus, c.Interrupts.PicOutputChanged)),
        },
        new("ioapic", "I/O APIC, 24 pins")
        {
            Layer = PartLayer.Controllers,
            IsEssential = true,
            Claims = [Claim.Memory("registers", IoApic.BaseAddress, IoApic.Length)],
            Madt = [MadtEntry.IoApic(IoApic.Id, (uint)IoApic.BaseAddress), MadtEntry.SourceOverride(0, InterruptRouter.TimerPin, MadtEntry.BusDefault)],
            Device = c => c.Interrupts.Connect(new IoApic(c.Bus, c.Interrupts.Deliver)),
        },
        new("lapic", "local APIC, x2APIC")
        {
            Layer = PartLayer.Controllers,
            IsEssential = true,
            Claims = [Claim.Memory("registers", LocalApic.DefaultBase, LocalApic.Length)],
            Madt = [MadtEntry.LocalApic(LocalApic.FirstId), MadtEntry.LocalApicNmi(lint: 1)],
            Device = c => c.Interrupts.Connect(new LocalApicGroup(c.Bus, c.Clock, c.Signals.Processors, c.Interrupts.UpdateProcessor)),
        },
        new("pit", "8254, port B")
        {
            Claims = [Claim.Ports("counters", Pit8254.FirstPort, 4), Claim.Ports("port-b", Pit8254.SystemControlPort), Claim.Irq("counter-0", 0)],
            Device = c => new Pit8254(c.Bus, c.Clock, c.Irq("counter-0")),
        },
        new("rtc", "RTC and CMOS")
        {
            Claims = [Claim.Ports("registers", RtcCmos.IndexPort, 2), Claim.Irq("interrupt", RtcCmos.Irq)],
            Isa = [new IsaEntry("RTC", "PNP0B00", 0, RtcPlace, ["registers", "interrupt"])],
            Device = c => new RtcCmos(c.Bus, c.Clock, c.Irq("interrupt"), new DateTimeOffset(c.Configuration.RtcStart, TimeSpan.Zero).ToUnixTimeSeconds(), c.Memory.LowRamBytes, c.Memory.HighRamBytes),
        },
        Uart(Outlet.Com1, Uart16550.Com1Port, Uart16550.Com1Irq, new IsaEntry("COM1", "PNP0501", 1, Com1Place, ["registers", "interrupt"])),
        Uart(Outlet.Com2, Uart16550.Com2Port, Uart16550.Com2Irq, new IsaEntry("COM2", "PNP0501", 2, Com2Place, ["registers", "interrupt"])),
        new("i8042", "keyboard controller, keyboard, mouse")
        {
            Claims =
            [
                Claim.Ports("data", KeyboardController.DataPort),
                Claim.Ports("command", KeyboardController.CommandPort),
                Claim.Irq("keyboard", KeyboardController.KeyboardIrq),
                Claim.Irq("mouse", KeyboardController.MouseIrq),
            ],
            Isa = [new IsaEntry("KBD", "PNP0303", 0, KeyboardPlace, ["data", "command", "keyboard"]), new IsaEntry("MOU", "PNP0F13", 0, MousePlace, ["mouse"])],
            Device = c => new KeyboardController(
                c.Bus,
                c.Clock,
                c.Irq("keyboard"),
                c.Irq("mouse"),
                c.Board.A20,
                () => c.Signals.RequestExit(new MachineExit(MachineExitKind.ResetRequested)),
                hasWheel: c.Board.Rows.Any(row => row.Name == DisplayPart)),
        },
        new("system-ports", "ports 92h and CF9h, debug ports")
        {
            Claims =
            [
                Claim.Ports("control-a", SystemPorts.ControlPortA, isReserved: true),
                Claim.Ports("reset-control", SystemPorts.ResetControlPort),
                Claim.Ports("debug-exit", SystemPorts.DebugExitPort),
                Claim.Ports("debug-console", SystemPorts.DebugConsolePort),
                Claim.Ports("firmware-console", SystemPorts.FirmwareConsolePort),
            ],
            Outlet = Outlet.Debug,
            Device = c => new SystemPorts(
                c.Bus,
                c.Board.A20,
                () => c.Signals.RequestExit(new MachineExit(MachineExitKind.ResetRequested)),
                code => c.Signals.RequestExit(new MachineExit(MachineExitKind.DebugExit, code)),
                c.Output),
        },
        new("crt-controller", "CRT controller's registers, without a display")
        {
            Claims = [Claim.Ports("registers", CrtController.IndexPort, 2)],
            Device = c => new CrtController(c.Bus),
        },
        new("coprocessor-error", "x87 errors by IRQ 13")
        {
            Claims = [Claim.Ports("clear-busy", CoprocessorError.ClearBusyPort, CoprocessorError.PortCount), Claim.Irq("interrupt", CoprocessorError.Irq)],
            Device = c => new CoprocessorError(c.Bus, c.Irq("interrupt")),
        },
        new("acpi-pm", "ACPI power management")
        {
            Claims =
            [
                Claim.Ports("smi", AcpiPm.SmiCommandPort, 2, isReserved: true),
                Claim.Ports("registers", AcpiPm.Base, AcpiPm.PortCount, isReserved: true),
                Claim.Irq("sci", AcpiPm.SciIrq),
            ],
            Madt = [MadtEntry.SourceOverride(AcpiPm.SciIrq, AcpiPm.SciIrq, MadtEntry.ActiveHighLevel)],
            Device = c => new AcpiPm(c.Bus, c.Clock, c.Irq("sci"), () => c.Signals.RequestExit(new MachineExit(MachineExitKind.PowerOff))),
        },
        new("pci", "PCI bus, configuration mechanism #1")
        {
            IsEssential = true,

            // CF9h, among them, is the reset control register.
            Claims = [Claim.Ports("address", PciBus.ConfigAddress), Claim.Ports("data", PciBus.AfterResetControl, PciBus.CountAfterResetControl)],
            Options = [PartOption.Switch(AssignResources, "Whether functions find addresses and interrupt lines assigned, as after a PC's firmware. Off leaves that to the system.", isOn: true)],
            Device = c => c.Board.Pci = new PciBus(c.Bus, c.Interrupts, c.Interrupts),
        },
        new(BiosPart, "built-in BIOS, where a machine starts from its drives")
        {
            IsEssential = true,
            Options = [PartOption.AutoSwitch(BiosSerial, "Whether what the BIOS writes on the screen goes to a terminal at COM1, too, and its keys come from there. Without a word, it does where the machine has no display.")],
        },
        new("i440fx", "host bridge")
        {
            Needs = ["pci"],
            IsEssential = true,
            Claims = [Claim.PciFunction("function", HostBridgeSlot, 0), Claim.Memory("shadow", ShadowMemory.Start, ShadowMemory.Length)],
            Functions = c => [new I440FxHostBridge(c.Configuration.BootsByFirmware ? new ShadowMemory(c.Bus, c.Memory) : null)],
        },
        new("piix3", "ISA bridge, PCI interrupt routing")
        {
            Needs = ["pci"],
            IsEssential = true,
            Claims = [Claim.PciFunction("function", PiixSlot, 0)],
            Functions = c => [new Piix3IsaBridge(c.Board.Pci, c.Configuration.BootsByFirmware)],
        },
        new("piix4-pm", "place of the ACPI power management")
        {
            Needs = ["pci", "acpi-pm"],
            Claims = [Claim.PciFunction("function", PiixSlot, 3)],
            Functions = c => [new Piix4PowerFunction(AcpiPm.Base, c.Configuration.BootsByFirmware ? new SmBusHost(c.Bus) : null) { PowerManagementMoved = c.Part<AcpiPm>().MoveTo }],
        },
        new("virtio-rng", "virtio entropy")
        {
            Needs = ["pci"],
            Claims = [Claim.PciSlots("function", RngSlot, 1)],
            Options = [PartOption.Number("most-bytes", "Bytes given for a request at most. Drivers ask again for the rest.", VirtioRng.MostBytesPerRequest, 1, VirtioRng.MostBytesPerRequest)],
            Functions = c => [new VirtioPciFunction(c.Board.Note(new VirtioRng(c.Memory, c.Clock, c.Configuration.Seed, (int)c.Number("most-bytes"))))],
        },
        new("virtio-console", "virtio console")
        {
            Needs = ["pci"],
            Claims = [Claim.PciSlots("function", ConsoleSlot, 1)],
            Outlet = Outlet.VirtioConsole,
            Functions = c => [new VirtioPciFunction(c.Board.Note(c.WithInput(new VirtioConsole(c.Memory, c.Clock, c.Output))))],
        },
        new(DisksPart, "virtio disks")
        {
            Needs = ["pci"],
            Claims = [Claim.PciSlots("functions", FirstDiskSlot, MostDisks)],
            Functions = Disks,
        },
        new("dma", "8237A pair, page registers")
        {
            Claims =
            [
                Claim.Ports("bytes", Dma8237Pair.BytePort, Dma8237Pair.BytePortCount),
                Claim.Ports("words", Dma8237Pair.WordPort, Dma8237Pair.WordPortCount),
                Claim.Ports("pages", Dma8237Pair.PagePort, Dma8237Pair.PageCount, isReserved: true),
                Claim.Dma("cascade", Dma8237Pair.CascadeChannel),
            ],
            Device = c => c.Board.Connect(new Dma8237Pair(c.Bus, c.Memory)),
        },
        new(IdePart, "IDE controller")
        {
            Needs = ["pci"],
            IsPresent = false,
            IsPresentWith = c => c.Drives.Any(drive => drive.Bus == DriveBus.Ide),
            Claims =
            [
                Claim.PciFunction("function", PiixSlot, 1),
                Claim.Ports("primary", Piix3Ide.PrimaryPort, IdeRegister.Count),
                Claim.Ports("primary-control", Piix3Ide.PrimaryControlPort),
                Claim.Ports("secondary", Piix3Ide.SecondaryPort, IdeRegister.Count),
                Claim.Ports("secondary-control", Piix3Ide.SecondaryControlPort),
                Claim.Irq("primary-interrupt", Piix3Ide.PrimaryIrq),
                Claim.Irq("secondary-interrupt", Piix3Ide.SecondaryIrq),
            ],
            Functions = c => [new Piix3Ide(c)],
        },
        new(FloppyPart, "floppy controller")
        {
            Needs = ["dma"],
            IsPresent = false,
            IsPresentWith = c => c.Drives.Any(drive => drive.Bus == DriveBus.Floppy),
            Claims =
            [
                Claim.Ports("registers", FloppyController.FirstPort, FloppyController.PortCount),
                Claim.Ports("digital-input", FloppyController.DigitalInputPort),
                Claim.Irq("interrupt", FloppyController.Irq),
                Claim.Dma("data", FloppyController.DmaChannelNumber),
            ],
            Isa = [new IsaEntry("FDC", "PNP0700", 0, FloppyPlace, ["registers", "digital-input", "interrupt", "data"])],
            Device = c => new FloppyController(c),
        },
        new(DisplayPart, "VGA display with linear modes")
        {
            Needs = ["pci"],
            IsPresent = false,
            IsPresentWith = c => c.BootsByFirmware,
            Replaces = ["crt-controller"],
            Claims =
            [
                Claim.PciSlots("function", DisplaySlot, 1),
                Claim.Ports("mono", VgaAdapter.MonoPorts, VgaAdapter.MonoPortCount),
                Claim.Ports("mono-status", VgaAdapter.MonoStatus),
                Claim.Ports("registers", VgaAdapter.Ports, VgaAdapter.PortCount),
                Claim.Ports("color", VgaAdapter.ColorPorts, VgaAdapter.ColorPortCount),
                Claim.Ports("color-status", VgaAdapter.ColorStatus),
                Claim.Ports("dispi", VgaAdapter.DispiIndexPort, 3),
                Claim.Memory("window", VgaWindow.Start, VgaWindow.Length),
            ],
            Options = [PartOption.Number("memory", "Display memory in MiB.", 16, 1, 128)],
            Functions = c => [new VgaAdapter(c, (int)c.Number("memory") << 20)],
        },
        new("fw-cfg", "firmware configuration device")
        {
            IsPresent = false,
            IsPresentWith = c => c.Boot is RomBoot,
            Claims =
            [
                Claim.Ports("selector", FwCfg.SelectorPort, FwCfg.SelectorPortCount, isReserved: true),
                Claim.Ports("dma", FwCfg.DmaPort, FwCfg.DmaPortCount, isReserved: true),
            ],
            Device = c => new FwCfg(c.Bus, c.Memory, new FwCfgItems(c.Board)),
        },
        MoreUart(Outlet.Com3, Uart16550.Com3Port, Uart16550.Com1Irq, new IsaEntry("COM3", "PNP0501", 3, Com3Place, ["registers", "interrupt"])),
        MoreUart(Outlet.Com4, Uart16550.Com4Port, Uart16550.Com2Irq, new IsaEntry("COM4", "PNP0501", 4, Com4Place, ["registers", "interrupt"])),
        new(Outlet.Lpt1.Name, "parallel port with a printer")
        {
            IsPresent = false,
            IsPresentWith = c => c.BootsByFirmware,
            Claims = [Claim.Ports("registers", ParallelPort.Lpt1Port, ParallelPort.PortCount), Claim.Irq("interrupt", ParallelPort.Lpt1Irq)],
            Outlet = Outlet.Lpt1,
            Isa = [new IsaEntry("LPT1", "PNP0400", 1, Lpt1Place, ["registers", "interrupt"])],
            Device = c => new ParallelPort(c.Name, c.Bus, c.Clock, c.Port("registers"), c.Irq("interrupt"), c.Output),
        },
        new("hpet", "high precision event timer")
        {
            IsPresent = false,
            IsPresentWith = c => c.BootsByFirmware,
            Claims = [Claim.Memory("registers", Hpet.BaseAddress, Hpet.Length)],
            Device = c => new Hpet(c.Bus, c.Clock, c.Interrupts),
        },
        new("i6300esb", "watchdog")
        {
            Needs = ["pci"],
            IsPresent = false,
            Claims = [Claim.PciSlots("function", WatchdogSlot, 1)],
            Options = [PartOption.Switch("nmi", "Whether the end of the second stage is an NMI. Off, the machine is reset.")],
            Functions = c =>
            [
                new I6300EsbWatchdog(c.Clock, c.IsOn("nmi") ? c.Signals.Processors[0].RaiseNmi : () => c.Signals.RequestExit(new MachineExit(MachineExitKind.ResetRequested))),
            ],
        },
        new("pvpanic", "panic device")
        {
            IsPresent = false,
            Claims = [Claim.Ports("events", PanicDevice.Port)],
            Isa = [new IsaEntry("PEVT", "QEMU0001", 0, PanicPlace, ["events"])],
            Device = c => new PanicDevice(c.Bus, () => c.Signals.RequestExit(new MachineExit(MachineExitKind.Panicked))),
        },
    ];

    /// <summary>The option of "pci" by which firmware goes.</summary>
    public const string AssignResources = "assign-resources";

    /// <summary>The part that has a screen.</summary>
    public const string DisplayPart = "vga";

    /// <summary>The part that <see cref="MachineConfiguration.Disks"/> are on.</summary>
    public const string DisksPart = "virtio-blk";

    /// <summary>The parts that <see cref="MachineConfiguration.Drives"/> are on.</summary>
    public const string IdePart = "ide";
    public const string FloppyPart = "floppy";

    private static PartRow MoreUart(Outlet outlet, ushort port, int irq, IsaEntry entry) => Uart(outlet, port, irq, entry, isPresent: false);

    private static PartRow Uart(Outlet outlet, ushort port, int irq, IsaEntry entry, bool isPresent = true) => new(outlet.Name, $"serial port {outlet.Title}")
    {
        IsPresent = isPresent,
        Claims = [Claim.Ports("registers", port, Uart16550.PortCount), Claim.Irq("interrupt", irq, isShared: true)],
        Options = [PartOption.Switch("pace", "Whether sending takes guest time as the programmed line speed says. Off, it takes next to none, so that a system which switches off at once has sent all it wrote.")],
        Outlet = outlet,
        Isa = [entry],
        Device = c => c.WithInput(new Uart16550(c.Name, c.Bus, c.Clock, c.Port("registers"), c.Irq("interrupt"), c.IsOn("pace")) { Output = c.Output }),
    };

    private static List<PciDevice> Disks(PartContext context)
    {
        IReadOnlyList<DiskAttachment> disks = context.Configuration.Disks;
        if (disks.Count > MostDisks)
        {
            throw new ArgumentException($"A machine has at most {MostDisks} disks; this one is given {disks.Count}.");
        }

        List<PciDevice> functions = [];
        foreach (DiskAttachment disk in disks)
        {
            functions.Add(new VirtioPciFunction(context.Board.Note(new VirtioBlock(context.Memory, context.Clock, disk.Device, disk.Serial) { Faulted = context.Signals.StorageFaulted })));
        }

        return functions;
    }
}
