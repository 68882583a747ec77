namespace VirtShell.Cpu.Translation;

/// <summary>One translated block.</summary>
internal sealed unsafe class TranslatedBlock
{
    /// <summary>Where it executes from.</summary>
    public byte* Entry { get; init; }

    public ulong PhysicalPage { get; init; }

    /// <summary>Where in the page it is entered.</summary>
    public int Start { get; init; }

    /// <summary>Its guest code's lowest byte in the page.</summary>
    public int Low { get; init; }

    /// <summary>One past the highest.</summary>
    public int End { get; init; }

    /// <summary>A <see cref="TranslationKey"/>.</summary>
    public int Key { get; init; }

    /// <summary>Status flags that must stand in RFLAGS at its entry.</summary>
    public uint LiveFlags { get; init; }

    /// <summary>Where whoever has only left word of the flags enters, once there has been one; it loads them first.</summary>
    public byte* FlagEntry { get; set; }

    public int Instructions { get; init; }

    /// <summary>The exit taken at its entry where the budget does not cover it.</summary>
    public int EntryExit { get; set; }

    /// <summary>Executable code that takes that exit.</summary>
    public byte* Leaves { get; set; }

    public int CodeBytes { get; set; }
}
