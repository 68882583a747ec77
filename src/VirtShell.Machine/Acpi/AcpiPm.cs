using System;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Timers;
using VirtShell.State;

namespace VirtShell.Machine.Acpi;

/// <summary>
/// ACPI power management registers laid out as in the PIIX4 (82371AB datasheet, 7.2), at a base that PCI configuration can move, with the SMI
/// command port (B2h) that switches ACPI mode on and off. SCI is IRQ 9.
/// </summary>
internal sealed class AcpiPm : IDevice, IPortHandler
{
    public const ushort Base = 0x600;
    public const int PortCount = 64;
    public const int SciIrq = 9;
    public const ushort SmiCommandPort = 0xB2;
    public const byte EnableCommand = 0xF1;
    public const byte DisableCommand = 0xF0;

    /// <summary>SLP_TYP of S5 in PM1 control.</summary>
    public const byte SoftOffType = 0;

    /// <summary>Offsets from <see cref="Base"/>.</summary>
    public const int Pm1Status = 0x00;
    public const int Pm1Enable = 0x02;
    public const int Pm1Control = 0x04;
    public const int PmTimer = 0x08;
    public const int GpeStatus = 0x0C;
    public const int GpeEnable = 0x0E;

    // PM1 status and enable bits (ACPI 6.4, 4.8.3.1).
    private const ushort TimerBit = 1 << 0;
    private const ushort GlobalBit = 1 << 5;
    private const ushort PowerButtonBit = 1 << 8;
    private const ushort RtcBit = 1 << 10;
    private const ushort WakeBit = 1 << 15;
    private const ushort Events = TimerBit | GlobalBit | PowerButtonBit | RtcBit;

    // PM1 control bits (4.8.3.2).
    private const ushort SciEnable = 1 << 0;
    private const ushort ControlWritable = 0x1C03;
    private const int SleepTypeShift = 10;
    private const ushort SleepEnable = 1 << 13;

    // The timer is 24 bits wide; its event is a change of the top bit (4.8.2.1).
    private const long TimerHertz = 3_579_545;
    private const uint TimerMask = 0xFF_FFFF;
    private const int TimerTopBit = 23;

    private static readonly TickRate s_timerRate = new(TimerHertz);

    // Runtime glue.
    private readonly IoBus _bus;
    private readonly MachineClock _clock;
    private readonly Action<bool> _sci;
    private readonly Action _powerOff;
    private readonly TimerEvent _overflow;
    [NotState("The PCI function that moves the block tells it as it loads.")]
    private ushort _mappedAt;

    // Saved state.
    private long _timerSynced;
    private ushort _status;
    private ushort _enable;
    private ushort _control;
    private ushort _gpeStatus;
    private ushort _gpeEnable;
    private byte _smiCommand;
    private byte _smiStatus;

    public AcpiPm(IoBus bus, MachineClock clock, Action<bool> sci, Action powerOff)
    {
        ArgumentNullException.ThrowIfNull(bus);
        _bus = bus;
        _clock = clock;
        _sci = sci;
        _powerOff = powerOff;
        _overflow = new TimerEvent(TimerChanged);
        bus.MapPorts(SmiCommandPort, 2, this);
        MoveTo(Base, enabled: true);
        Reset();
    }

    public string Name => "acpi-pm";

    public void Reset()
    {
        _clock.Cancel(_overflow);
        _timerSynced = _clock.Now;
        _status = _enable = _control = _gpeStatus = _gpeEnable = 0;
        _smiCommand = _smiStatus = 0;
        _sci(false);
    }

    /// <summary>Moves the registers to another base, as the chipset's configuration says; 0 is none.</summary>
    public void MoveTo(ushort port, bool enabled)
    {
        ushort wanted = enabled ? port : (ushort)0;
        if (wanted == _mappedAt)
        {
            return;
        }

        if (_mappedAt != 0)
        {
            _bus.UnmapPorts(_mappedAt, PortCount, this);
        }

        if (wanted != 0)
        {
            _bus.MapPorts(wanted, PortCount, this, accessWidth: 4);
        }

        _mappedAt = wanted;
    }

    /// <summary>Presses the power button: an event, where the guest has enabled it; remembered in the status register in any case.</summary>
    public void PressPowerButton()
    {
        _status |= PowerButtonBit;
        Update();
    }

