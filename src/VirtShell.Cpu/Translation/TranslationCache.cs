using System.Collections.Generic;
using VirtShell.Cpu.Execution;

namespace VirtShell.Cpu.Translation;

/// <summary>Translated blocks by guest-physical address and key, and which pages they cover.</summary>
internal sealed unsafe class TranslationCache
{
    private readonly Dictionary<ulong, TranslatedBlock> _blocks = [];
    private readonly Dictionary<ulong, PageTranslations> _pages = [];

    /// <summary>Called for each block that a store has dropped.</summary>
    public required System.Action<TranslatedBlock> Dropped { get; init; }

    public IEnumerable<ulong> Pages => _pages.Keys;

    public static ulong KeyOf(ulong physical, int key) => (physical << 8) | (uint)key;

    public TranslatedBlock? Find(ulong physical, int key) => _blocks.GetValueOrDefault(KeyOf(physical, key));

    public bool Covers(ulong physicalPage) => _pages.TryGetValue(physicalPage, out PageTranslations? page) && page.Blocks.Count > 0;

    /// <summary>How often stores have dropped blocks of a page: code that changes all the time is not worth translating.</summary>
    public int Drops(ulong physicalPage) => _pages.TryGetValue(physicalPage, out PageTranslations? page) ? page.Drops : 0;

    public void Add(TranslatedBlock block)
    {
        _blocks[KeyOf(block.PhysicalPage + (ulong)block.Start, block.Key)] = block;
        if (!_pages.TryGetValue(block.PhysicalPage, out PageTranslations? page))
        {
            page = new PageTranslations();
            _pages.Add(block.PhysicalPage, page);
        }

        page.Blocks.Add(block);
        page.Chunks |= CodeCache.ChunkMask(block.Low, block.End);
    }

    /// <summary>Drops the blocks that a store overlaps.</summary>
    public void OnStore(ulong physicalPage, int start, int length)
    {
        if (!_pages.TryGetValue(physicalPage, out PageTranslations? page) || (page.Chunks & CodeCache.ChunkMask(start, start + length)) == 0)
        {
            return;
        }

        ulong chunks = 0;
        int kept = 0;
        for (int i = 0; i < page.Blocks.Count; i++)
        {
            TranslatedBlock block = page.Blocks[i];
            if (block.Low < start + length && start < block.End)
            {
                _blocks.Remove(KeyOf(physicalPage + (ulong)block.Start, block.Key));
                page.Drops++;
                Dropped(block);
            }
            else
            {
                page.Blocks[kept++] = block;
                chunks |= CodeCache.ChunkMask(block.Low, block.End);
            }
        }

        page.Blocks.RemoveRange(kept, page.Blocks.Count - kept);
        page.Chunks = chunks;
    }

    public void Clear()
    {
        _blocks.Clear();
        _pages.Clear();
    }

    private sealed class PageTranslations
    {
        public readonly List<TranslatedBlock> Blocks = [];
        public ulong Chunks;
        public int Drops;
    }
}
