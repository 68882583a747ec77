using System;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Translation;

/// <summary>
/// Translated targets of indirect branches, calls, returns and branches to other pages: RIP to host code, for one address
/// space and translation key. Direct-mapped by bits 19:4 of RIP, so that the targets in one guest page stand together and
/// INVLPG drops them at once.
/// </summary>
/// <remarks>One entry is 16 bytes: RIP, then the executable address. Emitted code reads it. 1 MiB of address space, taken lazily.</remarks>
internal sealed unsafe class JumpTable : IDisposable
{
    public const int EntryShift = 4;
    private const int Entries = 1 << 16;
    private const int PageEntries = 256;

    /// <summary>No RIP: non-canonical in 64-bit mode, too large elsewhere.</summary>
    private const ulong Unused = 1UL << 63;

    private readonly ulong* _entries = Create();
    private readonly bool[] _touched = new bool[Entries / PageEntries];

    ~JumpTable() => Release();

    public nint Address => (nint)_entries;

    public void Add(ulong rip, byte* code)
    {
        // A zero tag is RIP 0: a page is filled with unused tags when it is first touched.
        int group = (int)(rip >> 12) & 0xFF;
        if (!_touched[group])
        {
            Clear(group);
            _touched[group] = true;
        }

        ulong* entry = _entries + (((rip >> 4) & 0xFFFF) * 2);
        entry[0] = rip;
        entry[1] = (ulong)code;
    }

    /// <summary>Drops one target.</summary>
    public void Remove(ulong rip)
    {
        ulong* entry = _entries + (((rip >> 4) & 0xFFFF) * 2);
        if (entry[0] == rip)
        {
            entry[0] = Unused;
        }
    }

    public bool TryGet(ulong rip, out byte* code)
    {
        ulong* entry = _entries + (((rip >> 4) & 0xFFFF) * 2);
        code = (byte*)entry[1];
        return entry[0] == rip && code != null;
    }

    /// <summary>Drops every target in the page of a linear address.</summary>
    public void FlushPage(ulong linear)
    {
        int group = (int)(linear >> 12) & 0xFF;
        if (_touched[group])
        {
            Clear(group);
        }
    }

    public void Flush()
    {
        for (int group = 0; group < _touched.Length; group++)
        {
            if (_touched[group])
            {
                Clear(group);
                _touched[group] = false;
            }
        }
    }

    public void Dispose()
    {
        Release();
        GC.SuppressFinalize(this);
    }

    // An untouched entry has the tag 0, which only RIP 0 could match, and that looks at the first one.
    private static ulong* Create()
    {
        ulong* entries = (ulong*)HostMemory.Reserve(Entries * 16);
        entries[0] = Unused;
        return entries;
    }

    private void Clear(int group)
    {
        ulong* entry = _entries + (group * PageEntries * 2);
        for (int i = 0; i < PageEntries; i++)
        {
            entry[i * 2] = Unused;
        }
    }

    private void Release() => HostMemory.Release((byte*)_entries, Entries * 16);
}
