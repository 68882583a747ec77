using System;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Memory;
using VirtShell.State;

namespace VirtShell.Cpu;

/// <summary>
/// All of a vCPU that instructions touch, in one unmanaged block at a fixed address, so that C# and emitted code see the
/// same bytes. Decoded operations name registers by byte offset from its start.
/// </summary>
/// <remarks>
/// Status flags are lazy. <see cref="FlagResult"/> is the last result sign-extended to 64 bits; <see cref="FlagAux"/>
/// holds the carry out of the top bit (63), the carry into it (62) and the carry out of bit 3 (3), so that CF, OF and AF
/// need no knowledge of the operation or its width; bits 1 and 0 invert SF and PF for the combinations no result has.
/// </remarks>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct CpuState
{
    internal const int WindowCount = 16;

    /// <summary>RAX RCX RDX RBX RSP RBP RSI RDI R8–R15.</summary>
    public fixed ulong Gpr[16];

    /// <summary>Always 0: the register that an address without base or index names.</summary>
    [NotState("Constant.")]
    public ulong Zero;

    /// <summary>RIP (or EIP, IP) that corresponds to offset 0 of the code page being executed: the base of RIP-relative addresses.</summary>
    [NotState("Within a block.")]
    public ulong RipBase;

    /// <summary>Instructions of the running budget that are left once the operations charged so far have retired.</summary>
    public long Budget;

    /// <summary>Data TLB of the current privilege view.</summary>
    [NotState("A cache, or where one is; filled anew.")]
    public TlbEntry* Tlb;

    /// <summary>The table of translated branch targets of the current address space and mode.</summary>
    [NotState("A cache, or where one is; filled anew.")]
    public nint JumpTable;

    /// <summary>While emitted code runs and at its exits: how status flags are to be had (an index of the translator's thunks); 0 where <see cref="FlagResult"/> and <see cref="FlagAux"/> hold them.</summary>
    [NotState("Between emitted code and the engine, within a run.")]
    public uint FlagThunk;

    /// <summary>Beside <see cref="FlagThunk"/>, and cleared with it: what changed only some flags since, as a thunk's index times four plus its class (which see); 0 for nothing.</summary>
    [NotState("Between emitted code and the engine, within a run.")]
    public uint FlagPartial;

    /// <summary>Which exit emitted code takes, or which of its calls it makes.</summary>
    [NotState("Between emitted code and the engine, within a run.")]
    public uint ExitId;

    /// <summary>Non-zero while the guest's vector registers and MXCSR are in the host's: from the first SIMD instruction of emitted code to the next managed code.</summary>
    [NotState("Between emitted code and the engine, within a run.")]
    public uint VectorsLoaded;

    /// <summary>Operands that flag thunks name.</summary>
    [NotState("Between emitted code and the engine, within a run.")]
    public fixed ulong FlagSlots[8];

    /// <summary>A register that emitted code parks for a while.</summary>
    [NotState("Between emitted code and the engine, within a run.")]
    public ulong Parked2;

    /// <summary>The next instruction, valid whenever no decoded operation is being executed.</summary>
    public ulong Rip;

    public ulong FlagResult;
    public ulong FlagAux;

    /// <summary>RFLAGS without the six status flags (which are lazy), bit 1 set.</summary>
    public uint FlagsRest;

    /// <summary>Current privilege level, 0 to 3.</summary>
    public uint Cpl;

    /// <summary>Operations run while their address is above this: 0 normally, all ones to stop at the next boundary.</summary>
    [NotState("A request to stop, which the next run looks for anew.")]
    public ulong StopBelow;

    /// <summary>In <see cref="StopBelow"/>: stop because the running block's code has changed, or not all of it may run, which cuts no repeated instruction short.</summary>
    public const ulong CodeChanged = ulong.MaxValue - 1;

    /// <summary>The operation being executed; null outside of dispatch.</summary>
    [NotState("Null between runs.")]
    public Op* CurrentOp;

    /// <summary>Data TLB for the processor's own accesses to descriptor tables and task state.</summary>
    [NotState("A cache, or where one is; filled anew.")]
    public TlbEntry* SystemTlb;

    /// <summary>In long mode, data TLB of CPL 3; what SYSRET makes the current one.</summary>
    [NotState("A cache, or where one is; filled anew.")]
    public TlbEntry* UserTlb;

    /// <summary>Data TLB of the supervisor while EFLAGS.AC is set; what STAC makes the current one.</summary>
    [NotState("A cache, or where one is; filled anew.")]
    public TlbEntry* AcTlb;

    [NotState("A cache, or where one is; filled anew.")]
    public ExecTlbEntry* ExecTlb;

    /// <summary>Mode bits that an <see cref="ExecTlbEntry"/> tag carries beside the page address.</summary>
    [NotState("Follows from control registers, flags and segments.")]
    public ulong ExecKey;

    /// <summary>First operation of the code arena.</summary>
    [NotState("A cache, or where one is; filled anew.")]
    public Op* Arena;

    /// <summary>All ones in 64-bit mode, 32 ones otherwise: applied to segment base plus offset.</summary>
    [NotState("Follows from control registers, flags and segments.")]
    public ulong LinearMask;

    /// <summary>Which bits of RSP the stack uses: 64, 32 or 16 ones.</summary>
    [NotState("Follows from control registers, flags and segments.")]
    public ulong StackMask;

    /// <summary>Handle of the owning <see cref="Vcpu"/>, for slow paths.</summary>
    [NotState("Wiring.")]
    public nint Owner;

    /// <summary>Value of <see cref="Vcpu.InstructionsRetired"/> at which the running budget ends.</summary>
    public long RunEnd;

    /// <summary>Value of <see cref="Vcpu.InstructionsRetired"/> at which a repeated string instruction stood between two of its iterations; -1 for none.</summary>
    public long RepeatAt;

    /// <summary>No interrupt is taken at the boundary where this many instructions have retired (STI, MOV SS).</summary>
    public long ShadowAt;

    /// <summary>Like <see cref="ShadowAt"/>, for debug traps too (MOV SS, POP SS only).</summary>
    public long DebugShadowAt;

    public PendingEvents Pending;

    /// <summary>Code size of the current mode: 16, 32 or 64.</summary>
    [NotState("Follows from control registers, flags and segments.")]
    public int CodeSize;

    /// <summary>Non-zero in virtual-8086 mode.</summary>
    [NotState("Follows from control registers, flags and segments.")]
    public int Virtual8086;

    /// <summary>Non-zero in HLT.</summary>
    public int Halted;

    /// <summary>Non-zero after a triple fault.</summary>
    public int IsShutdown;

    public ulong Cr0;
    public ulong Cr2;
    public ulong Cr3;
    public ulong Cr4;
    public ulong Efer;
    public fixed ulong Dr[8];
    public ulong GdtBase;
    public ulong IdtBase;
    public uint GdtLimit;
    public uint IdtLimit;

    public SegmentRegister Es;
    public SegmentRegister Cs;
    public SegmentRegister Ss;
    public SegmentRegister Ds;
    public SegmentRegister Fs;
    public SegmentRegister Gs;
    [NotState("Follows from control registers, flags and segments.")]
    public SegmentRegister Fs64;
    [NotState("Follows from control registers, flags and segments.")]
    public SegmentRegister Gs64;
    [NotState("Follows from control registers, flags and segments.")]
    public SegmentRegister Flat;
    public SegmentRegister Ldtr;
    public SegmentRegister Tr;

    public ulong MsrStar;
    public ulong MsrLstar;
    public ulong MsrCstar;
    public ulong MsrFmask;
    public ulong MsrKernelGsBase;
    public ulong MsrSysenterCs;
    public ulong MsrSysenterEsp;
    public ulong MsrSysenterEip;
    public ulong MsrTscAux;
    public ulong MsrPat;
    public ulong TscOffset;
    public ulong TscAdjust;

    public ushort Fcw;

    /// <summary>x87 status word; TOP stands in bits 13:11.</summary>
    public ushort Fsw;

    /// <summary>Abridged tag word as FXSAVE has it: bit n set means that physical register n is not empty.</summary>
    public ushort FpuValid;
    public ushort Fop;
    public ushort Fcs;
    public ushort Fds;
    public uint Mxcsr;
    public ulong Fip;
    public ulong Fdp;
    public ulong Xcr0;

    /// <summary>Bit n: XSAVE component n is in use (not in its initial state), as far as tracked.</summary>
    public ulong XInUse;

    /// <summary>For each of the translator's thunks the code that puts its flags into RFLAGS.</summary>
    [NotState("A cache, or where one is; filled anew.")]
    public nint SettleTable;

    /// <summary>What guest time is ahead of the instructions retired, in nanoseconds, where <see cref="TimestampFollows"/>.</summary>
    [NotState("The clock tells it.")]
    public long TimestampBase;

    /// <summary>Non-zero where the bus' time-stamp counter is <see cref="ProcessorClock.TscAt"/> of the instructions retired plus <see cref="TimestampBase"/>, so that emitted code may read it.</summary>
    [NotState("The clock tells it.")]
    public uint TimestampFollows;

    /// <summary>Host addresses that emitted code has checked, for later accesses of the same block.</summary>
    [NotState("Between emitted code and the engine, within a run.")]
    public fixed ulong Windows[WindowCount];

    /// <summary>RFLAGS on its way between emitted code and the engine.</summary>
    [NotState("Between emitted code and the engine, within a run.")]
    public ulong FlagImage;

    /// <summary>The same for CPL 3 where the current one is for CPL 0 to 2, and the other way round; 0 where there is none yet.</summary>
    [NotState("A cache, or where one is; filled anew.")]
    public nint OtherJumpTable;

    /// <summary>RSP of the managed code that has entered emitted code.</summary>
    [NotState("Between emitted code and the engine, within a run.")]
    public nint NativeStack;

    /// <summary>RSP of emitted code that no call has been made in yet.</summary>
    [NotState("Between emitted code and the engine, within a run.")]
    public nint ReturnStack;

    /// <summary>RSP of emitted code while it calls managed code.</summary>
    [NotState("Between emitted code and the engine, within a run.")]
    public nint ParkedStack;

    /// <summary>A register that emitted code parks around a call.</summary>
    [NotState("Between emitted code and the engine, within a run.")]
    public ulong Parked;

    /// <summary>MXCSR that emitted code runs with.</summary>
    [NotState("Between emitted code and the engine, within a run.")]
    public uint NativeMxcsr;

    /// <summary>MXCSR of the engine itself.</summary>
    [NotState("The host's.")]
    public uint HostMxcsr;

    /// <summary>Copies of TLB entries of user code at the sites of emitted code: <see cref="Memory.TlbSites"/>.</summary>
    [NotState("A cache, or where one is; filled anew.")]
    public fixed ulong TlbSites[Memory.TlbSites.Count * 4];

    /// <summary>Sites that copies were made at since all were last dropped, as offsets among them, <see cref="TlbSitesUsed"/> of them.</summary>
    [NotState("A cache, or where one is; filled anew.")]
    public fixed ushort TlbSitesList[Memory.TlbSites.Listed];

    /// <summary>How many of <see cref="TlbSitesList"/> are filled; where all are, there may be more.</summary>
    [NotState("A cache, or where one is; filled anew.")]
    public uint TlbSitesUsed;

    /// <summary>Registers that emitted code parks while it makes a copy.</summary>
    [NotState("Between emitted code and the engine, within a run.")]
    public fixed ulong TlbSiteParked[2];

    /// <summary>Scratch for operands that cross pages or reach MMIO.</summary>
    [NotState("Within an instruction.")]
    public fixed ulong Scratch[8];

    /// <summary>x87 registers by physical number, 16 bytes each: significand, then sign and exponent. MMX registers are the significands.</summary>
    public fixed ulong Fpr[16];

    private fixed ulong _vectors[(16 * 4) + 4];

    /// <summary>Byte offset of YMM0 from the start of the state, a multiple of 32: YMM0–YMM15 of 32 bytes each, XMM their low halves.</summary>
    public static readonly int VectorOffset = FindVectorOffset();

    /// <summary>Physical register number of ST(0).</summary>
    public readonly int FpuTop => (Fsw >> 11) & 7;

    /// <summary>The segment register of a <see cref="SegmentIndex"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static SegmentRegister* Segment(CpuState* s, int index) => &s->Es + index;

    /// <summary>Address of a vector register's 32 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte* Vector(CpuState* s, int number) => (byte*)s + VectorOffset + (number * 32);

    /// <summary>Address of the register at a byte offset that a decoded operation names.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static byte* At(CpuState* s, int offset) => (byte*)s + offset;

    /// <summary>The owner, for slow paths.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Vcpu Of(CpuState* s) => Unsafe.As<Vcpu>(GCHandle.FromIntPtr(s->Owner).Target!);

    private static int FindVectorOffset()
    {
        CpuState probe;
        int offset = (int)((byte*)probe._vectors - (byte*)&probe);
        return (offset + 31) & ~31;
    }
}

/// <summary>What waits for the next instruction boundary.</summary>
[Flags]
public enum PendingEvents : uint
{
    None = 0,

    /// <summary>INTR is asserted.</summary>
    Interrupt = 1,

    /// <summary>An NMI is latched.</summary>
    Nmi = 2,

    /// <summary>A debug trap (data breakpoint, single step, task switch) is latched in DR6.</summary>
    DebugTrap = 4,

    /// <summary>The host asked the run to end.</summary>
    StopRequested = 8,
}
