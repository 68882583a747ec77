using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.InteropServices;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Memory;
using VirtShell.Cpu.Translation;
using VirtShell.State;

namespace VirtShell.Cpu.Execution;

/// <summary>
/// Decoded blocks by physical page and mode. Blocks do not depend on where the page is mapped, so processes that share
/// a page share its blocks. Bounded: when the arena is full everything is dropped and decoded again as needed.
/// </summary>
[NotState("Decoded anew as code runs.")]
internal sealed unsafe class CodeCache : IMemorySubscriber, IDisposable
{
    /// <summary>Operations that the arena holds: 384 Ki × 64 bytes = 24 MiB, taken lazily.</summary>
    private const uint ArenaOps = 384 * 1024;
    private const int EntryBytes = 4096 * sizeof(uint);

    /// <summary>Entry tables kept at most (16 KiB each, 128 MiB in all): a guest that runs one instruction in every page must not cost the host more.</summary>
    private const int MaxTables = 8192;

    /// <summary>One more than the bound may be asked for before the next block is begun.</summary>
    private const ulong EntryTableBytes = (MaxTables + 1UL) * EntryBytes;

    /// <summary>Room that a block may need at most, pseudo-operations included.</summary>
    private const uint BlockRoom = BlockBuilder.MaxInstructions + 4;

    private readonly CpuState* _s;
    private readonly PhysicalMemory _memory;
    private readonly Mmu _mmu;
    private readonly Dictionary<ulong, PhysicalCodePage> _pages = [];
    private readonly Op* _arena;
    private readonly GrowingMemory _arenaMemory = new(ArenaOps * (ulong)sizeof(Op), largePages: true);
    private readonly byte* _entryTables = HostMemory.Reserve(EntryTableBytes);
    private uint _next = 1;
    private int _tables;

    public CodeCache(CpuState* state, PhysicalMemory memory, Mmu mmu)
    {
        _s = state;
        _memory = memory;
        _mmu = mmu;
        _arena = (Op*)_arenaMemory.Start;
        state->Arena = _arena;
    }

    /// <summary>Translated blocks of the same pages, where there are any.</summary>
    public TranslationCache? Translations { get; set; }

    public long BlocksBuilt { get; private set; }

    public long BlocksInvalidated { get; private set; }

    public long Flushes { get; private set; }

    /// <summary>Gives room for one block at the end of the arena, dropping everything first where there is none.</summary>
    public Op* BeginBlock()
    {
        if (_next + BlockRoom > ArenaOps || _tables >= MaxTables)
        {
            Flush();
        }

        _arenaMemory.Take(_arena + _next + BlockRoom);
        return _arena + _next;
    }

    /// <summary>The code page for a physical page, made where there is none.</summary>
    public CodePage* GetPage(ulong physicalPage, CodeMode mode)
    {
        if (!_pages.TryGetValue(physicalPage, out PhysicalCodePage? page))
        {
            page = new PhysicalCodePage();
            _pages.Add(physicalPage, page);
        }

        CodePage* found = page.Mode(mode);
        if (found == null)
        {
            if (_tables > MaxTables)
            {
                throw new InvalidOperationException("More pages of code have been asked for than may be before the next block is begun.");
            }

            found = (CodePage*)NativeMemory.Alloc((nuint)sizeof(CodePage));
            found->Entries = (uint*)(_entryTables + ((nint)_tables++ * EntryBytes));
            HostMemory.Populate((byte*)found->Entries, EntryBytes);
            page.Modes[(int)mode] = (nint)found;
        }

        return found;
    }

    /// <summary>
    /// Enters a block of <paramref name="opCount"/> operations written at <see cref="BeginBlock"/>'s place. Its bytes run from
    /// <paramref name="start"/> to <paramref name="end"/> (exclusive); those above 4096 stand in <paramref name="secondPage"/>.
    /// </summary>
    public void EndBlock(ulong physicalPage, CodePage* page, int start, int end, int opCount, ulong secondPage)
    {
        uint first = _next;
        _next += (uint)opCount;
        BlocksBuilt++;
        page->Entries[start] = first;
        Cover(physicalPage, new BlockRecord(start, Math.Min(end, 4096), first, opCount, (nint)page, start));
        if (end > 4096)
        {
            Cover(secondPage, new BlockRecord(0, end - 4096, first, opCount, (nint)page, start));
        }
    }

    /// <summary>Drops every block of pages that are something else now, and all that leads there; the run looks around after the instruction.</summary>
    public void MappingChanged(ulong physical, ulong length)
    {
        foreach (ulong page in PagesWithin(physical, length))
        {
            StoreInPage(page, 0, 4096);
        }

        _mmu.FlushAll();
        _s->StopBelow |= CpuState.CodeChanged;
    }

    public void StoresWatched(ulong physicalPage) => _mmu.ProtectPhysicalPage(physicalPage);

    public void AllStoresWatched()
    {
        _mmu.ProtectAllPages();
        _s->StopBelow |= CpuState.CodeChanged;
    }

