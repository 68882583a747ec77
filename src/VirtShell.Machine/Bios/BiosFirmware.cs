using System;
using VirtShell.Cpu;
using VirtShell.Machine.Acpi;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Boot;
using VirtShell.Machine.Dma;
using VirtShell.Machine.Timers;
using VirtShell.State;

namespace VirtShell.Machine.Bios;

/// <summary>
/// The built-in BIOS. At power-on it leaves parts, tables and data areas as a PC's BIOS does after its tests, at once; the
/// rest are services that the ROM calls. What they need to remember stands in the guest's memory.
/// </summary>
[NotState("All that it does is in the parts, in memory and in the processor.")]
internal sealed class BiosFirmware : Firmware, IFirmware
{
    /// <summary>IRQs that are unmasked when a system starts: timer, keyboard, cascade, floppy.</summary>
    private const byte MasterMask = 0xB8;
    private const byte SlaveMask = 0xFF;

    // Holds the processor's signature after reset.
    private const int EdxNumber = 2;

    private readonly BiosRom _rom = BiosRom.Common;
    private readonly BiosDrives _drives;
    private byte[]? _image;
    private byte[]? _acpiTables;
    private BiosCpu? _cpu;
    private BiosServices? _services;

    public BiosFirmware(MachineConfiguration configuration, BiosBoot boot)
    {
        _drives = new BiosDrives(configuration, boot);
    }

    public override void PrepareParts(Board board)
    {
        ArgumentNullException.ThrowIfNull(board);
        board.Interrupts.Pic.InitializeAsFirmware();
        board.Find<Pit8254>()?.InitializeAsFirmware();
        board.Find<Dma8237Pair>()?.InitializeAsFirmware();
        board.Interrupts.LocalApic.InitializeAsFirmware();
        if (board.IsOn("pci", PcModel.AssignResources))
        {
            board.Pci.AssignResources();
        }
    }

    public override void Start(Board board, Vcpu cpu)
    {
        ArgumentNullException.ThrowIfNull(board);
        ArgumentNullException.ThrowIfNull(cpu);
        _acpiTables ??= AcpiTables.Build((uint)MemoryMap.FirmwareStart, board);
        _image ??= BiosTables.Build(_rom, (uint)cpu.GetRegister(EdxNumber), board);
        board.Memory.Write(MemoryMap.FirmwareStart, _acpiTables);
        board.Memory.MapRom(BiosRom.Base, _image);
        BiosPost.Run(board, _rom, _drives);

        // Before the timer: a reset of the processor forgets that an interrupt is requested.
        cpu.EnterReal16(BiosRom.Segment, BiosRom.ResetVector, 0);
        StartTimer(board);
        Services(board, cpu).Video.PowerOn();
    }

    /// <summary>Connects the processor's calls; nothing else of the machine changes.</summary>
    public override void Connect(Board board, Vcpu cpu)
    {
        cpu.Firmware = this;
        Services(board, cpu);
    }

    public FirmwareReturn Call(uint physical)
    {
        BiosService service = _rom.ServiceAt(physical);
        return service == BiosService.None || _services is null ? FirmwareReturn.None : _services.Call(service);
    }

    private static void StartTimer(Board board)
    {
        foreach ((ushort port, byte value) in new (ushort, byte)[]
        {
            (Pit8254.ControlPort, 0x36), (Pit8254.FirstPort, 0), (Pit8254.FirstPort, 0),
            (Pit8254.ControlPort, 0x54), (Pit8254.FirstPort + 1, 0x12),
            (Interrupts.Pic8259Pair.MasterPort + 1, MasterMask), (Interrupts.Pic8259Pair.SlavePort + 1, SlaveMask),
        })
        {
            board.Bus.WritePort(port, 1, value);
        }
    }

    private BiosServices Services(Board board, Vcpu cpu)
    {
        _cpu ??= new BiosCpu(cpu, board);
        return _services ??= new BiosServices(_cpu, _drives, _rom);
    }
}
