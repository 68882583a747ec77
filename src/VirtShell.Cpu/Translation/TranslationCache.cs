using System;
using System.Collections.Generic;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Translation;

/// <summary>
/// Translated blocks by guest-physical address and key, and which pages they cover. Blocks are many, small and found often: they lie in
/// memory of their own, where no garbage collector moves them.
/// </summary>
internal sealed unsafe class TranslationCache : IDisposable
{
    /// <summary>Blocks kept at most: fewer than there are exit records for.</summary>
    private const int Capacity = 1 << 19;

    private const int FewestBuckets = 1 << 12;
    private readonly GrowingMemory _memory = new((ulong)Capacity * (ulong)sizeof(TranslatedBlock), largePages: true);
    private readonly Dictionary<ulong, PageTranslations> _pages = [];
    private TranslatedBlock** _buckets;
    private int _bucketCount;
    private int _count;

    public TranslationCache() => MakeBuckets(FewestBuckets);

    ~TranslationCache() => ReleaseBuckets();

    /// <summary>Called with each block that a store has dropped.</summary>
    public required DropHandler Dropped { get; init; }

    public delegate void DropHandler(TranslatedBlock* block);

    public IEnumerable<ulong> Pages => _pages.Keys;

    /// <summary>Whether a block fits.</summary>
    public bool HasRoom => _count + 2 <= Capacity;

    public static ulong KeyOf(ulong physical, int key) => (physical << 8) | (uint)key;

    /// <summary>The block at an address, or null.</summary>
    public TranslatedBlock* Find(ulong physical, int key)
    {
        TranslatedBlock* block = *Bucket(physical, key);
        while (block != null && (block->PhysicalPage + (ulong)block->Start != physical || block->Key != key || block->IsDropped || block->Kind == BlockKind.Crossing))
        {
            block = block->NextOfHash;
        }

        return block;
    }

    /// <summary>The instruction at an address that crosses into a given page, or null; then also how many there are that cross into others.</summary>
    public TranslatedBlock* FindCrossing(ulong physical, int key, ulong secondPage, out int others)
    {
        others = 0;
        for (TranslatedBlock* block = *Bucket(physical, key); block != null; block = block->NextOfHash)
        {
            if (block->PhysicalPage + (ulong)block->Start == physical && block->Key == key && block->Kind == BlockKind.Crossing)
            {
                if (block->SecondPage == secondPage && !block->IsDropped)
                {
                    return block;
                }

                others++;
            }
        }

        return null;
    }

    public bool Covers(ulong physicalPage) => _pages.TryGetValue(physicalPage, out PageTranslations? page) && page.Blocks != null;

    /// <summary>How often stores have dropped blocks of a page: code that changes all the time is not worth translating.</summary>
    public int Drops(ulong physicalPage) => _pages.TryGetValue(physicalPage, out PageTranslations? page) ? page.Drops : 0;

    /// <summary>Memory for a block, which <see cref="Add"/> then enters. There must be room.</summary>
    public TranslatedBlock* New()
    {
        TranslatedBlock* block = (TranslatedBlock*)_memory.Start + _count++;
        _memory.Take(block + 1);
        *block = default;
        return block;
    }

    /// <summary>Enters a block. True: one of its place was dropped before.</summary>
    public bool Add(TranslatedBlock* block)
    {
        if (_count > _bucketCount)
        {
            Grow();
        }

        TranslatedBlock** bucket = Bucket(block->PhysicalPage + (ulong)block->Start, block->Key);
        bool again = Unlink(bucket, block);
        block->NextOfHash = *bucket;
        *bucket = block;
        Cover(block->PhysicalPage, block);
        return again;
    }

    /// <summary>Enters where else a crossing instruction has bytes: the first <paramref name="end"/> of its second page.</summary>
    public void CoverSecond(TranslatedBlock* block, int end)
    {
        TranslatedBlock* rest = New();
        rest->Main = block;
        rest->End = (short)end;
        Cover(block->SecondPage, rest);
    }

