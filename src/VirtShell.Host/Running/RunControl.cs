using System;
using VirtShell.Machine;
using VirtShell.Machine.Display;
using VirtShell.Machine.Drives;
using VirtShell.Machine.Input;
using VirtShell.State;

namespace VirtShell.Host.Running;

/// <summary>What a driver is given. Used on the run's thread only; another thread gets an error.</summary>
internal sealed class RunControl : IGuestControl
{
    private readonly RunThread _thread;
    private readonly RunMachine _machine;
    private readonly RunMetrics _metrics;
    private readonly RunWatch _watch;
    private readonly RunEnd _runEnd;

    public RunControl(RunThread thread, RunMachine machine, RunMetrics metrics, RunWatch watch, RunEnd runEnd)
    {
        _thread = thread;
        _machine = machine;
        _metrics = metrics;
        _watch = watch;
        _runEnd = runEnd;
    }

    /// <summary>Whether it only answers questions.</summary>
    [NotState("A run that is over is not saved.")]
    public bool IsOver { get; set; }

    /// <summary>What the machine's alarm calls.</summary>
    public required Action Alarm { get; init; }

    /// <summary>What puts a medium into a drive.</summary>
    public required Action<MediumChange> Change { get; init; }

    public long GuestTime => _metrics.GuestTimeNow;

    public long Instructions => _metrics.InstructionsNow;

    public void SendSerial(Outlet outlet, ReadOnlySpan<byte> bytes)
    {
        if (Check())
        {
            _watch.NoteProgress();
            _machine.Current!.SendSerial(outlet, bytes);
        }
    }

    public bool IsListening(Outlet outlet) => Check() && _machine.Current!.IsListening(outlet);

    public void PressPowerButton()
    {
        if (Check())
        {
            _machine.Current!.PressPowerButton();
        }
    }

    public ScreenSnapshot? CaptureScreen(bool withPicture) => _thread.IsThisOne ? _machine.Current?.Screen?.Capture(withPicture) : null;

    public MachineKeyboard? Keyboard => Use()?.Keyboard;

    public MachineMouse? Mouse => Use()?.Mouse;

    public void ChangeMedium(DriveKind kind, int index, string? source)
    {
        if (Check())
        {
            Change(_machine.Build.Media.OpenMedium(kind, index, source));
        }
    }

    public void SetAlarm(long guestTime)
    {
        if (Check())
        {
            _machine.Current!.SetAlarm(guestTime - _metrics.PriorGuestTime, Alarm);
        }
    }

    public void CancelAlarm()
    {
        if (Check())
        {
            _machine.Current!.SetAlarm(0, null);
        }
    }

    public void TurnOff(VmEndKind end = VmEndKind.TurnedOff)
    {
        if (Check())
        {
            _runEnd.Ask(end, reason: $"Ended by the guest's driver as {end}.");
        }
    }

    // Somebody who types, or moves the mouse, is progress: a guest that waits for it is not hung.
    private Pc? Use()
    {
        if (!Check())
        {
            return null;
        }

        _watch.NoteProgress();
        return _machine.Current;
    }

    private bool Check()
    {
        if (!_thread.IsThisOne)
        {
            throw new InvalidOperationException("A driver controls its VM from its own calls only; from another thread use VirtualMachine.");
        }

        return !IsOver && !_runEnd.IsPending;
    }
}
