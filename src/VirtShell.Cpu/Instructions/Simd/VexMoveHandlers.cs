using System.Runtime.Intrinsics;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.Simd;

/// <summary>VEX-encoded moves, broadcasts, lane insertion, extraction and permutation, VZEROUPPER and VZEROALL (SDM Vol. 2).</summary>
internal static unsafe class VexMoveHandlers
{
    public static void Register()
    {
        foreach (string name in new[] { "Vmovaps", "Vmovapd", "Vmovdqa" })
        {
            Moves<Aligned>(name);
        }

        foreach (string name in new[] { "Vmovups", "Vmovupd", "Vmovdqu" })
        {
            Moves<Unaligned>(name);
        }

        foreach (string name in new[] { "Vmovntps", "Vmovntpd", "Vmovntdq" })
        {
            Packed.Add($"VEX_{name}_m128_xmm", null, &Store128<Flat, Aligned>, &Store128<General, Aligned>);
            Packed.Add($"VEX_{name}_m256_ymm", null, &Store256<Flat, Aligned>, &Store256<General, Aligned>);
        }

        Packed.Add("VEX_Vlddqu_xmm_m128", null, &Load128<Flat, Unaligned>, &Load128<General, Unaligned>);
        Packed.Add("VEX_Vlddqu_ymm_m256", null, &Load256<Flat, Unaligned>, &Load256<General, Unaligned>);
        Packed.Add("VEX_Vmovntdqa_xmm_m128", null, &Load128<Flat, Aligned>, &Load128<General, Aligned>);
        Packed.Add("VEX_Vmovntdqa_ymm_m256", null, &Load256<Flat, Aligned>, &Load256<General, Aligned>);
        Zeroing<uint>("VEX_Vmovd_xmm_rm32");
        Zeroing<ulong>("VEX_Vmovq_xmm_rm64");
        Zeroing<ulong>("VEX_Vmovq_xmm_xmmm64");
        Zeroing<uint>("VEX_Vmovss_xmm_m32");
        Zeroing<ulong>("VEX_Vmovsd_xmm_m64");
        Packed.Add("VEX_Vmovq_xmmm64_xmm", &FromRegister<ulong>, &StoreLow<ulong, Flat>, &StoreLow<ulong, General>);
        Packed.Add("VEX_Vmovd_rm32_xmm", &ToGeneral<W32>, &StoreLow<uint, Flat>, &StoreLow<uint, General>);
        Packed.Add("VEX_Vmovq_rm64_xmm", &ToGeneral<W64>, &StoreLow<ulong, Flat>, &StoreLow<ulong, General>);
        Packed.Add("VEX_Vmovss_m32_xmm", null, &StoreLow<uint, Flat>, &StoreLow<uint, General>);
        Packed.Add("VEX_Vmovsd_m64_xmm", null, &StoreLow<ulong, Flat>, &StoreLow<ulong, General>);
        Packed.Add("VEX_Vmovlps_m64_xmm", null, &StoreLow<ulong, Flat>, &StoreLow<ulong, General>);
        Packed.Add("VEX_Vmovlpd_m64_xmm", null, &StoreLow<ulong, Flat>, &StoreLow<ulong, General>);
        Packed.Add("VEX_Vmovhps_m64_xmm", null, &StoreHigh<Flat>, &StoreHigh<General>);
        Packed.Add("VEX_Vmovhpd_m64_xmm", null, &StoreHigh<Flat>, &StoreHigh<General>);
        foreach (string name in new[] { "Vmovss_xmm_xmm_xmm", "Vmovss_xmm_xmm_xmm_0F11" })
        {
            Packed.Add("VEX_" + name, &MergeLow<uint>, null, null);
        }

        foreach (string name in new[] { "Vmovsd_xmm_xmm_xmm", "Vmovsd_xmm_xmm_xmm_0F11" })
        {
            Packed.Add("VEX_" + name, &MergeLow<ulong>, null, null);
        }

        foreach (string name in new[] { "Vmovlps", "Vmovlpd" })
        {
            Packed.Add($"VEX_{name}_xmm_xmm_m64", null, &LoadLow<Flat>, &LoadLow<General>);
        }

        foreach (string name in new[] { "Vmovhps", "Vmovhpd" })
        {
            Packed.Add($"VEX_{name}_xmm_xmm_m64", null, &LoadHigh<Flat>, &LoadHigh<General>);
        }

        Packed.Add("VEX_Vmovhlps_xmm_xmm_xmm", &HighToLow, null, null);
        Packed.Add("VEX_Vmovlhps_xmm_xmm_xmm", &LowToHigh, null, null);
        Packed.Add("VEX_Vzeroupper", &ZeroUpper, null, null);
        Packed.Add("VEX_Vzeroall", &ZeroAll, null, null);

        Broadcast<byte>("Vpbroadcastb", "m8");
        Broadcast<ushort>("Vpbroadcastw", "m16");
        Broadcast<uint>("Vpbroadcastd", "m32");
        Broadcast<ulong>("Vpbroadcastq", "m64");
        Packed.Add("VEX_Vbroadcastss_xmm_m32", null, &BroadcastMem128<uint, Flat>, &BroadcastMem128<uint, General>);
        Packed.Add("VEX_Vbroadcastss_ymm_m32", null, &BroadcastMem256<uint, Flat>, &BroadcastMem256<uint, General>);
        Packed.Add("VEX_Vbroadcastsd_ymm_m64", null, &BroadcastMem256<ulong, Flat>, &BroadcastMem256<ulong, General>);
        Packed.Add("VEX_Vbroadcastss_xmm_xmm", &BroadcastReg128<uint>, null, null);
        Packed.Add("VEX_Vbroadcastss_ymm_xmm", &BroadcastReg256<uint>, null, null);
        Packed.Add("VEX_Vbroadcastsd_ymm_xmm", &BroadcastReg256<ulong>, null, null);
        Packed.Add("VEX_Vbroadcastf128_ymm_m128", null, &BroadcastMem256<Vector128<byte>, Flat>, &BroadcastMem256<Vector128<byte>, General>);
        Packed.Add("VEX_Vbroadcasti128_ymm_m128", null, &BroadcastMem256<Vector128<byte>, Flat>, &BroadcastMem256<Vector128<byte>, General>);
        foreach (char kind in "fi")
        {
            Packed.Add($"VEX_Vinsert{kind}128_ymm_ymm_xmmm128_imm8", &InsertReg, &InsertMem<Flat>, &InsertMem<General>);
            Packed.Add($"VEX_Vextract{kind}128_xmmm128_ymm_imm8", &ExtractReg, &ExtractMem<Flat>, &ExtractMem<General>);
            Packed.Add($"VEX_Vperm2{kind}128_ymm_ymm_ymmm256_imm8", &Permute128Reg, &Permute128Mem<Flat>, &Permute128Mem<General>);
        }

        foreach (string name in new[] { "Vpermq", "Vpermpd" })
        {
            Packed.Add($"VEX_{name}_ymm_ymmm256_imm8", &PermuteQuadReg, &PermuteQuadMem<Flat>, &PermuteQuadMem<General>);
        }

        foreach (string name in new[] { "Vpermd", "Vpermps" })
        {
            Packed.Add($"VEX_{name}_ymm_ymm_ymmm256", &PermuteDoubleReg, &PermuteDoubleMem<Flat>, &PermuteDoubleMem<General>);
        }
    }

