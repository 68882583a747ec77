using System.Runtime.Intrinsics;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.Simd;

/// <summary>VMASKMOV, VPMASKMOV, gathers, VTESTPS (SDM Vol. 2).</summary>
internal static unsafe class MaskedMoveHandlers
{
    public static void Register()
    {
        foreach (string name in new[] { "Vmaskmovps", "Vpmaskmovd" })
        {
            Moves<uint>(name);
        }

        foreach (string name in new[] { "Vmaskmovpd", "Vpmaskmovq" })
        {
            Moves<ulong>(name);
        }

        foreach (string name in new[] { "Vpgatherd", "Vgatherdp" })
        {
            bool floating = name[^1] == 'p';
            string single = name + (floating ? "s" : "d");
            string twice = name + (floating ? "d" : "q");
            Packed.Add($"VEX_{single}_xmm_vm32x_xmm", null, &Gather<uint, int, Four>, &Gather<uint, int, Four>);
            Packed.Add($"VEX_{single}_ymm_vm32y_ymm", null, &Gather<uint, int, Eight>, &Gather<uint, int, Eight>);
            Packed.Add($"VEX_{twice}_xmm_vm32x_xmm", null, &Gather<ulong, int, Pair>, &Gather<ulong, int, Pair>);
            Packed.Add($"VEX_{twice}_ymm_vm32x_ymm", null, &Gather<ulong, int, Four>, &Gather<ulong, int, Four>);
        }

        foreach (string name in new[] { "Vpgatherq", "Vgatherqp" })
        {
            bool floating = name[^1] == 'p';
            string single = name + (floating ? "s" : "d");
            string twice = name + (floating ? "d" : "q");
            Packed.Add($"VEX_{single}_xmm_vm64x_xmm", null, &Gather<uint, long, Pair>, &Gather<uint, long, Pair>);
            Packed.Add($"VEX_{single}_xmm_vm64y_xmm", null, &Gather<uint, long, Four>, &Gather<uint, long, Four>);
            Packed.Add($"VEX_{twice}_xmm_vm64x_xmm", null, &Gather<ulong, long, Pair>, &Gather<ulong, long, Pair>);
            Packed.Add($"VEX_{twice}_ymm_vm64y_ymm", null, &Gather<ulong, long, Four>, &Gather<ulong, long, Four>);
        }

        Test<uint>("Vtestps");
        Test<ulong>("Vtestpd");
    }

    /// <summary>How many elements there are.</summary>
    internal interface ICount
    {
        static abstract int Value { get; }
    }

    private static void Moves<T>(string name)
        where T : unmanaged
    {
        Packed.Add($"VEX_{name}_xmm_xmm_m128", null, &LoadMasked<T, Vector128<byte>, Flat>, &LoadMasked<T, Vector128<byte>, General>);
        Packed.Add($"VEX_{name}_ymm_ymm_m256", null, &LoadMasked<T, Vector256<byte>, Flat>, &LoadMasked<T, Vector256<byte>, General>);
        Packed.Add($"VEX_{name}_m128_xmm_xmm", null, &StoreMasked<T, Vector128<byte>, Flat>, &StoreMasked<T, Vector128<byte>, General>);
        Packed.Add($"VEX_{name}_m256_ymm_ymm", null, &StoreMasked<T, Vector256<byte>, Flat>, &StoreMasked<T, Vector256<byte>, General>);
    }

    private static void Test<T>(string name)
        where T : unmanaged
    {
        Packed.Add($"VEX_{name}_xmm_xmmm128", &TestRegister<T, Vector128<byte>>, &TestMemory<T, Vector128<byte>, Flat>, &TestMemory<T, Vector128<byte>, General>);
        Packed.Add($"VEX_{name}_ymm_ymmm256", &TestRegister<T, Vector256<byte>>, &TestMemory<T, Vector256<byte>, Flat>, &TestMemory<T, Vector256<byte>, General>);
    }

    private static T* At<T>(CpuState* s, int place)
        where T : unmanaged => (T*)((byte*)s + place);

    private static bool IsSet<T>(T* mask, int lane)
        where T : unmanaged => (((byte*)mask)[(lane * sizeof(T)) + sizeof(T) - 1] & 0x80) != 0;

