using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace VirtShell.Cpu.Instructions.Simd.Crypto;

/// <summary>
/// The rounds of AES (FIPS 197) without help from the host's processor. Byte r + 4c of a vector is row r, column c of the state;
/// a column is a little-endian word, row 0 lowest.
/// </summary>
internal static unsafe class AesRound
{
    /// <summary>x^8 + x^4 + x^3 + x + 1 without its highest term (FIPS 197 §4.2).</summary>
    private const int Polynomial = 0x1B;
    private const int SubstitutionConstant = 0x63;

    private static readonly byte[] s_substitution = BuildSubstitution();
    private static readonly byte[] s_inverse = BuildInverse();

    /// <summary>What a substituted byte of row 0 adds to its column in MixColumns; the other rows' words are rotations of it.</summary>
    private static readonly uint[] s_encrypt = BuildEncrypt();

    /// <summary>The same for InvSubBytes and InvMixColumns.</summary>
    private static readonly uint[] s_decrypt = BuildDecrypt();

    /// <summary>ShiftRows, SubBytes, MixColumns, AddRoundKey.</summary>
    public static Vector128<byte> Encrypt(Vector128<byte> state, Vector128<byte> key) => Mix(state, s_encrypt, 1) ^ key;

    /// <summary>ShiftRows, SubBytes, AddRoundKey.</summary>
    public static Vector128<byte> EncryptLast(Vector128<byte> state, Vector128<byte> key) => Substitute(state, s_substitution, 1) ^ key;

    /// <summary>InvShiftRows, InvSubBytes, InvMixColumns, AddRoundKey.</summary>
    public static Vector128<byte> Decrypt(Vector128<byte> state, Vector128<byte> key) => Mix(state, s_decrypt, -1) ^ key;

    /// <summary>InvShiftRows, InvSubBytes, AddRoundKey.</summary>
    public static Vector128<byte> DecryptLast(Vector128<byte> state, Vector128<byte> key) => Substitute(state, s_inverse, -1) ^ key;

    /// <summary>InvMixColumns alone. The substitution in front undoes the one inside the table.</summary>
    public static Vector128<byte> InverseMixColumns(Vector128<byte> state) => Mix(Substitute(state, s_substitution, 0), s_decrypt, 0);

    /// <summary>AESKEYGENASSIST: substituted words 1 and 3, each also rotated and with the round constant.</summary>
    public static Vector128<byte> KeyAssist(Vector128<byte> key, byte roundConstant)
    {
        Vector128<uint> words = Substitute(key, s_substitution, 0).AsUInt32();
        uint one = words[1];
        uint three = words[3];
        return Vector128.Create(
            one,
            uint.RotateRight(one, 8) ^ roundConstant,
            three,
            uint.RotateRight(three, 8) ^ roundConstant).AsByte();
    }

    // Row r of the result's column c comes from column c + r * shift.
    private static Vector128<byte> Mix(Vector128<byte> state, uint[] table, int shift)
    {
        byte* from = (byte*)&state;
        Vector128<uint> result = default;
        uint* to = (uint*)&result;
        for (int column = 0; column < 4; column++)
        {
            uint word = table[from[column * 4]];
            for (int row = 1; row < 4; row++)
            {
                word ^= uint.RotateLeft(table[from[Place(row, column, shift)]], row * 8);
            }

            to[column] = word;
        }

        return result.AsByte();
    }

    private static Vector128<byte> Substitute(Vector128<byte> state, byte[] table, int shift)
    {
        byte* from = (byte*)&state;
        Vector128<byte> result = default;
        byte* to = (byte*)&result;
        for (int i = 0; i < 16; i++)
        {
            to[i] = table[from[Place(i & 3, i >> 2, shift)]];
        }

        return result;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Place(int row, int column, int shift) => row + (((column + (row * shift)) & 3) * 4);

    private static int Multiply(int a, int b)
    {
        int product = 0;
        for (; b != 0; b >>= 1)
        {
            product ^= (b & 1) != 0 ? a : 0;
            a = (a << 1) ^ ((a & 0x80) != 0 ? Polynomial | 0x100 : 0);
        }

        return product;
    }

    private static byte[] BuildSubstitution()
    {
        byte[] table = new byte[256];
        for (int x = 0; x < 256; x++)
        {
            // The inverse is the 254th power; 0 stays 0.
            int inverse = 1;
            for (int i = 0; i < 254; i++)
            {
                inverse = Multiply(inverse, x);
            }

            int spread = inverse * 0x0101;
            table[x] = (byte)(inverse ^ (spread >> 4) ^ (spread >> 5) ^ (spread >> 6) ^ (spread >> 7) ^ SubstitutionConstant);
        }

        return table;
    }

    private static byte[] BuildInverse()
    {
        byte[] table = new byte[256];
        for (int x = 0; x < 256; x++)
        {
            table[s_substitution[x]] = (byte)x;
        }

        return table;
    }

    private static uint[] BuildEncrypt()
    {
        uint[] table = new uint[256];
        for (int x = 0; x < 256; x++)
        {
            int s = s_substitution[x];
            table[x] = Column(Multiply(s, 2), s, s, Multiply(s, 3));
        }

        return table;
    }

    private static uint[] BuildDecrypt()
    {
        uint[] table = new uint[256];
        for (int x = 0; x < 256; x++)
        {
            int s = s_inverse[x];
            table[x] = Column(Multiply(s, 14), Multiply(s, 9), Multiply(s, 13), Multiply(s, 11));
        }

        return table;
    }

    private static uint Column(int row0, int row1, int row2, int row3) =>
        (uint)row0 | ((uint)row1 << 8) | ((uint)row2 << 16) | ((uint)row3 << 24);
}
