using System;
using System.Runtime.CompilerServices;

namespace VirtShell.Cpu.Numerics;

/// <summary>
/// x87 arithmetic on 80-bit values: add, subtract, multiply, divide and square root, rounded by precision and rounding
/// control, with the NaN rules of Intel SDM vol. 1, table 4-7 (x87 column) and the exceptions of 8.5.
/// </summary>
internal static partial class Float80Math
{
    public static Float80 Add(Float80 a, Float80 b, ref FloatContext context) => AddSigned(a, b, false, ref context);

    /// <summary>a - b.</summary>
    public static Float80 Subtract(Float80 a, Float80 b, ref FloatContext context) => AddSigned(a, b, true, ref context);

    public static Float80 Multiply(Float80 a, Float80 b, ref FloatContext context)
    {
        FloatClass classA = a.Class;
        FloatClass classB = b.Class;
        bool sign = a.IsNegative != b.IsNegative;
        if (classA != FloatClass.Normal || classB != FloatClass.Normal || context.DenormalSource)
        {
            if (IsNaNOrUnsupported(classA) || IsNaNOrUnsupported(classB))
            {
                return PropagateNaN(a, b, ref context);
            }

            if ((classA == FloatClass.Infinity && classB == FloatClass.Zero) || (classA == FloatClass.Zero && classB == FloatClass.Infinity))
            {
                return context.Invalid();
            }

            if (DenormalStops(classA, classB, ref context))
            {
                return default;
            }

            if (classA == FloatClass.Infinity || classB == FloatClass.Infinity)
            {
                return Float80.Infinity(sign);
            }

            if (classA == FloatClass.Zero || classB == FloatClass.Zero)
            {
                return Float80.Zero(sign);
            }
        }

        int exponent = Float80Round.Unpack(a, out ulong significandA) + Float80Round.Unpack(b, out ulong significandB) - Float80.Bias;
        ulong high = Math.BigMul(significandA, significandB, out ulong low);
        if ((high & Float80.IntegerBit) != 0)
        {
            exponent++;
        }
        else
        {
            high = (high << 1) | (low >> 63);
            low <<= 1;
        }

        return Float80Round.Pack(sign, exponent, high, low, context.Precision, ref context);
    }

    /// <summary>a / b.</summary>
    public static Float80 Divide(Float80 a, Float80 b, ref FloatContext context)
    {
        FloatClass classA = a.Class;
        FloatClass classB = b.Class;
        bool sign = a.IsNegative != b.IsNegative;
        if (classA != FloatClass.Normal || classB != FloatClass.Normal || context.DenormalSource)
        {
            if (IsNaNOrUnsupported(classA) || IsNaNOrUnsupported(classB))
            {
                return PropagateNaN(a, b, ref context);
            }

            if (classA == classB && (classA is FloatClass.Infinity or FloatClass.Zero))
            {
                return context.Invalid();
            }

            if (classB == FloatClass.Zero && classA != FloatClass.Infinity)
            {
                // Takes precedence over a denormal dividend, which then goes unreported.
                context.Raise(FloatExceptions.ZeroDivide);
                return Float80.Infinity(sign);
            }

            if (DenormalStops(classA, classB, ref context))
            {
                return default;
            }

            if (classA == FloatClass.Infinity)
            {
                return Float80.Infinity(sign);
            }

            if (classA == FloatClass.Zero || classB == FloatClass.Infinity)
            {
                return Float80.Zero(sign);
            }
        }

        int exponent = Float80Round.Unpack(a, out ulong dividend) - Float80Round.Unpack(b, out ulong divisor) + Float80.Bias;
        ulong quotient;
        ulong remainder;
        if (dividend >= divisor)
        {
            quotient = Divide128(dividend >> 1, dividend << 63, divisor, out remainder);
        }
        else
        {
            quotient = Divide128(dividend, 0, divisor, out remainder);
            exponent--;
        }

        return Float80Round.Pack(sign, exponent, quotient, RemainderToFraction(remainder, divisor), context.Precision, ref context);
    }

