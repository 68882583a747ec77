using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Cpu;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Acpi;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Boot;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Display;
using VirtShell.Machine.Input;
using VirtShell.Machine.Interrupts;
using VirtShell.Machine.Legacy;
using VirtShell.Machine.Pci;
using VirtShell.Machine.Processors;
using VirtShell.Machine.Virtio;
using VirtShell.State;
using VirtShell.Storage;

namespace VirtShell.Machine;

/// <summary>
/// A PC: processors, memory, chipset and devices, driven by one thread at a time. Nothing here is thread-safe except
/// <see cref="RequestStop"/>.
/// </summary>
public sealed partial class Pc : IDisposable
{
    private readonly MachineConfiguration _configuration;
    private readonly MachineClock _clock;
    private readonly ProcessorGroup _processors;
    private readonly Board _board;
    private readonly Firmware _firmware;
    private readonly TimerEvent _alarm;

    // Of the board, for the run loop.
    private readonly InterruptRouter _interrupts;
    private readonly VirtioConsole? _console;
    private readonly I6300EsbWatchdog? _watchdog;
    private readonly VgaAdapter? _display;

    /// <summary>Builds the machine and loads its boot image, so that <see cref="Run"/> starts the guest.</summary>
    /// <exception cref="MachineBootException">The boot image is damaged or does not fit.</exception>
    /// <exception cref="PartException">The parts do not go together.</exception>
    public Pc(MachineConfiguration configuration)
        : this(configuration, powersOn: true)
    {
    }

    private Pc(MachineConfiguration configuration, bool powersOn)
    {
        ArgumentNullException.ThrowIfNull(configuration);
        _configuration = configuration;
        _firmware = Firmware.For(configuration);
        Memory = new PhysicalMemory(configuration.MemoryBytes);
        try
        {
            _processors = new ProcessorGroup(configuration, Memory, RequestExit);
            _clock = _processors.Clock;
            _alarm = new TimerEvent(FireAlarm);
            _board = new Board(configuration, Memory, _clock, new Signals(this));
            Bus = _board.Bus;
            _interrupts = _board.Interrupts;
            _console = _board.Find<VirtioConsole>();
            _watchdog = _board.Find<I6300EsbWatchdog>();
            _display = _board.Find<VgaAdapter>();
            KeyboardController? input = _board.Find<KeyboardController>();
            Keyboard = input is null ? null : new MachineKeyboard(input);
            Mouse = input is null ? null : new MachineMouse(input);
            Screen = _display is null ? null : new MachineScreen(_display, _clock);
            _processors.Connect(_board);
            _firmware.Connect(_board, Cpu);
            _processors.Reset();
            if (powersOn)
            {
                PowerOn();
            }
        }
        catch
        {
            _processors?.Dispose();
            Memory.Dispose();
            throw;
        }
    }

    /// <summary>The processor that starts the system.</summary>
    public Vcpu Cpu => _processors.First;

    public PhysicalMemory Memory { get; }

    /// <summary>Guest time since power-on, in nanoseconds; exact also inside device callbacks.</summary>
    public long GuestTime => _clock.Now;

    /// <summary>Instructions retired since power-on; of several processors, by the first.</summary>
    public long Instructions => _processors.Instructions;

    /// <summary>All processors, for tests.</summary>
    internal IReadOnlyList<Processor> Processors => _processors.All;

    /// <summary>The screen; null for a machine without a display.</summary>
    [NotState("Shows the display's state.")]
    public MachineScreen? Screen { get; }

    /// <summary>The keyboard; null for a machine without the controller.</summary>
    [NotState("Feeds the controller's state.")]
    public MachineKeyboard? Keyboard { get; }

    /// <summary>The mouse; null for a machine without the controller.</summary>
    [NotState("Feeds the controller's state.")]
    public MachineMouse? Mouse { get; }

    /// <summary>Called for each byte that the guest sends: where it comes out, byte. On the running thread, inside the instruction that sent it.</summary>
    public Action<Outlet, byte>? SerialOutput { get; set; }

    /// <summary>Called when a disk's image failed under a request of the guest, which sees an I/O error. On the running thread.</summary>
    public Action<StorageException>? StorageFaulted { get; set; }

    /// <summary>The port and MMIO space, for tests.</summary>
    internal IoBus Bus { get; }

    /// <summary>Fires the next event that is due, for tests; false where none is.</summary>
    internal bool FireNextEvent() => _clock.FireNext();

    /// <summary>Lets guest time pass, for tests.</summary>
    internal void Skip(long nanoseconds) => _clock.SkipTo(_clock.Now + nanoseconds);

    /// <summary>Queues bytes for the guest to read at an outlet, delivered at the line's pace as the guest takes them; none are lost.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The machine takes no input there.</exception>
    public void SendSerial(Outlet outlet, ReadOnlySpan<byte> bytes)
    {
        ArgumentNullException.ThrowIfNull(outlet);
        IOutletInput input = _board.Input(outlet)
            ?? throw new ArgumentOutOfRangeException(nameof(outlet), outlet.Name, $"This machine takes input at {string.Join(", ", Outlet.All.Where(o => _board.Input(o) is not null))}.");
        input.Send(bytes);
    }

    /// <summary>Whether the guest is ready to read at an outlet: by interrupt, or asking for input again and again. A virtio console loses nothing that comes early, so it always is; an outlet that takes no input never is.</summary>
    public bool IsListening(Outlet outlet) => _board.Input(outlet) is { IsListening: true };

    /// <summary>Presses the ACPI power button, which a machine without power management does not have.</summary>
    public void PressPowerButton() => _board.Find<AcpiPm>()?.PressPowerButton();

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
        _processors.Dispose();
        Memory.Dispose();
    }

    private void FireAlarm()
    {
        Action? action = AlarmAction;
        AlarmAction = null;
        action?.Invoke();
    }
}
