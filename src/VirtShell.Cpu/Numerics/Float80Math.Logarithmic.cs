using System;

namespace VirtShell.Cpu.Numerics;

/// <summary>
/// F2XM1, FYL2X and FYL2XP1. Computed to about 2^-120 and rounded once; hardware may differ in the last place. Inexact is
/// reported for every computed result, exact or not, as processors do.
/// </summary>
internal static partial class Float80Math
{
    private static readonly WideFloat s_ln2 = WideFloat.Create(false, -1, new UInt128(0xB17217F7D1CF79AB, 0xC9E3B39803F2F6AF));
    private static readonly WideFloat s_twoOverLn2 = WideFloat.Create(false, 1, new UInt128(0xB8AA3B295C17F0BB, 0xBE87FED0691D3E89));

    /// <summary>The significand of the square root of 2, where the logarithm's argument changes octave.</summary>
    private static readonly UInt128 s_sqrt2 = new(0xB504F333F9DE6484, 0x597D89B3754ABE9F);

    /// <summary>F2XM1: 2^a - 1 for a from -1 to 1. Outside, where manuals leave the result undefined, a comes back (-1 for minus infinity).</summary>
    public static Float80 PowerMinusOne(Float80 a, ref FloatContext context)
    {
        switch (a.Class)
        {
            case FloatClass.Unsupported:
            case FloatClass.NaN:
                return PropagateNaN(a, ref context);
            case FloatClass.Zero:
                return a;
            case FloatClass.Infinity:
                return a.IsNegative ? Float80.One.Negate() : a;
            case FloatClass.Denormal:
                if (context.RaiseDenormal())
                {
                    return default;
                }

                break;
        }

        if (a.Exponent >= Float80.Bias)
        {
            context.Raise(FloatExceptions.Precision);
            return a.IsNegative && a.Exponent == Float80.Bias && a.Significand == Float80.IntegerBit
                ? new Float80(true, Float80.Bias - 1, Float80.IntegerBit)
                : a;
        }

        // e^y - 1 = y (1 + y/2! + y²/3! + …), |y| below ln 2.
        WideFloat y = WideFloat.From(a) * s_ln2;
        UInt128 magnitude = y.ToFraction();
        UInt128 sum = UInt128.Zero;
        for (int n = 34; n >= 2; n--)
        {
            UInt128 term = WideFloat.MultiplyHigh(magnitude, sum);
            sum = y.Negative ? s_inverseFactorials[n] - term : s_inverseFactorials[n] + term;
        }

        WideFloat correction = WideFloat.Create(y.Negative, -1, WideFloat.MultiplyHigh(magnitude, sum));
        return (y * (Power(0) + correction)).Round(ref context);
    }

    /// <summary>FYL2X: y · log2(x) (Intel SDM vol. 2, table 3-47).</summary>
    public static Float80 Logarithm(Float80 x, Float80 y, ref FloatContext context)
    {
        FloatClass classX = x.Class;
        FloatClass classY = y.Class;
        if (IsNaNOrUnsupported(classX) || IsNaNOrUnsupported(classY))
        {
            return PropagateNaN(x, y, ref context);
        }

        if (classX != FloatClass.Zero && x.IsNegative)
        {
            return context.Invalid();
        }

        bool isOne = x.Exponent == Float80.Bias && x.Significand == Float80.IntegerBit;
        bool below = x.Exponent < Float80.Bias;
        if (classX == FloatClass.Zero)
        {
            if (classY == FloatClass.Zero)
            {
                return context.Invalid();
            }

            if (classY != FloatClass.Infinity)
            {
                context.Raise(FloatExceptions.ZeroDivide);
            }

            return Float80.Infinity(!y.IsNegative);
        }

        if ((classX == FloatClass.Infinity && classY == FloatClass.Zero) || (classY == FloatClass.Infinity && isOne))
        {
            return context.Invalid();
        }

        if (DenormalStops(classX, classY, ref context))
        {
            return default;
        }

        if (classX == FloatClass.Infinity || classY == FloatClass.Infinity)
        {
            return Float80.Infinity(y.IsNegative != below);
        }

        if (classY == FloatClass.Zero || isOne)
        {
            return Float80.Zero(y.IsNegative != below);
        }

        return RoundLogarithm(WideFloat.From(y) * Log2(WideFloat.From(x)), ref context);
    }

