using System.Runtime.InteropServices;
using VirtShell.Cpu.Tests.Numerics;

namespace VirtShell.Cpu.Tests.X87;

/// <summary>What native code and interpreter are given and give back: the unit's state, a few other registers and a memory operand.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal unsafe struct FpuBlock
{
    public X87Image Before;
    public fixed byte Pad0[4];
    public fixed ulong RegistersBefore[2];
    public ulong FlagsBefore;
    public fixed ulong VectorBefore[2];
    public fixed byte Pad1[40];
    public fixed byte Memory[MemorySize];
    public X87Image After;
    public fixed byte Pad2[4];
    public fixed ulong RegistersAfter[2];
    public ulong FlagsAfter;
    public fixed ulong VectorAfter[2];

    /// <summary>Bytes of the memory operand that are set and compared: enough for FNSAVE's image and what lies behind it.</summary>
    public const int MemorySize = 128;

    public const int RegistersBeforeOffset = 112;
    public const int FlagsBeforeOffset = 128;
    public const int VectorBeforeOffset = 136;
    public const int MemoryOffset = 192;
    public const int AfterOffset = 320;
    public const int RegistersAfterOffset = 432;
    public const int FlagsAfterOffset = 448;
    public const int VectorAfterOffset = 456;
}
