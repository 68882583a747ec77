using System;
using VirtShell.Machine.Bus;
using VirtShell.State;
using VirtShell.Storage;

namespace VirtShell.Machine.Drives;

/// <summary>
/// A drive on an IDE channel: its registers, its buffer, and how data goes through the data port or the bus master. What
/// commands do is its kinds' business. Each step of a command is a clock event and moves 64 KiB at most.
/// </summary>
internal abstract class IdeDevice : IStateful
{
    /// <summary>Bytes in the drive's buffer.</summary>
    internal const int BufferBytes = 64 << 10;

    /// <summary>Guest time from a command to its end or its first data, before the time for its bytes.</summary>
    public const long LatencyNanoseconds = 20_000;

    /// <summary>Guest time of a reset, and of diagnostics.</summary>
    public const long ResetNanoseconds = 50_000;

    /// <summary>How many bytes the modelled drive moves in a nanosecond (2 GB/s).</summary>
    public const long BytesPerNanosecond = 2;

    /// <summary>Guest time between two blocks at the data port.</summary>
    private const long BlockNanoseconds = 2_000;

    // Runtime glue.
    private readonly IdeChannel _channel;
    private readonly MachineClock _clock;
    private readonly TimerEvent _timer;

    // Saved state, besides the event.
    private readonly byte[] _current = new byte[IdeRegister.Count];
    private readonly byte[] _previous = new byte[IdeRegister.Count];
    [NotState("The bytes that are in use are shown.")]
    private readonly byte[] _buffer = new byte[BufferBytes];
    private byte _error;
    private byte _command;
    private int _work;
    private int _flow;
    private int _at;
    private int _blockEnd;
    private int _end;

    protected IdeDevice(IdeChannel channel, Drive drive, MachineClock clock)
    {
        ArgumentNullException.ThrowIfNull(drive);
        _channel = channel;
        _clock = clock;
        _timer = new TimerEvent(Step);
        Drive = drive;
    }

    // What the clock event does.
    private enum Work
    {
        None,
        Reset,
        Diagnose,
        Execute,
        Present,
        Commit,
        Dma,
    }

    // Which way data goes, and through what.
    private enum Flow
    {
        None,
        PortToHost,
        PortFromHost,
        DmaToHost,
        DmaFromHost,
    }

    public Drive Drive { get; }

    /// <summary>Called when the image failed under a command, which the guest sees as an error. On the running thread.</summary>
    public Action<StorageException>? Faulted { get; set; }

    /// <summary>The Status register.</summary>
    public byte Status { get; private set; }

    /// <summary>Whether the drive asks for its interrupt (INTRQ).</summary>
    public bool WantsInterrupt { get; private set; }

    /// <summary>Whether a command is being carried out, so that registers and commands are not taken.</summary>
    public bool IsOccupied => (Status & (IdeStatus.Busy | IdeStatus.DataRequest)) != 0;

    /// <summary>The command being carried out, or the last one.</summary>
    protected byte Command => _command;

    /// <summary>The Features register as the guest wrote it.</summary>
    protected byte Features => _current[IdeRegister.Features];

    /// <summary>The Error register.</summary>
    protected byte Error
    {
        get => _error;
        set => _error = value;
    }

    /// <summary>Data that goes through the drive; as much of it as the drive says.</summary>
    protected Span<byte> Buffer => _buffer;

    /// <summary>Bytes of data in the buffer, or of what it waits for.</summary>
    protected int DataLength => _end;

    /// <summary>Status of a drive that waits for a command.</summary>
    protected virtual byte ReadyStatus => IdeStatus.Ready | IdeStatus.SeekComplete;

    /// <summary>Status after a reset.</summary>
    protected virtual byte ResetStatus => ReadyStatus;

    /// <summary>Whether data is left beyond the buffer.</summary>
    protected abstract bool HasMore { get; }

    public byte ReadRegister(int register, bool previous) => register switch
    {
        IdeRegister.Error => previous ? _previous[IdeRegister.Features] : _error,
        _ => previous && register != IdeRegister.Device ? _previous[register] : _current[register],
    };

    public void WriteRegister(int register, byte value)
    {
        _previous[register] = _current[register];
        _current[register] = value;
    }

    public void WriteCommand(byte command)
    {
        if (IsOccupied && !(command == IdeCommand.DeviceReset && TakesDeviceReset))
        {
            return;
        }

        Stop();
        _command = command;
        if (command == IdeCommand.DeviceReset && TakesDeviceReset)
        {
            // Without an interrupt, and it keeps which device is selected.
            byte selection = (byte)(_current[IdeRegister.Device] & IdeControl.DeviceSelect);
            TakeSignature();
            _current[IdeRegister.Device] = selection;
            Status = IdeStatus.Busy;
            Schedule(Work.Reset, ResetNanoseconds);
            return;
        }

        _error = 0;
        Status = IdeStatus.Busy;
        Schedule(Work.Execute, LatencyNanoseconds);
    }

