using System.Runtime.CompilerServices;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions;

/// <summary>Operand width of an integer handler, as a type parameter. Values travel zero-extended in 64 bits.</summary>
internal unsafe interface IWidth
{
    static abstract int Bits { get; }

    static abstract int Bytes { get; }

    /// <summary>Reads a register (or host memory).</summary>
    static abstract ulong Get(byte* at);

    /// <summary>Writes a register by its rule: 32-bit results clear the upper half, 8- and 16-bit ones leave it.</summary>
    static abstract void Set(byte* register, ulong value);

    /// <summary>Writes host memory.</summary>
    static abstract void Store(byte* at, ulong value);

    static abstract ulong SignExtend(ulong value);

    static abstract ulong Read(CpuState* s, ulong linear);

    static abstract ulong ReadForWrite(CpuState* s, ulong linear);

    static abstract void Write(CpuState* s, ulong linear, ulong value);
}

internal unsafe struct W8 : IWidth
{
    public static int Bits => 8;

    public static int Bytes => 1;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get(byte* at) => *at;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(byte* register, ulong value) => *register = (byte)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(byte* at, ulong value) => *at = (byte)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong SignExtend(ulong value) => (ulong)(sbyte)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Read(CpuState* s, ulong linear) => Mem.Read<byte>(s, linear);

    public static ulong ReadForWrite(CpuState* s, ulong linear) => Mem.ReadForWrite<byte>(s, linear);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(CpuState* s, ulong linear, ulong value) => Mem.Write(s, linear, (byte)value);
}

internal unsafe struct W16 : IWidth
{
    public static int Bits => 16;

    public static int Bytes => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get(byte* at) => *(ushort*)at;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(byte* register, ulong value) => *(ushort*)register = (ushort)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(byte* at, ulong value) => *(ushort*)at = (ushort)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong SignExtend(ulong value) => (ulong)(short)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Read(CpuState* s, ulong linear) => Mem.Read<ushort>(s, linear);

    public static ulong ReadForWrite(CpuState* s, ulong linear) => Mem.ReadForWrite<ushort>(s, linear);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(CpuState* s, ulong linear, ulong value) => Mem.Write(s, linear, (ushort)value);
}

internal unsafe struct W32 : IWidth
{
    public static int Bits => 32;

    public static int Bytes => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get(byte* at) => *(uint*)at;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(byte* register, ulong value) => *(ulong*)register = (uint)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(byte* at, ulong value) => *(uint*)at = (uint)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong SignExtend(ulong value) => (ulong)(int)value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Read(CpuState* s, ulong linear) => Mem.Read<uint>(s, linear);

    public static ulong ReadForWrite(CpuState* s, ulong linear) => Mem.ReadForWrite<uint>(s, linear);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(CpuState* s, ulong linear, ulong value) => Mem.Write(s, linear, (uint)value);
}

internal unsafe struct W64 : IWidth
{
    public static int Bits => 64;

    public static int Bytes => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get(byte* at) => *(ulong*)at;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(byte* register, ulong value) => *(ulong*)register = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Store(byte* at, ulong value) => *(ulong*)at = value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong SignExtend(ulong value) => value;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Read(CpuState* s, ulong linear) => Mem.Read<ulong>(s, linear);

    public static ulong ReadForWrite(CpuState* s, ulong linear) => Mem.ReadForWrite<ulong>(s, linear);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Write(CpuState* s, ulong linear, ulong value) => Mem.Write(s, linear, value);
}
