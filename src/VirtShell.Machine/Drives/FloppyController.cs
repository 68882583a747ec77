using System;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Bus;
using VirtShell.Machine.Dma;
using VirtShell.State;
using VirtShell.Storage;

namespace VirtShell.Machine.Drives;

/// <summary>
/// The floppy controller, an Intel 82077AA in AT mode (Intel 290166): registers, the phases of a command, interrupts and reset. What
/// commands do is in the other halves of the class. A sector moves in a clock event of its own.
/// </summary>
internal sealed partial class FloppyController : IDevice, IPortHandler
{
    public const ushort FirstPort = 0x3F0;
    public const int PortCount = 6;

    /// <summary>Digital input, configuration control. The port before it is the IDE controller's.</summary>
    public const ushort DigitalInputPort = FirstPort + FloppyRegister.DigitalInput;
    public const int Irq = 6;
    public const int DmaChannelNumber = 2;

    /// <summary>Drives on the cable; the controller has room for four.</summary>
    public const int DriveCount = 2;

    /// <summary>Guest time of a sector: far less than a turn of the disk, and enough for a system to get ready.</summary>
    public const long SectorNanoseconds = 40_000;

    /// <summary>Guest time of a seek, of whatever length, and of a command without data.</summary>
    public const long SeekNanoseconds = 100_000;

    private const int PlaceCount = 4;
    private const int FifoBytes = 16;
    private const int SectorBytes = FloppyFormat.SectorBytes;
    private const byte AllPlaces = 0x0F;
    private const byte Floating = 0xFF;
    private const byte ChangeLine = 0x80;

    // CONFIGURE: implied seek (bit 6), FIFO off (5), polling off (4), threshold (3:0); and what a reset gives them.
    private const byte ImpliedSeek = 0x40;
    private const byte DefaultConfiguration = 0x20;
    private const byte LockedConfiguration = 0x2F;
    private const byte ConfigurationMask = 0x7F;
    private const byte PerpendicularMode = 0x03;
    private const byte NonDmaMode = 0x01;
    private const byte DefaultRate = 0x02;

    // Runtime glue.
    private readonly MachineClock _clock;
    private readonly DmaChannel _dma;
    private readonly Action<bool> _line;
    private readonly Action<StorageException> _faulted;
    private readonly TimerEvent _timer;

    // Saved state, besides the event.
    private readonly FloppyDrive[] _places = new FloppyDrive[PlaceCount];
    private readonly byte[] _fifo = new byte[FifoBytes];
    private readonly byte[] _sector = new byte[SectorBytes];
    private byte _output;
    private byte _tape;
    private byte _rate;
    private byte _stepRate;
    private byte _headLoad;
    private byte _configuration;
    private byte _precompensation;
    private byte _perpendicular;
    private bool _locked;
    private bool _interrupt;
    private byte _polled;
    private byte _seekEnded;
    private byte _lastSector;
    private int _phase;
    private int _count;
    private int _taken;

    public FloppyController(PartContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        _clock = context.Clock;
        _dma = context.Dma("data");
        _line = context.Irq("interrupt");
        _faulted = context.Signals.StorageFaulted;
        _timer = new TimerEvent(Step);
        for (int i = 0; i < PlaceCount; i++)
        {
            int number = i;
            _places[i] = new FloppyDrive(_clock, () => SeekEnded(number));
        }

        foreach (Drive drive in context.Configuration.DrivesOn(DriveBus.Floppy, DriveCount))
        {
            _places[drive.Number].Attach(drive);
        }

        context.Bus.MapPorts(FirstPort, PortCount, this);
        context.Bus.MapPorts(DigitalInputPort, 1, this);
    }

    // What the FIFO is for.
    private enum Phase
    {
        Command,
        Execution,
        Result,

        // Data of an execution without DMA: one sector that the host takes, or gives.
        DataToHost,
        DataFromHost,

        // Until the end of a reset.
        Reset,
    }

