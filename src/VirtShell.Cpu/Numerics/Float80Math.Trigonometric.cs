using System;

namespace VirtShell.Cpu.Numerics;

/// <summary>
/// FSIN, FCOS, FSINCOS, FPTAN and FPATAN. Arguments are reduced by the 66-bit value of pi that processors use (Intel SDM
/// vol. 1, 8.3.8), exactly; what follows is good to about 2^-120 and rounded once. Hardware may differ in the last place.
/// </summary>
internal static partial class Float80Math
{
    /// <summary>Arguments of this magnitude and above are not reduced (C2 set).</summary>
    private const int TrigonometricLimit = Float80.Bias + 63;

    private static readonly UInt128[] s_inverseFactorials = InverseFactorials(38);
    private static readonly UInt128[] s_inverseOdd = InverseOdd(32);

    /// <summary>The 66-bit pi as an integer multiple of 2^-64, that is pi/2 in units of 2^-65.</summary>
    private static readonly UInt128 s_halfPi66 = new(0x3, 0x243F_6A88_85A3_08D3);

    private static readonly WideFloat s_pi = WideFloat.Create(false, 1, new UInt128(0xC90FDAA22168C234, 0xC4C6628B80DC1CD1));

    /// <summary>atan(i/16), i = 0 to 16.</summary>
    private static readonly WideFloat[] s_arcTangents =
    [
        default,
        WideFloat.Create(false, -5, new UInt128(0xFFAADDB967EF4E36, 0xCB2792DC0E2E0D51)),
        WideFloat.Create(false, -4, new UInt128(0xFEADD4D5617B6E32, 0xC897989F3E888EF8)),
        WideFloat.Create(false, -3, new UInt128(0xBDCBDA5E72D81134, 0x7B0B4F881C9C7488)),
        WideFloat.Create(false, -3, new UInt128(0xFADBAFC96406EB15, 0x6DC79EF5F7A217E6)),
        WideFloat.Create(false, -2, new UInt128(0x9B13B9B83F5E5E69, 0xC5ABB498D27AF328)),
        WideFloat.Create(false, -2, new UInt128(0xB7B0CA0F26F78473, 0x8AA32122DCFE4483)),
        WideFloat.Create(false, -2, new UInt128(0xD327761E611FE5B6, 0x427C95E9001E7136)),
        WideFloat.Create(false, -2, new UInt128(0xED63382B0DDA7B45, 0x6FE445ECBC3A8D03)),
        WideFloat.Create(false, -1, new UInt128(0x832BF4A6D9867E2A, 0x4B6A09CB61A515C1)),
        WideFloat.Create(false, -1, new UInt128(0x8F005D5EF7F59F9B, 0x5C835E1665C43748)),
        WideFloat.Create(false, -1, new UInt128(0x9A2F80E671BDDA20, 0x4226F8E2204FF3BD)),
        WideFloat.Create(false, -1, new UInt128(0xA4BC7D1934F70924, 0x19A87F2A457DAC9F)),
        WideFloat.Create(false, -1, new UInt128(0xAEAC4C38B4D8C080, 0x14725E2F3E52070A)),
        WideFloat.Create(false, -1, new UInt128(0xB8053E2BC2319E73, 0xCB2DA55210A4443D)),
        WideFloat.Create(false, -1, new UInt128(0xC0CE85B8AC526640, 0x89DD62C46E92FA25)),
        WideFloat.Create(false, -1, new UInt128(0xC90FDAA22168C234, 0xC4C6628B80DC1CD1)),
    ];

    /// <summary>FSIN. <paramref name="outOfRange"/> (C2) means |a| is 2^63 or more and nothing was computed.</summary>
    public static Float80 Sine(Float80 a, out bool outOfRange, ref FloatContext context)
    {
        if (!Reduce(a, out int quadrant, out WideFloat rest, out Float80 special, out outOfRange, ref context))
        {
            return special;
        }

        return a.IsZero ? a : SineOf(quadrant, rest).Round(ref context);
    }

    /// <summary>FCOS. <paramref name="outOfRange"/> (C2) means |a| is 2^63 or more and nothing was computed.</summary>
    public static Float80 Cosine(Float80 a, out bool outOfRange, ref FloatContext context)
    {
        if (!Reduce(a, out int quadrant, out WideFloat rest, out Float80 special, out outOfRange, ref context))
        {
            return special;
        }

        return a.IsZero ? Float80.One : SineOf(quadrant + 1, rest).Round(ref context);
    }

