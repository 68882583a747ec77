using System;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace VirtShell.Cpu.Numerics;

/// <summary>
/// Rounding of an exact or sticky 128-bit intermediate to the destination format, with the x87 responses to overflow,
/// underflow and inexact results (Intel SDM vol. 1, 4.9.1 and 8.5). Tininess is detected after rounding.
/// </summary>
internal static class Float80Round
{
    /// <summary>Added to or taken from the exponent of a result whose underflow or overflow is unmasked (SDM vol. 1, 8.5.4): 3 · 2^13.</summary>
    public const int BiasAdjust = 0x6000;

    /// <summary>
    /// Rounds (-1)^sign · (high:low / 2^127) · 2^(exponent - bias), where <paramref name="high"/> has its top bit set, to
    /// <paramref name="precision"/> significant bits. Any nonzero bit in <paramref name="low"/> counts as sticky.
    /// </summary>
    public static Float80 Pack(bool sign, int exponent, ulong high, ulong low, int precision, ref FloatContext context)
    {
        int dropped = 64 - precision;
        if ((uint)(exponent - 1) < Float80.MaxExponent - 2 && dropped == 0 && low == 0)
        {
            return new Float80(sign, exponent, high);
        }

        if (exponent < 1)
        {
            bool carries = exponent == 0 && CarriesOut(sign, high, low, precision, context.Rounding);
            if (!carries)
            {
                if (context.IsMasked(FloatExceptions.Underflow))
                {
                    return PackTiny(sign, exponent, high, low, precision, ref context);
                }

                context.Raise(FloatExceptions.Underflow);
                exponent += BiasAdjust;
                if (exponent < 1)
                {
                    // As with overflow below: zero whatever the rounding.
                    context.Raise(FloatExceptions.Precision);
                    return Float80.Zero(sign);
                }
            }
        }

        ulong discarded = Discarded(high, low, precision);
        ulong unit = 1UL << dropped;
        ulong kept = high & ~(unit - 1);
        bool up = RoundsUp(sign, (kept & unit) != 0, discarded, context.Rounding);
        if (up)
        {
            kept += unit;
            if (kept == 0)
            {
                kept = Float80.IntegerBit;
                exponent++;
            }
        }

        if (exponent >= Float80.MaxExponent)
        {
            if (context.IsMasked(FloatExceptions.Overflow))
            {
                return Overflow(sign, precision, ref context);
            }

            if (exponent - BiasAdjust >= Float80.MaxExponent)
            {
                // Only FSCALE gets this far: infinity whatever the rounding (SDM vol. 2, FSCALE).
                context.Raise(FloatExceptions.Overflow | FloatExceptions.Precision);
                context.RoundedUp = true;
                return Float80.Infinity(sign);
            }

            context.Raise(FloatExceptions.Overflow);
            exponent -= BiasAdjust;
        }

        if (discarded != 0)
        {
            context.Raise(FloatExceptions.Precision);
            context.RoundedUp = up;
        }

        return new Float80(sign, exponent, kept);
    }

    /// <summary>Normalises a nonzero 128-bit significand whose bit 127 has the given exponent, then packs it.</summary>
    public static Float80 NormalizeAndPack(bool sign, int exponent, UInt128 significand, int precision, ref FloatContext context)
    {
        int shift = (int)UInt128.LeadingZeroCount(significand);
        significand <<= shift;
        return Pack(sign, exponent - shift, (ulong)(significand >> 64), (ulong)significand, precision, ref context);
    }

    /// <summary>True where the mode rounds a magnitude with this 64-bit discarded fraction (top bit = one half) up.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool RoundsUp(bool sign, bool odd, ulong discarded, FloatRounding rounding) => rounding switch
    {
        FloatRounding.NearestEven => discarded > Float80.IntegerBit || (discarded == Float80.IntegerBit && odd),
        FloatRounding.Down => sign && discarded != 0,
        FloatRounding.Up => !sign && discarded != 0,
        _ => false,
    };

    /// <summary>Shifts right, keeping in bit 0 whether anything was lost.</summary>
    public static UInt128 ShiftRightJam(UInt128 value, int count)
    {
        if (count == 0)
        {
            return value;
        }

        if (count > 127)
        {
            return value == UInt128.Zero ? UInt128.Zero : UInt128.One;
        }

        UInt128 result = value >> count;
        return (value << (128 - count)) != UInt128.Zero ? result | UInt128.One : result;
    }

    private static ulong Discarded(ulong high, ulong low, int precision) =>
        precision == 64 ? low : (high << precision) | (low != 0 ? 1UL : 0UL);

    private static bool CarriesOut(bool sign, ulong high, ulong low, int precision, FloatRounding rounding)
    {
        ulong unit = 1UL << (64 - precision);
        ulong kept = high & ~(unit - 1);
        return kept + unit == 0 && RoundsUp(sign, (kept & unit) != 0, Discarded(high, low, precision), rounding);
    }

    private static Float80 PackTiny(bool sign, int exponent, ulong high, ulong low, int precision, ref FloatContext context)
    {
        UInt128 shifted = ShiftRightJam(new UInt128(high, low), Math.Min(1 - exponent, 128));
        high = (ulong)(shifted >> 64);
        ulong discarded = Discarded(high, (ulong)shifted, precision);
        ulong unit = 1UL << (64 - precision);
        ulong kept = high & ~(unit - 1);
        if (discarded != 0)
        {
            bool up = RoundsUp(sign, (kept & unit) != 0, discarded, context.Rounding);
            context.Raise(FloatExceptions.Underflow | FloatExceptions.Precision);
            context.RoundedUp = up;
            if (up)
            {
                kept += unit;
            }
        }

        return new Float80(sign, (int)(kept >> 63), kept);
    }

    private static Float80 Overflow(bool sign, int precision, ref FloatContext context)
    {
        context.Raise(FloatExceptions.Overflow | FloatExceptions.Precision);
        bool toInfinity = context.Rounding switch
        {
            FloatRounding.NearestEven => true,
            FloatRounding.Down => sign,
            FloatRounding.Up => !sign,
            _ => false,
        };
        context.RoundedUp = toInfinity;
        return toInfinity
            ? Float80.Infinity(sign)
            : new Float80(sign, Float80.MaxExponent - 1, ulong.MaxValue << (64 - precision));
    }

    /// <summary>Splits a nonzero finite value into a normalised significand and its (possibly non-positive) biased exponent.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Unpack(Float80 value, out ulong significand)
    {
        significand = value.Significand;
        int exponent = value.Exponent;
        if (exponent == 0)
        {
            int shift = BitOperations.LeadingZeroCount(significand);
            significand <<= shift;
            exponent = 1 - shift;
        }

        return exponent;
    }
}
