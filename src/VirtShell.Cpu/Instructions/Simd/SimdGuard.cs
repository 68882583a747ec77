using System.Runtime.CompilerServices;
using VirtShell.Cpu.Execution;

namespace VirtShell.Cpu.Instructions.Simd;

/// <summary>What CR0 and CR4 allow of SSE (SDM Vol. 3A §13.1).</summary>
internal static unsafe class SimdGuard
{
    /// <summary>#UD or #NM where legacy SSE instructions may not run now.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Sse(CpuState* s)
    {
        if ((s->Cr0 & (ControlBits.Cr0Emulation | ControlBits.Cr0TaskSwitched)) != 0 || (s->Cr4 & ControlBits.Cr4Osfxsr) == 0)
        {
            Refuse(s);
        }
    }

    /// <summary>#GP(0) for an address that is not aligned to 16 bytes.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Aligned16(CpuState* s, ulong linear)
    {
        if ((linear & 15) != 0)
        {
            Fault.GeneralProtection(s);
        }
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void Refuse(CpuState* s)
    {
        if ((s->Cr0 & ControlBits.Cr0Emulation) != 0 || (s->Cr4 & ControlBits.Cr4Osfxsr) == 0)
        {
            Fault.InvalidOpcode(s);
        }

        Fault.DeviceNotAvailable(s);
    }
}
