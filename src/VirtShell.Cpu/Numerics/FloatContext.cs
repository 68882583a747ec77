using System.Runtime.CompilerServices;

namespace VirtShell.Cpu.Numerics;

/// <summary>
/// What one x87 operation is told and what it reports: the control word in, exception flags and the round-up bit out.
/// An operation whose <see cref="Aborts"/> is set afterwards has no result: its operands stay as they were.
/// </summary>
internal struct FloatContext
{
    private const FloatExceptions PreComputation = FloatExceptions.Invalid | FloatExceptions.Denormal | FloatExceptions.ZeroDivide;
    private const FloatExceptions StoreBlocking = PreComputation | FloatExceptions.Overflow | FloatExceptions.Underflow;

    /// <summary>FCW: exception masks in bits 5:0, precision control in 9:8, rounding control in 11:10.</summary>
    public readonly ushort ControlWord;

    /// <summary>The exceptions detected, masked or not.</summary>
    public FloatExceptions Exceptions;

    /// <summary>C1: the last rounding was away from zero.</summary>
    public bool RoundedUp;

    /// <summary>A memory operand was denormal in its own, narrower format, which its extended form no longer shows.</summary>
    internal bool DenormalSource;

    public FloatContext(ushort controlWord)
    {
        ControlWord = controlWord;
        Exceptions = FloatExceptions.None;
        RoundedUp = false;
        DenormalSource = false;
    }

    public readonly FloatRounding Rounding => (FloatRounding)((ControlWord >> 10) & 3);

    /// <summary>Significand bits by precision control: 24, 53 or 64. The reserved encoding 01 acts as 64.</summary>
    public readonly int Precision => ((ControlWord >> 8) & 3) switch
    {
        0 => 24,
        2 => 53,
        _ => 64,
    };

    /// <summary>The detected exceptions that the control word does not mask.</summary>
    public readonly FloatExceptions Unmasked => Exceptions & (FloatExceptions)~ControlWord & FloatExceptions.All;

    /// <summary>An unmasked invalid-operation, denormal-operand or zero-divide exception: nothing is computed or popped.</summary>
    public readonly bool Aborts => (Unmasked & PreComputation) != 0;

    /// <summary>As <see cref="Aborts"/>, for stores to memory, which unmasked overflow and underflow stop too (SDM vol. 1, 8.5.4 and 8.5.5).</summary>
    public readonly bool BlocksStore => (Unmasked & StoreBlocking) != 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Raise(FloatExceptions exceptions) => Exceptions |= exceptions;

    /// <summary>Raises the denormal-operand exception; true where it is unmasked, so that the operation ends here.</summary>
    public bool RaiseDenormal()
    {
        Exceptions |= FloatExceptions.Denormal;
        return !IsMasked(FloatExceptions.Denormal);
    }

    public readonly bool IsMasked(FloatExceptions exception) => (ControlWord & (int)exception) != 0;

    /// <summary>Raises invalid-operation and gives its masked response.</summary>
    internal Float80 Invalid()
    {
        Exceptions |= FloatExceptions.Invalid;
        return Float80.Indefinite;
    }
}
