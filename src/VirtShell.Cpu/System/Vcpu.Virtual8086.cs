using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu;

/// <summary>Virtual-8086 mode extensions and I/O permissions (SDM Vol. 3B chapter 20, Vol. 1 §18.5.2).</summary>
public sealed unsafe partial class Vcpu
{
    private const int TssIoMapBase = 102;

    /// <summary>
    /// INT n in virtual-8086 mode: true where VME's redirection bitmap sent it to the 8086 program's own vector table; false
    /// where the IDT handles it. Raises #GP(0) where the monitor has to.
    /// </summary>
    internal bool TryRedirectInterrupt(int vector, ulong nextRip)
    {
        CpuState* s = _s;
        bool iopl3 = (s->FlagsRest & Flags.IoplMask) == Flags.IoplMask;
        if ((s->Cr4 & ControlBits.Cr4Vme) != 0 && !RedirectionBit(vector))
        {
            uint image = CurrentFlags() & ~Flags.Resume;
            uint clear = Flags.Trap | Flags.Interrupt;
            if (!iopl3)
            {
                image = (image & ~Flags.Interrupt) | Flags.IoplMask;
                image |= (s->FlagsRest & Flags.VirtualInterrupt) != 0 ? Flags.Interrupt : 0;
                clear = Flags.Trap | Flags.VirtualInterrupt;
            }

            EnterVectorTable(0, vector, image, clear, nextRip);
            _stepTrapSuppressed = true;
            return true;
        }

        if (!iopl3)
        {
            Fault.GeneralProtection(s);
        }

        return false;
    }

    /// <summary>Raises #GP(0) unless IN or OUT may access the port: by CPL and IOPL, else by the I/O permission bitmap of a 32-bit or 64-bit TSS.</summary>
    internal void CheckIoPermission(uint port, int size)
    {
        CpuState* s = _s;
        bool restricted = (s->Cr0 & ControlBits.Cr0Protection) != 0
            && (s->Virtual8086 != 0 || s->Cpl > (s->FlagsRest & Flags.IoplMask) >> Flags.IoplShift);
        if (restricted && !IsPermitted(port, size))
        {
            Fault.GeneralProtection(s);
        }

        NotePortAccess(port, size);
    }

    private bool IsPermitted(uint port, int size)
    {
        CpuState* s = _s;
        uint limit = s->Tr.Limit;
        if ((s->Tr.Attributes & 8) == 0 || limit < TssIoMapBase + 1)
        {
            return false;
        }

        uint map = Mem.ReadSystem<ushort>(s, SystemAddress(s->Tr.Base + TssIoMapBase));
        uint at = map + (port >> 3);
        if (at + 1 > limit)
        {
            return false;
        }

        uint bits = Mem.ReadSystem<ushort>(s, SystemAddress(s->Tr.Base + at));
        return ((bits >> (int)(port & 7)) & ((1u << size) - 1)) == 0;
    }

    /// <summary>A vector's bit in the 32 bytes below the I/O map; set also where the TSS does not reach.</summary>
    private bool RedirectionBit(int vector)
    {
        CpuState* s = _s;
        if (s->Tr.Limit < TssIoMapBase + 1)
        {
            Fault.GeneralProtection(s);
        }

        uint map = Mem.ReadSystem<ushort>(s, (uint)(s->Tr.Base + TssIoMapBase));
        uint at = map - 32 + ((uint)vector >> 3);
        if (at > s->Tr.Limit)
        {
            Fault.GeneralProtection(s);
        }

        return ((Mem.ReadSystem<byte>(s, (uint)(s->Tr.Base + at)) >> (vector & 7)) & 1) != 0;
    }
}
