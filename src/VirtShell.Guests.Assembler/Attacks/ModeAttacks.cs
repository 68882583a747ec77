using System;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>Control registers and modes that change without end.</summary>
internal static class ModeAttacks
{
    private const int Paging = unchecked((int)0x8000_0000);
    private const int Pae = 0x20;
    private const uint Lme = 0x100;
    private const uint Efer = 0xC000_0080;
    private const uint PaeTable = AttackLayout.Work;

    public static readonly Attack[] All =
    [
        new("mode-cr0", "Every bit of CR0 but PE switched on and off, and random values", AttackEnd.Never, Cr0),
        new("mode-cr4", "Every bit of CR4 switched on and off, and random values", AttackEnd.Never, Cr4),
        new("mode-efer", "Random values in EFER", AttackEnd.Never, EferValues),
        new("mode-cycle", "No paging, 32-bit paging, PAE and long mode in a circle", AttackEnd.Never, Cycle),
        new("mode-real", "Real mode and back, with an interrupt in between", AttackEnd.Never, RealMode),
        new("mode-a20", "The A20 gate switched with code and data on both sides of it", AttackEnd.Never, A20),
    ];

    private static void Cr0(AttackCode a)
    {
        var c = a.C;
        a.Paging();
        a.Forever(() =>
        {
            for (var bit = 1; bit < 31; bit++)
            {
                var mask = 1 << bit;
                a.Guarded(() =>
                {
                    c.mov(eax, cr0);
                    c.xor(eax, mask);
                    c.mov(cr0, eax);
                    c.fnop();
                    c.movaps(xmm0, xmm1);
                    c.mov(__dword_ptr[AttackLayout.Work], eax);
                    a.Fold();
                });
                a.Guarded(() =>
                {
                    c.mov(eax, cr0);
                    c.xor(eax, mask);
                    c.mov(cr0, eax);
                });
            }

            a.Guarded(() =>
            {
                a.Random();
                c.and(eax, 0x1FFF_FFFF);
                c.or(eax, Paging | 1);
                c.mov(cr0, eax);
                c.wait();
                c.lmsw(ax);
                c.clts();
            });
        });
    }

    private static void Cr4(AttackCode a)
    {
        var c = a.C;
        a.Paging();
        a.Forever(() =>
        {
            for (var bit = 0; bit < 32; bit++)
            {
                // PAE takes another format of tables than these.
                if (bit != 5)
                {
                    var mask = 1 << bit;
                    for (var twice = 0; twice < 2; twice++)
                    {
                        a.Guarded(() =>
                        {
                            c.mov(eax, cr4);
                            c.xor(eax, mask);
                            c.mov(cr4, eax);
                            c.mov(eax, __dword_ptr[0x0080_0000]);
                            c.rdtsc();
                            c.movaps(xmm0, xmm1);
                        });
                    }
                }
            }

            a.Guarded(() =>
            {
                a.Random();
                c.and(eax, ~Pae);
                c.or(eax, 0x10);
                c.mov(cr4, eax);
            });
        });
    }

    private static void EferValues(AttackCode a)
    {
        a.Paging();
        a.Forever(() =>
        {
            for (var bit = 0; bit < 32; bit++)
            {
                var mask = 1u << bit;
                a.Guarded(() =>
                {
                    a.C.mov(ecx, Efer);
                    a.C.rdmsr();
                    a.C.xor(eax, mask);
                    a.C.wrmsr();
                    a.C.rdmsr();
                    a.Fold();
                });
            }

            a.Guarded(() =>
            {
                a.Random();
                a.C.mov(ecx, Efer);
                a.C.wrmsr();
            });
        });
    }

    private static void Cycle(AttackCode a)
    {
        var c = a.C;
        a.BuildLongTables();

        // PAE: the directories are those of long mode.
        for (var i = 0u; i < 4; i++)
        {
            c.mov(__dword_ptr[PaeTable + (i * 8)], (AttackLayout.LongDirectories + (i * 0x1000)) | 1);
        }

        a.Paging();
        a.Forever(() =>
        {
            SetPaging(a, on: false);
            SetPae(a, on: true);
            Load(a, PaeTable);
            SetPaging(a, on: true);
            SetPaging(a, on: false);
            SetLong(a, on: true);
            Load(a, AttackLayout.Pml4);
            SetPaging(a, on: true);
            c.inc(__dword_ptr[AttackLayout.Work + 0x100]);
            SetPaging(a, on: false);
            SetLong(a, on: false);
            SetPae(a, on: false);
            Load(a, AttackLayout.Directory);
            SetPaging(a, on: true);
            c.inc(__dword_ptr[AttackLayout.Work + 0x100]);

            // Switches that are refused.
            a.Guarded(() => SetLong(a, on: true));
        });
    }

