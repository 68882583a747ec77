using System;
using System.Runtime.Intrinsics;
using VirtShell.Cpu.Instructions.Mmx;

namespace VirtShell.Cpu.Instructions.Simd;

/// <summary>Packed integer and bitwise operations of SSE2, SSSE3, SSE4.1, AVX and AVX2 (SDM Vol. 2); the element operations are those of MMX.</summary>
internal static class PackedIntegerHandlers
{
    public static void Register()
    {
        Bitwise();
        Arithmetic();
        Rearranging();
        Shifts();
    }

    private static void Bitwise()
    {
        foreach (string name in new[] { "Pxor", "Xorps", "Xorpd" })
        {
            Packed.Binary<Xor>(name);
        }

        foreach (string name in new[] { "Pand", "Andps", "Andpd" })
        {
            Packed.Binary<And>(name);
        }

        foreach (string name in new[] { "Por", "Orps", "Orpd" })
        {
            Packed.Binary<Or>(name);
        }

        foreach (string name in new[] { "Pandn", "Andnps", "Andnpd" })
        {
            Packed.Binary<AndNot>(name);
        }
    }

    private static void Arithmetic()
    {
        Packed.Binary<Add<byte>>("Paddb");
        Packed.Binary<Add<ushort>>("Paddw");
        Packed.Binary<Add<uint>>("Paddd");
        Packed.Binary<Add<ulong>>("Paddq");
        Packed.Binary<Subtract<byte>>("Psubb");
        Packed.Binary<Subtract<ushort>>("Psubw");
        Packed.Binary<Subtract<uint>>("Psubd");
        Packed.Binary<Subtract<ulong>>("Psubq");
        Packed.Binary<Equal<byte>>("Pcmpeqb");
        Packed.Binary<Equal<ushort>>("Pcmpeqw");
        Packed.Binary<Equal<uint>>("Pcmpeqd");
        Packed.Binary<Equal<ulong>>("Pcmpeqq");
        Packed.Binary<Greater<sbyte>>("Pcmpgtb");
        Packed.Binary<Greater<short>>("Pcmpgtw");
        Packed.Binary<Greater<int>>("Pcmpgtd");
        Packed.Binary<Greater<long>>("Pcmpgtq");
        Packed.Binary<Minimum<byte>>("Pminub");
        Packed.Binary<Minimum<sbyte>>("Pminsb");
        Packed.Binary<Minimum<ushort>>("Pminuw");
        Packed.Binary<Minimum<short>>("Pminsw");
        Packed.Binary<Minimum<uint>>("Pminud");
        Packed.Binary<Minimum<int>>("Pminsd");
        Packed.Binary<Maximum<byte>>("Pmaxub");
        Packed.Binary<Maximum<sbyte>>("Pmaxsb");
        Packed.Binary<Maximum<ushort>>("Pmaxuw");
        Packed.Binary<Maximum<short>>("Pmaxsw");
        Packed.Binary<Maximum<uint>>("Pmaxud");
        Packed.Binary<Maximum<int>>("Pmaxsd");
        Packed.Binary<Halves<Bytes<LaneOperations.AddSaturated8>>>("Paddsb");
        Packed.Binary<Halves<Words<LaneOperations.AddSaturated16>>>("Paddsw");
        Packed.Binary<Halves<Bytes<LaneOperations.AddUnsigned8>>>("Paddusb");
        Packed.Binary<Halves<Words<LaneOperations.AddUnsigned16>>>("Paddusw");
        Packed.Binary<Halves<Bytes<LaneOperations.SubtractSaturated8>>>("Psubsb");
        Packed.Binary<Halves<Words<LaneOperations.SubtractSaturated16>>>("Psubsw");
        Packed.Binary<Halves<Bytes<LaneOperations.SubtractUnsigned>>>("Psubusb");
        Packed.Binary<Halves<Words<LaneOperations.SubtractUnsigned>>>("Psubusw");
        Packed.Binary<Halves<Bytes<LaneOperations.Average>>>("Pavgb");
        Packed.Binary<Halves<Words<LaneOperations.Average>>>("Pavgw");
        Packed.Binary<Halves<Words<LaneOperations.MultiplyLow>>>("Pmullw");
        Packed.Binary<Halves<Words<LaneOperations.MultiplyHigh>>>("Pmulhw");
        Packed.Binary<Halves<Words<LaneOperations.MultiplyHighUnsigned>>>("Pmulhuw");
        Packed.Binary<Halves<Words<LaneOperations.MultiplyHighRounded>>>("Pmulhrsw");
        Packed.Binary<MultiplyLow32>("Pmulld");
        Packed.Binary<MultiplySigned32>("Pmuldq");
        Packed.Binary<Halves<WholeOperations.MultiplyUnsigned32>>("Pmuludq");
        Packed.Binary<Halves<WholeOperations.MultiplyAdd16>>("Pmaddwd");
        Packed.Binary<Halves<WholeOperations.MultiplyAdd8>>("Pmaddubsw");
        Packed.Binary<Halves<WholeOperations.SumAbsoluteDifferences>>("Psadbw");
        Packed.Binary<Halves<Bytes<LaneOperations.Sign8>>>("Psignb");
        Packed.Binary<Halves<Words<LaneOperations.Sign16>>>("Psignw");
        Packed.Binary<Halves<Doubles<LaneOperations.Sign32>>>("Psignd");
        Packed.Unary<Halves<Bytes<LaneOperations.Absolute8>>>("Pabsb");
        Packed.Unary<Halves<Words<LaneOperations.Absolute16>>>("Pabsw");
        Packed.Unary<Halves<Doubles<LaneOperations.Absolute32>>>("Pabsd");
        Packed.Binary<Gathered<WholeOperations.HorizontalAdd16>>("Phaddw");
        Packed.Binary<Gathered<WholeOperations.HorizontalAddSaturated16>>("Phaddsw");
        Packed.Binary<Gathered<WholeOperations.HorizontalAdd32>>("Phaddd");
        Packed.Binary<Gathered<WholeOperations.HorizontalSubtract16>>("Phsubw");
        Packed.Binary<Gathered<WholeOperations.HorizontalSubtractSaturated16>>("Phsubsw");
        Packed.Binary<Gathered<WholeOperations.HorizontalSubtract32>>("Phsubd");
    }