    public static Float80 SquareRoot(Float80 a, ref FloatContext context)
    {
        switch (a.Class)
        {
            case FloatClass.Unsupported:
            case FloatClass.NaN:
                return PropagateNaN(a, ref context);
            case FloatClass.Zero:
                return a;
            case FloatClass.Infinity:
                return a.IsNegative ? context.Invalid() : a;
            case FloatClass.Denormal:
                if (!a.IsNegative && context.RaiseDenormal())
                {
                    return default;
                }

                break;
        }

        if (a.IsNegative)
        {
            return context.Invalid();
        }

        int exponent = Float80Round.Unpack(a, out ulong significand) - Float80.Bias;
        UInt128 radicand = (exponent & 1) != 0 ? new UInt128(significand, 0) : new UInt128(significand >> 1, significand << 63);
        ulong root = IntegerSquareRoot(radicand, out UInt128 remainder);

        // The remainder is at most 2·root; above root it is more than half a unit, and never exactly half.
        ulong fraction = remainder == UInt128.Zero ? 0 : remainder > root ? 0xC000_0000_0000_0000 : 0x4000_0000_0000_0000UL;
        return Float80Round.Pack(false, (exponent >> 1) + Float80.Bias, root, fraction, context.Precision, ref context);
    }

    /// <summary>The quotient of a 128-bit number by a normalised 64-bit one that exceeds its high half.</summary>
    internal static ulong Divide128(ulong high, ulong low, ulong divisor, out ulong remainder)
    {
        // Knuth's algorithm D with base 2^32 digits; the divisor has its top bit set.
        ulong divisorHigh = divisor >> 32;
        ulong divisorLow = (uint)divisor;
        ulong quotientHigh = DivideDigit(high, (uint)(low >> 32), divisor, divisorHigh, divisorLow, out ulong partial);
        ulong quotientLow = DivideDigit(partial, (uint)low, divisor, divisorHigh, divisorLow, out remainder);
        return (quotientHigh << 32) | quotientLow;
    }

    internal static bool IsNaNOrUnsupported(FloatClass value) => value is FloatClass.NaN or FloatClass.Unsupported;

    /// <summary>The result of an operation with one operand that is a NaN or an unsupported encoding.</summary>
    internal static Float80 PropagateNaN(Float80 a, ref FloatContext context)
    {
        if (a.IsUnsupported)
        {
            return context.Invalid();
        }

        if (a.IsSignalingNaN)
        {
            context.Raise(FloatExceptions.Invalid);
        }

        return a.Quiet();
    }

    /// <summary>The result of an operation with two operands of which at least one is a NaN or an unsupported encoding.</summary>
    internal static Float80 PropagateNaN(Float80 a, Float80 b, ref FloatContext context)
    {
        if (a.IsUnsupported || b.IsUnsupported)
        {
            return context.Invalid();
        }

        bool signalingA = a.IsSignalingNaN;
        bool signalingB = b.IsSignalingNaN;
        if (signalingA || signalingB)
        {
            context.Raise(FloatExceptions.Invalid);
        }

        if (!b.IsNaN)
        {
            return a.Quiet();
        }

        if (!a.IsNaN)
        {
            return b.Quiet();
        }

        if (signalingA != signalingB)
        {
            return signalingA ? b : a;
        }

        // Both of a kind: the larger significand, and the positive one where they are equal.
        ulong quietA = a.Significand;
        ulong quietB = b.Significand;
        if (quietA != quietB)
        {
            return quietA > quietB ? a.Quiet() : b.Quiet();
        }

        return a.IsNegative ? b.Quiet() : a.Quiet();
    }

    /// <summary>Reports a denormal operand of either class or of a narrower memory operand; true where that ends the operation.</summary>
    internal static bool DenormalStops(FloatClass classA, FloatClass classB, ref FloatContext context) =>
        (classA == FloatClass.Denormal || classB == FloatClass.Denormal || context.DenormalSource) && context.RaiseDenormal();

