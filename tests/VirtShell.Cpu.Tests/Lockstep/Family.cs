namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Kinds of instructions that a random program is mixed from.</summary>
internal enum Family
{
    /// <summary>ADD … CMP, TEST, INC, DEC, NEG, XADD, CMPXCHG and their like: they make flags.</summary>
    Arithmetic,

    /// <summary>ADC, SBB, SETcc, CMOVcc, RCL, RCR, LAHF, ADCX …: they take flags.</summary>
    FlagUsers,
    Shifts,
    MultiplyDivide,
    Bits,

    /// <summary>MOV and whatever leaves flags alone.</summary>
    Moves,
    Strings,
    Sse,
    Avx,
    X87,
    Mmx,

    // What follows is written by patterns, not taken from the table.
    Stack,
    Branches,
    Loops,
    Calls,
    Indirect,
    Ports,
    Traps,
    Interrupts,
    SelfModifying,
    Segments,
    System,
    Paging,
    Debug,

    /// <summary>The LDT, and far transfers through call gates.</summary>
    Gates,

    /// <summary>Task switches by CALL, JMP, INT and IRET.</summary>
    Tasks,

    /// <summary>CR3 of two address spaces, INVPCID, and pages that move.</summary>
    AddressSpaces,
}
