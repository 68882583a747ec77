using System.Runtime.CompilerServices;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Instructions.X87;

namespace VirtShell.Cpu.Instructions.Mmx;

/// <summary>
/// The MMX registers, which are the significands of the x87 registers by physical number (Intel SDM vol. 3A, 13.2): every
/// MMX instruction makes TOP zero and all tags valid, and a write sets the sign and exponent to ones.
/// </summary>
internal static unsafe class MmxState
{
    private const ushort AllValid = 0xFF;
    private const ulong WrittenExponent = 0xFFFF;

    /// <summary>What every MMX instruction checks: #UD with CR0.EM, #NM with CR0.TS, a pending x87 exception.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Enter(CpuState* s)
    {
        if ((s->Cr0 & (ControlBits.Cr0Emulation | ControlBits.Cr0TaskSwitched)) != 0 || (s->Fsw & Fpu.ErrorSummary) != 0)
        {
            EnterSlow(s);
        }
    }

    /// <summary>Turns the x87 registers to MMX use. Called once nothing can fault any more.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Transition(CpuState* s)
    {
        s->Fsw &= unchecked((ushort)~Fpu.TopMask);
        s->FpuValid = AllValid;
    }

    /// <summary>Reads the register at a byte offset that a decoded operation names.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static ulong Get(CpuState* s, int place) => *(ulong*)((byte*)s + place);

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Set(CpuState* s, int place, ulong value)
    {
        ulong* register = (ulong*)((byte*)s + place);
        register[0] = value;
        register[1] = WrittenExponent;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void EnterSlow(CpuState* s)
    {
        if ((s->Cr0 & ControlBits.Cr0Emulation) != 0)
        {
            Fault.InvalidOpcode(s);
        }

        if ((s->Cr0 & ControlBits.Cr0TaskSwitched) != 0)
        {
            Fault.DeviceNotAvailable(s);
        }

        Fpu.CheckPending(s);
    }
}
