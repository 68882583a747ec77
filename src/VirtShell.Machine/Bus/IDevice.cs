using VirtShell.State;

namespace VirtShell.Machine.Bus;

/// <summary>
/// A part of the machine that holds state. Devices declare their ports and MMIO ranges on the <see cref="IoBus"/> when
/// they are built; the machine resets them and has their state described through this interface.
/// </summary>
internal interface IDevice : IStateful
{
    /// <summary>Names the device's section in saved state: unique in a machine, and never changed once released.</summary>
    string Name { get; }

    /// <summary>Puts the device into its power-on state, pending events cancelled and interrupt lines low.</summary>
    void Reset();
}
