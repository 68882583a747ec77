using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;
using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.Simd.Crypto;

/// <summary>The SHA extensions (SDM Vol. 2; functions and constants of FIPS 180-4).</summary>
internal static unsafe class ShaHandlers
{
    public static void Register()
    {
        Packed.Binary<NextE>("Sha1nexte");
        Packed.Binary<Message1>("Sha1msg1");
        Packed.Binary<Message2>("Sha1msg2");
        Packed.BinaryImmediate<FourRounds>("Sha1rnds4");
        Packed.Binary<Message1Of256>("Sha256msg1");
        Packed.Binary<Message2Of256>("Sha256msg2");
        HandlerTable.Add(Code.Sha256rnds2_xmm_xmmm128, &TwoRoundsReg, &TwoRoundsMem<Flat>, &TwoRoundsMem<General>);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Choose(uint x, uint y, uint z) => (x & y) ^ (~x & z);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Majority(uint x, uint y, uint z) => (x & y) ^ (x & z) ^ (y & z);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint BigSigma0(uint x) => uint.RotateRight(x, 2) ^ uint.RotateRight(x, 13) ^ uint.RotateRight(x, 22);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint BigSigma1(uint x) => uint.RotateRight(x, 6) ^ uint.RotateRight(x, 11) ^ uint.RotateRight(x, 25);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Sigma0(uint x) => uint.RotateRight(x, 7) ^ uint.RotateRight(x, 18) ^ (x >> 3);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static uint Sigma1(uint x) => uint.RotateRight(x, 17) ^ uint.RotateRight(x, 19) ^ (x >> 10);

    private static Op* TwoRoundsReg(CpuState* s, Op* o)
    {
        SimdGuard.Sse(s);
        TwoRounds(s, o, *(Vector128<uint>*)((byte*)s + o->Src));
        return o + 1;
    }

    private static Op* TwoRoundsMem<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        SimdGuard.Sse(s);
        ulong linear = TA.Read(s, o, 16);
        SimdGuard.Aligned(s, linear, 16);
        TwoRounds(s, o, Mem.Read<Vector128<uint>>(s, linear));
        return o + 1;
    }

    // SHA256RNDS2: C, D, G, H come from the destination, A, B, E, F from the source, W + K of two rounds from XMM0.
    private static void TwoRounds(CpuState* s, Op* o, Vector128<uint> source)
    {
        Vector128<uint>* destination = (Vector128<uint>*)((byte*)s + o->Dst);
        Vector128<uint> old = *destination;
        uint* words = (uint*)CpuState.Vector(s, 0);
        uint a = source[3], b = source[2], c = old[3], d = old[2];
        uint e = source[1], f = source[0], g = old[1], h = old[0];
        uint t = Choose(e, f, g) + BigSigma1(e) + words[0] + h;
        uint a1 = t + Majority(a, b, c) + BigSigma0(a);
        uint e1 = t + d;
        t = Choose(e1, e, f) + BigSigma1(e1) + words[1] + g;
        *destination = Vector128.Create(e1, t + c, a1, t + Majority(a1, a, b) + BigSigma0(a1));
    }

    private struct NextE : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate)
        {
            Vector128<uint> y = b.AsUInt32();
            return y.WithElement(3, y[3] + uint.RotateLeft(a.AsUInt32()[3], 30)).AsByte();
        }
    }

    private struct Message1 : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate)
        {
            Vector128<uint> x = a.AsUInt32();
            Vector128<uint> y = b.AsUInt32();
            return (x ^ Vector128.Create(y[2], y[3], x[0], x[1])).AsByte();
        }
    }

    private struct Message2 : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate)
        {
            Vector128<uint> x = a.AsUInt32();
            Vector128<uint> y = b.AsUInt32();
            uint w16 = uint.RotateLeft(x[3] ^ y[2], 1);
            uint w17 = uint.RotateLeft(x[2] ^ y[1], 1);
            uint w18 = uint.RotateLeft(x[1] ^ y[0], 1);
            uint w19 = uint.RotateLeft(x[0] ^ w16, 1);
            return Vector128.Create(w19, w18, w17, w16).AsByte();
        }
    }

    private struct FourRounds : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> state, Vector128<byte> words, int immediate)
        {
            Vector128<uint> x = state.AsUInt32();
            Vector128<uint> w = words.AsUInt32();
            uint a = x[3], b = x[2], c = x[1], d = x[0];

            // The first word comes with E already added to it.
            uint e = 0;
            for (int i = 3; i >= 0; i--)
            {
                uint f = (immediate & 3) switch
                {
                    0 => Choose(b, c, d) + 0x5A82_7999,
                    1 => (b ^ c ^ d) + 0x6ED9_EBA1,
                    2 => Majority(b, c, d) + 0x8F1B_BCDC,
                    _ => (b ^ c ^ d) + 0xCA62_C1D6,
                };
                uint next = f + uint.RotateLeft(a, 5) + w[i] + e;
                e = d;
                d = c;
                c = uint.RotateLeft(b, 30);
                b = a;
                a = next;
            }

            return Vector128.Create(d, c, b, a).AsByte();
        }
    }

    private struct Message1Of256 : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate)
        {
            Vector128<uint> x = a.AsUInt32();
            return (x + Vector128.Create(Sigma0(x[1]), Sigma0(x[2]), Sigma0(x[3]), Sigma0(b.AsUInt32()[0]))).AsByte();
        }
    }

    private struct Message2Of256 : IPacked
    {
        public static Vector128<byte> Do(Vector128<byte> a, Vector128<byte> b, int immediate)
        {
            Vector128<uint> x = a.AsUInt32();
            Vector128<uint> y = b.AsUInt32();
            uint w16 = x[0] + Sigma1(y[2]);
            uint w17 = x[1] + Sigma1(y[3]);
            return Vector128.Create(w16, w17, x[2] + Sigma1(w16), x[3] + Sigma1(w17)).AsByte();
        }
    }
}
