using VirtShell.Cpu.Execution;

namespace VirtShell.Cpu;

/// <summary>Control registers and EFER: reserved bits, mode transitions, what each change flushes (SDM Vol. 3A §2.5, §4.10.4, §9.8.5).</summary>
public sealed unsafe partial class Vcpu
{
    private const ulong Cr0Writable = ControlBits.Cr0Protection | ControlBits.Cr0MonitorCoprocessor | ControlBits.Cr0Emulation
        | ControlBits.Cr0TaskSwitched | ControlBits.Cr0NumericError | ControlBits.Cr0WriteProtect | ControlBits.Cr0AlignmentMask
        | ControlBits.Cr0NotWriteThrough | ControlBits.Cr0CacheDisable | ControlBits.Cr0Paging;

    private const ulong Cr3NoFlush = 1UL << 63;

    /// <summary>#GP(0) unless CPL is 0.</summary>
    internal void CheckSupervisor()
    {
        if (_s->Cpl != 0)
        {
            Fault.GeneralProtection(_s);
        }
    }

    internal void WriteCr0(ulong value)
    {
        CpuState* s = _s;
        ulong old = s->Cr0;
        if (value > uint.MaxValue)
        {
            Fault.GeneralProtection(s);
        }

        value = (value & Cr0Writable) | ControlBits.Cr0ExtensionType;
        bool paging = (value & ControlBits.Cr0Paging) != 0;
        bool invalid = (paging && (value & ControlBits.Cr0Protection) == 0)
            || ((value & ControlBits.Cr0NotWriteThrough) != 0 && (value & ControlBits.Cr0CacheDisable) == 0)
            || (!paging && (s->CodeSize == 64 || (s->Cr4 & ControlBits.Cr4Pcide) != 0));
        if (invalid)
        {
            Fault.GeneralProtection(s);
        }

        ulong changed = old ^ value;
        ulong efer = s->Efer;
        if ((changed & ControlBits.Cr0Paging) != 0)
        {
            if (paging && (efer & ControlBits.EferLongEnable) != 0)
            {
                bool tss16 = (s->Tr.Attributes & 8) == 0;
                if ((s->Cr4 & ControlBits.Cr4Pae) == 0 || (s->Cs.Attributes & SegmentRegister.Long) != 0 || tss16)
                {
                    Fault.GeneralProtection(s);
                }

                efer |= ControlBits.EferLongActive;
            }
            else if (!paging)
            {
                efer &= ~ControlBits.EferLongActive;
            }
        }

        const ulong PdpteReload = ControlBits.Cr0Paging | ControlBits.Cr0CacheDisable | ControlBits.Cr0NotWriteThrough;
        if (paging && (changed & PdpteReload) != 0 && UsesPaePdptes(s->Cr4, efer))
        {
            LoadPdptes(s->Cr3);
        }

        s->Cr0 = value;
        s->Efer = efer;

        // Without paging a linear address is the physical one in every mode: programs that go to real mode and back for each
        // call of the BIOS keep what is known of their pages.
        bool isMappedAnew = (changed & ControlBits.Cr0Paging) != 0 || (paging && (changed & ControlBits.Cr0WriteProtect) != 0);
        if (isMappedAnew)
        {
            Mmu.FlushAll();
        }

        UpdateMode();
    }

    internal void WriteCr3(ulong value)
    {
        CpuState* s = _s;
        bool pcide = (s->Cr4 & ControlBits.Cr4Pcide) != 0;
        bool keep = pcide && (value & Cr3NoFlush) != 0;
        if (pcide)
        {
            value &= ~Cr3NoFlush;
        }

        if (s->CodeSize == 64 && (value >> ControlBits.PhysicalBits) != 0)
        {
            Fault.GeneralProtection(s);
        }

        if ((s->Cr0 & ControlBits.Cr0Paging) != 0 && UsesPaePdptes(s->Cr4, s->Efer))
        {
            LoadPdptes(value);
        }

        s->Cr3 = value;
        Mmu.SwitchPcid(pcide ? value & 0xFFF : 0, flush: !keep);
    }

