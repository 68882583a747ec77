using System;

namespace VirtShell.Machine.Legacy;

/// <summary>The A20 line: open where the keyboard controller or port 92h opens it.</summary>
internal sealed class A20Gate(Action<bool> changed)
{
    private bool _keyboard = true;
    private bool _fast = true;

    /// <summary>Bit 1 of the keyboard controller's output port.</summary>
    public bool FromKeyboardController
    {
        get => _keyboard;
        set
        {
            _keyboard = value;
            changed(_keyboard || _fast);
        }
    }

    /// <summary>Bit 1 of port 92h.</summary>
    public bool FromPort92
    {
        get => _fast;
        set
        {
            _fast = value;
            changed(_keyboard || _fast);
        }
    }
}
