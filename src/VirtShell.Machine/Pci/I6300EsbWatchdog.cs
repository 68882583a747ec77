using System;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Pci;

/// <summary>
/// The watchdog timer of the Intel 6300ESB (Intel 300641, chapter 16): two stages, each with a count of its own; the second one's end resets the machine
/// or, by a setting of the part, is an NMI.
/// </summary>
internal sealed class I6300EsbWatchdog : PciDevice, IMmioHandler
{
    private const uint BarLength = 16;

    // Configuration (16.4): WDT configuration and lock register.
    private const int Configuration = 0x60;
    private const ushort CountsMicroseconds = 1 << 2;
    private const ushort OutputDisabled = 1 << 5;
    private const ushort ConfigurationWritable = 0x27;
    private const int Lock = 0x68;
    private const byte Locked = 1 << 0;
    private const byte Enabled = 1 << 1;
    private const byte FreeRunning = 1 << 2;
    private const byte LockWritable = Locked | Enabled | FreeRunning;

    // Memory registers (16.5).
    private const int Preload1 = 0x00;
    private const int Preload2 = 0x04;
    private const int InterruptStatus = 0x08;
    private const int Reload = 0x0C;
    private const uint PreloadMask = 0xF_FFFF;
    private const uint Unlock1 = 0x80;
    private const uint Unlock2 = 0x86;
    private const uint ReloadBit = 1 << 8;
    private const uint TimeoutBit = 1 << 9;

    // Counts are of the 33 MHz bus clock, divided by 2^15 or 2^5.
    private const long BusHertz = 33_000_000;
    private const int MillisecondShift = 15;
    private const int MicrosecondShift = 5;
    private const long NanosecondsPerSecond = MachineClock.NanosecondsPerSecond;

    // Runtime glue.
    private readonly MachineClock _clock;
    private readonly Action _barks;
    private readonly TimerEvent _event;

    // Saved state.
    private uint _preload1;
    private uint _preload2;
    private int _stage;
    private int _unlocked;
    private bool _hasInterrupted;
    private bool _hasTimedOut;
    private byte _lock;

    /// <param name="clock">The machine's clock.</param>
    /// <param name="barks">What the end of the second stage does.</param>
    public I6300EsbWatchdog(MachineClock clock, Action barks)
        : base(new PciIdentity(0x8086, 0x25AB, 0x088000, 0x00, 0x1AF4, 0x1100))
    {
        _clock = clock;
        _barks = barks;
        _event = new TimerEvent(StageEnds);
        AddMemoryBar(0, BarLength, this);
        AddInterruptPin(1);
        Config.Define(Configuration, 2, 0, ConfigurationWritable);
        Config.Define(Lock, 1, 0, LockWritable);
    }

    /// <summary>Whether it will do something to a machine that does nothing.</summary>
    public bool IsCounting => _event.IsScheduled;

    private bool IsEnabled => (Config.Read(Lock, 1) & Enabled) != 0;

    public ulong ReadMmio(ulong offset, int size)
    {
        uint value = ((int)offset & ~3) switch
        {
            Reload => _hasTimedOut ? TimeoutBit : 0,
            InterruptStatus => _hasInterrupted ? 1u : 0,
            _ => 0,
        };
        return value >> (8 * ((int)offset & 3));
    }

    public void WriteMmio(ulong offset, int size, ulong value)
    {
        uint written = (uint)value;
        if (offset == Reload && _unlocked == 0 && written == Unlock1)
        {
            _unlocked = 1;
            return;
        }

        if (offset == Reload && _unlocked == 1 && written == Unlock2)
        {
            _unlocked = 2;
            return;
        }

        // One register is written after the two that unlock it (16.5.1).
        bool isUnlocked = _unlocked == 2;
        _unlocked = 0;
        switch ((int)offset)
        {
            case InterruptStatus:
                if ((written & 1) != 0)
                {
                    _hasInterrupted = false;
                    SetInterrupt(false);
                }

                break;
            case Preload1 when isUnlocked:
                _preload1 = written & PreloadMask;
                break;
            case Preload2 when isUnlocked:
                _preload2 = written & PreloadMask;
                break;
            case Reload when isUnlocked:
                if ((written & TimeoutBit) != 0)
                {
                    _hasTimedOut = false;
                }

                if ((written & ReloadBit) != 0 && IsEnabled)
                {
                    Begin(1);
                }

                break;
            default:
                break;
        }
    }

    /// <summary>That the watchdog has ended a run is told to the next system.</summary>
    protected override void ResetDevice()
    {
        _clock.Cancel(_event);
        _preload1 = _preload2 = PreloadMask;
        _stage = 1;
        _unlocked = 0;
        _hasInterrupted = false;
        _lock = 0;
    }

    protected override void DescribeDevice(StateVisitor visitor)
    {
        visitor.Value("preload-1", ref _preload1, PreloadMask);
        visitor.Value("preload-2", ref _preload2, PreloadMask);
        visitor.Value("stage", ref _stage, 1, 2);
        visitor.Value("unlocked", ref _unlocked, 0, 2);
        visitor.Value("has-interrupted", ref _hasInterrupted);
        visitor.Value("has-timed-out", ref _hasTimedOut);
        visitor.Value("lock", ref _lock, LockWritable);
        _event.Describe(visitor, "event", _clock);
    }

    protected override void OnConfigWritten(int offset, int size)
    {
        if (offset > Lock || offset + size <= Lock)
        {
            return;
        }

        if ((_lock & Locked) != 0)
        {
            // Until the next reset the register stays.
            Config.Set(Lock, 1, _lock);
            return;
        }

        _lock = (byte)Config.Read(Lock, 1);
        if (IsEnabled && !_event.IsScheduled)
        {
            Begin(1);
        }
        else if (!IsEnabled)
        {
            _clock.Cancel(_event);
        }
    }

    private void Begin(int stage)
    {
        _stage = stage;
        int shift = (Config.Read(Configuration, 2) & CountsMicroseconds) != 0 ? MicrosecondShift : MillisecondShift;
        long cycles = (long)((stage == 1 ? _preload1 : _preload2) + 1) << shift;
        _clock.Schedule(_event, _clock.Now + (long)((Int128)cycles * NanosecondsPerSecond / BusHertz));
    }

    private void StageEnds()
    {
        if (_stage == 1 && (Config.Read(Lock, 1) & FreeRunning) == 0)
        {
            _hasInterrupted = true;
            SetInterrupt(true);
            Begin(2);
            return;
        }

        if ((Config.Read(Lock, 1) & FreeRunning) != 0)
        {
            // It only interrupts, and counts on.
            _hasInterrupted = true;
            SetInterrupt(true);
            Begin(1);
            return;
        }

        _hasTimedOut = true;
        if ((Config.Read(Configuration, 2) & OutputDisabled) == 0)
        {
            _barks();
        }
    }
}