    /// <summary>FYL2XP1: y · log2(x + 1). Manuals promise results for |x| below 1 - sqrt(1/2); they are right for every x above -1, and for others x comes back.</summary>
    public static Float80 LogarithmPlusOne(Float80 x, Float80 y, ref FloatContext context)
    {
        FloatClass classX = x.Class;
        FloatClass classY = y.Class;
        if (IsNaNOrUnsupported(classX) || IsNaNOrUnsupported(classY))
        {
            return PropagateNaN(x, y, ref context);
        }

        bool sign = x.IsNegative != y.IsNegative;
        if ((classX == FloatClass.Infinity && (x.IsNegative || classY == FloatClass.Zero))
            || (classX == FloatClass.Zero && classY == FloatClass.Infinity))
        {
            return context.Invalid();
        }

        if (DenormalStops(classX, classY, ref context))
        {
            return default;
        }

        if (classX == FloatClass.Infinity || classY == FloatClass.Infinity)
        {
            return Float80.Infinity(sign);
        }

        if (classX == FloatClass.Zero || classY == FloatClass.Zero)
        {
            return Float80.Zero(sign);
        }

        if (x.IsNegative && x.Exponent >= Float80.Bias)
        {
            context.Raise(FloatExceptions.Precision);
            return x;
        }

        WideFloat wide = WideFloat.From(x);
        WideFloat log = wide.Exponent < -2
            ? LogarithmSeries(wide / (WideFloat.FromInteger(2) + wide))
            : Log2(Power(0) + wide);
        return RoundLogarithm(WideFloat.From(y) * log, ref context);
    }

    private static Float80 RoundLogarithm(WideFloat value, ref FloatContext context)
    {
        // A power of two has an exact logarithm; rounding a product of at most 64 + 15 bits must see it exact.
        if ((ulong)value.Significand != 0)
        {
            return value.Round(ref context);
        }

        context.Raise(FloatExceptions.Precision);
        Float80 result = Float80Round.Pack(value.Negative, value.Exponent + Float80.Bias, (ulong)(value.Significand >> 64), 0, 64, ref context);
        if (result.IsDenormal)
        {
            context.Raise(FloatExceptions.Underflow);
        }

        return result;
    }

    /// <summary>log2 of a positive number other than 1.</summary>
    private static WideFloat Log2(WideFloat x)
    {
        int exponent = x.Exponent;
        WideFloat m = WideFloat.Create(false, 0, x.Significand);
        if (m.Significand > s_sqrt2)
        {
            m *= Power(-1);
            exponent++;
        }

        WideFloat difference = m - Power(0);
        return difference.IsZero
            ? WideFloat.FromInteger(exponent)
            : WideFloat.FromInteger(exponent) + LogarithmSeries(difference / (m + Power(0)));
    }

    /// <summary>log2((1 + s)/(1 - s)) = 2/ln 2 · s (1 + z/3 + z²/5 + …), z = s² below 0.03.</summary>
    private static WideFloat LogarithmSeries(WideFloat s)
    {
        UInt128 z = (s * s).ToFraction();
        UInt128 sum = UInt128.Zero;
        for (int k = 26; k >= 1; k--)
        {
            sum = s_inverseOdd[k] + WideFloat.MultiplyHigh(z, sum);
        }

        return s * s_twoOverLn2 * (Power(0) + WideFloat.Create(false, -1, WideFloat.MultiplyHigh(z, sum)));
    }
}
