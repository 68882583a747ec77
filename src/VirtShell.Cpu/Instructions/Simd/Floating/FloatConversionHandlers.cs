using System.Runtime.Intrinsics;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Instructions.Mmx;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.Simd.Floating;

/// <summary>Conversions, COMISS and UCOMISS (SDM Vol. 2).</summary>
internal static unsafe class FloatConversionHandlers
{
    public static void Register()
    {
        Forms.Add<ConvertFormat<Binary32, Binary64>, Legacy, ulong>("Cvtps2pd_xmm_xmmm64");
        Forms.Add<ConvertFormat<Binary32, Binary64>, Two128, ulong>("VEX_Vcvtps2pd_xmm_xmmm64");
        Forms.Add<ConvertFormat<Binary32, Binary64>, Two256, Vector128<byte>>("VEX_Vcvtps2pd_ymm_xmmm128");
        Narrowing<ConvertFormat<Binary64, Binary32>>("Cvtpd2ps");
        Narrowing<ToIntegers<Binary64, ByControl>>("Cvtpd2dq");
        Narrowing<ToIntegers<Binary64, Truncating>>("Cvttpd2dq");
        Forms.Unary<ToIntegers<Binary32, ByControl>>("Cvtps2dq");
        Forms.Unary<ToIntegers<Binary32, Truncating>>("Cvttps2dq");
        Forms.Unary<FromIntegers<Binary32>>("Cvtdq2ps");
        Forms.Add<FromIntegers<Binary64>, Legacy, ulong>("Cvtdq2pd_xmm_xmmm64");
        Forms.Add<FromIntegers<Binary64>, Two128, ulong>("VEX_Vcvtdq2pd_xmm_xmmm64");
        Forms.Add<FromIntegers<Binary64>, Two256, Vector128<byte>>("VEX_Vcvtdq2pd_ymm_xmmm128");
        Forms.Scalar<ConvertScalar<Binary32, Binary64>, uint>("Cvtss2sd");
        Forms.Scalar<ConvertScalar<Binary64, Binary32>, ulong>("Cvtsd2ss");
        Integers<Binary32, uint>("ss");
        Integers<Binary64, ulong>("sd");
        FromMmx<Binary32>("Cvtpi2ps_xmm_mmm64");
        FromMmx<Binary64>("Cvtpi2pd_xmm_mmm64");
        ToMmx<Binary32, ByControl, ulong>("Cvtps2pi_mm_xmmm64");
        ToMmx<Binary32, Truncating, ulong>("Cvttps2pi_mm_xmmm64");
        ToMmx<Binary64, ByControl, Vector128<byte>>("Cvtpd2pi_mm_xmmm128");
        ToMmx<Binary64, Truncating, Vector128<byte>>("Cvttpd2pi_mm_xmmm128");
    }

    private static void Narrowing<TOp>(string name)
        where TOp : struct, IVectorOperation
    {
        Forms.Add<TOp, Legacy, Vector128<byte>>($"{name}_xmm_xmmm128");
        Forms.Add<TOp, Two128, Vector128<byte>>($"VEX_V{name}_xmm_xmmm128");
        Forms.Add<TOp, Two256, Vector256<byte>>($"VEX_V{name}_xmm_ymmm256");
    }

    private static void Integers<TF, TMemory>(string type)
        where TF : struct, IFloatFormat
        where TMemory : unmanaged
    {
        Forms.Add<FromInteger<TF, uint>, Legacy, uint>($"Cvtsi2{type}_xmm_rm32");
        Forms.Add<FromInteger<TF, ulong>, Legacy, ulong>($"Cvtsi2{type}_xmm_rm64");
        Forms.Add<FromInteger<TF, uint>, Three128, uint>($"VEX_Vcvtsi2{type}_xmm_xmm_rm32");
        Forms.Add<FromInteger<TF, ulong>, Three128, ulong>($"VEX_Vcvtsi2{type}_xmm_xmm_rm64");
        int bits = sizeof(TMemory) * 8;
        ToGeneral<TF, TMemory, ByControl>($"cvt{type}2si", bits);
        ToGeneral<TF, TMemory, Truncating>($"cvtt{type}2si", bits);
        foreach (string name in new[] { "comis", "ucomis" })
        {
            string mnemonic = name + type[1];
            if (name == "comis")
            {
                Comparison<TF, TMemory, Ordered>(mnemonic, bits);
            }
            else
            {
                Comparison<TF, TMemory, Unordered>(mnemonic, bits);
            }
        }
    }

