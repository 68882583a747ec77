using System;
using System.Collections.Generic;
using VirtShell.Cpu;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Acpi;
using VirtShell.Machine.Boot;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Interrupts;
using VirtShell.Machine.Legacy;
using VirtShell.Machine.Pci;
using VirtShell.Machine.Serial;
using VirtShell.Machine.Timers;
using VirtShell.Machine.Virtio;
using VirtShell.State;
using VirtShell.Storage;

namespace VirtShell.Machine;

/// <summary>
/// A PC: one processor, memory, chipset and devices, driven by one thread at a time. Nothing here is thread-safe except
/// <see cref="RequestStop"/>.
/// </summary>
public sealed partial class Machine : IDisposable
{
    /// <summary>Number of the debug consoles (ports E9h and 402h) for <see cref="SerialOutput"/>.</summary>
    public const int DebugConsole = 200;

    private const int Com1 = 1;
    private const int Com2 = 2;

    // Holds the processor's signature after reset.
    private const int EdxNumber = 2;

    // Where the PCI memory window begins, at the lowest.
    private const uint PciMemoryStart = (uint)PhysicalMemory.LowLimit;

    private readonly MachineConfiguration _configuration;
    private readonly MachineClock _clock;
    private readonly InterruptRouter _interrupts;
    private readonly List<IDevice> _devices = [];
    private readonly Uart16550[] _serial;
    private readonly AcpiPm _power;
    private readonly VirtioDevices _virtio;
    private readonly TimerEvent _alarm;
    private readonly CoprocessorError _coprocessor;
    [NotState("Fixed when built.")]
    private readonly byte[] _acpiTables;
    [NotState("Fixed when built.")]
    private readonly byte[] _mpTable;

    /// <summary>Builds the machine and loads its boot image, so that <see cref="Run"/> starts the guest.</summary>
    /// <exception cref="MachineBootException">The boot image is damaged or does not fit.</exception>
    public Machine(MachineConfiguration configuration)
        : this(configuration, powersOn: true)
    {
    }

