using System.Numerics;

namespace VirtShell.Cpu.Numerics;

/// <summary>Conversions between the 80-bit format and integers, packed BCD and the narrower floating-point formats.</summary>
internal static class Float80Convert
{
    private const int SingleFractionBits = 23;
    private const int SingleBias = 127;
    private const int DoubleFractionBits = 52;
    private const int DoubleBias = 1023;

    /// <summary>The packed BCD indefinite: FFFF C000 0000 0000 0000 (Intel SDM vol. 1, table 4-4).</summary>
    private const ushort BcdIndefiniteHigh = 0xFFFF;
    private const ulong BcdIndefiniteLow = 0xC000_0000_0000_0000;
    private const ulong BcdLimit = 1_000_000_000_000_000_000;

    /// <summary>The packed BCD indefinite, as ten bytes.</summary>
    public static Float80 BcdIndefinite => new(BcdIndefiniteHigh, BcdIndefiniteLow);

    public static Float80 FromInt64(long value)
    {
        if (value == 0)
        {
            return default;
        }

        ulong magnitude = value < 0 ? unchecked((ulong)-value) : (ulong)value;
        int shift = BitOperations.LeadingZeroCount(magnitude);
        return new Float80(value < 0, Float80.Bias + 63 - shift, magnitude << shift);
    }

    /// <summary>
    /// The value as a signed integer of 16, 32 or 64 bits, by rounding control or (FISTTP) truncated. NaNs, unsupported
    /// encodings and values out of range raise invalid-operation and give the integer indefinite, the most negative number.
    /// </summary>
    public static long ToInteger(Float80 value, int bits, bool truncate, ref FloatContext context)
    {
        long indefinite = long.MinValue >> (64 - bits);
        FloatClass kind = value.Class;
        if (kind == FloatClass.Zero)
        {
            return 0;
        }

        int exponent = Float80Round.Unpack(value, out ulong significand) - Float80.Bias;
        if (kind is not (FloatClass.Normal or FloatClass.Denormal) || exponent >= 64)
        {
            context.Raise(FloatExceptions.Invalid);
            return indefinite;
        }

        bool sign = value.IsNegative;
        FloatRounding rounding = truncate ? FloatRounding.TowardZero : context.Rounding;
        ulong magnitude = Float80Math.RoundMagnitude(sign, exponent, significand, rounding, out bool inexact, out bool up);
        ulong limit = (1UL << (bits - 1)) - (sign ? 0UL : 1UL);
        if (magnitude > limit)
        {
            context.Raise(FloatExceptions.Invalid);
            return indefinite;
        }

        if (inexact)
        {
            context.Raise(FloatExceptions.Precision);
            context.RoundedUp = up;
        }

        return unchecked(sign ? (long)(0 - magnitude) : (long)magnitude);
    }

    /// <summary>FBLD: 18 packed decimal digits (nine bytes in <paramref name="low"/> and the low byte of <paramref name="high"/>), sign in bit 15 of <paramref name="high"/>. Digits above 9 count with their weight.</summary>
    public static Float80 FromBcd(ulong low, ushort high)
    {
        ulong magnitude = 0;
        for (int shift = 4; shift >= 0; shift -= 4)
        {
            magnitude = (magnitude * 10) + (((uint)high >> shift) & 0xF);
        }

        for (int shift = 60; shift >= 0; shift -= 4)
        {
            magnitude = (magnitude * 10) + ((low >> shift) & 0xF);
        }

        bool sign = (high & 0x8000) != 0;
        if (magnitude == 0)
        {
            return Float80.Zero(sign);
        }

        int leading = BitOperations.LeadingZeroCount(magnitude);
        return new Float80(sign, Float80.Bias + 63 - leading, magnitude << leading);
    }

