using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace VirtShell.Cpu.Instructions.Simd.Floating;

/// <summary>One element of a floating-point operation.</summary>
internal interface IFloatLane
{
    static abstract ulong Do<TF>(ref SimdContext c, ulong a, ulong b, int immediate)
        where TF : struct, IFloatFormat;
}

/// <summary>The operation in every element.</summary>
internal unsafe struct EachLane<TF, TLane> : IVectorOperation
    where TF : struct, IFloatFormat
    where TLane : struct, IFloatLane
{
    public static void Do(ref SimdContext c, byte* result, byte* a, byte* b, int immediate, int bytes)
    {
        for (int i = 0; i < bytes / TF.Bytes; i++)
        {
            TF.Set(result, i, TLane.Do<TF>(ref c, TF.Get(a, i), TF.Get(b, i), immediate));
        }
    }
}

/// <summary>The operation in the low element; the others come from the first source.</summary>
internal unsafe struct LowLane<TF, TLane> : IVectorOperation
    where TF : struct, IFloatFormat
    where TLane : struct, IFloatLane
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Do(ref SimdContext c, byte* result, byte* a, byte* b, int immediate, int bytes)
    {
        ulong low = TLane.Do<TF>(ref c, TF.Get(a, 0), TF.Get(b, 0), immediate);
        *(Vector128<byte>*)result = *(Vector128<byte>*)a;
        TF.Set(result, 0, low);
    }
}

/// <summary>Subtraction in the even elements, addition in the odd ones.</summary>
internal unsafe struct Alternating<TF> : IVectorOperation
    where TF : struct, IFloatFormat
{
    public static void Do(ref SimdContext c, byte* result, byte* a, byte* b, int immediate, int bytes)
    {
        for (int i = 0; i < bytes / TF.Bytes; i++)
        {
            ulong x = TF.Get(a, i);
            ulong y = TF.Get(b, i);
            TF.Set(result, i, (i & 1) != 0 ? FloatAdd.Do<TF>(ref c, x, y, 0) : FloatSubtract.Do<TF>(ref c, x, y, 0));
        }
    }
}

/// <summary>HADD and HSUB: neighbours meet, in each 128-bit lane those of the first source, then those of the second.</summary>
internal unsafe struct Horizontal<TF, TLane> : IVectorOperation
    where TF : struct, IFloatFormat
    where TLane : struct, IFloatLane
{
    public static void Do(ref SimdContext c, byte* result, byte* a, byte* b, int immediate, int bytes)
    {
        int half = 8 / TF.Bytes;
        ulong* values = stackalloc ulong[8];
        for (int at = 0; at < bytes; at += 16)
        {
            for (int i = 0; i < half; i++)
            {
                values[i] = TLane.Do<TF>(ref c, TF.Get(a + at, 2 * i), TF.Get(a + at, (2 * i) + 1), 0);
                values[i + half] = TLane.Do<TF>(ref c, TF.Get(b + at, 2 * i), TF.Get(b + at, (2 * i) + 1), 0);
            }

            for (int i = 0; i < 2 * half; i++)
            {
                TF.Set(result + at, i, values[i]);
            }
        }
    }
}

/// <summary>DPPS and DPPD: products chosen by imm[7:4], their sum to the elements of imm[3:0].</summary>
internal unsafe struct DotProduct<TF> : IVectorOperation
    where TF : struct, IFloatFormat
{
    public static void Do(ref SimdContext c, byte* result, byte* a, byte* b, int immediate, int bytes)
    {
        int count = 16 / TF.Bytes;
        ulong* sums = stackalloc ulong[8];
        for (int i = 0; i < bytes / TF.Bytes; i++)
        {
            sums[i] = (immediate & (16 << (i % count))) != 0 ? FloatMultiply.Do<TF>(ref c, TF.Get(a, i), TF.Get(b, i), 0) : 0;
        }

        // Each stage ends the instruction where it raises something that is not masked (SDM Vol. 2, DPPS).
        for (int width = bytes / TF.Bytes / 2; width >= bytes / 16 && c.EndStage(); width /= 2)
        {
            for (int i = 0; i < width; i++)
            {
                sums[i] = FloatAdd.Do<TF>(ref c, sums[2 * i], sums[(2 * i) + 1], 0);
            }
        }

        for (int i = 0; i < bytes / TF.Bytes; i++)
        {
            TF.Set(result, i, (immediate & (1 << (i % count))) != 0 ? sums[i / count] : 0);
        }
    }
}

internal struct FloatAdd : IFloatLane
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Do<TF>(ref SimdContext c, ulong a, ulong b, int immediate)
        where TF : struct, IFloatFormat
    {
        if (c.IsFast)
        {
            ulong result = TF.HostAdd(a, b);
            if (SoftFloat<TF>.IsPlain(result) && SoftFloat<TF>.IsOrdinary(a) && SoftFloat<TF>.IsOrdinary(b))
            {
                return result;
            }
        }

        return SoftFloat<TF>.Add(ref c, a, b);
    }
}

