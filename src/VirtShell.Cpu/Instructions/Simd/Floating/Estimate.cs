using System;

namespace VirtShell.Cpu.Instructions.Simd.Floating;

/// <summary>
/// RCPPS and RSQRTPS. The architecture asks for a relative error of at most 1.5 · 2^−12 and processors differ in the bits; here it is
/// the exact value rounded to 12 significant bits, the same on every host.
/// </summary>
internal static class Estimate
{
    private const uint Sign = 0x8000_0000;
    private const uint Infinity = 0x7F80_0000;
    private const uint Quiet = 0x0040_0000;
    private const uint Indefinite = 0xFFC0_0000;
    private const int DroppedBits = 12;

    public static uint Reciprocal(uint bits)
    {
        uint magnitude = bits & ~Sign;
        uint sign = bits & Sign;
        if (magnitude > Infinity)
        {
            return bits | Quiet;
        }

        if (magnitude == Infinity)
        {
            return sign;
        }

        if (magnitude < 0x0080_0000)
        {
            return sign | Infinity;
        }

        uint result = Shorten(1.0f / BitConverter.UInt32BitsToSingle(magnitude));
        return sign | (result < 0x0080_0000 ? 0 : result);
    }

    public static uint ReciprocalSqrt(uint bits)
    {
        uint magnitude = bits & ~Sign;
        uint sign = bits & Sign;
        if (magnitude > Infinity)
        {
            return bits | Quiet;
        }

        if (magnitude < 0x0080_0000)
        {
            return sign | Infinity;
        }

        if (sign != 0)
        {
            return Indefinite;
        }

        return magnitude == Infinity ? 0 : Shorten((float)(1.0 / Math.Sqrt(BitConverter.UInt32BitsToSingle(magnitude))));
    }

    private static uint Shorten(float value)
    {
        uint bits = BitConverter.SingleToUInt32Bits(value);
        return (bits + (1u << (DroppedBits - 1))) & ~((1u << DroppedBits) - 1);
    }
}
