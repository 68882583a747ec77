using System.Globalization;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>What is done to both machines before a chunk.</summary>
internal enum HostAction
{
    None,

    /// <summary>Asserts INTR with vector <c>Argument</c>.</summary>
    Interrupt,
    Nmi,

    /// <summary>Writes patch <c>Argument</c> of the program over its code, as DMA does.</summary>
    PatchCode,

    /// <summary>Writes eight bytes of data at <c>Argument</c>, as DMA does.</summary>
    WriteData,

    /// <summary>Opens (1) or closes (0) the A20 gate.</summary>
    A20,

    /// <summary>Sets a host breakpoint at linear address <c>Argument</c>.</summary>
    SetBreakpoint,
    ClearBreakpoints,

    /// <summary>Drops what is decoded, translated and cached; on both, because the TLBs go too.</summary>
    DropCaches,

    /// <summary>The translating machine runs this chunk on the interpreter.</summary>
    Interpret,

    /// <summary>Both machines are saved and loaded: a guest that changed its page tables without saying so must lose the same TLB entries on either.</summary>
    SaveAndLoad,
}

/// <summary>One chunk of a run.</summary>
internal readonly record struct LockstepStep(HostAction Action, ulong Argument, long Budget)
{
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Action} {Argument:X}, then {Budget} instructions");
}
