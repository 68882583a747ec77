using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace VirtShell.Cpu.Instructions.Simd.Floating;

/// <summary>Packed conversion of one format to another; as many elements as the wider of both has in the vector.</summary>
internal unsafe struct ConvertFormat<TFrom, TTo> : IVectorOperation
    where TFrom : struct, IFloatFormat
    where TTo : struct, IFloatFormat
{
    public static void Do(ref SimdContext c, byte* result, byte* a, byte* b, int immediate, int bytes)
    {
        // Narrow results fill half of the register, the rest becomes zero; b may be the register that result goes to, never result itself.
        Vector256<byte> values = default;
        int count = bytes / (TFrom.Bytes > TTo.Bytes ? TFrom.Bytes : TTo.Bytes);
        for (int i = 0; i < count; i++)
        {
            TTo.Set((byte*)&values, i, SoftFloat<TFrom>.ConvertTo<TTo>(ref c, TFrom.Get(b, i)));
        }

        *(Vector256<byte>*)result = values;
    }
}

/// <summary>CVTSS2SD, CVTSD2SS.</summary>
internal unsafe struct ConvertScalar<TFrom, TTo> : IVectorOperation
    where TFrom : struct, IFloatFormat
    where TTo : struct, IFloatFormat
{
    public static void Do(ref SimdContext c, byte* result, byte* a, byte* b, int immediate, int bytes)
    {
        ulong low = SoftFloat<TFrom>.ConvertTo<TTo>(ref c, TFrom.Get(b, 0));
        *(Vector128<byte>*)result = *(Vector128<byte>*)a;
        TTo.Set(result, 0, low);
    }
}

/// <summary>CVTSI2SS, CVTSI2SD from a general register or memory.</summary>
internal unsafe struct FromInteger<TF, TInteger> : IVectorOperation
    where TF : struct, IFloatFormat
    where TInteger : unmanaged
{
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Do(ref SimdContext c, byte* result, byte* a, byte* b, int immediate, int bytes)
    {
        ulong low = SoftFloat<TF>.FromInteger(ref c, sizeof(TInteger) == 4 ? *(int*)b : *(long*)b);
        *(Vector128<byte>*)result = *(Vector128<byte>*)a;
        TF.Set(result, 0, low);
    }
}

/// <summary>CVTDQ2PS, CVTDQ2PD: signed doublewords to numbers.</summary>
internal unsafe struct FromIntegers<TF> : IVectorOperation
    where TF : struct, IFloatFormat
{
    public static void Do(ref SimdContext c, byte* result, byte* a, byte* b, int immediate, int bytes)
    {
        for (int i = 0; i < bytes / TF.Bytes; i++)
        {
            TF.Set(result, i, SoftFloat<TF>.FromInteger(ref c, ((int*)b)[i]));
        }
    }
}

/// <summary>How a conversion to integer rounds.</summary>
internal interface IConversion
{
    static abstract int Rounding(ref SimdContext c);
}

internal struct ByControl : IConversion
{
    public static int Rounding(ref SimdContext c) => c.Rounding;
}

internal struct Truncating : IConversion
{
    public static int Rounding(ref SimdContext c) => 3;
}

/// <summary>CVTPS2DQ, CVTPD2DQ and their truncating kin: numbers to signed doublewords.</summary>
internal unsafe struct ToIntegers<TF, TConversion> : IVectorOperation
    where TF : struct, IFloatFormat
    where TConversion : struct, IConversion
{
    public static void Do(ref SimdContext c, byte* result, byte* a, byte* b, int immediate, int bytes)
    {
        Vector256<byte> values = default;
        for (int i = 0; i < bytes / TF.Bytes; i++)
        {
            ((uint*)&values)[i] = (uint)SoftFloat<TF>.ToInteger(ref c, TF.Get(b, i), 32, TConversion.Rounding(ref c));
        }

        *(Vector256<byte>*)result = values;
    }
}
