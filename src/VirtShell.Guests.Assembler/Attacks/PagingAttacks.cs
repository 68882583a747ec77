using System;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>Page tables without sense, and mappings that change faster than they are used.</summary>
internal static class PagingAttacks
{
    private const uint Victim = AttackLayout.Work;

    public static readonly Attack[] All =
    [
        new("page-recursive", "A directory that is its own table, changed through itself", AttackEnd.Never, Recursive),
        new("page-random", "Random entries, used and thrown away", AttackEnd.Never, RandomEntries),
        new("page-random-64", "The same at each of the four levels of long mode", AttackEnd.Never, RandomEntries64),
        new("page-toggle", "A page that comes and goes, with INVLPG each time", AttackEnd.Never, TogglePage),
        new("page-remap", "One address that leads to a thousand pages in turn", AttackEnd.Never, Remap),
        new("page-invlpg", "INVLPG of every address", AttackEnd.Never, Invlpg),
        new("page-cr3", "CR3 loaded without end", AttackEnd.Never, LoadCr3),
        new("page-pcid", "Every PCID in turn, with INVPCID of all kinds", AttackEnd.Never, Pcids),
        new("page-accessed", "Accessed and dirty bits taken away and set again for all pages", AttackEnd.Never, AccessedBits),
        new("page-self", "A page that maps itself, written as data where the walk writes its bits", AttackEnd.Never, SelfMapped),
        new("page-thrash", "More pages than any TLB holds, in an order that fits none", AttackEnd.Never, Thrash),
        new("page-nowhere", "Page tables where there is no memory", AttackEnd.Crash, a => TablesAt(a, 0xD000_0000)),
        new("page-in-mmio", "Page tables in the local APIC", AttackEnd.Crash, a => TablesAt(a, 0xFEE0_0000)),
    ];

    private static void Recursive(AttackCode a)
    {
        const uint Slot = 0x3C0;
        const uint Window = Slot << 22;
        a.Paging();
        a.C.mov(__dword_ptr[AttackLayout.Directory + (Slot * 4)], AttackLayout.Directory | 3);
        a.C.mov(eax, cr3);
        a.C.mov(cr3, eax);
        a.Forever(() =>
        {
            // The table of the first 4 MiB, seen through the window.
            a.C.xor(__dword_ptr[Window + (Victim >> 12 << 2)], 0x0010_0000);
            a.C.invlpg(__[Victim]);
            a.C.mov(eax, __dword_ptr[Victim]);
            a.Fold();
            a.C.mov(eax, __dword_ptr[Window + (Slot << 12) + (Slot * 4)]);
            a.Fold();
        });
    }

    private static void RandomEntries(AttackCode a)
    {
        a.Paging();
        a.Forever(() =>
        {
            // Tables are made of Work's second half, so random entries of the directory lead to random tables.
            a.FillRandom(Victim + 0x8_0000, 64);
            for (var slot = 0x100u; slot < 0x108; slot++)
            {
                var address = slot << 22;
                var entry = slot;
                a.Random();
                a.C.or(eax, 1);
                a.C.mov(__dword_ptr[AttackLayout.Directory + (entry * 4)], eax);
                a.Guarded(() => a.C.mov(eax, __dword_ptr[address + 0x5432]));
                a.C.mov(__dword_ptr[AttackLayout.Directory + (entry * 4)], (Victim + 0x8_0000) | 3);
                a.C.mov(eax, cr3);
                a.C.mov(cr3, eax);
                for (var page = 0u; page < 8; page++)
                {
                    var at = address + (page << 12);
                    a.Guarded(() => a.C.mov(eax, __dword_ptr[at]));
                    a.Guarded(() => a.C.cmpxchg(__dword_ptr[at + 0xFFE], ecx));
                }
            }
        });
    }

    private static void RandomEntries64(AttackCode a)
    {
        a.C.xor(ebp, ebp);
        a.LongForever(
            l => l.mov(r15, 0x9E37_79B9_7F4A_7C15UL),
            l =>
            {
                // One new entry at each level for 8000000000h and what lies behind it, then an access.
                l.mov(ebx, AttackLayout.Work);
                foreach (var (table, next) in (ReadOnlySpan<(uint, uint)>)[(AttackLayout.Pml4 + 8, 0x1000), (AttackLayout.Work + 0x1000, 0x2000), (AttackLayout.Work + 0x2000, 0x3000), (AttackLayout.Work + 0x3000, 0x4000)])
                {
                    var keep = a.Code.NewLongSpot();
                    l.imul(r15, r15, 0x5851_F42D);
                    l.add(r15, 0x14057B7E);
                    l.mov(rax, r15);
                    l.ror(rax, 17);
                    l.test(eax, 0x3000);
                    l.je(keep.Label);
                    l.lea(rax, __[rbx + next + 3]);
                    a.Code.Place(keep);
                    l.mov(__qword_ptr[table], rax);
                }

                l.mov(rax, cr3);
                l.mov(cr3, rax);
                l.mov(rsi, 0x80_0000_0000UL);
                l.mov(eax, __dword_ptr[rsi]);
                l.@lock.add(__dword_ptr[rsi + 4], 0);
            });
    }