    /// <summary>FSINCOS: the sine, and the cosine, whose rounding is the one that C1 tells of.</summary>
    public static Float80 SineCosine(Float80 a, out Float80 cosine, out bool outOfRange, ref FloatContext context)
    {
        if (!Reduce(a, out int quadrant, out WideFloat rest, out Float80 special, out outOfRange, ref context))
        {
            cosine = special;
            return special;
        }

        if (a.IsZero)
        {
            cosine = Float80.One;
            return a;
        }

        Float80 sine = SineOf(quadrant, rest).Round(ref context);
        cosine = SineOf(quadrant + 1, rest).Round(ref context);
        return sine;
    }

    /// <summary>FPTAN's tangent (the 1.0 pushed after it is the caller's). <paramref name="outOfRange"/> as in <see cref="Sine"/>.</summary>
    public static Float80 Tangent(Float80 a, out bool outOfRange, ref FloatContext context)
    {
        if (!Reduce(a, out int quadrant, out WideFloat rest, out Float80 special, out outOfRange, ref context))
        {
            return special;
        }

        if (a.IsZero)
        {
            return a;
        }

        if (quadrant == 0 && rest.Exponent < -32)
        {
            // tan r = r (1 + z/3 + …), kept above r however small z is.
            UInt128 correction = WideFloat.MultiplyHigh((rest * rest).ToFraction(), s_inverseOdd[1]) | UInt128.One;
            return (rest * (Power(0) + WideFloat.Create(false, -1, correction))).Round(ref context);
        }

        return (SineOf(quadrant, rest) / SineOf(quadrant + 1, rest)).Round(ref context);
    }

    /// <summary>FPATAN: the angle of the point (x, y), from -pi to pi (Intel SDM vol. 2, table 3-30).</summary>
    public static Float80 ArcTangent(Float80 y, Float80 x, ref FloatContext context)
    {
        FloatClass classY = y.Class;
        FloatClass classX = x.Class;
        if (IsNaNOrUnsupported(classY) || IsNaNOrUnsupported(classX))
        {
            return PropagateNaN(y, x, ref context);
        }

        if (DenormalStops(classY, classX, ref context))
        {
            return default;
        }

        bool sign = y.IsNegative;
        WideFloat angle;
        if (classY == FloatClass.Zero || (classX == FloatClass.Infinity && classY != FloatClass.Infinity))
        {
            if (!x.IsNegative)
            {
                return Float80.Zero(sign);
            }

            angle = s_pi;
        }
        else if (classY == FloatClass.Infinity || classX == FloatClass.Zero)
        {
            angle = s_pi * Power(-1);
            if (classX == FloatClass.Infinity)
            {
                angle = x.IsNegative ? angle * WideFloat.Create(false, 0, new UInt128(0xC000_0000_0000_0000, 0)) : angle * Power(-1);
            }
        }
        else
        {
            angle = FiniteArcTangent(WideFloat.From(y.Absolute()), WideFloat.From(x.Absolute()), x.IsNegative);
        }

        return (sign ? -angle : angle).Round(ref context);
    }

    private static WideFloat Power(int exponent) => WideFloat.Create(false, exponent, UInt128.One << 127);

    /// <summary>1 less a fraction, and less something where the fraction is too small to show: the series are never exact.</summary>
    private static WideFloat OneLess(UInt128 fraction) => WideFloat.Create(false, -1, unchecked(UInt128.Zero - (fraction | UInt128.One)));

    private static WideFloat FiniteArcTangent(WideFloat y, WideFloat x, bool negativeX)
    {
        bool swap = WideFloat.CompareMagnitude(y, x) > 0;
        WideFloat angle = swap ? UnitArcTangent(x, y) : UnitArcTangent(y, x);
        if (swap)
        {
            WideFloat right = s_pi * Power(-1);
            return negativeX ? right + angle : right - angle;
        }

        return negativeX ? s_pi - angle : angle;
    }

