using System;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>Descriptor tables where there is no memory, and descriptors of every kind.</summary>
internal static class TableAttacks
{
    private const uint Hole = 0xD000_0000;
    private const uint LocalApic = 0xFEE0_0000;
    private const uint Descriptors = AttackLayout.Work;

    public static readonly Attack[] All =
    [
        new("idt-nowhere", "An interrupt table where there is no memory", AttackEnd.Crash, a => InterruptTable(a, Hole)),
        new("idt-in-mmio", "An interrupt table in the local APIC", AttackEnd.Crash, a => InterruptTable(a, LocalApic)),
        new("gdt-end-of-ram", "A descriptor table across the end of RAM, one in the hole, and one that wraps around 4 GiB", AttackEnd.Never, DescriptorTables),
        new("gdt-random", "Random descriptors loaded into every segment register", AttackEnd.Never, RandomDescriptors),
        new("gdt-selectors", "Every selector there is, loaded and asked about", AttackEnd.Never, Selectors),
        new("ldt-storm", "Local tables of every place and length", AttackEnd.Never, LocalTables),
    ];

    private static void InterruptTable(AttackCode a, uint place)
    {
        a.Code.LoadTable(place, 0x7FF, isIdt: true);
        a.Forever(() =>
        {
            a.C.@int(0x40);
            a.C.ud2();
        });
    }

    private static void DescriptorTables(AttackCode a)
    {
        var c = a.C;
        c.sgdt(__[AttackLayout.Pointer]);
        a.Forever(() =>
        {
            c.mov(__word_ptr[AttackLayout.Pointer + 8], 0x1FFF);
            foreach (var place in (ReadOnlySpan<uint>)[0, Hole, LocalApic, 0xFFFF_F000])
            {
                // The end of RAM is known only here, and the segments in use stay as they are.
                c.mov(eax, __dword_ptr[AttackLayout.RamEnd]);
                c.sub(eax, 0x14);
                if (place != 0)
                {
                    c.mov(eax, place);
                }

                c.mov(__dword_ptr[AttackLayout.Pointer + 10], eax);
                c.lgdt(__[AttackLayout.Pointer + 8]);
                foreach (var selector in (ReadOnlySpan<int>)[0x10, 0x13, 0x18, 0xFF8, 0x1FF8])
                {
                    c.mov(ecx, selector);
                    c.lar(eax, ecx);
                    a.Fold();
                    c.lsl(eax, ecx);
                    c.verr(cx);
                    c.verw(cx);
                }

                c.lgdt(__[AttackLayout.Pointer]);
            }
        });
    }

    private static void RandomDescriptors(AttackCode a)
    {
        var c = a.C;
        CopyDescriptors(a, 0xFF);
        a.Forever(() =>
        {
            a.FillRandom(Descriptors + 0x40, 48);
            for (var selector = 0x40; selector < 0x100; selector += 8)
            {
                var loaded = selector;
                a.Guarded(() =>
                {
                    c.mov(eax, loaded);
                    c.mov(es, ax);
                    c.mov(fs, ax);
                    c.mov(gs, ax);
                });
                a.Guarded(() =>
                {
                    c.mov(eax, loaded | 3);
                    c.lldt(ax);
                });
                a.Guarded(() =>
                {
                    c.lar(ecx, eax);
                    c.lsl(ecx, eax);
                    c.mov(eax, __dword_ptr.fs[AttackLayout.Work]);
                    a.Fold();
                });
            }

            c.xor(eax, eax);
            c.lldt(ax);
        });
    }

    private static void Selectors(AttackCode a)
    {
        var c = a.C;
        a.Forever(() =>
        {
            c.xor(ebx, ebx);
            var next = a.Code.Here();
            a.Guarded(() => c.mov(gs, bx));
            c.lar(eax, ebx);
            a.Fold();
            c.lsl(eax, ebx);
            c.verr(bx);
            c.verw(bx);
            c.arpl(ax, bx);
            c.inc(bx);
            c.jne(next.Label);
        });
    }

    private static void LocalTables(AttackCode a)
    {
        const int Selector = 0x40;
        var c = a.C;
        CopyDescriptors(a, 0x47);
        a.Forever(() =>
        {
            foreach (var place in (ReadOnlySpan<uint>)[AttackLayout.Work + 0x800, AttackLayout.MemoryEnd - 8, Hole, LocalApic, 0xFFFF_FFF8])
            {
                foreach (var limit in (ReadOnlySpan<uint>)[0, 7, 0xFFFF])
                {
                    c.mov(__dword_ptr[Descriptors + Selector], (place << 16) | limit);
                    c.mov(__dword_ptr[Descriptors + Selector + 4], (place & 0xFF00_0000) | ((place >> 16) & 0xFF) | 0x8200);
                    a.Guarded(() =>
                    {
                        c.mov(eax, Selector);
                        c.lldt(ax);
                    });
                    foreach (var selector in (ReadOnlySpan<int>)[0x04, 0x0C, 0xFFFC])
                    {
                        a.Guarded(() =>
                        {
                            c.mov(eax, selector);
                            c.mov(fs, ax);
                        });
                        c.mov(ecx, selector);
                        c.lar(eax, ecx);
                        a.Fold();
                    }
                }
            }
        });
    }

    private static void CopyDescriptors(AttackCode a, int limit)
    {
        var c = a.C;
        c.sgdt(__[AttackLayout.Pointer]);
        c.mov(esi, __dword_ptr[AttackLayout.Pointer + 2]);
        c.mov(edi, Descriptors);
        c.mov(ecx, 14);
        c.cld();
        c.rep.movsd();
        a.Code.LoadTable(Descriptors, limit, isIdt: false);
    }
}
