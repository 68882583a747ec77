using System;
using System.Collections.Generic;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Translation;

namespace VirtShell.Cpu.Memory;

/// <summary>
/// Linear to physical: page walks, the soft TLBs and every access that they do not serve. A TLB set is kept for each of a
/// few PCIDs, so that a switch between them flushes nothing.
/// </summary>
public sealed unsafe class Mmu : IDisposable
{
    /// <summary>Privilege views of the data TLB.</summary>
    internal const int UserView = 0;

    /// <summary>Supervisor, SMAP in force where CR4.SMAP is set (EFLAGS.AC clear).</summary>
    internal const int SupervisorView = 1;

    /// <summary>Supervisor with SMAP suspended by EFLAGS.AC.</summary>
    internal const int SupervisorAcView = 2;
    private const int Views = 3;
    internal const int ExecSize = 512;
    private const int Contexts = 8;

    /// <summary>Pages that code was fetched from, kept for each context at most.</summary>
    private const int MaxFetches = 1 << 16;

    // Page fault error code (SDM Vol. 3A §4.7).
    private const uint ErrorPresent = 1;
    private const uint ErrorWrite = 2;
    private const uint ErrorUser = 4;
    private const uint ErrorReserved = 8;
    private const uint ErrorFetch = 16;

    private readonly PhysicalMemory _memory;
    private readonly ICpuBus _bus;
    private readonly CpuState* _s;
    private readonly Context[] _contexts = new Context[Contexts];
    private readonly Context _slow;
    private Context _current;
    private long _useCounter;
    private ulong _a20Mask = ulong.MaxValue;

    internal Mmu(CpuState* state, PhysicalMemory memory, ICpuBus bus)
    {
        _s = state;
        _memory = memory;
        _bus = bus;
        for (int i = 0; i < Contexts; i++)
        {
            _contexts[i] = new Context();
        }

        _slow = new Context();
        _current = _contexts[0];
    }

    internal enum Access
    {
        Read,
        Write,
        Execute,
    }

    /// <summary>Data TLB misses so far, for statistics.</summary>
    public long Misses { get; private set; }

    /// <summary>Non-zero while every data access must take the slow path (alignment checks, data breakpoints).</summary>
    internal bool ForceSlow { get; set; }

    internal CodeCache Code { get; set; } = null!;

    internal ulong A20Mask => _a20Mask;

    public void Dispose()
    {
        foreach (Context context in _contexts)
        {
            context.Dispose();
        }

        _slow.Dispose();
    }

    internal void SetA20(bool enabled)
    {
        _a20Mask = enabled ? ulong.MaxValue : ~(1UL << 20);
        FlushAll();
    }

    /// <summary>Points the state at the TLBs of the current context and privilege; call after any change of CPL, AC, SMAP or <see cref="ForceSlow"/>.</summary>
    internal void SelectView()
    {
        int view = _s->Cpl == 3 ? UserView
            : (_s->FlagsRest & Flags.AlignmentCheck) != 0 && (_s->Cr4 & ControlBits.Cr4Smap) != 0 ? SupervisorAcView
            : SupervisorView;
        _s->Tlb = ForceSlow ? _slow.View(0) : _current.View(view);
        _s->SystemTlb = ForceSlow ? _slow.View(0) : _current.View(SupervisorView);
        _s->ExecTlb = _current.Exec;
    }

    internal void FlushAll()
    {
        foreach (Context context in _contexts)
        {
            context.Flush();
        }

        _slow.Flush();
    }

    /// <summary>Flushes what belongs to one PCID (global pages go too, which is always allowed).</summary>
    internal void FlushPcid(ulong pcid)
    {
        foreach (Context context in _contexts)
        {
            if (context.Pcid == pcid)
            {
                context.Flush();
            }
        }
    }

