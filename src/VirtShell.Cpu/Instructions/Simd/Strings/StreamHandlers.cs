using System.Runtime.Intrinsics;
using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.Simd.Strings;

/// <summary>MOVNTDQA (the VEX forms stand with the other VEX moves) and MASKMOVDQU, legacy and VEX (SDM Vol. 2).</summary>
internal static unsafe class StreamHandlers
{
    private const int Rdi = 7;

    public static void Register()
    {
        HandlerTable.Add(Code.Movntdqa_xmm_m128, null, &Load<Flat>, &Load<General>);
        HandlerTable.Add(Code.Maskmovdqu_rDI_xmm_xmm, &MaskedStore);
        HandlerTable.Add(Code.VEX_Vmaskmovdqu_rDI_xmm_xmm, &VexMaskedStore);
    }

    private static Op* Load<TA>(CpuState* s, Op* o)
        where TA : struct, IAddressing
    {
        SimdGuard.Sse(s);
        ulong linear = TA.Read(s, o, 16);
        SimdGuard.Aligned(s, linear, 16);
        *(Vector128<byte>*)((byte*)s + o->Dst) = Mem.Read<Vector128<byte>>(s, linear);
        return o + 1;
    }

    private static Op* MaskedStore(CpuState* s, Op* o)
    {
        SimdGuard.Sse(s);
        return Store(s, o);
    }

    private static Op* VexMaskedStore(CpuState* s, Op* o)
    {
        SimdGuard.Avx(s);
        return Store(s, o);
    }

    // Bytes of the second operand to DS:rDI where the third has its sign bits set. The faults of all 16 bytes come even with
    // an empty mask, which the manual leaves to the implementation.
    private static Op* Store(CpuState* s, Op* o)
    {
        ulong offset = s->Gpr[Rdi] << o->AddressShift >> o->AddressShift;
        ulong linear = Addresses.Linear(s, o->Segment, offset, 16, write: true);
        Mem.CheckWrite(s, linear, 16);
        byte* data = (byte*)s + o->Src;
        uint mask = ((Vector128<byte>*)((byte*)s + o->Src2))->ExtractMostSignificantBits();
        for (int i = 0; mask != 0; i++, mask >>= 1)
        {
            if ((mask & 1) != 0)
            {
                Mem.Write(s, (linear + (ulong)i) & s->LinearMask, data[i]);
            }
        }

        return o + 1;
    }
}
