using System;
using VirtShell.State;

namespace VirtShell.Machine.Timers;

/// <summary>
/// One counter of an 8254 (Intel datasheet 231164), computed from the clock instead of counted: all methods take the
/// present tick of its 1.193182 MHz input.
/// </summary>
internal sealed class PitChannel : IStateful
{
    private const int NoReload = -1;
    private const long Never = long.MaxValue;

    // Saved state. Counting began (the counter held _count) at tick _start; while stopped, _stoppedAfter ticks have been counted.
    private int _mode;
    private bool _bcd;
    private int _access = 3;
    private int _count = 0x10000;
    private int _reload = NoReload;
    private long _reloadAt;
    private long _start;
    private long _stoppedAfter;
    private bool _loaded;
    private bool _stopped;
    private bool _gate;
    private bool _nullCount = true;
    private bool _writeHigh;
    private bool _readHigh;
    private bool _countLatched;
    private bool _statusLatched;
    private byte _writeLow;
    private byte _statusLatch;
    private int _countLatch;

    private int Modulus => _bcd ? 10000 : 0x10000;

    private bool IsPeriodic => _mode is 2 or 3;

    private bool IsTriggeredByGate => _mode is 1 or 5;

    /// <summary>The datasheet leaves the state at power-on open; ours is mode 3 without a count, so that OUT is high and programming it makes no edge.</summary>
    public void Reset(bool gate)
    {
        _mode = 3;
        _bcd = false;
        _access = 3;
        _count = 0x10000;
        _reload = NoReload;
        _reloadAt = _start = _stoppedAfter = 0;
        _loaded = _stopped = _writeHigh = _readHigh = _countLatched = _statusLatched = false;
        _nullCount = true;
        _gate = gate;
        _writeLow = _statusLatch = 0;
        _countLatch = 0;
    }

    /// <summary>A control word for this counter, or a counter latch command.</summary>
    public void WriteControl(byte control, long now)
    {
        int access = (control >> 4) & 3;
        if (access == 0)
        {
            LatchCount(now);
            return;
        }

        _access = access;
        _mode = (control >> 1) & 7;
        if (_mode > 5)
        {
            // Modes 6 and 7 are 2 and 3: the high bit is not decoded.
            _mode &= 3;
        }

        _bcd = (control & 1) != 0;
        _loaded = _stopped = _writeHigh = _readHigh = _countLatched = _statusLatched = false;
        _reload = NoReload;
        _nullCount = true;
    }

    public void Write(byte value, long now)
    {
        Advance(now);
        switch (_access)
        {
            case 1:
                Load(value, now);
                break;
            case 2:
                Load(value << 8, now);
                break;
            default:
                if (!_writeHigh)
                {
                    _writeLow = value;
                    _writeHigh = true;
                    if (_mode == 0)
                    {
                        // The first byte stops the count, with OUT low at once.
                        _loaded = false;
                    }
                }
                else
                {
                    _writeHigh = false;
                    Load(_writeLow | (value << 8), now);
                }

                break;
        }
    }

    public byte Read(long now)
    {
        if (_statusLatched)
        {
            _statusLatched = false;
            return _statusLatch;
        }

        Advance(now);
        int value = _countLatched ? _countLatch : ReadCount(now);
        if (_access == 3)
        {
            _readHigh = !_readHigh;
            if (_readHigh)
            {
                return (byte)value;
            }
        }

        _countLatched = false;
        return _access == 1 ? (byte)value : (byte)(value >> 8);
    }

    public void LatchCount(long now)
    {
        if (!_countLatched)
        {
            Advance(now);
            _countLatch = ReadCount(now);
            _countLatched = true;
        }
    }

    public void LatchStatus(long now)
    {
        if (!_statusLatched)
        {
            Advance(now);
            _statusLatch = (byte)((Output(now) ? 0x80 : 0) | (_nullCount ? 0x40 : 0) | (_access << 4) | (_mode << 1) | (_bcd ? 1 : 0));
            _statusLatched = true;
        }
    }

    public void SetGate(bool gate, long now)
    {
        if (gate == _gate)
        {
            return;
        }

        Advance(now);
        if (!gate)
        {
            if (!IsTriggeredByGate && _loaded)
            {
                _stoppedAfter = now - _start;
                _stopped = true;
            }
        }
        else if (IsTriggeredByGate || IsPeriodic)
        {
            // A rising gate loads the counter at the next clock.
            if (_reload != NoReload || _loaded)
            {
                _count = _reload != NoReload ? _reload : _count;
                _reload = NoReload;
                _nullCount = false;
                Begin(now);
            }
        }
        else if (_stopped)
        {
            _start = now - _stoppedAfter;
            _stopped = false;
        }

        _gate = gate;
    }

