using System;
using System.Collections.Generic;
using VirtShell.Host.Running;
using VirtShell.Machine.Display;
using VirtShell.Machine.Input;

namespace VirtShell.Host;

/// <content>The screen, the keyboard and the mouse.</content>
public sealed partial class VirtualMachine
{
    /// <summary>What the screen shows now. Waits for the guest to reach a boundary, a fraction of a second at most.</summary>
    /// <param name="withPicture">Whether to draw the picture, too.</param>
    /// <exception cref="VmException">The VM is not on, or has no display.</exception>
    public ScreenSnapshot GetScreen(bool withPicture)
    {
        MachineRun run = RequireMachine("looked at", VmState.Running, VmState.Stopping, VmState.Paused);
        ScreenSnapshot? screen = null;
        Do(run, () => screen = run.CaptureScreen(withPicture));
        return screen ?? throw new VmException(VmErrorKind.InvalidState, $"VM '{Name}' has no display. Boot it by firmware, or give it one with the part vga=on.");
    }

    /// <summary>Types strokes on the keyboard. Does not wait until the guest has read them.</summary>
    /// <exception cref="VmException">The VM is not on, has no keyboard, or does not read what was typed before.</exception>
    public void TypeKeys(IReadOnlyList<KeyStroke> strokes) => UseKeyboard(keyboard => keyboard.Type(strokes));

    /// <summary>Presses keys together and releases them.</summary>
    /// <exception cref="VmException">The VM is not on, has no keyboard, or does not read what was typed before.</exception>
    public void PressKeys(IReadOnlyList<PcKey> keys) => UseKeyboard(keyboard => keyboard.Chord(keys));

    /// <summary>Presses or releases one key.</summary>
    /// <exception cref="VmException">The VM is not on, has no keyboard, or does not read what was typed before.</exception>
    public void SetKey(PcKey key, bool isDown) => UseKeyboard(keyboard => keyboard.Key(key, isDown));

    /// <summary>Moves the mouse, turns its wheel, and sets its buttons where some are given.</summary>
    /// <exception cref="VmException">The VM is not on, has no mouse, or does not read what was sent before.</exception>
    public void UseMouse(Action<MachineMouse> use)
    {
        ArgumentNullException.ThrowIfNull(use);
        Input(run => use(run.UseMouse() ?? throw NoController()));
    }

    private void UseKeyboard(Action<MachineKeyboard> use) => Input(run => use(run.UseKeyboard() ?? throw NoController()));

    private void Input(Action<MachineRun> use)
    {
        MachineRun run = RequireMachine("sent input", VmState.Running, VmState.Stopping, VmState.Paused);
        Do(run, () =>
        {
            try
            {
                use(run);
            }
            catch (InvalidOperationException e)
            {
                throw new VmException(VmErrorKind.InvalidState, $"VM '{Name}': {e.Message}", e);
            }
        });
    }

    private VmException NoController() =>
        new(VmErrorKind.InvalidState, $"VM '{Name}' has no keyboard controller: the part i8042 was left out.");
}
