using System.Runtime.CompilerServices;
using VirtShell.Cpu.Memory;
using VirtShell.Cpu.Numerics;

namespace VirtShell.Cpu.Instructions.X87;

/// <summary>A memory operand as a handler's type parameter, brought into the extended format.</summary>
internal unsafe interface ISource
{
    static abstract int Bytes { get; }

    static abstract Float80 Read(CpuState* s, ulong linear, ref FloatContext context);
}

/// <summary>Whether a handler pops the register stack.</summary>
internal interface IPops
{
    static abstract bool Value { get; }
}

internal struct Keeps : IPops
{
    public static bool Value => false;
}

internal struct Pops : IPops
{
    public static bool Value => true;
}

/// <summary>A single-precision operand whose exceptions the operation reports.</summary>
internal unsafe struct Real32 : ISource
{
    public static int Bytes => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float80 Read(CpuState* s, ulong linear, ref FloatContext context) =>
        Float80Convert.WidenSingle(Mem.Read<uint>(s, linear), ref context);
}

/// <summary>A double-precision operand whose exceptions the operation reports.</summary>
internal unsafe struct Real64 : ISource
{
    public static int Bytes => 8;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float80 Read(CpuState* s, ulong linear, ref FloatContext context) =>
        Float80Convert.WidenDouble(Mem.Read<ulong>(s, linear), ref context);
}

internal unsafe struct Integer16 : ISource
{
    public static int Bytes => 2;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float80 Read(CpuState* s, ulong linear, ref FloatContext context) =>
        Float80Convert.FromInt64(Mem.Read<short>(s, linear));
}

internal unsafe struct Integer32 : ISource
{
    public static int Bytes => 4;

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Float80 Read(CpuState* s, ulong linear, ref FloatContext context) =>
        Float80Convert.FromInt64(Mem.Read<int>(s, linear));
}