    /// <summary>FBSTP: the value rounded to an integer of at most 18 decimal digits; otherwise invalid-operation and the BCD indefinite.</summary>
    public static void ToBcd(Float80 value, out ulong low, out ushort high, ref FloatContext context)
    {
        FloatClass kind = value.Class;
        int exponent = kind == FloatClass.Zero ? 0 : Float80Round.Unpack(value, out _) - Float80.Bias;
        ulong magnitude = 0;
        bool inexact = false;
        bool up = false;
        if (kind is FloatClass.Normal or FloatClass.Denormal && exponent < 64)
        {
            Float80Round.Unpack(value, out ulong significand);
            magnitude = Float80Math.RoundMagnitude(value.IsNegative, exponent, significand, context.Rounding, out inexact, out up);
        }
        else if (kind != FloatClass.Zero)
        {
            magnitude = BcdLimit;
        }

        if (magnitude >= BcdLimit)
        {
            context.Raise(FloatExceptions.Invalid);
            low = BcdIndefiniteLow;
            high = BcdIndefiniteHigh;
            return;
        }

        if (inexact)
        {
            context.Raise(FloatExceptions.Precision);
            context.RoundedUp = up;
        }

        low = 0;
        for (int shift = 0; shift < 64; shift += 4)
        {
            low |= (magnitude % 10) << shift;
            magnitude /= 10;
        }

        high = (ushort)((magnitude % 10) | ((magnitude / 10) << 4) | (value.IsNegative ? 0x8000u : 0));
    }

    /// <summary>FLD m32fp: quiets a signalling NaN (invalid-operation) and reports a denormal, which even unmasked is loaded.</summary>
    public static Float80 FromSingle(uint bits, ref FloatContext context) => Load(WidenSingle(bits, ref context), ref context);

    /// <summary>FLD m64fp; see <see cref="FromSingle"/>.</summary>
    public static Float80 FromDouble(ulong bits, ref FloatContext context) => Load(WidenDouble(bits, ref context), ref context);

    /// <summary>A single-precision memory operand of an arithmetic instruction: same value, signalling NaNs kept, a denormal noted for the operation to report.</summary>
    public static Float80 WidenSingle(uint bits, ref FloatContext context) =>
        Widen((bits >> 31) != 0, (int)(bits >> SingleFractionBits) & 0xFF, 0xFF, (ulong)bits << 41 >> 1, SingleBias, ref context);

    /// <summary>A double-precision memory operand of an arithmetic instruction; see <see cref="WidenSingle"/>.</summary>
    public static Float80 WidenDouble(ulong bits, ref FloatContext context) =>
        Widen((bits >> 63) != 0, (int)(bits >> DoubleFractionBits) & 0x7FF, 0x7FF, bits << 12 >> 1, DoubleBias, ref context);

    /// <summary>FST m32fp. Where <see cref="FloatContext.BlocksStore"/> is set afterwards nothing may be stored.</summary>
    public static uint ToSingle(Float80 value, ref FloatContext context) =>
        (uint)Narrow(value, SingleFractionBits, SingleBias, ref context);

    /// <summary>FST m64fp. Where <see cref="FloatContext.BlocksStore"/> is set afterwards nothing may be stored.</summary>
    public static ulong ToDouble(Float80 value, ref FloatContext context) =>
        Narrow(value, DoubleFractionBits, DoubleBias, ref context);

    private static Float80 Widen(bool sign, int exponent, int maximum, ulong fraction, int bias, ref FloatContext context)
    {
        if (exponent == maximum)
        {
            return new Float80(sign, Float80.MaxExponent, Float80.IntegerBit | fraction);
        }

        if (exponent != 0)
        {
            return new Float80(sign, exponent - bias + Float80.Bias, Float80.IntegerBit | fraction);
        }

        if (fraction == 0)
        {
            return Float80.Zero(sign);
        }

        context.DenormalSource = true;
        int shift = BitOperations.LeadingZeroCount(fraction);
        return new Float80(sign, 1 - bias + Float80.Bias - shift, fraction << shift);
    }

