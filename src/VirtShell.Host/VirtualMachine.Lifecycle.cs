using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Cpu;
using VirtShell.Host.Inventory;
using VirtShell.Host.Running;
using VirtShell.Machine;
using VirtShell.Machine.Boards;
using VirtShell.Storage;

namespace VirtShell.Host;

/// <summary>Starting, stopping and everything between.</summary>
public sealed partial class VirtualMachine : IRunOwner
{
    /// <summary>Resolves images, builds the machine and starts it. Returns once it runs.</summary>
    /// <exception cref="VmException">The VM is not off, or cannot be started; the message says what to do.</exception>
    /// <exception cref="OperationCanceledException">Cancelled, or turned off, while it was starting.</exception>
    public void Start(IGuestDriver? driver = null, IProgress<string>? progress = null, CancellationToken cancellation = default) =>
        Start(VmState.Running, static run => run.PowerOn(), driver, progress, cancellation);

    /// <summary>Starts it by <paramref name="powerOn"/>, which builds the machine.</summary>
    private void Start(VmState after, Action<MachineRun> powerOn, IGuestDriver? driver, IProgress<string>? progress, CancellationToken cancellation)
    {
        if (DefinitionError is { } error)
        {
            throw new VmException(VmErrorKind.InvalidDefinition, error);
        }

        ThrowIfElsewhere();
        ReleaseKept();
        using CancellationTokenSource starting = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        TaskCompletionSource startDone = new(TaskCreationOptions.RunContinuationsAsynchronously);
        VmState before;
        lock (_gate)
        {
            if (_state is not (VmState.Off or VmState.Crashed))
            {
                throw new VmException(VmErrorKind.InvalidState, $"VM '{Name}' is {Words(_state)} already; it can be started when it is off.");
            }

            before = _state;
            _state = VmState.Starting;
            _starting = starting;
            _startDone = startDone;
        }

        RaiseStateChanged(before, VmState.Starting);
        RunLock? runLock = null;
        MachineBuild? build = null;
        MachineRun? run = null;
        try
        {
            VmDefinition definition = Definition;
            PrepareThreads();
            AwaitTraces();
            runLock = _host.Store is { } store ? RunLock.Take(store, Id, Name) : null;
            build = MachineBuild.Prepare(definition, _host.Images, progress, starting.Token);
            build.Built = _host.Built;
            build.ClockStood = ClockStood ?? _host.Store?.ReadClock(Id);
            run = new MachineRun(definition, this, _host.Scheduler, build, driver);
            powerOn(run);
            after = after == VmState.Running && run.IsAskedToStop ? VmState.Stopping : after;
            starting.Token.ThrowIfCancellationRequested();
            lock (_gate)
            {
                _run = run;
                _runLock = runLock;
                _end = VmEndKind.None;
                _endCode = 0;
                _report = null;
                _tracesFailure = null;
                _endSource = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
                _state = after;
                _starting = null;
                _startDone = null;
            }
        }
        catch (Exception e)
        {
            UndoStart(run, build, runLock);
            startDone.SetResult();
            if (e is VmException or OperationCanceledException or ObjectDisposedException)
            {
                throw;
            }

            if (e is IOException or UnauthorizedAccessException)
            {
                throw new VmException(HostError.IsOutOfFiles(e) ? VmErrorKind.OutOfResources : VmErrorKind.StorageFailed, $"VM '{Name}' cannot be started: {HostError.Reason(e)}", e);
            }

            if (e is OutOfMemoryException)
            {
                throw new VmException(VmErrorKind.OutOfResources, $"VM '{Name}' cannot be started: the host gives no more memory. Stop other VMs, or give this one less.", e);
            }

            throw new VmException(VmErrorKind.EngineFailed, $"VM '{Name}' could not be built, by a fault of the engine ({e.GetType().Name}: {e.Message}). Please report it.", e);
        }

        _host.Store?.DeleteCrashReport(Id);

        // Told before the scheduler has it, so that nobody hears of the end first.
        RaiseStateChanged(VmState.Starting, after);
        run.Begin();
        startDone.SetResult();
    }

    /// <summary>Presses the power button; does not wait.</summary>
    /// <exception cref="VmException">The VM is not running.</exception>
    public void RequestShutdown()
    {
        MachineRun run = RequireMachine("shut down", VmState.Running, VmState.Stopping);
        run.IsAskedToStop = true;
        run.Post(() =>
        {
            SetState(VmState.Stopping, static state => state == VmState.Running);
            run.PressPowerButton();
        });
    }

