using VirtShell.State;

namespace VirtShell.Storage;

/// <summary>A disk whose content (or what differs from its base) lives in memory and so belongs to a machine's saved state.</summary>
public interface IStatefulBlockDevice : IBlockDevice
{
    /// <summary>Writes a section "disk".</summary>
    void Save(StateWriter writer);

    /// <summary>Replaces the content by what <see cref="Save"/> wrote for a disk of the same length.</summary>
    /// <exception cref="StateFormatException">The state is damaged or of another disk.</exception>
    void Load(StateReader reader);
}
