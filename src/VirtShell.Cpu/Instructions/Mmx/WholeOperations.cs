using System;

namespace VirtShell.Cpu.Instructions.Mmx;

/// <summary>Operations on 64 bits that are not the same for each element (Intel SDM vol. 2, by name).</summary>
internal static class WholeOperations
{
    private static short Word(ulong value, int index) => (short)(value >> (index * 16));

    private static ulong Join(int w0, int w1, int w2, int w3) =>
        (ushort)w0 | ((ulong)(ushort)w1 << 16) | ((ulong)(ushort)w2 << 32) | ((ulong)(ushort)w3 << 48);

    private static ulong Join(uint low, uint high) => low | ((ulong)high << 32);

    private static int Saturate16(int value) => Math.Clamp(value, short.MinValue, short.MaxValue);

    /// <summary>Spreads the four bytes of the low half to every second byte.</summary>
    private static ulong SpreadBytes(ulong value)
    {
        value &= 0xFFFF_FFFF;
        value = (value | (value << 16)) & 0x0000_FFFF_0000_FFFF;
        return (value | (value << 8)) & 0x00FF_00FF_00FF_00FF;
    }

    /// <summary>Spreads the two words of the low half to every second word.</summary>
    private static ulong SpreadWords(ulong value) => (ushort)value | ((value & 0xFFFF_0000) << 16);

