using System;
using System.Runtime.Intrinsics;

namespace VirtShell.Cpu.Instructions.Simd;

/// <summary>Shifts by a count of each element's own and permutes within lanes (SDM Vol. 2).</summary>
internal static class VectorVariableHandlers
{
    public static void Register()
    {
        Packed.Binary<ShiftLeft32>("psllvd");
        Packed.Binary<ShiftLeft64>("psllvq");
        Packed.Binary<ShiftRight32>("psrlvd");
        Packed.Binary<ShiftRight64>("psrlvq");
        Packed.Binary<ShiftArithmetic32>("psravd");
        Packed.Binary<PermuteSingles>("permilps");
        Packed.Binary<PermuteDoubles>("permilpd");
        Packed.Unary<PermuteSinglesImmediate>("permilps", "_imm8");
        Packed.Unary<PermuteDoublesImmediate>("permilpd", "_imm8");
    }

    private struct ShiftLeft32 : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate)
        {
            Vector128<uint> result = default;
            for (int i = 0; i < 4; i++)
            {
                uint count = b.AsUInt32()[i];
                result = result.WithElement(i, count < 32 ? a.AsUInt32()[i] << (int)count : 0);
            }

            return result.AsByte();
        }
    }

    private struct ShiftLeft64 : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate)
        {
            Vector128<ulong> result = default;
            for (int i = 0; i < 2; i++)
            {
                ulong count = b.AsUInt64()[i];
                result = result.WithElement(i, count < 64 ? a.AsUInt64()[i] << (int)count : 0);
            }

            return result.AsByte();
        }
    }

    private struct ShiftRight32 : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate)
        {
            Vector128<uint> result = default;
            for (int i = 0; i < 4; i++)
            {
                uint count = b.AsUInt32()[i];
                result = result.WithElement(i, count < 32 ? a.AsUInt32()[i] >> (int)count : 0);
            }

            return result.AsByte();
        }
    }

    private struct ShiftRight64 : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate)
        {
            Vector128<ulong> result = default;
            for (int i = 0; i < 2; i++)
            {
                ulong count = b.AsUInt64()[i];
                result = result.WithElement(i, count < 64 ? a.AsUInt64()[i] >> (int)count : 0);
            }

            return result.AsByte();
        }
    }

    private struct ShiftArithmetic32 : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate)
        {
            Vector128<int> result = default;
            for (int i = 0; i < 4; i++)
            {
                result = result.WithElement(i, a.AsInt32()[i] >> (int)Math.Min(b.AsUInt32()[i], 31));
            }

            return result.AsByte();
        }
    }

    private struct PermuteSingles : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) =>
            Vector128.Shuffle(a.AsUInt32(), b.AsUInt32() & Vector128.Create(3u)).AsByte();
    }

    private struct PermuteDoubles : IPacked
    {
        // Bit 1 of each control chooses.
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) =>
            Vector128.Shuffle(a.AsUInt64(), (b.AsUInt64() >> 1) & Vector128.Create(1UL)).AsByte();
    }

    private struct PermuteSinglesImmediate : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) => Vector128.Create(
            b.AsUInt32()[immediate & 3],
            b.AsUInt32()[(immediate >> 2) & 3],
            b.AsUInt32()[(immediate >> 4) & 3],
            b.AsUInt32()[(immediate >> 6) & 3]).AsByte();
    }

    private struct PermuteDoublesImmediate : IPacked
    {
        public static int Upper(int immediate) => immediate >> 2;

        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) =>
            Vector128.Create(b.AsUInt64()[immediate & 1], b.AsUInt64()[(immediate >> 1) & 1]).AsByte();
    }
}
