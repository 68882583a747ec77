using VirtShell.State;

namespace VirtShell.Machine.Bus;

/// <summary>
/// A part of the machine that holds state. Devices declare their ports and MMIO ranges on the <see cref="IoBus"/> when
/// they are built; the machine resets, saves and loads them all through this interface.
/// </summary>
public interface IDevice
{
    /// <summary>Names the device's section in saved state: unique in a machine, and never changed once released.</summary>
    string Name { get; }

    /// <summary>Puts the device into its power-on state, pending events cancelled and interrupt lines low.</summary>
    void Reset();

    /// <summary>Writes the whole volatile state into the section that the caller opened.</summary>
    void Save(StateWriter writer);

    /// <summary>Restores what <see cref="Save"/> wrote; <paramref name="reader"/> is the device's own section.</summary>
    void Load(StateReader reader);
}