    private static void ToGeneral<TF, TMemory, TConversion>(string name, int bits)
        where TF : struct, IFloatFormat
        where TMemory : unmanaged
        where TConversion : struct, IConversion
    {
        string legacy = "C" + name[1..];
        Packed.Add($"{legacy}_r32_xmmm{bits}", &ToRegister<TF, TConversion, Legacy, W32>, &ToRegisterMemory<TF, TMemory, TConversion, Legacy, W32, Flat>, &ToRegisterMemory<TF, TMemory, TConversion, Legacy, W32, General>);
        Packed.Add($"{legacy}_r64_xmmm{bits}", &ToRegister<TF, TConversion, Legacy, W64>, &ToRegisterMemory<TF, TMemory, TConversion, Legacy, W64, Flat>, &ToRegisterMemory<TF, TMemory, TConversion, Legacy, W64, General>);
        Packed.Add($"VEX_V{name}_r32_xmmm{bits}", &ToRegister<TF, TConversion, Two128, W32>, &ToRegisterMemory<TF, TMemory, TConversion, Two128, W32, Flat>, &ToRegisterMemory<TF, TMemory, TConversion, Two128, W32, General>);
        Packed.Add($"VEX_V{name}_r64_xmmm{bits}", &ToRegister<TF, TConversion, Two128, W64>, &ToRegisterMemory<TF, TMemory, TConversion, Two128, W64, Flat>, &ToRegisterMemory<TF, TMemory, TConversion, Two128, W64, General>);
    }

    private static void Comparison<TF, TMemory, TSignal>(string name, int bits)
        where TF : struct, IFloatFormat
        where TMemory : unmanaged
        where TSignal : struct, ISignal
    {
        string legacy = char.ToUpperInvariant(name[0]) + name[1..];
        Packed.Add($"{legacy}_xmm_xmmm{bits}", &CompareRegister<TF, TSignal, Legacy>, &CompareMemory<TF, TMemory, TSignal, Legacy, Flat>, &CompareMemory<TF, TMemory, TSignal, Legacy, General>);
        Packed.Add($"VEX_V{name}_xmm_xmmm{bits}", &CompareRegister<TF, TSignal, Two128>, &CompareMemory<TF, TMemory, TSignal, Two128, Flat>, &CompareMemory<TF, TMemory, TSignal, Two128, General>);
    }

    private static void FromMmx<TF>(string name)
        where TF : struct, IFloatFormat =>
        Packed.Add(name, &FromMmxRegister<TF>, &FromMmxMemory<TF, Flat>, &FromMmxMemory<TF, General>);

    private static void ToMmx<TF, TConversion, TMemory>(string name)
        where TF : struct, IFloatFormat
        where TConversion : struct, IConversion
        where TMemory : unmanaged =>
        Packed.Add(name, &ToMmxRegister<TF, TConversion>, &ToMmxMemory<TF, TConversion, TMemory, Flat>, &ToMmxMemory<TF, TConversion, TMemory, General>);

    /// <summary>Whether quiet NaNs raise #I.</summary>
    internal interface ISignal
    {
        static abstract bool ForQuiet { get; }
    }

    private static Op* ToRegister<TF, TConversion, TForm, TW>(CpuState* s, Op* o)
        where TF : struct, IFloatFormat
        where TConversion : struct, IConversion
        where TForm : struct, IForm
        where TW : struct, IWidth
    {
        Forms.Guard<TForm>(s);
        Convert<TF, TConversion, TW>(s, o, TF.Get((byte*)s + o->Src, 0));
        return o + 1;
    }

    private static Op* ToRegisterMemory<TF, TMemory, TConversion, TForm, TW, TA>(CpuState* s, Op* o)
        where TF : struct, IFloatFormat
        where TMemory : unmanaged
        where TConversion : struct, IConversion
        where TForm : struct, IForm
        where TW : struct, IWidth
        where TA : struct, IAddressing
    {
        Forms.Guard<TForm>(s);
        TMemory value = Mem.Read<TMemory>(s, TA.Read(s, o, sizeof(TMemory)));
        Convert<TF, TConversion, TW>(s, o, TF.Get((byte*)&value, 0));
        return o + 1;
    }

    private static void Convert<TF, TConversion, TW>(CpuState* s, Op* o, ulong bits)
        where TF : struct, IFloatFormat
        where TConversion : struct, IConversion
        where TW : struct, IWidth
    {
        SimdContext context = new(s->Mxcsr);
        ulong result = SoftFloat<TF>.ToInteger(ref context, bits, TW.Bits, TConversion.Rounding(ref context));
        context.Commit(s);
        TW.Set((byte*)s + o->Dst, result);
    }

    private static Op* CompareRegister<TF, TSignal, TForm>(CpuState* s, Op* o)
        where TF : struct, IFloatFormat
        where TSignal : struct, ISignal
        where TForm : struct, IForm
    {
        Forms.Guard<TForm>(s);
        Compare<TF, TSignal>(s, TF.Get((byte*)s + o->Dst, 0), TF.Get((byte*)s + o->Src, 0));
        return o + 1;
    }

