using VirtShell.State;

namespace VirtShell.Storage;

/// <summary>A disk whose content (or what differs from its base) lives in memory and so belongs to a machine's saved state. What is loaded must be of a disk of the same length.</summary>
public interface IStatefulBlockDevice : IBlockDevice, IStateful
{
    /// <summary>Version of the section that <see cref="IStateful.Describe"/> fills. The first had the numbers of clusters of zeros in a list.</summary>
    public const int StateVersion = 2;
}
