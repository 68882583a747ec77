using System;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>Code that changes itself, and code without end: work for a translator and for its memory.</summary>
internal static class CodeAttacks
{
    private const byte MovEaxImmediate = 0xB8;
    private const byte Return = 0xC3;

    public static readonly Attack[] All =
    [
        new("code-each", "Every instruction is written by the one before it", AttackEnd.Never, EachInstruction),
        new("code-page", "Code that writes data beside itself in its page, without end", AttackEnd.Never, OwnPage),
        new("code-alias", "Code that is changed through another mapping of its page", AttackEnd.Never, Alias),
        new("code-crossing", "An instruction across two pages, the second of which changes its mapping", AttackEnd.Never, Crossing),
        new("code-endless", "New code written and run for ever, never the same twice", AttackEnd.Never, Endless),
        new("code-random", "Random bytes run in ring 0", AttackEnd.Any, RandomBytes) { IsHeavy = true },
        new("code-pages", "Code in every page, each of them written to after each call", AttackEnd.Never, ManyPages),
        new("code-repeated", "A block of ten, a hundred and a thousand repeated stores", AttackEnd.Never, RepeatedStores),
        new("code-repeated-64", "The same in long mode, of quadwords", AttackEnd.Never, RepeatedStores64),
        new("code-prefixes", "Instructions of 15 and 16 bytes, and prefixes that make no sense", AttackEnd.Never, Prefixes),
        new("code-straight", "Straight code over pages, with no branch in it", AttackEnd.Never, Straight),
        new("code-overlapping", "Jumps into the middle of instructions, at every offset", AttackEnd.Never, Overlapping),
    ];

    private static void EachInstruction(AttackCode a)
    {
        var c = a.C;
        a.Forever(() =>
        {
            for (var i = 0; i < 16; i++)
            {
                var target = a.Code.NewSpot();
                a.Random();
                c.mov(ebx, eax);
                c.mov(edi, a.Code.AddressOf(target));
                c.mov(__dword_ptr[edi + 1], ebx);
                a.Code.Place(target);
                c.mov(ecx, 0x1234_5678);
                c.cmp(ecx, ebx);
                var same = a.Code.NewSpot();
                c.je(same.Label);
                c.ud2();
                a.Code.Place(same);
            }
        });
    }

    private static void OwnPage(AttackCode a)
    {
        var c = a.C;
        var data = a.Code.NewSpot();
        a.Forever(() =>
        {
            c.mov(edi, a.Code.AddressOf(data));
            for (var i = 0; i < 64; i++)
            {
                c.inc(__dword_ptr[edi]);
                c.@lock.inc(__dword_ptr[edi]);
            }
        });
        a.Code.Place(data);
        c.dd(0);
    }

    private static void Alias(AttackCode a)
    {
        const uint Page = AttackLayout.Work;
        const uint Other = AttackLayout.Work + 0x1_0000;
        a.Plant(Page, MovEaxImmediate, 0, 0, 0, 0, Return);
        a.Paging();
        a.C.mov(__dword_ptr[AttackCode.Entry(Other)], Page | 3);
        a.C.invlpg(__[Other]);
        a.Forever(() =>
        {
            a.C.inc(__dword_ptr[Other + 1]);
            a.CallTo(Page);
            a.Fold();
            a.C.inc(__dword_ptr[Page + 1]);
            a.CallTo(Other);
            a.Fold();
        });
    }

    private static void Crossing(AttackCode a)
    {
        const uint First = AttackLayout.Work;
        const uint Second = First + 0x1000;
        const uint Start = Second - 2;
        a.Plant(First + 0xFFE, MovEaxImmediate, 0x11, 0x22, 0x33, 0x44, Return);
        a.Plant(First + 0x8000, 0x55, 0x66, 0x77, Return);
        a.Paging();
        a.Forever(() =>
        {
            foreach (var frame in (ReadOnlySpan<uint>)[First + 0x8000, Second, 0])
            {
                a.C.mov(__dword_ptr[AttackCode.Entry(Second)], frame == 0 ? 0 : frame | 3);
                a.C.invlpg(__[Second]);
                a.Guarded(() =>
                {
                    a.CallTo(Start);
                    a.Fold();
                });
            }

            a.C.mov(__dword_ptr[AttackCode.Entry(Second)], Second | 3);
            a.C.invlpg(__[Second]);
            a.C.inc(__dword_ptr[Second]);
        });
    }

    private static void Endless(AttackCode a)
    {
        var c = a.C;
        a.Forever(() =>
        {
            c.mov(ebx, AttackLayout.Code);
            var next = a.Code.Here();
            a.Random();
            c.mov(__byte_ptr[ebx], unchecked((sbyte)MovEaxImmediate));
            c.mov(__dword_ptr[ebx + 1], eax);

            // xor ecx, eax; test eax, ecx; ret
            c.mov(__dword_ptr[ebx + 5], unchecked((int)0xC885_C131));
            c.mov(__byte_ptr[ebx + 9], unchecked((sbyte)Return));
            c.call(ebx);
            c.add(ebx, 11);
            c.cmp(ebx, AttackLayout.CodeEnd);
            c.jb(next.Label);
        });
    }