    private static void Rearranging()
    {
        Packed.Binary<Gathered<WholeOperations.PackSigned16>>("Packsswb");
        Packed.Binary<Gathered<WholeOperations.PackUnsigned16>>("Packuswb");
        Packed.Binary<Gathered<WholeOperations.PackSigned32>>("Packssdw");
        Packed.Binary<PackUnsigned32>("Packusdw");
        Packed.Binary<Unpack<byte, Low>>("Punpcklbw");
        Packed.Binary<Unpack<ushort, Low>>("Punpcklwd");
        Packed.Binary<Unpack<uint, Low>>("Punpckldq");
        Packed.Binary<Unpack<ulong, Low>>("Punpcklqdq");
        Packed.Binary<Unpack<uint, Low>>("Unpcklps");
        Packed.Binary<Unpack<ulong, Low>>("Unpcklpd");
        Packed.Binary<Unpack<byte, High>>("Punpckhbw");
        Packed.Binary<Unpack<ushort, High>>("Punpckhwd");
        Packed.Binary<Unpack<uint, High>>("Punpckhdq");
        Packed.Binary<Unpack<ulong, High>>("Punpckhqdq");
        Packed.Binary<Unpack<uint, High>>("Unpckhps");
        Packed.Binary<Unpack<ulong, High>>("Unpckhpd");
        Packed.Binary<ShuffleBytes>("Pshufb");
        Packed.Unary<ShuffleDoubles>("Pshufd", "_imm8");
        Packed.Unary<ShuffleLowWords>("Pshuflw", "_imm8");
        Packed.Unary<ShuffleHighWords>("Pshufhw", "_imm8");
        Packed.BinaryImmediate<ShuffleSingles>("Shufps");
        Packed.BinaryImmediate<ShufflePairs>("Shufpd");
        Packed.BinaryImmediate<AlignRight>("Palignr");
        Packed.BinaryImmediate<BlendWords>("Pblendw");
        Packed.BinaryImmediate<BlendSingles>("Blendps");
        Packed.BinaryImmediate<BlendSingles>("Pblendd");
    }