    // Elements that are masked off are not accessed, so that they cannot fault.
    private static Op* LoadMasked<T, TV, TA>(CpuState* s, Op* o)
        where T : unmanaged
        where TV : unmanaged
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        T* mask = At<T>(s, o->Src);
        Vector256<byte> result = default;
        for (int i = 0; i < sizeof(TV) / sizeof(T); i++)
        {
            if (IsSet(mask, i))
            {
                ((T*)&result)[i] = Mem.Read<T>(s, Element<TA>(s, o, i * sizeof(T), sizeof(T), write: false));
            }
        }

        *At<Vector256<byte>>(s, o->Dst) = result;
        return o + 1;
    }

    private static Op* StoreMasked<T, TV, TA>(CpuState* s, Op* o)
        where T : unmanaged
        where TV : unmanaged
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        T* mask = At<T>(s, o->Src);
        T* source = At<T>(s, o->Src2);
        for (int i = 0; i < sizeof(TV) / sizeof(T); i++)
        {
            if (IsSet(mask, i))
            {
                Mem.CheckWrite(s, Element<TA>(s, o, i * sizeof(T), sizeof(T), write: true), sizeof(T));
            }
        }

        for (int i = 0; i < sizeof(TV) / sizeof(T); i++)
        {
            if (IsSet(mask, i))
            {
                Mem.Write(s, Element<TA>(s, o, i * sizeof(T), sizeof(T), write: true), source[i]);
            }
        }

        return o + 1;
    }

    private static ulong Element<TA>(CpuState* s, Op* o, int offset, int size, bool write)
        where TA : struct, IAddressing
    {
        ulong sum = *At<ulong>(s, o->Base) + (*At<ulong>(s, o->Index) << o->Scale) + (ulong)o->Disp + (ulong)offset;
        return Addresses.Linear(s, o->Segment, sum << o->AddressShift >> o->AddressShift, size, write);
    }

    /// <summary>
    /// Elements arrive one by one and clear their mask, so that after a fault the instruction goes on where it stopped
    /// (SDM Vol. 2, VPGATHERDD).
    /// </summary>
    private static Op* Gather<T, TIndex, TCount>(CpuState* s, Op* o)
        where T : unmanaged
        where TIndex : unmanaged
        where TCount : struct, ICount
    {
        SimdGuard.Avx(s);
        if (o->Dst == o->Index || o->Dst == o->Src2 || o->Index == o->Src2)
        {
            Fault.InvalidOpcode(s);
        }

        T* destination = At<T>(s, o->Dst);
        T* mask = At<T>(s, o->Src2);
        for (int i = 0; i < TCount.Value; i++)
        {
            if (IsSet(mask, i))
            {
                long index = sizeof(TIndex) == 4 ? At<int>(s, o->Index)[i] : At<long>(s, o->Index)[i];
                ulong offset = *At<ulong>(s, o->Base) + ((ulong)index << o->Scale) + (ulong)o->Disp;
                destination[i] = Mem.Read<T>(s, Addresses.Linear(s, o->Segment, offset << o->AddressShift >> o->AddressShift, sizeof(T), write: false));
            }

            mask[i] = default;
        }

        *At<Vector256<byte>>(s, o->Src2) = default;
        for (int i = TCount.Value; i < 32 / sizeof(T); i++)
        {
            destination[i] = default;
        }

        return o + 1;
    }

    private static Op* TestRegister<T, TV>(CpuState* s, Op* o)
        where T : unmanaged
        where TV : unmanaged
    {
        SimdGuard.Avx(s);
        TestSigns<T, TV>(s, o, At<T>(s, o->Src));
        return o + 1;
    }

    private static Op* TestMemory<T, TV, TA>(CpuState* s, Op* o)
        where T : unmanaged
        where TV : unmanaged
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        TV source = Mem.Read<TV>(s, TA.Read(s, o, sizeof(TV)));
        TestSigns<T, TV>(s, o, (T*)&source);
        return o + 1;
    }

    private static void TestSigns<T, TV>(CpuState* s, Op* o, T* source)
        where T : unmanaged
        where TV : unmanaged
    {
        T* destination = At<T>(s, o->Dst);
        uint flags = Flags.Zero | Flags.Carry;
        for (int i = 0; i < sizeof(TV) / sizeof(T); i++)
        {
            if (IsSet(source, i))
            {
                flags &= IsSet(destination, i) ? ~Flags.Zero : ~Flags.Carry;
            }
        }

        Flags.SetStatus(s, flags);
    }

    private struct Pair : ICount
    {
        public static int Value => 2;
    }

    private struct Four : ICount
    {
        public static int Value => 4;
    }

    private struct Eight : ICount
    {
        public static int Value => 8;
    }
}
