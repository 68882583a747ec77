using System.Collections.Generic;

namespace VirtShell.Cpu;

/// <summary>What the engine has done since the processor was created. Under the virtual clock every figure is a function of the guest and the engine alone.</summary>
public readonly record struct EngineStatistics
{
    /// <summary>Instructions retired by emitted host code.</summary>
    public long InstructionsTranslated { get; init; }

    /// <summary>Instructions retired by the interpreter's handlers, those that emitted code hands over included.</summary>
    public long InstructionsInterpreted { get; init; }

    /// <summary>Basic blocks that the interpreter decoded.</summary>
    public long BlocksDecoded { get; init; }

    /// <summary>Blocks turned into host code, those translated again included.</summary>
    public long BlocksTranslated { get; init; }

    /// <summary>Blocks translated again after their first translation was dropped.</summary>
    public long Retranslations { get; init; }

    /// <summary>Translations that failed by a fault of the translator's own; the interpreter executes those blocks. Never anything but 0 in an engine without faults.</summary>
    public long TranslationFailures { get; init; }

    /// <summary>Guest instructions in translated blocks.</summary>
    public long TranslatedGuestInstructions { get; init; }

    /// <summary>Host code bytes emitted.</summary>
    public long TranslatedBytes { get; init; }

    /// <summary>Blocks of either kind dropped because their code was written.</summary>
    public long BlocksInvalidated { get; init; }

    /// <summary>Times that a cache of decoded or translated code was full, or dropped on request.</summary>
    public long CodeCacheFlushes { get; init; }

    /// <summary>Data accesses that missed the soft TLB.</summary>
    public long TlbMisses { get; init; }

    /// <summary>Times that emitted code was entered.</summary>
    public long Entries { get; init; }

    /// <summary>Single instructions that emitted code called the interpreter for without leaving.</summary>
    public long CallOuts { get; init; }

    /// <summary>Exits because the budget was spent.</summary>
    public long ExitsBudget { get; init; }

    /// <summary>Exits to a block that was not linked or not translated yet.</summary>
    public long ExitsUnlinked { get; init; }

    /// <summary>Exits for an indirect branch whose target was not in the lookup table.</summary>
    public long ExitsIndirect { get; init; }

    /// <summary>Exits for an instruction that is left to the interpreter.</summary>
    public long ExitsInstruction { get; init; }

    /// <summary>Exits for an access that emitted code cannot make (MMIO, page crossing, store to a page with code).</summary>
    public long ExitsAccess { get; init; }

    /// <summary>Exits for a guest exception.</summary>
    public long ExitsFault { get; init; }

    /// <summary>Exits because something waits for an instruction boundary (interrupt, stop request).</summary>
    public long ExitsEvent { get; init; }

    /// <summary>What two processors did together: a machine before and after it was started again.</summary>
    public static EngineStatistics operator +(EngineStatistics left, EngineStatistics right) => new()
    {
        InstructionsTranslated = left.InstructionsTranslated + right.InstructionsTranslated,
        InstructionsInterpreted = left.InstructionsInterpreted + right.InstructionsInterpreted,
        BlocksDecoded = left.BlocksDecoded + right.BlocksDecoded,
        BlocksTranslated = left.BlocksTranslated + right.BlocksTranslated,
        Retranslations = left.Retranslations + right.Retranslations,
        TranslationFailures = left.TranslationFailures + right.TranslationFailures,
        TranslatedGuestInstructions = left.TranslatedGuestInstructions + right.TranslatedGuestInstructions,
        TranslatedBytes = left.TranslatedBytes + right.TranslatedBytes,
        BlocksInvalidated = left.BlocksInvalidated + right.BlocksInvalidated,
        CodeCacheFlushes = left.CodeCacheFlushes + right.CodeCacheFlushes,
        TlbMisses = left.TlbMisses + right.TlbMisses,
        Entries = left.Entries + right.Entries,
        CallOuts = left.CallOuts + right.CallOuts,
        ExitsBudget = left.ExitsBudget + right.ExitsBudget,
        ExitsUnlinked = left.ExitsUnlinked + right.ExitsUnlinked,
        ExitsIndirect = left.ExitsIndirect + right.ExitsIndirect,
        ExitsInstruction = left.ExitsInstruction + right.ExitsInstruction,
        ExitsAccess = left.ExitsAccess + right.ExitsAccess,
        ExitsFault = left.ExitsFault + right.ExitsFault,
        ExitsEvent = left.ExitsEvent + right.ExitsEvent,
    };

    /// <summary>Every counter with its name, for tables and reports.</summary>
    public IEnumerable<KeyValuePair<string, long>> Counters =>
    [
        new(nameof(InstructionsTranslated), InstructionsTranslated),
        new(nameof(InstructionsInterpreted), InstructionsInterpreted),
        new(nameof(BlocksDecoded), BlocksDecoded),
        new(nameof(BlocksTranslated), BlocksTranslated),
        new(nameof(Retranslations), Retranslations),
        new(nameof(TranslationFailures), TranslationFailures),
        new(nameof(TranslatedGuestInstructions), TranslatedGuestInstructions),
        new(nameof(TranslatedBytes), TranslatedBytes),
        new(nameof(BlocksInvalidated), BlocksInvalidated),
        new(nameof(CodeCacheFlushes), CodeCacheFlushes),
        new(nameof(TlbMisses), TlbMisses),
        new(nameof(Entries), Entries),
        new(nameof(CallOuts), CallOuts),
        new(nameof(ExitsBudget), ExitsBudget),
        new(nameof(ExitsUnlinked), ExitsUnlinked),
        new(nameof(ExitsIndirect), ExitsIndirect),
        new(nameof(ExitsInstruction), ExitsInstruction),
        new(nameof(ExitsAccess), ExitsAccess),
        new(nameof(ExitsFault), ExitsFault),
        new(nameof(ExitsEvent), ExitsEvent),
    ];
}
