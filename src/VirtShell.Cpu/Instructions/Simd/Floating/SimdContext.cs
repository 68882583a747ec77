using System.Runtime.CompilerServices;
using VirtShell.Cpu.Execution;

namespace VirtShell.Cpu.Instructions.Simd.Floating;

/// <summary>What one SSE or AVX floating-point instruction is told by MXCSR and the exceptions that it has met (SDM Vol. 1 §10.2.3, §11.5).</summary>
internal unsafe struct SimdContext
{
    public const uint Invalid = 1;
    public const uint Denormal = 1 << 1;
    public const uint ZeroDivide = 1 << 2;
    public const uint Overflow = 1 << 3;
    public const uint Underflow = 1 << 4;
    public const uint Precision = 1 << 5;
    public const uint DenormalsAreZero = 1 << 6;
    public const uint OverflowMask = 1 << 10;
    public const uint UnderflowMask = 1 << 11;
    public const uint FlushToZero = 1 << 15;

    private const int MaskShift = 7;
    private const int RoundingShift = 13;
    private const uint AllExceptions = 0x3F;
    private const uint PreComputation = Invalid | Denormal | ZeroDivide;

    // All exceptions masked, nearest, no DAZ, no FTZ, PE already set.
    private const uint FastBits = 0xFFE0;
    private const uint FastValue = 0x1FA0;

    /// <summary>MXCSR as the instruction found it, with an immediate's rounding control where it has one.</summary>
    public uint Control;

    /// <summary>The exceptions detected so far, at their MXCSR bits.</summary>
    public uint Flags;

    /// <summary>The exceptions of earlier stages of an instruction that has several; all of them masked.</summary>
    private uint _settled;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public SimdContext(uint control)
    {
        Control = control;
        Flags = 0;
        _settled = 0;
    }

    /// <summary>Host arithmetic gives the whole answer, as long as operands and result are ordinary numbers.</summary>
    public readonly bool IsFast
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get => (Control & FastBits) == FastValue;
    }

    /// <summary>Rounding control: 0 nearest even, 1 down, 2 up, 3 toward zero.</summary>
    public readonly int Rounding => (int)(Control >> RoundingShift) & 3;

    public readonly bool ZeroesDenormals => (Control & DenormalsAreZero) != 0;

    /// <summary>FTZ acts only where underflow is masked (SDM Vol. 1 §10.2.3.3).</summary>
    public readonly bool FlushesToZero => (Control & (FlushToZero | UnderflowMask)) == (FlushToZero | UnderflowMask);

    /// <summary>An exception that is not masked has come up: what follows in the same instruction is not computed.</summary>
    public readonly bool HasUnmasked => (Flags & ~(Control >> MaskShift) & AllExceptions) != 0;

    public readonly bool IsOverflowMasked => (Control & OverflowMask) != 0;

    public readonly bool IsUnderflowMasked => (Control & UnderflowMask) != 0;

    /// <summary>Between two stages: false where the first has raised an exception that is not masked, which ends the instruction.</summary>
    public bool EndStage()
    {
        if (HasUnmasked)
        {
            return false;
        }

        _settled |= Flags;
        Flags = 0;
        return true;
    }

    /// <summary>The same with another rounding control.</summary>
    public readonly SimdContext WithRounding(int rounding) => new((Control & ~(3u << RoundingShift)) | ((uint)rounding << RoundingShift)) { Flags = Flags };

    /// <summary>Sets the flags in MXCSR; raises #XM (#UD without CR4.OSXMMEXCPT) where one is unmasked, so that nothing else is committed.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public readonly void Commit(CpuState* s)
    {
        if ((Flags | _settled) != 0)
        {
            CommitFlags(s);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private readonly void CommitFlags(CpuState* s)
    {
        uint unmasked = Flags & ~(s->Mxcsr >> MaskShift) & AllExceptions;

        // What is found before computing ends the instruction before the other exceptions come up (SDM Vol. 1 §11.5.3).
        s->Mxcsr |= _settled | ((unmasked & PreComputation) != 0 ? Flags & PreComputation : Flags);
        if (unmasked == 0)
        {
            return;
        }

        if ((s->Cr4 & ControlBits.Cr4Osxmmexcpt) == 0)
        {
            Fault.InvalidOpcode(s);
        }

        Fault.Raise(s, Vector.Simd);
    }
}
