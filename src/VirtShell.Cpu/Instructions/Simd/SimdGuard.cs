using System.Runtime.CompilerServices;
using VirtShell.Cpu.Execution;

namespace VirtShell.Cpu.Instructions.Simd;

/// <summary>What CR0, CR4 and XCR0 allow of SSE (SDM Vol. 3A §13.1) and AVX (SDM Vol. 2A §2.4).</summary>
internal static unsafe class SimdGuard
{
    private const ulong AvxState = 6;

    /// <summary>#UD or #NM where legacy SSE instructions may not run now.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Sse(CpuState* s)
    {
        if ((s->Cr0 & (ControlBits.Cr0Emulation | ControlBits.Cr0TaskSwitched)) != 0 || (s->Cr4 & ControlBits.Cr4Osfxsr) == 0)
        {
            RefuseSse(s);
        }
    }

    /// <summary>#UD or #NM where VEX-encoded instructions may not run now; real and virtual-8086 mode have none.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Avx(CpuState* s)
    {
        if ((s->Cr0 & (ControlBits.Cr0TaskSwitched | ControlBits.Cr0Protection)) != ControlBits.Cr0Protection || s->Virtual8086 != 0 || (s->Cr4 & ControlBits.Cr4Osxsave) == 0 || (s->Xcr0 & AvxState) != AvxState)
        {
            RefuseAvx(s);
        }
    }

    /// <summary>#GP(0) for an address that is not aligned to <paramref name="size"/> bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Aligned(CpuState* s, ulong linear, int size)
    {
        if ((linear & (ulong)(size - 1)) != 0)
        {
            Fault.GeneralProtection(s);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void RefuseSse(CpuState* s)
    {
        if ((s->Cr0 & ControlBits.Cr0Emulation) != 0 || (s->Cr4 & ControlBits.Cr4Osfxsr) == 0)
        {
            Fault.InvalidOpcode(s);
        }

        Fault.DeviceNotAvailable(s);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void RefuseAvx(CpuState* s)
    {
        bool isReal = (s->Cr0 & ControlBits.Cr0Protection) == 0 || s->Virtual8086 != 0;
        if (isReal || (s->Cr4 & ControlBits.Cr4Osxsave) == 0 || (s->Xcr0 & AvxState) != AvxState)
        {
            Fault.InvalidOpcode(s);
        }

        Fault.DeviceNotAvailable(s);
    }
}