    internal void WriteCr4(ulong value)
    {
        CpuState* s = _s;
        ulong changed = s->Cr4 ^ value;
        bool invalid = (value & ~CpuFeatures.Cr4Bits(Model)) != 0
            || (LongActive && (value & ControlBits.Cr4Pae) == 0)
            || ((changed & value & ControlBits.Cr4Pcide) != 0 && (!LongActive || (s->Cr3 & 0xFFF) != 0));
        if (invalid)
        {
            Fault.GeneralProtection(s);
        }

        const ulong Translation = ControlBits.Cr4Pae | ControlBits.Cr4Pse | ControlBits.Cr4Pge | ControlBits.Cr4Smep;
        bool paging = (s->Cr0 & ControlBits.Cr0Paging) != 0;
        if (paging && (changed & Translation) != 0 && UsesPaePdptes(value, s->Efer))
        {
            LoadPdptes(s->Cr3);
        }

        s->Cr4 = value;
        if ((changed & (Translation | ControlBits.Cr4Pcide | ControlBits.Cr4Smap)) != 0)
        {
            Mmu.FlushAll();
            Mmu.SwitchPcid((value & ControlBits.Cr4Pcide) != 0 ? s->Cr3 & 0xFFF : 0, flush: true);
        }

        if ((changed & ControlBits.Cr4De) != 0)
        {
            UpdateBreakpoints();
        }

        UpdateMode();
    }

    internal void WriteEfer(ulong value)
    {
        CpuState* s = _s;
        ulong writable = CpuFeatures.EferBits(Model);
        bool invalid = (value & ~(writable | ControlBits.EferLongActive)) != 0
            || (((value ^ s->Efer) & ControlBits.EferLongEnable) != 0 && (s->Cr0 & ControlBits.Cr0Paging) != 0);
        if (invalid)
        {
            Fault.GeneralProtection(s);
        }

        ulong changed = s->Efer ^ value;
        s->Efer = (value & writable) | (s->Efer & ControlBits.EferLongActive);
        if ((changed & ControlBits.EferNoExecute) != 0)
        {
            Mmu.FlushAll();
        }

        UpdateMode();
    }

    /// <summary>LMSW: CR0 bits 3:0; PE can be set but not cleared.</summary>
    internal void LoadMachineStatus(ushort value)
    {
        ulong low = value & 0xFUL;
        WriteCr0((_s->Cr0 & ~0xEUL) | low);
    }

    /// <summary>INVPCID (SDM Vol. 2): descriptor of 16 bytes, type 0 to 3.</summary>
    internal void InvalidatePcid(ulong type, ulong pcid, ulong linear)
    {
        CpuState* s = _s;
        bool pcide = (s->Cr4 & ControlBits.Cr4Pcide) != 0;
        bool invalid = type > 3
            || (pcid >> 12) != 0
            || (type <= 1 && !pcide && pcid != 0)
            || (type == 0 && !IsCanonical(linear));
        if (invalid)
        {
            Fault.GeneralProtection(s);
        }

        switch (type)
        {
            case 0:
                Mmu.FlushPage(linear);
                break;
            case 1:
                Mmu.FlushPcid(pcid);
                break;
            default:
                Mmu.FlushAll();
                break;
        }
    }

    private static bool UsesPaePdptes(ulong cr4, ulong efer) =>
        (cr4 & ControlBits.Cr4Pae) != 0 && (efer & ControlBits.EferLongActive) == 0;

    /// <summary>Loads the four PAE PDPTEs; #GP(0) for reserved bits in a present one (SDM Vol. 3A §4.4.1).</summary>
    private void LoadPdptes(ulong cr3)
    {
        // Bits 2:1 and 8:5 and everything from the physical width up.
        const ulong Reserved = 0x1E6 | ~((1UL << ControlBits.PhysicalBits) - 1);
        System.Span<byte> bytes = stackalloc byte[32];
        Mmu.ReadPhysical(cr3 & 0xFFFF_FFE0 & Mmu.A20Mask, bytes);
        System.Span<ulong> entries = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, ulong>(bytes);
        foreach (ulong entry in entries)
        {
            if ((entry & 1) != 0 && (entry & Reserved) != 0)
            {
                Fault.GeneralProtection(_s);
            }
        }

        entries.CopyTo(Pdptes);
    }
}
