using System;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Legacy;

/// <summary>
/// A standard parallel port (IBM PC Technical Reference, parallel printer adapter; the interrupt flag as on the PS/2) with a printer that
/// is always ready and takes a byte in 10 µs. What is printed goes to an outlet.
/// </summary>
internal sealed class ParallelPort : IDevice, IPortHandler
{
    public const ushort Lpt1Port = 0x378;
    public const int Lpt1Irq = 7;
    public const int PortCount = 3;

    private const int Data = 0;
    private const int Status = 1;

    // Status: what is active low reads so. Bits 1:0 are not wired.
    private const byte NotBusy = 0x80;
    private const byte NotAcknowledge = 0x40;
    private const byte Selected = 0x10;
    private const byte NotError = 0x08;
    private const byte NotInterrupt = 0x04;
    private const byte Unwired = 0x03;

    // Control.
    private const byte Strobe = 0x01;
    private const byte NotInitialize = 0x04;
    private const byte InterruptEnable = 0x10;
    private const byte ControlWritable = 0x1F;
    private const byte ControlUnwired = 0xE0;

    private const long ByteNanoseconds = 10_000;
    private const long AcknowledgeNanoseconds = 5_000;

    // Runtime glue.
    private readonly MachineClock _clock;
    private readonly Action<bool> _irq;
    private readonly Action<byte> _output;
    private readonly ushort _first;
    private readonly TimerEvent _taken;

    // Saved state.
    private byte _data;
    private byte _control;
    private bool _isPending;

    public ParallelPort(string name, IoBus bus, MachineClock clock, ushort first, Action<bool> irq, Action<byte> output)
    {
        Name = name;
        _clock = clock;
        _first = first;
        _irq = irq;
        _output = output;
        _taken = new TimerEvent(Taken);
        bus.MapPorts(first, PortCount, this);
        Reset();
    }

    public string Name { get; }

    /// <summary>The first port.</summary>
    public ushort Port => _first;

    public void Reset()
    {
        _clock.Cancel(_taken);
        _data = 0;
        _control = NotInitialize;
        _isPending = false;
        _irq(false);
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        visitor.Value("data", ref _data);
        visitor.Value("control", ref _control, ControlWritable);
        visitor.Value("pending", ref _isPending);
        _taken.Describe(visitor, "taken", _clock);
    }

    public uint ReadPort(ushort port, int size)
    {
        switch (port - _first)
        {
            case Data:
                return _data;
            case Status:
                byte status = StatusNow();
                _isPending = false;
                _irq(false);
                return status;
            default:
                return (uint)(_control | ControlUnwired);
        }
    }

    public void WritePort(ushort port, int size, uint value)
    {
        switch (port - _first)
        {
            case Data:
                _data = (byte)value;
                break;
            case Status:
                break;
            default:
                WriteControl((byte)(value & ControlWritable));
                break;
        }
    }

    private byte StatusNow()
    {
        byte status = Selected | NotError | Unwired;
        bool isBusy = _taken.IsScheduled || (_control & Strobe) != 0 || (_control & NotInitialize) == 0;
        bool acknowledges = _taken.IsScheduled && _taken.Due - _clock.Now <= AcknowledgeNanoseconds;
        return (byte)(status | (isBusy ? 0 : NotBusy) | (acknowledges ? 0 : NotAcknowledge) | (_isPending ? 0 : NotInterrupt));
    }

    private void WriteControl(byte value)
    {
        bool strobes = (value & ~_control & Strobe) != 0;
        _control = value;
        if (strobes && (value & NotInitialize) != 0)
        {
            _output(_data);
            _clock.Schedule(_taken, _clock.Now + ByteNanoseconds);
        }

        if ((value & InterruptEnable) == 0)
        {
            _isPending = false;
            _irq(false);
        }
    }

    private void Taken()
    {
        if ((_control & InterruptEnable) != 0)
        {
            _isPending = true;
            _irq(true);
        }
    }
}
