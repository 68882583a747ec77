using System;
using System.Collections.Generic;
using System.Linq;
using VirtShell.Machine.Legacy;

namespace VirtShell.Machine.Input;

/// <summary>
/// The keyboard of a machine, for whoever types. What is sent waits until the guest has taken what came before and some guest
/// time has passed, so that a guest which reads its keyboard loses nothing. Between runs, or on the running thread.
/// </summary>
public sealed class MachineKeyboard
{
    /// <summary>Guest time from one key going down or up to the next, in nanoseconds: 25 characters a second.</summary>
    public const long Pace = 20_000_000;

    private readonly KeyboardController _controller;

    internal MachineKeyboard(KeyboardController controller) => _controller = controller;

    /// <summary>Whether everything that was sent has been read by the guest.</summary>
    public bool IsIdle => _controller.IsKeyboardIdle;

    /// <summary>The lights, as the guest set them: bit 0 scroll lock, bit 1 num lock, bit 2 caps lock.</summary>
    public int Lights => _controller.Lights;

    /// <summary>Presses keys, one after the other, and releases them in the opposite order.</summary>
    /// <exception cref="InvalidOperationException">So much waits already that the guest does not seem to read its keyboard.</exception>
    public void Chord(IReadOnlyList<PcKey> keys)
    {
        ArgumentNullException.ThrowIfNull(keys);
        _controller.CheckRoom(2 * keys.Count);
        foreach (PcKey key in keys)
        {
            _controller.QueueKey(key, isDown: true);
        }

        foreach (PcKey key in keys.Reverse())
        {
            _controller.QueueKey(key, isDown: false);
        }
    }

    /// <summary>Presses or releases one key; one that stays pressed repeats as the guest asked the keyboard to.</summary>
    /// <exception cref="InvalidOperationException">So much waits already that the guest does not seem to read its keyboard.</exception>
    public void Key(PcKey key, bool isDown)
    {
        _controller.CheckRoom(1);
        _controller.QueueKey(key, isDown);
    }

    /// <summary>Types strokes, as <see cref="KeyLayout.TryType(string, out IReadOnlyList{KeyStroke}?, out string)"/> gives them.</summary>
    /// <exception cref="InvalidOperationException">So much waits already that the guest does not seem to read its keyboard.</exception>
    public void Type(IReadOnlyList<KeyStroke> strokes)
    {
        ArgumentNullException.ThrowIfNull(strokes);
        _controller.CheckRoom(strokes.Sum(stroke => 2 * stroke.Keys.Count()));
        foreach (KeyStroke stroke in strokes)
        {
            Chord([.. stroke.Keys]);
        }
    }
}
