using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;

namespace VirtShell.Cpu.Execution;

/// <summary>Exception vectors (SDM Vol. 3A §6.3.1).</summary>
internal static class Vector
{
    public const int DivideError = 0;
    public const int Debug = 1;
    public const int Nmi = 2;
    public const int Breakpoint = 3;
    public const int Overflow = 4;
    public const int BoundRange = 5;
    public const int InvalidOpcode = 6;
    public const int DeviceNotAvailable = 7;
    public const int DoubleFault = 8;
    public const int InvalidTss = 10;
    public const int SegmentNotPresent = 11;
    public const int StackFault = 12;
    public const int GeneralProtection = 13;
    public const int PageFault = 14;
    public const int FloatingPoint = 16;
    public const int AlignmentCheck = 17;
    public const int MachineCheck = 18;
    public const int Simd = 19;
}

/// <summary>
/// Raises guest exceptions from instruction handlers and memory accesses. A handler raises before it changes any
/// architectural state; the instruction then has not happened.
/// </summary>
internal static unsafe class Fault
{
    /// <summary>#UD.</summary>
    [DoesNotReturn]
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void InvalidOpcode(CpuState* s) => CpuState.Of(s).ThrowFault(Vector.InvalidOpcode, 0, false);

    /// <summary>#GP with an error code.</summary>
    [DoesNotReturn]
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void GeneralProtection(CpuState* s, uint error = 0) => CpuState.Of(s).ThrowFault(Vector.GeneralProtection, error, true);

    /// <summary>#SS with an error code.</summary>
    [DoesNotReturn]
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void StackFault(CpuState* s, uint error = 0) => CpuState.Of(s).ThrowFault(Vector.StackFault, error, true);

    /// <summary>#NP with an error code.</summary>
    [DoesNotReturn]
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void NotPresent(CpuState* s, uint error) => CpuState.Of(s).ThrowFault(Vector.SegmentNotPresent, error, true);

    /// <summary>#TS with an error code.</summary>
    [DoesNotReturn]
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void InvalidTss(CpuState* s, uint error) => CpuState.Of(s).ThrowFault(Vector.InvalidTss, error, true);

    /// <summary>#DE.</summary>
    [DoesNotReturn]
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void DivideError(CpuState* s) => CpuState.Of(s).ThrowFault(Vector.DivideError, 0, false);

    /// <summary>#NM.</summary>
    [DoesNotReturn]
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void DeviceNotAvailable(CpuState* s) => CpuState.Of(s).ThrowFault(Vector.DeviceNotAvailable, 0, false);

    /// <summary>Any exception by vector; those with an error code take <paramref name="error"/>.</summary>
    [DoesNotReturn]
    [MethodImpl(MethodImplOptions.NoInlining)]
    public static void Raise(CpuState* s, int vector, uint error = 0) =>
        CpuState.Of(s).ThrowFault(vector, error, vector is 8 or (>= 10 and <= 14) or 17 or 21);
}
