using System.Runtime.Intrinsics;

namespace VirtShell.Cpu.Instructions.Simd.Crypto;

/// <summary>Product of two polynomials over GF(2), without help from the host's processor.</summary>
internal static class CarrylessProduct
{
    public static Vector128<byte> Of(ulong a, ulong b)
    {
        ulong low = (b & 1) != 0 ? a : 0;
        ulong high = 0;
        for (int i = 1; i < 64; i++)
        {
            // All ones where the bit is set: no branch that a guest's data would make hard to predict.
            ulong mask = 0UL - ((b >> i) & 1);
            low ^= (a << i) & mask;
            high ^= (a >> (64 - i)) & mask;
        }

        return Vector128.Create(low, high).AsByte();
    }
}