    public uint ReadPort(ushort port, int size)
    {
        if (port is SmiCommandPort or SmiCommandPort + 1)
        {
            return port == SmiCommandPort ? _smiCommand : _smiStatus;
        }

        uint value = 0;
        for (int i = 0; i < size; i++)
        {
            int offset = (port & (PortCount - 1)) + i;
            value |= (uint)((RegisterAt(offset & ~1) >> (8 * (offset & 1))) & 0xFF) << (8 * i);
        }

        return value;
    }

    public void WritePort(ushort port, int size, uint value)
    {
        if (port is SmiCommandPort or SmiCommandPort + 1)
        {
            WriteSmi(port, (byte)value);
            return;
        }

        for (int i = 0; i < size;)
        {
            int offset = (port & (PortCount - 1)) + i;
            int shift = 8 * (offset & 1);
            if (shift == 0 && size - i >= 2)
            {
                WriteRegister(offset, (ushort)(value >> (8 * i)), 0xFFFF);
                i += 2;
            }
            else
            {
                WriteRegister(offset & ~1, (ushort)(((value >> (8 * i)) & 0xFF) << shift), (ushort)(0xFF << shift));
                i++;
            }
        }
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        visitor.Value("timer-synced", ref _timerSynced);
        visitor.Value("status", ref _status);
        visitor.Value("enable", ref _enable);
        visitor.Value("control", ref _control);
        visitor.Value("gpe-status", ref _gpeStatus);
        visitor.Value("gpe-enable", ref _gpeEnable);
        visitor.Value("smi-command", ref _smiCommand);
        visitor.Value("smi-status", ref _smiStatus);
        _overflow.Describe(visitor, "overflow", _clock);
    }

    private uint TimerValue => (uint)s_timerRate.TicksAt(_clock.Now) & TimerMask;

    private ushort RegisterAt(int offset)
    {
        switch (offset)
        {
            case Pm1Status:
                SynchronizeTimer();
                return _status;
            case Pm1Enable:
                return _enable;
            case Pm1Control:
                return _control;
            case PmTimer:
                return (ushort)TimerValue;
            case PmTimer + 2:
                return (ushort)(TimerValue >> 16);
            case GpeStatus:
                return _gpeStatus;
            case GpeEnable:
                return _gpeEnable;
            default:
                return 0;
        }
    }

    private void WriteRegister(int offset, ushort value, ushort mask)
    {
        switch (offset)
        {
            case Pm1Status:
                SynchronizeTimer();
                _status &= (ushort)~(value & (Events | WakeBit));
                break;
            case Pm1Enable:
                SynchronizeTimer();
                _enable = (ushort)((_enable & ~mask) | (value & mask & Events));
                break;
            case Pm1Control:
                // SCI_EN belongs to the firmware: it follows the SMI command port.
                const ushort writable = ControlWritable & ~SciEnable;
                _control = (ushort)((_control & ~(mask & writable)) | (value & mask & writable));
                if ((value & mask & SleepEnable) != 0 && ((_control >> SleepTypeShift) & 7) == SoftOffType)
                {
                    _powerOff();
                }

                break;
            case GpeStatus:
                _gpeStatus &= (ushort)~value;
                break;
            case GpeEnable:
                _gpeEnable = (ushort)((_gpeEnable & ~mask) | (value & mask));
                break;
            default:
                return;
        }

        Update();
    }

    private void WriteSmi(ushort port, byte value)
    {
        if (port != SmiCommandPort)
        {
            _smiStatus = value;
            return;
        }

        _smiCommand = value;
        if (value == EnableCommand)
        {
            _control |= SciEnable;
        }
        else if (value == DisableCommand)
        {
            _control &= unchecked((ushort)~SciEnable);
        }

        Update();
    }

    private void SynchronizeTimer()
    {
        long now = _clock.Now;
        if (s_timerRate.TicksAt(now) >> TimerTopBit != s_timerRate.TicksAt(_timerSynced) >> TimerTopBit)
        {
            _status |= TimerBit;
        }

        _timerSynced = now;
    }

    private void TimerChanged()
    {
        SynchronizeTimer();
        Update();
    }

    private void Update()
    {
        _sci((_control & SciEnable) != 0 && (_status & _enable & Events) != 0);
        if ((_enable & TimerBit) != 0 && (_status & TimerBit) == 0)
        {
            long next = ((s_timerRate.TicksAt(_clock.Now) >> TimerTopBit) + 1) << TimerTopBit;
            _clock.Schedule(_overflow, s_timerRate.StartOf(next));
        }
        else
        {
            _clock.Cancel(_overflow);
        }
    }
}
