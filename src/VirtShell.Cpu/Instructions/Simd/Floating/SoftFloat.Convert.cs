using System.Numerics;

namespace VirtShell.Cpu.Instructions.Simd.Floating;

/// <content>Conversions between formats, to and from integers, and rounding to an integral value.</content>
internal static partial class SoftFloat<TF>
    where TF : struct, IFloatFormat
{
    /// <summary>Converts to another format. Denormal operands raise #D or are zero by DAZ; FTZ acts unless <paramref name="flush"/> is off.</summary>
    public static ulong ConvertTo<TTo>(ref SimdContext c, ulong bits, bool flush = true, bool denormals = true)
        where TTo : struct, IFloatFormat
    {
        bool negative = IsNegative(bits);
        if (IsNaN(bits))
        {
            c.Flags |= IsSignaling(bits) ? SimdContext.Invalid : 0;
            ulong fraction = (bits & FractionMask) << (63 - TF.FractionBits);
            return SoftFloat<TTo>.QuietNaN(negative, fraction);
        }

        bits = denormals ? Operand(ref c, bits) : bits;
        if (IsInfinity(bits))
        {
            return SoftFloat<TTo>.InfinityOf(negative);
        }

        (_, int exponent, ulong significand) = Unpack(bits);
        return SoftFloat<TTo>.Pack(ref c, negative, exponent, significand, flush);
    }

    /// <summary>A NaN with a fraction that is given with its top at bit 62.</summary>
    public static ulong QuietNaN(bool negative, ulong fraction) =>
        (negative ? SignBit : 0) | Infinity | QuietBit | (fraction >> (63 - TF.FractionBits));

    public static ulong InfinityOf(bool negative) => (negative ? SignBit : 0) | Infinity;

    public static ulong Pack(ref SimdContext c, bool negative, int exponent, ulong significand, bool flush) =>
        Round(ref c, negative, exponent, significand, flush);

    /// <summary>The signed integer rounded to the format.</summary>
    public static ulong FromInteger(ref SimdContext c, long value)
    {
        if (value == 0)
        {
            return 0;
        }

        ulong magnitude = value < 0 ? 0UL - (ulong)value : (ulong)value;
        int shift = BitOperations.LeadingZeroCount(magnitude);
        return Round(ref c, value < 0, 63 - shift, magnitude << shift);
    }

    /// <summary>The number as a signed integer of 32 or 64 bits; the integer indefinite with #I where it does not fit.</summary>
    public static ulong ToInteger(ref SimdContext c, ulong bits, int width, int rounding)
    {
        ulong indefinite = 1UL << (width - 1);
        if ((bits & Infinity) == Infinity)
        {
            c.Flags |= SimdContext.Invalid;
            return indefinite;
        }

        if (IsZero(bits) || (!IsOrdinary(bits) && c.ZeroesDenormals))
        {
            return 0;
        }

        (bool negative, int exponent, ulong significand) = Unpack(bits);
        if (exponent >= 64)
        {
            c.Flags |= SimdContext.Invalid;
            return indefinite;
        }

        (ulong magnitude, bool inexact) = Integral(significand, exponent, negative, rounding);
        if (magnitude > indefinite || (magnitude == indefinite && !negative))
        {
            c.Flags |= SimdContext.Invalid;
            return indefinite;
        }

        c.Flags |= inexact ? SimdContext.Precision : 0;
        ulong value = negative ? 0UL - magnitude : magnitude;
        return width == 32 ? (uint)value : value;
    }

    /// <summary>Rounds to an integral value (ROUNDPS); an integral value has no exception but that of a signaling NaN.</summary>
    public static ulong RoundToIntegral(ref SimdContext c, ulong bits, int rounding, bool suppressPrecision)
    {
        if (IsNaN(bits))
        {
            c.Flags |= IsSignaling(bits) ? SimdContext.Invalid : 0;
            return bits | QuietBit;
        }

        ulong sign = bits & SignBit;
        if (!IsOrdinary(bits) && c.ZeroesDenormals)
        {
            return sign;
        }

        if (IsZero(bits) || IsInfinity(bits))
        {
            return bits;
        }

        (bool negative, int exponent, ulong significand) = Unpack(bits);
        if (exponent >= TF.FractionBits)
        {
            return bits;
        }

        (ulong magnitude, bool inexact) = Integral(significand, exponent, negative, rounding);
        c.Flags |= inexact && !suppressPrecision ? SimdContext.Precision : 0;
        if (magnitude == 0)
        {
            return sign;
        }

        int shift = BitOperations.LeadingZeroCount(magnitude);
        SimdContext exact = c;
        return Round(ref exact, negative, 63 - shift, magnitude << shift);
    }

    private static (ulong Magnitude, bool Inexact) Integral(ulong significand, int exponent, bool negative, int rounding)
    {
        if (exponent == 63)
        {
            return (significand, false);
        }

        if (exponent < -1)
        {
            return (RoundsUp(rounding, negative, false, 1, 2) ? 1UL : 0, true);
        }

        int drop = 63 - exponent;
        ulong kept = drop == 64 ? 0 : significand >> drop;
        ulong rest = drop == 64 ? significand : significand & ((1UL << drop) - 1);
        kept += RoundsUp(rounding, negative, (kept & 1) != 0, rest, 1UL << (drop - 1)) ? 1UL : 0;
        return (kept, rest != 0);
    }
}
