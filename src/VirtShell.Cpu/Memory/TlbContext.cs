using System;
using System.Collections.Generic;
using System.Runtime.InteropServices;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Translation;

namespace VirtShell.Cpu.Memory;

/// <summary>The TLBs of one PCID. Lists of filled entries make a flush cost what was filled, not what could be.</summary>
internal sealed unsafe class TlbContext : IDisposable
{
    /// <summary>Privilege views of the data TLB: <see cref="Mmu.UserView"/> and its siblings.</summary>
    private const int Views = 3;

    /// <summary>Bytes of a view: its entries, and a page that unused ones lead to.</summary>
    private static readonly ulong s_viewBytes = ((ulong)Mem.TlbSize * (ulong)sizeof(TlbEntry)) + 4096;

    /// <summary>Pages that code was fetched from, kept for each context at most.</summary>
    private const int MaxFetches = 1 << 16;

    /// <summary>In <see cref="TlbEntry.Physical"/>: the page may be written.</summary>
    private const ulong Writable = 1;

    /// <summary>In <see cref="TlbEntry.Physical"/>, and in the pages that code was fetched from: the mapping is global.</summary>
    private const ulong Global = 2;

    // Bit 63, not bit 62, and chance down to bit 24.
    internal static readonly ulong UnusedBase = (1UL << 63) | ((ulong)Random.Shared.NextInt64() & 0x3FFF_FFFF_FF00_0000);

    private readonly nint[] _views = new nint[Views];
    private readonly ushort[] _filled = new ushort[Views * Mem.TlbSize];
    private readonly ushort[] _filledExec = new ushort[Mmu.ExecSize];
    private readonly Dictionary<ulong, ulong> _fetches = [];
    private readonly Dictionary<ulong, ulong> _globalFetches = [];
    private readonly JumpTable?[] _jumps = new JumpTable?[TranslationKey.Count];

    /// <summary>Those of <see cref="_jumps"/> that there are.</summary>
    private readonly List<JumpTable> _tables = [];
    private int _filledCount;
    private int _filledExecCount;

    private readonly CpuState* _state;
    private readonly JumpTableMemory _jumpMemory;

    public TlbContext(CpuState* state, JumpTableMemory jumpMemory)
    {
        _state = state;
        _jumpMemory = jumpMemory;
        for (int i = 0; i < Mmu.ExecSize; i++)
        {
            Exec[i].Tag = ulong.MaxValue;
            Exec[i].Page = null;
        }
    }

    public ulong Pcid { get; set; } = ulong.MaxValue;

    public long LastUse { get; set; }

    public ExecTlbEntry* Exec { get; private set; } = (ExecTlbEntry*)NativeMemory.AlignedAlloc((nuint)(Mmu.ExecSize * sizeof(ExecTlbEntry)), 64);

    /// <summary>The data TLB of a privilege view; taken from the host when it is first asked for.</summary>
    public TlbEntry* View(int view) => _views[view] != 0 ? (TlbEntry*)_views[view] : Create(view);

    public void Fill(int view, ulong linear, ulong physicalPage, byte* memoryBase, bool writable, bool global, PageKinds kind)
    {
        ulong page = linear & ~0xFFFUL;
        int index = (view * Mem.TlbSize) + (int)((linear >> 12) & Mem.TlbMask);
        TlbEntry* e = Entry(index);
        if ((long)e->Physical < 0)
        {
            _filled[_filledCount++] = (ushort)index;
        }
        else
        {
            DropCopies(e);
        }

        e->TagRead = page;
        e->TagWrite = writable && kind == PageKinds.Ram ? page : Unused(index);
        e->Page = (ulong)memoryBase + physicalPage;
        e->Physical = physicalPage | (writable && (kind & PageKinds.Ram) != 0 ? Writable : 0) | (global ? Global : 0);
    }

    public void AddExec(ulong linear, ulong tag, CodePage* page)
    {
        int index = (int)((linear >> 12) & (Mmu.ExecSize - 1));
        if (Exec[index].Tag == ulong.MaxValue)
        {
            _filledExec[_filledExecCount++] = (ushort)index;
        }

        Exec[index].Tag = tag;
        Exec[index].Page = page;
    }

    /// <summary>Drops every translation, or all but the global ones (SDM Vol. 3A §4.10.2.4).</summary>
    public void Flush(bool keepGlobal = false)
    {
        int kept = 0;
        for (int i = 0; i < _filledCount; i++)
        {
            ushort index = _filled[i];
            if (keepGlobal && (Entry(index)->Physical & Global) != 0)
            {
                _filled[kept++] = index;
            }
            else
            {
                DropCopies(Entry(index));
                Clear(index);
            }
        }

        _filledCount = kept;
        _fetches.Clear();
        if (!keepGlobal)
        {
            _globalFetches.Clear();
        }

        FlushExec(keepGlobal);
    }

    /// <summary>The page that code at a linear page (bit 0: as user) was fetched from, where it has been since the last flush.</summary>
    public bool TryGetFetch(ulong key, out ulong page, out bool global)
    {
        global = _globalFetches.TryGetValue(key, out page);
        return global || _fetches.TryGetValue(key, out page);
    }

