using System;
using VirtShell.Machine.Legacy;

namespace VirtShell.Machine.Input;

/// <summary>Buttons of a mouse, as its packets have them.</summary>
[Flags]
public enum MouseButtons
{
    None = 0,
    Left = 1,
    Right = 2,
    Middle = 4,

    /// <summary>The fourth button, seen by guests that asked for five.</summary>
    Back = 8,

    /// <summary>The fifth button, seen by guests that asked for five.</summary>
    Forward = 16,
}

/// <summary>The PS/2 mouse of a machine. Movements and buttons are sent in order, each packet when the guest has taken the one before. Between runs, or on the running thread.</summary>
public sealed class MachineMouse
{
    /// <summary>How far it moves at once at most, in counts.</summary>
    public const int MostCounts = 32_767;

    private readonly KeyboardController _controller;

    internal MachineMouse(KeyboardController controller) => _controller = controller;

    /// <summary>Whether everything that was sent has been read by the guest, or is of no interest to it.</summary>
    public bool IsIdle => _controller.IsMouseIdle;

    /// <summary>Moves it.</summary>
    /// <param name="x">Counts to the right, within <see cref="MostCounts"/> either way.</param>
    /// <param name="y">Counts down, as on a screen.</param>
    /// <param name="wheel">Steps of the wheel towards the user.</param>
    /// <exception cref="InvalidOperationException">So much waits already that the guest does not seem to read its mouse.</exception>
    public void Move(int x, int y, int wheel = 0)
    {
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Math.Abs((long)x), MostCounts, nameof(x));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Math.Abs((long)y), MostCounts, nameof(y));
        ArgumentOutOfRangeException.ThrowIfGreaterThan(Math.Abs((long)wheel), MostCounts, nameof(wheel));
        _controller.QueueMouse(x, y, wheel, null);
    }

    /// <summary>Says which buttons are down from now on.</summary>
    /// <exception cref="InvalidOperationException">So much waits already that the guest does not seem to read its mouse.</exception>
    public void Press(MouseButtons buttons) => _controller.QueueMouse(0, 0, 0, buttons);
}
