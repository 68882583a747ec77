using System;
using System.Numerics;
using System.Runtime.CompilerServices;

namespace VirtShell.Cpu.Instructions.Simd.Floating;

/// <summary>
/// Exact arithmetic on a format with SSE's rules for NaNs, denormals, rounding and exceptions (SDM Vol. 1 §4.8, §11.5). Finite
/// numbers are taken apart as a significand with bit 63 set and an exponent: significand · 2^(exponent − 63).
/// </summary>
internal static partial class SoftFloat<TF>
    where TF : struct, IFloatFormat
{
    private static ulong FractionMask => (1UL << TF.FractionBits) - 1;

    private static ulong SignBit => 1UL << ((TF.Bytes * 8) - 1);

    private static ulong Infinity => (ulong)TF.MaxExponent << TF.FractionBits;

    private static ulong QuietBit => 1UL << (TF.FractionBits - 1);

    private static int Bias => TF.MaxExponent >> 1;

    /// <summary>The QNaN floating-point indefinite, the masked response to an invalid operation.</summary>
    private static ulong Indefinite => SignBit | Infinity | QuietBit;

    /// <summary>Normal and not at the lower edge of the range, where underflow is decided.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsPlain(ulong bits) => (((bits >> TF.FractionBits) & (ulong)TF.MaxExponent) - 2) < (ulong)TF.MaxExponent - 2;

    /// <summary>Not a denormal.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsOrdinary(ulong bits) => (bits & Infinity) != 0 || (bits & FractionMask) == 0;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsNaN(ulong bits) => (bits & ~SignBit) > Infinity;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static bool IsSignaling(ulong bits) => IsNaN(bits) && (bits & QuietBit) == 0;

    public static bool IsNegative(ulong bits) => (bits & SignBit) != 0;

    public static bool IsZero(ulong bits) => (bits & ~SignBit) == 0;

    public static bool IsInfinity(ulong bits) => (bits & ~SignBit) == Infinity;

    /// <summary>A denormal operand: zero under DAZ, otherwise the denormal exception.</summary>
    public static ulong Operand(ref SimdContext c, ulong bits)
    {
        if (IsOrdinary(bits))
        {
            return bits;
        }

        if (c.ZeroesDenormals)
        {
            return bits & SignBit;
        }

        c.Flags |= SimdContext.Denormal;
        return bits;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static ulong Add(ref SimdContext c, ulong a, ulong b, bool subtract = false)
    {
        if (TryNaN(ref c, a, b, out ulong nan))
        {
            return nan;
        }

        a = Operand(ref c, a);
        b = Operand(ref c, b) ^ (subtract ? SignBit : 0);
        if (IsInfinity(a))
        {
            return IsInfinity(b) && a != b ? Refuse(ref c) : a;
        }

        if (IsInfinity(b))
        {
            return b;
        }

        if (IsZero(a) && IsZero(b))
        {
            return a == b ? a : ZeroSum(ref c);
        }

        (bool negativeA, int exponentA, ulong significandA) = Unpack(a);
        (bool negativeB, int exponentB, ulong significandB) = Unpack(b);
        return Sum(ref c, negativeA, exponentA, (UInt128)significandA << 62, negativeB, exponentB, (UInt128)significandB << 62);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static ulong Multiply(ref SimdContext c, ulong a, ulong b)
    {
        if (TryNaN(ref c, a, b, out ulong nan))
        {
            return nan;
        }

        a = Operand(ref c, a);
        b = Operand(ref c, b);
        ulong sign = (a ^ b) & SignBit;
        if (IsInfinity(a) || IsInfinity(b))
        {
            return IsZero(a) || IsZero(b) ? Refuse(ref c) : sign | Infinity;
        }

        if (IsZero(a) || IsZero(b))
        {
            return sign;
        }

        (_, int exponentA, ulong significandA) = Unpack(a);
        (_, int exponentB, ulong significandB) = Unpack(b);
        return Normalize(ref c, sign != 0, exponentA + exponentB + 1, (UInt128)significandA * significandB);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static ulong Divide(ref SimdContext c, ulong a, ulong b)
    {
        if (TryNaN(ref c, a, b, out ulong nan))
        {
            return nan;
        }

        uint before = c.Flags;
        a = Operand(ref c, a);
        b = Operand(ref c, b);
        ulong sign = (a ^ b) & SignBit;
        if (IsInfinity(a))
        {
            return IsInfinity(b) ? Refuse(ref c) : sign | Infinity;
        }

        if (IsInfinity(b))
        {
            return sign;
        }

        if (IsZero(b))
        {
            if (IsZero(a))
            {
                return Refuse(ref c);
            }

            c.Flags = before | SimdContext.ZeroDivide;
            return sign | Infinity;
        }

        if (IsZero(a))
        {
            return sign;
        }

        (_, int exponentA, ulong significandA) = Unpack(a);
        (_, int exponentB, ulong significandB) = Unpack(b);
        bool less = significandA < significandB;
        UInt128 dividend = (UInt128)significandA << (less ? 64 : 63);
        (UInt128 quotient, UInt128 remainder) = UInt128.DivRem(dividend, significandB);
        ulong significand = (ulong)quotient | (remainder != UInt128.Zero ? 1UL : 0);
        return Round(ref c, sign != 0, exponentA - exponentB - (less ? 1 : 0), significand);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    public static ulong Sqrt(ref SimdContext c, ulong a)
    {
        if (TryNaN(ref c, a, a, out ulong nan))
        {
            return nan;
        }

        uint before = c.Flags;
        a = Operand(ref c, a);
        if (IsZero(a))
        {
            return a;
        }

        if (IsNegative(a))
        {
            c.Flags = before;
            return Refuse(ref c);
        }

        if (IsInfinity(a))
        {
            return a;
        }

        (_, int exponent, ulong significand) = Unpack(a);
        bool odd = (exponent & 1) != 0;
        UInt128 square = (UInt128)significand << (odd ? 64 : 63);
        UInt128 root = UInt128.Zero;
        for (int bit = 63; bit >= 0; bit--)
        {
            UInt128 attempt = root | (UInt128.One << bit);
            root = attempt * attempt <= square ? attempt : root;
        }

        ulong result = (ulong)root | (root * root != square ? 1UL : 0);
        return Round(ref c, false, exponent >> 1, result);
    }

    /// <summary>a · b + c with one rounding; the signs of the product and the addend are changed as asked, those of NaNs never.</summary>
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static ulong FusedMultiplyAdd(ref SimdContext context, ulong a, ulong b, ulong c, bool negateProduct, bool negateAddend)
    {
        if (IsNaN(a) || IsNaN(b) || IsNaN(c))
        {
            if (IsSignaling(a) || IsSignaling(b) || IsSignaling(c))
            {
                context.Flags |= SimdContext.Invalid;
            }

            return (IsNaN(a) ? a : IsNaN(b) ? b : c) | QuietBit;
        }

        uint before = context.Flags;
        a = Operand(ref context, a);
        b = Operand(ref context, b);
        c = Operand(ref context, c) ^ (negateAddend ? SignBit : 0);
        ulong sign = ((a ^ b) & SignBit) ^ (negateProduct ? SignBit : 0);
        if (IsInfinity(a) || IsInfinity(b))
        {
            if (IsZero(a) || IsZero(b) || (IsInfinity(c) && (c & SignBit) != sign))
            {
                context.Flags = before;
                return Refuse(ref context);
            }

            return sign | Infinity;
        }

        if (IsInfinity(c))
        {
            return c;
        }

        if (IsZero(a) || IsZero(b))
        {
            if (IsZero(c))
            {
                return sign == (c & SignBit) ? c : ZeroSum(ref context);
            }

            (bool negative, int exponent, ulong significand) = Unpack(c);
            return Round(ref context, negative, exponent, significand);
        }

        (_, int exponentA, ulong significandA) = Unpack(a);
        (_, int exponentB, ulong significandB) = Unpack(b);
        UInt128 product = ((UInt128)significandA * significandB) >> 1;
        if (IsZero(c))
        {
            return Normalize(ref context, sign != 0, exponentA + exponentB + 2, product);
        }

        // The product has at most 106 significant bits, so that the shift loses none.
        (bool negativeC, int exponentC, ulong significandC) = Unpack(c);
        return Sum(ref context, sign != 0, exponentA + exponentB, product, negativeC, exponentC, (UInt128)significandC << 62);
    }

    /// <summary>MIN and MAX: the second source wherever the comparison says nothing else (SDM Vol. 2, MINPS).</summary>
    public static ulong Extreme(ref SimdContext c, ulong a, ulong b, bool maximum)
    {
        if (IsNaN(a) || IsNaN(b))
        {
            c.Flags |= SimdContext.Invalid;
            return IsOrdinary(b) || !c.ZeroesDenormals ? b : b & SignBit;
        }

        a = Operand(ref c, a);
        b = Operand(ref c, b);
        if (IsZero(a) && IsZero(b))
        {
            return b;
        }

        return maximum ? (Rank(a) > Rank(b) ? a : b) : Rank(a) < Rank(b) ? a : b;
    }

    /// <summary>Compares: 1 less, 2 equal, 4 greater, 8 unordered.</summary>
    public static int Compare(ref SimdContext c, ulong a, ulong b, bool signaling)
    {
        if (IsNaN(a) || IsNaN(b))
        {
            if (signaling || IsSignaling(a) || IsSignaling(b))
            {
                c.Flags |= SimdContext.Invalid;
            }

            return 8;
        }

        a = Operand(ref c, a);
        b = Operand(ref c, b);
        long x = Rank(a);
        long y = Rank(b);
        return x < y ? 1 : x == y ? 2 : 4;
    }

    // Order of the numbers as integers; both zeros are 0.
    private static long Rank(ulong bits) => IsNegative(bits) ? -(long)(bits & ~SignBit) : (long)bits;

    private static bool TryNaN(ref SimdContext c, ulong a, ulong b, out ulong nan)
    {
        if (!IsNaN(a) && !IsNaN(b))
        {
            nan = 0;
            return false;
        }

        if (IsSignaling(a) || IsSignaling(b))
        {
            c.Flags |= SimdContext.Invalid;
        }

        nan = (IsNaN(a) ? a : b) | QuietBit;
        return true;
    }

    private static ulong Refuse(ref SimdContext c)
    {
        c.Flags |= SimdContext.Invalid;
        return Indefinite;
    }

    private static ulong ZeroSum(ref SimdContext c) => c.Rounding == 1 ? SignBit : 0;

    /// <summary>Takes a finite number apart; zero has significand 0.</summary>
    private static (bool Negative, int Exponent, ulong Significand) Unpack(ulong bits)
    {
        int exponent = (int)(bits >> TF.FractionBits) & TF.MaxExponent;
        ulong fraction = bits & FractionMask;
        if (exponent != 0)
        {
            return (IsNegative(bits), exponent - Bias, (fraction | (1UL << TF.FractionBits)) << (63 - TF.FractionBits));
        }

        if (fraction == 0)
        {
            return (IsNegative(bits), int.MinValue / 4, 0);
        }

        int shift = BitOperations.LeadingZeroCount(fraction);
        return (IsNegative(bits), 1 - Bias + (63 - TF.FractionBits) - shift, fraction << shift);
    }

    /// <summary>Sum of two numbers whose significands stand with their units at bit 125.</summary>
    private static ulong Sum(ref SimdContext c, bool negativeA, int exponentA, UInt128 a, bool negativeB, int exponentB, UInt128 b)
    {
        if (exponentA < exponentB)
        {
            (negativeA, negativeB) = (negativeB, negativeA);
            (exponentA, exponentB) = (exponentB, exponentA);
            (a, b) = (b, a);
        }

        b = ShiftRightJam(b, exponentA - exponentB);
        if (negativeA == negativeB)
        {
            return Normalize(ref c, negativeA, exponentA + 2, a + b);
        }

        if (a == b)
        {
            return ZeroSum(ref c);
        }

        return a > b ? Normalize(ref c, negativeA, exponentA + 2, a - b) : Normalize(ref c, negativeB, exponentA + 2, b - a);
    }

    private static UInt128 ShiftRightJam(UInt128 value, int count)
    {
        if (count == 0)
        {
            return value;
        }

        if (count >= 128)
        {
            return value != UInt128.Zero ? UInt128.One : UInt128.Zero;
        }

        return (value >> count) | ((value << (128 - count)) != UInt128.Zero ? UInt128.One : UInt128.Zero);
    }

    /// <summary>Rounds a non-zero 128-bit significand; <paramref name="exponent"/> is that of bit 127.</summary>
    private static ulong Normalize(ref SimdContext c, bool negative, int exponent, UInt128 significand)
    {
        int shift = (int)UInt128.LeadingZeroCount(significand);
        significand <<= shift;
        return Round(ref c, negative, exponent - shift, (ulong)(significand >> 64) | ((ulong)significand != 0 ? 1UL : 0));
    }

    private static bool RoundsUp(int rounding, bool negative, bool odd, ulong rest, ulong half) => rounding switch
    {
        0 => rest > half || (rest == half && odd),
        1 => negative && rest != 0,
        2 => !negative && rest != 0,
        _ => false,
    };

    /// <summary>Rounds a significand with bit 63 set, whose bit 0 also stands for everything below it, to the format.</summary>
    private static ulong Round(ref SimdContext c, bool negative, int exponent, ulong significand, bool flush = true)
    {
        if (significand == 0)
        {
            return negative ? SignBit : 0;
        }

        int drop = 63 - TF.FractionBits;
        int biased = exponent + Bias;
        ulong sign = negative ? SignBit : 0;
        ulong rest = significand & ((1UL << drop) - 1);
        ulong kept = significand >> drop;
        kept += RoundsUp(c.Rounding, negative, (kept & 1) != 0, rest, 1UL << (drop - 1)) ? 1UL : 0;
        bool carried = kept >> (TF.FractionBits + 1) != 0;
        if (biased <= 0)
        {
            bool tiny = biased < 0 || !carried;
            if (tiny && !c.IsUnderflowMasked)
            {
                // As above: exact with an unbounded exponent is exact (SDM Vol. 1 §4.9.1.5). Nothing is stored.
                c.Flags |= SimdContext.Underflow | (rest != 0 ? SimdContext.Precision : 0);
                return sign;
            }

            return RoundSmall(ref c, negative, biased, significand, tiny, flush);
        }

        if (carried)
        {
            kept >>= 1;
            biased++;
        }

        if (biased >= TF.MaxExponent)
        {
            // What an unmasked exception's handler is owed is the result of an unbounded exponent (SDM Vol. 1 §4.9.1.4).
            c.Flags |= SimdContext.Overflow | (c.IsOverflowMasked || rest != 0 ? SimdContext.Precision : 0);
            bool infinite = c.Rounding switch { 0 => true, 1 => negative, 2 => !negative, _ => false };
            return sign | (infinite ? Infinity : Infinity - 1);
        }

        c.Flags |= rest != 0 ? SimdContext.Precision : 0;
        return sign | ((ulong)biased << TF.FractionBits) | (kept & FractionMask);
    }

    private static ulong RoundSmall(ref SimdContext c, bool negative, int biased, ulong significand, bool tiny, bool flush)
    {
        ulong sign = negative ? SignBit : 0;
        if (tiny && flush && c.FlushesToZero)
        {
            c.Flags |= SimdContext.Underflow | SimdContext.Precision;
            return sign;
        }

        int drop = 64 - TF.FractionBits - biased;
        ulong kept;
        ulong rest;
        if (drop > 64)
        {
            kept = 0;
            rest = 1;
        }
        else if (drop == 64)
        {
            kept = 0;
            rest = significand;
        }
        else
        {
            kept = significand >> drop;
            rest = significand & ((1UL << drop) - 1);
        }

        // Beyond 64 bits everything is less than half.
        ulong half = drop > 64 ? ulong.MaxValue : 1UL << (drop - 1);
        kept += RoundsUp(c.Rounding, negative, (kept & 1) != 0, rest, half) ? 1UL : 0;
        c.Flags |= rest != 0 ? SimdContext.Precision : 0;
        c.Flags |= tiny && rest != 0 ? SimdContext.Underflow : 0;
        return sign | kept;
    }
}
