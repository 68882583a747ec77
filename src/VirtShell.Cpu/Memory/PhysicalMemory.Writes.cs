using System;
using System.Collections.Generic;
using VirtShell.State;

namespace VirtShell.Cpu.Memory;

/// <summary>Which pages were written since when, for any number of those who ask.</summary>
/// <remarks>
/// A page that nobody has written since the last look has <see cref="PageKinds.Clean"/>; its first store takes that away. A look notes
/// for each page without it that it was written before this look, and marks it as clean again. So those who ask need no notes of their own
/// but the number of the look at which they began, and nobody takes anything from anybody.
/// </remarks>
public sealed unsafe partial class PhysicalMemory
{
    // What a page that may have been written looks like: memory, and not clean.
    private static readonly byte[] s_written =
    [
        (byte)PageKinds.Ram, (byte)PageKinds.Rom, (byte)(PageKinds.Ram | PageKinds.Code), (byte)(PageKinds.Rom | PageKinds.Code),
    ];

    /// <summary>For each page, the last look that found it written; taken when somebody first asks.</summary>
    [NotState("Notes for the host.")]
    private uint* _writtenAt;
    [NotState("Notes for the host.")]
    private uint _looks = 1;
    [NotState("Notes for the host.")]
    private uint _dirtySince;
    [NotState("Notes for the host.")]
    private MemoryContent? _content;

    /// <summary>The content of each page as a hash, kept up to date at the cost of the pages that change.</summary>
    public MemoryContent Content => _content ??= new MemoryContent(this);

    /// <summary>Begins to take note of which pages are written, or begins anew: none is dirty.</summary>
    /// <remarks>Costs the first store to each page thereafter a slow path, and nothing else.</remarks>
    public void BeginDirtyPages() => _dirtySince = MarkWrites();

    /// <summary>Guest-physical addresses of the RAM pages written since <see cref="BeginDirtyPages"/> (all RAM, where it was never called), in order, by guests, devices and loading alike. Memory of devices is not among them.</summary>
    public IReadOnlyList<ulong> DirtyPages() => WrittenSince(_dirtySince, PageKinds.Ram);

    /// <summary>A mark for <see cref="WrittenSince(uint)"/>: what is written from now on. Any number of marks are good at the same time.</summary>
    public uint MarkWrites()
    {
        if (_writtenAt == null)
        {
            _writtenAt = (uint*)HostMemory.Reserve(Top / PageSize * sizeof(uint));
        }

        bool any = false;
        Span<byte> kinds = new(_kinds, checked((int)(Top / PageSize)));
        for (int page = 0; kinds[page..].IndexOfAny(s_written) is >= 0 and int ahead;)
        {
            page += ahead;
            kinds[page] |= (byte)PageKinds.Clean;
            _writtenAt[page] = _looks;
            any = true;
        }

        if (any)
        {
            foreach (IMemorySubscriber subscriber in _subscribers)
            {
                subscriber.AllStoresWatched();
            }
        }

        return ++_looks;
    }

    /// <summary>Guest-physical addresses of the RAM and ROM pages that were written, or became memory, since a mark was made, in order. Memory of devices is not among them.</summary>
    public IReadOnlyList<ulong> WrittenSince(uint mark) => WrittenSince(mark, PageKinds.Ram | PageKinds.Rom);

    private List<ulong> WrittenSince(uint mark, PageKinds which)
    {
        List<ulong> pages = [];
        ReadOnlySpan<byte> kinds = new(_kinds, checked((int)(Top / PageSize)));
        for (int page = 0; kinds[page..].IndexOfAnyExcept((byte)0) is >= 0 and int ahead; page++)
        {
            page += ahead;
            PageKinds kind = (PageKinds)kinds[page];
            if ((kind & which) != 0 && ((kind & PageKinds.Clean) == 0 || _writtenAt == null || _writtenAt[page] >= mark) && DeviceAt((ulong)page * PageSize) is null)
            {
                pages.Add((ulong)page * PageSize);
            }
        }

        return pages;
    }

    private void ReleaseNotes()
    {
        if (_writtenAt != null)
        {
            HostMemory.Release((byte*)_writtenAt, Top / PageSize * sizeof(uint));
            _writtenAt = null;
        }
    }
}