    private static void Shifts()
    {
        Shift<ByCount<WholeOperations.ShiftLeft16>>("Psllw");
        Shift<ByCount<WholeOperations.ShiftLeft32>>("Pslld");
        Shift<ByCount<WholeOperations.ShiftLeft64>>("Psllq");
        Shift<ByCount<WholeOperations.ShiftRight16>>("Psrlw");
        Shift<ByCount<WholeOperations.ShiftRight32>>("Psrld");
        Shift<ByCount<WholeOperations.ShiftRight64>>("Psrlq");
        Shift<ByCount<WholeOperations.ShiftArithmetic16>>("Psraw");
        Shift<ByCount<WholeOperations.ShiftArithmetic32>>("Psrad");
        Packed.ShiftImmediate<ShiftLeftBytes>("Pslldq");
        Packed.ShiftImmediate<ShiftRightBytes>("Psrldq");
    }

    private static void Shift<TP>(string mnemonic)
        where TP : struct, IPacked
    {
        Packed.ShiftCount<TP>(mnemonic);
        Packed.ShiftImmediate<TP>(mnemonic);
    }

    internal interface IHalf
    {
        static abstract bool IsHigh { get; }
    }

    internal struct Low : IHalf
    {
        public static bool IsHigh => false;
    }

    internal struct High : IHalf
    {
        public static bool IsHigh => true;
    }

