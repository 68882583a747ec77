using System;
using System.Collections.Concurrent;
using System.Collections.Generic;
using System.Diagnostics;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Cpu;
using VirtShell.Host.Crash;
using VirtShell.Host.Scheduling;
using VirtShell.Machine;
using VirtShell.Storage;
using Pc = VirtShell.Machine.Machine;

namespace VirtShell.Host.Running;

/// <summary>
/// One run of a VM, from power-on to its end: what the scheduler dispatches. Everything that touches the machine happens
/// inside <see cref="Dispatch"/>, on one worker at a time; other threads leave commands. Whatever fails in there ends
/// this run and nothing else.
/// </summary>
internal sealed partial class MachineRun : IRunnable
{
    /// <summary>
    /// Instructions of one dispatch, unless it is asked to return before. Dispatches end at multiples of it, so that what is looked
    /// at between them is looked at after the same instruction in every run.
    /// </summary>
    private const long Quantum = 1_000_000;

    /// <summary>After a panic message a kernel may go on this long to print its trace.</summary>
    private const long PanicGrace = 20_000_000;

    /// <summary>In nanoseconds.</summary>
    private const long ShortestSleep = 500_000;

    // Fixed configuration.
    private readonly VmDefinition _definition;
    private readonly IRunOwner _owner;
    private readonly Scheduler _scheduler;
    private readonly SchedulerEntry _entry;
    private readonly MachineBuild _build;
    private readonly IGuestDriver? _driver;

    // Runtime glue, for other threads.
    private readonly ConcurrentQueue<RunCommand> _commands = new();
    private readonly object _commandGate = new();
    private readonly object _machineGate = new();
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private bool _commandsClosed;
    private int _dispatchThread;

    // The run itself: touched inside Dispatch only.
    private Pc? _machine;
    private EngineKind _engine;
    private bool _started;
    private bool _paused;
    private bool _halting;
    private bool _over;
    private VmEndKind _pendingEnd;
    private int _pendingCode;
    private string? _pendingReason;
    private Exception? _pendingError;
    private long _priorInstructions;
    private long _priorGuestTime;

    public MachineRun(VmDefinition definition, IRunOwner owner, Scheduler scheduler, MachineBuild build, IGuestDriver? driver)
    {
        _definition = definition;
        _owner = owner;
        _scheduler = scheduler;
        _build = build;
        _driver = driver;
        _engine = definition.Engine;
        _logBudget = new SerialLogBudget(definition.SerialLogBytes);
        _com1 = new SerialLog(_logBudget);
        _entry = new SchedulerEntry(this);
        _control = new RunControl(this);
        foreach (GuardedDisk disk in build.Disks)
        {
            Watch(disk);
        }
    }

    /// <summary>Completes after the owner was told of the end.</summary>
    public Task Ended => _ended.Task;

    public DateTimeOffset StartedAt { get; } = DateTimeOffset.UtcNow;

    /// <summary>When the run ended; null while it goes on.</summary>
    public DateTimeOffset? EndedAt { get; private set; }

    /// <summary>What the run had to refuse its guest, in words, each kind once.</summary>
    public IReadOnlyList<string> Warnings => [.. _build.Disks.Select(disk => disk.Warning).OfType<string>()];

    /// <summary>Whether the calling thread is inside this run's dispatch, so that it must not wait for it.</summary>
    public bool IsOnThisThread => Volatile.Read(ref _dispatchThread) == Environment.CurrentManagedThreadId;

    public bool FollowsHostClock => _definition.Clock == ClockMode.Host;

    /// <summary>Builds the machine, on the calling thread.</summary>
    public void PowerOn()
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        Pc machine = _build.PowerOn(_engine);
        machine.SerialOutput = OnSerialOutput;
        lock (_machineGate)
        {
            _machine = machine;
        }