internal struct FloatSubtract : IFloatLane
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Do<TF>(ref SimdContext c, ulong a, ulong b, int immediate)
        where TF : struct, IFloatFormat
    {
        if (c.IsFast)
        {
            ulong result = TF.HostSubtract(a, b);
            if (SoftFloat<TF>.IsPlain(result) && SoftFloat<TF>.IsOrdinary(a) && SoftFloat<TF>.IsOrdinary(b))
            {
                return result;
            }
        }

        return SoftFloat<TF>.Add(ref c, a, b, subtract: true);
    }
}

internal struct FloatMultiply : IFloatLane
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Do<TF>(ref SimdContext c, ulong a, ulong b, int immediate)
        where TF : struct, IFloatFormat
    {
        if (c.IsFast)
        {
            ulong result = TF.HostMultiply(a, b);
            if (SoftFloat<TF>.IsPlain(result) && SoftFloat<TF>.IsOrdinary(a) && SoftFloat<TF>.IsOrdinary(b))
            {
                return result;
            }
        }

        return SoftFloat<TF>.Multiply(ref c, a, b);
    }
}

internal struct FloatDivide : IFloatLane
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Do<TF>(ref SimdContext c, ulong a, ulong b, int immediate)
        where TF : struct, IFloatFormat
    {
        if (c.IsFast)
        {
            ulong result = TF.HostDivide(a, b);
            if (SoftFloat<TF>.IsPlain(result) && SoftFloat<TF>.IsOrdinary(a) && SoftFloat<TF>.IsOrdinary(b))
            {
                return result;
            }
        }

        return SoftFloat<TF>.Divide(ref c, a, b);
    }
}

internal struct FloatSqrt : IFloatLane
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Do<TF>(ref SimdContext c, ulong a, ulong b, int immediate)
        where TF : struct, IFloatFormat
    {
        if (c.IsFast)
        {
            ulong result = TF.HostSqrt(b);
            if (SoftFloat<TF>.IsPlain(result) && SoftFloat<TF>.IsOrdinary(b))
            {
                return result;
            }
        }

        return SoftFloat<TF>.Sqrt(ref c, b);
    }
}

internal struct FloatMinimum : IFloatLane
{
    public static ulong Do<TF>(ref SimdContext c, ulong a, ulong b, int immediate)
        where TF : struct, IFloatFormat => SoftFloat<TF>.Extreme(ref c, a, b, maximum: false);
}

internal struct FloatMaximum : IFloatLane
{
    public static ulong Do<TF>(ref SimdContext c, ulong a, ulong b, int immediate)
        where TF : struct, IFloatFormat => SoftFloat<TF>.Extreme(ref c, a, b, maximum: true);
}

/// <summary>CMPPS and its kin; legacy forms have predicates 0 to 7, VEX forms 0 to 31.</summary>
internal struct FloatCompare<TForm> : IFloatLane
    where TForm : struct, IForm
{
    // For predicates 0 to 15 (SDM Vol. 2, table 3-1): the outcomes that hold, 1 less, 2 equal, 4 greater, 8 unordered.
    private const ulong Outcomes = 0xF465_0B9A_7CED_8312;

    // The predicates among 0 to 15 that raise #I for quiet NaNs; 16 to 31 have it the other way round.
    private const int SignalingPredicates = 0b0110_0110_0110_0110;

    public static ulong Do<TF>(ref SimdContext c, ulong a, ulong b, int immediate)
        where TF : struct, IFloatFormat
    {
        int predicate = immediate & (TForm.IsVex ? 31 : 7);
        bool signaling = ((SignalingPredicates >> (predicate & 15)) & 1) != predicate >> 4;
        int outcome = SoftFloat<TF>.Compare(ref c, a, b, signaling);
        return ((int)(Outcomes >> (4 * (predicate & 15))) & outcome) != 0 ? ulong.MaxValue : 0;
    }
}

/// <summary>ROUNDPS and its kin: imm[1:0] the rounding unless imm[2] asks for MXCSR's, imm[3] without #P.</summary>
internal struct FloatRound : IFloatLane
{
    public static ulong Do<TF>(ref SimdContext c, ulong a, ulong b, int immediate)
        where TF : struct, IFloatFormat =>
        SoftFloat<TF>.RoundToIntegral(ref c, b, (immediate & 4) != 0 ? c.Rounding : immediate & 3, (immediate & 8) != 0);
}

/// <summary>RCPPS: the reciprocal to 12 bits; denormals count as zero, tiny results become zero, nothing is raised.</summary>
internal struct FloatReciprocal : IFloatLane
{
    public static ulong Do<TF>(ref SimdContext c, ulong a, ulong b, int immediate)
        where TF : struct, IFloatFormat => Estimate.Reciprocal((uint)b);
}

/// <summary>RSQRTPS: the reciprocal square root to 12 bits.</summary>
internal struct FloatReciprocalSqrt : IFloatLane
{
    public static ulong Do<TF>(ref SimdContext c, ulong a, ulong b, int immediate)
        where TF : struct, IFloatFormat => Estimate.ReciprocalSqrt((uint)b);
}