    /// <summary>Makes the TLB set of <paramref name="pcid"/> (0 when CR4.PCIDE is clear) current.</summary>
    internal void SwitchPcid(ulong pcid, bool flush)
    {
        Context? found = null;
        Context oldest = _contexts[0];
        foreach (Context context in _contexts)
        {
            if (context.Pcid == pcid)
            {
                found = context;
                break;
            }

            if (context.LastUse < oldest.LastUse)
            {
                oldest = context;
            }
        }

        if (found == null)
        {
            found = oldest;
            found.Flush();
            found.Pcid = pcid;
        }
        else if (flush)
        {
            found.Flush();
        }

        found.LastUse = ++_useCounter;
        _current = found;
        SelectView();
    }

    internal void FlushPage(ulong linear)
    {
        foreach (Context context in _contexts)
        {
            context.FlushPage(linear);
        }
    }

    /// <summary>Takes write permission for a physical page out of every TLB, so that stores to it reach the slow path.</summary>
    internal void ProtectPhysicalPage(ulong physicalPage)
    {
        foreach (Context context in _contexts)
        {
            context.ProtectPhysical(physicalPage);
        }
    }

    /// <summary>Drops everything that names decoded code.</summary>
    internal void FlushExec()
    {
        foreach (Context context in _contexts)
        {
            context.FlushExec();
        }
    }

    /// <summary>Translated branch targets of the current address space.</summary>
    internal JumpTable Jumps(int key) => _current.Jumps(key);

    internal void AddExec(ulong linear, CodePage* page) => _current.AddExec(linear, (linear & ~0xFFFUL) | _s->ExecKey, page);

    /// <summary>Translates for an instruction fetch. False: the fault stands in the vCPU.</summary>
    /// <remarks>
    /// A page is walked once until its mapping is flushed, whatever engine asks how often: accessed bits are set at the same
    /// instructions by both.
    /// </remarks>
    internal bool TryTranslateFetch(ulong linear, out ulong physical)
    {
        bool user = _s->Cpl == 3;
        ulong key = (linear & ~0xFFFUL) | (user ? 1UL : 0);
        if (_current.TryGetFetch(key, out ulong page))
        {
            physical = page | (linear & 0xFFF);
            return true;
        }

        if (!Walk(linear, Access.Execute, user, smap: false, out physical, out _, commit: true))
        {
            return false;
        }

        _current.AddFetch(key, physical & ~0xFFFUL);
        return true;
    }

    /// <summary>Translates without side effects or faults, for debuggers and crash reports.</summary>
    internal bool TryTranslateDebug(ulong linear, out ulong physical)
    {
        (int vector, uint error, bool has, ulong cr2) = CpuState.Of(_s).SaveFault();
        bool ok = Walk(linear, Access.Read, user: false, smap: false, out physical, out _, commit: false);
        CpuState.Of(_s).RestoreFault(vector, error, has, cr2);
        return ok;
    }

    internal void CheckWrite(ulong linear, int size)
    {
        CheckAlignment(linear, size);
        TranslateOrThrow(linear, Access.Write, system: false);
        if ((linear & 0xFFF) + (ulong)size > 4096)
        {
            TranslateOrThrow((linear + (ulong)size - 1) & _s->LinearMask, Access.Write, system: false);
        }
    }

    internal void CheckRead(ulong linear, int size)
    {
        CheckAlignment(linear, size);
        TranslateOrThrow(linear, Access.Read, system: false);
        if ((linear & 0xFFF) + (ulong)size > 4096)
        {
            TranslateOrThrow((linear + (ulong)size - 1) & _s->LinearMask, Access.Read, system: false);
        }
    }

    internal void ReadBytes(ulong linear, Span<byte> destination, bool system)
    {
        if (!system)
        {
            CheckAlignment(linear, destination.Length);
        }

        int inFirst = (int)Math.Min(4096 - (linear & 0xFFF), (ulong)destination.Length);
        ulong first = TranslateOrThrow(linear, Access.Read, system);
        if (inFirst < destination.Length)
        {
            ulong second = TranslateOrThrow((linear + (ulong)inFirst) & _s->LinearMask, Access.Read, system);
            ReadPhysical(second, destination[inFirst..]);
        }

        ReadPhysical(first, destination[..inFirst]);
        if (ForceSlow)
        {
            CpuState.Of(_s).NoteDataAccess(linear, destination.Length, write: false);
        }
    }

