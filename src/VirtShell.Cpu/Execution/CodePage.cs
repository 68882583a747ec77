using System.Collections.Generic;
using System.Runtime.InteropServices;

namespace VirtShell.Cpu.Execution;

/// <summary>Decoded code of one physical page in one mode: where in the arena the block that begins at each byte stands.</summary>
[StructLayout(LayoutKind.Sequential)]
public unsafe struct CodePage
{
    /// <summary>4096 arena indexes; 0 where no block begins.</summary>
    public uint* Entries;
}

/// <summary>How code is decoded and entered; part of an exec TLB tag.</summary>
internal enum CodeMode
{
    /// <summary>16-bit code: IP wraps at 64 KiB and limits are checked at each entry, so blocks are never chained.</summary>
    Bits16 = 0,

    /// <summary>32-bit code with a 4 GiB limit.</summary>
    Bits32 = 1,
    Bits64 = 2,

    /// <summary>32-bit code with a smaller limit: checked at each entry, never chained.</summary>
    Bits32Limited = 3,
}

/// <summary>Everything that was decoded from one physical page, in whatever mode.</summary>
internal sealed unsafe class PhysicalCodePage
{
    public readonly nint[] Modes = new nint[4];
    public readonly List<BlockRecord> Blocks = [];

    /// <summary>Bit n: some block covers a byte of the n-th 64 bytes of the page.</summary>
    public ulong Chunks;

    public CodePage* Mode(CodeMode mode) => (CodePage*)Modes[(int)mode];
}

/// <summary>One block, for invalidation.</summary>
/// <param name="Start">First byte in the page.</param>
/// <param name="End">One past the last byte in the page.</param>
/// <param name="FirstOp">Arena index of its first operation.</param>
/// <param name="OpCount">Operations, pseudo-operations included.</param>
/// <param name="EntryPage">The page whose entry table names it.</param>
/// <param name="EntryOffset">Its place in that table.</param>
internal readonly record struct BlockRecord(int Start, int End, uint FirstOp, int OpCount, nint EntryPage, int EntryOffset);
