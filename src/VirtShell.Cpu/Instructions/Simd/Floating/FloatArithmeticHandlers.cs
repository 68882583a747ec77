using System.Runtime.Intrinsics;

namespace VirtShell.Cpu.Instructions.Simd.Floating;

/// <summary>Arithmetic of SSE to AVX on packed and scalar numbers (SDM Vol. 2).</summary>
internal static class FloatArithmeticHandlers
{
    public static void Register()
    {
        Binary<FloatAdd>("Add");
        Binary<FloatSubtract>("Sub");
        Binary<FloatMultiply>("Mul");
        Binary<FloatDivide>("Div");
        Binary<FloatMinimum>("Min");
        Binary<FloatMaximum>("Max");
        Unary<FloatSqrt>("Sqrt");
        Unary<FloatRound>("Round", "_imm8");
        Forms.Unary<EachLane<Binary32, FloatReciprocal>>("Rcpps");
        Forms.Scalar<LowLane<Binary32, FloatReciprocal>, uint>("Rcpss");
        Forms.Unary<EachLane<Binary32, FloatReciprocalSqrt>>("Rsqrtps");
        Forms.Scalar<LowLane<Binary32, FloatReciprocalSqrt>, uint>("Rsqrtss");
        Compare<Binary32>("ps");
        Compare<Binary64>("pd");
        CompareScalar<Binary32, uint>("ss");
        CompareScalar<Binary64, ulong>("sd");
        Forms.Binary<Alternating<Binary32>>("Addsubps");
        Forms.Binary<Alternating<Binary64>>("Addsubpd");
        Forms.Binary<Horizontal<Binary32, FloatAdd>>("Haddps");
        Forms.Binary<Horizontal<Binary64, FloatAdd>>("Haddpd");
        Forms.Binary<Horizontal<Binary32, FloatSubtract>>("Hsubps");
        Forms.Binary<Horizontal<Binary64, FloatSubtract>>("Hsubpd");
        Forms.Binary<DotProduct<Binary32>>("Dpps", "_imm8");
        Forms.Binary<DotProduct<Binary64>>("Dppd", "_imm8");
    }

    private static void Binary<TLane>(string name)
        where TLane : struct, IFloatLane
    {
        Forms.Binary<EachLane<Binary32, TLane>>(name + "ps");
        Forms.Binary<EachLane<Binary64, TLane>>(name + "pd");
        Forms.Scalar<LowLane<Binary32, TLane>, uint>(name + "ss");
        Forms.Scalar<LowLane<Binary64, TLane>, ulong>(name + "sd");
    }

    private static void Unary<TLane>(string name, string suffix = "")
        where TLane : struct, IFloatLane
    {
        Forms.Unary<EachLane<Binary32, TLane>>(name + "ps", suffix);
        Forms.Unary<EachLane<Binary64, TLane>>(name + "pd", suffix);
        Forms.Scalar<LowLane<Binary32, TLane>, uint>(name + "ss", suffix);
        Forms.Scalar<LowLane<Binary64, TLane>, ulong>(name + "sd", suffix);
    }

    private static void Compare<TF>(string type)
        where TF : struct, IFloatFormat
    {
        Forms.Add<EachLane<TF, FloatCompare<Legacy>>, Legacy, Vector128<byte>>($"Cmp{type}_xmm_xmmm128_imm8");
        Forms.Add<EachLane<TF, FloatCompare<Three128>>, Three128, Vector128<byte>>($"VEX_Vcmp{type}_xmm_xmm_xmmm128_imm8");
        Forms.Add<EachLane<TF, FloatCompare<Three256>>, Three256, Vector256<byte>>($"VEX_Vcmp{type}_ymm_ymm_ymmm256_imm8");
    }

    private static unsafe void CompareScalar<TF, TMemory>(string type)
        where TF : struct, IFloatFormat
        where TMemory : unmanaged
    {
        int bits = sizeof(TMemory) * 8;
        Forms.Add<LowLane<TF, FloatCompare<Legacy>>, Legacy, TMemory>($"Cmp{type}_xmm_xmmm{bits}_imm8");
        Forms.Add<LowLane<TF, FloatCompare<Three128>>, Three128, TMemory>($"VEX_Vcmp{type}_xmm_xmm_xmmm{bits}_imm8");
    }
}