    internal void WriteBytes(ulong linear, ReadOnlySpan<byte> source, bool system)
    {
        if (!system)
        {
            CheckAlignment(linear, source.Length);
        }

        int inFirst = (int)Math.Min(4096 - (linear & 0xFFF), (ulong)source.Length);
        ulong first = TranslateOrThrow(linear, Access.Write, system);
        if (inFirst < source.Length)
        {
            ulong second = TranslateOrThrow((linear + (ulong)inFirst) & _s->LinearMask, Access.Write, system);
            WritePhysical(second, source[inFirst..]);
        }

        WritePhysical(first, source[..inFirst]);
        if (ForceSlow)
        {
            CpuState.Of(_s).NoteDataAccess(linear, source.Length, write: true);
        }
    }

    /// <summary>Physical address, with TLB fill and A/D update, or the guest's exception.</summary>
    internal ulong TranslateOrThrow(ulong linear, Access access, bool system)
    {
        int view = _s->Cpl == 3 && !system ? UserView : SupervisorView;
        bool smap = view == SupervisorView && (_s->Cr4 & ControlBits.Cr4Smap) != 0;
        if (smap && !system && (_s->FlagsRest & Flags.AlignmentCheck) != 0)
        {
            smap = false;
            view = SupervisorAcView;
        }

        if (!TryTranslate(linear, access, view, smap, out ulong physical))
        {
            CpuState.Of(_s).ThrowPendingFault();
        }

        return physical;
    }

    /// <summary>Fills the TLB for an access of emitted code. False: the access cannot be made by it, and <paramref name="fault"/> tells whether it faults (the fault stands in the vCPU).</summary>
    internal bool TryFill(ulong linear, bool write, out bool fault)
    {
        int view = _s->Cpl == 3 ? UserView : SupervisorView;
        bool smap = view == SupervisorView && (_s->Cr4 & ControlBits.Cr4Smap) != 0;
        if (smap && (_s->FlagsRest & Flags.AlignmentCheck) != 0)
        {
            smap = false;
            view = SupervisorAcView;
        }

        fault = !TryTranslate(linear, write ? Access.Write : Access.Read, view, smap, out _);
        TlbEntry* e = _current.View(view) + ((linear >> 12) & Mem.TlbMask);
        return !fault && (write ? e->TagWrite : e->TagRead) == (linear & ~0xFFFUL);
    }

    private bool TryTranslate(ulong linear, Access access, int view, bool smap, out ulong physical)
    {
        // What the TLB knows needs no walk: a store to a page with code, an access that crosses pages.
        TlbEntry* e = _current.View(view) + ((linear >> 12) & Mem.TlbMask);
        if (!ForceSlow && e->TagRead == (linear & ~0xFFFUL) && (access == Access.Read || (e->Physical & 1) != 0))
        {
            physical = (e->Physical & ~0xFFFUL) | (linear & 0xFFF);
            if (access == Access.Write && _memory.KindOf(physical) == PageKinds.Ram)
            {
                // The code that once stood here is gone.
                e->TagWrite = e->TagRead;
            }

            return true;
        }

        if (!Walk(linear, access, view == UserView, smap, out physical, out bool writable, commit: true))
        {
            return false;
        }

        Misses++;
        if (!ForceSlow)
        {
            PageKinds kind = _memory.KindOf(physical);
            if ((kind & (PageKinds.Ram | PageKinds.Rom)) != 0)
            {
                _current.Fill(view, linear, physical & ~0xFFFUL, _memory.Base, writable, kind);
            }
        }

        return true;
    }

