using System;
using Iced.Intel;
using VirtShell.Cpu.Numerics;

namespace VirtShell.Cpu.Tests.Numerics;

/// <summary>The operands of one comparison, and the outcome that the software operations predict for it.</summary>
internal struct X87Outcome
{
    public FloatContext Context;

    /// <summary>ST(0) and ST(1) before.</summary>
    public Float80 A;
    public Float80 B;

    /// <summary>The memory operand, before and after.</summary>
    public ulong Memory;
    public ushort MemoryHigh;

    /// <summary>ST(0) and ST(1) after.</summary>
    public Float80 First;
    public Float80 Second;

    /// <summary>The condition code bits C0 C2 C3 (and C1 where it is not the round-up bit), as in the status word.</summary>
    public ushort Conditions;

    /// <summary>Entries pushed (positive) or popped.</summary>
    public int Pushed;
}

internal delegate void X87Model(ref X87Outcome outcome);

/// <summary>One x87 instruction, how to emit it and what the software floating point makes of it.</summary>
/// <param name="Tolerance">Last places in which a transcendental result may differ from the host's.</param>
internal sealed record X87Operation(string Name, Action<Assembler> Emit, X87Model Model, int Tolerance = 0)
{
    public override string ToString() => Name;
}
