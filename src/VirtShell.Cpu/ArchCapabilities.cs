namespace VirtShell.Cpu;

/// <summary>
/// IA32_ARCH_CAPABILITIES (SDM Vol. 4, table 2-2): which side channels of speculation a processor does not have. This one
/// executes nothing that the program does not, so it has none of them, and an operating system that reads this needs no
/// retpolines and no clearing of buffers. The bits for channels that exist (RSBA, RRSBA) and for ways to close one
/// (TSX_CTRL, FB_CLEAR, GDS_CTRL, RFDS_CLEAR …) stay 0.
/// </summary>
internal static class ArchCapabilities
{
    /// <summary>Meltdown.</summary>
    public const ulong RdclNo = 1;

    /// <summary>Enhanced IBRS: set once, it holds for good, and no retpolines are needed.</summary>
    public const ulong IbrsAll = 1 << 1;

    /// <summary>No flush of the L1 data cache is needed before entering a guest (L1TF).</summary>
    public const ulong SkipL1dFlushOnVmEntry = 1 << 3;

    /// <summary>Speculative store bypass.</summary>
    public const ulong SsbNo = 1 << 4;

    /// <summary>Microarchitectural data sampling.</summary>
    public const ulong MdsNo = 1 << 5;

    /// <summary>Machine check when the size of a page changes.</summary>
    public const ulong PageSizeChangeMachineCheckNo = 1 << 6;

    /// <summary>Asynchronous aborts of transactions.</summary>
    public const ulong TaaNo = 1 << 8;

    /// <summary>Stale data of memory-mapped I/O: shared buffers, fill buffers and primary ones.</summary>
    public const ulong SbdrSsdpNo = 1 << 13;
    public const ulong FbsdpNo = 1 << 14;
    public const ulong PsdpNo = 1 << 15;

    /// <summary>Branch history injection; see <see cref="Vcpu.SpecCtrlBits"/> for kernels that doubt it.</summary>
    public const ulong BhiNo = 1 << 20;

    /// <summary>Return stack predictions after an exit from a virtual machine.</summary>
    public const ulong PbrsbNo = 1 << 24;

    /// <summary>Gather data sampling.</summary>
    public const ulong GdsNo = 1 << 26;

    /// <summary>Register file data sampling.</summary>
    public const ulong RfdsNo = 1 << 27;

    /// <summary>Indirect target selection.</summary>
    public const ulong ItsNo = 1UL << 62;

    /// <summary>What RDMSR gives.</summary>
    public const ulong Value = RdclNo | IbrsAll | SkipL1dFlushOnVmEntry | SsbNo | MdsNo | PageSizeChangeMachineCheckNo | TaaNo
        | SbdrSsdpNo | FbsdpNo | PsdpNo | BhiNo | PbrsbNo | GdsNo | RfdsNo | ItsNo;
}