    internal void ReadPhysical(ulong physical, Span<byte> destination)
    {
        if ((_memory.KindOf(physical) & (PageKinds.Ram | PageKinds.Rom)) != 0)
        {
            new ReadOnlySpan<byte>(_memory.Base + physical, destination.Length).CopyTo(destination);
            return;
        }

        while (destination.Length > 0)
        {
            int size = MmioSize(physical, destination.Length);
            ulong value = _bus.ReadMmio(physical, size);
            new ReadOnlySpan<byte>(&value, size).CopyTo(destination);
            destination = destination[size..];
            physical += (ulong)size;
        }
    }

    internal void WritePhysical(ulong physical, ReadOnlySpan<byte> source)
    {
        PageKinds kind = _memory.KindOf(physical);
        if ((kind & PageKinds.Ram) != 0)
        {
            source.CopyTo(new Span<byte>(_memory.Base + physical, source.Length));
            if ((kind & PageKinds.Code) != 0)
            {
                Code.OnStore(physical, (ulong)source.Length);
            }

            return;
        }

        while (source.Length > 0)
        {
            int size = MmioSize(physical, source.Length);
            ulong value = 0;
            source[..size].CopyTo(new Span<byte>(&value, size));
            _bus.WriteMmio(physical, size, value);
            source = source[size..];
            physical += (ulong)size;
        }
    }

    /// <summary>The largest power of two up to 8 that fits; devices see an access as the guest made it where it is aligned.</summary>
    private static int MmioSize(ulong physical, int length)
    {
        _ = physical;
        return length >= 8 ? 8 : length >= 4 ? 4 : length >= 2 ? 2 : 1;
    }

    private void CheckAlignment(ulong linear, int size)
    {
        if (ForceSlow && size is 2 or 4 or 8 or 10 or 16 && _s->Cpl == 3
            && (_s->FlagsRest & Flags.AlignmentCheck) != 0 && (_s->Cr0 & ControlBits.Cr0AlignmentMask) != 0
            && (linear & (ulong)((size == 10 ? 8 : size) - 1)) != 0)
        {
            CpuState.Of(_s).ThrowFault(Vector.AlignmentCheck, 0, true);
        }
    }

