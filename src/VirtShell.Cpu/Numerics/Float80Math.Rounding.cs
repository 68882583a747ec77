using System.Numerics;

namespace VirtShell.Cpu.Numerics;

/// <summary>FRNDINT, FSCALE, FXTRACT and the comparisons.</summary>
internal static partial class Float80Math
{
    /// <summary>FRNDINT: the nearest integer by rounding control; precision control has no part in it.</summary>
    public static Float80 RoundToInteger(Float80 a, ref FloatContext context)
    {
        switch (a.Class)
        {
            case FloatClass.Unsupported:
            case FloatClass.NaN:
                return PropagateNaN(a, ref context);
            case FloatClass.Zero:
            case FloatClass.Infinity:
                return a;
            case FloatClass.Denormal:
                if (context.RaiseDenormal())
                {
                    return default;
                }

                break;
        }

        int exponent = Float80Round.Unpack(a, out ulong significand) - Float80.Bias;
        if (exponent >= 63)
        {
            return a;
        }

        ulong integer = RoundMagnitude(a.IsNegative, exponent, significand, context.Rounding, out bool inexact, out bool up);
        if (inexact)
        {
            context.Raise(FloatExceptions.Precision);
            context.RoundedUp = up;
        }

        if (integer == 0)
        {
            return Float80.Zero(a.IsNegative);
        }

        int shift = BitOperations.LeadingZeroCount(integer);
        return new Float80(a.IsNegative, Float80.Bias + 63 - shift, integer << shift);
    }

    /// <summary>FSCALE: a · 2^trunc(b).</summary>
    public static Float80 Scale(Float80 a, Float80 b, ref FloatContext context)
    {
        FloatClass classA = a.Class;
        FloatClass classB = b.Class;
        if (IsNaNOrUnsupported(classA) || IsNaNOrUnsupported(classB))
        {
            return PropagateNaN(a, b, ref context);
        }

        if (classB == FloatClass.Infinity
            && ((classA == FloatClass.Zero && !b.IsNegative) || (classA == FloatClass.Infinity && b.IsNegative)))
        {
            return context.Invalid();
        }

        if (DenormalStops(classA, classB, ref context))
        {
            return default;
        }

        if (classA is FloatClass.Zero or FloatClass.Infinity)
        {
            return a;
        }

        if (classB == FloatClass.Infinity)
        {
            return b.IsNegative ? Float80.Zero(a.IsNegative) : Float80.Infinity(a.IsNegative);
        }

        int exponent = Float80Round.Unpack(a, out ulong significand);
        if (classB == FloatClass.Normal)
        {
            // 2^16 more or less than any exponent leaves the range even with the bias adjustment.
            int magnitude = b.Exponent - Float80.Bias;
            int scale = magnitude < 0 ? 0 : magnitude > 16 ? 0x20000 : (int)(b.Significand >> (63 - magnitude));
            exponent += b.IsNegative ? -scale : scale;
        }

        return Float80Round.Pack(a.IsNegative, exponent, significand, 0, 64, ref context);
    }

    /// <summary>FXTRACT: the unbiased exponent as a number, and through <paramref name="significand"/> the value with its exponent made zero.</summary>
    public static Float80 Extract(Float80 a, out Float80 significand, ref FloatContext context)
    {
        switch (a.Class)
        {
            case FloatClass.Unsupported:
            case FloatClass.NaN:
                significand = PropagateNaN(a, ref context);
                return significand;
            case FloatClass.Zero:
                context.Raise(FloatExceptions.ZeroDivide);
                significand = a;
                return Float80.Infinity(true);
            case FloatClass.Infinity:
                significand = a;
                return Float80.Infinity(false);
            case FloatClass.Denormal:
                if (context.RaiseDenormal())
                {
                    significand = default;
                    return default;
                }

                break;
        }

        int exponent = Float80Round.Unpack(a, out ulong bits) - Float80.Bias;
        significand = new Float80(a.IsNegative, Float80.Bias, bits);
        return Float80Convert.FromInt64(exponent);
    }

    /// <summary>
    /// Compares a with b. NaNs and unsupported encodings are unordered; they raise invalid-operation except that a
    /// <paramref name="quiet"/> comparison (FUCOM family) accepts quiet NaNs.
    /// </summary>
    public static FloatOrder Compare(Float80 a, Float80 b, bool quiet, ref FloatContext context)
    {
        FloatClass classA = a.Class;
        FloatClass classB = b.Class;
        if (IsNaNOrUnsupported(classA) || IsNaNOrUnsupported(classB))
        {
            if (!quiet || classA == FloatClass.Unsupported || classB == FloatClass.Unsupported || a.IsSignalingNaN || b.IsSignalingNaN)
            {
                context.Raise(FloatExceptions.Invalid);
            }

            return FloatOrder.Unordered;
        }

        // Unmasked too, the outcome reaches the condition codes.
        DenormalStops(classA, classB, ref context);
        if (classA == FloatClass.Zero && classB == FloatClass.Zero)
        {
            return FloatOrder.Equal;
        }

        if (a.IsNegative != b.IsNegative)
        {
            return a.IsNegative ? FloatOrder.Less : FloatOrder.Greater;
        }

        // Pseudo-denormals have the weight of exponent 1.
        int exponentA = a.Exponent == 0 ? 1 : a.Exponent;
        int exponentB = b.Exponent == 0 ? 1 : b.Exponent;
        int order = exponentA == exponentB || classA == FloatClass.Zero || classB == FloatClass.Zero
            ? a.Significand.CompareTo(b.Significand)
            : exponentA.CompareTo(exponentB);
        if (order == 0)
        {
            return FloatOrder.Equal;
        }

        return (order < 0) != a.IsNegative ? FloatOrder.Less : FloatOrder.Greater;
    }

    /// <summary>Rounds significand · 2^(exponent - 63), an exponent below 64, to an integer magnitude (which can reach 2^64 only by wrapping to zero, at exponent 63 never).</summary>
    internal static ulong RoundMagnitude(bool sign, int exponent, ulong significand, FloatRounding rounding, out bool inexact, out bool up)
    {
        ulong integer;
        ulong discarded;
        if (exponent < 0)
        {
            integer = 0;
            discarded = exponent == -1 ? significand : 1;
        }
        else if (exponent < 63)
        {
            integer = significand >> (63 - exponent);
            discarded = significand << (exponent + 1);
        }
        else
        {
            integer = significand;
            discarded = 0;
        }

        inexact = discarded != 0;
        up = Float80Round.RoundsUp(sign, (integer & 1) != 0, discarded, rounding);
        return up ? integer + 1 : integer;
    }
}
