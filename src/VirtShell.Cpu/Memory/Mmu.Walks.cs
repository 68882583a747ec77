using System.Runtime.CompilerServices;

namespace VirtShell.Cpu.Memory;

/// <content>Page walks: every paging mode, accessed and dirty bits, page faults.</content>
internal sealed unsafe partial class Mmu
{
    // Page fault error code (SDM Vol. 3A §4.7).
    private const uint ErrorPresent = 1;
    private const uint ErrorWrite = 2;
    private const uint ErrorUser = 4;
    private const uint ErrorReserved = 8;
    private const uint ErrorFetch = 16;

    private bool Walk(ulong linear, Access access, bool user, bool smap, out ulong physical, out bool writable, bool commit)
    {
        _global = false;
        if ((_s->Cr0 & ControlBits.Cr0Paging) == 0)
        {
            physical = linear & 0xFFFF_FFFF & _a20Mask;
            writable = true;
            return true;
        }

        if ((_s->Efer & ControlBits.EferLongActive) != 0)
        {
            if ((ulong)((long)(linear << 16) >> 16) != linear)
            {
                physical = 0;
                writable = false;
                return CpuState.Of(_s).SetNonCanonicalFault();
            }

            return WalkLong(linear, access, user, smap, out physical, out writable, commit);
        }

        return (_s->Cr4 & ControlBits.Cr4Pae) != 0
            ? WalkPae(linear, access, user, smap, out physical, out writable, commit)
            : WalkLegacy(linear, access, user, smap, out physical, out writable, commit);
    }

    // 4-level paging (SDM Vol. 3A §4.5).
    private bool WalkLong(ulong linear, Access access, bool user, bool smap, out ulong physical, out bool writable, bool commit)
    {
        ulong table = _s->Cr3 & 0x000F_FFFF_FFFF_F000;
        return WalkPaeLevels(linear, table, 3, 7UL, access, user, smap, out physical, out writable, commit);
    }

    // PAE paging (SDM Vol. 3A §4.4): the four PDPTEs were loaded with CR3.
    private bool WalkPae(ulong linear, Access access, bool user, bool smap, out ulong physical, out bool writable, bool commit)
    {
        linear &= 0xFFFF_FFFF;
        ulong pdpte = CpuState.Of(_s).Pdptes[(int)(linear >> 30)];
        if ((pdpte & 1) == 0)
        {
            return PageFault(linear, access, user, 0, out physical, out writable);
        }

        return WalkPaeLevels(linear, pdpte & 0x000F_FFFF_FFFF_F000, 1, 6UL | 1, access, user, smap, out physical, out writable, commit);
    }

    private bool WalkPaeLevels(ulong linear, ulong table, int level, ulong rights, Access access, bool user, bool smap, out ulong physical, out bool writable, bool commit)
    {
        bool nxEnabled = (_s->Efer & ControlBits.EferNoExecute) != 0;
        ulong reserved = ControlBits.PhysicalReserved | (nxEnabled ? 0 : 1UL << 63);
        if ((_s->Efer & ControlBits.EferLongActive) == 0)
        {
            reserved |= 0x7FF0_0000_0000_0000;
        }

        bool noExecute = false;
        while (true)
        {
            int shift = 12 + (9 * level);
            ulong address = (table + (((linear >> shift) & 0x1FF) << 3)) & _a20Mask;
            ulong entry = ReadEntry64(address);
            if ((entry & 1) == 0)
            {
                return PageFault(linear, access, user, 0, out physical, out writable);
            }

            bool large = level > 0 && (entry & 0x80) != 0;
            ulong bad = entry & reserved;
            if (level == 3 || (level == 2 && !HasGigabytePages))
            {
                bad |= entry & 0x80;
            }
            else if (large)
            {
                bad |= entry & ((1UL << shift) - 1) & ~0x1FFFUL;
            }

            if (bad != 0)
            {
                return PageFault(linear, access, user, ErrorPresent | ErrorReserved, out physical, out writable);
            }

            rights &= entry | 1;
            noExecute |= nxEnabled && (long)entry < 0;
            if (level == 0 || large)
            {
                if (!Allowed(rights, noExecute, access, user, smap))
                {
                    return PageFault(linear, access, user, ErrorPresent, out physical, out writable);
                }

                ulong updated = entry | 0x20 | (access == Access.Write ? 0x40UL : 0);
                if (updated != entry && commit)
                {
                    WriteEntry64(address, updated);
                }

                ulong offsetMask = (1UL << shift) - 1;
                physical = ((entry & 0x000F_FFFF_FFFF_F000 & ~offsetMask) | (linear & offsetMask)) & _a20Mask;
                writable = (updated & 0x40) != 0 && WriteAllowed(rights, user);
                _global = (entry & 0x100) != 0 && (_s->Cr4 & ControlBits.Cr4Pge) != 0;
                return true;
            }

            if ((entry & 0x20) == 0 && commit)
            {
                WriteEntry64(address, entry | 0x20);
            }

            table = entry & 0x000F_FFFF_FFFF_F000;
            level--;
        }
    }