    private static Float80 AddSigned(Float80 a, Float80 b, bool subtract, ref FloatContext context)
    {
        FloatClass classA = a.Class;
        FloatClass classB = b.Class;
        bool signA = a.IsNegative;
        bool signB = b.IsNegative != subtract;
        if (classA != FloatClass.Normal || classB != FloatClass.Normal || context.DenormalSource)
        {
            if (IsNaNOrUnsupported(classA) || IsNaNOrUnsupported(classB))
            {
                return PropagateNaN(a, b, ref context);
            }

            if (classA == FloatClass.Infinity && classB == FloatClass.Infinity && signA != signB)
            {
                return context.Invalid();
            }

            if (DenormalStops(classA, classB, ref context))
            {
                return default;
            }

            if (classA == FloatClass.Infinity)
            {
                return a;
            }

            if (classB == FloatClass.Infinity)
            {
                return Float80.Infinity(signB);
            }

            if (classB == FloatClass.Zero)
            {
                if (classA == FloatClass.Zero)
                {
                    return signA == signB ? a : Float80.Zero(context.Rounding == FloatRounding.Down);
                }

                int only = Float80Round.Unpack(a, out ulong significand);
                return Float80Round.Pack(signA, only, significand, 0, context.Precision, ref context);
            }

            if (classA == FloatClass.Zero)
            {
                int only = Float80Round.Unpack(b, out ulong significand);
                return Float80Round.Pack(signB, only, significand, 0, context.Precision, ref context);
            }
        }

        int exponentA = Float80Round.Unpack(a, out ulong significandA);
        int exponentB = Float80Round.Unpack(b, out ulong significandB);
        if (exponentA < exponentB || (exponentA == exponentB && significandA < significandB))
        {
            (exponentA, exponentB) = (exponentB, exponentA);
            (significandA, significandB) = (significandB, significandA);
            (signA, signB) = (signB, signA);
        }

        // One bit of headroom above for the carry; 63 below keep rounding exact beside the sticky bit.
        UInt128 larger = new(significandA >> 1, significandA << 63);
        UInt128 smaller = Float80Round.ShiftRightJam(new UInt128(significandB >> 1, significandB << 63), exponentA - exponentB);
        UInt128 sum = signA == signB ? larger + smaller : larger - smaller;
        return sum == UInt128.Zero
            ? Float80.Zero(context.Rounding == FloatRounding.Down)
            : Float80Round.NormalizeAndPack(signA, exponentA + 1, sum, context.Precision, ref context);
    }

    private static ulong RemainderToFraction(ulong remainder, ulong divisor)
    {
        if (remainder == 0)
        {
            return 0;
        }

        ulong other = divisor - remainder;
        return remainder > other ? 0xC000_0000_0000_0000 : remainder == other ? Float80.IntegerBit : 0x4000_0000_0000_0000;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong DivideDigit(ulong high, uint next, ulong divisor, ulong divisorHigh, ulong divisorLow, out ulong remainder)
    {
        ulong quotient = high / divisorHigh;
        ulong rest = high - (quotient * divisorHigh);
        while (quotient >> 32 != 0 || quotient * divisorLow > ((rest << 32) | next))
        {
            quotient--;
            rest += divisorHigh;
            if (rest >> 32 != 0)
            {
                break;
            }
        }

        remainder = unchecked((high << 32) + next - (quotient * divisor));
        return quotient;
    }

    /// <summary>floor(sqrt(radicand)) for a radicand of at least 2^126, and what is left.</summary>
    private static ulong IntegerSquareRoot(UInt128 radicand, out UInt128 remainder)
    {
        ulong high = (ulong)(radicand >> 64);
        ulong low = (ulong)radicand;
        double estimate = Math.Sqrt(high) * 4294967296.0;
        ulong root = estimate >= 18446744073709549568.0 ? ulong.MaxValue : Math.Max((ulong)estimate, Float80.IntegerBit);

        // One Newton step takes the double's 52 bits beyond 64; the loops below settle the last unit.
        if (high < root)
        {
            ulong quotient = Divide128(high, low, root, out _);
            ulong sum = unchecked(root + quotient);
            root = (sum >> 1) | (sum < root ? Float80.IntegerBit : 0);
        }

        UInt128 square = Math.BigMul(root, root);
        while (square > radicand)
        {
            root--;
            square = Math.BigMul(root, root);
        }

        remainder = radicand - square;
        while (remainder > ((UInt128)root << 1) && root != ulong.MaxValue)
        {
            root++;
            remainder = radicand - Math.BigMul(root, root);
        }

        return root;
    }
}
