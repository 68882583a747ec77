using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Host.Inventory;
using VirtShell.Host.Running;
using VirtShell.Machine;

namespace VirtShell.Host;

/// <summary>
/// A VM as people know it: definition, lifecycle, serial log, metrics, crash report. All members are thread-safe.
/// </summary>
/// <remarks>
/// Operations that wait for the machine take effect between two of its quanta. Called from the VM's own thread (a
/// driver, a <see cref="StateChanged"/> handler) they take effect after that call instead of waiting.
/// </remarks>
public sealed partial class VirtualMachine
{
    // A quantum takes milliseconds; this long means that the engine is stuck inside one instruction.
    private static readonly TimeSpan s_enginePatience = TimeSpan.FromSeconds(60);
    private static readonly SerialLog s_noLog = MakeEmptyLog();

    private readonly VmHost _host;
    private readonly object _gate = new();
    private VmDefinition _definition;
    private VmState _state;
    private VmEndKind _end;
    private int _endCode;
    private CrashReport? _report;
    private bool _reportLooked;
    private MachineRun? _run;
    private RunLock? _runLock;
    private string? _tracesFailure;
    private CancellationTokenSource? _starting;
    private TaskCompletionSource? _startDone;

    // Where the VM's clock last stood, as long as that is not kept in the store.
    private DateTime? _clockStood;
    private TaskCompletionSource _endSource = new(TaskCreationOptions.RunContinuationsAsynchronously);

    internal VirtualMachine(VmHost host, VmDefinition definition, string? error)
    {
        _host = host;
        _definition = definition;
        DefinitionError = error;
        _endSource.SetResult();
    }

    /// <summary>Raised after each change of state, on any thread. An exception from a handler is dropped.</summary>
    public event EventHandler<VmStateChangedEventArgs>? StateChanged;

    public VmDefinition Definition => Volatile.Read(ref _definition);

    public string Name => Definition.Name;

    public Guid Id => Definition.Id;

    public VmState State
    {
        get
        {
            VmState state;
            lock (_gate)
            {
                state = _state;
            }

            return state == VmState.Off && OwnerProcessId is not null ? VmState.Running : state;
        }
    }

    /// <summary>Why the stored definition cannot be used (a damaged file, for example); null where it can. Such a VM can only be removed.</summary>
    public string? DefinitionError { get; internal set; }

    /// <summary>The process that runs this VM, when it is not this host; <see cref="State"/> is then Running and every operation is refused.</summary>
    public int? OwnerProcessId => _host.Store is { } store && !IsActive && !HoldsRunLock ? RunLock.FindOwner(store, Id)?.ProcessId : null;

    /// <summary>How the last run ended; <see cref="EndCode"/> belongs to it.</summary>
    public VmEndKind End
    {
        get
        {
            lock (_gate)
            {
                return _end;
            }
        }
    }

    /// <summary>For <see cref="VmEndKind.DebugExit"/> the value that the guest wrote, else 0.</summary>
    public int EndCode
    {
        get
        {
            lock (_gate)
            {
                return _endCode;
            }
        }
    }

    /// <summary>The last crash: of the current run (before a restart), of the last run, or of an earlier session; null where there was none.</summary>
    public CrashReport? CrashReport
    {
        get
        {
            lock (_gate)
            {
                if (_report is null && !_reportLooked && _run is null)
                {
                    _reportLooked = true;
                    _report = _host.Store?.ReadCrashReport(Id);
                }

                return _report;
            }
        }
    }

    /// <summary>The whole output of COM1 of the current or last run.</summary>
    public SerialLog Serial => GetSerial(Outlet.Com1);

    public VmMetrics Metrics => Run?.Metrics ?? default;

    /// <summary>What the engine did in the current or last run; all zero before the first.</summary>
    public VmEngineMetrics EngineMetrics => Run?.Engine ?? new VmEngineMetrics(Definition.Engine, false, default);

    /// <summary>Bytes of the disks of the current or last run together.</summary>
    public long DiskBytes => Run?.DiskBytes ?? 0;

    /// <summary>What the current or last run had to refuse its guest for want of room on the host, and what of its end could not be written, with what to do; each once.</summary>
    public IReadOnlyList<string> Warnings
    {
        get
        {
            IReadOnlyList<string> warnings = Run?.Warnings ?? [];
            return Volatile.Read(ref _tracesFailure) is { } failure ? [.. warnings, failure] : warnings;
        }
    }

    /// <summary>When the last run ended; null before the first and while one goes on.</summary>
    public DateTimeOffset? EndedAt => Run?.EndedAt;

    /// <summary>When the current or last run was started; null before the first.</summary>
    public DateTimeOffset? StartedAt => Run?.StartedAt;

    /// <summary>Restarts after a crash in the current or last run.</summary>
    public int CrashRestarts => Run?.CrashRestarts ?? 0;

    /// <summary>Host memory that this VM takes now; while it is off, for its serial logs alone.</summary>
    public VmHostMemory HostMemory => Run?.HostMemory() ?? default;