    /// <summary>Pulls the plug. Returns once the machine is gone; does nothing where the VM is off. A crashed VM is Off afterwards; its crash report stays.</summary>
    public void TurnOff()
    {
        ThrowIfElsewhere();
        while (true)
        {
            VmState state;
            MachineRun? run;
            Task? starting;
            lock (_gate)
            {
                state = _state;
                run = _run;
                starting = _startDone?.Task;
                _starting?.Cancel();
            }

            if (state == VmState.Off)
            {
                // Other processes may have it when this returns, unless it is called where nothing may be waited for.
                if (run is not { IsOnThisThread: true })
                {
                    _host.Writer?.Flush(Id, s_enginePatience);
                }

                return;
            }

            if (state == VmState.Crashed && run is not { IsKept: true })
            {
                SetState(VmState.Off, static now => now == VmState.Crashed);
                return;
            }

            if (starting is null)
            {
                BeginTurnOff();
                if (run!.IsOnThisThread)
                {
                    return;
                }
            }

            if (!(starting ?? run!.Ended).Wait(s_enginePatience))
            {
                throw new VmException(VmErrorKind.Timeout, $"VM '{Name}' does not stop: the engine has not answered for {s_enginePatience.TotalSeconds:0} s.");
            }
        }
    }

    /// <summary>Stops the processor between two instructions; guest time under the virtual clock stands still.</summary>
    /// <exception cref="VmException">The VM is not running.</exception>
    public void Pause()
    {
        MachineRun run = RequireMachine("paused", VmState.Running, VmState.Stopping);
        Do(run, () =>
        {
            run.Pause();
            SetState(VmState.Paused);
        });
    }

    /// <summary>Goes on after <see cref="Pause"/>.</summary>
    /// <exception cref="VmException">The VM is not paused.</exception>
    public void Resume()
    {
        MachineRun run = RequireMachine("resumed", VmState.Paused);
        Do(run, () =>
        {
            run.Resume();
            SetState(run.IsAskedToStop ? VmState.Stopping : VmState.Running);
        });
    }

    /// <summary>The reset button.</summary>
    /// <exception cref="VmException">The VM is not running or paused.</exception>
    public void ResetGuest()
    {
        MachineRun run = RequireMachine("reset", VmState.Running, VmState.Stopping, VmState.Paused);
        Do(run, run.ResetGuest);
    }

    /// <summary>Queues bytes for the guest to read at an outlet. Does not wait.</summary>
    /// <exception cref="VmException">The VM is not running or paused, or was configured without the part that has the outlet.</exception>
    /// <exception cref="ArgumentOutOfRangeException">No guest reads there.</exception>
    public void SendSerial(Outlet outlet, ReadOnlySpan<byte> bytes)
    {
        ArgumentNullException.ThrowIfNull(outlet);
        if (!outlet.TakesInput)
        {
            throw new ArgumentOutOfRangeException(nameof(outlet), outlet.Name, $"A guest reads at {string.Join(", ", Outlet.All.Where(o => o.TakesInput))}.");
        }

        if (!PartSettings.Parse(MachineModel.Pc, Definition.Parts).HasOutlet(MachineModel.Pc, outlet))
        {
            throw new VmException(VmErrorKind.InvalidState, $"VM '{Name}' has no {outlet.Name}: the part was left out.");
        }

        MachineRun run = RequireMachine("sent input", VmState.Running, VmState.Stopping, VmState.Paused);
        byte[] copy = bytes.ToArray();
        run.Post(() => run.SendSerial(outlet, copy));
    }

    /// <summary>Tells a machine that is on of another engine. One that ends meanwhile gets it at its next start.</summary>
    private void ChangeMedia(MachineRun? run, IReadOnlyList<MediumChange> media)
    {
        if (run is null || media.Count == 0)
        {
            return;
        }

        int inserted = 0;
        RunCommand command = run.Post(() =>
        {
            for (; inserted < media.Count; inserted++)
            {
                run.ChangeMedium(media[inserted]);
            }
        });
        if (run.IsOnThisThread)
        {
            return;
        }

        if (!command.Done.Wait(s_enginePatience))
        {
            throw new VmException(VmErrorKind.Timeout, $"VM '{Name}' does not answer: the engine has been busy for {s_enginePatience.TotalSeconds:0} s. Turn it off.");
        }

        // The run ended first: it has no use for them.
        CloseAll(media.Skip(inserted));
    }

    private static void CloseAll(IEnumerable<MediumChange> media)
    {
        foreach (MediumChange change in media)
        {
            change.Image?.Dispose();
        }
    }

