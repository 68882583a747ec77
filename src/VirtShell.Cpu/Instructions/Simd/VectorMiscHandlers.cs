using System.Runtime.Intrinsics;
using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.Simd;

/// <summary>MXCSR, sign masks, element insertion and extraction, widening moves, PTEST (SDM Vol. 2).</summary>
internal static unsafe class VectorMiscHandlers
{
    /// <summary>MXCSR bits that may be set; the others raise #GP (no misaligned-exception mask).</summary>
    private const uint MxcsrMask = 0xFFFF;

    public static void Register()
    {
        HandlerTable.Add(Code.Ldmxcsr_m32, null, &LoadControl<Flat, Sse>, &LoadControl<General, Sse>);
        HandlerTable.Add(Code.Stmxcsr_m32, null, &StoreControl<Flat, Sse>, &StoreControl<General, Sse>);
        Packed.Add("VEX_Vldmxcsr_m32", null, &LoadControl<Flat, Avx>, &LoadControl<General, Avx>);
        Packed.Add("VEX_Vstmxcsr_m32", null, &StoreControl<Flat, Avx>, &StoreControl<General, Avx>);
        foreach (string size in new[] { "r32", "r64" })
        {
            Masks(size);
            Packed.Add($"Pextrw_{size}_xmm_imm8", &ExtractWord<Sse>, null, null);
            Packed.Add($"VEX_Vpextrw_{size}_xmm_imm8", &ExtractWord<Avx>, null, null);
        }

        Insert<ushort>("Pinsrw", "r32m16", "r64m16");
        Insert<byte>("Pinsrb", "r32m8", "r64m8");
        Insert<uint>("Pinsrd", "rm32", "rm32");
        Insert<ulong>("Pinsrq", "rm64", "rm64");
        Extract<byte>("Pextrb", "r32m8", "r64m8");
        Extract<ushort>("Pextrw", "r32m16", "r64m16");
        Extract<uint>("Pextrd", "rm32", "rm32");
        Extract<ulong>("Pextrq", "rm64", "rm64");
        Extract<uint>("Extractps", "rm32", "r64m32");
        Widen<byte, ushort>("Pmovzxbw", "m64", "m128");
        Widen<byte, uint>("Pmovzxbd", "m32", "m64");
        Widen<byte, ulong>("Pmovzxbq", "m16", "m32");
        Widen<ushort, uint>("Pmovzxwd", "m64", "m128");
        Widen<ushort, ulong>("Pmovzxwq", "m32", "m64");
        Widen<uint, ulong>("Pmovzxdq", "m64", "m128");
        Widen<sbyte, short>("Pmovsxbw", "m64", "m128");
        Widen<sbyte, int>("Pmovsxbd", "m32", "m64");
        Widen<sbyte, long>("Pmovsxbq", "m16", "m32");
        Widen<short, int>("Pmovsxwd", "m64", "m128");
        Widen<short, long>("Pmovsxwq", "m32", "m64");
        Widen<int, long>("Pmovsxdq", "m64", "m128");
        HandlerTable.Add(Code.Ptest_xmm_xmmm128, &TestReg, &TestMem<Flat>, &TestMem<General>);
        Packed.Add("VEX_Vptest_xmm_xmmm128", &VexTestReg, &VexTestMem<Flat>, &VexTestMem<General>);
        Packed.Add("VEX_Vptest_ymm_ymmm256", &VexTest256Reg, &VexTest256Mem<Flat>, &VexTest256Mem<General>);
    }

    /// <summary>Legacy SSE or VEX, for handlers that do the same in both.</summary>
    internal interface IEncoding
    {
        static abstract bool IsVex { get; }
    }

