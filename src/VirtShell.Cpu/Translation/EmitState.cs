namespace VirtShell.Cpu.Translation;

/// <summary>All that changes from one emitted instruction to the next: what the code so far has left where.</summary>
internal unsafe struct EmitState
{
    /// <summary>What the guest's flags follow from now.</summary>
    public FlagThunk Flags;

    /// <summary>What has changed some of them since, where they are <see cref="FlagThunk.Incoming"/>; else <see cref="FlagThunk.Canonical"/>.</summary>
    public FlagThunk Partial;

    /// <summary>RFLAGS holds the guest's flags: those of <see cref="HostFlags"/>.</summary>
    public bool InHost;
    public uint HostFlags;

    /// <summary>Flags that the native slot holds.</summary>
    public uint RawFlags;

    /// <summary>The last branch has handed on the flags for both of its ways.</summary>
    public bool Passed;

    /// <summary>Bytes by which the register of the guest's RSP lags behind: a run of pushes changes it once.</summary>
    public int StackMoves;

    /// <summary>What the second scratch register holds: a guest register, the place that stands for a TLB entry (which lies behind all of those), or -1.</summary>
    public int Held;

    /// <summary>The window to whose start the scratch register points, until an instruction that may write it has been emitted; -1: none.</summary>
    public int PointsTo;

    /// <summary>Where the memory operand lies from the address in the scratch register.</summary>
    public int Operand;

    /// <summary>The guest's vector registers are in the host's from here on.</summary>
    public bool VectorsLoaded;

    /// <summary>The block is emitted as a loop.</summary>
    public bool Loops;

    /// <summary>Instructions that have been charged for the round behind this one.</summary>
    public int Ahead;

    /// <summary>The round goes on with the next one, whose code stands behind it.</summary>
    public bool GoesOn;

    /// <summary>The branch back to the start, of the first round.</summary>
    public byte* LoopJump;

    /// <summary>Where further rounds begin; null in the first one.</summary>
    public byte* LoopTop;

    /// <summary>What the flags follow from at each further round's start.</summary>
    public FlagThunk LoopFlags;

    /// <summary>Where the room for the block ends.</summary>
    public byte* End;

    /// <summary>The exit of a block whose budget does not cover it, and where that is left.</summary>
    public int EntryExit;
    public byte* Leaves;

    /// <summary>The thunk that was last looked up, and its number.</summary>
    public FlagThunk LastThunk;
    public int LastThunkIndex;

    /// <summary>At a block's entry: the state says how to get the flags, and no register holds anything of ours.</summary>
    public static EmitState AtEntry(BlockPlan plan, byte* end) => new()
    {
        Flags = FlagThunk.Incoming,
        Partial = FlagThunk.Canonical,
        LastThunk = FlagThunk.Canonical,
        Held = -1,
        PointsTo = -1,
        Loops = plan.Loops,
        End = end,
    };
}

/// <summary>How far a window of the plan has got.</summary>
internal struct WindowState
{
    public bool IsOpen;
    public bool IsWritable;

    /// <summary>The slot holds its host address.</summary>
    public bool IsKept;
}