    public void AddFetch(ulong key, ulong page, bool global)
    {
        if (_fetches.Count + _globalFetches.Count >= MaxFetches)
        {
            _fetches.Clear();
            _globalFetches.Clear();
            FlushExec();
        }

        (global ? _globalFetches : _fetches)[key] = page;
    }

    /// <summary>The table of translated branch targets for a translation key, where there is one.</summary>
    public JumpTable? Jumps(int key) => _jumps[key];

    public JumpTable AddJumps(int key)
    {
        JumpTable table = new(_jumpMemory);
        _jumps[key] = table;
        _tables.Add(table);
        return table;
    }

    public void DropJumps(int key)
    {
        JumpTable? table = _jumps[key];
        if (table != null)
        {
            _ = _tables.Remove(table);
            _jumps[key] = null;
            table.Dispose();
        }
    }

    public void FlushExec(bool keepGlobal = false)
    {
        for (int i = 0; i < _filledExecCount; i++)
        {
            Exec[_filledExec[i]].Tag = ulong.MaxValue;
        }

        _filledExecCount = 0;
        foreach (JumpTable table in _tables)
        {
            table.Flush(keepGlobal);
        }
    }

    public void FlushPage(ulong linear)
    {
        int slot = (int)((linear >> 12) & Mem.TlbMask);
        for (int view = 0; view < Views; view++)
        {
            // The slot stays in the filled list: emptied for matching only.
            TlbEntry* e = (TlbEntry*)_views[view] + slot;
            if (_views[view] != 0)
            {
                DropCopies(e);
                e->TagRead = Unused(slot);
                e->TagWrite = Unused(slot);
            }
        }

        // Most pages that are flushed hold data: targets of branches are known only in pages that code was fetched from.
        ulong page = linear & ~0xFFFUL;
        if (!(RemoveFetch(_fetches, page) | RemoveFetch(_globalFetches, page)))
        {
            return;
        }

        foreach (JumpTable table in _tables)
        {
            table.FlushPage(linear);
        }

        // An unused tag, but still listed as filled: no address has this mode pattern.
        ExecTlbEntry* x = Exec + ((linear >> 12) & (Mmu.ExecSize - 1));
        if (x->Tag != ulong.MaxValue)
        {
            x->Tag = ulong.MaxValue - 1;
        }
    }

    public void ProtectPhysical(ulong physicalPage)
    {
        for (int i = 0; i < _filledCount; i++)
        {
            TlbEntry* e = Entry(_filled[i]);
            if ((e->Physical & ~0xFFFUL) == physicalPage)
            {
                DropCopies(e);
                e->TagWrite = Unused(_filled[i]);
            }
        }
    }

    /// <summary>Takes write permission out of every entry.</summary>
    public void ProtectAll()
    {
        for (int i = 0; i < _filledCount; i++)
        {
            TlbEntry* e = Entry(_filled[i]);
            DropCopies(e);
            e->TagWrite = Unused(_filled[i]);
        }
    }

    /// <summary>Host memory that its entries take, in bytes; jump tables are counted with their memory. From any thread.</summary>
    public ulong HostBytes()
    {
        ulong bytes = (ulong)(Mmu.ExecSize * sizeof(ExecTlbEntry)) + ((ulong)(_filled.Length + _filledExec.Length) * sizeof(ushort));
        foreach (nint view in _views)
        {
            bytes += view != 0 ? s_viewBytes : 0;
        }

        return bytes;
    }

    public void Dispose()
    {
        foreach (nint view in _views)
        {
            if (view != 0)
            {
                HostMemory.Release((byte*)view, s_viewBytes);
            }
        }

        NativeMemory.AlignedFree(Exec);
        foreach (JumpTable table in _tables)
        {
            table.Dispose();
        }
    }

    private static bool RemoveFetch(Dictionary<ulong, ulong> fetches, ulong page) =>
        fetches.Count != 0 && (fetches.Remove(page) | fetches.Remove(page | 1));

    // Non-canonical, and of another slot's index, so that no address at all can match it here. Emitted code looks into entries of
    // other indexes too; the address that it would take there is one that no guest knows (2⁻³⁸ for each that it tries).
    private static ulong Unused(int index) => UnusedBase | ((ulong)((index ^ 1) & (int)Mem.TlbMask) << 12);

    private TlbEntry* Entry(int index) => (TlbEntry*)_views[index >> Mem.TlbBits] + (index & (int)Mem.TlbMask);

    private TlbEntry* Create(int view)
    {
        _views[view] = (nint)HostMemory.Reserve(s_viewBytes);
        HostMemory.Populate((byte*)_views[view], s_viewBytes);
        for (int i = 0; i < Mem.TlbSize; i++)
        {
            Clear((view << Mem.TlbBits) + i);
        }

        return (TlbEntry*)_views[view];
    }

    private void DropCopies(TlbEntry* e)
    {
        if ((e->Physical & TlbSites.Copied) != 0)
        {
            TlbSites.Drop(_state);
        }
    }

    private void Clear(int index)
    {
        TlbEntry* e = Entry(index);
        e->TagRead = Unused(index);
        e->TagWrite = Unused(index);
        e->Page = (ulong)_views[index >> Mem.TlbBits] + (ulong)(Mem.TlbSize * sizeof(TlbEntry));
        e->Physical = ulong.MaxValue;
    }
}
