using System;
using VirtShell.Host.Crash;
using VirtShell.Host.Scheduling;
using VirtShell.Machine;
using Pc = VirtShell.Machine.Machine;

namespace VirtShell.Host.Running;

/// <summary>How a run ends, and what follows a crash.</summary>
internal sealed partial class MachineRun
{
    private int _crashRestarts;

    /// <summary>Restarts after a crash so far.</summary>
    public int CrashRestarts => _crashRestarts;

    /// <summary>Where the VM's clock stood at the end of the last machine of this run; null before.</summary>
    public DateTime? ClockStood => _build.ClockStood;

    /// <summary>Whether the run is over but its machine is kept for inspection.</summary>
    public bool IsKept { get; private set; }

    /// <summary>A command: lets go of a machine kept after a crash.</summary>
    public void ReleaseKept()
    {
        ReleaseMachine();
        IsKept = false;
    }

    /// <summary>Lets go of a machine that was built but never began to run.</summary>
    public void Abandon()
    {
        CloseCommands();
        ReleaseMachine();
        CloseLogs();
        _waiters.Close();
        _ended.TrySetResult();
    }

    private static bool IsCrash(VmEndKind kind) => kind is VmEndKind.TripleFault or VmEndKind.Hang or VmEndKind.Panic or VmEndKind.EngineFault or VmEndKind.StorageFault;

    private static string Describe(Exception e) => $"{e.GetType().Name}: {e.Message}";

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
        if (_over)
        {
            // Something failed after the end, while the machine was kept: let go of it.
            CloseCommands();
            ReleaseKept();
            return DispatchResult.Done;
        }

        PublishMetrics();
        _metricsFrozen = true;
        SampleMemory();
        CrashReport? report = IsCrash(kind) ? CrashReportBuilder.Build(_machine, Facts(kind, reason ?? Reason(kind, error), error)) : null;
        if (report is not null && kind != VmEndKind.StorageFault && _definition.CrashAction == CrashAction.Restart && _crashRestarts < _definition.CrashRestartLimit)
        {
            return RestartAfterCrash(report);
        }

        if (_driver is not null && CallDriverAtEnd(kind) is { } driverError && report is null)
        {
            kind = VmEndKind.EngineFault;
            report = CrashReportBuilder.Build(_machine, Facts(kind, Reason(kind, driverError), driverError));
        }

        return Conclude(kind, code, report, keep: report is not null && _definition.CrashAction == CrashAction.Pause);
    }

    private DispatchResult RestartAfterCrash(CrashReport report)
    {
        _crashRestarts++;
        _priorInstructions = Instructions;
        _priorGuestTime = GuestTime;
        _priorEngine = Engine.Counters;
        _priorFailure = Engine.FirstTranslationFailure;
        Pc? old = _machine;
        NoteClock();
        lock (_machineGate)
        {
            _machine = null;
        }

        old?.Dispose();
        _pendingEnd = VmEndKind.None;
        _pendingReason = null;
        _pendingError = null;
        _metricsFrozen = false;
        _owner.RunCrashed(this, report);
        PowerOn();
        return DispatchResult.Again;
    }

    private DispatchResult Conclude(VmEndKind kind, int code, CrashReport? report, bool keep)
    {
        _over = true;
        _metricsFrozen = true;
        IsKept = keep;
        EndedAt = DateTimeOffset.UtcNow;
        NoteClock();
        if (!keep)
        {
            CloseCommands();
            ReleaseMachine();
        }

        CloseLogs();
        _waiters.Close();
        _owner.RunEnded(this, kind, code, report);
        return keep ? DispatchResult.Park : DispatchResult.Done;
    }

    private void NoteClock()
    {
        if (_machine is { } machine)
        {
            _build.NoteClock(machine.GuestTime);
        }
    }

    private void CloseCommands()
    {
        lock (_commandGate)
        {
            _commandsClosed = true;
        }

        while (_commands.TryDequeue(out RunCommand? command))
        {
            command.Drop();
        }
    }

    private void ReleaseMachine()
    {
        Pc? machine = _machine;
        lock (_machineGate)
        {
            _machine = null;
        }

        try
        {
            machine?.Dispose();
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
        Instructions,
        TimeSpan.FromTicks(GuestTime / TimeSpan.NanosecondsPerTick),
        GetSerial(Outlet.Com1),
        error is null ? null : Describe(error));

    private static string Reason(VmEndKind kind, Exception? error) => error switch
    {
        DriverException driver => $"Engine fault: the guest's driver failed: {driver.InnerException!.Message}",
        not null => "Engine fault: our own engine failed while serving this VM. Other VMs are not affected. Please report it.",
        _ => kind.ToString(),
    };
}
