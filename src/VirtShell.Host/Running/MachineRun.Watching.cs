using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Cpu.Memory;
using VirtShell.Host.Scheduling;
using VirtShell.Machine;

namespace VirtShell.Host.Running;

/// <summary>What is watched while a run goes on: serial output, panics, hangs, metrics.</summary>
internal sealed partial class MachineRun
{
    private const int MemorySamplesPerSecond = 1;

    /// <summary>Samples of memory take at most one part in this many of a VM's time.</summary>
    private const int MemorySampleShare = 200;

    private readonly object _logGate = new();
    private readonly GuestTimeWaiters _waiters = new();
    private readonly SerialLogBudget _logBudget;
    private readonly SerialLog _com1;
    private Dictionary<Outlet, SerialLog> _otherLogs = [];
    private Dictionary<Outlet, PanicWatch>? _panicWatches;
    private PanicWatch? _panic;
    private long _panicDeadline = long.MaxValue;
    private long _lastProgress;
    private long _skippedBefore;
    private long _nextMemorySample;
    private bool _metricsFrozen;

    // Published for other threads.
    private long _instructions;
    private long _guestTime;
    private long _peakMemory;
    private long _hostTime;
    private long _builtBytes;

    /// <summary>Retired instructions, those before a restart included.</summary>
    public long Instructions => Volatile.Read(ref _instructions);

    /// <summary>Guest time in nanoseconds, that before a restart included.</summary>
    public long GuestTime => Volatile.Read(ref _guestTime);

    public VmMetrics Metrics => new(
        Instructions,
        TimeSpan.FromTicks(GuestTime / TimeSpan.NanosecondsPerTick),
        _com1.Length,
        Volatile.Read(ref _peakMemory),
        TimeSpan.FromTicks(Volatile.Read(ref _hostTime) / TimeSpan.NanosecondsPerTick))
    {
        DiskBytesRead = _build.Disks.Sum(disk => disk.BytesRead),
        DiskBytesWritten = _build.Disks.Sum(disk => disk.BytesWritten),
        DiskOperations = _build.Disks.Sum(disk => disk.Operations),
    };

    /// <summary>Bytes of all disks together.</summary>
    public long DiskBytes => _build.DiskBytes;

    private string PanicMessage => "Kernel panic: " + (_panic?.Message ?? "seen on a serial port");

    /// <summary>The log of an outlet; an empty one where nothing was sent.</summary>
    public SerialLog GetSerial(Outlet outlet)
    {
        if (outlet == Outlet.Com1)
        {
            return _com1;
        }

        lock (_logGate)
        {
            if (!_otherLogs.TryGetValue(outlet, out SerialLog? log))
            {
                log = new SerialLog(_logBudget);
                if (_over)
                {
                    log.Close();
                }

                // Replaced, not changed: the machine's thread reads it without the lock.
                _otherLogs = new Dictionary<Outlet, SerialLog>(_otherLogs) { [outlet] = log };
            }

            return log;
        }
    }

    /// <summary>Completes when the guest has reached a time since the run's start, can never reach it, or the run has ended.</summary>
    public Task WaitForGuestTime(long nanoseconds)
    {
        Task wait = _waiters.Add(nanoseconds);
        _scheduler.Wake(_entry);
        return wait;
    }

    /// <summary>Host memory as it is now. From any thread.</summary>
    public VmHostMemory HostMemory()
    {
        long logs = _com1.MemoryBytes;
        foreach (SerialLog log in Volatile.Read(ref _otherLogs).Values)
        {
            logs += log.MemoryBytes;
        }

        // The machine must not be disposed while another thread counts its pages.
        lock (_machineGate)
        {
            return _machine is { } machine
                ? new VmHostMemory(
                    (long)machine.Memory.ResidentBytes(),
                    (long)machine.Cpu.HostBytes(),
                    Volatile.Read(ref _builtBytes) + (long)(_definition.MemoryBytes / PhysicalMemory.PageSize),
                    _build.Disks.Sum(disk => disk.StoredBytes),
                    logs)
                : new VmHostMemory(0, 0, 0, 0, logs);
        }
    }

    private void OnSerialOutput(Outlet outlet, byte value)
    {
        if (_pendingEnd != VmEndKind.None)
        {
            // The VM is off as of an earlier instruction; what follows until the processor stops did not happen.
            return;
        }

        NoteProgress();
        (outlet == Outlet.Com1 ? _com1 : GetSerialFast(outlet)).Write(value);
        if (_definition.DetectPanics)
        {
            WatchForPanic(outlet, value);
        }

        if (_driver is not null)
        {
            CallDriver(outlet, value);
        }
    }

