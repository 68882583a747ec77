using System.Runtime.InteropServices;

namespace VirtShell.Cpu.Tests.Simd;

/// <summary>What native code and interpreter are given and give back: YMM0 to YMM2, RAX, RCX, RDX, flags and a memory operand.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal unsafe struct VectorBlock
{
    public fixed ulong VectorsBefore[VectorWords];
    public fixed ulong RegistersBefore[RegisterCount];
    public ulong FlagsBefore;
    public fixed byte Memory[MemorySize];
    public fixed ulong VectorsAfter[VectorWords];
    public fixed ulong RegistersAfter[RegisterCount];
    public ulong FlagsAfter;

    /// <summary>YMM0, YMM1, YMM2.</summary>
    public const int VectorCount = 3;
    public const int VectorWords = VectorCount * 4;

    /// <summary>RAX, RCX, RDX.</summary>
    public const int RegisterCount = 3;
    public const int MemorySize = 64;
    public const int RegistersBeforeOffset = 96;
    public const int FlagsBeforeOffset = 120;
    public const int MemoryOffset = 128;
    public const int VectorsAfterOffset = 192;
    public const int RegistersAfterOffset = 288;
    public const int FlagsAfterOffset = 312;
}
