using System;
using System.Diagnostics;
using System.Threading;
using VirtShell.Cpu;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine;

/// <summary>The run loop: instructions up to the next event, events, halts, and the pace of the host's clock.</summary>
public sealed partial class Pc
{
    // A halted guest whose events wake nobody still gives the thread back now and then.
    private const int LargestIdleRun = 65_536;

    // With the host's clock, time is compared this often.
    private const long HostSlice = 250_000;

    // Guest time may run ahead of the host's by this much before the run pauses.
    private const long HostLead = 2_000_000;

    // What other threads ask of a run.
    private const int AskedToStop = 1;
    private const int AskedToYield = 2;

    private MachineExit? _exit;
    [NotState("Asked of the host's run.")]
    private int _asked;
    [NotState("The host's clock, which a run begins to follow anew.")]
    private long _hostStarted;
    [NotState("The host's clock, which a run begins to follow anew.")]
    private long _hostBase;
    [NotState("The host's clock, which a run begins to follow anew.")]
    private bool _hostPaced;

    private bool IsHostClock => _configuration.Clock == ClockMode.Host;

    /// <summary>Runs until at most <paramref name="instructionLimit"/> more instructions have retired (1 or more). A long idle time, or <see cref="RequestYield"/>, may end a run early with <see cref="MachineExitKind.QuantumSpent"/>.</summary>
    public MachineExit Run(long instructionLimit)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(instructionLimit, 1);
        long end = MachineClock.SaturatingAdd(Instructions, instructionLimit);
        int idleSteps = 0;
        while (true)
        {
            FollowHost();
            while (_exit is null && Volatile.Read(ref _asked) == 0 && _clock.FireNext())
            {
            }

            if (_exit is MachineExit wanted)
            {
                // What the guest handed to its console before it switched off is sent, as long as nobody waits for the end.
                if ((Volatile.Read(ref _asked) & AskedToStop) == 0 && _console is { } console && console.TrySendMore())
                {
                    if ((Interlocked.And(ref _asked, ~AskedToYield) & AskedToYield) != 0)
                    {
                        return new MachineExit(MachineExitKind.QuantumSpent);
                    }

                    continue;
                }

                _exit = null;
                return Leave(wanted);
            }

            if (Interlocked.Exchange(ref _asked, 0) is not 0 and int asked)
            {
                return (asked & AskedToStop) != 0
                    ? Leave(new MachineExit(MachineExitKind.StopRequested))
                    : new MachineExit(MachineExitKind.QuantumSpent);
            }

            long left = end - Instructions;
            if (left <= 0)
            {
                return new MachineExit(MachineExitKind.QuantumSpent);
            }

            if (IsHostClock && _clock.Now - HostNow > HostLead)
            {
                return new MachineExit(MachineExitKind.Idle, IdleUntil: _clock.Now);
            }

            switch (_processors.Run(Budget(left)))
            {
                case ExitReason.Halted when _exit is null && _asked == 0:
                    if (!TryIdle(out MachineExit exit))
                    {
                        return exit;
                    }

                    if (++idleSteps >= LargestIdleRun)
                    {
                        return new MachineExit(MachineExitKind.QuantumSpent);
                    }

                    break;
                case ExitReason.Shutdown:
                    return Leave(new MachineExit(MachineExitKind.TripleFault));
                case ExitReason.Breakpoint:
                    return Leave(new MachineExit(MachineExitKind.Breakpoint));
                default:
                    break;
            }
        }
    }

    /// <summary>Makes <see cref="Run"/> return soon, for good: the host's time until the next run does not count for the guest. Callable from any thread.</summary>
    public void RequestStop() => Ask(AskedToStop);

    /// <summary>Makes <see cref="Run"/> return soon with <see cref="MachineExitKind.QuantumSpent"/>, so that others get the thread; the host's time goes on for the guest. Callable from any thread.</summary>
    public void RequestYield() => Ask(AskedToYield);

    private void Ask(int what)
    {
        Interlocked.Or(ref _asked, what);
        _processors.RequestStop();
    }

    private long HostNow => _hostBase + (long)(Stopwatch.GetElapsedTime(_hostStarted).TotalNanoseconds);

    private long Budget(long left)
    {
        long budget = Math.Min(left, _clock.NextDue - _clock.Now);
        return IsHostClock ? Math.Min(budget, HostSlice) : budget;
    }

    // The guest waits for an interrupt: gives whether time went on, or else how the run ends.
    private bool TryIdle(out MachineExit exit)
    {
        exit = default;
        if (!_processors.CanWake && !_interrupts.IoApic.CanRaiseNmi && _watchdog is not { IsCounting: true })
        {
            if (_console is { } console && console.TrySendMore())
            {
                return true;
            }

            exit = Leave(new MachineExit(MachineExitKind.HaltedForever));
            return false;
        }

        FollowHost();
        long next = _clock.NextDue;
        if (next == long.MaxValue || (IsHostClock && next > _clock.Now))
        {
            exit = new MachineExit(MachineExitKind.Idle, IdleUntil: next);
            return false;
        }

        _clock.SkipTo(next);
        return true;
    }

    // Brings guest time up to the host's, where the machine follows it.
    private void FollowHost()
    {
        if (!IsHostClock)
        {
            return;
        }

        if (!_hostPaced)
        {
            _hostStarted = Stopwatch.GetTimestamp();
            _hostBase = _clock.Now;
            _hostPaced = true;
        }

        _clock.SkipTo(HostNow);
    }

    // After a run that ends for more than a pause in scheduling, the time until the next run does not count for the guest.
    private MachineExit Leave(MachineExit exit)
    {
        _hostPaced = false;
        return exit;
    }

    private void RequestExit(MachineExit exit)
    {
        _exit ??= exit;
        _processors.StopNow();
    }
}
