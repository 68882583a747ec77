using System;
using System.Collections.Generic;
using VirtShell.State;

namespace VirtShell.Cpu.Memory;

/// <summary>
/// Guest memory by content: a hash for each page of RAM and ROM, computed again only where a page was written since. On the thread
/// that runs the machine, between runs.
/// </summary>
/// <remarks>Equal pages have equal hashes. Different ones have different hashes but for one in 2^64: who would lose data by that compares the bytes.</remarks>
[NotState("Follows from memory.")]
public sealed unsafe class MemoryContent
{
    private const ulong Prime = 0x9E37_79B1_85EB_CA87;
    private const int WordsPerPage = (int)(PhysicalMemory.PageSize / sizeof(ulong));
    private const int Lanes = 4;

    private readonly PhysicalMemory _memory;

    // Without those of pages that hold zeros, which are most.
    private readonly Dictionary<ulong, ulong> _hashes = [];
    private uint _mark;

    internal MemoryContent(PhysicalMemory memory) => _memory = memory;

    /// <summary>Hashes the pages that were written since the last call; the first time, all of them. Gives how many.</summary>
    public int Refresh()
    {
        uint before = _mark;
        _mark = _memory.MarkWrites();
        IReadOnlyList<ulong> written = _memory.WrittenSince(before);
        foreach (ulong page in written)
        {
            ulong hash = HashPage(_memory.Base + page);
            if (hash != 0)
            {
                _hashes[page] = hash;
            }
            else
            {
                _hashes.Remove(page);
            }
        }

        return written.Count;
    }

    /// <summary>The hash of a page as of the last <see cref="Refresh"/>; 0 for one of zeros, and for what is neither RAM nor ROM.</summary>
    /// <param name="physical">Any address in the page.</param>
    public ulong HashOf(ulong physical) =>
        (_memory.KindOf(physical) & (PageKinds.Ram | PageKinds.Rom)) != 0 ? _hashes.GetValueOrDefault(physical & ~(PhysicalMemory.PageSize - 1)) : 0;

    /// <summary>One hash for all pages as of the last <see cref="Refresh"/>: equal memories have an equal one.</summary>
    public ulong Digest()
    {
        // A sum, so that the order of pages does not matter.
        ulong sum = 0;
        foreach (ulong page in _hashes.Keys)
        {
            ulong hash = HashOf(page);
            sum += hash != 0 ? Mix(hash ^ Mix(page)) : 0;
        }

        return sum;
    }

    /// <summary>Guest-physical addresses of the pages in which two memories differ, in order. Brings both up to date.</summary>
    public static IReadOnlyList<ulong> Differences(MemoryContent one, MemoryContent other)
    {
        ArgumentNullException.ThrowIfNull(one);
        ArgumentNullException.ThrowIfNull(other);
        one.Refresh();
        other.Refresh();
        SortedSet<ulong> pages = [];
        foreach (MemoryContent each in (MemoryContent[])[one, other])
        {
            foreach (ulong page in each._hashes.Keys)
            {
                if (one.HashOf(page) != other.HashOf(page))
                {
                    pages.Add(page);
                }
            }
        }

        return [.. pages];
    }

    /// <summary>The hash of 4096 bytes; 0 exactly for zeros.</summary>
    internal static ulong HashPage(byte* page)
    {
        if (PhysicalMemory.IsZero(page, PhysicalMemory.PageSize))
        {
            return 0;
        }

        // Four chains at once: one would wait for each of its products.
        ulong* words = (ulong*)page;
        (ulong a, ulong b, ulong c, ulong d) = (1, 2, 3, 4);
        for (int i = 0; i < WordsPerPage; i += Lanes)
        {
            a = Step(a, words[i]);
            b = Step(b, words[i + 1]);
            c = Step(c, words[i + 2]);
            d = Step(d, words[i + 3]);
        }

        return Mix(a ^ Mix(b ^ Mix(c ^ Mix(d)))) | 1;
    }

    private static ulong Step(ulong hash, ulong word)
    {
        hash = (hash ^ word) * Prime;
        return hash ^ (hash >> 32);
    }

    private static ulong Mix(ulong value) => Step(Step(value, Prime), value >> 29);
}
