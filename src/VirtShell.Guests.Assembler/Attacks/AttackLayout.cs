namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>Where attacks keep what they need, besides <see cref="Layout"/>. They take the RAM up to 16 MiB.</summary>
internal static class AttackLayout
{
    /// <summary>Where an exception goes on.</summary>
    public const uint Resume = 0x0016_0400;

    /// <summary>Exceptions and interrupts so far.</summary>
    public const uint Faults = 0x0016_0404;

    public const uint Interrupts = 0x0016_0408;

    /// <summary>What an attack saw, folded into one number.</summary>
    public const uint Checksum = 0x0016_040C;

    /// <summary>State of the pseudo-random numbers; never 0.</summary>
    public const uint Seed = 0x0016_0410;

    /// <summary>The end of RAM below 4 GiB.</summary>
    public const uint RamEnd = 0x0016_0414;

    /// <summary>A pointer for LGDT, LIDT and far jumps.</summary>
    public const uint Pointer = 0x0016_0420;

    /// <summary>Counters of bounded loops, one dword for each depth.</summary>
    public const uint Loops = 0x0016_0440;

    public const uint LongIdt = 0x0016_4000;

    /// <summary>32-bit paging: a directory and the two tables of the first 8 MiB.</summary>
    public const uint Directory = Layout.PageTables;

    public const uint Tables = Layout.PageTables + 0x1000;

    /// <summary>Long mode: PML4, PDPT and four directories of 2 MiB pages.</summary>
    public const uint Pml4 = Layout.PageTables + 0x4000;

    public const uint Pdpt = Layout.PageTables + 0x5000;
    public const uint LongDirectories = Layout.PageTables + 0x6000;

    /// <summary>A virtqueue's three parts, and an indirect table.</summary>
    public const uint Descriptors = 0x0020_0000;

    public const uint Available = 0x0020_2000;
    public const uint Used = 0x0020_4000;
    public const uint Indirect = 0x0020_8000;

    /// <summary>Headers and buffers of requests.</summary>
    public const uint Buffer = 0x0021_0000;

    /// <summary>1 MiB to play with.</summary>
    public const uint Work = 0x0030_0000;

    /// <summary>8 MiB for code made on the way.</summary>
    public const uint Code = 0x0040_0000;

    public const uint CodeEnd = 0x00C0_0000;

    /// <summary>The RAM that attacks count on.</summary>
    public const uint MemoryEnd = 0x0100_0000;
}
