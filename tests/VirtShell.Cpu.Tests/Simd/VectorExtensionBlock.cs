using System.Runtime.InteropServices;

namespace VirtShell.Cpu.Tests.Simd;

/// <summary>What native code and interpreter are given and give back: YMM0 to YMM3, MXCSR, the flags and a memory operand.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal unsafe struct VectorExtensionBlock
{
    public fixed ulong Before[Registers * 4];
    public fixed ulong After[Registers * 4];
    public fixed byte Memory[MemorySize];
    public ulong MxcsrBefore;
    public ulong MxcsrAfter;
    public ulong FlagsBefore;
    public ulong FlagsAfter;
    public ulong OwnMxcsr;

    public const int Registers = 4;

    /// <summary>RDI points to the middle of it, so that indices of either sign find memory.</summary>
    public const int MemorySize = 512;

    public const int AfterOffset = Registers * 32;
    public const int MemoryOffset = 2 * AfterOffset;
    public const int OperandOffset = MemoryOffset + (MemorySize / 2);
    public const int MxcsrBeforeOffset = MemoryOffset + MemorySize;
    public const int MxcsrAfterOffset = MxcsrBeforeOffset + 8;
    public const int FlagsBeforeOffset = MxcsrBeforeOffset + 16;
    public const int FlagsAfterOffset = MxcsrBeforeOffset + 24;
    public const int OwnMxcsrOffset = MxcsrBeforeOffset + 32;
}
