using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.Simd.Floating;

/// <summary>
/// What an instruction computes from its sources <c>a</c> and <c>b</c>. The result starts as the destination's value for
/// legacy and fused forms, as zero for the others; <c>bytes</c> is the vector length, 16 or 32.
/// </summary>
internal unsafe interface IVectorOperation
{
    static abstract void Do(ref SimdContext c, byte* result, byte* a, byte* b, int immediate, int bytes);
}

/// <summary>An encoding: where the sources stand and what becomes of bits 255:128.</summary>
internal interface IForm
{
    static abstract bool IsVex { get; }

    /// <summary>The first source is the second operand (VEX with three operands).</summary>
    static abstract bool IsThree { get; }

    /// <summary>The destination is a source too (legacy, FMA).</summary>
    static abstract bool ReadsDestination { get; }

    static abstract int Bytes { get; }
}

internal struct Legacy : IForm
{
    public static bool IsVex => false;

    public static bool IsThree => false;

    public static bool ReadsDestination => true;

    public static int Bytes => 16;
}

internal struct Two128 : IForm
{
    public static bool IsVex => true;

    public static bool IsThree => false;

    public static bool ReadsDestination => false;

    public static int Bytes => 16;
}

internal struct Two256 : IForm
{
    public static bool IsVex => true;

    public static bool IsThree => false;

    public static bool ReadsDestination => false;

    public static int Bytes => 32;
}

internal struct Three128 : IForm
{
    public static bool IsVex => true;

    public static bool IsThree => true;

    public static bool ReadsDestination => false;

    public static int Bytes => 16;
}

internal struct Three256 : IForm
{
    public static bool IsVex => true;

    public static bool IsThree => true;

    public static bool ReadsDestination => false;

    public static int Bytes => 32;
}

internal struct Fused128 : IForm
{
    public static bool IsVex => true;

    public static bool IsThree => true;

    public static bool ReadsDestination => true;

    public static int Bytes => 16;
}

internal struct Fused256 : IForm
{
    public static bool IsVex => true;

    public static bool IsThree => true;

    public static bool ReadsDestination => true;

    public static int Bytes => 32;
}

/// <summary>The handlers that run an <see cref="IVectorOperation"/> in any form, and the rows that enter them.</summary>
internal static unsafe class Forms
{
    /// <summary>Enters register and memory forms; <typeparamref name="TMemory"/> has the memory operand's size.</summary>
    public static void Add<TOp, TForm, TMemory>(string name)
        where TOp : struct, IVectorOperation
        where TForm : struct, IForm
        where TMemory : unmanaged =>
        Packed.Add(name, &Register<TOp, TForm>, &Memory<TOp, TForm, TMemory, Flat>, &Memory<TOp, TForm, TMemory, General>);

    /// <summary>Legacy, VEX.128 and VEX.256 forms of a packed operation with two sources.</summary>
    public static void Binary<TOp>(string mnemonic, string suffix = "")
        where TOp : struct, IVectorOperation
    {
        Add<TOp, Legacy, Vector128<byte>>($"{mnemonic}_xmm_xmmm128{suffix}");
        Add<TOp, Three128, Vector128<byte>>($"VEX_V{mnemonic}_xmm_xmm_xmmm128{suffix}");
        Add<TOp, Three256, Vector256<byte>>($"VEX_V{mnemonic}_ymm_ymm_ymmm256{suffix}");
    }

    /// <summary>Legacy, VEX.128 and VEX.256 forms of a packed operation with one source.</summary>
    public static void Unary<TOp>(string mnemonic, string suffix = "")
        where TOp : struct, IVectorOperation
    {
        Add<TOp, Legacy, Vector128<byte>>($"{mnemonic}_xmm_xmmm128{suffix}");
        Add<TOp, Two128, Vector128<byte>>($"VEX_V{mnemonic}_xmm_xmmm128{suffix}");
        Add<TOp, Two256, Vector256<byte>>($"VEX_V{mnemonic}_ymm_ymmm256{suffix}");
    }

    /// <summary>Legacy and VEX forms of a scalar operation; the upper elements come from the first source.</summary>
    public static void Scalar<TOp, TMemory>(string mnemonic, string suffix = "")
        where TOp : struct, IVectorOperation
        where TMemory : unmanaged
    {
        int bits = sizeof(TMemory) * 8;
        Add<TOp, Legacy, TMemory>($"{mnemonic}_xmm_xmmm{bits}{suffix}");
        Add<TOp, Three128, TMemory>($"VEX_V{mnemonic}_xmm_xmm_xmmm{bits}{suffix}");
    }

    public static Op* Register<TOp, TForm>(CpuState* s, Op* o)
        where TOp : struct, IVectorOperation
        where TForm : struct, IForm
    {
        Guard<TForm>(s);
        Run<TOp, TForm>(s, o, (byte*)s + (TForm.IsThree ? o->Src2 : o->Src));
        return o + 1;
    }

    public static Op* Memory<TOp, TForm, TMemory, TA>(CpuState* s, Op* o)
        where TOp : struct, IVectorOperation
        where TForm : struct, IForm
        where TMemory : unmanaged
        where TA : struct, IAddressing
    {
        Guard<TForm>(s);
        ulong linear = TA.Read(s, o, sizeof(TMemory));
        if (!TForm.IsVex && sizeof(TMemory) == 16)
        {
            SimdGuard.Aligned(s, linear, 16);
        }

        TMemory source = Mem.Read<TMemory>(s, linear);
        Run<TOp, TForm>(s, o, (byte*)&source);
        return o + 1;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Guard<TForm>(CpuState* s)
        where TForm : struct, IForm
    {
        if (TForm.IsVex)
        {
            SimdGuard.Avx(s);
        }
        else
        {
            SimdGuard.Sse(s);
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Run<TOp, TForm>(CpuState* s, Op* o, byte* b)
        where TOp : struct, IVectorOperation
        where TForm : struct, IForm
    {
        SimdContext context = new(s->Mxcsr);
        byte* destination = (byte*)s + o->Dst;
        byte* a = TForm.IsThree ? (byte*)s + o->Src : destination;
        Vector256<byte> result = TForm.ReadsDestination ? *(Vector256<byte>*)destination : default;
        TOp.Do(ref context, (byte*)&result, a, b, (int)o->Imm, TForm.Bytes);
        context.Commit(s);
        if (TForm.IsVex)
        {
            *(Vector256<byte>*)destination = TForm.Bytes == 16 ? result.WithUpper(default) : result;
        }
        else
        {
            *(Vector128<byte>*)destination = result.GetLower();
        }
    }
}
