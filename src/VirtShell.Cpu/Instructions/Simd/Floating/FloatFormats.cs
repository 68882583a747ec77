using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace VirtShell.Cpu.Instructions.Simd.Floating;

/// <summary>An IEEE 754 format as a type parameter; values travel as bit patterns in the low bits of 64.</summary>
internal unsafe interface IFloatFormat
{
    static abstract int FractionBits { get; }

    /// <summary>The all-ones exponent field.</summary>
    static abstract int MaxExponent { get; }

    static abstract int Bytes { get; }

    static abstract ulong Get(byte* vector, int lane);

    static abstract void Set(byte* vector, int lane, ulong bits);

    static abstract ulong HostAdd(ulong a, ulong b);

    static abstract ulong HostSubtract(ulong a, ulong b);

    static abstract ulong HostMultiply(ulong a, ulong b);

    static abstract ulong HostDivide(ulong a, ulong b);

    static abstract ulong HostSqrt(ulong a);

    static abstract ulong HostFusedMultiplyAdd(ulong a, ulong b, ulong c);
}

/// <summary>binary32.</summary>
internal unsafe struct Binary32 : IFloatFormat
{
    public static int FractionBits => 23;

    public static int MaxExponent => 255;

    public static int Bytes => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get(byte* vector, int lane) => ((uint*)vector)[lane];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(byte* vector, int lane, ulong bits) => ((uint*)vector)[lane] = (uint)bits;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong HostAdd(ulong a, ulong b) => Bits(Value(a) + Value(b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong HostSubtract(ulong a, ulong b) => Bits(Value(a) - Value(b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong HostMultiply(ulong a, ulong b) => Bits(Value(a) * Value(b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong HostDivide(ulong a, ulong b) => Bits(Value(a) / Value(b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong HostSqrt(ulong a) => Bits(MathF.Sqrt(Value(a)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong HostFusedMultiplyAdd(ulong a, ulong b, ulong c) => Bits(MathF.FusedMultiplyAdd(Value(a), Value(b), Value(c)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static float Value(ulong bits) => BitConverter.UInt32BitsToSingle((uint)bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Bits(float value) => BitConverter.SingleToUInt32Bits(value);
}

/// <summary>binary64.</summary>
internal unsafe struct Binary64 : IFloatFormat
{
    public static int FractionBits => 52;

    public static int MaxExponent => 2047;

    public static int Bytes => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get(byte* vector, int lane) => ((ulong*)vector)[lane];

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(byte* vector, int lane, ulong bits) => ((ulong*)vector)[lane] = bits;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong HostAdd(ulong a, ulong b) => Bits(Value(a) + Value(b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong HostSubtract(ulong a, ulong b) => Bits(Value(a) - Value(b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong HostMultiply(ulong a, ulong b) => Bits(Value(a) * Value(b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong HostDivide(ulong a, ulong b) => Bits(Value(a) / Value(b));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong HostSqrt(ulong a) => Bits(Math.Sqrt(Value(a)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong HostFusedMultiplyAdd(ulong a, ulong b, ulong c) => Bits(Math.FusedMultiplyAdd(Value(a), Value(b), Value(c)));

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static double Value(ulong bits) => BitConverter.UInt64BitsToDouble(bits);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static ulong Bits(double value) => BitConverter.DoubleToUInt64Bits(value);
}

/// <summary>binary16, which is only converted.</summary>
internal unsafe struct Binary16 : IFloatFormat
{
    public static int FractionBits => 10;

    public static int MaxExponent => 31;

    public static int Bytes => 2;

    public static ulong Get(byte* vector, int lane) => ((ushort*)vector)[lane];

    public static void Set(byte* vector, int lane, ulong bits) => ((ushort*)vector)[lane] = (ushort)bits;

    [ExcludeFromCodeCoverage(Justification = "Only converted.")]
    public static ulong HostAdd(ulong a, ulong b) => throw new NotSupportedException();

    [ExcludeFromCodeCoverage(Justification = "Only converted.")]
    public static ulong HostSubtract(ulong a, ulong b) => throw new NotSupportedException();

    [ExcludeFromCodeCoverage(Justification = "Only converted.")]
    public static ulong HostMultiply(ulong a, ulong b) => throw new NotSupportedException();

    [ExcludeFromCodeCoverage(Justification = "Only converted.")]
    public static ulong HostDivide(ulong a, ulong b) => throw new NotSupportedException();

    [ExcludeFromCodeCoverage(Justification = "Only converted.")]
    public static ulong HostSqrt(ulong a) => throw new NotSupportedException();

    [ExcludeFromCodeCoverage(Justification = "Only converted.")]
    public static ulong HostFusedMultiplyAdd(ulong a, ulong b, ulong c) => throw new NotSupportedException();
}