    private static Op* CompareMemory<TF, TMemory, TSignal, TForm, TA>(CpuState* s, Op* o)
        where TF : struct, IFloatFormat
        where TMemory : unmanaged
        where TSignal : struct, ISignal
        where TForm : struct, IForm
        where TA : struct, IAddressing
    {
        Forms.Guard<TForm>(s);
        TMemory value = Mem.Read<TMemory>(s, TA.Read(s, o, sizeof(TMemory)));
        Compare<TF, TSignal>(s, TF.Get((byte*)s + o->Dst, 0), TF.Get((byte*)&value, 0));
        return o + 1;
    }

    private static void Compare<TF, TSignal>(CpuState* s, ulong a, ulong b)
        where TF : struct, IFloatFormat
        where TSignal : struct, ISignal
    {
        SimdContext context = new(s->Mxcsr);
        int outcome = SoftFloat<TF>.Compare(ref context, a, b, TSignal.ForQuiet);
        context.Commit(s);
        Flags.SetStatus(s, outcome switch
        {
            1 => Flags.Carry,
            2 => Flags.Zero,
            4 => 0,
            _ => Flags.Carry | Flags.Parity | Flags.Zero,
        });
    }

    private static Op* FromMmxRegister<TF>(CpuState* s, Op* o)
        where TF : struct, IFloatFormat
    {
        SimdGuard.Sse(s);
        MmxState.Enter(s);
        ulong pair = MmxState.Get(s, o->Src);
        SetPair<TF>(s, o, pair, transition: true);
        return o + 1;
    }

    private static Op* FromMmxMemory<TF, TA>(CpuState* s, Op* o)
        where TF : struct, IFloatFormat
        where TA : struct, IAddressing
    {
        // With a memory operand CVTPI2PD makes no transition to MMX; CVTPI2PS likewise on current processors.
        SimdGuard.Sse(s);
        SetPair<TF>(s, o, Mem.Read<ulong>(s, TA.Read(s, o, 8)), transition: false);
        return o + 1;
    }

    private static void SetPair<TF>(CpuState* s, Op* o, ulong pair, bool transition)
        where TF : struct, IFloatFormat
    {
        SimdContext context = new(s->Mxcsr);
        ulong low = SoftFloat<TF>.FromInteger(ref context, (int)pair);
        ulong high = SoftFloat<TF>.FromInteger(ref context, (int)(pair >> 32));
        context.Commit(s);
        if (transition)
        {
            MmxState.Transition(s);
        }

        TF.Set((byte*)s + o->Dst, 0, low);
        TF.Set((byte*)s + o->Dst, 1, high);
    }

    private static Op* ToMmxRegister<TF, TConversion>(CpuState* s, Op* o)
        where TF : struct, IFloatFormat
        where TConversion : struct, IConversion
    {
        SimdGuard.Sse(s);
        MmxState.Enter(s);
        StorePair<TF, TConversion>(s, o, (byte*)s + o->Src);
        return o + 1;
    }

    private static Op* ToMmxMemory<TF, TConversion, TMemory, TA>(CpuState* s, Op* o)
        where TF : struct, IFloatFormat
        where TConversion : struct, IConversion
        where TMemory : unmanaged
        where TA : struct, IAddressing
    {
        SimdGuard.Sse(s);
        MmxState.Enter(s);
        ulong linear = TA.Read(s, o, sizeof(TMemory));
        if (sizeof(TMemory) == 16)
        {
            SimdGuard.Aligned(s, linear, 16);
        }

        TMemory value = Mem.Read<TMemory>(s, linear);
        StorePair<TF, TConversion>(s, o, (byte*)&value);
        return o + 1;
    }

    private static void StorePair<TF, TConversion>(CpuState* s, Op* o, byte* source)
        where TF : struct, IFloatFormat
        where TConversion : struct, IConversion
    {
        SimdContext context = new(s->Mxcsr);
        int rounding = TConversion.Rounding(ref context);
        ulong low = SoftFloat<TF>.ToInteger(ref context, TF.Get(source, 0), 32, rounding);
        ulong high = SoftFloat<TF>.ToInteger(ref context, TF.Get(source, 1), 32, rounding);
        context.Commit(s);
        MmxState.Transition(s);
        MmxState.Set(s, o->Dst, low | (high << 32));
    }

    private struct Ordered : ISignal
    {
        public static bool ForQuiet => true;
    }

    private struct Unordered : ISignal
    {
        public static bool ForQuiet => false;
    }
}