    private static void Masks(string size)
    {
        Packed.Add($"Pmovmskb_{size}_xmm", &MaskBytes<Sse>, null, null);
        Packed.Add($"VEX_Vpmovmskb_{size}_xmm", &MaskBytes<Avx>, null, null);
        Packed.Add($"VEX_Vpmovmskb_{size}_ymm", &MaskBytes256, null, null);
        Packed.Add($"Movmskps_{size}_xmm", &MaskSingles<Sse>, null, null);
        Packed.Add($"VEX_Vmovmskps_{size}_xmm", &MaskSingles<Avx>, null, null);
        Packed.Add($"VEX_Vmovmskps_{size}_ymm", &MaskSingles256, null, null);
        Packed.Add($"Movmskpd_{size}_xmm", &MaskDoubles<Sse>, null, null);
        Packed.Add($"VEX_Vmovmskpd_{size}_xmm", &MaskDoubles<Avx>, null, null);
        Packed.Add($"VEX_Vmovmskpd_{size}_ymm", &MaskDoubles256, null, null);
    }

    private static void Insert<T>(string name, string source32, string source64)
        where T : unmanaged
    {
        foreach (string source in new[] { source32, source64 })
        {
            Packed.Add($"{name}_xmm_{source}_imm8", &InsertReg<T, Sse>, &InsertMem<T, Flat, Sse>, &InsertMem<T, General, Sse>);
            Packed.Add($"VEX_V{name}_xmm_xmm_{source}_imm8", &InsertReg<T, Avx>, &InsertMem<T, Flat, Avx>, &InsertMem<T, General, Avx>);
        }
    }

    private static void Extract<T>(string name, string destination32, string destination64)
        where T : unmanaged
    {
        foreach (string destination in new[] { destination32, destination64 })
        {
            Packed.Add($"{name}_{destination}_xmm_imm8", &ExtractReg<T, Sse>, &ExtractMem<T, Flat, Sse>, &ExtractMem<T, General, Sse>);
            Packed.Add($"VEX_V{name}_{destination}_xmm_imm8", &ExtractReg<T, Avx>, &ExtractMem<T, Flat, Avx>, &ExtractMem<T, General, Avx>);
        }
    }

    private static void Widen<TFrom, TTo>(string name, string memory128, string memory256)
        where TFrom : unmanaged, System.Numerics.INumber<TFrom>
        where TTo : unmanaged, System.Numerics.INumber<TTo>
    {
        Packed.Add($"{name}_xmm_xmm{memory128}", &WidenReg<TFrom, TTo, Sse>, &WidenMem<TFrom, TTo, Flat, Sse>, &WidenMem<TFrom, TTo, General, Sse>);
        Packed.Add($"VEX_V{name}_xmm_xmm{memory128}", &WidenReg<TFrom, TTo, Avx>, &WidenMem<TFrom, TTo, Flat, Avx>, &WidenMem<TFrom, TTo, General, Avx>);
        Packed.Add($"VEX_V{name}_ymm_xmm{memory256}", &WidenReg<TFrom, TTo, Avx256>, &WidenMem<TFrom, TTo, Flat, Avx256>, &WidenMem<TFrom, TTo, General, Avx256>);
    }

    private static void Guard<TE>(CpuState* s)
        where TE : struct, IEncoding
    {
        if (TE.IsVex)
        {
            SimdGuard.Avx(s);
        }
        else
        {
            SimdGuard.Sse(s);
        }
    }

    private static void ClearUpper<TE>(CpuState* s, int place)
        where TE : struct, IEncoding
    {
        if (TE.IsVex)
        {
            *(Vector128<byte>*)((byte*)s + place + 16) = default;
        }
    }

    private static Op* LoadControl<TA, TE>(CpuState* s, Op* o)
        where TA : struct, IAddressing
        where TE : struct, IEncoding
    {
        Guard<TE>(s);
        uint value = Mem.Read<uint>(s, TA.Read(s, o, 4));
        if ((value & ~MxcsrMask) != 0)
        {
            Fault.GeneralProtection(s);
        }

        s->Mxcsr = value;
        return o + 1;
    }

    private static Op* StoreControl<TA, TE>(CpuState* s, Op* o)
        where TA : struct, IAddressing
        where TE : struct, IEncoding
    {
        Guard<TE>(s);
        Mem.Write(s, TA.Write(s, o, 4), s->Mxcsr);
        return o + 1;
    }

    private static T* At<T>(CpuState* s, int place)
        where T : unmanaged => (T*)((byte*)s + place);

    private static Op* MaskBytes<TE>(CpuState* s, Op* o)
        where TE : struct, IEncoding
    {
        Guard<TE>(s);
        *At<ulong>(s, o->Dst) = At<Vector128<byte>>(s, o->Src)->ExtractMostSignificantBits();
        return o + 1;
    }

