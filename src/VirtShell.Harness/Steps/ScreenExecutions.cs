using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Harness.Execution;
using VirtShell.Harness.Model;
using VirtShell.Host;
using VirtShell.Machine.Display;
using VirtShell.Machine.Input;
using VirtShell.Settings;

namespace VirtShell.Harness.Steps;

/// <summary>Looks at the screen again and again, at guest times that are the same in every run.</summary>
internal sealed class ScreenExpectExecution(IScript script, ScreenExpectSpec spec, long limit, ScreenReferences references, string item) : StepExecution(script)
{
    /// <summary>From one look to the next, in nanoseconds of guest time: less than anybody waits, and some frames.</summary>
    private const long Look = 50_000_000;

    /// <summary>How long a picture must stand still to be stored.</summary>
    private const long Still = 2_000_000_000;

    private long _deadline;
    private long _sameSince;
    private string? _lastHash;
    private string _difference = string.Empty;

    protected override string Waiting => "while waiting for the screen";

    public override void Begin()
    {
        _deadline = Script.Control.GuestTime + limit;
        OnAlarm();
    }

    public override void OnAlarm()
    {
        long now = Script.Control.GuestTime;
        bool needsPicture = spec.Picture is not null;
        if (Script.Control.CaptureScreen(needsPicture) is not { } screen)
        {
            Fail("The machine has no display. Boot it by firmware, or give it one: parts: [vga=on].", withTail: false);
            return;
        }

        if (Shows(screen) && (!needsPicture || LooksRight(screen, now)))
        {
            Pass(screen.ToString());
        }
        else if (now >= _deadline)
        {
            string text = screen.Kind == ScreenKind.Text ? $"\n{string.Join('\n', screen.Lines.Where(line => line.Length > 0).Select(line => $"    {Printable.Log(line)}"))}" : string.Empty;
            Fail($"The screen did not come to show it within {Units.FormatDuration(limit)} of guest time. It shows {screen}{_difference}.{text}", withTail: false);
        }
        else
        {
            Script.SetStepAlarm(Math.Min(_deadline, now + Look));
        }
    }

    private bool Shows(ScreenSnapshot screen)
    {
        (int, int) size = screen.Kind == ScreenKind.Text ? (screen.Columns, screen.Rows) : (screen.Width, screen.Height);
        return (spec.Mode is null || spec.Mode == screen.Kind)
            && (spec.Size is null || spec.Size == size)
            && (spec.Pattern is null || screen.Lines.Any(line => spec.Pattern.IsMatch(line)) || spec.Pattern.IsMatch(screen.Text));
    }

    private bool LooksRight(ScreenSnapshot screen, long now)
    {
        string hash = screen.Picture!.PerceptualHash();
        if (!references.IsUpdating)
        {
            if (references.Find(item, spec.Picture!) is not { } reference)
            {
                _difference = $"; the references hold no picture {Printable.Quote(spec.Picture!)} of this item: store it with --update-references";
                return false;
            }

            int distance = ScreenPicture.Distance(hash, reference);
            _difference = $", whose hash differs in {distance} of {ScreenPicture.HashBits} bits from the picture {Printable.Quote(spec.Picture!)}, where {spec.Tolerance} may";
            return distance <= spec.Tolerance;
        }

        if (hash != _lastHash)
        {
            _lastHash = hash;
            _sameSince = now;
        }

        if (now - _sameSince < Still && now < _deadline)
        {
            return false;
        }

        references.Set(item, spec.Picture!, hash);
        return true;
    }
}

internal sealed class ScreenshotExecution(IScript script) : StepExecution(script)
{
    protected override string Waiting => "before its screen was looked at";

    public override void Begin()
    {
        Screen = Script.Control.CaptureScreen(withPicture: true);
        if (Screen is null)
        {
            Fail("The machine has no display. Boot it by firmware, or give it one: parts: [vga=on].", withTail: false);
        }
        else
        {
            Pass(Screen.ToString());
        }
    }
}

/// <summary>Sends keys or mouse movements, and waits until the guest has taken them.</summary>
internal sealed class InputExecution(IScript script, StepSpec spec, long limit) : StepExecution(script)
{
    private const long Look = 10_000_000;

    private long _deadline;

    protected override string Waiting => "before it had read what was typed";

    private bool IsIdle => spec is MouseSpec ? Script.Control.Mouse is not { IsIdle: false } : Script.Control.Keyboard is not { IsIdle: false };

    public override void Begin()
    {
        _deadline = Script.Control.GuestTime + limit;
        if (Script.Control.Keyboard is not { } keyboard || Script.Control.Mouse is not { } mouse)
        {
            Fail("The machine has no keyboard controller: the part i8042 was left out.", withTail: false);
            return;
        }

        try
        {
            Send(keyboard, mouse);
        }
        catch (InvalidOperationException e)
        {
            Fail(e.Message, withTail: false);
        }

        if (Outcome is null)
        {
            OnAlarm();
        }
    }

    public override void OnAlarm()
    {
        long now = Script.Control.GuestTime;
        if (IsIdle)
        {
            Pass();
        }
        else if (now >= _deadline)
        {
            Fail($"The guest did not read it within {Units.FormatDuration(limit)} of guest time. Does it use the PS/2 {(spec is MouseSpec ? "mouse" : "keyboard")}?", withTail: false);
        }
        else
        {
            Script.SetStepAlarm(Math.Min(_deadline, now + Look));
        }
    }

    /// <summary>A guest that ends by what was typed does not wait for the last key to go up.</summary>
    public override void OnEnd(string how) => Pass($"The guest's run ended: {how}.");

    private void Send(MachineKeyboard keyboard, MachineMouse mouse)
    {
        switch (spec)
        {
            case TypeSpec type:
                if (type.Layout.TryType(type.Enter ? type.Text + "\n" : type.Text, out IReadOnlyList<KeyStroke>? strokes, out string missing))
                {
                    keyboard.Type(strokes);
                }
                else
                {
                    Fail($"The layout {type.Layout.Name} has no key for {Printable.Quote(missing)}. Layouts are {string.Join(", ", KeyLayout.All.Select(l => l.Name))}; press what has none with the step key.", withTail: false);
                }

                break;
            case KeySpec key:
                for (int i = 0; i < key.Times; i++)
                {
                    keyboard.Chord(key.Keys);
                }

                break;
            case MouseSpec move:
                if (move.X != 0 || move.Y != 0 || move.Wheel != 0)
                {
                    mouse.Move(move.X, move.Y, move.Wheel);
                }

                if (move.Hold is { } held)
                {
                    mouse.Press(held);
                }

                if (move.Click != MouseButtons.None)
                {
                    mouse.Press(move.Click | (move.Hold ?? MouseButtons.None));
                    mouse.Press(move.Hold ?? MouseButtons.None);
                }

                break;
            default:
                throw new InvalidOperationException($"{spec.GetType().Name} sends nothing.");
        }
    }
}
