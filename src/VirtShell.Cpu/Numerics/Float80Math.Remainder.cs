using System;

namespace VirtShell.Cpu.Numerics;

/// <summary>FPREM and FPREM1: the exact partial remainder (Intel SDM vol. 2, FPREM; AMD APM vol. 5, FPREM).</summary>
internal static partial class Float80Math
{
    /// <summary>
    /// The remainder of a by b, truncating (<paramref name="nearest"/> false: FPREM) or to nearest (FPREM1).
    /// <paramref name="quotient"/> receives the quotient's low bits (three are architectural), and
    /// <paramref name="partial"/> is set where the exponents differ by 64 or more, so that the reduction is incomplete (C2).
    /// </summary>
    public static Float80 Remainder(Float80 a, Float80 b, bool nearest, out ulong quotient, out bool partial, ref FloatContext context)
    {
        quotient = 0;
        partial = false;
        FloatClass classA = a.Class;
        FloatClass classB = b.Class;
        if (IsNaNOrUnsupported(classA) || IsNaNOrUnsupported(classB))
        {
            return PropagateNaN(a, b, ref context);
        }

        if (classA == FloatClass.Infinity || classB == FloatClass.Zero)
        {
            return context.Invalid();
        }

        if (DenormalStops(classA, classB, ref context))
        {
            return default;
        }

        if (classA == FloatClass.Zero)
        {
            return a;
        }

        bool sign = a.IsNegative;
        int exponentA = Float80Round.Unpack(a, out ulong significandA);
        if (classB == FloatClass.Infinity)
        {
            return Float80Round.Pack(sign, exponentA, significandA, 0, 64, ref context);
        }

        int exponentB = Float80Round.Unpack(b, out ulong significandB);
        int difference = exponentA - exponentB;
        if (difference < -1 || (difference < 0 && !nearest))
        {
            return Float80Round.Pack(sign, exponentA, significandA, 0, 64, ref context);
        }

        if (difference >= 64)
        {
            // The reduction per step is up to the implementation, 32 to 63; AMD's and the 387's choice keeps D mod 32.
            partial = true;
            int step = (difference & 31) | 32;
            ulong rest = Reduce(significandA, significandB, step, out _);
            return rest == 0
                ? Float80.Zero(sign)
                : Float80Round.NormalizeAndPack(sign, exponentB + difference - step, new UInt128(rest, 0), 64, ref context);
        }

        ulong remainder;
        int exponent;
        if (difference < 0)
        {
            // |a| < |b|, but perhaps more than half of it; both in units of a's last place.
            if (significandA <= significandB)
            {
                return Float80Round.Pack(sign, exponentA, significandA, 0, 64, ref context);
            }

            quotient = 1;
            sign = !sign;
            remainder = unchecked((significandB << 1) - significandA);
            exponent = exponentA;
        }
        else
        {
            remainder = Reduce(significandA, significandB, difference, out quotient);
            exponent = exponentB;
            if (nearest)
            {
                ulong other = significandB - remainder;
                if (remainder > other || (remainder == other && (quotient & 1) != 0))
                {
                    quotient++;
                    sign = !sign;
                    remainder = other;
                }
            }
        }

        return remainder == 0
            ? Float80.Zero(sign)
            : Float80Round.NormalizeAndPack(sign, exponent, new UInt128(remainder, 0), 64, ref context);
    }

    /// <summary>(a · 2^shift) mod b for normalised a and b and a shift of 0 to 63, with the quotient's low 64 bits.</summary>
    private static ulong Reduce(ulong a, ulong b, int shift, out ulong quotient)
    {
        quotient = 0;
        if (a >= b)
        {
            a -= b;
            quotient = 1UL << shift;
        }

        if (shift == 0)
        {
            return a;
        }

        quotient += Divide128(a >> (64 - shift), a << shift, b, out ulong remainder);
        return remainder;
    }
}