    private static void RandomBytes(AttackCode a)
    {
        a.Forever(() =>
        {
            a.FillRandom(AttackLayout.Work, 32);
            a.C.mov(__word_ptr[AttackLayout.Work + 128], 0x0B0F);
            a.Guarded(() =>
            {
                a.C.mov(ebx, AttackLayout.Work + 0x400);
                a.C.mov(esi, ebx);
                a.C.mov(edi, ebx);
                a.C.mov(ebp, ebx);
                a.C.mov(ecx, 4);
                a.CallTo(AttackLayout.Work);
            });
        });
    }

    private static void ManyPages(AttackCode a)
    {
        var c = a.C;
        a.Forever(() =>
        {
            c.mov(ebx, AttackLayout.Code);
            var next = a.Code.Here();
            c.mov(__byte_ptr[ebx], unchecked((sbyte)Return));
            c.call(ebx);
            c.mov(__dword_ptr[ebx + 0x800], ebx);
            c.add(ebx, 0x1000);
            c.cmp(ebx, AttackLayout.CodeEnd);
            c.jb(next.Label);
        });
    }

    private static void RepeatedStores(AttackCode a)
    {
        var c = a.C;
        c.cld();
        c.xor(eax, eax);
        a.Forever(() =>
        {
            foreach (var count in (ReadOnlySpan<int>)[10, 100, 1000])
            {
                c.mov(edi, AttackLayout.Work);
                for (var i = 0; i < count; i++)
                {
                    c.mov(ecx, 2);
                    c.rep.stosd();
                }
            }
        });
    }

    private static void RepeatedStores64(AttackCode a) => a.LongForever(
        l =>
        {
            l.cld();
            l.xor(eax, eax);
        },
        l =>
        {
            foreach (var count in (ReadOnlySpan<int>)[10, 100, 1000])
            {
                l.mov(edi, AttackLayout.Work);
                l.mov(ecx, 2);
                for (var i = 0; i < count; i++)
                {
                    l.mov(cl, 2);
                    l.rep.stosq();
                }
            }
        });

    private static void Prefixes(AttackCode a)
    {
        var c = a.C;
        a.Forever(() =>
        {
            foreach (var prefix in (ReadOnlySpan<byte>)[0x66, 0x67, 0xF2, 0xF3, 0x2E, 0x65])
            {
                foreach (var count in (ReadOnlySpan<int>)[14, 15])
                {
                    var bytes = new byte[count + 1];
                    Array.Fill(bytes, prefix);
                    bytes[^1] = 0x90;
                    a.Guarded(() => c.db(bytes));
                }
            }

            // LOCK where it is not allowed, undefined opcodes, VEX with a prefix, a VEX prefix alone.
            foreach (var bytes in (ReadOnlySpan<byte[]>)[[0xF0, 0x90], [0xF0, 0x0F, 0x0B], [0x0F, 0xFF, 0xC0], [0x66, 0xC5, 0xF8, 0x57, 0xC0], [0xC4, 0xE1, 0xFF, 0xFF, 0xC0], [0x8F, 0xE9, 0x78, 0x01, 0xC0], [0x62, 0xF1, 0x7C, 0x48, 0x58, 0xC0], [0xF0, 0xF3, 0x0F, 0xC7, 0xF0], [0xD6], [0x0F, 0x0D, 0xC0]])
            {
                a.Guarded(() => c.db(bytes));
            }
        });
    }

    private static void Straight(AttackCode a)
    {
        var c = a.C;

        // inc ecx, over 256 KiB, and a return.
        c.cld();
        c.mov(edi, AttackLayout.Code);
        c.mov(ecx, 0x1_0000);
        c.mov(eax, 0x4141_4141);
        c.rep.stosd();
        c.mov(__byte_ptr[edi], unchecked((sbyte)Return));
        a.Forever(() =>
        {
            a.CallTo(AttackLayout.Code);
            c.mov(eax, ecx);
            a.Fold();
        });
    }

    private static void Overlapping(AttackCode a)
    {
        var c = a.C;

        // mov eax, imm32 whose immediate is such moves again; every offset decodes otherwise, and NOPs bring them together.
        c.cld();
        c.mov(edi, AttackLayout.Work);
        c.mov(ecx, 64);
        c.mov(eax, unchecked((int)0xB8B8_90B8));
        c.rep.stosd();
        c.mov(eax, unchecked((int)0x9090_9090));
        c.stosd();
        c.stosd();
        c.mov(__byte_ptr[edi], unchecked((sbyte)Return));
        a.Forever(() =>
        {
            c.mov(ebx, AttackLayout.Work);
            var next = a.Code.Here();
            c.call(ebx);
            a.Fold();
            c.inc(ebx);
            c.cmp(ebx, AttackLayout.Work + 256);
            c.jb(next.Label);
        });
    }
}