    /// <summary>atan(n/d) for 0 &lt; n ≤ d, by the nearest sixteenth c: atan(c) + atan((n - c·d) / (d + c·n)).</summary>
    private static WideFloat UnitArcTangent(WideFloat n, WideFloat d)
    {
        int sixteenths = 0;
        int distance = d.Exponent - n.Exponent;
        if (distance < 8)
        {
            // Both leading 32-bit parts, so that the index is right to far within its tolerance.
            ulong top = (ulong)(n.Significand >> 64) >> distance;
            ulong bottom = (ulong)(d.Significand >> 96);
            sixteenths = (int)Math.Min(((top >> 28) + (bottom >> 1)) / bottom, 16);
        }

        WideFloat t;
        if (sixteenths == 0)
        {
            t = n / d;
        }
        else
        {
            WideFloat c = WideFloat.FromInteger(sixteenths) * Power(-4);
            t = (n - (c * d)) / (d + (c * n));
            if (t.IsZero)
            {
                return s_arcTangents[sixteenths];
            }
        }

        // atan t = t (1 - z/3 + z²/5 - …), z = t² below 2^-9.
        UInt128 z = (t * t).ToFraction();
        UInt128 sum = UInt128.Zero;
        for (int k = 14; k >= 1; k--)
        {
            sum = s_inverseOdd[k] - WideFloat.MultiplyHigh(z, sum);
        }

        WideFloat series = OneLess(WideFloat.MultiplyHigh(z, sum));
        return s_arcTangents[sixteenths] + (t * series);
    }

    /// <summary>False where the answer is already known: <paramref name="special"/>, or out of range.</summary>
    private static bool Reduce(Float80 a, out int quadrant, out WideFloat rest, out Float80 special, out bool outOfRange, ref FloatContext context)
    {
        quadrant = 0;
        rest = default;
        special = a;
        outOfRange = false;
        switch (a.Class)
        {
            case FloatClass.Unsupported:
            case FloatClass.NaN:
                special = PropagateNaN(a, ref context);
                return false;
            case FloatClass.Infinity:
                special = context.Invalid();
                return false;
            case FloatClass.Zero:
                return true;
            case FloatClass.Denormal:
                if (context.RaiseDenormal())
                {
                    return false;
                }

                break;
        }

        if (a.Exponent >= TrigonometricLimit)
        {
            outOfRange = true;
            return false;
        }

        rest = WideFloat.From(a);
        int exponent = a.Exponent - Float80.Bias;
        if (exponent < -1)
        {
            return true;
        }

        // |a| in units of 2^-65 fits 128 bits exactly, and so do quotient and remainder.
        UInt128 units = (UInt128)a.Significand << (exponent + 2);
        UInt128 quotient = units / s_halfPi66;
        UInt128 remainder = units - (quotient * s_halfPi66);
        bool negative = a.IsNegative;
        if (remainder > s_halfPi66 >> 1)
        {
            quotient += UInt128.One;
            remainder = s_halfPi66 - remainder;
            negative = !negative;
        }

        quadrant = (int)((ulong)quotient & 3);
        if (a.IsNegative)
        {
            quadrant = -quadrant;
        }

        rest = WideFloat.Create(negative, 127 - 65, remainder);
        return true;
    }

    /// <summary>sin(rest + quadrant · pi/2), |rest| ≤ pi/4.</summary>
    private static WideFloat SineOf(int quadrant, WideFloat rest)
    {
        UInt128 z = (rest * rest).ToFraction();
        bool cosine = (quadrant & 1) != 0;
        UInt128 sum = UInt128.Zero;

        // sin r = r (1 - z (1/3! - z (1/5! - …))), cos r = 1 - z (1/2! - z (1/4! - …)).
        for (int n = cosine ? 36 : 37; n >= 2; n -= 2)
        {
            sum = s_inverseFactorials[n] - WideFloat.MultiplyHigh(z, sum);
        }

        WideFloat series = OneLess(WideFloat.MultiplyHigh(z, sum));
        WideFloat result = cosine ? series : rest * series;
        return (quadrant & 2) != 0 ? -result : result;
    }

    /// <summary>1/n! as fractions of 2^128, from n = 2 on (the first two are 1 and not representable).</summary>
    private static UInt128[] InverseFactorials(int count)
    {
        var table = new UInt128[count];
        UInt128 value = UInt128.MaxValue;
        for (uint n = 2; n < count; n++)
        {
            value /= n;
            table[n] = value;
        }

        return table;
    }

    /// <summary>1/(2k + 1) as fractions of 2^128, from k = 1 on.</summary>
    private static UInt128[] InverseOdd(int count)
    {
        var table = new UInt128[count];
        for (uint k = 1; k < count; k++)
        {
            table[k] = UInt128.MaxValue / ((2 * k) + 1);
        }

        return table;
    }
}