    /// <summary>Whether an access must be aligned to its size.</summary>
    internal interface IAlignment
    {
        static abstract bool Required { get; }
    }

    private static void Moves<TAlign>(string name)
        where TAlign : struct, IAlignment
    {
        Packed.Add($"VEX_{name}_xmm_xmmm128", &Copy128, &Load128<Flat, TAlign>, &Load128<General, TAlign>);
        Packed.Add($"VEX_{name}_ymm_ymmm256", &Copy256, &Load256<Flat, TAlign>, &Load256<General, TAlign>);
        Packed.Add($"VEX_{name}_xmmm128_xmm", &Copy128, &Store128<Flat, TAlign>, &Store128<General, TAlign>);
        Packed.Add($"VEX_{name}_ymmm256_ymm", &Copy256, &Store256<Flat, TAlign>, &Store256<General, TAlign>);
    }

    private static void Zeroing<T>(string name)
        where T : unmanaged =>
        Packed.Add(name, &FromRegister<T>, &LoadZero<T, Flat>, &LoadZero<T, General>);

    private static void Broadcast<T>(string name, string memory)
        where T : unmanaged
    {
        Packed.Add($"VEX_{name}_xmm_xmm{memory}", &BroadcastReg128<T>, &BroadcastMem128<T, Flat>, &BroadcastMem128<T, General>);
        Packed.Add($"VEX_{name}_ymm_xmm{memory}", &BroadcastReg256<T>, &BroadcastMem256<T, Flat>, &BroadcastMem256<T, General>);
    }