    /// <summary>The OUT pin.</summary>
    public bool Output(long now)
    {
        Advance(now);
        if (!_loaded)
        {
            return _mode != 0;
        }

        long elapsed = Elapsed(now);
        switch (_mode)
        {
            case 0:
            case 1:
                return elapsed >= _count;
            case 2:
                return !_gate || elapsed < 0 || elapsed % _count != _count - 1;
            case 3:
                return !_gate || elapsed < 0 || elapsed % _count < HighTicks(_count);
            default:
                return elapsed != _count;
        }
    }

    /// <summary>The first tick after <paramref name="now"/> at which OUT rises, or <see cref="long.MaxValue"/>.</summary>
    public long NextRise(long now)
    {
        Advance(now);
        if (!_loaded || _stopped || (!_gate && !IsTriggeredByGate))
        {
            return Never;
        }

        if (IsPeriodic)
        {
            if (_reload != NoReload && _mode == 2)
            {
                return _reloadAt;
            }

            long elapsed = Math.Max(0, Elapsed(now));
            return _start + (((elapsed / _count) + 1) * _count);
        }

        long rise = _start + _count + (_mode >= 4 ? 1 : 0);
        return rise > now ? rise : Never;
    }

    public void Describe(StateVisitor visitor)
    {
        visitor.Clamped("mode", ref _mode, 0, 5);
        visitor.Value("bcd", ref _bcd);
        visitor.Clamped("access", ref _access, 1, 3);
        visitor.Clamped("count", ref _count, 1, 0x10000);
        visitor.Clamped("reload", ref _reload, NoReload, 0x10000);
        visitor.Value("reload-at", ref _reloadAt);
        visitor.Value("start", ref _start);
        visitor.Value("stopped-after", ref _stoppedAfter);
        visitor.Value("loaded", ref _loaded);
        visitor.Value("stopped", ref _stopped);
        visitor.Value("gate", ref _gate);
        visitor.Value("null-count", ref _nullCount);
        visitor.Value("write-high", ref _writeHigh);
        visitor.Value("read-high", ref _readHigh);
        visitor.Value("count-latched", ref _countLatched);
        visitor.Value("status-latched", ref _statusLatched);
        visitor.Value("write-low", ref _writeLow);
        visitor.Value("status-latch", ref _statusLatch);
        visitor.Value("count-latch", ref _countLatch);
    }

    // Mode 3: OUT is high for half of the count, rounded up.
    private static int HighTicks(int count) => (count + 1) / 2;

    private static int FromBcd(int value) => (value & 0xF) + (10 * ((value >> 4) & 0xF)) + (100 * ((value >> 8) & 0xF)) + (1000 * (value >> 12));

    private static int ToBcd(int value) => (value % 10) | (value / 10 % 10 << 4) | (value / 100 % 10 << 8) | (value / 1000 % 10 << 12);

    private long Elapsed(long now) => _stopped ? _stoppedAfter : now - _start;

    private void Load(int written, long now)
    {
        int value = _bcd ? FromBcd(written) % Modulus : written;
        value = value == 0 ? Modulus : value;
        _nullCount = true;
        if (IsTriggeredByGate)
        {
            // Waits for the gate.
            _reload = value;
        }
        else if (IsPeriodic && _loaded && _gate)
        {
            // The present period (mode 3: half period) is finished first.
            _reload = value;
            long elapsed = Math.Max(0, now - _start);
            long position = elapsed % _count;
            int high = HighTicks(_count);
            long left = _mode == 3 && position < high ? high - position : _count - position;
            _reloadAt = now + left;
        }
        else
        {
            _count = value;
            Begin(now);
            if (!_gate)
            {
                _stopped = true;
                _stoppedAfter = 0;
            }
        }
    }

    private void Begin(long now)
    {
        _loaded = true;
        _stopped = false;
        _start = now + 1;
    }

    private void Advance(long now)
    {
        if (_loaded && now >= _start && _reload == NoReload)
        {
            _nullCount = false;
        }

        if (_reload != NoReload && IsPeriodic && _loaded && !_stopped && now >= _reloadAt)
        {
            // Entering the low half of mode 3 with a new count means standing after its high half.
            bool lowHalf = _mode == 3 && (_reloadAt - _start) % _count != 0;
            _count = _reload;
            _start = _reloadAt - (lowHalf ? HighTicks(_count) : 0);
            _reload = NoReload;
            _nullCount = false;
        }
    }

    private int ReadCount(long now)
    {
        int value = _loaded ? CountAt(Math.Max(0, Elapsed(now))) : _count;
        value %= Modulus;
        return _bcd ? ToBcd(value) : value;
    }

    private int CountAt(long elapsed)
    {
        switch (_mode)
        {
            case 2:
                return _count - (int)(elapsed % _count);
            case 3:
                int position = (int)(elapsed % _count);
                int high = HighTicks(_count);
                position = position >= high ? position - high : position;
                return (_count & ~1) - (2 * position);
            default:
                long left = (_count - elapsed) % Modulus;
                return (int)(left < 0 ? left + Modulus : left);
        }
    }
}
