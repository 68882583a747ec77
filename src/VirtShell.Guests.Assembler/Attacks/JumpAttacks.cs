using System;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Guests.Assembler.Attacks;

/// <summary>Branches that no table of targets has room for.</summary>
internal static class JumpAttacks
{
    public static readonly Attack[] All =
    [
        new("jump-targets", "Indirect jumps to a million targets, each a block of its own", AttackEnd.Never, Targets),
        new("jump-tables", "One indirect call with another target each time", AttackEnd.Never, Tables),
        new("jump-depth", "Calls a hundred thousand deep that are never returned from", AttackEnd.Never, Depth),
        new("jump-returns", "Returns that no call belongs to", AttackEnd.Never, Returns),
        new("jump-self", "A jump to itself by register", AttackEnd.Never, Self),
        new("jump-wild", "Jumps to random addresses, each of which faults or meets data", AttackEnd.Any, Wild) { IsHeavy = true },
        new("jump-loops", "LOOP, JECXZ and conditional branches taken and not taken without order", AttackEnd.Never, Loops),
    ];

    private static void Targets(AttackCode a)
    {
        var c = a.C;

        // add eax, ecx; jmp eax. At the end of the area: ret.
        c.cld();
        c.mov(esi, AttackLayout.Code);
        c.mov(edi, AttackLayout.Code + 8);
        c.mov(__dword_ptr[esi], unchecked((int)0xE0FF_C801));
        c.mov(ecx, (int)(AttackLayout.CodeEnd - AttackLayout.Code - 8) / 4);
        c.rep.movsd();

        // Wherever the last step leads behind the area, there is a return.
        c.mov(eax, 0xC3);
        c.mov(ecx, 0x2000);
        c.rep.stosb();
        a.Forever(() =>
        {
            foreach (var step in (ReadOnlySpan<int>)[8, 24, 40, 4096, 4104])
            {
                c.mov(ecx, step);
                a.CallTo(AttackLayout.Code);
            }
        });
    }

    private static void Tables(AttackCode a)
    {
        var c = a.C;
        c.mov(edi, AttackLayout.Code);
        c.mov(ecx, 0x4_0000);
        c.mov(eax, unchecked((int)0xC341_C341)); // inc ecx; ret
        c.cld();
        c.rep.stosd();
        a.Forever(() =>
        {
            a.Random();
            c.and(eax, 0xF_FFFE);
            c.add(eax, AttackLayout.Code);
            c.mov(__dword_ptr[AttackLayout.Work], eax);
            c.call(__dword_ptr[AttackLayout.Work]);
        });
    }

    private static void Depth(AttackCode a)
    {
        var c = a.C;
        var body = a.Code.NewSpot();
        a.Forever(() =>
        {
            c.mov(esp, AttackLayout.CodeEnd);
            c.mov(ecx, 100_000);
            a.Code.Place(body);
            var deeper = a.Code.NewSpot();
            var stop = a.Code.NewSpot();
            c.dec(ecx);
            c.je(stop.Label);
            c.call(deeper.Label);
            a.Code.Place(deeper);
            c.jmp(body.Label);
            a.Code.Place(stop);
        });
    }

    private static void Returns(AttackCode a)
    {
        var c = a.C;
        a.Forever(() =>
        {
            for (var i = 0; i < 32; i++)
            {
                var target = a.Code.NewSpot();
                c.mov(eax, a.Code.AddressOf(target));
                c.push(eax);
                c.push((int)Layout.CodeSelector);
                c.push(eax);
                if (i % 2 == 0)
                {
                    c.retf(4);
                }
                else
                {
                    c.pop(eax);
                    c.add(esp, 4);
                    c.ret();
                }

                a.Code.Place(target);
            }
        });
    }

    private static void Self(AttackCode a)
    {
        var here = a.Code.NewSpot();
        a.C.mov(eax, a.Code.AddressOf(here));
        a.Code.Place(here);
        a.C.jmp(eax);
    }

    private static void Wild(AttackCode a)
    {
        a.Forever(() =>
        {
            a.Random();
            a.Guarded(() => a.C.call(eax));
        });
    }

    private static void Loops(AttackCode a)
    {
        var c = a.C;
        a.Forever(() =>
        {
            a.Random();
            c.mov(ecx, eax);
            c.and(ecx, 31);
            c.mov(ebx, eax);
            for (var i = 0; i < 16; i++)
            {
                var over = a.Code.NewSpot();
                var more = a.Code.NewSpot();
                var next = a.Code.NewSpot();
                c.shr(ebx, 1);
                c.jae(over.Label);
                c.xor(ebp, ebx);
                a.Code.Place(over);
                c.jecxz(more.Label);
                c.dec(ecx);
                a.Code.Place(more);
                c.js(next.Label);
                c.add(ebp, ecx);
                a.Code.Place(next);
            }

            var again = a.Code.Here();
            c.inc(ebp);
            c.and(ecx, 31);
            c.loop(again.Label);
        });
    }
}
