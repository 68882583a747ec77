using System;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>String instructions whose count, direction or place has no end.</summary>
internal static class RepeatAttacks
{
    private const uint Hole = 0xD000_0000;

    public static readonly Attack[] All =
    [
        new("rep-endless", "Counts of 2^64-1, into nothing and up to the end of the mapping", AttackEnd.Never, Endless) { IsHeavy = true },
        new("rep-endless-32", "Counts of 2^32-1 around the end of 4 GiB", AttackEnd.Never, Endless32) { IsHeavy = true },
        new("rep-backward", "Moves and stores that go backward, overlapping and across 0", AttackEnd.Never, Backward) { IsHeavy = true },
        new("rep-end-of-ram", "Moves and stores across the end of RAM, both ways", AttackEnd.Never, EndOfRam) { IsHeavy = true },
        new("rep-16-bit", "16-bit addresses that wrap at 64 KiB", AttackEnd.Never, Wrap16),
        new("rep-overlap", "Moves onto themselves at every distance", AttackEnd.Never, Overlap),
        new("rep-scan", "Scans and compares over all of RAM for what is not there", AttackEnd.Never, Scan),
        new("rep-limits", "Segments that end within a move", AttackEnd.Never, Limits),
        new("rep-faults", "A page that is missing in the middle of each move", AttackEnd.Never, Faults),
    ];

    private static void Endless(AttackCode a) => a.LongForever(
        l => l.cld(),
        l =>
        {
            // Each runs into the end of the mapping at 4 GiB, which starts the next round with another width.
            l.mov(rcx, ulong.MaxValue);
            l.mov(eax, __dword_ptr[AttackLayout.Faults]);
            l.and(eax, 3);
            l.mov(edi, 0xFFF0_0000);
            l.mov(esi, edi);
            var next = a.Code.NewLongSpot();
            var third = a.Code.NewLongSpot();
            var fourth = a.Code.NewLongSpot();
            l.cmp(al, 1);
            l.je(next.Label);
            l.cmp(al, 2);
            l.je(third.Label);
            l.cmp(al, 3);
            l.je(fourth.Label);
            l.rep.stosq();
            a.Code.Place(next);
            l.rep.movsq();
            a.Code.Place(third);
            l.mov(edi, Hole);
            l.rep.movsb();
            a.Code.Place(fourth);
            l.repe.cmpsq();
            l.rep.lodsq();
        });

    private static void Endless32(AttackCode a)
    {
        var c = a.C;
        c.cld();
        a.Forever(() =>
        {
            c.mov(edi, Hole);
            c.mov(ecx, 0x0800_0000);
            c.rep.stosd();
            c.mov(esi, 0xFFFF_FFF0);
            c.mov(edi, Hole);
            c.mov(ecx, 0x1_0000);
            c.rep.movsb();
            c.mov(esi, 0xFFFF_FFF1);
            c.mov(edi, Hole + 3);
            c.mov(ecx, 0x1_0000);
            c.rep.movsd();
            c.xor(esi, esi);
            c.mov(ecx, -1);
            c.rep.lodsd();
        });
    }

    private static void Backward(AttackCode a)
    {
        var c = a.C;
        a.Forever(() =>
        {
            c.std();
            c.mov(esi, AttackLayout.Work + 0x2_0000);
            c.mov(edi, AttackLayout.Work + 0x2_0003);
            c.mov(ecx, 0x4000);
            c.rep.movsb();
            c.mov(esi, AttackLayout.Work + 0x2_0002);
            c.mov(edi, AttackLayout.Work + 0x2_0001);
            c.mov(ecx, 0x1000);
            c.rep.movsd();
            c.mov(edi, AttackLayout.Work + 0x2_0001);
            c.mov(ecx, 0x1000);
            c.rep.stosw();

            // Across 0 to the top of 4 GiB, which reads ones and takes nothing.
            c.mov(esi, 0x20);
            c.mov(edi, Hole);
            c.mov(ecx, 0x100);
            c.rep.movsd();
            c.mov(esi, 3);
            c.mov(ecx, 0x1000);
            c.rep.lodsb();
            c.cld();
        });
    }

    private static void EndOfRam(AttackCode a)
    {
        var c = a.C;
        a.Forever(() =>
        {
            foreach (var back in (ReadOnlySpan<int>)[0x1000, 0x7FD, 1])
            {
                c.cld();
                c.mov(edi, __dword_ptr[AttackLayout.RamEnd]);
                c.sub(edi, back);
                c.mov(esi, edi);
                c.mov(ecx, 0x800);
                c.rep.stosd();
                c.mov(edi, AttackLayout.Work);
                c.mov(ecx, 0x800);
                c.rep.movsd();
                c.std();
                c.mov(edi, __dword_ptr[AttackLayout.RamEnd]);
                c.add(edi, back);
                c.mov(ecx, 0x1003);
                c.rep.stosb();
                c.cld();
                c.mov(eax, __dword_ptr[AttackLayout.RamEnd]);
                c.mov(eax, __dword_ptr[eax - 2]);
                a.Fold();
            }
        });
    }