    private static Op* MaskBytes256(CpuState* s, Op* o)
    {
        SimdGuard.Avx(s);
        *At<ulong>(s, o->Dst) = At<Vector256<byte>>(s, o->Src)->ExtractMostSignificantBits();
        return o + 1;
    }

    private static Op* MaskSingles<TE>(CpuState* s, Op* o)
        where TE : struct, IEncoding
    {
        Guard<TE>(s);
        *At<ulong>(s, o->Dst) = At<Vector128<uint>>(s, o->Src)->ExtractMostSignificantBits();
        return o + 1;
    }

    private static Op* MaskSingles256(CpuState* s, Op* o)
    {
        SimdGuard.Avx(s);
        *At<ulong>(s, o->Dst) = At<Vector256<uint>>(s, o->Src)->ExtractMostSignificantBits();
        return o + 1;
    }

    private static Op* MaskDoubles<TE>(CpuState* s, Op* o)
        where TE : struct, IEncoding
    {
        Guard<TE>(s);
        *At<ulong>(s, o->Dst) = At<Vector128<ulong>>(s, o->Src)->ExtractMostSignificantBits();
        return o + 1;
    }

    private static Op* MaskDoubles256(CpuState* s, Op* o)
    {
        SimdGuard.Avx(s);
        *At<ulong>(s, o->Dst) = At<Vector256<ulong>>(s, o->Src)->ExtractMostSignificantBits();
        return o + 1;
    }

    private static Op* ExtractWord<TE>(CpuState* s, Op* o)
        where TE : struct, IEncoding
    {
        Guard<TE>(s);
        *At<ulong>(s, o->Dst) = At<ushort>(s, o->Src)[o->Imm & 7];
        return o + 1;
    }

    private static int Element<T>(Op* o)
        where T : unmanaged => (int)o->Imm & ((16 / sizeof(T)) - 1);

    private static Op* InsertReg<T, TE>(CpuState* s, Op* o)
        where T : unmanaged
        where TE : struct, IEncoding
    {
        Guard<TE>(s);
        Insert<T, TE>(s, o, *At<T>(s, TE.IsVex ? o->Src2 : o->Src));
        return o + 1;
    }

    private static Op* InsertMem<T, TA, TE>(CpuState* s, Op* o)
        where T : unmanaged
        where TA : struct, IAddressing
        where TE : struct, IEncoding
    {
        Guard<TE>(s);
        Insert<T, TE>(s, o, Mem.Read<T>(s, TA.Read(s, o, sizeof(T))));
        return o + 1;
    }

    private static void Insert<T, TE>(CpuState* s, Op* o, T value)
        where T : unmanaged
        where TE : struct, IEncoding
    {
        if (TE.IsVex)
        {
            Packed.Set128(s, o->Dst, *At<Vector128<byte>>(s, o->Src));
        }

        At<T>(s, o->Dst)[Element<T>(o)] = value;
    }

    private static Op* ExtractReg<T, TE>(CpuState* s, Op* o)
        where T : unmanaged
        where TE : struct, IEncoding
    {
        Guard<TE>(s);
        T value = At<T>(s, o->Src)[Element<T>(o)];
        *At<ulong>(s, o->Dst) = 0;
        *At<T>(s, o->Dst) = value;
        return o + 1;
    }

    private static Op* ExtractMem<T, TA, TE>(CpuState* s, Op* o)
        where T : unmanaged
        where TA : struct, IAddressing
        where TE : struct, IEncoding
    {
        Guard<TE>(s);
        Mem.Write(s, TA.Write(s, o, sizeof(T)), At<T>(s, o->Src)[Element<T>(o)]);
        return o + 1;
    }

    private static Op* WidenReg<TFrom, TTo, TE>(CpuState* s, Op* o)
        where TFrom : unmanaged, System.Numerics.INumber<TFrom>
        where TTo : unmanaged, System.Numerics.INumber<TTo>
        where TE : struct, IEncoding
    {
        Guard<TE>(s);
        Widen<TFrom, TTo, TE>(s, o, *At<Vector128<byte>>(s, o->Src));
        return o + 1;
    }

