using System.Runtime.InteropServices;

namespace VirtShell.Cpu.Decoding;

/// <summary>
/// One decoded instruction: its handler and operands, one cache line. A handler gives the operation to run next:
/// <c>op + 1</c>, the first of another block, or null once <see cref="CpuState.Rip"/> says where to go on.
/// </summary>
/// <remarks>
/// Operand rule, the same for every instruction: register operand 0, 1, 2 of Iced's operand list stands in
/// <see cref="Dst"/>, <see cref="Src"/>, <see cref="Src2"/> as a byte offset into <see cref="CpuState"/>, register operand 3
/// in <see cref="Extra"/>; the immediate, extended as the instruction says, in <see cref="Imm"/>, a second one in
/// <see cref="Extra"/>; the memory operand in Base, Index, Scale, Disp, Segment, AddressShift.
/// </remarks>
[StructLayout(LayoutKind.Sequential, Size = 64)]
public unsafe struct Op
{
    public delegate*<CpuState*, Op*, Op*> Handler;

    /// <summary>Immediate; for near branches the target as an offset from the start of this code page (may lie outside of it).</summary>
    public ulong Imm;

    /// <summary>Displacement; for RIP-relative operands it includes this page's offset of the next instruction.</summary>
    public long Disp;

    /// <summary>Branches: first operation of the taken target once linked.</summary>
    public Op* Target;

    /// <summary>Branches: first operation of the fall-through once linked. Others: fourth register or second immediate.</summary>
    public ulong Extra;

    public ushort Base;
    public ushort Index;
    public ushort Dst;
    public ushort Src;
    public ushort Src2;

    /// <summary>Iced's <c>Code</c>.</summary>
    public ushort Code;

    /// <summary>Offset of this instruction in its 4 KiB linear page.</summary>
    public ushort PageOffset;

    /// <summary>Instructions from this one to the end of its block, this one included; 0 for a pseudo-operation at the end.</summary>
    public ushort Remaining;
    public byte Scale;

    /// <summary>A <see cref="SegmentIndex"/>.</summary>
    public byte Segment;

    /// <summary>64 minus the address size: 0, 32 or 48.</summary>
    public byte AddressShift;
    public byte Length;
    public OpFlags Flags;

    /// <summary>Operand size of the instruction in bytes: 2, 4 or 8 (the mode's, as changed by prefixes).</summary>
    public byte OperandSize;
    private readonly byte _spare;
}

/// <summary>Prefixes and decoding context that some handlers ask for.</summary>
[System.Flags]
public enum OpFlags : ushort
{
    None = 0,
    Rep = 1,
    RepNe = 2,
    Lock = 4,

    /// <summary>Decoded in 64-bit mode.</summary>
    Code64 = 8,

    /// <summary>Decoded in 16-bit mode.</summary>
    Code16 = 16,

    /// <summary>The instruction has a memory operand.</summary>
    Memory = 32,

    /// <summary>Its memory access goes to the stack segment: a non-canonical address raises #SS instead of #GP.</summary>
    StackFault = 64,
}
