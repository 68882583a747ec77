using System;
using System.Runtime.CompilerServices;

namespace VirtShell.Cpu.Numerics;

/// <summary>
/// A floating-point number with a 128-bit significand for the inside of the transcendental functions:
/// (-1)^Negative · Significand / 2^127 · 2^Exponent, with the significand's top bit set unless the number is zero.
/// Operations truncate, so each adds an error below 2^-126 of its result.
/// </summary>
internal readonly struct WideFloat
{
    private static readonly UInt128 s_top = UInt128.One << 127;

    public readonly UInt128 Significand;
    public readonly int Exponent;
    public readonly bool Negative;

    private WideFloat(bool negative, int exponent, UInt128 significand)
    {
        Negative = negative;
        Exponent = exponent;
        Significand = significand;
    }

    public bool IsZero => Significand == UInt128.Zero;

    /// <summary>The number significand / 2^127 · 2^exponent for any significand.</summary>
    public static WideFloat Create(bool negative, int exponent, UInt128 significand)
    {
        int shift = (int)UInt128.LeadingZeroCount(significand);
        return shift == 128 ? default : new WideFloat(negative, exponent - shift, significand << shift);
    }

    /// <summary>The exact value of a finite 80-bit number.</summary>
    public static WideFloat From(Float80 value)
    {
        if (value.IsZero)
        {
            return default;
        }

        int exponent = Float80Round.Unpack(value, out ulong significand);
        return new WideFloat(value.IsNegative, exponent - Float80.Bias, new UInt128(significand, 0));
    }

    public static WideFloat FromInteger(int value) =>
        Create(value < 0, 127, (UInt128)(uint)Math.Abs(value));

    public static WideFloat operator -(WideFloat value) => new(!value.Negative, value.Exponent, value.Significand);

    public static WideFloat operator +(WideFloat a, WideFloat b)
    {
        if (a.IsZero)
        {
            return b;
        }

        if (b.IsZero)
        {
            return a;
        }

        if (CompareMagnitude(a, b) < 0)
        {
            (a, b) = (b, a);
        }

        int distance = a.Exponent - b.Exponent;
        UInt128 smaller = distance > 127 ? UInt128.Zero : b.Significand >> distance;
        if (a.Negative != b.Negative)
        {
            return Create(a.Negative, a.Exponent, a.Significand - smaller);
        }

        UInt128 sum = unchecked(a.Significand + smaller);
        return sum < smaller
            ? new WideFloat(a.Negative, a.Exponent + 1, (sum >> 1) | s_top)
            : new WideFloat(a.Negative, a.Exponent, sum);
    }

    public static WideFloat operator -(WideFloat a, WideFloat b) => a + (-b);

    public static WideFloat operator *(WideFloat a, WideFloat b)
    {
        UInt128 product = MultiplyHigh(a.Significand, b.Significand);
        return Create(a.Negative != b.Negative, a.Exponent + b.Exponent + 1, product);
    }

    public static WideFloat operator /(WideFloat a, WideFloat b)
    {
        if (a.IsZero)
        {
            return default;
        }

        bool negative = a.Negative != b.Negative;
        int exponent = a.Exponent - b.Exponent;
        UInt128 dividend = a.Significand;
        if (dividend >= b.Significand)
        {
            dividend >>= 1;
            exponent++;
        }

        return Create(negative, exponent - 1, DivideFraction(dividend, b.Significand));
    }

    /// <summary>The order of |a| and |b|, both nonzero.</summary>
    public static int CompareMagnitude(WideFloat a, WideFloat b) =>
        a.Exponent != b.Exponent ? a.Exponent.CompareTo(b.Exponent) : a.Significand.CompareTo(b.Significand);

    /// <summary>The high half of the 256-bit product: multiplication of fractions of 2^128.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static UInt128 MultiplyHigh(UInt128 a, UInt128 b)
    {
        ulong a1 = (ulong)(a >> 64);
        ulong a0 = (ulong)a;
        ulong b1 = (ulong)(b >> 64);
        ulong b0 = (ulong)b;
        ulong carry = Math.BigMul(a0, b0, out _);
        UInt128 middle = Math.BigMul(a1, b0);
        UInt128 other = Math.BigMul(a0, b1);
        UInt128 low = (UInt128)carry + (ulong)middle + (ulong)other;
        return Math.BigMul(a1, b1) + (middle >> 64) + (other >> 64) + (low >> 64);
    }

    /// <summary>The magnitude as a fraction of 2^128; it must be below 1.</summary>
    public UInt128 ToFraction()
    {
        int shift = -1 - Exponent;
        return shift > 127 ? UInt128.Zero : Significand >> shift;
    }

    /// <summary>Rounds an inexact result to the 64-bit significand of the x87 format.</summary>
    public Float80 Round(ref FloatContext context) =>
        Float80Round.Pack(Negative, Exponent + Float80.Bias, (ulong)(Significand >> 64), (ulong)Significand | 1, 64, ref context);

    /// <summary>floor(a · 2^128 / b) for a below b and b normalised: two digits of Knuth's algorithm D in base 2^64.</summary>
    private static UInt128 DivideFraction(UInt128 a, UInt128 b)
    {
        ulong high = DivideStep(a, b, out UInt128 rest);
        ulong low = DivideStep(rest, b, out _);
        return new UInt128(high, low);
    }

    private static ulong DivideStep(UInt128 a, UInt128 b, out UInt128 remainder)
    {
        // One 64-bit digit of a · 2^64 / b, a below b.
        ulong a1 = (ulong)(a >> 64);
        ulong a0 = (ulong)a;
        ulong b1 = (ulong)(b >> 64);
        ulong b0 = (ulong)b;
        ulong quotient;
        UInt128 rest;
        if (a1 >= b1)
        {
            quotient = ulong.MaxValue;
            rest = (UInt128)a0 + b1;
        }
        else
        {
            quotient = Float80Math.Divide128(a1, a0, b1, out ulong r);
            rest = r;
        }

        UInt128 product = Math.BigMul(quotient, b0);
        while ((rest >> 64) == UInt128.Zero && product > rest << 64)
        {
            quotient--;
            product -= b0;
            rest += b1;
        }

        // rest · 2^64 - product is below b, so arithmetic modulo 2^128 gives it exactly.
        remainder = unchecked((rest << 64) - product);
        return quotient;
    }
}