    private bool Walk(ulong linear, Access access, bool user, bool smap, out ulong physical, out bool writable, bool commit)
    {
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
            if (level == 3)
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
            if ((kind & PageKinds.Code) != 0)
            {
                Code.OnStore(address, 8);
            }
        }
    }

    private void WriteEntry32(ulong address, uint value)
    {
        PageKinds kind = _memory.KindOf(address);
        if ((kind & PageKinds.Ram) != 0)
        {
            *(uint*)(_memory.Base + address) = value;
            if ((kind & PageKinds.Code) != 0)
            {
                Code.OnStore(address, 4);
            }
        }
    }

    /// <summary>The TLBs of one PCID. Lists of filled entries make a flush cost what was filled, not what could be.</summary>
    private sealed class Context : IDisposable
    {
        private readonly TlbEntry* _data = (TlbEntry*)NativeMemory.AlignedAlloc((nuint)(Views * Mem.TlbSize * sizeof(TlbEntry)), 64);
        private readonly ushort[] _filled = new ushort[Views * Mem.TlbSize];
        private readonly ushort[] _filledExec = new ushort[ExecSize];
        private readonly Dictionary<ulong, ulong> _fetches = [];
        private readonly JumpTable?[] _jumps = new JumpTable?[TranslationKey.Count];
        private int _filledCount;
        private int _filledExecCount;

        public Context()
        {
            for (int i = 0; i < Views * Mem.TlbSize; i++)
            {
                Clear(i);
            }

            for (int i = 0; i < ExecSize; i++)
            {
                Exec[i].Tag = ulong.MaxValue;
                Exec[i].Page = null;
            }
        }

        public ulong Pcid { get; set; } = ulong.MaxValue;

        public long LastUse { get; set; }

        public ExecTlbEntry* Exec { get; private set; } = (ExecTlbEntry*)NativeMemory.AlignedAlloc((nuint)(ExecSize * sizeof(ExecTlbEntry)), 64);

        public TlbEntry* View(int view) => _data + (view * Mem.TlbSize);

        public void Fill(int view, ulong linear, ulong physicalPage, byte* memoryBase, bool writable, PageKinds kind)
        {
            ulong page = linear & ~0xFFFUL;
            int index = (view * Mem.TlbSize) + (int)((linear >> 12) & Mem.TlbMask);
            TlbEntry* e = _data + index;
            if ((long)e->Physical < 0)
            {
                _filled[_filledCount++] = (ushort)index;
            }

            e->TagRead = page;
            e->TagWrite = writable && kind == PageKinds.Ram ? page : Unused(index);
            e->Page = (ulong)memoryBase + physicalPage;
            e->Physical = physicalPage | (writable && (kind & PageKinds.Ram) != 0 ? 1UL : 0);
        }

        public void AddExec(ulong linear, ulong tag, CodePage* page)
        {
            int index = (int)((linear >> 12) & (ExecSize - 1));
            if (Exec[index].Tag == ulong.MaxValue)
            {
                _filledExec[_filledExecCount++] = (ushort)index;
            }

            Exec[index].Tag = tag;
            Exec[index].Page = page;
        }

        public void Flush()
        {
            for (int i = 0; i < _filledCount; i++)
            {
                Clear(_filled[i]);
            }

            _filledCount = 0;
            _fetches.Clear();
            FlushExec();
        }

        public bool TryGetFetch(ulong key, out ulong page) => _fetches.TryGetValue(key, out page);

        public void AddFetch(ulong key, ulong page)
        {
            if (_fetches.Count >= MaxFetches)
            {
                _fetches.Clear();
                FlushExec();
            }

            _fetches[key] = page;
        }

        /// <summary>The table of translated branch targets for a translation key, made at its first use.</summary>
        public JumpTable Jumps(int key) => _jumps[key] ??= new JumpTable();

        public void FlushExec()
        {
            for (int i = 0; i < _filledExecCount; i++)
            {
                Exec[_filledExec[i]].Tag = ulong.MaxValue;
            }

            _filledExecCount = 0;
            foreach (JumpTable? table in _jumps)
            {
                table?.Flush();
            }
        }

        public void FlushPage(ulong linear)
        {
            int slot = (int)((linear >> 12) & Mem.TlbMask);
            for (int view = 0; view < Views; view++)
            {
                // The slot stays in the filled list: emptied for matching only.
                TlbEntry* e = _data + (view * Mem.TlbSize) + slot;
                e->TagRead = Unused(slot);
                e->TagWrite = Unused(slot);
            }

            _fetches.Remove(linear & ~0xFFFUL);
            _fetches.Remove((linear & ~0xFFFUL) | 1);
            foreach (JumpTable? table in _jumps)
            {
                table?.FlushPage(linear);
            }

            // An unused tag, but still listed as filled: no address has this mode pattern.
            ExecTlbEntry* x = Exec + ((linear >> 12) & (ExecSize - 1));
            if (x->Tag != ulong.MaxValue)
            {
                x->Tag = ulong.MaxValue - 1;
            }
        }

        public void ProtectPhysical(ulong physicalPage)
        {
            for (int i = 0; i < _filledCount; i++)
            {
                TlbEntry* e = _data + _filled[i];
                if ((e->Physical & ~0xFFFUL) == physicalPage)
                {
                    e->TagWrite = Unused(_filled[i]);
                }
            }
        }

        public void Dispose()
        {
            NativeMemory.AlignedFree(_data);
            NativeMemory.AlignedFree(Exec);
            foreach (JumpTable? table in _jumps)
            {
                table?.Dispose();
            }
        }

        // Non-canonical, and of another slot's index, so that no address at all can match it here.
        private static ulong Unused(int index) => (1UL << 63) | ((ulong)((index ^ 1) & (int)Mem.TlbMask) << 12);

        private void Clear(int index)
        {
            TlbEntry* e = _data + index;
            e->TagRead = Unused(index);
            e->TagWrite = Unused(index);
            e->Page = 0;
            e->Physical = ulong.MaxValue;
        }
    }
}