    private static Float80 Load(Float80 value, ref FloatContext context)
    {
        if (value.IsSignalingNaN)
        {
            context.Raise(FloatExceptions.Invalid);
            return value.Quiet();
        }

        if (context.DenormalSource)
        {
            context.RaiseDenormal();
        }

        return value;
    }

    private static ulong Narrow(Float80 value, int fractionBits, int bias, ref FloatContext context)
    {
        int maximum = (2 * bias) + 1;
        int signShift = fractionBits + (bias == SingleBias ? 8 : 11);
        ulong sign = value.IsNegative ? 1UL << signShift : 0;
        ulong infinity = (ulong)maximum << fractionBits;
        switch (value.Class)
        {
            case FloatClass.Unsupported:
                context.Raise(FloatExceptions.Invalid);
                return (1UL << signShift) | infinity | (1UL << (fractionBits - 1));
            case FloatClass.NaN:
                if (value.IsSignalingNaN)
                {
                    context.Raise(FloatExceptions.Invalid);
                }

                return sign | infinity | (1UL << (fractionBits - 1)) | ((value.Significand & ~Float80.IntegerBit) >> (63 - fractionBits));
            case FloatClass.Zero:
                return sign;
            case FloatClass.Infinity:
                return sign | infinity;
        }

        int exponent = Float80Round.Unpack(value, out ulong significand) - Float80.Bias + bias;
        int precision = fractionBits + 1;
        ulong unit = 1UL << (64 - precision);
        FloatRounding rounding = context.Rounding;
        ulong rounded = RoundTo(value.IsNegative, significand, unit, rounding, out bool inexact, out bool up);
        bool tiny = exponent < 0 || (exponent == 0 && rounded != 0);
        if (tiny)
        {
            if (!context.IsMasked(FloatExceptions.Underflow))
            {
                // Nothing is stored or rounded, and so nothing is inexact.
                context.Raise(FloatExceptions.Underflow);
                return 0;
            }

            int shift = 1 - exponent;
            significand = shift >= 64 ? 1 : (significand >> shift) | (significand << (64 - shift) != 0 ? 1UL : 0UL);
            rounded = RoundTo(value.IsNegative, significand, unit, rounding, out inexact, out up);
            if (inexact)
            {
                context.Raise(FloatExceptions.Underflow);
                RaiseInexact(true, up, ref context);
            }

            // A carry into the integer bit makes it the smallest normal number by itself.
            return sign | (rounded >> (63 - fractionBits));
        }

        if (rounded == 0)
        {
            rounded = Float80.IntegerBit;
            exponent++;
        }

        if (exponent >= maximum)
        {
            context.Raise(FloatExceptions.Overflow);
            if (!context.IsMasked(FloatExceptions.Overflow))
            {
                return 0;
            }

            bool toInfinity = rounding == FloatRounding.NearestEven || rounding == (value.IsNegative ? FloatRounding.Down : FloatRounding.Up);
            RaiseInexact(true, toInfinity, ref context);
            return sign | (toInfinity ? infinity : infinity - 1);
        }

        RaiseInexact(inexact, up, ref context);
        return sign | ((ulong)exponent << fractionBits) | ((rounded & ~Float80.IntegerBit) >> (63 - fractionBits));
    }

    /// <summary>Rounds to a multiple of <paramref name="unit"/>; a carry out of bit 63 gives zero.</summary>
    private static ulong RoundTo(bool sign, ulong significand, ulong unit, FloatRounding rounding, out bool inexact, out bool up)
    {
        ulong fraction = significand & (unit - 1);
        ulong kept = significand - fraction;
        inexact = fraction != 0;
        up = Float80Round.RoundsUp(sign, (kept & unit) != 0, fraction << (BitOperations.LeadingZeroCount(unit) + 1), rounding);
        return up ? unchecked(kept + unit) : kept;
    }

    private static void RaiseInexact(bool inexact, bool up, ref FloatContext context)
    {
        if (inexact)
        {
            context.Raise(FloatExceptions.Precision);
            context.RoundedUp = up;
        }
    }
}