    internal bool IsActive
    {
        get
        {
            lock (_gate)
            {
                return _state is not (VmState.Off or VmState.Crashed) || _run is { IsKept: true };
            }
        }
    }

    // After the end the lock is still ours until what the run left behind is written.
    private bool HoldsRunLock
    {
        get
        {
            lock (_gate)
            {
                return _runLock is not null;
            }
        }
    }

    private MachineRun? Run
    {
        get
        {
            lock (_gate)
            {
                return _run;
            }
        }
    }

    /// <summary>The output of an outlet in the current or last run; empty where nothing was sent.</summary>
    public SerialLog GetSerial(Outlet outlet) => Run?.GetSerial(outlet) ?? s_noLog;

    /// <summary>
    /// Replaces the definition; its <see cref="VmDefinition.Id"/> stays. The VM must be off, unless
    /// <see cref="VmDefinition.Engine"/> alone changes: a machine that is on goes over to the new engine between two instructions.
    /// </summary>
    /// <exception cref="VmException">The definition is invalid, its name is taken, or the VM is not off.</exception>
    public void Configure(VmDefinition definition)
    {
        ArgumentNullException.ThrowIfNull(definition);
        DefinitionRules.Check(definition);
        MachineRun? run = Run is { } current && !current.Ended.IsCompleted ? current : null;
        IReadOnlyList<MediumChange> media = run is null ? [] : MachineMedia.OpenChanges(Definition, definition, _host.Images);
        try
        {
            _host.Configure(this, definition with { Id = Id });
            SwitchEngine(definition.Engine);
        }
        catch
        {
            CloseAll(media);
            throw;
        }

        ChangeMedia(run, media);
    }

    /// <summary>A report of the VM as it is now, taken between two instructions; the VM must be running, paused, or kept after a crash.</summary>
    public CrashReport Inspect()
    {
        MachineRun run = RequireMachine("inspected");
        CrashReport? report = null;
        Do(run, () => report = run.Inspect());
        return report ?? throw Refused("Reports of a VM are not made from its own thread.");
    }

    public override string ToString() => Name;

    internal void SetDefinition(VmDefinition definition, string? error)
    {
        Volatile.Write(ref _definition, definition);
        DefinitionError = error;
    }

    /// <summary>Throws unless the VM is off, here and elsewhere.</summary>
    internal void RequireOff(string what)
    {
        ThrowIfElsewhere();
        lock (_gate)
        {
            if (_state is not (VmState.Off or VmState.Crashed) || _run is { IsKept: true })
            {
                throw new VmException(VmErrorKind.InvalidState, $"VM '{Name}' is {Words(_state)}; it can be {what} only while it is off. Stop it first.");
            }
        }
    }

    /// <summary>Throws unless the VM may get <paramref name="definition"/> in its present state.</summary>
    internal void RequireChangeable(VmDefinition definition)
    {
        // What is in a drive may change at any time, the drives may not.
        VmDefinition withSameMedia = DrivePlaces.HaveSameDrives(Definition, definition) ? definition with { Cds = Definition.Cds, Floppies = Definition.Floppies } : definition;
        if (!VmSettings.DifferOnlyInLive(Definition, withSameMedia))
        {
            RequireOff("changed");
            return;
        }

        ThrowIfElsewhere();
        lock (_gate)
        {
            // While it starts the machine may be built already, and not yet be there to be told.
            if (_state == VmState.Starting)
            {
                throw new VmException(VmErrorKind.InvalidState, $"VM '{Name}' is starting; change its settings once it runs.");
            }
        }
    }

    private static SerialLog MakeEmptyLog()
    {
        SerialLog log = new();
        log.Close();
        return log;
    }

    private static string Words(VmState state) => state switch
    {
        VmState.Off => "off",
        VmState.Starting => "starting",
        VmState.Running => "running",
        VmState.Paused => "paused",
        VmState.Stopping => "shutting down",
        _ => "crashed",
    };

    private VmException Refused(string why) => new(VmErrorKind.InvalidState, $"VM '{Name}': {why}");

    private void ThrowIfElsewhere()
    {
        if (OwnerProcessId is { } process)
        {
            throw new VmException(VmErrorKind.InvalidState, $"VM '{Name}' runs in process {process}; stop it there first.");
        }
    }

    private void SetState(VmState after, Func<VmState, bool>? onlyFrom = null)
    {
        VmState before;
        lock (_gate)
        {
            before = _state;
            if (before == after || (onlyFrom is not null && !onlyFrom(before)))
            {
                return;
            }

            _state = after;
        }

        RaiseStateChanged(before, after);
    }

    private void RaiseStateChanged(VmState before, VmState after)
    {
        if (before == after || StateChanged is not { } handlers)
        {
            return;
        }

        VmStateChangedEventArgs change = new(before, after);
        foreach (Delegate handler in handlers.GetInvocationList())
        {
            try
            {
                ((EventHandler<VmStateChangedEventArgs>)handler)(this, change);
            }
            catch (Exception)
            {
                // A listener's fault is not the VM's.
            }
        }
    }
}