    private static void SetPaging(AttackCode a, bool on)
    {
        a.C.mov(eax, cr0);
        if (on)
        {
            a.C.or(eax, Paging);
        }
        else
        {
            a.C.and(eax, ~Paging);
        }

        a.C.mov(cr0, eax);
    }

    private static void SetPae(AttackCode a, bool on)
    {
        a.C.mov(eax, cr4);
        if (on)
        {
            a.C.or(eax, Pae);
        }
        else
        {
            a.C.and(eax, ~Pae);
        }

        a.C.mov(cr4, eax);
    }

    private static void SetLong(AttackCode a, bool on) => a.WriteMsr(Efer, on ? Lme : 0u);

    private static void Load(AttackCode a, uint table)
    {
        a.C.mov(eax, table);
        a.C.mov(cr3, eax);
    }

    private static void RealMode(AttackCode a)
    {
        const uint Stub = 0x8000;
        const uint Descriptors = AttackLayout.Work;
        var c = a.C;
        var back = a.Code.NewSpot();

        // The flat descriptors, and 16-bit ones with the base 0.
        c.sgdt(__[AttackLayout.Pointer]);
        c.mov(esi, __dword_ptr[AttackLayout.Pointer + 2]);
        c.mov(edi, Descriptors);
        c.mov(ecx, 14);
        c.cld();
        c.rep.movsd();
        c.mov(__dword_ptr[Descriptors + 0x38], 0x0000_FFFF);
        c.mov(__dword_ptr[Descriptors + 0x3C], 0x0000_9B00);
        c.mov(__dword_ptr[Descriptors + 0x40], 0x0000_FFFF);
        c.mov(__dword_ptr[Descriptors + 0x44], 0x0000_9300);
        a.Code.LoadTable(Descriptors, 0x47, isIdt: false);

        // mov eax, cr0; and al, FEh; mov cr0, eax; jmp 0:8010h
        a.Plant(Stub, 0x0F, 0x20, 0xC0, 0x24, 0xFE, 0x0F, 0x22, 0xC0, 0xEA, 0x10, 0x80, 0x00, 0x00);

        // xor ax, ax; mov ss, ax; int 40h; mov eax, cr0; or al, 1; mov cr0, eax; jmp dword 8:back
        a.Plant(Stub + 0x10, 0x31, 0xC0, 0x8E, 0xD0, 0xCD, 0x40, 0x0F, 0x20, 0xC0, 0x0C, 0x01, 0x0F, 0x22, 0xC0, 0x66, 0xEA);
        c.mov(eax, a.Code.AddressOf(back));
        c.mov(__dword_ptr[Stub + 0x20], eax);
        c.mov(__word_ptr[Stub + 0x24], (short)Layout.CodeSelector);

        // The handler of 40h: inc word [7000h]; iret
        a.Plant(Stub + 0x30, 0xFF, 0x06, 0x00, 0x70, 0xCF);
        c.mov(__dword_ptr[0x40 * 4], Stub + 0x30);
        a.Forever(() =>
        {
            a.Code.LoadTable(0, 0x3FF, isIdt: true);
            c.mov(eax, 0x40);
            c.mov(ds, ax);
            c.mov(es, ax);
            c.mov(ss, ax);
            c.mov(esp, 0x7C00);
            c.push(0x38);
            c.push(unchecked((int)Stub));
            c.retf();
            a.Code.Place(back);
            c.mov(eax, (int)Layout.DataSelector);
            c.mov(ds, ax);
            c.mov(es, ax);
            c.mov(ss, ax);
            c.mov(esp, Layout.StackTop);
        });
    }

    private static void A20(AttackCode a)
    {
        // Only even MiB, so that code and stack stay where they are: they lie in an odd one, and are copied.
        const uint Stub = AttackLayout.Code;
        var c = a.C;
        var body = a.Code.NewSpot();
        var end = a.Code.NewSpot();
        c.mov(esi, a.Code.AddressOf(body));
        c.mov(edi, Stub);
        c.mov(ecx, 256);
        c.cld();
        c.rep.movsb();
        c.mov(esp, AttackLayout.Descriptors + 0x8000);
        c.mov(eax, Stub);
        c.jmp(eax);
        a.Code.Place(body);
        foreach (var value in (ReadOnlySpan<int>)[0, 2])
        {
            c.mov(al, (sbyte)value);
            c.@out(0x92, al);
            c.mov(eax, __dword_ptr[0x0050_4000]);
            c.inc(__dword_ptr[0x0050_4000]);
            c.mov(__dword_ptr[0x0040_2000], eax);
            c.mov(eax, 0x0050_2000);
            c.add(eax, __dword_ptr[eax]);
        }

        c.mov(eax, Stub);
        c.jmp(eax);
        a.Code.Place(end);
    }
}