    public bool HoldsCode(ulong physicalPage) =>
        (_pages.TryGetValue(physicalPage, out PhysicalCodePage? page) && page.Blocks.Count > 0) || (Translations != null && Translations.Covers(physicalPage));

    /// <summary>A store changed memory that may hold decoded code: drops every block that it overlaps, the running one included.</summary>
    public void CodeWritten(ulong physical, ulong length)
    {
        while (length > 0)
        {
            ulong part = Math.Min(length, 4096 - (physical & 0xFFF));
            StoreInPage(physical & ~0xFFFUL, (int)(physical & 0xFFF), (int)part);
            physical += part;
            length -= part;
        }
    }

    public void Flush()
    {
        Flushes++;
        foreach ((ulong physical, PhysicalCodePage page) in _pages)
        {
            ReleasePage(physical);
            FreeModes(page);
        }

        _pages.Clear();
        _mmu.FlushExec();
        _next = 1;
        HostMemory.Discard(_entryTables, (ulong)_tables * EntryBytes);
        _tables = 0;
    }

    /// <summary>Host memory that decoded code takes, in bytes. From any thread.</summary>
    public ulong ResidentBytes() => _arenaMemory.ResidentBytes() + HostMemory.Resident(_entryTables, EntryTableBytes);

    public void Dispose()
    {
        foreach (PhysicalCodePage page in _pages.Values)
        {
            FreeModes(page);
        }

        _pages.Clear();
        _arenaMemory.Dispose();
        HostMemory.Release(_entryTables, EntryTableBytes);
    }

    private List<ulong> PagesWithin(ulong physical, ulong length)
    {
        List<ulong> pages = [.. _pages.Keys.Where(page => page - physical < length)];
        if (Translations != null)
        {
            pages.AddRange(Translations.Pages.Where(page => page - physical < length && !_pages.ContainsKey(page)));
        }

        return pages;
    }

    private static void FreeModes(PhysicalCodePage page)
    {
        foreach (nint mode in page.Modes)
        {
            if (mode != 0)
            {
                NativeMemory.Free((void*)mode);
            }
        }
    }

    internal static ulong ChunkMask(int start, int end)
    {
        int first = start >> 6;
        int last = (end - 1) >> 6;
        return (ulong.MaxValue << first) & (ulong.MaxValue >> (63 - last));
    }

    private void Cover(ulong physicalPage, BlockRecord record)
    {
        if (!_pages.TryGetValue(physicalPage, out PhysicalCodePage? page))
        {
            page = new PhysicalCodePage();
            _pages.Add(physicalPage, page);
        }

        page.Blocks.Add(record);
        page.Chunks |= ChunkMask(record.Start, record.End);
        _memory.WatchCode(physicalPage);
    }

    /// <summary>As <see cref="ReleasePage"/>, for a page whose translated blocks are being dropped.</summary>
    internal void UnprotectTranslated(ulong physicalPage)
    {
        if (!_pages.TryGetValue(physicalPage, out PhysicalCodePage? page) || page.Blocks.Count == 0)
        {
            _memory.ForgetCode(physicalPage, this);
        }
    }

    /// <summary>Lets stores to a page go their fast path again, unless translated blocks stand there.</summary>
    private void ReleasePage(ulong physicalPage)
    {
        if (Translations == null || !Translations.Covers(physicalPage))
        {
            _memory.ForgetCode(physicalPage, this);
        }
    }

    private void StoreInPage(ulong physicalPage, int start, int length)
    {
        Translations?.OnStore(physicalPage, start, length);
        if (!_pages.TryGetValue(physicalPage, out PhysicalCodePage? page) || page.Blocks.Count == 0)
        {
            ReleasePage(physicalPage);
            return;
        }

        ulong stored = ChunkMask(start, start + length);
        if ((page.Chunks & stored) == 0)
        {
            return;
        }

        ulong chunks = 0;
        int kept = 0;
        for (int i = 0; i < page.Blocks.Count; i++)
        {
            BlockRecord block = page.Blocks[i];
            if (block.Start < start + length && start < block.End)
            {
                Invalidate(block);
            }
            else
            {
                page.Blocks[kept++] = block;
                chunks |= ChunkMask(block.Start, block.End);
            }
        }

        page.Blocks.RemoveRange(kept, page.Blocks.Count - kept);
        page.Chunks = chunks;
        if (kept == 0)
        {
            ReleasePage(physicalPage);
        }
    }

    private void Invalidate(BlockRecord block)
    {
        BlocksInvalidated++;
        uint* entry = ((CodePage*)block.EntryPage)->Entries + block.EntryOffset;
        if (*entry == block.FirstOp)
        {
            *entry = 0;
        }

        Op* first = _arena + block.FirstOp;
        first->Handler = &Flow.Invalidated;
        Op* current = _s->CurrentOp;
        if (current >= first && current < first + block.OpCount)
        {
            _s->StopBelow |= CpuState.CodeChanged;
        }
    }
}