    public struct And : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) => a & b;
    }

    public struct AndNot : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) => ~a & b;
    }

    public struct Or : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) => a | b;
    }

    public struct Xor : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) => a ^ b;
    }

    public struct Add64 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) => unchecked(a + b);
    }

    public struct Subtract64 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) => unchecked(a - b);
    }

    public struct Second : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) => b;
    }

    public struct MultiplyUnsigned32 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) => (ulong)(uint)a * (uint)b;
    }

    public struct MultiplyAdd16 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) => unchecked(Join(
            (uint)((Word(a, 0) * Word(b, 0)) + (Word(a, 1) * Word(b, 1))),
            (uint)((Word(a, 2) * Word(b, 2)) + (Word(a, 3) * Word(b, 3)))));
    }

    /// <summary>PMADDUBSW: unsigned bytes of a by signed bytes of b.</summary>
    public struct MultiplyAdd8 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b)
        {
            ulong result = 0;
            for (int shift = 0; shift < 64; shift += 16)
            {
                int low = (byte)(a >> shift) * (sbyte)(b >> shift);
                int high = (byte)(a >> (shift + 8)) * (sbyte)(b >> (shift + 8));
                result |= (ulong)(ushort)Saturate16(low + high) << shift;
            }

            return result;
        }
    }

    public struct SumAbsoluteDifferences : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b)
        {
            int sum = 0;
            for (int shift = 0; shift < 64; shift += 8)
            {
                sum += Math.Abs((byte)(a >> shift) - (byte)(b >> shift));
            }

            return (ulong)sum;
        }
    }

    public struct PackSigned16 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b)
        {
            ulong result = 0;
            for (int i = 0; i < 4; i++)
            {
                result |= (ulong)(byte)Math.Clamp(Word(a, i), (short)sbyte.MinValue, (short)sbyte.MaxValue) << (i * 8);
                result |= (ulong)(byte)Math.Clamp(Word(b, i), (short)sbyte.MinValue, (short)sbyte.MaxValue) << (32 + (i * 8));
            }

            return result;
        }
    }

    public struct PackUnsigned16 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b)
        {
            ulong result = 0;
            for (int i = 0; i < 4; i++)
            {
                result |= (ulong)(byte)Math.Clamp(Word(a, i), (short)0, (short)byte.MaxValue) << (i * 8);
                result |= (ulong)(byte)Math.Clamp(Word(b, i), (short)0, (short)byte.MaxValue) << (32 + (i * 8));
            }

            return result;
        }
    }

    public struct PackSigned32 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) =>
            Join(Saturate16((int)a), Saturate16((int)(a >> 32)), Saturate16((int)b), Saturate16((int)(b >> 32)));
    }

    public struct UnpackLow8 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) => SpreadBytes(a) | (SpreadBytes(b) << 8);
    }

    public struct UnpackHigh8 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) => SpreadBytes(a >> 32) | (SpreadBytes(b >> 32) << 8);
    }

    public struct UnpackLow16 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) => SpreadWords(a) | (SpreadWords(b) << 16);
    }

    public struct UnpackHigh16 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) => SpreadWords(a >> 32) | (SpreadWords(b >> 32) << 16);
    }

    public struct UnpackLow32 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) => Join((uint)a, (uint)b);
    }

    public struct UnpackHigh32 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) => Join((uint)(a >> 32), (uint)(b >> 32));
    }

    public struct ShuffleBytes : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b)
        {
            ulong result = 0;
            for (int shift = 0; shift < 64; shift += 8)
            {
                int control = (byte)(b >> shift);
                if ((control & 0x80) == 0)
                {
                    result |= (ulong)(byte)(a >> ((control & 7) * 8)) << shift;
                }
            }

            return result;
        }
    }

    public struct HorizontalAdd16 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) =>
            Join(Word(a, 0) + Word(a, 1), Word(a, 2) + Word(a, 3), Word(b, 0) + Word(b, 1), Word(b, 2) + Word(b, 3));
    }

    public struct HorizontalAddSaturated16 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) => Join(
            Saturate16(Word(a, 0) + Word(a, 1)),
            Saturate16(Word(a, 2) + Word(a, 3)),
            Saturate16(Word(b, 0) + Word(b, 1)),
            Saturate16(Word(b, 2) + Word(b, 3)));
    }

    public struct HorizontalSubtract16 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) =>
            Join(Word(a, 0) - Word(a, 1), Word(a, 2) - Word(a, 3), Word(b, 0) - Word(b, 1), Word(b, 2) - Word(b, 3));
    }

    public struct HorizontalSubtractSaturated16 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) => Join(
            Saturate16(Word(a, 0) - Word(a, 1)),
            Saturate16(Word(a, 2) - Word(a, 3)),
            Saturate16(Word(b, 0) - Word(b, 1)),
            Saturate16(Word(b, 2) - Word(b, 3)));
    }

    public struct HorizontalAdd32 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) => unchecked(Join((uint)a + (uint)(a >> 32), (uint)b + (uint)(b >> 32)));
    }

    public struct HorizontalSubtract32 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) => unchecked(Join((uint)a - (uint)(a >> 32), (uint)b - (uint)(b >> 32)));
    }

    public struct ShiftLeft16 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) =>
            b > 15 ? 0 : (a << (int)b) & (0x0001_0001_0001_0001UL * (ushort)(0xFFFF << (int)b));
    }

    public struct ShiftLeft32 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) => b > 31 ? 0 : Join((uint)a << (int)b, (uint)(a >> 32) << (int)b);
    }

    public struct ShiftLeft64 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) => b > 63 ? 0 : a << (int)b;
    }

    public struct ShiftRight16 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) =>
            b > 15 ? 0 : (a >> (int)b) & (0x0001_0001_0001_0001UL * (ushort)(0xFFFF >> (int)b));
    }

    public struct ShiftRight32 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) => b > 31 ? 0 : Join((uint)a >> (int)b, (uint)(a >> 32) >> (int)b);
    }

    public struct ShiftRight64 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b) => b > 63 ? 0 : a >> (int)b;
    }

    public struct ShiftArithmetic16 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b)
        {
            int count = (int)Math.Min(b, 15);
            return Join(Word(a, 0) >> count, Word(a, 1) >> count, Word(a, 2) >> count, Word(a, 3) >> count);
        }
    }

    public struct ShiftArithmetic32 : IMmxOperation
    {
        public static ulong Do(ulong a, ulong b)
        {
            int count = (int)Math.Min(b, 31);
            return Join((uint)((int)a >> count), (uint)((int)(a >> 32) >> count));
        }
    }

    /// <summary>PSHUFW: four two-bit selectors.</summary>
    public static ulong ShuffleWords(ulong value, int control) =>
        Join(Word(value, control & 3), Word(value, (control >> 2) & 3), Word(value, (control >> 4) & 3), Word(value, (control >> 6) & 3));

    /// <summary>PALIGNR: the 16 bytes a:b shifted right by a number of bytes.</summary>
    public static ulong AlignRight(ulong a, ulong b, int bytes)
    {
        if (bytes >= 16)
        {
            return 0;
        }

        if (bytes >= 8)
        {
            return bytes == 8 ? a : a >> ((bytes - 8) * 8);
        }

        return bytes == 0 ? b : (b >> (bytes * 8)) | (a << (64 - (bytes * 8)));
    }

    /// <summary>The sign bits of the eight bytes.</summary>
    public static uint SignMask(ulong value)
    {
        uint mask = 0;
        for (int i = 0; i < 8; i++)
        {
            mask |= (uint)((value >> ((i * 8) + 7)) & 1) << i;
        }

        return mask;
    }
}
