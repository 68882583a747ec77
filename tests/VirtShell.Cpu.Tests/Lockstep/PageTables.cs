using System;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Builds the page tables of a random program's guest, in any of the processor's forms.</summary>
/// <param name="memory">Where they are written.</param>
/// <param name="kind">Their form.</param>
/// <param name="kernel">The program is the kernel's: its code is not for users.</param>
internal sealed class PageTables(PhysicalMemory memory, PagingKind kind, bool kernel)
{
    private const ulong Present = 1;
    private const ulong Writable = 2;
    private const ulong User = 4;
    private const ulong Large = 1 << 7;
    private const ulong Global = 1 << 8;
    private const ulong NoExecute = 1UL << 63;

    private ulong _next = Layout.Tables;
    private ulong _otherTable;

    /// <summary>Value for CR3.</summary>
    public ulong Root { get; private set; }

    /// <summary>CR3 of a second address space: the same but for <see cref="Layout.RoutineWindow"/> and <see cref="Layout.DataAlias"/>.</summary>
    public ulong OtherRoot { get; private set; }

    /// <summary>Physical address of the second address space's entry for a linear page of the windows.</summary>
    public ulong OtherEntryOf(ulong linear) => _otherTable + (EntryOf(linear) & 0xFFF);

    /// <summary>Size of an entry.</summary>
    public int EntryBytes => kind == PagingKind.Legacy ? 4 : 8;

    /// <summary>Physical address of the entry that maps a linear page of the windows.</summary>
    public ulong EntryOf(ulong linear)
    {
        ulong table = Walk(linear, kind == PagingKind.Legacy ? 22 : 21);
        return table + ((linear >> 12 & (kind == PagingKind.Legacy ? 0x3FFUL : 0x1FFUL)) * (ulong)EntryBytes);
    }

    public void Build()
    {
        Root = Take();
        for (ulong page = 0; page < 0x20_0000; page += 4096)
        {
            bool user = page is >= Layout.Data and < Layout.Lengths || (!kernel && page is >= Layout.Code and < Layout.Services);
            ulong global = page >= 0x10_0000 ? Global : 0;
            Map(page, page | Present | Writable | (user ? User : 0) | global);
        }

        for (ulong i = 0; i < Layout.WindowPages; i++)
        {
            ulong at = i * 4096;
            ulong nx = kind == PagingKind.Legacy ? 0 : NoExecute;
            Map(Layout.CodeAlias + at, (Layout.Code + at) | Present | Writable | User);
            Map(Layout.DataAlias + at, (Layout.Data + at) | Present | Writable | User);
            Map(Layout.ReadOnlyAlias + at, (Layout.Data + at) | Present | User);
            Map(Layout.DemandWindow + at, (Layout.DemandFrames + (at & 0x7FFF)) | Writable | User);
            Map(Layout.RoutineWindow + at, (Layout.RoutinesA + (at & 0x3FFF)) | Present | Writable | (kernel ? 0 : User));
            Map(Layout.SupervisorWindow + at, (Layout.Data + at) | Present | Writable);
            Map(Layout.MmioWindow + at, (Layout.Mmio + at) | Present | Writable | User);
            Map(Layout.NoExecuteWindow + at, (Layout.Code + at) | Present | Writable | User | nx);
        }

        if (kind == PagingKind.Legacy)
        {
            Put(Walk(Layout.LargeWindow, 32) + (Layout.LargeWindow >> 22 << 2), Present | Writable | User | Large);
        }
        else
        {
            ulong directory = Walk(Layout.LargeWindow, 30);
            Put(directory + (((Layout.LargeWindow >> 21) & 0x1FF) * 8), Layout.LargeFrame | Present | Writable | User | Large);
            Put(directory + ((((Layout.LargeWindow >> 21) + 1) & 0x1FF) * 8), Present | Writable | User | Large);
        }

        BuildOther();
    }

    /// <summary>Copies of the tables on the way to the windows; all others are shared.</summary>
    private void BuildOther()
    {
        (int top, int step) = kind switch { PagingKind.Long => (39, 9), PagingKind.Pae => (30, 9), _ => (22, 10) };
        ulong from = Root;
        OtherRoot = Copy(Root);
        ulong to = OtherRoot;
        for (int shift = top; shift >= (kind == PagingKind.Legacy ? 22 : 21); shift -= step)
        {
            ulong offset = ((Layout.Windows >> shift) & ((1UL << step) - 1)) * (ulong)EntryBytes;
            ulong entry = EntryBytes == 4 ? memory.ReadUInt32(from + offset) : memory.ReadUInt64(from + offset);
            from = entry & ~0xFFFUL;
            ulong copy = Copy(from);
            Put(to + offset, copy | (entry & 0xFFF));
            to = copy;
        }

        _otherTable = to;
        for (ulong i = 0; i < Layout.WindowPages; i++)
        {
            ulong at = i * 4096;
            Put(OtherEntryOf(Layout.DataAlias + at), (Layout.Data + ((at + 0x1000) & 0xFFFF)) | Present | Writable | User);
            Put(OtherEntryOf(Layout.RoutineWindow + at), (Layout.RoutinesB + (at & 0x3FFF)) | Present | Writable | (kernel ? 0 : User));
        }
    }

    private ulong Copy(ulong table)
    {
        ulong copy = Take();
        for (ulong i = 0; i < 4096; i += 8)
        {
            memory.WriteUInt64(copy + i, memory.ReadUInt64(table + i));
        }

        return copy;
    }

    private void Map(ulong linear, ulong entry) => Put(EntryOf(linear), entry);

    /// <summary>The table one level below which <paramref name="bits"/> of the address are left; made where there is none.</summary>
    private ulong Walk(ulong linear, int bits)
    {
        ulong table = Root;
        (int top, int step) = kind switch { PagingKind.Long => (39, 9), PagingKind.Pae => (30, 9), _ => (22, 10) };
        for (int shift = top; shift >= bits; shift -= step)
        {
            ulong mask = kind == PagingKind.Legacy ? 0x3FFUL : 0x1FFUL;
            ulong entry = table + (((linear >> shift) & mask) * (ulong)EntryBytes);
            ulong value = EntryBytes == 4 ? memory.ReadUInt32(entry) : memory.ReadUInt64(entry);
            if ((value & Present) == 0)
            {
                value = Take() | Present;
                // PAE's topmost entries have no permission bits.
                Put(entry, value | (kind == PagingKind.Pae && shift == 30 ? 0 : Writable | User));
            }

            table = value & ~0xFFFUL;
        }

        return table;
    }

    private ulong Take()
    {
        ulong at = _next;
        _next += 4096;
        return at < 0x10_0000 ? at : throw new InvalidOperationException("No room for page tables.");
    }

    private void Put(ulong at, ulong entry)
    {
        if (EntryBytes == 4)
        {
            memory.WriteUInt32(at, (uint)entry);
        }
        else
        {
            memory.WriteUInt64(at, entry);
        }
    }
}
