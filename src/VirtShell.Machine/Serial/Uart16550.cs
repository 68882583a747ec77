using System;
using System.Collections.Generic;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Bus;

namespace VirtShell.Machine.Serial;

/// <summary>
/// A 16550A UART (National Semiconductor PC16550D datasheet) with its 16-byte FIFOs. Input arrives at the programmed line
/// speed and waits on the host side until the FIFO has room; a sent byte is reported when it is written. Neither is ever lost.
/// </summary>
internal sealed partial class Uart16550 : IDevice, IPortHandler, IOutletInput
{
    public const ushort Com1Port = 0x3F8;
    public const ushort Com2Port = 0x2F8;
    public const int Com1Irq = 4;
    public const int Com2Irq = 3;
    public const ushort Com3Port = 0x3E8;
    public const ushort Com4Port = 0x2E8;
    public const int PortCount = 8;
    private const int FifoSize = 16;

    // A byte on an unpaced line. Short enough that what a driver has written is out before a system that does not wait for it can
    // switch off: under the virtual clock within the next access. Under the host's, a driver's interrupt handler sees the FIFO full.
    private const long UnpacedCharacter = 250;

    // The crystal of 1.8432 MHz, divided by 16: nanoseconds of a bit at divisor 1 are 10^9 / 115200.
    private const long BaudBase = 115_200;

    // Registers (table II); 0 and 1 are the divisor latch while DLAB is set.
    private const int Data = 0;
    private const int Ier = 1;
    private const int IirFcr = 2;
    private const int Lcr = 3;
    private const int Mcr = 4;
    private const int Lsr = 5;
    private const int Msr = 6;
    private const int Scratch = 7;

    private const byte IerReceived = 0x01;
    private const byte IerTransmit = 0x02;
    private const byte IerLineStatus = 0x04;
    private const byte IerModemStatus = 0x08;

    private const byte IirNone = 0x01;
    private const byte IirModemStatus = 0x00;
    private const byte IirTransmit = 0x02;
    private const byte IirReceived = 0x04;
    private const byte IirLineStatus = 0x06;
    private const byte IirTimeout = 0x0C;
    private const byte IirFifo = 0xC0;

    private const byte FcrEnable = 0x01;
    private const byte FcrClearReceive = 0x02;
    private const byte FcrClearTransmit = 0x04;

    private const byte LcrDlab = 0x80;
    private const byte McrLoop = 0x10;
    private const byte McrOut2 = 0x08;
    private const byte McrWritable = 0x1F;

    private const byte LsrDataReady = 0x01;
    private const byte LsrOverrun = 0x02;
    private const byte LsrErrors = 0x1E;
    private const byte LsrTransmitHolding = 0x20;
    private const byte LsrTransmitEmpty = 0x40;

    // DCD, DSR and CTS stand: somebody listens at the other end.
    private const byte MsrConnected = 0xB0;

    // Fixed configuration.
    private readonly ushort _port;
    private readonly bool _isPaced;

    // Runtime glue.
    private readonly MachineClock _clock;
    private readonly Action<bool> _irq;
    private readonly TimerEvent _transmitted;
    private readonly TimerEvent _received;
    private readonly TimerEvent _timedOut;

    // Saved state.
    private readonly byte[] _fifo = new byte[FifoSize];
    private readonly Queue<byte> _input = new();
    private int _fifoHead;
    private int _fifoCount;
    private long _sendingUntil;
    private ushort _divisor;
    private byte _ier;
    private byte _fcr;
    private byte _lcr;
    private byte _mcr;
    private byte _lineErrors;
    private byte _msr;
    private byte _scratch;
    private bool _transmitPending;
    private bool _timeoutPending;
    private bool _polled;
    private bool _listening;

