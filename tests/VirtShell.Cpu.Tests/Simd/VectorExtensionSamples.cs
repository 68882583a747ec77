using System;
using System.Buffers.Binary;

namespace VirtShell.Cpu.Tests.Simd;

/// <summary>Numbers near the edges of a format: zeros, denormals, the ends of the range, infinities, NaNs, neighbours that nearly cancel.</summary>
internal static class VectorExtensionSamples
{
    public static void Fill(Span<byte> to, bool wide, bool half, Random random)
    {
        if (half)
        {
            for (int i = 0; i < to.Length; i += 4)
            {
                uint bits = random.Next(2) == 0 ? NextNearHalf(random) : random.Next(2) == 0 ? (uint)Next(10, 31, random) | ((uint)Next(10, 31, random) << 16) : (uint)Next(23, 255, random);
                BinaryPrimitives.WriteUInt32LittleEndian(to[i..], bits);
            }

            return;
        }

        for (int i = 0; i < to.Length; i += wide ? 8 : 4)
        {
            if (wide)
            {
                BinaryPrimitives.WriteUInt64LittleEndian(to[i..], Next(52, 2047, random));
            }
            else
            {
                BinaryPrimitives.WriteUInt32LittleEndian(to[i..], (uint)Next(23, 255, random));
            }
        }
    }

    // A single in the range of halves, its fraction often at the middle between two halves.
    private static uint NextNearHalf(Random random)
    {
        uint fraction = random.Next(3) switch { 0 => (uint)random.Next(1 << 23), 1 => (uint)random.Next(1 << 11) << 12, _ => ((uint)random.Next(1 << 11) << 12) + (uint)random.Next(3) - 1 };
        return ((uint)random.Next(2) << 31) | ((uint)random.Next(127 - 27, 127 + 18) << 23) | (fraction & 0x7F_FFFF);
    }

    private static ulong Next(int fractionBits, int maxExponent, Random random)
    {
        ulong mask = (1UL << fractionBits) - 1;
        int bias = maxExponent / 2;
        ulong exponent = (ulong)(random.Next(10) switch
        {
            0 => 0,
            1 => random.Next(1, 4),
            2 => maxExponent - random.Next(1, 4),
            3 => random.Next(3) == 0 ? maxExponent : bias,
            4 => (bias / 2) + random.Next(-2, 3),
            5 => bias + (bias / 2) + random.Next(-2, 3),
            6 => random.Next(maxExponent + 1),
            7 => Math.Clamp(bias + random.Next(-2 * fractionBits, 2 * fractionBits), 0, maxExponent),
            _ => bias + random.Next(-2, 3),
        });
        ulong fraction = random.Next(6) switch
        {
            0 => 0,
            1 => mask,
            2 => 1UL << random.Next(fractionBits),
            3 => mask & ~(1UL << random.Next(fractionBits)),
            4 => (ulong)random.Next(4),
            _ => (ulong)random.NextInt64() & mask,
        };
        return ((ulong)random.Next(2) << (maxExponent == 255 ? 31 : maxExponent == 31 ? 15 : 63)) | (exponent << fractionBits) | fraction;
    }
}
