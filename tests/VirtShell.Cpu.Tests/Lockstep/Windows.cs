namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Where the page table entries of the windows stand, in both address spaces; one table has all of them.</summary>
/// <param name="First">Physical address of the first address space's entry for <see cref="Layout.Windows"/>.</param>
/// <param name="OtherFirst">The same of the second address space.</param>
/// <param name="EntryBytes">Size of an entry.</param>
internal sealed record Windows(ulong First, ulong OtherFirst, int EntryBytes)
{
    /// <summary>Physical address of the entry of a linear page.</summary>
    public ulong EntryOf(ulong linear, bool other = false) =>
        (other ? OtherFirst : First) + (((linear - Layout.Windows) >> 12) * (ulong)EntryBytes);
}
