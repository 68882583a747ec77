using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading.Tasks;
using VirtShell.Cpu;
using VirtShell.Host.Crash;
using VirtShell.Host.Scheduling;
using VirtShell.Machine;
using VirtShell.Machine.Display;
using VirtShell.Machine.Input;
using VirtShell.State;
using VirtShell.Storage;

namespace VirtShell.Host.Running;

/// <summary>
/// One run of a VM, from power-on (or a saved state) to its end: what the scheduler dispatches. Everything that touches the machine
/// happens inside <see cref="Dispatch"/>, on one worker at a time; other threads leave commands. Whatever fails in there ends this run
/// and nothing else.
/// </summary>
/// <remarks>
/// The run is made of parts, each with its own fields and its own rule of who may touch them when. What is here is the order in which
/// they are asked, and how a run ends.
/// </remarks>
internal sealed class MachineRun : IRunnable, IStateful
{
    private const int StateVersion = 1;

    /// <summary>In nanoseconds.</summary>
    private const long ShortestSleep = 500_000;

    // Fixed configuration.
    private readonly VmDefinition _definition;
    [NotState("The VM, which has its own place.")]
    private readonly IRunOwner _owner;
    [NotState("Of the host.")]
    private readonly Scheduler _scheduler;
    [NotState("Of the host.")]
    private readonly SchedulerEntry _entry;
    private readonly MachineBuild _build;