    private static void Wrap16(AttackCode a)
    {
        var c = a.C;
        c.cld();
        a.Forever(() =>
        {
            // 67h makes SI, DI and CX of ESI, EDI and ECX. The Multiboot data there was read long ago.
            foreach (var direction in (ReadOnlySpan<int>)[0, 1])
            {
                if (direction != 0)
                {
                    c.std();
                }

                foreach (var (si, di) in (ReadOnlySpan<(uint, uint)>)[(0xFFF0, 0x8000), (0x8000, 0xFFFE), (0xFFFF, 0xFFFF), (1, 2)])
                {
                    c.mov(esi, 0xABCD_0000 | si);
                    c.mov(edi, 0xABCD_0000 | di);
                    c.mov(ecx, 0xABCD_0400);
                    c.db(0x67, 0xF3, 0xA4);
                    c.mov(ecx, 0xABCD_0103);
                    c.db(0x67, 0xF3, 0xAB);
                    c.mov(ecx, 0xABCD_0103);
                    c.db(0x67, 0xF3, 0xA5);
                }

                c.cld();
            }
        });
    }

    private static void Overlap(AttackCode a)
    {
        var c = a.C;
        c.cld();
        c.xor(ebx, ebx);
        a.Forever(() =>
        {
            c.mov(esi, AttackLayout.Work);
            c.lea(edi, __[esi + ebx]);
            c.mov(ecx, 0x300);
            c.rep.movsd();
            c.lea(esi, __[ebx + AttackLayout.Work]);
            c.mov(edi, AttackLayout.Work);
            c.mov(ecx, 0xBFF);
            c.rep.movsb();
            c.mov(eax, __dword_ptr[AttackLayout.Work + 0x123]);
            a.Fold();
            c.inc(ebx);
            c.and(ebx, 0xFF);
        });
    }

    private static void Scan(AttackCode a)
    {
        var c = a.C;
        c.cld();
        a.Forever(() =>
        {
            c.xor(edi, edi);
            c.mov(ecx, (int)AttackLayout.MemoryEnd / 4);
            c.mov(eax, 0x1357_9BDF);
            c.repne.scasd();
            c.mov(edi, AttackLayout.Code);
            c.mov(esi, AttackLayout.Code);
            c.mov(ecx, 0x80_0000);
            c.repe.cmpsb();
            c.mov(eax, ecx);
            a.Fold();
        });
    }

    private static void Limits(AttackCode a)
    {
        const uint Descriptors = AttackLayout.Work;
        const int Selector = 0x38;
        var c = a.C;
        c.sgdt(__[AttackLayout.Pointer]);
        c.mov(esi, __dword_ptr[AttackLayout.Pointer + 2]);
        c.mov(edi, Descriptors);
        c.mov(ecx, 14);
        c.cld();
        c.rep.movsd();
        a.Code.LoadTable(Descriptors, 0x3F, isIdt: false);
        a.Forever(() =>
        {
            // Base 400000h: a limit of 1002h, one that expands down, and one of 0.
            foreach (var (low, high) in (ReadOnlySpan<(uint, uint)>)[(0x0000_1002, 0x0040_9340), (0x0000_0FFD, 0x0040_9740), (0, 0x0040_9340)])
            {
                c.mov(__dword_ptr[Descriptors + Selector], low);
                c.mov(__dword_ptr[Descriptors + Selector + 4], high);
                foreach (var start in (ReadOnlySpan<uint>)[0, 0xFF0, 0xFFFF_FFF0])
                {
                    a.Guarded(() =>
                    {
                        c.mov(eax, Selector);
                        c.mov(es, ax);
                        c.mov(edi, start);
                        c.mov(ecx, 0x1_0000);
                        c.rep.stosd();
                    });
                    c.mov(eax, edi);
                    a.Fold();
                }
            }
        });
    }

    private static void Faults(AttackCode a)
    {
        const uint Missing = AttackLayout.Work + 0x3000;
        var c = a.C;
        a.Paging();
        c.mov(__dword_ptr[AttackCode.Entry(Missing)], 0);
        c.invlpg(__[Missing]);
        a.Forever(() =>
        {
            foreach (var start in (ReadOnlySpan<uint>)[Missing - 0x1000, Missing - 3])
            {
                a.Guarded(() =>
                {
                    c.mov(edi, start);
                    c.mov(ecx, 0x1000);
                    c.rep.stosd();
                });
                c.mov(eax, edi);
                a.Fold();
                a.Guarded(() =>
                {
                    c.mov(esi, start);
                    c.mov(edi, AttackLayout.Work);
                    c.mov(ecx, 0x2000);
                    c.rep.movsb();
                });
                c.mov(eax, ecx);
                a.Fold();
                a.Guarded(() =>
                {
                    c.std();
                    c.mov(edi, Missing + 0x1100);
                    c.mov(ecx, 0x1000);
                    c.rep.stosd();
                });
                c.cld();
                c.mov(eax, edi);
                a.Fold();
            }
        });
    }
}
