using System;
using VirtShell.Cpu;
using VirtShell.State;

namespace VirtShell.Machine.Interrupts;

/// <summary>The local APIC's timer (Intel SDM 3A, 11.5.4): one-shot, periodic, or at a time-stamp counter value.</summary>
public sealed partial class LocalApic
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

    private uint TimerMode => _lvt[LvtTimer] & TimerModeMask;

    // Nanoseconds of one count: bits 3, 1 and 0 of the divide register give 2, 4, 8 … 128, 1.
    private long CountPeriod => (long)ProcessorClock.TscPerCrystal << (int)(((((_divide >> 1) & 4) | (_divide & 3)) + 1) & 7);

    private uint CurrentCount
    {
        get
        {
            if (_initialCount == 0 || TimerMode == TimerTscDeadline)
            {
                return 0;
            }

            ulong counts = (ulong)((_clock.Now - _countStart) / CountPeriod);
            if (TimerMode == TimerPeriodic)
            {
                return _initialCount - (uint)(counts % _initialCount);
            }

            return counts >= _initialCount ? 0 : _initialCount - (uint)counts;
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
    }

    private void WriteInitialCount(uint value)
    {
        if (TimerMode == TimerTscDeadline)
        {
            return;
        }

        _initialCount = value;
        _countStart = _clock.Now;
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

    private void TimerModeChanged(uint before, uint after)
    {
        if (((before ^ after) & TimerTscDeadline) != 0)
        {
            _tscDeadline = 0;
            _initialCount = 0;
        }

        UpdateTimer();
    }

    private void UpdateTimer()
    {
        _clock.Cancel(_timer);
        if (TimerMode == TimerTscDeadline)
        {
            if (_tscDeadline != 0)
            {
                _clock.Schedule(_timer, (long)Math.Min(_tscDeadline, long.MaxValue));
            }

            return;
        }

        // A masked timer counts on without events; its count is computed when read.
        if (_initialCount == 0 || (_lvt[LvtTimer] & LvtMasked) != 0)
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
        else if (TimerMode == TimerPeriodic)
        {
            // Periods that the host made late are not caught up: they would only merge in IRR.
            UpdateTimer();
        }

        DeliverLvt(LvtTimer);
    }

    private void SaveTimer(StateWriter writer)
    {
        writer.Write("initial-count", _initialCount);
        writer.Write("divide", _divide);
        writer.Write("count-start", _countStart);
        writer.Write("tsc-deadline", _tscDeadline);
        _timer.Save(writer, "timer");
    }

    private void LoadTimer(StateReader reader)
    {
        _initialCount = reader.ReadUInt32("initial-count");
        _divide = reader.ReadUInt32("divide");
        _countStart = reader.ReadInt64("count-start");
        _tscDeadline = reader.ReadUInt64("tsc-deadline");
        _timer.Load(reader, "timer", _clock);
    }
}
