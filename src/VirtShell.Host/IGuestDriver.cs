using VirtShell.Machine;
using VirtShell.Machine.Display;
using VirtShell.Machine.Drives;
using VirtShell.Machine.Input;
using VirtShell.State;

namespace VirtShell.Host;

/// <summary>
/// Drives one run of a VM deterministically: every call comes on the VM's own thread at an exact instruction, and what
/// it does through <see cref="IGuestControl"/> takes effect there, so the same guest and driver give the same run
/// however busy the host is. An exception from a driver ends that VM with <see cref="VmEndKind.EngineFault"/> and nothing else.
/// </summary>
/// <remarks>
/// A driver describes where it has got to, between two of its calls, and is part of a run's saved state. A new driver of the
/// same kind loads it and goes on with the next call, without <see cref="OnStart"/>; its alarm is still set. One that comes to a run
/// that had none gets <see cref="OnStart"/> where it comes in. After a state that was refused a driver is fit for nothing.
/// </remarks>
public interface IGuestDriver : IStateful
{
    /// <summary>What kind of driver it is, in a word that is never changed: state of one kind is not given to another.</summary>
    string Kind { get; }

    /// <summary>Before the first instruction.</summary>
    void OnStart(IGuestControl control);

    /// <summary>A byte came out of an outlet, inside the instruction that sent it.</summary>
    void OnSerial(IGuestControl control, Outlet outlet, byte value);

    /// <summary>The alarm set by <see cref="IGuestControl.SetAlarm"/> is due.</summary>
    void OnAlarm(IGuestControl control);

    /// <summary>The run has ended; the control only answers questions now.</summary>
    void OnEnd(IGuestControl control, VmEndKind end);
}

/// <summary>What a driver can do to its VM.</summary>
public interface IGuestControl
{
    /// <summary>Guest time since power-on, in nanoseconds.</summary>
    long GuestTime { get; }

    long Instructions { get; }

    void SendSerial(Outlet outlet, System.ReadOnlySpan<byte> bytes);

    /// <summary>
    /// Whether the guest is ready to read at an outlet: its driver takes input by interrupt, or it does nothing but
    /// ask for some. What is sent before waits, and drivers that set a port up throw part of it away.
    /// </summary>
    bool IsListening(Outlet outlet);

    void PressPowerButton();

    /// <summary>What the screen shows, with its picture where that is asked for; null where the machine has no display. Answers at the end of a run, too.</summary>
    ScreenSnapshot? CaptureScreen(bool withPicture);

    /// <summary>The keyboard; null where the machine has none, or the run is over.</summary>
    MachineKeyboard? Keyboard { get; }

    /// <summary>The mouse; null where the machine has none, or the run is over.</summary>
    MachineMouse? Mouse { get; }

    /// <summary>Asks for <see cref="IGuestDriver.OnAlarm"/> at a guest time; replaces an earlier one.</summary>
    void SetAlarm(long guestTime);

    void CancelAlarm();

    /// <summary>Puts a medium into a drive of the definition, or takes out what is there.</summary>
    /// <param name="kind">A CD or a floppy drive.</param>
    /// <param name="index">Which of these, from 0.</param>
    /// <param name="source">The image; null empties the drive.</param>
    /// <exception cref="VmException">The VM has no such drive, or the image is missing or not usable; nothing has changed then.</exception>
    void ChangeMedium(DriveKind kind, int index, string? source);

    /// <summary>Switches the VM off after this call; the run ends with <paramref name="end"/>.</summary>
    void TurnOff(VmEndKind end = VmEndKind.TurnedOff);
}
