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

    /// <summary>Pages that code was fetched from, kept for each context at most.</summary>
    private const int MaxFetches = 1 << 16;

    private readonly TlbEntry* _data = (TlbEntry*)NativeMemory.AlignedAlloc((nuint)(Views * Mem.TlbSize * sizeof(TlbEntry)), 64);
    private readonly ushort[] _filled = new ushort[Views * Mem.TlbSize];
    private readonly ushort[] _filledExec = new ushort[Mmu.ExecSize];
    private readonly Dictionary<ulong, ulong> _fetches = [];
    private readonly JumpTable?[] _jumps = new JumpTable?[TranslationKey.Count];
    private int _filledCount;
    private int _filledExecCount;

    public TlbContext()
    {
        for (int i = 0; i < Views * Mem.TlbSize; i++)
        {
            Clear(i);
        }

        for (int i = 0; i < Mmu.ExecSize; i++)
        {
            Exec[i].Tag = ulong.MaxValue;
            Exec[i].Page = null;
        }
    }

    public ulong Pcid { get; set; } = ulong.MaxValue;

    public long LastUse { get; set; }

    public ExecTlbEntry* Exec { get; private set; } = (ExecTlbEntry*)NativeMemory.AlignedAlloc((nuint)(Mmu.ExecSize * sizeof(ExecTlbEntry)), 64);

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
        int index = (int)((linear >> 12) & (Mmu.ExecSize - 1));
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
