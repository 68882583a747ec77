using System.Runtime.Intrinsics;
using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.Simd;

/// <summary>Legacy SSE moves between XMM registers, memory and general registers, fences and prefetches (SDM Vol. 2).</summary>
internal static unsafe class SseMoveHandlers
{
    public static void Register()
    {
        foreach (Code code in new[] { Code.Movaps_xmm_xmmm128, Code.Movapd_xmm_xmmm128, Code.Movdqa_xmm_xmmm128 })
        {
            HandlerTable.Add(code, &Copy, &Load<Flat, Aligned>, &Load<General, Aligned>);
        }

        foreach (Code code in new[] { Code.Movups_xmm_xmmm128, Code.Movupd_xmm_xmmm128, Code.Movdqu_xmm_xmmm128 })
        {
            HandlerTable.Add(code, &Copy, &Load<Flat, Unaligned>, &Load<General, Unaligned>);
        }

        foreach (Code code in new[] { Code.Movaps_xmmm128_xmm, Code.Movapd_xmmm128_xmm, Code.Movdqa_xmmm128_xmm })
        {
            HandlerTable.Add(code, &Copy, &Store<Flat, Aligned>, &Store<General, Aligned>);
        }

        foreach (Code code in new[] { Code.Movups_xmmm128_xmm, Code.Movupd_xmmm128_xmm, Code.Movdqu_xmmm128_xmm })
        {
            HandlerTable.Add(code, &Copy, &Store<Flat, Unaligned>, &Store<General, Unaligned>);
        }

        foreach (Code code in new[] { Code.Movntps_m128_xmm, Code.Movntpd_m128_xmm, Code.Movntdq_m128_xmm })
        {
            HandlerTable.Add(code, null, &Store<Flat, Aligned>, &Store<General, Aligned>);
        }

        HandlerTable.Add(Code.Lddqu_xmm_m128, null, &Load<Flat, Unaligned>, &Load<General, Unaligned>);
        HandlerTable.Add(Code.Movd_xmm_rm32, &FromGeneral<uint>, &LoadZero<uint, Flat>, &LoadZero<uint, General>);
        HandlerTable.Add(Code.Movq_xmm_rm64, &FromGeneral<ulong>, &LoadZero<ulong, Flat>, &LoadZero<ulong, General>);
        HandlerTable.Add(Code.Movd_rm32_xmm, &ToGeneral32, &StoreLow<uint, Flat>, &StoreLow<uint, General>);
        HandlerTable.Add(Code.Movq_rm64_xmm, &ToGeneral64, &StoreLow<ulong, Flat>, &StoreLow<ulong, General>);
        HandlerTable.Add(Code.Movq_xmm_xmmm64, &FromGeneral<ulong>, &LoadZero<ulong, Flat>, &LoadZero<ulong, General>);
        HandlerTable.Add(Code.Movq_xmmm64_xmm, &FromGeneral<ulong>, &StoreLow<ulong, Flat>, &StoreLow<ulong, General>);
        HandlerTable.Add(Code.Movss_xmm_xmmm32, &CopyLow<uint>, &LoadZero<uint, Flat>, &LoadZero<uint, General>);
        HandlerTable.Add(Code.Movss_xmmm32_xmm, &CopyLow<uint>, &StoreLow<uint, Flat>, &StoreLow<uint, General>);
        HandlerTable.Add(Code.Movsd_xmm_xmmm64, &CopyLow<ulong>, &LoadZero<ulong, Flat>, &LoadZero<ulong, General>);
        HandlerTable.Add(Code.Movsd_xmmm64_xmm, &CopyLow<ulong>, &StoreLow<ulong, Flat>, &StoreLow<ulong, General>);
        HandlerTable.Add(Code.Movlps_xmm_m64, null, &LoadLow<Flat>, &LoadLow<General>);
        HandlerTable.Add(Code.Movlpd_xmm_m64, null, &LoadLow<Flat>, &LoadLow<General>);
        HandlerTable.Add(Code.Movlps_m64_xmm, null, &StoreLow<ulong, Flat>, &StoreLow<ulong, General>);
        HandlerTable.Add(Code.Movlpd_m64_xmm, null, &StoreLow<ulong, Flat>, &StoreLow<ulong, General>);
        HandlerTable.Add(Code.Movhps_xmm_m64, null, &LoadHigh<Flat>, &LoadHigh<General>);
        HandlerTable.Add(Code.Movhpd_xmm_m64, null, &LoadHigh<Flat>, &LoadHigh<General>);
        HandlerTable.Add(Code.Movhps_m64_xmm, null, &StoreHigh<Flat>, &StoreHigh<General>);
        HandlerTable.Add(Code.Movhpd_m64_xmm, null, &StoreHigh<Flat>, &StoreHigh<General>);
        HandlerTable.Add(Code.Movhlps_xmm_xmm, &HighToLow);
        HandlerTable.Add(Code.Movlhps_xmm_xmm, &LowToHigh);
        HandlerTable.Add(Code.Movnti_m32_r32, null, &StoreGeneral<uint, Flat>, &StoreGeneral<uint, General>);
        HandlerTable.Add(Code.Movnti_m64_r64, null, &StoreGeneral<ulong, Flat>, &StoreGeneral<ulong, General>);
        foreach (Code code in new[]
        {
            Code.Lfence, Code.Mfence, Code.Sfence, Code.Prefetchnta_m8, Code.Prefetcht0_m8, Code.Prefetcht1_m8, Code.Prefetcht2_m8, Code.Prefetchw_m8, Code.Prefetch_m8,
        })
        {
            HandlerTable.Add(code, &Integer.MoveHandlers.Nop);
        }
    }

