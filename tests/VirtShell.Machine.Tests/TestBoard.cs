using System;
using System.Collections.Generic;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Acpi;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Drives;
using VirtShell.Machine.Interrupts;
using VirtShell.Machine.Serial;
using VirtShell.State;
using VirtShell.Storage;

namespace VirtShell.Machine.Tests;

/// <summary>The board of a machine model without a processor: time moves when a test says so, and what leaves the board is noted.</summary>
internal sealed class TestBoard : IBoardSignals, IProcessorPins, IStateful
{
    private const ulong DefaultMemory = 64 << 20;
    private readonly ulong _memoryBytes;
    private readonly PartSettings _parts;
    private readonly BootImage _boot;
    private readonly Func<IReadOnlyList<Drive>> _drives;
    private long _retired;

    public TestBoard(params string[] parts)
        : this(PartSettings.Parse(MachineModel.Pc, parts), DefaultMemory)
    {
    }

    /// <param name="drives">Makes the machine's drives, anew for each copy.</param>
    public TestBoard(Func<IReadOnlyList<Drive>> drives)
        : this(PartSettings.Default, DefaultMemory, drives)
    {
    }

    public TestBoard(PartSettings parts, ulong memoryBytes, Func<IReadOnlyList<Drive>>? drives = null, BootImage? boot = null)
    {
        _parts = parts;
        _boot = boot ?? new MultibootBoot(default, string.Empty);
        _drives = drives ?? (static () => []);
        Drives = _drives();
        _memoryBytes = memoryBytes;
        Clock = new MachineClock(() => _retired);
        MachineConfiguration configuration = new()
        {
            MemoryBytes = memoryBytes,
            Boot = _boot,
            RtcStart = new DateTime(2026, 1, 31, 23, 59, 57, DateTimeKind.Utc),
            Parts = parts,
            Drives = Drives,
        };
        Board = new Board(configuration, new PhysicalMemory(memoryBytes), Clock, this);
        Board.Reset();
        Board.Pci.AssignResources();
    }

    /// <summary>A board that firmware starts, which has every part of a PC.</summary>
    public static TestBoard WithFirmware(params string[] parts) => new(PartSettings.Parse(MachineModel.Pc, parts), DefaultMemory, SomeDrives, new RomBoot(default));

    public Board Board { get; }

    public IReadOnlyList<Drive> Drives { get; }

    public List<StorageException> Faults { get; } = [];

    public IoBus Bus => Board.Bus;

    public MachineClock Clock { get; }

    public InterruptRouter Interrupts => Board.Interrupts;

    public Uart16550 Com1 => Board.Find<Uart16550>()!;

    public AcpiPm Power => Board.Find<AcpiPm>()!;

    public List<byte> Sent { get; } = [];

    public List<byte> DebugOutput { get; } = [];

    public List<int> ExitCodes { get; } = [];

    public IReadOnlyList<IProcessorPins> Processors => [this];

    public bool Intr { get; private set; }

    public int Nmis { get; private set; }

    public int Inits { get; private set; }

    public int Resets { get; private set; }

    public int PowerOffs { get; private set; }

    public bool A20 { get; private set; }

    public void SetInterruptRequest(bool asserted) => Intr = asserted;

    public void SetA20(bool isOpen) => A20 = isOpen;

    public void RequestExit(MachineExit exit)
    {
        switch (exit.Kind)
        {
            case MachineExitKind.ResetRequested:
                Resets++;
                break;
            case MachineExitKind.PowerOff:
                PowerOffs++;
                break;
            default:
                ExitCodes.Add(exit.Code);
                break;
        }
    }

    public void Output(Outlet outlet, byte value) => (outlet == Outlet.Debug ? DebugOutput : Sent).Add(value);

    public void StorageFaulted(StorageException error) => Faults.Add(error);

    public void RaiseNmi() => Nmis++;

    public void RaiseInit() => Inits++;

    public void RaiseStartUp(byte vector)
    {
        // The first processor ignores it.
    }

    public byte In(int port) => (byte)Bus.ReadPort((ushort)port, 1);

    public void Out(int port, int value) => Bus.WritePort((ushort)port, 1, (uint)value);

    public uint Mmio(ulong address) => (uint)Bus.ReadMmio(address, 4);

    public void Mmio(ulong address, uint value) => Bus.WriteMmio(address, 4, value);

    /// <summary>Lets guest time pass, firing events at their times; gives how many.</summary>
    public long Advance(long nanoseconds)
    {
        long fired = 0;
        long end = Clock.Now + nanoseconds;
        while (Clock.NextDue <= end)
        {
            _retired += Math.Max(0, Clock.NextDue - Clock.Now);
            fired += Clock.FireNext() ? 1 : 0;
        }

        _retired += end - Clock.Now;
        return fired;
    }

    /// <summary>Programs the 8259s as Linux does (vectors 30h and 38h) with the given masks, and opens virtual wire.</summary>
    public void UsePic(int masterMask = 0, int slaveMask = 0)
    {
        Interrupts.LocalApic.InitializeAsFirmware();
        foreach ((int port, int value) in new[]
        {
            (0x20, 0x11), (0x21, 0x30), (0x21, 0x04), (0x21, 0x01),
            (0xA0, 0x11), (0xA1, 0x38), (0xA1, 0x02), (0xA1, 0x01),
            (0x21, masterMask), (0xA1, slaveMask),
        })
        {
            Out(port, value);
        }
    }

    /// <summary>One drive of each kind and more, small, all with media in memory.</summary>
    public static IReadOnlyList<Drive> SomeDrives() =>
    [
        new(DriveKind.HardDisk, DriveBus.Ide, 0, new MemoryDisk(32 << 10), "disk0"),
        new(DriveKind.HardDisk, DriveBus.Ide, 1, new MemoryDisk(16 << 10), "disk1"),
        new(DriveKind.Cd, DriveBus.Ide, 2, new MemoryDisk(64 << 10), "cd"),
        new(DriveKind.Floppy, DriveBus.Floppy, 0, new MemoryDisk(new FloppyFormat(40, 1, 8).Bytes), "a"),
        new(DriveKind.Floppy, DriveBus.Floppy, 1, null, "b"),
    ];

    /// <summary>Saves this board and loads the state into a new one.</summary>
    public TestBoard Copy()
    {
        TestBoard copy = new(_parts, _memoryBytes, _drives, _boot);
        copy.Load(this.Save());
        copy.Interrupts.Resynchronize();
        return copy;
    }

    /// <summary>The whole saved state as bytes, for comparing.</summary>
    public byte[] Snapshot() => this.Save();

    public void Describe(StateVisitor visitor)
    {
        visitor.Value("retired", ref _retired);
        visitor.Part("clock", Clock);
        visitor.Parts(Board.Devices, static device => device.Name, last: Board.ControllerCount);
    }
}
