using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace VirtShell.Cpu.Instructions.Simd.Floating;

/// <summary>FMA3 (SDM Vol. 2, VFMADD132PD and following): which operands are multiplied, and with which signs.</summary>
internal static class FusedHandlers
{
    public static void Register()
    {
        Family<Order132>("132");
        Family<Order213>("213");
        Family<Order231>("231");
    }

    /// <summary>The order of operands: the digits say which are multiplied and which is added.</summary>
    internal interface IOrder
    {
        static abstract int Order { get; }
    }

    /// <summary>The signs of an element's product and addend.</summary>
    internal interface ISigns
    {
        static abstract bool NegatesProduct { get; }

        static abstract bool NegatesAddend(int lane);
    }

    private static void Family<TOrder>(string order)
        where TOrder : struct, IOrder
    {
        Both<TOrder, Add>("Vfmadd" + order);
        Both<TOrder, Subtract>("Vfmsub" + order);
        Both<TOrder, NegatedAdd>("Vfnmadd" + order);
        Both<TOrder, NegatedSubtract>("Vfnmsub" + order);
        Vectors<TOrder, AddSubtract>("Vfmaddsub" + order);
        Vectors<TOrder, SubtractAdd>("Vfmsubadd" + order);
    }

    private static void Vectors<TOrder, TSigns>(string name)
        where TOrder : struct, IOrder
        where TSigns : struct, ISigns
    {
        Forms.Add<Fused<Binary32, TOrder, TSigns>, Fused128, Vector128<byte>>($"VEX_{name}ps_xmm_xmm_xmmm128");
        Forms.Add<Fused<Binary32, TOrder, TSigns>, Fused256, Vector256<byte>>($"VEX_{name}ps_ymm_ymm_ymmm256");
        Forms.Add<Fused<Binary64, TOrder, TSigns>, Fused128, Vector128<byte>>($"VEX_{name}pd_xmm_xmm_xmmm128");
        Forms.Add<Fused<Binary64, TOrder, TSigns>, Fused256, Vector256<byte>>($"VEX_{name}pd_ymm_ymm_ymmm256");
    }

    private static void Both<TOrder, TSigns>(string name)
        where TOrder : struct, IOrder
        where TSigns : struct, ISigns
    {
        Vectors<TOrder, TSigns>(name);
        Forms.Add<FusedScalar<Binary32, TOrder, TSigns>, Fused128, uint>($"VEX_{name}ss_xmm_xmm_xmmm32");
        Forms.Add<FusedScalar<Binary64, TOrder, TSigns>, Fused128, ulong>($"VEX_{name}sd_xmm_xmm_xmmm64");
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static unsafe ulong Lane<TF, TOrder, TSigns>(ref SimdContext c, byte* first, byte* second, byte* third, int lane)
        where TF : struct, IFloatFormat
        where TOrder : struct, IOrder
        where TSigns : struct, ISigns
    {
        ulong x = TF.Get(first, lane);
        ulong y = TF.Get(second, lane);
        ulong z = TF.Get(third, lane);
        (ulong a, ulong b, ulong addend) = TOrder.Order switch
        {
            132 => (x, z, y),
            213 => (y, x, z),
            _ => (y, z, x),
        };
        if (c.IsFast)
        {
            ulong sign = 1UL << ((TF.Bytes * 8) - 1);
            ulong result = TF.HostFusedMultiplyAdd(a ^ (TSigns.NegatesProduct ? sign : 0), b, addend ^ (TSigns.NegatesAddend(lane) ? sign : 0));
            if (SoftFloat<TF>.IsPlain(result) && SoftFloat<TF>.IsOrdinary(a) && SoftFloat<TF>.IsOrdinary(b) && SoftFloat<TF>.IsOrdinary(addend))
            {
                return result;
            }
        }

        return SoftFloat<TF>.FusedMultiplyAdd(ref c, a, b, addend, TSigns.NegatesProduct, TSigns.NegatesAddend(lane));
    }

    private unsafe struct Fused<TF, TOrder, TSigns> : IVectorOperation
        where TF : struct, IFloatFormat
        where TOrder : struct, IOrder
        where TSigns : struct, ISigns
    {
        public static void Do(ref SimdContext c, byte* result, byte* a, byte* b, int immediate, int bytes)
        {
            for (int i = 0; i < bytes / TF.Bytes; i++)
            {
                TF.Set(result, i, Lane<TF, TOrder, TSigns>(ref c, result, a, b, i));
            }
        }
    }

    private unsafe struct FusedScalar<TF, TOrder, TSigns> : IVectorOperation
        where TF : struct, IFloatFormat
        where TOrder : struct, IOrder
        where TSigns : struct, ISigns
    {
        public static void Do(ref SimdContext c, byte* result, byte* a, byte* b, int immediate, int bytes) =>
            TF.Set(result, 0, Lane<TF, TOrder, TSigns>(ref c, result, a, b, 0));
    }

    private struct Order132 : IOrder
    {
        public static int Order => 132;
    }

    private struct Order213 : IOrder
    {
        public static int Order => 213;
    }

    private struct Order231 : IOrder
    {
        public static int Order => 231;
    }

    private struct Add : ISigns
    {
        public static bool NegatesProduct => false;

        public static bool NegatesAddend(int lane) => false;
    }

    private struct Subtract : ISigns
    {
        public static bool NegatesProduct => false;

        public static bool NegatesAddend(int lane) => true;
    }

    private struct NegatedAdd : ISigns
    {
        public static bool NegatesProduct => true;

        public static bool NegatesAddend(int lane) => false;
    }

    private struct NegatedSubtract : ISigns
    {
        public static bool NegatesProduct => true;

        public static bool NegatesAddend(int lane) => true;
    }

    private struct AddSubtract : ISigns
    {
        public static bool NegatesProduct => false;

        public static bool NegatesAddend(int lane) => (lane & 1) == 0;
    }

    private struct SubtractAdd : ISigns
    {
        public static bool NegatesProduct => false;

        public static bool NegatesAddend(int lane) => (lane & 1) != 0;
    }
}