    public string Name => "floppy";

    private Phase Now
    {
        get => (Phase)_phase;
        set => _phase = (int)value;
    }

    public uint ReadPort(ushort port, int size)
    {
        switch (port - FirstPort)
        {
            case FloppyRegister.DigitalOutput:
                return _output;
            case FloppyRegister.TapeDrive:
                return _tape;
            case FloppyRegister.Status:
                return MainStatus();
            case FloppyRegister.Fifo:
                return ReadFifo();
            case FloppyRegister.DigitalInput:
                // The other bits are no one's in AT mode.
                int selected = _output & FloppyControl.DriveSelect;
                bool isOn = (_output & (FloppyControl.Motor0 << selected)) != 0;
                return (byte)(isOn && _places[selected].IsChanged ? Floating : Floating & ~ChangeLine);
            default:
                // Status registers A and B are there in PS/2 modes alone.
                return Floating;
        }
    }

    public void WritePort(ushort port, int size, uint value)
    {
        switch (port - FirstPort)
        {
            case FloppyRegister.DigitalOutput:
                WriteOutput((byte)value);
                break;
            case FloppyRegister.TapeDrive:
                _tape = (byte)(value & 0x03);
                break;
            case FloppyRegister.Status:
                _rate = (byte)(value & FloppyControl.Rate);
                if ((value & FloppyControl.SoftwareReset) != 0)
                {
                    BeginReset();
                    EndReset();
                }

                break;
            case FloppyRegister.Fifo:
                WriteFifo((byte)value);
                break;
            case FloppyRegister.DigitalInput:
                _rate = (byte)(value & FloppyControl.Rate);
                break;
            default:
                break;
        }
    }

    public void Reset()
    {
        _output = _tape = 0;
        _rate = DefaultRate;
        _stepRate = _headLoad = 0;
        _configuration = DefaultConfiguration;
        _precompensation = _perpendicular = _lastSector = 0;
        _locked = false;
        Array.Clear(_fifo);
        Array.Clear(_sector);
        foreach (FloppyDrive place in _places)
        {
            place.Reset();
        }

        ResetTransfer();
        BeginReset();
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        visitor.Value("output", ref _output);
        visitor.Value("tape", ref _tape);
        visitor.Value("rate", ref _rate, FloppyControl.Rate);
        visitor.Value("step-rate", ref _stepRate);
        visitor.Value("head-load", ref _headLoad);
        visitor.Value("configuration", ref _configuration, ConfigurationMask);
        visitor.Value("precompensation", ref _precompensation);
        visitor.Value("perpendicular", ref _perpendicular);
        visitor.Value("locked", ref _locked);
        visitor.Value("interrupt", ref _interrupt);
        visitor.Value("polled", ref _polled, AllPlaces);
        visitor.Value("seek-ended", ref _seekEnded, AllPlaces);
        visitor.Value("last-sector", ref _lastSector);
        visitor.Value("phase", ref _phase, 0, (int)Phase.Reset);
        visitor.Array("fifo", _fifo.AsSpan());
        visitor.Array("sector", _sector.AsSpan());
        visitor.Value("count", ref _count, 0, SectorBytes);
        visitor.Clamped("taken", ref _taken, 0, _count);
        DescribeTransfer(visitor);
        _timer.Describe(visitor, "timer", _clock);
        for (int i = 0; i < PlaceCount; i++)
        {
            visitor.Part(i switch { 0 => "drive-0", 1 => "drive-1", 2 => "drive-2", _ => "drive-3" }, _places[i]);
        }

        if (visitor.IsLoading)
        {
            if (Now is Phase.Command or Phase.Result)
            {
                _count = Math.Min(_count, FifoBytes);
                _taken = Math.Min(_taken, _count);
            }

            UpdateLine();
        }
    }

