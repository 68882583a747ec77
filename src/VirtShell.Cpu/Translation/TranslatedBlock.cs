namespace VirtShell.Cpu.Translation;

/// <summary>One translated block. It stays where it is until everything translated is dropped.</summary>
internal unsafe struct TranslatedBlock
{
    /// <summary>Where it executes from.</summary>
    public byte* Entry;

    /// <summary>Where whoever has only left word of the flags enters, once there has been one; it loads them first.</summary>
    public byte* FlagEntry;

    /// <summary>Executable code that takes <see cref="EntryExit"/>.</summary>
    public byte* Leaves;

    public ulong PhysicalPage;

    /// <summary>Others of its hash, and of its page.</summary>
    public TranslatedBlock* NextOfHash;
    public TranslatedBlock* NextInPage;

    /// <summary>The exit taken at its entry where the budget does not cover it.</summary>
    public int EntryExit;

    /// <summary>Status flags that must stand in RFLAGS at its entry.</summary>
    public uint LiveFlags;

    /// <summary>Bytes of host code.</summary>
    public int CodeBytes;

    /// <summary>Where in the page it is entered.</summary>
    public short Start;

    /// <summary>Its guest code's lowest byte in the page.</summary>
    public short Low;

    /// <summary>One past the highest.</summary>
    public short End;

    /// <summary>Guest instructions.</summary>
    public short Instructions;

    /// <summary>A <see cref="TranslationKey"/>.</summary>
    public byte Key;

    /// <summary>A store has changed its code.</summary>
    public bool IsDropped;
}