    /// <param name="name">"com1", "com2", …</param>
    /// <param name="bus">Where the ports are claimed.</param>
    /// <param name="clock">What paces the line.</param>
    /// <param name="port">The first of its eight ports.</param>
    /// <param name="irq">The interrupt line.</param>
    /// <param name="isPaced">Whether sending takes the time that the line speed gives, instead of next to none.</param>
    public Uart16550(string name, IoBus bus, MachineClock clock, ushort port, Action<bool> irq, bool isPaced = false)
    {
        ArgumentNullException.ThrowIfNull(bus);
        Name = name;
        _clock = clock;
        _port = port;
        _irq = irq;
        _isPaced = isPaced;
        _transmitted = new TimerEvent(HoldingEmptied);
        _received = new TimerEvent(ByteArrived);
        _timedOut = new TimerEvent(ReceiverTimedOut);
        bus.MapPorts(port, PortCount, this);
        Reset();
    }

    public string Name { get; }

    /// <summary>The first of its ports.</summary>
    public ushort Port => _port;

    /// <summary>Takes each byte that the guest sends, inside the write.</summary>
    public Action<byte>? Output { get; set; }

    /// <summary>Bytes queued on the host side that the receiver has not taken yet.</summary>
    public int PendingInput => _input.Count;

    private bool IsFifoEnabled => (_fcr & FcrEnable) != 0;

    private bool IsLoopback => (_mcr & McrLoop) != 0;

    private int Capacity => IsFifoEnabled ? FifoSize : 1;

    private int Trigger => !IsFifoEnabled ? 1 : (_fcr >> 6) switch { 0 => 1, 1 => 4, 2 => 8, _ => 14 };

    // Start bit, 5 to 8 data bits, parity, 1 or 2 stop bits.
    private long CharacterTime
    {
        get
        {
            int bits = 1 + 5 + (_lcr & 3) + ((_lcr & 8) != 0 ? 1 : 0) + ((_lcr & 4) != 0 ? 2 : 1);
            return bits * Math.Max(1L, _divisor) * MachineClock.NanosecondsPerSecond / BaudBase;
        }
    }

    private long SendTime => _isPaced ? CharacterTime : Math.Min(CharacterTime, UnpacedCharacter);

    // All but the byte in the shift register has gone.
    private bool IsHoldingEmpty => _sendingUntil - _clock.Now <= SendTime;

    /// <summary>The power-on state; input that waits on the host side stays.</summary>
    public void Reset()
    {
        _clock.Cancel(_transmitted);
        _clock.Cancel(_received);
        _clock.Cancel(_timedOut);
        _fifoHead = _fifoCount = 0;
        _sendingUntil = 0;
        _divisor = 1;
        _ier = _fcr = _lcr = _mcr = _lineErrors = _scratch = 0;
        _lcr = 3;
        _msr = MsrConnected;
        _transmitPending = _timeoutPending = _polled = _listening = false;
        _irq(false);
        FeedReceiver();
    }

    /// <summary>Whether the guest reads: it has receive interrupts on, or does nothing but read the line status.</summary>
    public bool IsListening => (_ier & IerReceived) != 0 || _polled;

    /// <summary>Queues bytes that arrive at the line's pace.</summary>
    public void Send(ReadOnlySpan<byte> bytes)
    {
        foreach (byte value in bytes)
        {
            _input.Enqueue(value);
        }

        FeedReceiver();
    }

    public uint ReadPort(ushort port, int size)
    {
        int register = port - _port;
        bool polledBefore = _polled;
        _polled = register == Lsr;
        if (polledBefore && _polled)
        {
            WaitForTransmitter();
            Listen();
        }

        switch (register)
        {
            case Data when (_lcr & LcrDlab) != 0:
                return (byte)_divisor;
            case Ier when (_lcr & LcrDlab) != 0:
                return (byte)(_divisor >> 8);
            case Data:
                return ReadData();
            case Ier:
                return _ier;
            case IirFcr:
                return ReadInterruptIdentification();
            case Lcr:
                return _lcr;
            case Mcr:
                return _mcr;
            case Lsr:
                return ReadLineStatus();
            case Msr:
                byte status = _msr;
                _msr &= 0xF0;
                UpdateIrq();
                return status;
            default:
                return _scratch;
        }
    }