    public uint ReadData(int size)
    {
        uint value = 0;
        if (_flow != (int)Flow.PortToHost || (Status & IdeStatus.DataRequest) == 0)
        {
            return value;
        }

        for (int i = 0; i < size && _at < _blockEnd; i++)
        {
            value |= (uint)_buffer[_at++] << (8 * i);
        }

        // The port is a word wide: the last byte of an odd count comes with one that means nothing.
        if (_at >= _blockEnd)
        {
            BlockTaken();
        }

        return value;
    }

    public void WriteData(int size, uint value)
    {
        if (_flow != (int)Flow.PortFromHost || (Status & IdeStatus.DataRequest) == 0)
        {
            return;
        }

        for (int i = 0; i < size && _at < _blockEnd; i++)
        {
            _buffer[_at++] = (byte)(value >> (8 * i));
        }

        if (_at >= _blockEnd)
        {
            Status = IdeStatus.Busy;
            Schedule(Work.Commit, BlockNanoseconds + (_blockEnd / BytesPerNanosecond));
        }
    }

    /// <summary>The guest has started the channel's bus master, or lets it access memory.</summary>
    public void BusMasterStarted()
    {
        if (_flow is (int)Flow.DmaToHost or (int)Flow.DmaFromHost && !_timer.IsScheduled && _channel.BusMaster.IsActive)
        {
            Schedule(Work.Dma, LatencyNanoseconds);
        }
    }

    public void SetInterrupt(bool asserted)
    {
        WantsInterrupt = asserted;
        _channel.UpdateLine();
    }

    /// <summary>SRST is set: everything stops.</summary>
    public void BeginReset()
    {
        Stop();
        Status = IdeStatus.Busy;
    }

    /// <summary>SRST is clear: the drive gets ready.</summary>
    public void EndReset() => Schedule(Work.Reset, ResetNanoseconds);

    /// <summary>EXECUTE DEVICE DIAGNOSTIC, which a drive has no interrupt of that another one tells of.</summary>
    public void Diagnose(bool interrupts)
    {
        Stop();
        _command = IdeCommand.Diagnostic;
        Status = IdeStatus.Busy;
        Schedule(interrupts ? Work.Diagnose : Work.Reset, ResetNanoseconds);
    }

    /// <summary>The state after power-on, diagnostics passed.</summary>
    public void PowerOn()
    {
        Stop();
        Array.Clear(_previous);
        Array.Clear(_current);
        _command = 0;
        ResetSettings(isPowerOn: true);
        GetReady();
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        DescribeRegisters(visitor);
        _timer.Describe(visitor, "timer", _clock);
        DescribeDrive(visitor);

        // Content of any size comes last, so that nothing is looked for beyond it.
        if (Drive.Medium is IStatefulBlockDevice stateful)
        {
            visitor.Part("disk", stateful, IStatefulBlockDevice.StateVersion);
        }
    }

    /// <summary>Whether the drive knows DEVICE RESET, which stops whatever it does.</summary>
    protected virtual bool TakesDeviceReset => false;

    /// <summary>Carries the command out, or its first step; ends with one of the methods below.</summary>
    protected abstract void Execute();

    /// <summary>Puts the next data into the buffer with <see cref="Fill"/>. False where that failed and the command is ended.</summary>
    protected abstract bool TryFill();

    /// <summary>Uses up the data in the buffer. False where that failed and the command is ended.</summary>
    protected abstract bool TryDrain();

    /// <summary>How many bytes the guest sends next.</summary>
    protected abstract int NextLength();

    /// <summary>The registers after a command that has done all.</summary>
    protected abstract void Succeed();

    /// <summary>After the last data was read at the port: a hard disk's command is over then, without an interrupt.</summary>
    protected virtual void AllTaken()
    {
    }

    /// <summary>Registers that say what kind of drive this is.</summary>
    protected abstract void TakeSignature();

    /// <summary>Settings that the guest made go.</summary>
    protected abstract void ResetSettings(bool isPowerOn);

    protected abstract void DescribeDrive(StateVisitor visitor);

    /// <summary>Before a block is shown at the data port: how many bytes of those in the buffer, and what the registers say.</summary>
    protected virtual int BeginBlock(int available) => available;

    protected byte Register(int register) => _current[register];

    protected byte PreviousRegister(int register) => _previous[register];

    protected void SetRegister(int register, byte value) => _current[register] = value;

    protected void SetPrevious(int register, byte value) => _previous[register] = value;

    /// <summary>The buffer holds data for the guest from its start on.</summary>
    protected void Fill(int length)
    {
        _at = 0;
        _blockEnd = 0;
        _end = Math.Clamp(length, 0, BufferBytes);
    }

    /// <summary>Ends a command: the status, and the interrupt.</summary>
    protected void End(byte status)
    {
        _flow = (int)Flow.None;
        Status = status;
        SetInterrupt(true);
    }

