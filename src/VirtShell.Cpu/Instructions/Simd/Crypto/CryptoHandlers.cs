using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using X86 = System.Runtime.Intrinsics.X86;

namespace VirtShell.Cpu.Instructions.Simd.Crypto;

/// <summary>AES and PCLMULQDQ, legacy and VEX (SDM Vol. 2), by the host's own instructions where it has them.</summary>
internal static class CryptoHandlers
{
    private const int SecondHalf = 0x10;

    public static void Register()
    {
        Packed.Binary<Encrypt>("Aesenc");
        Packed.Binary<EncryptLast>("Aesenclast");
        Packed.Binary<Decrypt>("Aesdec");
        Packed.Binary<DecryptLast>("Aesdeclast");
        Packed.Unary<InverseMixColumns>("Aesimc");
        Packed.Unary<KeyAssist>("Aeskeygenassist", "_imm8");
        Packed.BinaryImmediate<CarrylessMultiply>("Pclmulqdq");
    }

    private struct Encrypt : IPacked
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) =>
            X86.Aes.IsSupported ? X86.Aes.Encrypt(a, b) : AesRound.Encrypt(a, b);
    }

    private struct EncryptLast : IPacked
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) =>
            X86.Aes.IsSupported ? X86.Aes.EncryptLast(a, b) : AesRound.EncryptLast(a, b);
    }

    private struct Decrypt : IPacked
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) =>
            X86.Aes.IsSupported ? X86.Aes.Decrypt(a, b) : AesRound.Decrypt(a, b);
    }

    private struct DecryptLast : IPacked
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) =>
            X86.Aes.IsSupported ? X86.Aes.DecryptLast(a, b) : AesRound.DecryptLast(a, b);
    }

    private struct InverseMixColumns : IPacked
    {
        [MethodImpl(MethodImplOptions.AggressiveInlining)]
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) =>
            X86.Aes.IsSupported ? X86.Aes.InverseMixColumns(b) : AesRound.InverseMixColumns(b);
    }

    /// <summary>Always by table: the host's instruction takes its round constant from the code only.</summary>
    private struct KeyAssist : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate) => AesRound.KeyAssist(b, (byte)immediate);
    }

    private struct CarrylessMultiply : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate)
        {
            ulong x = (immediate & 1) != 0 ? a.AsUInt64()[1] : a.AsUInt64()[0];
            ulong y = (immediate & SecondHalf) != 0 ? b.AsUInt64()[1] : b.AsUInt64()[0];
            return X86.Pclmulqdq.IsSupported
                ? X86.Pclmulqdq.CarrylessMultiply(Vector128.CreateScalar(x), Vector128.CreateScalar(y), 0).AsByte()
                : CarrylessProduct.Of(x, y);
        }
    }
}