    private static void TogglePage(AttackCode a)
    {
        a.Paging();
        a.Forever(() =>
        {
            a.C.mov(__dword_ptr[AttackCode.Entry(Victim)], 0);
            a.C.invlpg(__[Victim]);
            a.Guarded(() => a.C.mov(eax, __dword_ptr[Victim]));
            a.C.mov(__dword_ptr[AttackCode.Entry(Victim)], Victim | 3);
            a.C.mov(eax, __dword_ptr[Victim]);
            a.C.inc(__dword_ptr[Victim]);
            a.Fold();
            a.C.mov(__dword_ptr[AttackCode.Entry(Victim)], Victim | 1);
            a.C.invlpg(__[Victim]);
            a.C.mov(eax, __dword_ptr[Victim]);
        });
    }

    private static void Remap(AttackCode a)
    {
        var c = a.C;
        a.Paging();
        a.Forever(() =>
        {
            c.mov(ebx, AttackLayout.Code | 3);
            var next = a.Code.Here();
            c.mov(__dword_ptr[AttackCode.Entry(Victim)], ebx);
            c.invlpg(__[Victim]);
            c.inc(__dword_ptr[Victim]);
            c.mov(__word_ptr[Victim + 0xFFF], ax);
            c.add(ebx, 0x1000);
            c.cmp(ebx, AttackLayout.CodeEnd);
            c.jb(next.Label);
        });
    }

    private static void Invlpg(AttackCode a)
    {
        a.Paging();
        a.C.xor(ebx, ebx);
        a.Forever(() =>
        {
            for (var i = 0; i < 16; i++)
            {
                a.C.invlpg(__[ebx]);
                a.C.add(ebx, 0x1000);
            }
        });
    }

    private static void LoadCr3(AttackCode a)
    {
        a.Paging();
        a.Forever(() =>
        {
            for (var i = 0; i < 16; i++)
            {
                a.C.mov(eax, cr3);
                a.C.mov(cr3, eax);
                a.C.inc(__dword_ptr[Victim + ((uint)i * 0x1000)]);
            }
        });
    }

    private static void Pcids(AttackCode a) => a.LongForever(
        l =>
        {
            l.mov(rax, cr4);
            l.or(eax, 1 << 17);
            l.mov(cr4, rax);
            l.xor(ebx, ebx);
        },
        l =>
        {
            l.inc(ebx);
            l.and(ebx, 0xFFF);
            l.mov(eax, AttackLayout.Pml4);
            l.or(rax, rbx);
            l.mov(cr3, rax);
            l.inc(__dword_ptr[Victim]);
            l.bts(rax, 63);
            l.mov(cr3, rax);
            l.mov(eax, ebx);
            l.and(eax, 7);
            l.mov(ecx, AttackLayout.Work + 0x100);
            l.mov(__qword_ptr[rcx], rbx);
            l.mov(__qword_ptr[rcx + 8], rcx);
            l.invpcid(rax, __xmmword_ptr[rcx]);
        });

    private static void AccessedBits(AttackCode a)
    {
        var c = a.C;
        a.Paging();
        a.Forever(() =>
        {
            // Work's 1 MiB: 256 pages.
            c.xor(ebx, ebx);
            var next = a.Code.Here();
            c.and(__dword_ptr[ebx + AttackCode.Entry(Victim)], ~0x60);
            c.mov(eax, ebx);
            c.shl(eax, 10);
            c.add(eax, Victim);
            c.invlpg(__[eax]);
            c.mov(edx, __dword_ptr[eax]);
            c.invlpg(__[eax]);
            c.mov(__dword_ptr[eax], ebx);
            c.add(ebx, 4);
            c.cmp(ebx, 256 * 4);
            c.jb(next.Label);
        });
    }

    private static void SelfMapped(AttackCode a)
    {
        const uint Window = Victim + 0x5000;
        a.Paging();
        a.C.mov(__dword_ptr[AttackCode.Entry(Window)], AttackLayout.Tables | 3);
        a.C.invlpg(__[Window]);
        a.Forever(() =>
        {
            // The dword written is the entry that its own translation sets bits in.
            a.C.mov(__dword_ptr[Window + (Window >> 12 << 2)], AttackLayout.Tables | 3);
            a.C.invlpg(__[Window]);
            a.C.mov(eax, __dword_ptr[Window + (Window >> 12 << 2)]);
            a.Fold();
            a.C.and(__dword_ptr[Window + (Window >> 12 << 2)], ~0x60);
            a.C.invlpg(__[Window]);
            a.C.xchg(__dword_ptr[Window + (Window >> 12 << 2)], eax);
            a.Fold();
        });
    }

    private static void Thrash(AttackCode a)
    {
        var c = a.C;
        a.Paging();
        c.xor(ebx, ebx);
        a.Forever(() =>
        {
            for (var i = 0; i < 16; i++)
            {
                c.add(ebx, 0x0014_5000);
                c.and(ebx, 0x7F_F000);
                c.mov(eax, __dword_ptr[ebx + AttackLayout.Code]);
                c.mov(edx, __dword_ptr[ebx + 0x1000_0000]);
            }
        });
    }

    private static void TablesAt(AttackCode a, uint place)
    {
        a.Paging();
        a.C.mov(eax, place);
        a.C.mov(cr3, eax);
        a.C.mov(eax, __dword_ptr[0x1234_5678]);
        a.Forever(a.C.nop);
    }
}
