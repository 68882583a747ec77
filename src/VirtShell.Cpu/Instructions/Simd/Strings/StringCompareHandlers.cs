using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.Simd.Strings;

/// <summary>
/// PCMPISTRI, PCMPISTRM, PCMPESTRI, PCMPESTRM and their VEX forms (SDM Vol. 2B §4.1). The memory operand need not be aligned.
/// </summary>
internal static unsafe class StringCompareHandlers
{
    private const int Rax = 0;
    private const int Rcx = 1;
    private const int Rdx = 2;

    private interface ILength
    {
        /// <summary>Valid elements of an operand; <paramref name="register"/> holds the length where it is explicit.</summary>
        static abstract int Of(CpuState* s, int register, Vector128<byte> text, int immediate);
    }

    private interface IResult
    {
        static abstract void Store(CpuState* s, uint match, int immediate);
    }

    public static void Register()
    {
        Forms<ZeroEnded, Index, Index>("Pcmpistri");
        Forms<ZeroEnded, Mask, MaskClearingUpper>("Pcmpistrm");
        Forms<Length32, Index, Index>("Pcmpestri");
        Forms<Length32, Mask, MaskClearingUpper>("Pcmpestrm");
        Forms<Length64, Index, Index>("Pcmpestri64");
        Forms<Length64, Mask, MaskClearingUpper>("Pcmpestrm64");
    }

    private static void Forms<TLength, TResult, TVexResult>(string mnemonic)
        where TLength : struct, ILength
        where TResult : struct, IResult
        where TVexResult : struct, IResult
    {
        Packed.Add(
            $"{mnemonic}_xmm_xmmm128_imm8",
            &SseReg<TLength, TResult>,
            &SseMem<TLength, TResult, Flat>,
            &SseMem<TLength, TResult, General>);
        Packed.Add(
            $"VEX_V{mnemonic}_xmm_xmmm128_imm8",
            &VexReg<TLength, TVexResult>,
            &VexMem<TLength, TVexResult, Flat>,
            &VexMem<TLength, TVexResult, General>);
    }

    private static Op* SseReg<TLength, TResult>(CpuState* s, Op* o)
        where TLength : struct, ILength
        where TResult : struct, IResult
    {
        SimdGuard.Sse(s);
        return Compare<TLength, TResult>(s, o, *At(s, o->Src));
    }

    private static Op* SseMem<TLength, TResult, TA>(CpuState* s, Op* o)
        where TLength : struct, ILength
        where TResult : struct, IResult
        where TA : struct, IAddressing
    {
        SimdGuard.Sse(s);
        return Compare<TLength, TResult>(s, o, Mem.Read<Vector128<byte>>(s, TA.Read(s, o, 16)));
    }

    private static Op* VexReg<TLength, TResult>(CpuState* s, Op* o)
        where TLength : struct, ILength
        where TResult : struct, IResult
    {
        SimdGuard.Avx(s);
        return Compare<TLength, TResult>(s, o, *At(s, o->Src));
    }

    private static Op* VexMem<TLength, TResult, TA>(CpuState* s, Op* o)
        where TLength : struct, ILength
        where TResult : struct, IResult
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        return Compare<TLength, TResult>(s, o, Mem.Read<Vector128<byte>>(s, TA.Read(s, o, 16)));
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte>* At(CpuState* s, int place) => (Vector128<byte>*)((byte*)s + place);

    private static Op* Compare<TLength, TResult>(CpuState* s, Op* o, Vector128<byte> b)
        where TLength : struct, ILength
        where TResult : struct, IResult
    {
        int immediate = (int)o->Imm;
        Vector128<byte> a = *At(s, o->Dst);
        int lengthA = TLength.Of(s, Rax, a, immediate);
        int lengthB = TLength.Of(s, Rdx, b, immediate);
        uint match = StringCompare.Match(a, lengthA, b, lengthB, immediate);
        int count = StringCompare.Count(immediate);
        uint flags = match != 0 ? Flags.Carry : 0;
        flags |= lengthB < count ? Flags.Zero : 0;
        flags |= lengthA < count ? Flags.Sign : 0;
        flags |= (match & 1) != 0 ? Flags.Overflow : 0;
        TResult.Store(s, match, immediate);
        Flags.SetStatus(s, flags);
        return o + 1;
    }

    private struct ZeroEnded : ILength
    {
        public static int Of(CpuState* s, int register, Vector128<byte> text, int immediate) => StringCompare.ImplicitLength(text, immediate);
    }

    private struct Length32 : ILength
    {
        public static int Of(CpuState* s, int register, Vector128<byte> text, int immediate) =>
            StringCompare.ExplicitLength((int)s->Gpr[register], immediate);
    }

    private struct Length64 : ILength
    {
        public static int Of(CpuState* s, int register, Vector128<byte> text, int immediate) =>
            StringCompare.ExplicitLength((long)s->Gpr[register], immediate);
    }

    /// <summary>ECX: the first or last match, or the number of elements where there is none.</summary>
    private struct Index : IResult
    {
        public static void Store(CpuState* s, uint match, int immediate)
        {
            int index = match == 0 ? StringCompare.Count(immediate)
                : (immediate & StringCompare.ResultLast) != 0 ? BitOperations.Log2(match)
                : BitOperations.TrailingZeroCount(match);
            s->Gpr[Rcx] = (uint)index;
        }
    }

    /// <summary>XMM0: the matches as bits, or spread over elements.</summary>
    private struct Mask : IResult
    {
        public static void Store(CpuState* s, uint match, int immediate) =>
            *(Vector128<byte>*)CpuState.Vector(s, 0) = (immediate & StringCompare.ResultWide) != 0
                ? StringCompare.Spread(match, immediate)
                : Vector128.CreateScalar(match).AsByte();
    }

    private struct MaskClearingUpper : IResult
    {
        public static void Store(CpuState* s, uint match, int immediate)
        {
            Mask.Store(s, match, immediate);
            ((Vector128<byte>*)CpuState.Vector(s, 0))[1] = default;
        }
    }
}
