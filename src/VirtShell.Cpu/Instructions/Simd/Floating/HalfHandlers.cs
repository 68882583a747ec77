using System.Runtime.Intrinsics;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Instructions.Simd.Floating;

/// <summary>F16C: VCVTPH2PS and VCVTPS2PH (SDM Vol. 2).</summary>
internal static unsafe class HalfHandlers
{
    public static void Register()
    {
        Forms.Add<Widen, Two128, ulong>("VEX_Vcvtph2ps_xmm_xmmm64");
        Forms.Add<Widen, Two256, Vector128<byte>>("VEX_Vcvtph2ps_ymm_xmmm128");
        Packed.Add("VEX_Vcvtps2ph_xmmm64_xmm_imm8", &NarrowRegister<Two128>, &NarrowMemory<Two128, Flat>, &NarrowMemory<Two128, General>);
        Packed.Add("VEX_Vcvtps2ph_xmmm128_ymm_imm8", &NarrowRegister<Two256>, &NarrowMemory<Two256, Flat>, &NarrowMemory<Two256, General>);
    }

    private static Vector128<byte> Narrow(ref SimdContext c, byte* source, int immediate, int bytes)
    {
        Vector128<byte> result = default;
        if ((immediate & 4) == 0)
        {
            c = c.WithRounding(immediate & 3);
        }

        for (int i = 0; i < bytes / 4; i++)
        {
            // MXCSR.FTZ does not count here, DAZ does.
            Binary16.Set((byte*)&result, i, SoftFloat<Binary32>.ConvertTo<Binary16>(ref c, Binary32.Get(source, i), flush: false));
        }

        return result;
    }

    private static Op* NarrowRegister<TForm>(CpuState* s, Op* o)
        where TForm : struct, IForm
    {
        SimdGuard.Avx(s);
        SimdContext context = new(s->Mxcsr);
        Vector128<byte> result = Narrow(ref context, (byte*)s + o->Src, (int)o->Imm, TForm.Bytes);
        context.Commit(s);
        Packed.Set128(s, o->Dst, result);
        return o + 1;
    }

    private static Op* NarrowMemory<TForm, TA>(CpuState* s, Op* o)
        where TForm : struct, IForm
        where TA : struct, IAddressing
    {
        SimdGuard.Avx(s);
        ulong linear = TA.Write(s, o, TForm.Bytes / 2);
        Mem.CheckWrite(s, linear, TForm.Bytes / 2);
        SimdContext context = new(s->Mxcsr);
        Vector128<byte> result = Narrow(ref context, (byte*)s + o->Src, (int)o->Imm, TForm.Bytes);
        context.Commit(s);
        if (TForm.Bytes == 32)
        {
            Mem.Write(s, linear, result);
        }
        else
        {
            Mem.Write(s, linear, result.AsUInt64()[0]);
        }

        return o + 1;
    }

    private struct Widen : IVectorOperation
    {
        public static void Do(ref SimdContext c, byte* result, byte* a, byte* b, int immediate, int bytes)
        {
            for (int i = 0; i < bytes / 4; i++)
            {
                // Half denormals are numbers here, whatever DAZ says, and raise nothing.
                Binary32.Set(result, i, SoftFloat<Binary16>.ConvertTo<Binary32>(ref c, Binary16.Get(b, i), flush: false, denormals: false));
            }
        }
    }
}