    // 32-bit paging (SDM Vol. 3A §4.3), 4 MiB pages with PSE-36.
    private bool WalkLegacy(ulong linear, Access access, bool user, bool smap, out ulong physical, out bool writable, bool commit)
    {
        linear &= 0xFFFF_FFFF;
        ulong directory = ((_s->Cr3 & 0xFFFF_F000) + ((linear >> 22) << 2)) & _a20Mask;
        uint pde = ReadEntry32(directory);
        if ((pde & 1) == 0)
        {
            return PageFault(linear, access, user, 0, out physical, out writable);
        }

        ulong rights = 7UL & (pde | 1);
        if ((pde & 0x80) != 0 && (_s->Cr4 & ControlBits.Cr4Pse) != 0)
        {
            if ((pde & 0x0020_0000) != 0)
            {
                return PageFault(linear, access, user, ErrorPresent | ErrorReserved, out physical, out writable);
            }

            if (!Allowed(rights, false, access, user, smap))
            {
                return PageFault(linear, access, user, ErrorPresent, out physical, out writable);
            }

            uint updatedPde = pde | 0x20 | (access == Access.Write ? 0x40u : 0);
            if (updatedPde != pde && commit)
            {
                WriteEntry32(directory, updatedPde);
            }

            physical = ((pde & 0xFFC0_0000) | ((ulong)(pde & 0x001F_E000) << 19) | (linear & 0x3F_FFFF)) & _a20Mask;
            writable = (updatedPde & 0x40) != 0 && WriteAllowed(rights, user);
            _global = (pde & 0x100) != 0 && (_s->Cr4 & ControlBits.Cr4Pge) != 0;
            return true;
        }

        ulong address = ((pde & 0xFFFF_F000) + (((linear >> 12) & 0x3FF) << 2)) & _a20Mask;
        uint pte = ReadEntry32(address);
        if ((pte & 1) == 0)
        {
            if ((pde & 0x20) == 0 && commit)
            {
                WriteEntry32(directory, pde | 0x20);
            }

            return PageFault(linear, access, user, 0, out physical, out writable);
        }

        rights &= pte | 1;
        if (!Allowed(rights, false, access, user, smap))
        {
            return PageFault(linear, access, user, ErrorPresent, out physical, out writable);
        }

        if ((pde & 0x20) == 0 && commit)
        {
            WriteEntry32(directory, pde | 0x20);
        }

        uint updated = pte | 0x20 | (access == Access.Write ? 0x40u : 0);
        if (updated != pte && commit)
        {
            WriteEntry32(address, updated);
        }

        physical = ((pte & 0xFFFF_F000) | (linear & 0xFFF)) & _a20Mask;
        writable = (updated & 0x40) != 0 && WriteAllowed(rights, user);
        _global = (pte & 0x100) != 0 && (_s->Cr4 & ControlBits.Cr4Pge) != 0;
        return true;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private bool WriteAllowed(ulong rights, bool user) => (rights & 2) != 0 || (!user && (_s->Cr0 & ControlBits.Cr0WriteProtect) == 0);

    // Access rights (SDM Vol. 3A §4.6): bit 1 writable, bit 2 user.
    private bool Allowed(ulong rights, bool noExecute, Access access, bool user, bool smap)
    {
        bool userPage = (rights & 4) != 0;
        if (user && !userPage)
        {
            return false;
        }

        if (access == Access.Execute)
        {
            return !noExecute && (user || !userPage || (_s->Cr4 & ControlBits.Cr4Smep) == 0);
        }

        if (!user && userPage && smap)
        {
            return false;
        }

        return access == Access.Read || WriteAllowed(rights, user);
    }

    private bool PageFault(ulong linear, Access access, bool user, uint error, out ulong physical, out bool writable)
    {
        physical = 0;
        writable = false;
        error |= access == Access.Write ? ErrorWrite : 0;
        error |= user ? ErrorUser : 0;
        bool nxEnabled = (_s->Efer & ControlBits.EferNoExecute) != 0 && (_s->Cr4 & ControlBits.Cr4Pae) != 0;
        if (access == Access.Execute && (nxEnabled || (_s->Cr4 & ControlBits.Cr4Smep) != 0))
        {
            error |= ErrorFetch;
        }

        return CpuState.Of(_s).SetPageFault(linear, error);
    }

    private ulong ReadEntry64(ulong address) => (_memory.KindOf(address) & (PageKinds.Ram | PageKinds.Rom)) != 0 ? *(ulong*)(_memory.Base + address) : 0;

    private uint ReadEntry32(ulong address) => (_memory.KindOf(address) & (PageKinds.Ram | PageKinds.Rom)) != 0 ? *(uint*)(_memory.Base + address) : 0;

    private void WriteEntry64(ulong address, ulong value)
    {
        PageKinds kind = _memory.KindOf(address);
        if ((kind & PageKinds.Ram) != 0)
        {
            *(ulong*)(_memory.Base + address) = value;
            if ((kind & PageKinds.Watched) != 0)
            {
                _memory.NoteStore(address, 8);
            }
        }
    }

    private void WriteEntry32(ulong address, uint value)
    {
        PageKinds kind = _memory.KindOf(address);
        if ((kind & PageKinds.Ram) != 0)
        {
            *(uint*)(_memory.Base + address) = value;
            if ((kind & PageKinds.Watched) != 0)
            {
                _memory.NoteStore(address, 4);
            }
        }
    }
}
