using System;
using VirtShell.Cpu;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Interrupts;
using VirtShell.Machine.Legacy;
using VirtShell.State;

namespace VirtShell.Machine.Processors;

/// <summary>
/// One processor of a machine, with what it sees of the board: the bus is everybody's, the local APIC its own. The first one starts
/// the system; each other waits for it to say where to begin.
/// </summary>
internal sealed class Processor : ICpuBus, IProcessorPins, IStateful, IDisposable
{
    // No start-up message waits.
    private const int None = -1;

    private readonly ProcessorGroup _group;
    private readonly MachineClock _clock;
    [NotState("Wiring.")]
    private IoBus _bus = null!;
    [NotState("Wiring.")]
    private InterruptRouter _interrupts = null!;
    [NotState("Wiring.")]
    private LocalApic _apic = null!;
    [NotState("Wiring.")]
    private CoprocessorError? _coprocessor;

    // Saved state.
    private bool _waits;
    private bool _init;
    private int _startUp = None;

    /// <param name="number">Its number, which is its APIC ID.</param>
    /// <param name="group">All processors.</param>
    /// <param name="clock">The machine's clock.</param>
    /// <param name="makeCpu">Makes the processor itself, on the bus that it is given.</param>
    public Processor(int number, ProcessorGroup group, MachineClock clock, Func<ICpuBus, Vcpu> makeCpu)
    {
        Number = number;
        _group = group;
        _clock = clock;
        _waits = !IsFirst;
        Cpu = makeCpu(this);
    }

    public int Number { get; }

    public Vcpu Cpu { get; }

    /// <summary>Whether it runs: started, or about to be.</summary>
    public bool IsStarted => !_waits || _startUp != None;

    public byte TaskPriority
    {
        get => _apic.TaskPriority;
        set => _apic.TaskPriority = value;
    }

    private bool IsFirst => Number == LocalApic.FirstId;

    // Sound: the state lives as long as the processor, which calls here.
    private unsafe ulong TscOffset => Cpu.State->TscOffset;

    /// <summary>Puts it onto a board.</summary>
    public void Connect(Board board)
    {
        _bus = board.Bus;
        _interrupts = board.Interrupts;
        _apic = board.Interrupts.LocalApics[Number];
        _coprocessor = board.Find<CoprocessorError>();
    }

    /// <summary>Power-on.</summary>
    public void Reset()
    {
        Cpu.Reset();
        ForgetMessages();
    }

    /// <summary>Takes what messages have asked for since its last turn. False where it has nothing to run.</summary>
    public bool TryBeginTurn()
    {
        if (_init)
        {
            _init = false;
            _waits = true;
            Cpu.Reset(init: true);
            _apic.ResetByInit();
        }

        if (_startUp != None)
        {
            if (_waits)
            {
                _waits = false;
                Cpu.StartUp((byte)_startUp);
            }

            _startUp = None;
        }

        return !_waits;
    }

    public uint ReadPort(ushort port, int size)
    {
        _group.PassPortCycle();
        return _bus.ReadPort(port, size);
    }

    public void WritePort(ushort port, int size, uint value)
    {
        _group.PassPortCycle();
        _bus.WritePort(port, size, value);
    }

    public ulong ReadMmio(ulong physicalAddress, int size) => _bus.ReadMmio(physicalAddress, size);

    public void WriteMmio(ulong physicalAddress, int size, ulong value) => _bus.WriteMmio(physicalAddress, size, value);

    public int AcknowledgeInterrupt() => _interrupts.Acknowledge(Number);

    public ulong ReadTimestampCounter() => ProcessorClock.TscAt(_group.TimeOf(this));

    public void SetFloatingPointError(bool asserted) => _coprocessor?.SetError(asserted);

    // The deadline stays the same value of the guest's counter.
    public void TimestampMoved(ulong delta)
    {
        if (_apic.TryReadMsr(LocalApic.MsrTscDeadline, out ulong deadline) && deadline != 0)
        {
            _apic.TryWriteMsr(LocalApic.MsrTscDeadline, FromGuest(deadline + TscOffset - delta));
        }
    }

    // The deadline is a value of the guest's TSC, which may stand off from ours.
    public bool TryReadMsr(uint index, out ulong value)
    {
        bool known = _apic.TryReadMsr(index, out value);
        if (index == LocalApic.MsrTscDeadline && value != 0)
        {
            value += TscOffset;
        }

        return known;
    }

    public bool TryWriteMsr(uint index, ulong value)
    {
        if (index == LocalApic.MsrTscDeadline && value != 0)
        {
            value = FromGuest(value);
        }

        return _apic.TryWriteMsr(index, value);
    }

    public void SetInterruptRequest(bool asserted) => Cpu.SetInterruptRequest(asserted);

    public void RaiseNmi() => Cpu.RaiseNmi();

    /// <summary>Of the first processor, an INIT asks for a reset of the machine: where it would go on is the firmware's.</summary>
    public void RaiseInit()
    {
        if (IsFirst)
        {
            _group.RequestExit(new MachineExit(MachineExitKind.ResetRequested));
            return;
        }

        _init = true;
        _startUp = None;
        _group.EndTurn(this);
    }

    public void RaiseStartUp(byte vector)
    {
        if (!IsFirst && (_waits || _init))
        {
            _startUp = vector;
        }
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        if (visitor.IsLoading)
        {
            ForgetMessages();
        }

        Cpu.Describe(visitor);
        visitor.Value("waits-for-start-up", ref _waits);
        visitor.Value("init", ref _init);
        visitor.Value("start-up", ref _startUp, None, byte.MaxValue);
    }

    public void Dispose() => Cpu.Dispose();

    private void ForgetMessages()
    {
        _waits = !IsFirst;
        _init = false;
        _startUp = None;
    }

    // A value of the guest's counter as one of ours, not 0: of those that have passed the first, of those beyond reach the last.
    private ulong FromGuest(ulong value)
    {
        ulong now = ReadTimestampCounter();
        ulong guestNow = now + TscOffset;
        if (value <= guestNow)
        {
            return 1;
        }

        ulong left = value - guestNow;
        return left > ulong.MaxValue - now ? ulong.MaxValue : now + left;
    }
}
