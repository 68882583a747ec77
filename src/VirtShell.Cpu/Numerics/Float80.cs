using System;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace VirtShell.Cpu.Numerics;

/// <summary>
/// A value in the x87 double extended-precision format: one sign bit, 15 exponent bits (bias 16383) and a 64-bit
/// significand with an explicit integer bit (Intel SDM vol. 1, 4.2.2 and 8.2). Ten bytes in memory, little-endian.
/// Every bit pattern is representable, including the encodings that processors since the 387 reject as unsupported.
/// </summary>
[StructLayout(LayoutKind.Sequential, Pack = 2, Size = 10)]
internal readonly struct Float80 : IEquatable<Float80>
{
    /// <summary>The exponent bias.</summary>
    public const int Bias = 0x3FFF;

    /// <summary>The all-ones exponent of infinities and NaNs.</summary>
    public const int MaxExponent = 0x7FFF;

    /// <summary>The explicit integer bit (J bit) of the significand.</summary>
    public const ulong IntegerBit = 0x8000_0000_0000_0000;

    /// <summary>The most significant fraction bit, which tells quiet NaNs from signalling ones.</summary>
    public const ulong QuietBit = 0x4000_0000_0000_0000;

    private const ushort SignBit = 0x8000;

    public readonly ulong Significand;
    public readonly ushort SignExponent;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Float80(ushort signExponent, ulong significand)
    {
        Significand = significand;
        SignExponent = signExponent;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Float80(bool negative, int exponent, ulong significand)
        : this((ushort)(exponent | (negative ? SignBit : 0)), significand)
    {
    }

    public static Float80 PositiveZero => default;

    public static Float80 One => new(Bias, IntegerBit);

    public static Float80 PositiveInfinity => new(MaxExponent, IntegerBit);

    /// <summary>The QNaN floating-point indefinite, the masked response to an invalid operation.</summary>
    public static Float80 Indefinite => new(0xFFFF, IntegerBit | QuietBit);

    public bool IsNegative => (SignExponent & SignBit) != 0;

    /// <summary>The biased exponent field, 0 to 7FFFh.</summary>
    public int Exponent => SignExponent & MaxExponent;

    public bool IsZero => Exponent == 0 && Significand == 0;

    public bool IsInfinity => Exponent == MaxExponent && Significand == IntegerBit;

    /// <summary>Exponent zero with a significand: a denormal or a pseudo-denormal.</summary>
    public bool IsDenormal => Exponent == 0 && Significand != 0;

    /// <summary>A quiet or signalling NaN with a valid encoding (pseudo-NaNs are unsupported instead).</summary>
    public bool IsNaN => Exponent == MaxExponent && Significand > IntegerBit;

    public bool IsSignalingNaN => IsNaN && (Significand & QuietBit) == 0;

    /// <summary>Unnormals, pseudo-infinities and pseudo-NaNs: a nonzero exponent without the integer bit (SDM vol. 1, 8.2.2).</summary>
    public bool IsUnsupported => Exponent != 0 && (Significand & IntegerBit) == 0;

    public FloatClass Class
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        get
        {
            int exponent = Exponent;
            if (exponent == 0)
            {
                return Significand == 0 ? FloatClass.Zero : FloatClass.Denormal;
            }

            if ((Significand & IntegerBit) == 0)
            {
                return FloatClass.Unsupported;
            }

            if (exponent != MaxExponent)
            {
                return FloatClass.Normal;
            }

            return Significand == IntegerBit ? FloatClass.Infinity : FloatClass.NaN;
        }
    }

    public static bool operator ==(Float80 left, Float80 right) => left.Equals(right);

    public static bool operator !=(Float80 left, Float80 right) => !left.Equals(right);

    public static Float80 Zero(bool negative) => new(negative, 0, 0);

    public static Float80 Infinity(bool negative) => new(negative, MaxExponent, IntegerBit);

    public Float80 Negate() => new((ushort)(SignExponent ^ SignBit), Significand);

    public Float80 Absolute() => new((ushort)(SignExponent & MaxExponent), Significand);

    /// <summary>The NaN with its quiet bit set.</summary>
    public Float80 Quiet() => new(SignExponent, Significand | QuietBit);

    /// <summary>Equality of the bit patterns, not of the numbers.</summary>
    public bool Equals(Float80 other) => Significand == other.Significand && SignExponent == other.SignExponent;

    public override bool Equals(object? obj) => obj is Float80 other && Equals(other);

    public override int GetHashCode() => HashCode.Combine(Significand, SignExponent);

    /// <summary>The bit pattern in hexadecimal, as <c>sign-exponent:significand</c>.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{SignExponent:X4}:{Significand:X16}");
}