    private Machine(MachineConfiguration configuration, bool powersOn)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        _configuration = configuration;
        Memory = new PhysicalMemory(configuration.MemoryBytes);
        try
        {
            ProcessorBus processorBus = new(this);
            Cpu = new Vcpu(Memory, processorBus, configuration.CpuModel, configuration.Seed, configuration.Engine);
            _clock = new MachineClock(() => Cpu.InstructionsRetired) { DeadlineMoved = LimitRunTo, TimeSkipped = Cpu.LetTimestampFollow };
            Cpu.LetTimestampFollow(_clock.Skipped);
            _alarm = new TimerEvent(FireAlarm);
            Bus = new IoBus();
            A20Gate a20 = new(Cpu.SetA20);
            _interrupts = new InterruptRouter(Bus, _clock, processorBus);
            Pit8254 pit = new(Bus, _clock, _interrupts.IsaLine(0));
            long rtcStart = new DateTimeOffset(configuration.RtcStart, TimeSpan.Zero).ToUnixTimeSeconds();
            RtcCmos rtc = new(Bus, _clock, _interrupts.IsaLine(8), rtcStart, Memory.LowRamBytes, Memory.HighRamBytes);
            _serial =
            [
                new Uart16550("com1", Bus, _clock, Uart16550.Com1Port, _interrupts.IsaLine(Uart16550.Com1Irq), configuration.PaceSerialOutput) { Output = b => SerialOutput?.Invoke(Com1, b) },
                new Uart16550("com2", Bus, _clock, Uart16550.Com2Port, _interrupts.IsaLine(Uart16550.Com2Irq), configuration.PaceSerialOutput) { Output = b => SerialOutput?.Invoke(Com2, b) },
            ];
            KeyboardController keyboard = new(Bus, _interrupts.IsaLine(1), _interrupts.IsaLine(12), a20, RequestReset);
            SystemPorts ports = new(Bus, a20, RequestReset, code => RequestExit(new MachineExit(MachineExitKind.DebugExit, code)), b => SerialOutput?.Invoke(DebugConsole, b));
            CrtController display = new(Bus);
            _coprocessor = new CoprocessorError(Bus, _interrupts.IsaLine(CoprocessorError.Irq));
            _power = new AcpiPm(Bus, _clock, _interrupts.IsaLine(AcpiPm.SciIrq), () => RequestExit(new MachineExit(MachineExitKind.PowerOff)));
            PciBus pci = new(Bus, _interrupts, _interrupts);
            PiixChipset.Attach(pci, AcpiPm.Base).PowerManagementMoved = _power.MoveTo;
            _virtio = new VirtioDevices(pci, Memory, _clock, configuration, b => SerialOutput?.Invoke(VirtioDevices.ConsolePort, b), e => StorageFaulted?.Invoke(e));
            _devices.AddRange([_interrupts, _interrupts.Pic, _interrupts.IoApic, _interrupts.LocalApic, pit, rtc, .. _serial, keyboard, ports, display, _coprocessor, _power, pci]);
            MemoryMap.Apply(Memory);
            pci.Reset();
            _acpiTables = AcpiTables.Build((uint)MemoryMap.FirmwareStart, PciMemoryStart, _interrupts);
            Cpu.Reset();
            _mpTable = MpTable.Build((uint)Cpu.GetRegister(EdxNumber), pci.Functions());
            if (powersOn)
            {
                PowerOn();
            }
        }
        catch
        {
            Cpu?.Dispose();
            Memory.Dispose();
            throw;
        }
    }

    public Vcpu Cpu { get; }

    public PhysicalMemory Memory { get; }

    /// <summary>Guest time since power-on, in nanoseconds; exact also inside device callbacks.</summary>
    public long GuestTime => _clock.Now;

    /// <summary>Instructions retired since power-on.</summary>
    public long Instructions => Cpu.InstructionsRetired;

    /// <summary>Called for each byte that the guest sends: port number (1 for COM1, 2 for COM2, 101 for the first virtio console, 200 for the debug console), byte. On the running thread, inside the instruction that sent it.</summary>
    public Action<int, byte>? SerialOutput { get; set; }

    /// <summary>Called when a disk's image failed under a request of the guest, which sees an I/O error. On the running thread.</summary>
    public Action<StorageException>? StorageFaulted { get; set; }

    /// <summary>The port and MMIO space, for tests.</summary>
    internal IoBus Bus { get; }

    /// <summary>Fires the next event that is due, for tests; false where none is.</summary>
    internal bool FireNextEvent() => _clock.FireNext();

    /// <summary>Lets guest time pass, for tests.</summary>
    internal void Skip(long nanoseconds) => _clock.SkipTo(_clock.Now + nanoseconds);

    /// <summary>Queues bytes for the guest to read from a port (numbers as in <see cref="SerialOutput"/>), delivered at the line's pace as the guest takes them; none are lost.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The machine has no such port.</exception>
    public void SendSerial(int port, ReadOnlySpan<byte> bytes)
    {
        switch (port)
        {
            case Com1 or Com2:
                _serial[port - 1].Send(bytes);
                break;
            case VirtioDevices.ConsolePort when _virtio.Console is not null:
                _virtio.Console.Send(bytes);
                break;
            default:
                throw new ArgumentOutOfRangeException(nameof(port), port, "This machine takes input on port 1 (COM1), 2 (COM2) and, where it has a virtio console, 101.");
        }
    }

    /// <summary>Whether the guest is ready to read from a port (numbers as in <see cref="SendSerial"/>): by interrupt, or asking for input again and again. A virtio console loses nothing that comes early, so it always is.</summary>
    public bool IsListening(int port) => port is not (Com1 or Com2) || _serial[port - 1].IsListening;

    /// <summary>Presses the ACPI power button.</summary>
    public void PressPowerButton() => _power.PressPowerButton();

    /// <summary>Calls back at a guest time (nanoseconds since power-on), at a deterministic instruction; replaces an earlier one. Null action cancels. When is part of saved state, what is called is not: after loading, <see cref="AlarmAction"/> says it again.</summary>
    public void SetAlarm(long guestTime, Action? action)
    {
        AlarmAction = action;
        if (action is null)
        {
            _clock.Cancel(_alarm);
        }
        else
        {
            _clock.Schedule(_alarm, guestTime);
        }
    }

    /// <summary>Guest time at which the alarm is due; null where none is set.</summary>
    public long? AlarmDue => _alarm.IsScheduled ? _alarm.Due : null;

    /// <summary>What the alarm calls. An alarm that was loaded and finds nothing to call passes without a trace.</summary>
    public Action? AlarmAction { get; set; }

    public void Dispose()
    {
        Cpu.Dispose();
        Memory.Dispose();
    }

    private void FireAlarm()
    {
        Action? action = AlarmAction;
        AlarmAction = null;
        action?.Invoke();
    }

    private void RequestReset() => RequestExit(new MachineExit(MachineExitKind.ResetRequested));
}