    /// <summary>Whether a 16-byte access must be aligned.</summary>
    internal interface IAlignment
    {
        static abstract bool Required { get; }
    }

    private static Op* Copy(CpuState* s, Op* o)
    {
        SimdGuard.Sse(s);
        *(Vector128<byte>*)((byte*)s + o->Dst) = *(Vector128<byte>*)((byte*)s + o->Src);
        return o + 1;
    }

    private static Op* CopyLow<T>(CpuState* s, Op* o)
        where T : unmanaged
    {
        SimdGuard.Sse(s);
        *(T*)((byte*)s + o->Dst) = *(T*)((byte*)s + o->Src);
        return o + 1;
    }

    private static Op* Load<TA, TAlign>(CpuState* s, Op* o)
        where TA : struct, IAddressing
        where TAlign : struct, IAlignment
    {
        SimdGuard.Sse(s);
        ulong linear = TA.Read(s, o, 16);
        if (TAlign.Required)
        {
            SimdGuard.Aligned(s, linear, 16);
        }

        *(Vector128<byte>*)((byte*)s + o->Dst) = Mem.Read<Vector128<byte>>(s, linear);
        return o + 1;
    }

    private static Op* Store<TA, TAlign>(CpuState* s, Op* o)
        where TA : struct, IAddressing
        where TAlign : struct, IAlignment
    {
        SimdGuard.Sse(s);
        ulong linear = TA.Write(s, o, 16);
        if (TAlign.Required)
        {
            SimdGuard.Aligned(s, linear, 16);
        }

        Mem.Write(s, linear, *(Vector128<byte>*)((byte*)s + o->Src));
        return o + 1;
    }

    private static Op* FromGeneral<T>(CpuState* s, Op* o)
        where T : unmanaged
    {
        SimdGuard.Sse(s);
        T value = *(T*)((byte*)s + o->Src);
        *(Vector128<byte>*)((byte*)s + o->Dst) = default;
        *(T*)((byte*)s + o->Dst) = value;
        return o + 1;
    }

    private static Op* ToGeneral32(CpuState* s, Op* o)
    {
        SimdGuard.Sse(s);
        *(ulong*)((byte*)s + o->Dst) = *(uint*)((byte*)s + o->Src);
        return o + 1;
    }

    private static Op* ToGeneral64(CpuState* s, Op* o)
    {
        SimdGuard.Sse(s);
        *(ulong*)((byte*)s + o->Dst) = *(ulong*)((byte*)s + o->Src);
        return o + 1;
    }

    private static Op* LoadZero<T, TA>(CpuState* s, Op* o)
        where T : unmanaged
        where TA : struct, IAddressing
    {
        SimdGuard.Sse(s);
        T value = Mem.Read<T>(s, TA.Read(s, o, sizeof(T)));
        *(Vector128<byte>*)((byte*)s + o->Dst) = default;
        *(T*)((byte*)s + o->Dst) = value;
        return o + 1;
    }

    private static Op* StoreLow<T, TA>(CpuState* s, Op* o)
        where T : unmanaged
        where TA : struct, IAddressing
    {
        SimdGuard.Sse(s);
        Mem.Write(s, TA.Write(s, o, sizeof(T)), *(T*)((byte*)s + o->Src));
        return o + 1;
    }

    private static Op* LoadLow<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        SimdGuard.Sse(s);
        *(ulong*)((byte*)s + o->Dst) = Mem.Read<ulong>(s, TA.Read(s, o, 8));
        return o + 1;
    }

    private static Op* LoadHigh<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        SimdGuard.Sse(s);
        *(ulong*)((byte*)s + o->Dst + 8) = Mem.Read<ulong>(s, TA.Read(s, o, 8));
        return o + 1;
    }

    private static Op* StoreHigh<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        SimdGuard.Sse(s);
        Mem.Write(s, TA.Write(s, o, 8), *(ulong*)((byte*)s + o->Src + 8));
        return o + 1;
    }

    private static Op* HighToLow(CpuState* s, Op* o)
    {
        SimdGuard.Sse(s);
        *(ulong*)((byte*)s + o->Dst) = *(ulong*)((byte*)s + o->Src + 8);
        return o + 1;
    }

    private static Op* LowToHigh(CpuState* s, Op* o)
    {
        SimdGuard.Sse(s);
        *(ulong*)((byte*)s + o->Dst + 8) = *(ulong*)((byte*)s + o->Src);
        return o + 1;
    }

    private static Op* StoreGeneral<T, TA>(CpuState* s, Op* o)
        where T : unmanaged
        where TA : struct, IAddressing
    {
        Mem.Write(s, TA.Write(s, o, sizeof(T)), *(T*)((byte*)s + o->Src));
        return o + 1;
    }

    private struct Aligned : IAlignment
    {
        public static bool Required => true;
    }

    private struct Unaligned : IAlignment
    {
        public static bool Required => false;
    }
}
