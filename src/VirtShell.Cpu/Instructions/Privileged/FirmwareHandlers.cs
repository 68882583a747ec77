using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;

namespace VirtShell.Cpu.Instructions.Privileged;

/// <summary>VMCALL where firmware stands (<see cref="IFirmware"/>). The operation's immediate is its physical address.</summary>
internal static unsafe class FirmwareHandlers
{
    public static Op* Call(CpuState* s, Op* o)
    {
        switch (CpuState.Of(s).Firmware?.Call((uint)o->Imm) ?? FirmwareReturn.None)
        {
            case FirmwareReturn.Done:
                return Flow.ExitNext(s, o);
            case FirmwareReturn.Skip:
                return Flow.Exit(s, o, Flow.NextRip(s, o) + Vcpu.FirmwareSkip);
            case FirmwareReturn.Again:
                return Flow.Exit(s, o, Flow.RipOf(s, o));
            default:
                Fault.InvalidOpcode(s);
                return null;
        }
    }
}