    private byte MainStatus()
    {
        int busy = 0;
        for (int i = 0; i < PlaceCount; i++)
        {
            busy |= _places[i].IsSeeking ? 1 << i : 0;
        }

        return (byte)(busy | Now switch
        {
            Phase.Command => FloppyStatus.Request | (_count > 0 ? FloppyStatus.CommandBusy : 0),
            Phase.Execution => FloppyStatus.CommandBusy,
            Phase.Result => FloppyStatus.Request | FloppyStatus.ToHost | FloppyStatus.CommandBusy,
            Phase.DataToHost => FloppyStatus.Request | FloppyStatus.ToHost | FloppyStatus.NonDma | FloppyStatus.CommandBusy,
            Phase.DataFromHost => FloppyStatus.Request | FloppyStatus.NonDma | FloppyStatus.CommandBusy,
            _ => 0,
        });
    }

    private byte ReadFifo()
    {
        switch (Now)
        {
            case Phase.Result when _taken < _count:
                SetInterrupt(false);
                byte result = _fifo[_taken++];
                if (_taken == _count)
                {
                    BeginCommand();
                }

                return result;
            case Phase.DataToHost when _taken < _count:
                byte data = _sector[_taken++];
                if (_taken == _count)
                {
                    SetInterrupt(false);
                    DataTaken();
                }

                return data;
            default:
                return 0;
        }
    }

    private void WriteFifo(byte value)
    {
        switch (Now)
        {
            case Phase.Command:
                if (_count == 0 && FloppyCommand.LengthOf(value) == 0)
                {
                    Answer(FloppyResult.Invalid);
                    return;
                }

                _fifo[_count++] = value;
                if (_count >= FloppyCommand.LengthOf(_fifo[0]))
                {
                    Carry();
                }

                break;
            case Phase.DataFromHost when _taken < _count:
                _sector[_taken++] = value;
                if (_taken == _count)
                {
                    SetInterrupt(false);
                    DataGiven();
                }

                break;
            default:
                break;
        }
    }

    private void WriteOutput(byte value)
    {
        byte before = _output;
        _output = value;
        bool resets = (value & FloppyControl.NotReset) == 0;
        if (resets)
        {
            BeginReset();
        }
        else if ((before & FloppyControl.NotReset) == 0)
        {
            EndReset();
        }

        UpdateLine();
    }

    private void BeginReset()
    {
        _clock.Cancel(_timer);
        foreach (FloppyDrive place in _places)
        {
            place.StopSeeking();
        }

        // LOCK keeps what CONFIGURE set of the FIFO and the precompensation; implied seek and polling are as after power-on.
        _configuration = _locked ? (byte)(_configuration & LockedConfiguration) : DefaultConfiguration;
        _precompensation = _locked ? _precompensation : (byte)0;

        _perpendicular &= unchecked((byte)~PerpendicularMode);
        _dma.SetRequest(false);
        _polled = _seekEnded = 0;
        _count = _taken = 0;
        Now = Phase.Reset;
        SetInterrupt(false);
    }

    private void EndReset() => _clock.ScheduleAfter(_timer, SectorNanoseconds);

    // A reset has switched polling on: the controller looks at its drives, finds that all have changed, and tells of each.
    private void ResetEnded()
    {
        BeginCommand();
        _polled = AllPlaces;
        SetInterrupt(true);
    }

    private void SeekEnded(int number)
    {
        _seekEnded |= (byte)(1 << number);
        SetInterrupt(true);
    }

    private void BeginCommand()
    {
        _count = _taken = 0;
        Now = Phase.Command;
    }

    // A result of one byte, without an interrupt.
    private void Answer(byte value)
    {
        _fifo[0] = value;
        BeginResult(1);
    }

    private void BeginResult(int count)
    {
        _count = count;
        _taken = 0;
        Now = Phase.Result;
    }

    private void SetInterrupt(bool asserted)
    {
        _interrupt = asserted;
        UpdateLine();
    }

    private void UpdateLine() => _line(_interrupt && (_output & FloppyControl.Gate) != 0);
}
