using System.Runtime.Intrinsics;

namespace VirtShell.Cpu.Instructions.Simd.Strings;

/// <summary>PHMINPOSUW and MPSADBW, legacy and VEX (SDM Vol. 2).</summary>
internal static unsafe class SearchHandlers
{
    public static void Register()
    {
        Packed.Unary<Minimum>("Phminposuw");
        Packed.BinaryImmediate<BlockDifferences>("Mpsadbw");
    }

    /// <summary>The smallest word and the place of the first that has it.</summary>
    private struct Minimum : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate)
        {
            ushort* words = (ushort*)&b;
            uint best = uint.MaxValue;
            for (uint i = 0; i < 8; i++)
            {
                uint candidate = ((uint)words[i] << 16) | i;
                best = candidate < best ? candidate : best;
            }

            return Vector128.CreateScalar((best >> 16) | (best << 16)).AsByte();
        }
    }

    /// <summary>Sums of absolute differences of four bytes of the second source with each of eight windows of the first.</summary>
    private struct BlockDifferences : IPacked
    {
        private const int WindowSelect = 4;
        private const int BlockSelect = 3;

        public static int Upper(int immediate) => immediate >> 3;

        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate)
        {
            // 4 + 3 + 8 bytes at most are reached of the first source.
            byte* window = (byte*)&a + (immediate & WindowSelect);
            byte* block = (byte*)&b + ((immediate & BlockSelect) * 4);
            Vector128<short> sums = default;
            for (int i = 0; i < 4; i++)
            {
                Vector128<short> bytes = Vector128.WidenLower(Vector128.CreateScalar(*(ulong*)(window + i)).AsByte()).AsInt16();
                sums += Vector128.Abs(bytes - Vector128.Create((short)block[i]));
            }

            return sums.AsByte();
        }
    }
}
