using VirtShell.Cpu.Decoding;

namespace VirtShell.Cpu.Translation;

/// <summary>Why emitted code came back.</summary>
internal enum ExitKind : byte
{
    /// <summary>The budget does not cover the block.</summary>
    Budget,

    /// <summary>A branch within the page whose target is not linked yet.</summary>
    Branch,

    /// <summary>A direct branch out of the page whose target the jump table lacks.</summary>
    FarBranch,

    /// <summary>An indirect branch whose target the jump table lacks: the interpreter executes it.</summary>
    Indirect,

    /// <summary>An instruction that the interpreter executes.</summary>
    Instruction,

    /// <summary>A memory access that emitted code cannot make, or that faults.</summary>
    Access,

    /// <summary>A change of privilege has been made; <see cref="CpuState.Rip"/> is where it leads, which the jump table lacks.</summary>
    Arrived,

    /// <summary>CS's limit cuts the block.</summary>
    Limit,

    /// <summary>The block was dropped.</summary>
    Dropped,

    /// <summary>A call of the interpreter from inside the block.</summary>
    CallOut,
}

/// <summary>What the engine has to know of one exit or call of emitted code, by <see cref="CpuState.ExitId"/>.</summary>
internal unsafe struct ExitRecord
{
    /// <summary>Operations for the interpreter, an end-of-block one behind them; null until first needed.</summary>
    public Op* Ops;

    /// <summary>Writable place of the displacement that leads here; patched when the target is known.</summary>
    public byte* Link;

    public ulong PhysicalPage;

    /// <summary>Index of the flag thunk.</summary>
    public int Thunk;

    /// <summary>Index of the thunk that changes some of the flags of <see cref="Thunk"/>; 0: as the block before left word.</summary>
    public int Partial;

    /// <summary>Status flags that stand in the host's RFLAGS where the branch leaves.</summary>
    public uint HostFlags;

    /// <summary>RIP's offset from the start of the page: the instruction, or a branch's target (which may lie outside).</summary>
    public int PageOffset;

    /// <summary>Instructions charged to the budget that have not retired.</summary>
    public short Owed;
    public ushort OpCount;
    public ExitKind Kind;

    /// <summary>Bytes that the access needs.</summary>
    public byte Size;

    /// <summary>A <see cref="TranslationKey"/>.</summary>
    public byte Key;

    /// <summary>Bytes to add to RSP, which emitted code changes once for several pushes.</summary>
    public short StackMoves;

    /// <summary>Slots of <see cref="CpuState.Windows"/> that the block goes on to use behind the access, as bits.</summary>
    public ushort Windows;

    /// <summary>The instruction crosses into the next page: what it is the interpreter must see for itself.</summary>
    public bool Crosses;

    /// <summary>The operation is a conditional branch, which remembers the block behind it.</summary>
    public bool Falls;

    /// <summary>RIP is cut to 16 bits.</summary>
    public bool Truncates;
}
