using System.Runtime.Intrinsics;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.Simd.Floating;

/// <summary>Duplicating moves, blends by a mask register, INSERTPS, BLENDPD (SDM Vol. 2): nothing is computed.</summary>
internal static unsafe class FloatArrangeHandlers
{
    public static void Register()
    {
        Forms.Unary<DuplicateOdd>("Movshdup");
        Forms.Unary<DuplicateEven>("Movsldup");
        Forms.Add<DuplicateDouble, Legacy, ulong>("Movddup_xmm_xmmm64");
        Forms.Add<DuplicateDouble, Two128, ulong>("VEX_Vmovddup_xmm_xmmm64");
        Forms.Add<DuplicateDouble, Two256, Vector256<byte>>("VEX_Vmovddup_ymm_ymmm256");
        Forms.Binary<BlendDoubles>("Blendpd", "_imm8");
        Packed.Add("Insertps_xmm_xmmm32_imm8", &Forms.Register<InsertSingle<RegisterSource>, Legacy>, &Forms.Memory<InsertSingle<MemorySource>, Legacy, uint, Flat>, &Forms.Memory<InsertSingle<MemorySource>, Legacy, uint, General>);
        Packed.Add("VEX_Vinsertps_xmm_xmm_xmmm32_imm8", &Forms.Register<InsertSingle<RegisterSource>, Three128>, &Forms.Memory<InsertSingle<MemorySource>, Three128, uint, Flat>, &Forms.Memory<InsertSingle<MemorySource>, Three128, uint, General>);
        Blend<byte>("Pblendvb");
        Blend<uint>("Blendvps");
        Blend<ulong>("Blendvpd");
    }

    private static void Blend<T>(string name)
        where T : unmanaged
    {
        Packed.Add($"{name}_xmm_xmmm128", &BlendRegister<T>, &BlendMemory<T, Flat>, &BlendMemory<T, General>);
        Packed.Add($"VEX_V{name}_xmm_xmm_xmmm128_xmm", &VexBlendRegister<T, Three128>, &VexBlendMemory<T, Three128, Vector128<byte>, Flat>, &VexBlendMemory<T, Three128, Vector128<byte>, General>);
        Packed.Add($"VEX_V{name}_ymm_ymm_ymmm256_ymm", &VexBlendRegister<T, Three256>, &VexBlendMemory<T, Three256, Vector256<byte>, Flat>, &VexBlendMemory<T, Three256, Vector256<byte>, General>);
    }

    /// <summary>Where INSERTPS takes its element from: the immediate says so for registers only.</summary>
    internal interface ISourceKind
    {
        static abstract bool IsMemory { get; }
    }

    private static Vector128<byte> Choose<T>(Vector128<byte> a, Vector128<byte> b, Vector128<byte> mask)
        where T : unmanaged
    {
        // The sign of each element chooses.
        Vector128<byte> signs = sizeof(T) switch
        {
            1 => (mask.AsSByte() >> 7).AsByte(),
            4 => (mask.AsInt32() >> 31).AsByte(),
            _ => (mask.AsInt64() >> 63).AsByte(),
        };
        return Vector128.ConditionalSelect(signs, b, a);
    }

    private static Op* BlendRegister<T>(CpuState* s, Op* o)
        where T : unmanaged
    {
        SimdGuard.Sse(s);
        Vector128<byte>* destination = (Vector128<byte>*)((byte*)s + o->Dst);
        *destination = Choose<T>(*destination, *(Vector128<byte>*)((byte*)s + o->Src), *(Vector128<byte>*)CpuState.Vector(s, 0));
        return o + 1;
    }

    private static Op* BlendMemory<T, TA>(CpuState* s, Op* o)
        where T : unmanaged
        where TA : struct, IAddressing
    {
        SimdGuard.Sse(s);
        ulong linear = TA.Read(s, o, 16);
        SimdGuard.Aligned(s, linear, 16);
        Vector128<byte> source = Mem.Read<Vector128<byte>>(s, linear);
        Vector128<byte>* destination = (Vector128<byte>*)((byte*)s + o->Dst);
        *destination = Choose<T>(*destination, source, *(Vector128<byte>*)CpuState.Vector(s, 0));
        return o + 1;
    }