    private struct Xor : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) => a ^ b;
    }

    private struct And : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) => a & b;
    }

    private struct Or : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) => a | b;
    }

    private struct AndNot : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) => ~a & b;
    }

    private struct Add<T> : IPacked
        where T : unmanaged
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) => (a.As<byte, T>() + b.As<byte, T>()).AsByte();
    }

    private struct Subtract<T> : IPacked
        where T : unmanaged
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) => (a.As<byte, T>() - b.As<byte, T>()).AsByte();
    }

    private struct Equal<T> : IPacked
        where T : unmanaged
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) => Vector128.Equals(a.As<byte, T>(), b.As<byte, T>()).AsByte();
    }

    private struct Greater<T> : IPacked
        where T : unmanaged
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) => Vector128.GreaterThan(a.As<byte, T>(), b.As<byte, T>()).AsByte();
    }

    private struct Minimum<T> : IPacked
        where T : unmanaged
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) => Vector128.Min(a.As<byte, T>(), b.As<byte, T>()).AsByte();
    }

    private struct Maximum<T> : IPacked
        where T : unmanaged
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) => Vector128.Max(a.As<byte, T>(), b.As<byte, T>()).AsByte();
    }

    private struct MultiplyLow32 : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) => (a.AsUInt32() * b.AsUInt32()).AsByte();
    }

    private struct MultiplySigned32 : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) =>
            Vector128.Create((long)a.AsInt32()[0] * b.AsInt32()[0], (long)a.AsInt32()[2] * b.AsInt32()[2]).AsByte();
    }

    private struct PackUnsigned32 : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate)
        {
            Span<ushort> result = stackalloc ushort[8];
            for (int i = 0; i < 4; i++)
            {
                result[i] = (ushort)Math.Clamp(a.AsInt32()[i], 0, ushort.MaxValue);
                result[i + 4] = (ushort)Math.Clamp(b.AsInt32()[i], 0, ushort.MaxValue);
            }

            return Vector128.Create<ushort>(result).AsByte();
        }
    }

    private struct Unpack<T, TH> : IPacked
        where T : unmanaged
        where TH : struct, IHalf
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate)
        {
            Vector128<T> x = a.As<byte, T>();
            Vector128<T> y = b.As<byte, T>();
            Span<T> result = stackalloc T[Vector128<T>.Count];
            int start = TH.IsHigh ? Vector128<T>.Count / 2 : 0;
            for (int i = 0; i < Vector128<T>.Count / 2; i++)
            {
                result[2 * i] = x[start + i];
                result[(2 * i) + 1] = y[start + i];
            }

            return Vector128.Create<T>(result).AsByte();
        }
    }

    private struct ShuffleBytes : IPacked
    {
        // Vector128.Shuffle gives zero for an index above 15, which bit 7 asks for; bits 6:4 do not count.
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) =>
            Vector128.Shuffle(a, b & Vector128.Create((byte)0x8F));
    }

    private struct ShuffleDoubles : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) =>
            Vector128.Shuffle(b.AsUInt32(), Vector128.Create((uint)immediate & 3, (uint)(immediate >> 2) & 3, (uint)(immediate >> 4) & 3, (uint)(immediate >> 6) & 3)).AsByte();
    }

    private struct ShuffleLowWords : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) =>
            Vector128.Create(ShuffleWords(b.AsUInt64()[0], immediate), b.AsUInt64()[1]).AsByte();
    }

    private struct ShuffleHighWords : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) =>
            Vector128.Create(b.AsUInt64()[0], ShuffleWords(b.AsUInt64()[1], immediate)).AsByte();
    }

    private static ulong ShuffleWords(ulong words, int order)
    {
        ulong result = 0;
        for (int i = 0; i < 4; i++)
        {
            result |= (ulong)(ushort)(words >> (16 * ((order >> (2 * i)) & 3))) << (16 * i);
        }

        return result;
    }

    private struct ShuffleSingles : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) => Vector128.Create(
            a.AsUInt32()[immediate & 3],
            a.AsUInt32()[(immediate >> 2) & 3],
            b.AsUInt32()[(immediate >> 4) & 3],
            b.AsUInt32()[(immediate >> 6) & 3]).AsByte();
    }

    private struct ShufflePairs : IPacked
    {
        public static int Upper(int immediate) => immediate >> 2;

        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) =>
            Vector128.Create(a.AsUInt64()[immediate & 1], b.AsUInt64()[(immediate >> 1) & 1]).AsByte();
    }

    private struct AlignRight : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate)
        {
            int count = immediate & 0xFF;
            UInt128 low = new(b.AsUInt64()[1], b.AsUInt64()[0]);
            UInt128 high = new(a.AsUInt64()[1], a.AsUInt64()[0]);
            UInt128 result = count switch
            {
                0 => low,
                < 16 => (low >> (8 * count)) | (high << (128 - (8 * count))),
                16 => high,
                < 32 => high >> (8 * (count - 16)),
                _ => UInt128.Zero,
            };
            return Vector128.Create((ulong)result, (ulong)(result >> 64)).AsByte();
        }
    }

    private struct BlendWords : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate)
        {
            Vector128<ushort> result = a.AsUInt16();
            for (int i = 0; i < 8; i++)
            {
                result = (immediate & (1 << i)) != 0 ? result.WithElement(i, b.AsUInt16()[i]) : result;
            }

            return result.AsByte();
        }
    }

    private struct BlendSingles : IPacked
    {
        public static int Upper(int immediate) => immediate >> 4;

        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate)
        {
            Vector128<uint> result = a.AsUInt32();
            for (int i = 0; i < 4; i++)
            {
                result = (immediate & (1 << i)) != 0 ? result.WithElement(i, b.AsUInt32()[i]) : result;
            }

            return result.AsByte();
        }
    }

    private struct ShiftLeftBytes : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate)
        {
            int count = immediate & 0xFF;
            UInt128 value = count > 15 ? UInt128.Zero : new UInt128(a.AsUInt64()[1], a.AsUInt64()[0]) << (8 * count);
            return Vector128.Create((ulong)value, (ulong)(value >> 64)).AsByte();
        }
    }

    private struct ShiftRightBytes : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate)
        {
            int count = immediate & 0xFF;
            UInt128 value = count > 15 ? UInt128.Zero : new UInt128(a.AsUInt64()[1], a.AsUInt64()[0]) >> (8 * count);
            return Vector128.Create((ulong)value, (ulong)(value >> 64)).AsByte();
        }
    }
}
