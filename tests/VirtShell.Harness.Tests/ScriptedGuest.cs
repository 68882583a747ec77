using System;
using System.Collections.Generic;
using System.Text;
using VirtShell.Host;
using VirtShell.Machine;
using VirtShell.Machine.Display;
using VirtShell.Machine.Drives;
using VirtShell.Machine.Input;

namespace VirtShell.Harness.Tests;

/// <summary>
/// Plays the guest's side of a driver's contract: output at given guest times, answers to what is typed. It knows nothing of
/// machines; it is there to try the script's state machine alone.
/// </summary>
internal sealed class ScriptedGuest(IGuestDriver driver) : IGuestControl
{
    private readonly SortedDictionary<(long Time, int Sequence), Action> _events = [];
    private readonly StringBuilder _typed = new();
    private long _alarm = long.MaxValue;
    private int _sequence;
    private bool _ended;

    public long GuestTime { get; private set; }

    public long Instructions => GuestTime;

    public VmEndKind End { get; private set; }

    public string Typed => _typed.ToString();

    /// <summary>Media that were changed, as "Cd 0: image".</summary>
    public List<string> Media { get; } = [];

    public void ChangeMedium(DriveKind kind, int index, string? source) => Media.Add($"{kind} {index}: {source ?? "none"}");

    public bool ButtonPressed { get; private set; }

    /// <summary>Called for what is typed.</summary>
    public Action<ScriptedGuest, string>? OnTyped { get; set; }

    public Action<ScriptedGuest>? OnButton { get; set; }

    /// <summary>Output some milliseconds from now.</summary>
    public ScriptedGuest Say(long milliseconds, string text, Outlet? outlet = null) => At(milliseconds, () =>
    {
        foreach (byte value in Encoding.UTF8.GetBytes(text))
        {
            if (_ended)
            {
                return;
            }

            driver.OnSerial(this, outlet ?? Outlet.Com1, value);
            GuestTime += 100;
        }
    });

    /// <summary>Does something some milliseconds from now.</summary>
    public ScriptedGuest Then(long milliseconds, Action<ScriptedGuest> action) => At(milliseconds, () => action(this));

    public ScriptedGuest EndWith(long milliseconds, VmEndKind end) => At(milliseconds, () => Finish(end));

    public VmEndKind Run(long limitMilliseconds = 1_000_000)
    {
        driver.OnStart(this);
        while (!_ended)
        {
            long next = _events.Count > 0 ? First().Time : long.MaxValue;
            if (_alarm <= next && _alarm < limitMilliseconds * 1_000_000)
            {
                GuestTime = Math.Max(GuestTime, _alarm);
                _alarm = long.MaxValue;
                driver.OnAlarm(this);
            }
            else if (next != long.MaxValue)
            {
                (long Time, int Sequence) key = First();
                Action action = _events[key];
                _events.Remove(key);
                GuestTime = Math.Max(GuestTime, key.Time);
                action();
            }
            else
            {
                Finish(VmEndKind.Hang);
            }
        }

        driver.OnEnd(this, End);
        return End;
    }

    public void SendSerial(Outlet outlet, ReadOnlySpan<byte> bytes)
    {
        string text = Encoding.UTF8.GetString(bytes);
        _typed.Append(text);
        OnTyped?.Invoke(this, text);
    }

    /// <summary>Whether someone in the guest reads what is typed.</summary>
    public bool Listens { get; set; } = true;

    public bool IsListening(Outlet outlet) => Listens;

    /// <summary>The screen at a guest time in nanoseconds; null for a machine without a display.</summary>
    public Func<long, ScreenSnapshot>? Screen { get; set; }

    public ScreenSnapshot? CaptureScreen(bool withPicture) => Screen?.Invoke(GuestTime);

    public MachineKeyboard? Keyboard => null;

    public MachineMouse? Mouse => null;

    public void PressPowerButton()
    {
        ButtonPressed = true;
        OnButton?.Invoke(this);
    }

    public void SetAlarm(long guestTime) => _alarm = guestTime;

    public void CancelAlarm() => _alarm = long.MaxValue;

    public void TurnOff(VmEndKind end = VmEndKind.TurnedOff) => Finish(end);

    private ScriptedGuest At(long milliseconds, Action action)
    {
        _events[(GuestTime + (milliseconds * 1_000_000), _sequence++)] = action;
        return this;
    }

    private (long Time, int Sequence) First()
    {
        foreach ((long, int) key in _events.Keys)
        {
            return key;
        }

        throw new InvalidOperationException();
    }

    private void Finish(VmEndKind end)
    {
        if (!_ended)
        {
            _ended = true;
            End = end;
        }
    }
}
