using System;
using VirtShell.Machine;
using VirtShell.State;

namespace VirtShell.Host.Running;

/// <summary>
/// The run's link to its driver, where it has one: what the driver is told, and what it can do. All of it is on the run's thread, inside
/// the instruction at which it happens. What a driver throws ends its run and nothing else.
/// </summary>
internal sealed class DriverLink : IStateful
{
    private const int LongestKind = 255;

    private readonly IGuestDriver? _driver;
    private readonly RunMachine _machine;
    private readonly RunMetrics _metrics;
    private readonly RunEnd _end;
    private readonly RunControl _control;
    private bool _started;

    public DriverLink(IGuestDriver? driver, RunThread thread, RunMachine machine, RunMetrics metrics, RunWatch watch, RunEnd end, Action<MediumChange> change)
    {
        _driver = driver;
        _machine = machine;
        _metrics = metrics;
        _end = end;
        _control = new RunControl(thread, machine, metrics, watch, end) { Alarm = OnAlarm, Change = change };
    }

    /// <summary>Before the first instruction that the driver sees.</summary>
    public void Start()
    {
        if (!_started && _driver is not null)
        {
            _started = true;
            Call(static (driver, control) => driver.OnStart(control));
        }
    }

    public void Take(Outlet outlet, byte value)
    {
        if (_driver is null)
        {
            return;
        }

        try
        {
            _driver.OnSerial(_control, outlet, value);
        }
        catch (Exception e)
        {
            Fail(e);
        }
    }

    /// <summary>Tells the driver of the end; gives what it throws.</summary>
    public DriverException? End(VmEndKind kind)
    {
        if (_driver is null)
        {
            return null;
        }

        _control.IsOver = true;
        try
        {
            _driver.OnEnd(_control, kind);
            return null;
        }
        catch (Exception e)
        {
            return new DriverException(e);
        }
    }

    /// <summary>Once the machine is there. A run without a driver leaves out that of another one, and a driver that was not there before begins where it comes in.</summary>
    public void Describe(StateVisitor visitor)
    {
        if (_driver is null)
        {
            if (visitor.IsLoading)
            {
                _machine.Current!.SetAlarm(0, null);
            }

            return;
        }

        using StateScope section = visitor.Section("driver");
        if (visitor.IsAbsent)
        {
            return;
        }

        string? kind = _driver.Kind;
        visitor.Text("kind", ref kind, LongestKind);
        if (kind != _driver.Kind)
        {
            throw visitor.Refused($"It was saved of a run that was driven by '{kind}', which '{_driver.Kind}' cannot go on with. Go on with a driver of that kind, or without one.");
        }

        visitor.Value("started", ref _started);
        _driver.Describe(visitor);
        if (visitor.IsLoading && _machine.Current!.AlarmDue is not null)
        {
            _machine.Current.AlarmAction = OnAlarm;
        }
    }

    private void Call(Action<IGuestDriver, IGuestControl> call)
    {
        try
        {
            call(_driver!, _control);
        }
        catch (Exception e)
        {
            Fail(e);
        }
    }

    // Kept out of the processor's loop, so that the machine stays whole for the crash report.
    private void Fail(Exception e) => _end.Ask(VmEndKind.EngineFault, error: new DriverException(e));

    private void OnAlarm()
    {
        if (!_end.IsPending)
        {
            Call(static (driver, control) => driver.OnAlarm(control));
        }
    }
}