        Volatile.Write(ref _builtBytes, GC.GetAllocatedBytesForCurrentThread() - before);
        PublishEngine();
        ResetWatches();
    }

    /// <summary>Lets the scheduler have it.</summary>
    public void Begin() => _scheduler.Wake(_entry);

    /// <summary>Leaves a command; it is done between two quanta, or dropped where the run has ended.</summary>
    public RunCommand Post(Action action)
    {
        RunCommand command = new(action);
        lock (_commandGate)
        {
            if (_commandsClosed)
            {
                command.Drop();
                return command;
            }

            _commands.Enqueue(command);
        }

        Preempt();
        _scheduler.Wake(_entry, urgent: true);
        return command;
    }

    public void Preempt()
    {
        // Without the gate: whoever counts the machine's pages holds it for a millisecond a gibibyte, and the scheduler's lock is held
        // here. A processor that is being disposed takes a request and does nothing.
        Volatile.Read(ref _machine)?.RequestYield();
    }

    public DispatchResult Dispatch()
    {
        long before = ThreadTime.Now();
        Volatile.Write(ref _dispatchThread, Environment.CurrentManagedThreadId);
        DispatchResult result;
        try
        {
            result = DispatchGuarded();
        }
        catch (Exception e)
        {
            result = EndSafely(VmEndKind.EngineFault, 0, null, e);
        }

        Volatile.Write(ref _dispatchThread, 0);
        Volatile.Write(ref _hostTime, _hostTime + ThreadTime.Now() - before);
        if (result.Kind == DispatchKind.Done)
        {
            _ended.TrySetResult();
        }

        return result;
    }

    // ---- Commands: called inside Dispatch -------------------------------------------------------------------------

    public void Pause()
    {
        _paused = true;
        _halting = _definition.Clock == ClockMode.Host;
    }

    public void Resume()
    {
        _paused = false;
        _halting = false;
    }

    public void TurnOff() => SetPendingEnd(VmEndKind.TurnedOff, 0, null, null);

    public void PressPowerButton() => _machine?.PressPowerButton();

    public void SendSerial(Outlet outlet, byte[] bytes)
    {
        NoteProgress();
        _machine?.SendSerial(outlet, bytes);
    }

    public void ResetGuest()
    {
        if (_machine is { } machine)
        {
            SampleMemory();
            machine.Reset();
            ResetWatches();
        }
    }

    /// <summary>Puts a medium into a drive.</summary>
    public void ChangeMedium(MediumChange change)
    {
        if (change.Image is { } image)
        {
            Watch(image);
        }

        NoteProgress();
        _build.Media.Insert(change);
    }

    /// <summary>Goes on with another engine from the instruction boundary that the machine stands at.</summary>
    public void SetEngine(EngineKind engine)
    {
        _engine = engine;
        if (_machine is { } machine)
        {
            machine.Cpu.Engine = engine;
            PublishEngine();
        }
    }

    public CrashReport Inspect() => CrashReportBuilder.Build(_machine, Facts(VmEndKind.None, "Inspected while running.", null));

    private void Watch(GuardedDisk disk)
    {
        disk.Accessed = NoteProgress;
        disk.Failed = OnStorageFailed;
    }

    private DispatchResult DispatchGuarded()
    {
        while (_commands.TryDequeue(out RunCommand? command))
        {
            command.Execute();
        }

        if (_over)
        {
            if (IsKept)
            {
                return DispatchResult.Park;
            }

            CloseCommands();
            return DispatchResult.Done;
        }

        if (!_started && _pendingEnd == VmEndKind.None)
        {
            _started = true;
            CallDriver(static (driver, control) => driver.OnStart(control));
        }

        if (_pendingEnd != VmEndKind.None)
        {
            return EndSafely(_pendingEnd, _pendingCode, _pendingReason, _pendingError);
        }

        if (_paused && !_halting)
        {
            return DispatchResult.Park;
        }

        if (_halting)
        {
            // A stop is how the machine learns that host time does not count from here on.
            _halting = false;
            _machine!.RequestStop();
        }

        MachineExit exit = _machine!.Run(NextBudget());
        PublishMetrics();
        return _pendingEnd != VmEndKind.None
            ? EndSafely(_pendingEnd, _pendingCode, _pendingReason, _pendingError)
            : Follow(exit);
    }

    private DispatchResult Follow(MachineExit exit)
    {
        switch (exit.Kind)
        {
            case MachineExitKind.QuantumSpent when _paused:
            case MachineExitKind.StopRequested when _paused:
            case MachineExitKind.Idle when _paused:
                return DispatchResult.Park;
            case MachineExitKind.QuantumSpent:
            case MachineExitKind.StopRequested:
            case MachineExitKind.Breakpoint:
                return FollowProgress();
            case MachineExitKind.Idle:
                NoteProgress();
                return _panicDeadline != long.MaxValue ? EndSafely(VmEndKind.Panic, 0, PanicMessage, null) : Idle(exit.IdleUntil);
            case MachineExitKind.PowerOff:
                return EndSafely(VmEndKind.PowerOff, 0, null, null);
            case MachineExitKind.DebugExit:
                return EndSafely(VmEndKind.DebugExit, exit.Code, null, null);
            case MachineExitKind.ResetRequested:
                return FollowReset();
            case MachineExitKind.TripleFault:
                return EndBy(VmEndKind.TripleFault, "Triple fault: the processor could not deliver an exception, and shut down.");
            case MachineExitKind.HaltedForever:
                return EndBy(VmEndKind.Hang, "Hang: the guest halted with interrupts off, so nothing can wake it.");
            case MachineExitKind.Panicked:
                return EndBy(VmEndKind.Panic, "Panic: the guest told by its panic device that it cannot go on.");
            default:
                return EndSafely(VmEndKind.EngineFault, 0, null, new InvalidOperationException($"Unknown machine exit {exit.Kind}."));
        }
    }

    private DispatchResult FollowReset()
    {
        if (_panicDeadline != long.MaxValue)
        {
            return EndSafely(VmEndKind.Panic, 0, PanicMessage, null);
        }

        if (_definition.ResetAction == ResetAction.EndRun)
        {
            return EndSafely(VmEndKind.Reset, 0, null, null);
        }

        ResetGuest();
        _owner.GuestWasReset(this);
        return DispatchResult.Again;
    }

    private DispatchResult Idle(long idleUntil)
    {
        long now = _machine!.GuestTime;
        if (_definition.Clock == ClockMode.Virtual)
        {
            // Nothing scheduled and nobody to wake it: guest time stands still until input comes.
            _waiters.Reach(long.MaxValue);
            return DispatchResult.Park;
        }

        long until = Math.Min(idleUntil, _waiters.Next == long.MaxValue ? long.MaxValue : _waiters.Next - _priorGuestTime);
        if (until == long.MaxValue)
        {
            return DispatchResult.Park;
        }

        // At least a moment: a guest that is ahead of the host's clock is idle until now.
        double ticks = Math.Max(ShortestSleep, until - now) * (Stopwatch.Frequency / 1e9);
        return new DispatchResult(DispatchKind.Sleep, Stopwatch.GetTimestamp() + (long)Math.Min(ticks, long.MaxValue / 4));
    }

    // A panic explains a crash better than what followed from it.
    private DispatchResult EndBy(VmEndKind kind, string reason) =>
        _panicDeadline != long.MaxValue ? EndSafely(VmEndKind.Panic, 0, PanicMessage, null) : EndSafely(kind, 0, reason, null);

    private void SetPendingEnd(VmEndKind kind, int code, string? reason, Exception? error)
    {
        if (_pendingEnd == VmEndKind.None && !_over)
        {
            _pendingEnd = kind;
            _pendingCode = code;
            _pendingReason = reason;
            _pendingError = error;
            PublishMetrics();
            _metricsFrozen = true;
            _machine?.RequestStop();
        }
    }

    private void OnStorageFailed(StorageException failure) =>
        SetPendingEnd(VmEndKind.StorageFault, 0, "Storage fault: " + failure.Message, null);
}
