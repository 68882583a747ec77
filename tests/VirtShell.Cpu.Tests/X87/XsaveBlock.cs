using System.Runtime.InteropServices;

namespace VirtShell.Cpu.Tests.X87;

/// <summary>What one comparison of a state-saving instruction works on; each area is aligned as XSAVE wants it.</summary>
[StructLayout(LayoutKind.Sequential, Pack = 1)]
internal unsafe struct XsaveBlock
{
    public const int AreaSize = 896;
    public const int StateOffset = AreaSize;
    public const int OperandOffset = 2 * AreaSize;
    public const int OutcomeOffset = 3 * AreaSize;
    public const int MaskOffset = 4 * AreaSize;

    /// <summary>The host's own state while the comparison runs.</summary>
    public fixed byte Own[AreaSize];

    /// <summary>The state before, in standard format.</summary>
    public fixed byte State[AreaSize];

    /// <summary>The instruction's memory operand, before and after.</summary>
    public fixed byte Operand[AreaSize];

    /// <summary>The state after, in standard format.</summary>
    public fixed byte Outcome[AreaSize];

    /// <summary>EDX:EAX.</summary>
    public ulong Mask;
}