    private static Op* WidenMem<TFrom, TTo, TA, TE>(CpuState* s, Op* o)
        where TFrom : unmanaged, System.Numerics.INumber<TFrom>
        where TTo : unmanaged, System.Numerics.INumber<TTo>
        where TA : struct, IAddressing
        where TE : struct, IEncoding
    {
        Guard<TE>(s);
        int bytes = (typeof(TE) == typeof(Avx256) ? 32 : 16) / sizeof(TTo) * sizeof(TFrom);
        ulong linear = TA.Read(s, o, bytes);
        Vector128<byte> source = bytes switch
        {
            16 => Mem.Read<Vector128<byte>>(s, linear),
            8 => Vector128.CreateScalar(Mem.Read<ulong>(s, linear)).AsByte(),
            4 => Vector128.CreateScalar(Mem.Read<uint>(s, linear)).AsByte(),
            _ => Vector128.CreateScalar(Mem.Read<ushort>(s, linear)).AsByte(),
        };
        Widen<TFrom, TTo, TE>(s, o, source);
        return o + 1;
    }

    private static void Widen<TFrom, TTo, TE>(CpuState* s, Op* o, Vector128<byte> source)
        where TFrom : unmanaged, System.Numerics.INumber<TFrom>
        where TTo : unmanaged, System.Numerics.INumber<TTo>
        where TE : struct, IEncoding
    {
        TFrom* from = (TFrom*)&source;
        TTo* to = At<TTo>(s, o->Dst);
        int count = (typeof(TE) == typeof(Avx256) ? 32 : 16) / sizeof(TTo);
        for (int i = 0; i < count; i++)
        {
            to[i] = TTo.CreateTruncating(from[i]);
        }

        if (typeof(TE) == typeof(Avx))
        {
            ClearUpper<TE>(s, o->Dst);
        }
    }

    private static Op* TestReg(CpuState* s, Op* o)
    {
        SimdGuard.Sse(s);
        Test(s, *At<Vector128<byte>>(s, o->Dst), *At<Vector128<byte>>(s, o->Src));
        return o + 1;
    }

    private static Op* TestMem<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        SimdGuard.Sse(s);
        ulong linear = TA.Read(s, o, 16);
        SimdGuard.Aligned(s, linear, 16);
        Test(s, *At<Vector128<byte>>(s, o->Dst), Mem.Read<Vector128<byte>>(s, linear));
        return o + 1;
    }

    private static Op* VexTestReg(CpuState* s, Op* o)
    {
        SimdGuard.Avx(s);
        Test(s, *At<Vector128<byte>>(s, o->Dst), *At<Vector128<byte>>(s, o->Src));
        return o + 1;
    }

    private static Op* VexTestMem<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        Test(s, *At<Vector128<byte>>(s, o->Dst), Mem.Read<Vector128<byte>>(s, TA.Read(s, o, 16)));
        return o + 1;
    }

    private static Op* VexTest256Reg(CpuState* s, Op* o)
    {
        SimdGuard.Avx(s);
        Test256(s, *At<Vector256<byte>>(s, o->Dst), *At<Vector256<byte>>(s, o->Src));
        return o + 1;
    }

    private static Op* VexTest256Mem<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        Test256(s, *At<Vector256<byte>>(s, o->Dst), Mem.Read<Vector256<byte>>(s, TA.Read(s, o, 32)));
        return o + 1;
    }

    private static void Test(CpuState* s, Vector128<byte> a, Vector128<byte> b) =>
        Flags.SetStatus(s, ((b & a) == default ? Flags.Zero : 0) | ((b & ~a) == default ? Flags.Carry : 0));

    private static void Test256(CpuState* s, Vector256<byte> a, Vector256<byte> b) =>
        Flags.SetStatus(s, ((b & a) == default ? Flags.Zero : 0) | ((b & ~a) == default ? Flags.Carry : 0));

    private struct Sse : IEncoding
    {
        public static bool IsVex => false;
    }

    private struct Avx : IEncoding
    {
        public static bool IsVex => true;
    }

    private struct Avx256 : IEncoding
    {
        public static bool IsVex => true;
    }
}
