using System.Numerics;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace VirtShell.Cpu.Instructions.Simd.Strings;

/// <summary>
/// The comparison behind PCMPISTRI, PCMPISTRM, PCMPESTRI and PCMPESTRM (SDM Vol. 2B §4.1): which elements of the second
/// operand match the first, as one bit an element.
/// </summary>
internal static class StringCompare
{
    // The immediate's fields (SDM Vol. 2B §4.1, table 4-1 to 4-4).
    public const int FormatWords = 1;
    public const int FormatSigned = 2;
    public const int ResultLast = 0x40;
    public const int ResultWide = 0x40;
    private const int AggregationShift = 2;
    private const int PolarityNegative = 0x10;
    private const int PolarityMasked = 0x20;

    private enum Aggregation
    {
        EqualAny = 0,
        Ranges = 1,
        EqualEach = 2,
        EqualOrdered = 3,
    }

    /// <summary>Elements in an operand: 16 bytes or 8 words.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int Count(int immediate) => (immediate & FormatWords) != 0 ? 8 : 16;

    /// <summary>Elements before the first zero, at most <see cref="Count"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int ImplicitLength(Vector128<byte> text, int immediate)
    {
        uint zeros = (immediate & FormatWords) != 0
            ? Vector128.Equals(text.AsUInt16(), default).ExtractMostSignificantBits() | 0x100
            : Vector128.Equals(text, default).ExtractMostSignificantBits() | 0x1_0000;
        return BitOperations.TrailingZeroCount(zeros);
    }

    /// <summary>Magnitude of a length register, saturated to <see cref="Count"/>.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static int ExplicitLength(long length, int immediate)
    {
        ulong magnitude = length < 0 ? 0UL - (ulong)length : (ulong)length;
        ulong count = (ulong)Count(immediate);
        return (int)(magnitude < count ? magnitude : count);
    }

    /// <summary>IntRes2 of the manual: the comparison's result with the polarity applied.</summary>
    public static uint Match(Vector128<byte> a, int lengthA, Vector128<byte> b, int lengthB, int immediate)
    {
        uint result = (immediate & (FormatWords | FormatSigned)) switch
        {
            0 => Aggregate(a, lengthA, b, lengthB, immediate),
            FormatWords => Aggregate(a.AsUInt16(), lengthA, b.AsUInt16(), lengthB, immediate),
            FormatSigned => Aggregate(a.AsSByte(), lengthA, b.AsSByte(), lengthB, immediate),
            _ => Aggregate(a.AsInt16(), lengthA, b.AsInt16(), lengthB, immediate),
        };
        if ((immediate & PolarityNegative) != 0)
        {
            result ^= (immediate & PolarityMasked) != 0 ? Below(lengthB) : Below(Count(immediate));
        }

        return result;
    }

    /// <summary>Spreads the bits of a match over bytes or words, all ones where set.</summary>
    public static Vector128<byte> Spread(uint match, int immediate)
    {
        if ((immediate & FormatWords) != 0)
        {
            Vector128<ushort> bit = Vector128.Create((ushort)1, 2, 4, 8, 16, 32, 64, 128);
            return Vector128.Equals(Vector128.Create((ushort)match) & bit, bit).AsByte();
        }

        Vector128<byte> bits = Vector128.Create(0x8040_2010_0804_0201UL).AsByte();
        Vector128<byte> spread = Vector128.Create(
            Vector64.Create((byte)match),
            Vector64.Create((byte)(match >> 8)));
        return Vector128.Equals(spread & bits, bits);
    }

    private static uint Below(int count) => (1u << count) - 1;

    private static uint Aggregate<T>(Vector128<T> a, int lengthA, Vector128<T> b, int lengthB, int immediate)
        where T : unmanaged
    {
        uint all = Below(Vector128<T>.Count);
        uint validB = Below(lengthB);
        switch ((Aggregation)((immediate >> AggregationShift) & 3))
        {
            case Aggregation.EqualAny:
                return EqualAny(a, lengthA, b) & validB;
            case Aggregation.Ranges:
                return Ranges(a, lengthA, b) & validB;
            case Aggregation.EqualEach:
                // Equal where both are valid, and where both have ended.
                uint validA = Below(lengthA);
                uint equal = Vector128.Equals(a, b).ExtractMostSignificantBits();
                return (equal & validA & validB) | (all & ~(validA | validB));
            default:
                return EqualOrdered(a, lengthA, b, validB, all);
        }
    }

    private static uint EqualAny<T>(Vector128<T> a, int lengthA, Vector128<T> b)
        where T : unmanaged
    {
        Vector128<T> found = default;
        for (int i = 0; i < lengthA; i++)
        {
            found |= Vector128.Equals(b, Vector128.Create(a[i]));
        }

        return found.ExtractMostSignificantBits();
    }

    private static uint Ranges<T>(Vector128<T> a, int lengthA, Vector128<T> b)
        where T : unmanaged
    {
        Vector128<T> found = default;

        // A lower bound whose upper bound is behind the end counts for nothing.
        for (int i = 0; i + 1 < lengthA; i += 2)
        {
            found |= Vector128.GreaterThanOrEqual(b, Vector128.Create(a[i])) & Vector128.LessThanOrEqual(b, Vector128.Create(a[i + 1]));
        }

        return found.ExtractMostSignificantBits();
    }

    private static uint EqualOrdered<T>(Vector128<T> a, int lengthA, Vector128<T> b, uint validB, uint all)
        where T : unmanaged
    {
        uint result = all;
        for (int i = 0; i < lengthA; i++)
        {
            // What would stand behind the operand's last element is not compared.
            uint equal = Vector128.Equals(b, Vector128.Create(a[i])).ExtractMostSignificantBits() & validB;
            result &= (equal >> i) | (all & ~(all >> i));
        }

        return result;
    }
}
