using VirtShell.Cpu;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Interrupts;

/// <summary>The local APIC's timer (Intel SDM 3A, 11.5.4): one-shot, periodic, or at a time-stamp counter value.</summary>
internal sealed partial class LocalApic
{
    private const uint TimerModeMask = 3 << 17;
    private const uint TimerOneShot = 0;
    private const uint TimerPeriodic = 1 << 17;
    private const uint TimerTscDeadline = 2 << 17;

    // Saved state.
    private uint _initialCount;
    private uint _divide;
    private long _countStart;
    private ulong _tscDeadline;
    private bool _ranOut;

    private uint TimerMode => _lvt[LvtTimer] & TimerModeMask;

    // Nanoseconds of one count: bits 3, 1 and 0 of the divide register give 2, 4, 8 … 128, 1.
    private long CountPeriod => MachineClock.NanosecondsPerSecond / ProcessorClock.CrystalHertz << (int)(((((_divide >> 1) & 4) | (_divide & 3)) + 1) & 7);

    private uint CurrentCount => CountIn(TimerMode);

    // Nothing would come of another expiry now: the last one's interrupt is still requested, or its error not yet read.
    private bool IsTimerMute
    {
        get
        {
            byte vector = (byte)_lvt[LvtTimer];
            return vector < FirstLegalVector
                ? (_esrPending & EsrReceiveIllegalVector) != 0
                : (_irr[vector >> 5] & (1u << (vector & 31))) != 0;
        }
    }

    private ulong TscDeadline => TimerMode == TimerTscDeadline ? _tscDeadline : 0;

    private void ResetTimer()
    {
        _clock.Cancel(_timer);
        _initialCount = 0;
        _divide = 0;
        _countStart = 0;
        _tscDeadline = 0;
        _ranOut = false;
    }

    private void WriteInitialCount(uint value)
    {
        if (TimerMode == TimerTscDeadline)
        {
            return;
        }

        _initialCount = value;
        _countStart = _clock.Now;
        _ranOut = false;
        UpdateTimer();
    }

    private void WriteDivide(uint value)
    {
        // The count so far stays; only its pace changes.
        uint counted = _initialCount - CurrentCount;
        _divide = value & 0xB;
        _countStart = _clock.Now - (counted * CountPeriod);
        UpdateTimer();
    }

    private void WriteTscDeadline(ulong value)
    {
        if (TimerMode == TimerTscDeadline)
        {
            _tscDeadline = value;
            UpdateTimer();
        }
    }

    // Between one-shot and periodic the count goes on from where it was; a count that ran out waits for an initial count. To and
    // from TSC-deadline mode the timer is disarmed.
    private void TimerModeChanged(uint before, uint after)
    {
        uint mode = before & TimerModeMask;
        if (((before ^ after) & TimerTscDeadline) != 0)
        {
            _tscDeadline = 0;
            _initialCount = 0;
            _ranOut = false;
        }
        else if (mode != (after & TimerModeMask) && _initialCount != 0)
        {
            _ranOut = CountIn(mode) == 0;
            if (mode == TimerPeriodic)
            {
                long total = _initialCount * CountPeriod;
                _countStart += (_clock.Now - _countStart) / total * total;
            }
        }

        UpdateTimer();
    }

    private uint CountIn(uint mode)
    {
        if (_initialCount == 0 || _ranOut || mode == TimerTscDeadline)
        {
            return 0;
        }

        ulong counts = (ulong)((_clock.Now - _countStart) / CountPeriod);
        if (mode == TimerPeriodic)
        {
            return _initialCount - (uint)(counts % _initialCount);
        }

        return counts >= _initialCount ? 0 : _initialCount - (uint)counts;
    }

    // After what may have ended IsTimerMute.
    private void ResumeTimer()
    {
        if (TimerMode == TimerPeriodic && !_timer.IsScheduled)
        {
            UpdateTimer();
        }
    }

    private void UpdateTimer()
    {
        _clock.Cancel(_timer);
        if (TimerMode == TimerTscDeadline)
        {
            if (_tscDeadline != 0)
            {
                _clock.Schedule(_timer, ProcessorClock.TimeOfTsc(_tscDeadline));
            }

            return;
        }

        // A masked timer counts on without events; its count is computed when read.
        if (_initialCount == 0 || _ranOut || (_lvt[LvtTimer] & LvtMasked) != 0)
        {
            return;
        }

        long total = _initialCount * CountPeriod;
        long elapsed = _clock.Now - _countStart;
        if (TimerMode == TimerPeriodic)
        {
            _clock.Schedule(_timer, _countStart + (((elapsed / total) + 1) * total));
        }
        else if (TimerMode == TimerOneShot && elapsed < total)
        {
            _clock.Schedule(_timer, _countStart + total);
        }
    }

    private void TimerExpired()
    {
        if (TimerMode == TimerTscDeadline)
        {
            _tscDeadline = 0;
        }

        DeliverLvt(LvtTimer);
        if (TimerMode == TimerPeriodic && !IsTimerMute)
        {
            // Periods that the host made late are not caught up: they would only merge in IRR. For the same reason none is
            // waited for while a request stands, so that the shortest period costs no more than the interrupts it brings.
            UpdateTimer();
        }
    }

    private void DescribeTimer(StateVisitor visitor)
    {
        visitor.Value("initial-count", ref _initialCount);
        visitor.Value("divide", ref _divide);
        visitor.Value("count-start", ref _countStart);
        visitor.Value("tsc-deadline", ref _tscDeadline);
        visitor.Value("ran-out", ref _ranOut);
        _timer.Describe(visitor, "timer", _clock);
    }
}
