using System;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Timers;

/// <summary>
/// The 8254 interval timer at ports 40h to 43h (Intel datasheet 231164) and system control port B (61h): counter 0 drives
/// IRQ 0, counter 2 the speaker.
/// </summary>
internal sealed class Pit8254 : IDevice, IPortHandler
{
    public const long Hertz = 1_193_182;
    public const ushort FirstPort = 0x40;
    public const ushort ControlPort = 0x43;
    public const ushort SystemControlPort = 0x61;

    // System control port B (82371SB datasheet, 2.5.5).
    private const byte SpeakerGate = 0x01;
    private const byte PortWritable = 0x0F;
    private const byte RefreshToggle = 0x10;
    private const byte SpeakerOutput = 0x20;

    // DRAM refresh requests come every 15.085 µs (18 counter ticks).
    private const long RefreshNanoseconds = 15_085;

    private static readonly TickRate s_clock = new(Hertz);

    // Runtime glue.
    private readonly MachineClock _clock;
    private readonly Action<bool> _irq0;
    private readonly TimerEvent _rise;

    // Saved state.
    private readonly PitChannel[] _channels = [new PitChannel(), new PitChannel(), new PitChannel()];
    private byte _portB;

    public Pit8254(IoBus bus, MachineClock clock, Action<bool> irq0)
    {
        ArgumentNullException.ThrowIfNull(bus);
        _clock = clock;
        _irq0 = irq0;
        _rise = new TimerEvent(OutputRises);
        bus.MapPorts(FirstPort, 4, this);
        bus.MapPorts(SystemControlPort, 1, this);
        Reset();
    }

    public string Name => "pit";

    private long Tick => s_clock.TicksAt(_clock.Now);

    public void Reset()
    {
        _clock.Cancel(_rise);
        _channels[0].Reset(gate: true);
        _channels[1].Reset(gate: true);
        _channels[2].Reset(gate: false);
        _portB = 0;
        _irq0(_channels[0].Output(Tick));
    }

    /// <summary>As firmware hands it over, after the 8259s: counter 0 has been running, and its last request waits to be taken.</summary>
    public void InitializeAsFirmware()
    {
        _irq0(false);
        _irq0(true);
    }

    public uint ReadPort(ushort port, int size)
    {
        switch (port)
        {
            case SystemControlPort:
                bool refresh = (_clock.Now / RefreshNanoseconds & 1) != 0;
                return (uint)(_portB | (refresh ? RefreshToggle : 0) | (_channels[2].Output(Tick) ? SpeakerOutput : 0));
            case ControlPort:
                return 0xFF;
            default:
                return _channels[port - FirstPort].Read(Tick);
        }
    }

    public void WritePort(ushort port, int size, uint value)
    {
        long tick = Tick;
        switch (port)
        {
            case SystemControlPort:
                _portB = (byte)(value & PortWritable);
                _channels[2].SetGate((value & SpeakerGate) != 0, tick);
                return;
            case ControlPort:
                WriteControl((byte)value, tick);
                break;
            default:
                _channels[port - FirstPort].Write((byte)value, tick);
                break;
        }

        UpdateIrq(tick);
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        for (int i = 0; i < 3; i++)
        {
            visitor.Part($"channel-{i}", _channels[i]);
        }

        visitor.Value("port-b", ref _portB);
        _rise.Describe(visitor, "rise", _clock);
    }

    private void WriteControl(byte control, long tick)
    {
        int channel = control >> 6;
        if (channel < 3)
        {
            _channels[channel].WriteControl(control, tick);
            return;
        }

        // Read-back command: bits 3:1 select counters; bits 5 and 4 low latch count and status.
        for (int i = 0; i < 3; i++)
        {
            if ((control & (2 << i)) == 0)
            {
                continue;
            }

            if ((control & 0x20) == 0)
            {
                _channels[i].LatchCount(tick);
            }

            if ((control & 0x10) == 0)
            {
                _channels[i].LatchStatus(tick);
            }
        }
    }

    private void UpdateIrq(long tick)
    {
        _irq0(_channels[0].Output(tick));
        long rise = _channels[0].NextRise(tick);
        if (rise == long.MaxValue)
        {
            _clock.Cancel(_rise);
        }
        else if (!_rise.IsScheduled || _rise.Due != s_clock.StartOf(rise))
        {
            _clock.Schedule(_rise, s_clock.StartOf(rise));
        }
    }

    private void OutputRises()
    {
        // OUT falls between two rises; where exactly is of no interest to an edge-triggered input.
        _irq0(false);
        _irq0(true);
        long rise = _channels[0].NextRise(Tick);
        if (rise != long.MaxValue)
        {
            _clock.Schedule(_rise, s_clock.StartOf(rise));
        }
    }
}
