namespace VirtShell.Cpu.Translation;

/// <summary>What a translation stands for.</summary>
internal enum BlockKind : byte
{
    /// <summary>Instructions of one page.</summary>
    Plain,

    /// <summary>
    /// The way to an instruction that crosses into the next page. It looks RIP up in the jump table: only there, by address space,
    /// is it known which page comes next. The table never leads to it.
    /// </summary>
    Gateway,

    /// <summary>An instruction that crosses into the next page. Only the jump tables of address spaces where that page follows lead to it.</summary>
    Crossing,
}

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

    /// <summary>The physical page that a crossing instruction ends in.</summary>
    public ulong SecondPage;

    /// <summary>Set where this only stands in the second page's list, for a crossing instruction.</summary>
    public TranslatedBlock* Main;

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

    public BlockKind Kind;

    /// <summary>It could not be translated, and has no code: the interpreter executes it.</summary>
    public bool IsFailed;

    /// <summary>A store has changed its code.</summary>
    public bool IsDropped;
}