    private static T* At<T>(CpuState* s, int place)
        where T : unmanaged => (T*)((byte*)s + place);

    private static Op* Copy128(CpuState* s, Op* o)
    {
        SimdGuard.Avx(s);
        Packed.Set128(s, o->Dst, *At<Vector128<byte>>(s, o->Src));
        return o + 1;
    }

    private static Op* Copy256(CpuState* s, Op* o)
    {
        SimdGuard.Avx(s);
        *At<Vector256<byte>>(s, o->Dst) = *At<Vector256<byte>>(s, o->Src);
        return o + 1;
    }

    private static Op* Load128<TA, TAlign>(CpuState* s, Op* o)
        where TA : struct, IAddressing
        where TAlign : struct, IAlignment
    {
        SimdGuard.Avx(s);
        ulong linear = TA.Read(s, o, 16);
        if (TAlign.Required)
        {
            SimdGuard.Aligned(s, linear, 16);
        }

        Packed.Set128(s, o->Dst, Mem.Read<Vector128<byte>>(s, linear));
        return o + 1;
    }

    private static Op* Load256<TA, TAlign>(CpuState* s, Op* o)
        where TA : struct, IAddressing
        where TAlign : struct, IAlignment
    {
        SimdGuard.Avx(s);
        ulong linear = TA.Read(s, o, 32);
        if (TAlign.Required)
        {
            SimdGuard.Aligned(s, linear, 32);
        }

        *At<Vector256<byte>>(s, o->Dst) = Mem.Read<Vector256<byte>>(s, linear);
        return o + 1;
    }

    private static Op* Store128<TA, TAlign>(CpuState* s, Op* o)
        where TA : struct, IAddressing
        where TAlign : struct, IAlignment
    {
        SimdGuard.Avx(s);
        ulong linear = TA.Write(s, o, 16);
        if (TAlign.Required)
        {
            SimdGuard.Aligned(s, linear, 16);
        }

        Mem.Write(s, linear, *At<Vector128<byte>>(s, o->Src));
        return o + 1;
    }

    private static Op* Store256<TA, TAlign>(CpuState* s, Op* o)
        where TA : struct, IAddressing
        where TAlign : struct, IAlignment
    {
        SimdGuard.Avx(s);
        ulong linear = TA.Write(s, o, 32);
        if (TAlign.Required)
        {
            SimdGuard.Aligned(s, linear, 32);
        }

        Mem.Write(s, linear, *At<Vector256<byte>>(s, o->Src));
        return o + 1;
    }

    private static Op* FromRegister<T>(CpuState* s, Op* o)
        where T : unmanaged
    {
        SimdGuard.Avx(s);
        T value = *At<T>(s, o->Src);
        *At<Vector256<byte>>(s, o->Dst) = default;
        *At<T>(s, o->Dst) = value;
        return o + 1;
    }