    public void WritePort(ushort port, int size, uint value)
    {
        byte written = (byte)value;
        _polled = false;
        switch (port - _port)
        {
            case Data when (_lcr & LcrDlab) != 0:
                _divisor = (ushort)((_divisor & 0xFF00) | written);
                break;
            case Ier when (_lcr & LcrDlab) != 0:
                _divisor = (ushort)((_divisor & 0xFF) | (written << 8));
                break;
            case Data:
                Transmit(written);
                break;
            case Ier:
                WriteInterruptEnable(written);
                break;
            case IirFcr:
                WriteFifoControl(written);
                break;
            case Lcr:
                _lcr = written;
                break;
            case Mcr:
                _mcr = (byte)(written & McrWritable);
                UpdateModemStatus();
                FeedReceiver();
                UpdateIrq();
                break;
            case Scratch:
                _scratch = written;
                break;
            default:
                break;
        }
    }

    // A driver that reads the line status again and again waits for the line. Each read then takes as long as the line does,
    // so that a console at 115200 baud costs its guest time, but no instructions.
    private void WaitForTransmitter()
    {
        long emptied = IsHoldingEmpty ? _sendingUntil : _sendingUntil - SendTime;
        if (emptied > _clock.Now)
        {
            _clock.StallUntil(emptied);
        }
    }

    private byte ReadData()
    {
        if (_fifoCount == 0)
        {
            return 0;
        }

        byte value = _fifo[_fifoHead];
        _fifoHead = (_fifoHead + 1) & (FifoSize - 1);
        _fifoCount--;
        RestartTimeout();
        FeedReceiver();
        UpdateIrq();
        return value;
    }

    private byte ReadLineStatus()
    {
        int status = _lineErrors | (_fifoCount > 0 ? LsrDataReady : 0);
        if (IsHoldingEmpty)
        {
            status |= LsrTransmitHolding;
        }

        if (_clock.Now >= _sendingUntil)
        {
            status |= LsrTransmitEmpty;
        }

        _lineErrors = 0;
        UpdateIrq();
        return (byte)status;
    }

    private byte ReadInterruptIdentification()
    {
        byte source = Pending();
        if (source == IirTransmit)
        {
            _transmitPending = false;
            UpdateIrq();
        }

        return IsFifoEnabled ? (byte)(source | IirFifo) : source;
    }

    private void WriteInterruptEnable(byte value)
    {
        byte before = _ier;
        _ier = (byte)(value & 0x0F);
        if ((before & IerTransmit) == 0 && (_ier & IerTransmit) != 0 && IsHoldingEmpty)
        {
            // Drivers rely on being told at once that the transmitter is free.
            _transmitPending = true;
        }

        if ((_ier & IerTransmit) != 0 && !IsHoldingEmpty)
        {
            _clock.Schedule(_transmitted, _sendingUntil - SendTime);
        }

        _listening = false;
        if ((_ier & IerReceived) != 0)
        {
            Listen();
        }

        UpdateIrq();
    }

    private void WriteFifoControl(byte value)
    {
        bool toggled = ((value ^ _fcr) & FcrEnable) != 0;
        _fcr = (byte)(value & 0xC1);
        if (toggled || (value & FcrClearReceive) != 0)
        {
            _fifoHead = _fifoCount = 0;
            RestartTimeout();
            FeedReceiver();
        }

        if (toggled || (value & FcrClearTransmit) != 0)
        {
            // What was written has reached the host already; only the pacing forgets it.
            _sendingUntil = Math.Min(_sendingUntil, _clock.Now + SendTime);
            if (_transmitted.IsScheduled)
            {
                _clock.Cancel(_transmitted);
                HoldingEmptied();
            }
        }

        UpdateIrq();
    }