    private SerialLog GetSerialFast(Outlet outlet) => Volatile.Read(ref _otherLogs).TryGetValue(outlet, out SerialLog? log) ? log : GetSerial(outlet);

    private void WatchForPanic(Outlet outlet, byte value)
    {
        _panicWatches ??= [];
        if (!_panicWatches.TryGetValue(outlet, out PanicWatch? watch))
        {
            _panicWatches[outlet] = watch = new PanicWatch();
        }

        if (!watch.Add(value))
        {
            return;
        }

        _panic ??= watch;
        if (watch.IsComplete)
        {
            SetPendingEnd(VmEndKind.Panic, 0, PanicMessage, null);
        }
        else if (_panicDeadline == long.MaxValue)
        {
            _panicDeadline = _machine!.Instructions + PanicGrace;
        }
    }

    private void NoteProgress()
    {
        if (_definition.HangInstructions > 0 && _machine is { } machine)
        {
            _lastProgress = machine.Instructions;
            _skippedBefore = machine.GuestTime - _lastProgress;
        }
    }

    /// <summary>Instructions until the next point at which something is looked at: the same points in every run.</summary>
    private long NextBudget()
    {
        long now = _machine!.Instructions;
        long until = now - (now % Quantum) + Quantum;
        until = Math.Min(until, _panicDeadline);
        if (_definition.HangInstructions > 0)
        {
            until = Math.Min(until, _lastProgress + _definition.HangInstructions);
        }

        return Math.Max(1, until - now);
    }

    private DispatchResult FollowProgress()
    {
        long now = _machine!.Instructions;
        if (now >= _panicDeadline)
        {
            return EndSafely(VmEndKind.Panic, 0, PanicMessage, null);
        }

        if (_definition.HangInstructions > 0)
        {
            // Under the virtual clock guest time is instructions plus what was skipped while halted: a guest that waits
            // for interrupts is alive. Looked at only after instructions that do not depend on the host.
            bool isDue = now - _lastProgress >= _definition.HangInstructions;
            if (_definition.Clock == ClockMode.Virtual && (isDue || now % Quantum == 0))
            {
                long skipped = _machine.GuestTime - now;
                if (skipped != _skippedBefore)
                {
                    _skippedBefore = skipped;
                    _lastProgress = now;
                }
            }

            if (now - _lastProgress >= _definition.HangInstructions)
            {
                return EndSafely(VmEndKind.Hang, 0, $"Hang: no serial output, disk access or wait for an interrupt during {_definition.HangInstructions:N0} instructions.", null);
            }
        }

        return DispatchResult.Again;
    }

    private void ResetWatches()
    {
        _panicWatches = null;
        _panic = null;
        _panicDeadline = long.MaxValue;
        _lastProgress = _machine?.Instructions ?? 0;
        _skippedBefore = 0;
    }

    private void PublishMetrics()
    {
        _com1.Publish();
        foreach (KeyValuePair<Outlet, SerialLog> log in _otherLogs)
        {
            log.Value.Publish();
        }

        if (_metricsFrozen || _machine is not { } machine)
        {
            return;
        }

        Volatile.Write(ref _instructions, _priorInstructions + machine.Instructions);
        Volatile.Write(ref _guestTime, _priorGuestTime + machine.GuestTime);
        PublishEngine();
        _waiters.Reach(GuestTime);
        if (Stopwatch.GetTimestamp() >= _nextMemorySample)
        {
            SampleMemory();
        }
    }

    private void SampleMemory()
    {
        if (_machine is { } machine)
        {
            // Asking takes a millisecond a gibibyte.
            long before = Stopwatch.GetTimestamp();
            Volatile.Write(ref _peakMemory, Math.Max(_peakMemory, (long)machine.Memory.ResidentBytes()));
            long now = Stopwatch.GetTimestamp();
            _nextMemorySample = now + Math.Max(Stopwatch.Frequency / MemorySamplesPerSecond, (now - before) * MemorySampleShare);
        }
    }

    private void CloseLogs()
    {
        _com1.Close();
        lock (_logGate)
        {
            foreach (SerialLog log in _otherLogs.Values)
            {
                log.Close();
            }
        }
    }
}