    /// <summary>Data goes to the guest, through the port.</summary>
    protected void SendByPort()
    {
        _flow = (int)Flow.PortToHost;
        Present();
    }

    /// <summary>Data comes from the guest, through the port; the first block without an interrupt.</summary>
    protected void ReceiveByPort() => ReceiveBlock(NextLength());

    /// <summary>A device waits for bytes at the data port, whatever they are.</summary>
    protected void ReceiveBlock(int length)
    {
        _flow = (int)Flow.PortFromHost;
        Fill(length);
        _blockEnd = _end;
        Status = (byte)(ReadyStatus | IdeStatus.DataRequest);
    }

    /// <summary>Data goes through the bus master, once the guest has started it.</summary>
    protected void TransferByDma(bool toHost)
    {
        _flow = (int)(toHost ? Flow.DmaToHost : Flow.DmaFromHost);
        BusMasterStarted();
    }

    private void Schedule(Work work, long nanoseconds)
    {
        _work = (int)work;
        _clock.ScheduleAfter(_timer, nanoseconds);
    }

    private void Stop()
    {
        _clock.Cancel(_timer);
        _work = (int)Work.None;
        _flow = (int)Flow.None;
        Fill(0);
        WantsInterrupt = false;
        _channel.UpdateLine();
    }

    private void Step()
    {
        Work work = (Work)_work;
        _work = (int)Work.None;
        switch (work)
        {
            case Work.Reset:
                ResetSettings(isPowerOn: false);
                GetReady();
                break;
            case Work.Diagnose:
                GetReady();
                SetInterrupt(true);
                break;
            case Work.Execute:
                Execute();
                break;
            case Work.Present:
                Present();
                break;
            case Work.Commit:
                Commit();
                break;
            case Work.Dma:
                MoveByDma();
                break;
            default:
                break;
        }
    }

    private void GetReady()
    {
        TakeSignature();
        _error = IdeError.DiagnosticPassed;
        Status = ResetStatus;
    }

    private void Present()
    {
        if (_at >= _end && !TryFill())
        {
            return;
        }

        _blockEnd = _at + Math.Clamp(BeginBlock(_end - _at), 0, _end - _at);
        Status = (byte)(ReadyStatus | IdeStatus.DataRequest);
        SetInterrupt(true);
    }

    private void BlockTaken()
    {
        if (_at < _end || HasMore)
        {
            Status = IdeStatus.Busy;
            Schedule(Work.Present, BlockNanoseconds + (BeginNext() / BytesPerNanosecond));
            return;
        }

        _flow = (int)Flow.None;
        Status = ReadyStatus;
        AllTaken();
    }

    // Bytes that the next step gets from the medium, for the time that it takes.
    private int BeginNext() => _at < _end ? 0 : _blockEnd;

    private void Commit()
    {
        if (!TryDrain())
        {
            return;
        }

        if (_flow == (int)Flow.PortFromHost && HasMore)
        {
            ReceiveByPort();
            SetInterrupt(true);
        }
        else if (_flow == (int)Flow.PortFromHost)
        {
            Succeed();
        }
    }

    // A piece of a transfer. What the table of the bus master has no room for waits.
    private void MoveByDma()
    {
        bool toHost = _flow == (int)Flow.DmaToHost;
        if (_at >= _end)
        {
            if (toHost)
            {
                if (!TryFill())
                {
                    return;
                }
            }
            else
            {
                Fill(NextLength());
            }
        }

        Span<byte> rest = _buffer.AsSpan(_at, _end - _at);
        _at += toHost ? _channel.BusMaster.WriteMemory(rest) : _channel.BusMaster.ReadMemory(rest);
        if (_at < _end)
        {
            if (_channel.BusMaster.IsActive)
            {
                Schedule(Work.Dma, LatencyNanoseconds);
            }

            return;
        }

        if (!toHost && !TryDrain())
        {
            return;
        }

        if (!HasMore)
        {
            Succeed();
        }
        else if (_channel.BusMaster.IsActive)
        {
            Schedule(Work.Dma, _end / BytesPerNanosecond);
        }
    }

    private void DescribeRegisters(StateVisitor visitor)
    {
        visitor.Array("registers", _current.AsSpan());
        visitor.Array("previous", _previous.AsSpan());
        Status = visitor.Value("status", Status);
        visitor.Value("error", ref _error);
        visitor.Value("command", ref _command);
        WantsInterrupt = visitor.Value("interrupt", WantsInterrupt);
        visitor.Value("work", ref _work, 0, (int)Work.Dma);
        visitor.Value("flow", ref _flow, 0, (int)Flow.DmaFromHost);
        visitor.Value("end", ref _end, 0, BufferBytes);
        visitor.Clamped("block-end", ref _blockEnd, 0, _end);
        visitor.Clamped("at", ref _at, 0, _end);
        byte[] content = _buffer.AsSpan(0, _end).ToArray();
        if (visitor.Bytes("buffer", ref content, BufferBytes))
        {
            content.CopyTo(_buffer, 0);
        }
    }
}