    private static Op* LoadZero<T, TA>(CpuState* s, Op* o)
        where T : unmanaged
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        T value = Mem.Read<T>(s, TA.Read(s, o, sizeof(T)));
        *At<Vector256<byte>>(s, o->Dst) = default;
        *At<T>(s, o->Dst) = value;
        return o + 1;
    }

    private static Op* ToGeneral<TW>(CpuState* s, Op* o)
        where TW : struct, IWidth
    {
        SimdGuard.Avx(s);
        TW.Set((byte*)s + o->Dst, TW.Get((byte*)s + o->Src));
        return o + 1;
    }

    private static Op* StoreLow<T, TA>(CpuState* s, Op* o)
        where T : unmanaged
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        Mem.Write(s, TA.Write(s, o, sizeof(T)), *At<T>(s, o->Src));
        return o + 1;
    }

    private static Op* StoreHigh<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        Mem.Write(s, TA.Write(s, o, 8), At<ulong>(s, o->Src)[1]);
        return o + 1;
    }

    private static Op* MergeLow<T>(CpuState* s, Op* o)
        where T : unmanaged
    {
        SimdGuard.Avx(s);
        T low = *At<T>(s, o->Src2);
        Packed.Set128(s, o->Dst, *At<Vector128<byte>>(s, o->Src));
        *At<T>(s, o->Dst) = low;
        return o + 1;
    }

    private static Op* LoadLow<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        ulong low = Mem.Read<ulong>(s, TA.Read(s, o, 8));
        Packed.Set128(s, o->Dst, Vector128.Create(low, At<ulong>(s, o->Src)[1]).AsByte());
        return o + 1;
    }

    private static Op* LoadHigh<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        ulong high = Mem.Read<ulong>(s, TA.Read(s, o, 8));
        Packed.Set128(s, o->Dst, Vector128.Create(At<ulong>(s, o->Src)[0], high).AsByte());
        return o + 1;
    }

    private static Op* HighToLow(CpuState* s, Op* o)
    {
        SimdGuard.Avx(s);
        Packed.Set128(s, o->Dst, Vector128.Create(At<ulong>(s, o->Src2)[1], At<ulong>(s, o->Src)[1]).AsByte());
        return o + 1;
    }

    private static Op* LowToHigh(CpuState* s, Op* o)
    {
        SimdGuard.Avx(s);
        Packed.Set128(s, o->Dst, Vector128.Create(At<ulong>(s, o->Src)[0], At<ulong>(s, o->Src2)[0]).AsByte());
        return o + 1;
    }

    private static Op* ZeroUpper(CpuState* s, Op* o)
    {
        SimdGuard.Avx(s);
        int count = s->CodeSize == 64 ? 16 : 8;
        for (int i = 0; i < count; i++)
        {
            ((Vector128<byte>*)CpuState.Vector(s, i))[1] = default;
        }

        return o + 1;
    }

    private static Op* ZeroAll(CpuState* s, Op* o)
    {
        SimdGuard.Avx(s);
        int count = s->CodeSize == 64 ? 16 : 8;
        for (int i = 0; i < count; i++)
        {
            *(Vector256<byte>*)CpuState.Vector(s, i) = default;
        }

        return o + 1;
    }

    private static void Repeat<T>(CpuState* s, Op* o, T value, int bytes)
        where T : unmanaged
    {
        *At<Vector256<byte>>(s, o->Dst) = default;
        T* to = At<T>(s, o->Dst);
        for (int i = 0; i < bytes / sizeof(T); i++)
        {
            to[i] = value;
        }
    }

    private static Op* BroadcastReg128<T>(CpuState* s, Op* o)
        where T : unmanaged
    {
        SimdGuard.Avx(s);
        Repeat(s, o, *At<T>(s, o->Src), 16);
        return o + 1;
    }

    private static Op* BroadcastReg256<T>(CpuState* s, Op* o)
        where T : unmanaged
    {
        SimdGuard.Avx(s);
        Repeat(s, o, *At<T>(s, o->Src), 32);
        return o + 1;
    }

    private static Op* BroadcastMem128<T, TA>(CpuState* s, Op* o)
        where T : unmanaged
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        Repeat(s, o, Mem.Read<T>(s, TA.Read(s, o, sizeof(T))), 16);
        return o + 1;
    }

    private static Op* BroadcastMem256<T, TA>(CpuState* s, Op* o)
        where T : unmanaged
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        Repeat(s, o, Mem.Read<T>(s, TA.Read(s, o, sizeof(T))), 32);
        return o + 1;
    }

    private static Op* InsertReg(CpuState* s, Op* o)
    {
        SimdGuard.Avx(s);
        Insert(s, o, *At<Vector128<byte>>(s, o->Src2));
        return o + 1;
    }

    private static Op* InsertMem<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        Insert(s, o, Mem.Read<Vector128<byte>>(s, TA.Read(s, o, 16)));
        return o + 1;
    }

    private static void Insert(CpuState* s, Op* o, Vector128<byte> lane)
    {
        Vector256<byte> value = *At<Vector256<byte>>(s, o->Src);
        *At<Vector256<byte>>(s, o->Dst) = (o->Imm & 1) != 0 ? value.WithUpper(lane) : value.WithLower(lane);
    }

    private static Op* ExtractReg(CpuState* s, Op* o)
    {
        SimdGuard.Avx(s);
        Packed.Set128(s, o->Dst, At<Vector128<byte>>(s, o->Src)[o->Imm & 1]);
        return o + 1;
    }

    private static Op* ExtractMem<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        Mem.Write(s, TA.Write(s, o, 16), At<Vector128<byte>>(s, o->Src)[o->Imm & 1]);
        return o + 1;
    }

    private static Op* Permute128Reg(CpuState* s, Op* o)
    {
        SimdGuard.Avx(s);
        Permute128(s, o, *At<Vector256<byte>>(s, o->Src2));
        return o + 1;
    }

    private static Op* Permute128Mem<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        Permute128(s, o, Mem.Read<Vector256<byte>>(s, TA.Read(s, o, 32)));
        return o + 1;
    }

    private static void Permute128(CpuState* s, Op* o, Vector256<byte> b)
    {
        Vector256<byte> a = *At<Vector256<byte>>(s, o->Src);
        *At<Vector256<byte>>(s, o->Dst) = Vector256.Create(Pick((int)o->Imm), Pick((int)o->Imm >> 4));

        Vector128<byte> Pick(int control) => (control & 8) != 0 ? default : (control & 3) switch
        {
            0 => a.GetLower(),
            1 => a.GetUpper(),
            2 => b.GetLower(),
            _ => b.GetUpper(),
        };
    }

    private static Op* PermuteQuadReg(CpuState* s, Op* o)
    {
        SimdGuard.Avx(s);
        PermuteQuad(s, o, *At<Vector256<ulong>>(s, o->Src));
        return o + 1;
    }

    private static Op* PermuteQuadMem<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        PermuteQuad(s, o, Mem.Read<Vector256<ulong>>(s, TA.Read(s, o, 32)));
        return o + 1;
    }

    private static void PermuteQuad(CpuState* s, Op* o, Vector256<ulong> source)
    {
        int order = (int)o->Imm;
        ulong* to = At<ulong>(s, o->Dst);
        for (int i = 0; i < 4; i++)
        {
            to[i] = source[(order >> (2 * i)) & 3];
        }
    }

    private static Op* PermuteDoubleReg(CpuState* s, Op* o)
    {
        SimdGuard.Avx(s);
        PermuteDouble(s, o, *At<Vector256<uint>>(s, o->Src2));
        return o + 1;
    }

    private static Op* PermuteDoubleMem<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        PermuteDouble(s, o, Mem.Read<Vector256<uint>>(s, TA.Read(s, o, 32)));
        return o + 1;
    }

    private static void PermuteDouble(CpuState* s, Op* o, Vector256<uint> source)
    {
        Vector256<uint> order = *At<Vector256<uint>>(s, o->Src);
        uint* to = At<uint>(s, o->Dst);
        for (int i = 0; i < 8; i++)
        {
            to[i] = source[(int)order[i] & 7];
        }
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