    private static Op* VexBlendRegister<T, TForm>(CpuState* s, Op* o)
        where T : unmanaged
        where TForm : struct, IForm
    {
        SimdGuard.Avx(s);
        VexBlend<T, TForm>(s, o, *(Vector256<byte>*)((byte*)s + o->Src2));
        return o + 1;
    }

    private static Op* VexBlendMemory<T, TForm, TMemory, TA>(CpuState* s, Op* o)
        where T : unmanaged
        where TForm : struct, IForm
        where TMemory : unmanaged
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        Vector256<byte> source = default;
        *(TMemory*)&source = Mem.Read<TMemory>(s, TA.Read(s, o, sizeof(TMemory)));
        VexBlend<T, TForm>(s, o, source);
        return o + 1;
    }

    private static void VexBlend<T, TForm>(CpuState* s, Op* o, Vector256<byte> b)
        where T : unmanaged
        where TForm : struct, IForm
    {
        Vector128<byte>* a = (Vector128<byte>*)((byte*)s + o->Src);
        Vector128<byte>* mask = (Vector128<byte>*)((byte*)s + (int)o->Extra);
        Vector128<byte> low = Choose<T>(a[0], b.GetLower(), mask[0]);
        Vector128<byte> high = TForm.Bytes == 32 ? Choose<T>(a[1], b.GetUpper(), mask[1]) : default;
        *(Vector256<byte>*)((byte*)s + o->Dst) = Vector256.Create(low, high);
    }

    private struct DuplicateOdd : IVectorOperation
    {
        public static void Do(ref SimdContext c, byte* result, byte* a, byte* b, int immediate, int bytes)
        {
            for (int i = 0; i < bytes / 4; i++)
            {
                ((uint*)result)[i] = ((uint*)b)[i | 1];
            }
        }
    }

    private struct DuplicateEven : IVectorOperation
    {
        public static void Do(ref SimdContext c, byte* result, byte* a, byte* b, int immediate, int bytes)
        {
            for (int i = 0; i < bytes / 4; i++)
            {
                ((uint*)result)[i] = ((uint*)b)[i & ~1];
            }
        }
    }

    private struct DuplicateDouble : IVectorOperation
    {
        public static void Do(ref SimdContext c, byte* result, byte* a, byte* b, int immediate, int bytes)
        {
            for (int i = 0; i < bytes / 8; i++)
            {
                ((ulong*)result)[i] = ((ulong*)b)[i & ~1];
            }
        }
    }

    private struct BlendDoubles : IVectorOperation
    {
        public static void Do(ref SimdContext c, byte* result, byte* a, byte* b, int immediate, int bytes)
        {
            for (int i = 0; i < bytes / 8; i++)
            {
                ((ulong*)result)[i] = ((ulong*)((immediate & (1 << i)) != 0 ? b : a))[i];
            }
        }
    }

    private struct InsertSingle<TSource> : IVectorOperation
        where TSource : struct, ISourceKind
    {
        public static void Do(ref SimdContext c, byte* result, byte* a, byte* b, int immediate, int bytes)
        {
            uint value = ((uint*)b)[TSource.IsMemory ? 0 : (immediate >> 6) & 3];
            *(Vector128<byte>*)result = *(Vector128<byte>*)a;
            ((uint*)result)[(immediate >> 4) & 3] = value;
            for (int i = 0; i < 4; i++)
            {
                ((uint*)result)[i] = (immediate & (1 << i)) != 0 ? 0 : ((uint*)result)[i];
            }
        }
    }

    private struct RegisterSource : ISourceKind
    {
        public static bool IsMemory => false;
    }

    private struct MemorySource : ISourceKind
    {
        public static bool IsMemory => true;
    }
}