    /// <summary>Drops the blocks that a store overlaps.</summary>
    public void OnStore(ulong physicalPage, int start, int length)
    {
        if (!_pages.TryGetValue(physicalPage, out PageTranslations? page) || (page.Chunks & CodeCache.ChunkMask(start, start + length)) == 0)
        {
            return;
        }

        ulong chunks = 0;
        TranslatedBlock* kept = null;
        TranslatedBlock* next;
        for (TranslatedBlock* block = page.Blocks; block != null; block = next)
        {
            next = block->NextInPage;
            if (block->Low < start + length && start < block->End)
            {
                page.Drops++;
                TranslatedBlock* dropped = block->Main != null ? block->Main : block;
                if (!dropped->IsDropped)
                {
                    dropped->IsDropped = true;
                    Dropped(dropped);
                }
            }
            else
            {
                block->NextInPage = kept;
                kept = block;
                chunks |= CodeCache.ChunkMask(block->Low, block->End);
            }
        }

        page.Blocks = kept;
        page.Chunks = chunks;
    }

    public void Clear()
    {
        new Span<nint>(_buckets, _bucketCount).Clear();
        _pages.Clear();
        _count = 0;
    }

    /// <summary>Host memory that it takes, in bytes. From any thread.</summary>
    public ulong ResidentBytes() => _memory.ResidentBytes() + BytesOf(_bucketCount);

    public void Dispose()
    {
        ReleaseBuckets();
        _memory.Dispose();
        GC.SuppressFinalize(this);
    }

    private void Cover(ulong physicalPage, TranslatedBlock* block)
    {
        if (!_pages.TryGetValue(physicalPage, out PageTranslations? page))
        {
            page = new PageTranslations();
            _pages.Add(physicalPage, page);
        }

        block->NextInPage = page.Blocks;
        page.Blocks = block;
        page.Chunks |= CodeCache.ChunkMask(block->Low, block->End);
    }

    // Takes a dropped block of the same place out of its bucket.
    private static bool Unlink(TranslatedBlock** link, TranslatedBlock* like)
    {
        for (; *link != null; link = &(*link)->NextOfHash)
        {
            TranslatedBlock* block = *link;
            if (block->PhysicalPage == like->PhysicalPage && block->Start == like->Start && block->Key == like->Key && block->IsDropped
                && block->Kind == like->Kind && block->SecondPage == like->SecondPage)
            {
                *link = block->NextOfHash;
                return true;
            }
        }

        return false;
    }

    private TranslatedBlock** Bucket(ulong physical, int key) =>
        _buckets + (((KeyOf(physical, key) * 0x9E37_79B9_7F4A_7C15) >> 40) & (uint)(_bucketCount - 1));

    private void Grow()
    {
        TranslatedBlock** old = _buckets;
        int count = _bucketCount;
        MakeBuckets(count * 2);
        for (int i = 0; i < count; i++)
        {
            TranslatedBlock* next;
            for (TranslatedBlock* block = old[i]; block != null; block = next)
            {
                next = block->NextOfHash;
                TranslatedBlock** bucket = Bucket(block->PhysicalPage + (ulong)block->Start, block->Key);
                block->NextOfHash = *bucket;
                *bucket = block;
            }
        }

        HostMemory.Release((byte*)old, BytesOf(count));
    }

    private void MakeBuckets(int count)
    {
        _buckets = (TranslatedBlock**)HostMemory.Reserve(BytesOf(count));
        HostMemory.Populate((byte*)_buckets, BytesOf(count));
        _bucketCount = count;
    }

    private void ReleaseBuckets()
    {
        if (_buckets != null)
        {
            HostMemory.Release((byte*)_buckets, BytesOf(_bucketCount));
            _buckets = null;
        }
    }

    private static ulong BytesOf(int buckets) => (ulong)buckets * (ulong)sizeof(TranslatedBlock*);

    private sealed class PageTranslations
    {
        public TranslatedBlock* Blocks;
        public ulong Chunks;
        public int Drops;
    }
}
