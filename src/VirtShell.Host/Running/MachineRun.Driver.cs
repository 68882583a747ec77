using System;
using VirtShell.Machine;
using VirtShell.Machine.Display;
using VirtShell.Machine.Drives;
using VirtShell.Machine.Input;

namespace VirtShell.Host.Running;

/// <summary>The driver's side of a run.</summary>
internal sealed partial class MachineRun
{
    private readonly RunControl _control;

    /// <summary>What the screen shows; null without a display. Inside a dispatch only, as is what follows.</summary>
    public ScreenSnapshot? CaptureScreen(bool withPicture) => _machine?.Screen?.Capture(withPicture);

    /// <summary>The keyboard of the machine, for somebody who types: a guest that waits for it is not hung.</summary>
    public MachineKeyboard? UseKeyboard()
    {
        NoteProgress();
        return _machine?.Keyboard;
    }

    /// <summary>The mouse of the machine, for somebody who moves it.</summary>
    public MachineMouse? UseMouse()
    {
        NoteProgress();
        return _machine?.Mouse;
    }

    private void CallDriver(Action<IGuestDriver, IGuestControl> call)
    {
        if (_driver is null)
        {
            return;
        }

        try
        {
            call(_driver, _control);
        }
        catch (Exception e)
        {
            // Kept out of the processor's loop, so that the machine stays whole for the crash report.
            SetPendingEnd(VmEndKind.EngineFault, 0, null, new DriverException(e));
        }
    }

    private void CallDriver(Outlet outlet, byte value)
    {
        try
        {
            _driver!.OnSerial(_control, outlet, value);
        }
        catch (Exception e)
        {
            SetPendingEnd(VmEndKind.EngineFault, 0, null, new DriverException(e));
        }
    }

    private void OnAlarm()
    {
        if (_pendingEnd == VmEndKind.None)
        {
            CallDriver(static (driver, control) => driver.OnAlarm(control));
        }
    }

    private DriverException? CallDriverAtEnd(VmEndKind kind)
    {
        _control.IsOver = true;
        try
        {
            _driver!.OnEnd(_control, kind);
            return null;
        }
        catch (Exception e)
        {
            return new DriverException(e);
        }
    }

    /// <summary>What a driver is given. Used on the machine's thread only; another thread gets an error.</summary>
    private sealed class RunControl(MachineRun run) : IGuestControl
    {
        public bool IsOver { get; set; }

        public long GuestTime => run._metricsFrozen || run._machine is not { } machine ? run.GuestTime : run._priorGuestTime + machine.GuestTime;

        public long Instructions => run._metricsFrozen || run._machine is not { } machine ? run.Instructions : run._priorInstructions + machine.Instructions;

        public void SendSerial(Outlet outlet, ReadOnlySpan<byte> bytes)
        {
            if (Check())
            {
                run.NoteProgress();
                run._machine!.SendSerial(outlet, bytes);
            }
        }

        public bool IsListening(Outlet outlet) => Check() && run._machine!.IsListening(outlet);

        public void PressPowerButton()
        {
            if (Check())
            {
                run._machine!.PressPowerButton();
            }
        }

        public ScreenSnapshot? CaptureScreen(bool withPicture) => run.IsOnThisThread ? run.CaptureScreen(withPicture) : null;

        public MachineKeyboard? Keyboard => Check() ? run.UseKeyboard() : null;

        public MachineMouse? Mouse => Check() ? run.UseMouse() : null;

        public void SetAlarm(long guestTime)
        {
            if (Check())
            {
                run._machine!.SetAlarm(guestTime - run._priorGuestTime, run.OnAlarm);
            }
        }

        public void CancelAlarm()
        {
            if (Check())
            {
                run._machine!.SetAlarm(0, null);
            }
        }

        public void ChangeMedium(DriveKind kind, int index, string? source)
        {
            if (Check())
            {
                run.ChangeMedium(run._build.Media.OpenMedium(kind, index, source));
            }
        }

        public void TurnOff(VmEndKind end = VmEndKind.TurnedOff)
        {
            if (Check())
            {
                run.SetPendingEnd(end, 0, $"Ended by the guest's driver as {end}.", null);
            }
        }

        private bool Check()
        {
            if (!run.IsOnThisThread)
            {
                throw new InvalidOperationException("A driver controls its VM from its own calls only; from another thread use VirtualMachine.");
            }

            return !IsOver && run._pendingEnd == VmEndKind.None;
        }
    }
}
