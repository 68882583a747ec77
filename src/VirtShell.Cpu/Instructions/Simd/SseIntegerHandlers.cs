using System;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.Simd;

/// <summary>Legacy SSE2 packed integer and bitwise operations on XMM registers (SDM Vol. 2).</summary>
internal static unsafe class SseIntegerHandlers
{
    /// <summary>Destination from destination and source, 128 bits.</summary>
    internal interface IPacked
    {
        static abstract Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b);
    }

    public static void Register()
    {
        Row<Xor>(Code.Pxor_xmm_xmmm128, Code.Xorps_xmm_xmmm128, Code.Xorpd_xmm_xmmm128);
        Row<And>(Code.Pand_xmm_xmmm128, Code.Andps_xmm_xmmm128, Code.Andpd_xmm_xmmm128);
        Row<Or>(Code.Por_xmm_xmmm128, Code.Orps_xmm_xmmm128, Code.Orpd_xmm_xmmm128);
        Row<AndNot>(Code.Pandn_xmm_xmmm128, Code.Andnps_xmm_xmmm128, Code.Andnpd_xmm_xmmm128);
        Row<Add<byte>>(Code.Paddb_xmm_xmmm128);
        Row<Add<ushort>>(Code.Paddw_xmm_xmmm128);
        Row<Add<uint>>(Code.Paddd_xmm_xmmm128);
        Row<Add<ulong>>(Code.Paddq_xmm_xmmm128);
        Row<Sub<byte>>(Code.Psubb_xmm_xmmm128);
        Row<Sub<ushort>>(Code.Psubw_xmm_xmmm128);
        Row<Sub<uint>>(Code.Psubd_xmm_xmmm128);
        Row<Sub<ulong>>(Code.Psubq_xmm_xmmm128);
        Row<Equal<byte>>(Code.Pcmpeqb_xmm_xmmm128);
        Row<Equal<ushort>>(Code.Pcmpeqw_xmm_xmmm128);
        Row<Equal<uint>>(Code.Pcmpeqd_xmm_xmmm128);
        Row<Greater<sbyte>>(Code.Pcmpgtb_xmm_xmmm128);
        Row<Greater<short>>(Code.Pcmpgtw_xmm_xmmm128);
        Row<Greater<int>>(Code.Pcmpgtd_xmm_xmmm128);
        Row<Min<byte>>(Code.Pminub_xmm_xmmm128);
        Row<Max<byte>>(Code.Pmaxub_xmm_xmmm128);
        Row<Min<short>>(Code.Pminsw_xmm_xmmm128);
        Row<Max<short>>(Code.Pmaxsw_xmm_xmmm128);
        Row<UnpackLow1>(Code.Punpcklbw_xmm_xmmm128);
        Row<UnpackLow2>(Code.Punpcklwd_xmm_xmmm128);
        Row<UnpackLow4>(Code.Punpckldq_xmm_xmmm128, Code.Unpcklps_xmm_xmmm128);
        Row<UnpackLow8>(Code.Punpcklqdq_xmm_xmmm128, Code.Unpcklpd_xmm_xmmm128);
        Row<UnpackHigh1>(Code.Punpckhbw_xmm_xmmm128);
        Row<UnpackHigh2>(Code.Punpckhwd_xmm_xmmm128);
        Row<UnpackHigh4>(Code.Punpckhdq_xmm_xmmm128, Code.Unpckhps_xmm_xmmm128);
        Row<UnpackHigh8>(Code.Punpckhqdq_xmm_xmmm128, Code.Unpckhpd_xmm_xmmm128);
        HandlerTable.Add(Code.Pshufd_xmm_xmmm128_imm8, &ShuffleReg, &ShuffleMem<Flat>, &ShuffleMem<General>);
        HandlerTable.Add(Code.Pmovmskb_r32_xmm, &MoveMask);
        HandlerTable.Add(Code.Pmovmskb_r64_xmm, &MoveMask);
        HandlerTable.Add(Code.Pslldq_xmm_imm8, &ShiftLeftBytes);
        HandlerTable.Add(Code.Psrldq_xmm_imm8, &ShiftRightBytes);
    }

    private static void Row<TP>(params ReadOnlySpan<Code> codes)
        where TP : struct, IPacked
    {
        foreach (Code code in codes)
        {
            HandlerTable.Add(code, &PackedReg<TP>, &PackedMem<TP, Flat>, &PackedMem<TP, General>);
        }
    }

    private static Op* PackedReg<TP>(CpuState* s, Op* o)
        where TP : struct, IPacked
    {
        SimdGuard.Sse(s);
        Vector128<byte>* destination = (Vector128<byte>*)((byte*)s + o->Dst);
        *destination = TP.Apply(*destination, *(Vector128<byte>*)((byte*)s + o->Src));
        return o + 1;
    }

    private static Op* PackedMem<TP, TA>(CpuState* s, Op* o)
        where TP : struct, IPacked
        where TA : struct, IAddressing
    {
        SimdGuard.Sse(s);
        ulong linear = TA.Read(s, o, 16);
        SimdGuard.Aligned16(s, linear);
        Vector128<byte> source = Mem.Read<Vector128<byte>>(s, linear);
        Vector128<byte>* destination = (Vector128<byte>*)((byte*)s + o->Dst);
        *destination = TP.Apply(*destination, source);
        return o + 1;
    }

    private static Op* ShuffleReg(CpuState* s, Op* o)
    {
        SimdGuard.Sse(s);
        Shuffle((uint*)((byte*)s + o->Dst), *(Vector128<uint>*)((byte*)s + o->Src), (int)o->Imm);
        return o + 1;
    }

    private static Op* ShuffleMem<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        SimdGuard.Sse(s);
        ulong linear = TA.Read(s, o, 16);
        SimdGuard.Aligned16(s, linear);
        Shuffle((uint*)((byte*)s + o->Dst), Mem.Read<Vector128<uint>>(s, linear), (int)o->Imm);
        return o + 1;
    }

    private static void Shuffle(uint* destination, Vector128<uint> source, int order)
    {
        for (int i = 0; i < 4; i++)
        {
            destination[i] = source[(order >> (2 * i)) & 3];
        }
    }

    private static Op* MoveMask(CpuState* s, Op* o)
    {
        SimdGuard.Sse(s);
        *(ulong*)((byte*)s + o->Dst) = (*(Vector128<byte>*)((byte*)s + o->Src)).ExtractMostSignificantBits();
        return o + 1;
    }

    private static Op* ShiftLeftBytes(CpuState* s, Op* o)
    {
        SimdGuard.Sse(s);
        UInt128* value = (UInt128*)((byte*)s + o->Dst);
        int count = (byte)o->Imm;
        *value = count > 15 ? UInt128.Zero : *value << (count * 8);
        return o + 1;
    }

    private static Op* ShiftRightBytes(CpuState* s, Op* o)
    {
        SimdGuard.Sse(s);
        UInt128* value = (UInt128*)((byte*)s + o->Dst);
        int count = (byte)o->Imm;
        *value = count > 15 ? UInt128.Zero : *value >> (count * 8);
        return o + 1;
    }

    /// <summary>Interleaves elements of <paramref name="size"/> bytes of the low or high halves.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static Vector128<byte> Interleave(Vector128<byte> a, Vector128<byte> b, int size, int start)
    {
        Vector128<byte> result;
        byte* from = (byte*)&a;
        byte* other = (byte*)&b;
        byte* to = (byte*)&result;
        for (int i = 0; i < 8; i += size)
        {
            for (int j = 0; j < size; j++)
            {
                to[(2 * i) + j] = from[start + i + j];
                to[(2 * i) + size + j] = other[start + i + j];
            }
        }

        return result;
    }

    private struct Xor : IPacked
    {
        public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => a ^ b;
    }

    private struct And : IPacked
    {
        public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => a & b;
    }

    private struct Or : IPacked
    {
        public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => a | b;
    }

    private struct AndNot : IPacked
    {
        public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => ~a & b;
    }

    private struct Add<T> : IPacked
        where T : unmanaged
    {
        public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => (a.As<byte, T>() + b.As<byte, T>()).AsByte();
    }

    private struct Sub<T> : IPacked
        where T : unmanaged
    {
        public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => (a.As<byte, T>() - b.As<byte, T>()).AsByte();
    }

    private struct Equal<T> : IPacked
        where T : unmanaged
    {
        public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Vector128.Equals(a.As<byte, T>(), b.As<byte, T>()).AsByte();
    }

    private struct Greater<T> : IPacked
        where T : unmanaged
    {
        public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Vector128.GreaterThan(a.As<byte, T>(), b.As<byte, T>()).AsByte();
    }

    private struct Min<T> : IPacked
        where T : unmanaged
    {
        public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Vector128.Min(a.As<byte, T>(), b.As<byte, T>()).AsByte();
    }

    private struct Max<T> : IPacked
        where T : unmanaged
    {
        public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Vector128.Max(a.As<byte, T>(), b.As<byte, T>()).AsByte();
    }

    private struct UnpackLow1 : IPacked
    {
        public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Interleave(a, b, 1, 0);
    }

    private struct UnpackLow2 : IPacked
    {
        public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Interleave(a, b, 2, 0);
    }

    private struct UnpackLow4 : IPacked
    {
        public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Interleave(a, b, 4, 0);
    }

    private struct UnpackLow8 : IPacked
    {
        public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Interleave(a, b, 8, 0);
    }

    private struct UnpackHigh1 : IPacked
    {
        public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Interleave(a, b, 1, 8);
    }

    private struct UnpackHigh2 : IPacked
    {
        public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Interleave(a, b, 2, 8);
    }

    private struct UnpackHigh4 : IPacked
    {
        public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Interleave(a, b, 4, 8);
    }

    private struct UnpackHigh8 : IPacked
    {
        public static Vector128<byte> Apply(Vector128<byte> a, Vector128<byte> b) => Interleave(a, b, 8, 8);
    }
}