    // Its parts.
    private readonly RunOrigin _origin;
    private readonly RunThread _thread = new();
    private readonly RunCommands _commands = new();
    private readonly RunEnd _end = new();
    private readonly GuestTimeWaiters _waiters = new();
    private readonly RunMachine _machine;
    private readonly RunMetrics _metrics;
    private readonly SerialLogs _logs;
    private readonly RunWatch _watch;
    private readonly DriverLink _driver;
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);

    // Touched inside Dispatch, and before it by whoever makes the run.
    [NotState("Whoever goes on with the run says whether it rests.")]
    private bool _paused;
    [NotState("The host's clock, which a run begins to follow anew.")]
    private bool _halting;
    private volatile bool _isAskedToStop;

    public MachineRun(VmDefinition definition, IRunOwner owner, Scheduler scheduler, MachineBuild build, IGuestDriver? driver)
    {
        _definition = definition;
        _owner = owner;
        _scheduler = scheduler;
        _build = build;
        _entry = new SchedulerEntry(this);
        _origin = new RunOrigin(definition);
        _machine = new RunMachine(definition, build) { SerialOutput = OnSerialOutput };
        _metrics = new RunMetrics(_machine);
        _logs = new SerialLogs(definition.SerialLogBytes);
        _watch = new RunWatch(definition, _machine, _end);
        _driver = new DriverLink(driver, _thread, _machine, _metrics, _watch, _end, ChangeMedium);
        _end.Asked = OnEndAsked;
        foreach (GuardedDisk disk in build.Disks)
        {
            Watch(disk);
        }
    }

    /// <summary>Completes after the owner was told of the end.</summary>
    public Task Ended => _ended.Task;

    public DateTimeOffset StartedAt { get; } = DateTimeOffset.UtcNow;

    /// <summary>When the run ended; null while it goes on.</summary>
    public DateTimeOffset? EndedAt => _end.At;

    /// <summary>Whether the run is over but its machine is kept for inspection.</summary>
    public bool IsKept => _end.IsKept;

    /// <summary>What the run had to refuse its guest, in words, each kind once.</summary>
    public IReadOnlyList<string> Warnings => [.. _build.Disks.Select(disk => disk.Warning).OfType<string>()];

    /// <summary>Whether the calling thread is inside this run's dispatch, so that it must not wait for it.</summary>
    public bool IsOnThisThread => _thread.IsThisOne;

    public bool FollowsHostClock => _definition.Clock == ClockMode.Host;

    /// <summary>Whether the guest was asked to shut down and has not begun anew since. From any thread.</summary>
    public bool IsAskedToStop
    {
        get => _isAskedToStop;
        set => _isAskedToStop = value;
    }

    /// <summary>Guest time in nanoseconds as last published.</summary>
    public long GuestTime => _metrics.GuestTime;

    public VmMetrics Metrics => _metrics.Snapshot(GetSerial(Outlet.Com1).Length);

    /// <summary>What the engine has done as of the end of the last dispatch.</summary>
    public VmEngineMetrics Engine => _metrics.Engine.Metrics;

    /// <summary>Restarts after a crash so far.</summary>
    public int CrashRestarts => _metrics.Restarts;

    /// <summary>Where the VM's clock was at the end of the last machine of this run; null before.</summary>
    public DateTime? ClockStood => _build.ClockStood;

    /// <summary>Bytes of all disks together.</summary>
    public long DiskBytes => _build.DiskBytes;

    /// <summary>Builds the machine, on the calling thread.</summary>
    /// <exception cref="VmException">It cannot be built; the message says why.</exception>
    public void PowerOn()
    {
        _machine.PowerOn();
        _metrics.Engine.Publish();
        _watch.Reset();
    }

    /// <summary>Builds the machine as it was when a run was saved, on the calling thread, in place of <see cref="PowerOn()"/>. A run that this fails for is only fit to be abandoned.</summary>
    /// <param name="state">Read to the end of the state and no further.</param>
    /// <param name="paused">Whether it rests at first.</param>
    /// <exception cref="VmException">The host is out of memory.</exception>
    /// <exception cref="StateFormatException">The state is damaged, or of another VM.</exception>
    public void PowerOn(Stream state, bool paused)
    {
        this.Load(state);
        _paused = paused;
        PublishMetrics();
    }

    /// <summary>Lets the scheduler have it.</summary>
    public void Begin() => _scheduler.Wake(_entry);

    /// <summary>Leaves a command; it is done between two quanta, or dropped where the run has ended.</summary>
    public RunCommand Post(Action action)
    {
        RunCommand command = new(action);
        if (_commands.Add(command))
        {
            Preempt();
            _scheduler.Wake(_entry, urgent: true);
        }

        return command;
    }

    /// <summary>Asks to have a run that rests to oneself, until <see cref="Release"/>: answered once nothing is dispatched any more, with false where the run does not rest.</summary>
    public Task<bool> Hold()
    {
        RunCommand hold = new(static () => { });
        RunCommand asking = Post(() =>
        {
            if (_paused && !_end.IsOver)
            {
                _commands.AskToHold(hold);
            }
            else
            {
                hold.Drop();
            }
        });
        return Answer();

        async Task<bool> Answer() => await asking.Done.ConfigureAwait(false) && await hold.Done.ConfigureAwait(false);
    }

    /// <summary>Gives a run back that was held.</summary>
    public void Release()
    {
        _commands.Release();
        _scheduler.Wake(_entry, urgent: true);
    }

    public void Preempt() => _machine.RequestYield();

    public DispatchResult Dispatch()
    {
        long before = ThreadTime.Now();
        _thread.Enter();
        DispatchResult result;
        try
        {
            result = DispatchGuarded();
        }
        catch (Exception e)
        {
            result = EndSafely(VmEndKind.EngineFault, 0, null, e);
        }

        _thread.Leave();
        _metrics.AddHostTime(ThreadTime.Now() - before);
        if (result.Kind == DispatchKind.Done)
        {
            _ended.TrySetResult();
        }

        return result;
    }

    /// <summary>The log of an outlet; an empty one where nothing was sent. From any thread.</summary>
    public SerialLog GetSerial(Outlet outlet) => _logs[outlet];

    /// <summary>Completes when the guest has reached a time since the run's start, can never reach it, or the run has ended. From any thread.</summary>
    public Task WaitForGuestTime(long nanoseconds)
    {
        Task wait = _waiters.Add(nanoseconds);
        _scheduler.Wake(_entry);
        return wait;
    }

    /// <summary>Host memory as it is now. From any thread.</summary>
    public VmHostMemory HostMemory() => _machine.HostMemory(_logs.MemoryBytes);

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

    public void TurnOff() => _end.Ask(VmEndKind.TurnedOff);

    public void PressPowerButton() => _machine.Current?.PressPowerButton();

    public void SendSerial(Outlet outlet, byte[] bytes)
    {
        _watch.NoteProgress();
        _machine.Current?.SendSerial(outlet, bytes);
    }

    public void ResetGuest()
    {
        if (_machine.Current is { } machine)
        {
            _metrics.SampleMemory();
            machine.Reset();
            _watch.Reset();
        }
    }

    /// <summary>Puts a medium into a drive.</summary>
    public void ChangeMedium(MediumChange change)
    {
        if (change.Image is { } image)
        {
            Watch(image);
        }

        _watch.NoteProgress();
        _build.Media.Insert(change);
    }

    /// <summary>What the screen shows; null without a display. Inside a dispatch only, as is what follows.</summary>
    public ScreenSnapshot? CaptureScreen(bool withPicture) => _machine.Current?.Screen?.Capture(withPicture);

    /// <summary>The keyboard of the machine, for somebody who types: a guest that waits for it is not hung.</summary>
    public MachineKeyboard? UseKeyboard()
    {
        _watch.NoteProgress();
        return _machine.Current?.Keyboard;
    }

    /// <summary>The mouse of the machine, for somebody who moves it.</summary>
    public MachineMouse? UseMouse()
    {
        _watch.NoteProgress();
        return _machine.Current?.Mouse;
    }

    /// <summary>Goes on with another engine from the instruction boundary that the machine is at.</summary>
    public void SetEngine(EngineKind engine)
    {
        _machine.SetEngine(engine);
        PublishMetrics();
    }

    public CrashReport Inspect() => CrashReportBuilder.Build(_machine.Current, Facts(VmEndKind.None, "Inspected while running.", null));

    /// <summary>Lets go of a machine kept after a crash.</summary>
    public void ReleaseKept()
    {
        ReleaseMachine();
        _end.LetGo();
    }

    /// <summary>Lets go of a machine that was built but never began to run.</summary>
    public void Abandon()
    {
        _commands.Close();
        ReleaseMachine();
        _logs.Close();
        _waiters.Close();
        _ended.TrySetResult();
    }

    /// <summary>
    /// All that a run is: what it is made of, the machine with its disks, and what the run itself knows. By whoever holds the run, or
    /// makes it. The driver comes last, when there is a machine for it to drive.
    /// </summary>
    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        using (visitor.Section("vm", StateVersion, isRequired: true))
        {
            visitor.Part("settings", _origin, isRequired: true);
            visitor.Part("build", _build, isRequired: true);
        }

        if (visitor.IsLoading)
        {
            _machine.PowerOn(visitor);
        }
        else
        {
            _machine.Current!.Describe(visitor);
        }

        using (visitor.Section("progress", StateVersion, isRequired: true))
        {
            _isAskedToStop = visitor.Value("asked-to-stop", _isAskedToStop);
            visitor.Part("counts", _metrics, isRequired: true);
            visitor.Part("watch", _watch, isRequired: true);
            visitor.Part("serial", _logs, isRequired: true);
            _driver.Describe(visitor);
        }
    }

    private static bool IsCrash(VmEndKind kind) => kind is VmEndKind.TripleFault or VmEndKind.Hang or VmEndKind.Panic or VmEndKind.EngineFault or VmEndKind.StorageFault;

    private void Watch(GuardedDisk disk)
    {
        disk.Accessed = _watch.NoteProgress;
        disk.Failed = OnStorageFailed;
    }

    private DispatchResult DispatchGuarded()
    {
        if (_commands.IsHeld)
        {
            return DispatchResult.Park;
        }

        _commands.Execute();
        if (_end.IsOver)
        {
            if (IsKept)
            {
                return DispatchResult.Park;
            }

            _commands.Close();
            return DispatchResult.Done;
        }

        if (!_end.IsPending)
        {
            _driver.Start();
        }

        if (_end.IsPending)
        {
            return EndAsAsked();
        }

        if (_paused && !_halting)
        {
            return Rest();
        }

        if (_halting)
        {
            // A stop is how the machine learns that host time does not count from here on.
            _halting = false;
            _machine.Current!.RequestStop();
        }

        MachineExit exit = _machine.Current!.Run(_watch.NextBudget());
        PublishMetrics();
        return _end.IsPending ? EndAsAsked() : Follow(exit);
    }

    private DispatchResult Follow(MachineExit exit)
    {
        switch (exit.Kind)
        {
            case MachineExitKind.QuantumSpent when _paused:
            case MachineExitKind.StopRequested when _paused:
            case MachineExitKind.Idle when _paused:
                return Rest();
            case MachineExitKind.QuantumSpent:
            case MachineExitKind.StopRequested:
            case MachineExitKind.Breakpoint:
                return _watch.Look(out string? reason) is not VmEndKind.None and var end ? EndSafely(end, 0, reason, null) : DispatchResult.Again;
            case MachineExitKind.Idle:
                _watch.NoteProgress();
                return _watch.HasPanicked ? EndByPanic() : Idle(exit.IdleUntil);
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

    // Nothing is dispatched until it is resumed: whoever wants to hold the run may.
    private DispatchResult Rest()
    {
        _commands.Grant();
        return DispatchResult.Park;
    }

    private DispatchResult FollowReset()
    {
        if (_watch.HasPanicked)
        {
            return EndByPanic();
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
        long now = _machine.Current!.GuestTime;
        if (_definition.Clock == ClockMode.Virtual)
        {
            // Nothing scheduled and nobody to wake it: guest time does not go on until input comes.
            _waiters.Reach(long.MaxValue);
            return DispatchResult.Park;
        }

        long until = Math.Min(idleUntil, _waiters.Next == long.MaxValue ? long.MaxValue : _waiters.Next - _metrics.PriorGuestTime);
        if (until == long.MaxValue)
        {
            return DispatchResult.Park;
        }

        // At least a moment: a guest that is ahead of the host's clock is idle until now.
        double ticks = Math.Max(ShortestSleep, until - now) * (Stopwatch.Frequency / 1e9);
        return new DispatchResult(DispatchKind.Sleep, Stopwatch.GetTimestamp() + (long)Math.Min(ticks, long.MaxValue / 4));
    }

    private void PublishMetrics()
    {
        _logs.Publish();
        _metrics.Publish();
        _waiters.Reach(_metrics.GuestTime);
    }

    private void OnSerialOutput(Outlet outlet, byte value)
    {
        if (_end.IsPending)
        {
            // The VM is off as of an earlier instruction; what follows until the processor stops did not happen.
            return;
        }

        _logs.Write(outlet, value);
        _watch.Take(outlet, value);
        _driver.Take(outlet, value);
    }

    private void OnStorageFailed(StorageException failure) => _end.Ask(VmEndKind.StorageFault, reason: "Storage fault: " + failure.Message);

    private void OnEndAsked()
    {
        PublishMetrics();
        _metrics.Freeze();
        _machine.Current?.RequestStop();
    }

    // ---- The end ----------------------------------------------------------------------------------------------------

    // A panic explains a crash better than what followed from it.
    private DispatchResult EndBy(VmEndKind kind, string reason) => _watch.HasPanicked ? EndByPanic() : EndSafely(kind, 0, reason, null);

    private DispatchResult EndByPanic() => EndSafely(VmEndKind.Panic, 0, _watch.PanicMessage, null);

    private DispatchResult EndAsAsked() => EndSafely(_end.Kind, _end.Code, _end.Reason, _end.Error);

    /// <summary>Ends the run whatever happens on the way.</summary>
    private DispatchResult EndSafely(VmEndKind kind, int code, string? reason, Exception? error)
    {
        try
        {
            return End(kind, code, reason, error);
        }
        catch (Exception e)
        {
            // Ending failed half-way: what is left is to let go of everything and tell the owner.
            CrashReport report = CrashReportBuilder.Build(null, Facts(VmEndKind.EngineFault, "Engine fault: the run could not be ended in order.", e));
            return Conclude(VmEndKind.EngineFault, 0, report, keep: false);
        }
    }

    private DispatchResult End(VmEndKind kind, int code, string? reason, Exception? error)
    {
        if (_end.IsOver)
        {
            // Something failed after the end, while the machine was kept: let go of it.
            _commands.Close();
            ReleaseKept();
            return DispatchResult.Done;
        }

        PublishMetrics();
        _metrics.Freeze();
        _metrics.SampleMemory();
        CrashReport? report = IsCrash(kind) ? CrashReportBuilder.Build(_machine.Current, Facts(kind, reason ?? Reason(kind, error), error)) : null;
        if (report is not null && kind != VmEndKind.StorageFault && _definition.CrashAction == CrashAction.Restart && CrashRestarts < _definition.CrashRestartLimit)
        {
            return RestartAfterCrash(report);
        }

        if (_driver.End(kind) is { } driverError && report is null)
        {
            kind = VmEndKind.EngineFault;
            report = CrashReportBuilder.Build(_machine.Current, Facts(kind, Reason(kind, driverError), driverError));
        }

        return Conclude(kind, code, report, keep: report is not null && _definition.CrashAction == CrashAction.Pause);
    }

    private DispatchResult RestartAfterCrash(CrashReport report)
    {
        _machine.NoteClock();
        _machine.Release();
        _metrics.Restart();
        _end.Clear();
        _owner.RunCrashed(this, report);
        PowerOn();
        return DispatchResult.Again;
    }

    private DispatchResult Conclude(VmEndKind kind, int code, CrashReport? report, bool keep)
    {
        _metrics.Freeze();
        _end.Conclude(keep);
        _machine.NoteClock();
        _commands.Refuse();
        if (!keep)
        {
            _commands.Close();
            ReleaseMachine();
        }

        _logs.Close();
        _waiters.Close();
        _owner.RunEnded(this, kind, code, report);

        // Commands may have waited for one that asked to hold the run.
        return keep ? DispatchResult.Again : DispatchResult.Done;
    }

    private void ReleaseMachine()
    {
        try
        {
            _machine.Release();
        }
        finally
        {
            _build.Dispose();
        }
    }

    private RunFacts Facts(VmEndKind kind, string summary, Exception? error) => new(
        _definition.Name,
        kind,
        summary,
        DateTimeOffset.UtcNow,
        _metrics.Instructions,
        TimeSpan.FromTicks(GuestTime / TimeSpan.NanosecondsPerTick),
        GetSerial(Outlet.Com1),
        error is null ? null : $"{error.GetType().Name}: {error.Message}");

    private static string Reason(VmEndKind kind, Exception? error) => error switch
    {
        DriverException driver => $"Engine fault: the guest's driver failed: {driver.InnerException!.Message}",
        not null => "Engine fault: our own engine failed while serving this VM. Other VMs are not affected. Please report it.",
        _ => kind.ToString(),
    };
}
