using System;
using VirtShell.Cpu.Numerics;

namespace VirtShell.Cpu.Tests.Numerics;

/// <summary>Seeded 80-bit, 64-bit and 32-bit operands biased to the edges of their formats.</summary>
internal sealed class FloatSamples(int seed)
{
    private static readonly ulong[] s_significands =
    [
        0, 1, 2, 3, 0x8000_0000_0000_0000, 0x8000_0000_0000_0001, 0xFFFF_FFFF_FFFF_FFFF, 0x7FFF_FFFF_FFFF_FFFF,
        0xC000_0000_0000_0000, 0xC000_0000_0000_0001, 0xBFFF_FFFF_FFFF_FFFF, 0x4000_0000_0000_0000, 0xFFFF_FFFF_FFFF_FFFE,
        0xFFFF_FF00_0000_0000, 0xFFFF_FF80_0000_0000, 0xFFFF_FFFF_FFFF_F800, 0xFFFF_FFFF_FFFF_FC00, 0x8000_0080_0000_0000,
        0x8000_0000_0000_0400, 0xAAAA_AAAA_AAAA_AAAA, 0xC90F_DAA2_2168_C235, 0xA000_0000_0000_0000, 0xDE0B_6B3A_7640_0000,
    ];

    private static readonly int[] s_exponents =
    [
        0, 0, 1, 2, 3, 0x3F, 0x40, 0x41, 0x3F6A, 0x3F80, 0x3F81, 0x3BCC, 0x3BCD, 0x3C00, 0x3C01, 0x3FBE, 0x3FC0, 0x3FFC, 0x3FFD,
        0x3FFE, 0x3FFE, 0x3FFF, 0x3FFF, 0x4000, 0x4000, 0x4001, 0x4002, 0x400D, 0x400E, 0x401D, 0x401E, 0x403A, 0x403C, 0x403D, 0x403E,
        0x403F, 0x407E, 0x407F, 0x43FE, 0x43FF, 0x5FFE, 0x1FFF, 0x6000, 0x7FFD, 0x7FFE, 0x7FFF, 0x7FFF, 0x7FFF,
    ];

    private readonly Random _random = new(seed);

    public Random Random => _random;

    public ulong NextUInt64() => (ulong)_random.NextInt64(long.MinValue, long.MaxValue);

    /// <summary>Any encoding: edges, small integers, neighbours, random ordinary numbers and raw bits.</summary>
    public Float80 Next()
    {
        switch (_random.Next(10))
        {
            case 0:
                return new Float80((ushort)_random.Next(0x10000), NextUInt64());
            case 1:
                return Float80Convert.FromInt64(_random.Next(-20, 21));
            case 2:
                return Float80Convert.FromInt64(_random.NextInt64(long.MinValue, long.MaxValue) >> _random.Next(64));
            case 3:
            case 4:
                return new Float80(Coin(), 0x3FFF + _random.Next(-70, 70), Normal());
            case 5:
                return new Float80(Coin(), 0x3FFF + _random.Next(-2, 3), Normal());
            case 6:
                return new Float80(Coin(), s_exponents[_random.Next(s_exponents.Length)], Normal());
            default:
                return new Float80(Coin(), s_exponents[_random.Next(s_exponents.Length)], s_significands[_random.Next(s_significands.Length)]);
        }
    }

    /// <summary>A partner for <paramref name="other"/>: often near it in exponent or equal to it, so that cancellation and halves occur.</summary>
    public Float80 NextNear(Float80 other)
    {
        switch (_random.Next(6))
        {
            case 0:
                return new Float80((ushort)(other.SignExponent ^ (Coin() ? 0x8000 : 0)), other.Significand);
            case 1:
                int exponent = Math.Clamp(other.Exponent + _random.Next(-66, 67), 0, 0x7FFE);
                return new Float80(Coin(), exponent, Normal());
            case 2:
                // Products and quotients about the ends of the exponent range.
                int end = Coin() ? 0x3FFF : 0x7FFE + 0x3FFF;
                return new Float80(Coin(), Math.Clamp((Coin() ? end - other.Exponent : other.Exponent - end + 0x7FFE) + _random.Next(-66, 67), 0, 0x7FFE), Normal());
            default:
                return Next();
        }
    }

    public ulong NextDouble64() => _random.Next(4) switch
    {
        0 => NextUInt64(),
        1 => BitConverter.DoubleToUInt64Bits(_random.Next(-20, 21)),
        2 => Bits(11, 52),
        _ => (NextUInt64() & 0x800F_FFFF_FFFF_FFFF) | ((ulong)_random.Next(1000, 1050) << 52),
    };

    public uint NextSingle32() => _random.Next(4) switch
    {
        0 => (uint)NextUInt64(),
        1 => BitConverter.SingleToUInt32Bits(_random.Next(-20, 21)),
        2 => (uint)Bits(8, 23),
        _ => ((uint)NextUInt64() & 0x807F_FFFF) | ((uint)_random.Next(100, 150) << 23),
    };

    /// <summary>A control word with every mask, precision and rounding combination, all masked half of the time.</summary>
    public ushort NextControlWord()
    {
        int masks = Coin() ? 0x3F : _random.Next(0x40);
        int precision = Coin() ? 3 : _random.Next(4);
        return (ushort)(0x40 | masks | (precision << 8) | (_random.Next(4) << 10));
    }

    public bool Coin() => _random.Next(2) == 0;

    private ulong Normal()
    {
        ulong bits = NextUInt64();
        int zeros = _random.Next(4) == 0 ? _random.Next(64) : 0;
        return (bits >> zeros << zeros) | Float80.IntegerBit;
    }

    private ulong Bits(int exponentBits, int fractionBits)
    {
        ulong maximum = (1UL << exponentBits) - 1;
        ulong exponent = _random.Next(4) switch
        {
            0 => 0,
            1 => maximum,
            2 => maximum - 1,
            _ => 1,
        };
        ulong all = (1UL << fractionBits) - 1;
        ulong fraction = _random.Next(5) switch
        {
            0 => 0,
            1 => 1,
            2 => all,
            3 => 1UL << (fractionBits - 1),
            _ => NextUInt64() & all,
        };
        return (Coin() ? 1UL << (exponentBits + fractionBits) : 0) | (exponent << fractionBits) | fraction;
    }
}
