using System;
using System.Runtime.Intrinsics;
using System.Security.Cryptography;
using VirtShell.Cpu.Instructions.Simd.Crypto;
using VirtShell.Cpu.Tests.Native;
using Xunit;
using X86 = System.Runtime.Intrinsics.X86;

namespace VirtShell.Cpu.Tests.Simd;

/// <summary>The cryptography that runs where the host's processor does not help, on every host.</summary>
public sealed class PortableCryptoTests
{
    private const int Rounds = 10;

    [Fact]
    public void Aes_rounds_make_the_librarys_cipher()
    {
        var random = new Random(SoakCases.SeedFor(nameof(Aes_rounds_make_the_librarys_cipher)));
        using var cipher = Aes.Create();
        byte[] key = new byte[16];
        byte[] plain = new byte[16];
        for (int i = 0; i < 200; i++)
        {
            random.NextBytes(key);
            random.NextBytes(plain);
            cipher.Key = key;
            byte[] expected = cipher.EncryptEcb(plain, PaddingMode.None);
            Vector128<byte>[] schedule = Schedule(Vector128.Create(key));

            Vector128<byte> state = Vector128.Create(plain) ^ schedule[0];
            for (int round = 1; round < Rounds; round++)
            {
                state = AesRound.Encrypt(state, schedule[round]);
            }

            state = AesRound.EncryptLast(state, schedule[Rounds]);
            Assert.Equal(Vector128.Create(expected), state);

            state ^= schedule[Rounds];
            for (int round = Rounds - 1; round > 0; round--)
            {
                state = AesRound.Decrypt(state, AesRound.InverseMixColumns(schedule[round]));
            }

            Assert.Equal(Vector128.Create(plain), AesRound.DecryptLast(state, schedule[0]));
        }
    }

    [SkippableFact]
    public void Carryless_product_matches_host()
    {
        Skip.IfNot(X86.Pclmulqdq.IsSupported, "The host's processor lacks PCLMULQDQ.");
        var random = new Random(SoakCases.SeedFor(nameof(Carryless_product_matches_host)));
        for (int i = 0; i < 2000; i++)
        {
            ulong a = (ulong)random.NextInt64(long.MinValue, long.MaxValue);
            ulong b = (ulong)random.NextInt64(long.MinValue, long.MaxValue) >> random.Next(64);
            Vector128<ulong> expected = X86.Pclmulqdq.CarrylessMultiply(Vector128.CreateScalar(a), Vector128.CreateScalar(b), 0);
            Assert.Equal(expected.AsByte(), CarrylessProduct.Of(a, b));
        }
    }

    // Key expansion for 128-bit keys (FIPS 197 §5.2).
    private static Vector128<byte>[] Schedule(Vector128<byte> key)
    {
        var schedule = new Vector128<byte>[Rounds + 1];
        schedule[0] = key;
        int constant = 1;
        for (int round = 1; round <= Rounds; round++)
        {
            Vector128<uint> old = schedule[round - 1].AsUInt32();
            uint word = AesRound.KeyAssist(old.AsByte(), (byte)constant).AsUInt32()[3];
            uint w0 = old[0] ^ word;
            uint w1 = old[1] ^ w0;
            uint w2 = old[2] ^ w1;
            schedule[round] = Vector128.Create(w0, w1, w2, old[3] ^ w2).AsByte();
            constant = (constant << 1) ^ ((constant & 0x80) != 0 ? 0x11B : 0);
        }

        return schedule;
    }
}