    private void SwitchEngine(EngineKind engine)
    {
        if (Run is not { } run || run.Engine.Engine == engine || run.Ended.IsCompleted)
        {
            return;
        }

        RunCommand command = run.Post(() => run.SetEngine(engine));
        if (!run.IsOnThisThread && !command.Done.Wait(s_enginePatience))
        {
            throw new VmException(VmErrorKind.Timeout, $"VM '{Name}' does not answer: the engine has been busy for {s_enginePatience.TotalSeconds:0} s. Turn it off.");
        }
    }

    /// <summary>Asks the machine to go without waiting for it.</summary>
    internal void BeginTurnOff()
    {
        MachineRun? run;
        bool isKept;
        lock (_gate)
        {
            run = _run;
            isKept = run is { IsKept: true };
            _starting?.Cancel();
        }

        if (run is null)
        {
            return;
        }

        run.Post(() =>
        {
            if (run.IsKept)
            {
                run.ReleaseKept();
                LeaveTraces(null, null, releases: true);
                SetState(VmState.Off);
            }
            else
            {
                run.TurnOff();
            }
        });
    }

    void IRunOwner.GuestWasReset(MachineRun run)
    {
        run.IsAskedToStop = false;
        SetState(VmState.Running, static state => state == VmState.Stopping);
    }

    void IRunOwner.RunCrashed(MachineRun run, CrashReport report)
    {
        lock (_gate)
        {
            _report = report;
        }

        run.IsAskedToStop = false;
        LeaveTraces(report, null, releases: false);
        SetState(VmState.Starting);
        SetState(VmState.Running);
    }

    void IRunOwner.RunEnded(MachineRun run, VmEndKind kind, int code, CrashReport? report)
    {
        // Before the state says that it is over: whoever starts the VM next waits for it.
        LeaveTraces(report, run.ClockStood, releases: !run.IsKept);
        VmState before;
        VmState after = report is null ? VmState.Off : VmState.Crashed;
        TaskCompletionSource ended;
        lock (_gate)
        {
            before = _state;
            _state = after;
            _end = kind;
            _endCode = code;
            _report = report ?? _report;
            ended = _endSource;
        }

        RaiseStateChanged(before, after);
        ended.TrySetResult();
    }

    private void PrepareThreads()
    {
        try
        {
            _host.Scheduler.Prepare();
            _host.Writer?.Prepare();
        }
        catch (OutOfMemoryException e)
        {
            throw new VmException(VmErrorKind.OutOfResources, $"VM '{Name}' cannot be started: the host gives no more threads. End other processes of this user, or raise their limit (ulimit -u).", e);
        }
    }

    private void UndoStart(MachineRun? run, MachineBuild? build, RunLock? runLock)
    {
        if (run is null)
        {
            build?.Dispose();
        }
        else
        {
            run.Abandon();
        }

        runLock?.Dispose();
        lock (_gate)
        {
            _state = VmState.Off;
            _starting = null;
            _startDone = null;
        }

        RaiseStateChanged(VmState.Starting, VmState.Off);
    }

    private void ReleaseKept()
    {
        if (Run is { IsKept: true })
        {
            TurnOff();
        }
    }

    /// <summary>The run, where the VM is in one of <paramref name="states"/> (or has a machine, where none are given).</summary>
    private MachineRun RequireMachine(string what, params ReadOnlySpan<VmState> states)
    {
        ThrowIfElsewhere();
        lock (_gate)
        {
            bool fits = states.IsEmpty
                ? _state is VmState.Running or VmState.Paused or VmState.Stopping || _run is { IsKept: true }
                : states.Contains(_state);
            if (!fits || _run is null)
            {
                string hint = _state switch
                {
                    VmState.Off or VmState.Crashed => "Start it first.",
                    VmState.Paused => "Resume it first.",
                    VmState.Starting => "Wait until it runs.",
                    _ => "Pause it first.",
                };
                throw new VmException(VmErrorKind.InvalidState, $"VM '{Name}' is {Words(_state)}, so it cannot be {what}. {hint}");
            }

            return _run;
        }
    }

    private void Do(MachineRun run, Action action)
    {
        RunCommand command = run.Post(action);
        if (run.IsOnThisThread)
        {
            return;
        }

        if (!command.Done.Wait(s_enginePatience))
        {
            throw new VmException(VmErrorKind.Timeout, $"VM '{Name}' does not answer: the engine has been busy for {s_enginePatience.TotalSeconds:0} s. Turn it off.");
        }

        if (!command.Done.GetAwaiter().GetResult())
        {
            throw new VmException(VmErrorKind.InvalidState, $"VM '{Name}' ended meanwhile. Start it first.");
        }
    }
}