    private void Transmit(byte value)
    {
        long character = SendTime;
        long now = _clock.Now;
        _transmitPending = false;
        if (IsLoopback)
        {
            // The loop is inside the chip; we let it take no time.
            Receive(value);
            _transmitPending = true;
            UpdateIrq();
            return;
        }

        // A driver that writes into a full FIFO overwrites in hardware; here the byte counts for the host, not for the pacing.
        _sendingUntil = Math.Min(Math.Max(_sendingUntil, now) + character, now + ((Capacity + 1) * character));
        Output?.Invoke(value);
        if (_sendingUntil - now <= character)
        {
            _transmitPending = true;
        }
        else if ((_ier & IerTransmit) != 0)
        {
            _clock.Schedule(_transmitted, _sendingUntil - character);
        }

        UpdateIrq();
    }

    private void HoldingEmptied()
    {
        _transmitPending = true;
        UpdateIrq();
    }

    private void Receive(byte value)
    {
        if (_fifoCount >= Capacity)
        {
            _lineErrors |= LsrOverrun;
            return;
        }

        _fifo[(_fifoHead + _fifoCount) & (FifoSize - 1)] = value;
        _fifoCount++;
        RestartTimeout();
    }

    private void ByteArrived()
    {
        if (_listening && !IsLoopback && _fifoCount < Capacity && _input.TryDequeue(out byte value))
        {
            Receive(value);
            UpdateIrq();
        }

        FeedReceiver();
    }

    // Input waits until the guest takes it: by interrupt, or reading the line status again and again. A driver that sets the
    // port up clears the FIFO, and what was typed ahead with it.
    private void Listen()
    {
        _listening = true;
        FeedReceiver();
    }

    private void FeedReceiver()
    {
        if (_listening && _input.Count > 0 && _fifoCount < Capacity && !IsLoopback && !_received.IsScheduled)
        {
            _clock.ScheduleAfter(_received, CharacterTime);
        }
    }

    // The FIFO's character timeout: four characters' time without one arriving or being read.
    private void RestartTimeout()
    {
        _timeoutPending = false;
        if (IsFifoEnabled && _fifoCount > 0)
        {
            _clock.ScheduleAfter(_timedOut, 4 * CharacterTime);
        }
        else
        {
            _clock.Cancel(_timedOut);
        }
    }

    private void ReceiverTimedOut()
    {
        _timeoutPending = true;
        UpdateIrq();
    }

    private void UpdateModemStatus()
    {
        // In loopback RTS, DTR, OUT1 and OUT2 drive CTS, DSR, RI and DCD.
        byte lines = IsLoopback
            ? (byte)(((_mcr & 2) << 3) | ((_mcr & 1) << 5) | ((_mcr & 4) << 4) | ((_mcr & 8) << 4))
            : MsrConnected;
        int changed = (lines ^ _msr) >> 4;

        // RI reports its trailing edge only.
        if ((lines & 0x40) != 0)
        {
            changed &= ~4;
        }

        _msr = (byte)(lines | (_msr & 0x0F) | changed);
    }

    private byte Pending()
    {
        if ((_ier & IerLineStatus) != 0 && (_lineErrors & LsrErrors) != 0)
        {
            return IirLineStatus;
        }

        if ((_ier & IerReceived) != 0)
        {
            if (_fifoCount >= Trigger)
            {
                return IirReceived;
            }

            if (_timeoutPending)
            {
                return IirTimeout;
            }
        }

        if ((_ier & IerTransmit) != 0 && _transmitPending)
        {
            return IirTransmit;
        }

        return (_ier & IerModemStatus) != 0 && (_msr & 0x0F) != 0 ? IirModemStatus : IirNone;
    }

    // On the PC, OUT2 gates the interrupt; loopback disconnects the pin.
    private void UpdateIrq() => _irq(Pending() != IirNone && (_mcr & (McrOut2 | McrLoop)) == McrOut2);
}
