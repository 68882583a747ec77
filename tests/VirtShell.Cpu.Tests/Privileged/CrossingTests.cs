using System;
using System.Linq;
using Iced.Intel;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>Instructions that begin in one page and end in the next, whose bytes and mapping change while they are run again and again (SDM Vol. 3A §4.10.4).</summary>
public sealed unsafe class CrossingTests
{
    private const ulong Second = 0x3_0000;
    private const ulong OtherFrame = 0x3_2000;
    private const ulong Routine = Second - 2;
    private const ulong Rights = 7;
    private const ulong PageTable = SystemGuest.Tables + 0x3000;

    /// <summary>A second set of tables, which differs in what <see cref="Second"/> is.</summary>
    private const ulong OtherTables = SystemGuest.Tables + 0x1_0000;
    private const uint InFirst = 0x4433_2211;
    private const uint InOther = 0x8877_6611;

    public static TheoryData<EngineKind> Engines => [EngineKind.Interpreter, EngineKind.Translator];

    [Theory]
    [MemberData(nameof(Engines))]
    public void Its_second_half_may_be_written_to(EngineKind engine) => Expect(engine, [InFirst, InFirst, InFirst, 0x4433_9911, 0x4433_9911, 0x4433_2211], static c =>
    {
        Call(c, 3);
        c.mov(__byte_ptr[Second], 0x99);
        Call(c, 2);
        c.mov(__byte_ptr[Second], 0x22);
        Call(c, 1);
    });

    [Theory]
    [MemberData(nameof(Engines))]
    public void Its_first_half_may_be_written_to(EngineKind engine) => Expect(engine, [InFirst, InFirst, 0x4433_2255, InFirst, 0, 0, InFirst, InFirst], static c =>
    {
        Call(c, 2);
        c.mov(__byte_ptr[Second - 1], 0x55);
        Call(c, 1);
        c.mov(__byte_ptr[Second - 1], 0x11);
        Call(c, 1);

        // xor eax, eax: it crosses no longer, and the next page begins with RET.
        c.mov(__word_ptr[Routine], 0xC031);
        c.mov(__byte_ptr[Second], 0xC3);
        Call(c, 2);
        c.mov(__byte_ptr[Second], 0x22);
        c.mov(__word_ptr[Routine], 0x11B8);
        Call(c, 2);
    });

    [Theory]
    [MemberData(nameof(Engines))]
    public void Another_page_may_follow(EngineKind engine) => Expect(engine, [InFirst, InFirst, InOther, InOther, InFirst, InFirst], static c =>
    {
        Call(c, 2);
        Map(c, OtherFrame);
        Call(c, 2);
        Map(c, Second);
        Call(c, 2);
    });

    [Theory]
    [MemberData(nameof(Engines))]
    public void Many_pages_may_follow(EngineKind engine)
    {
        const int Pages = 40;
        using SystemGuest guest = Guest(engine);
        for (byte page = 0; page < Pages; page++)
        {
            guest.Memory.Write(SystemGuest.TestFrame + (page * 0x1000UL), [page, 0x33, 0x44, 0xC3]);
        }

        Assert.Equal(-1, guest.Run(static c =>
        {
            Label again = c.CreateLabel();
            c.mov(rdi, SystemGuest.Scratch);
            c.mov(ebp, 2);
            c.Label(ref again);
            c.mov(rbx, SystemGuest.TestFrame | Rights);
            Label next = c.CreateLabel();
            c.Label(ref next);
            c.mov(__[PageTable + (Second >> 12 << 3)], rbx);
            c.invlpg(__[Second]);
            c.call(Routine);
            c.call(Routine);
            c.mov(__[rdi], eax);
            c.add(rdi, 4);
            c.add(rbx, 0x1000);
            c.cmp(rbx, (int)(SystemGuest.TestFrame + (Pages * 0x1000UL)));
            c.jb(next);
            c.dec(ebp);
            c.jne(again);
            c.hlt();
        }));
        Assert.Equal(
            Enumerable.Range(0, 2 * Pages).Select(static i => 0x4433_0011u | ((uint)(i % Pages) << 8)),
            Enumerable.Range(0, 2 * Pages).Select(i => guest.Memory.ReadUInt32(SystemGuest.Scratch + ((ulong)i * 4))));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void Another_page_follows_in_another_address_space(EngineKind engine) => Expect(engine, [.. Enumerable.Repeat((uint[])[InFirst, InFirst, InOther, InOther], 4).SelectMany(static r => r)], static c =>
    {
        for (int i = 0; i < 4; i++)
        {
            c.mov(rax, SystemGuest.Tables);
            c.mov(cr3, rax);
            Call(c, 2);
            c.mov(rax, OtherTables);
            c.mov(cr3, rax);
            Call(c, 2);
        }
    });

    /// <summary>As above, but nothing is flushed between, and a store drops what one space has translated while the other is current.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void Address_spaces_keep_their_own(EngineKind engine) => Expect(engine, [InFirst, InFirst, InOther, InOther, InFirst, InFirst, InOther, 0x4433_7711, 0x4433_7711, InOther, 0x4433_7711], static c =>
    {
        const ulong Keep = 1UL << 63;
        c.mov(rax, cr4);
        c.or(rax, (int)ControlBits.Cr4Pcide);
        c.mov(cr4, rax);
        Switch(c, SystemGuest.Tables | 1);
        Call(c, 2);
        Switch(c, OtherTables | 2);
        Call(c, 2);
        Switch(c, Keep | SystemGuest.Tables | 1);
        Call(c, 2);
        Switch(c, Keep | OtherTables | 2);
        Call(c, 1);
        // By an alias: linear 31000h is the first space's second page.
        c.mov(__byte_ptr[Second + 0x1000], 0x77);
        Switch(c, Keep | SystemGuest.Tables | 1);
        Call(c, 2);
        Switch(c, Keep | OtherTables | 2);
        Call(c, 1);
        Switch(c, Keep | SystemGuest.Tables | 1);
        Call(c, 1);
    });

    [Theory]
    [MemberData(nameof(Engines))]
    public void The_second_page_may_be_missing(EngineKind engine)
    {
        using SystemGuest guest = Guest(engine);
        int vector = guest.Run(static c =>
        {
            c.mov(rdi, SystemGuest.Scratch);
            Call(c, 3);
            c.mov(__dword_ptr[PageTable + (Second >> 12 << 3)], 0);
            c.invlpg(__[Second]);
            Call(c, 1);
            c.hlt();
        });
        Assert.Equal(14, vector);
        Assert.Equal(Second, guest.State->Cr2);
        Assert.Equal(Routine, guest.Stack(1));
    }

    /// <summary>A block of user code goes on behind a jump, but not to what it cannot read.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void A_jump_may_lead_to_it(EngineKind engine)
    {
        using SystemGuest guest = Guest(engine);
        guest.Memory.Write(Second + 3, [0x0F, 0x0B]);
        guest.Assemble(Second - 0x800, static c =>
        {
            Label again = c.CreateLabel();
            c.mov(esi, 3);
            c.Label(ref again);
            c.dec(esi);
            c.jne(again);
            c.jmp(Routine);
            c.int3();
        });
        guest.EnterUser(Second - 0x800);
        Assert.Equal(6, guest.Continue());
        Assert.Equal(Second + 3, guest.Stack(0));
        Assert.Equal(InFirst, guest.State->Gpr[0]);
    }

    /// <summary>Each kind of way out of a crossing instruction.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void Branches_calls_and_accesses_may_cross(EngineKind engine)
    {
        byte[][] codes =
        [
            [0x0F, 0x84, 2, 0, 0, 0, 0xB0, 1, 0xC3], // je +2; mov al, 1; ret
            [0xE8, 1, 0, 0, 0, 0xC3, 0xFF, 0xC0, 0xC3], // call +1; ret; inc eax; ret
            [0xE9, 1, 0, 0, 0, 0xCC, 0xFF, 0xC0, 0xC3], // jmp +1; int3; inc eax; ret
            [0x8B, 0x04, 0x25, 0, 0, 1, 0, 0xC3], // mov eax, [10000h]; ret
            [0x01, 0x04, 0x25, 0, 0, 1, 0, 0xC3], // add [10000h], eax; ret
            [0x48, 0x8D, 0x05, 0, 1, 0, 0, 0xC3], // lea rax, [rip + 100h]; ret
            [0x0F, 0xA2, 0x31, 0xC0, 0xC3], // cpuid; xor eax, eax; ret
            [0xC2, 0, 0], // ret 0
            [0x0F, 0xA4, 0xC0, 5, 0x9C, 0x58, 0xC3], // shld eax, eax, 5; pushf; pop rax; ret
            [0xF3, 0x48, 0xAB, 0xC3], // rep stosq; ret
            [0xF2, 0x0F, 0x58, 0x05, 0, 1, 0, 0, 0x66, 0x0F, 0x7E, 0xC0, 0xC3], // addsd xmm0, [rip + 100h]; movd eax, xmm0; ret
            [0xFF, 0x14, 0x25, 8, 0, 1, 0, 0xC3], // call [10008h]; ret
        ];
        foreach (byte[] code in codes)
        {
            for (int before = 1; before < code.Length && before < 7; before++)
            {
                ulong routine = Second - (ulong)before;
                using SystemGuest guest = GuestWith(engine, routine, code);
                ulong results = SystemGuest.Scratch + 0x100;
                Assert.Equal(-1, guest.Run(c =>
                {
                    Label again = c.CreateLabel();
                    c.mov(r15d, 5);
                    c.mov(r14, results);
                    c.Label(ref again);
                    c.mov(eax, r15d);
                    c.mov(ecx, 2);
                    c.mov(rdi, SystemGuest.Scratch + 0x800);
                    c.cmp(r15d, 3);
                    c.call(routine);
                    c.mov(__[r14], rax);
                    c.add(r14, 8);
                    c.dec(r15d);
                    c.jne(again);
                    c.hlt();
                }));
                uint[] expected = Expected(code, routine);
                for (int i = 0; i < expected.Length; i++)
                {
                    Assert.True(expected[i] == guest.Memory.ReadUInt32(results + ((ulong)i * 8)), $"{Convert.ToHexString(code)} with {before} bytes before the page ends, round {i}: {guest.Memory.ReadUInt32(results + ((ulong)i * 8)):x}, not {expected[i]:x}.");
                }
            }
        }
    }

    // The same routine where it does not cross.
    private static uint[] Expected(byte[] code, ulong routine)
    {
        ulong place = routine - 0x800;
        using SystemGuest guest = GuestWith(EngineKind.Interpreter, place, code);
        uint[] results = new uint[5];
        for (int round = 0; round < results.Length; round++)
        {
            Assert.Equal(-1, guest.Run(c =>
            {
                c.mov(eax, 5 - round);
                c.mov(ecx, 2);
                c.mov(rdi, SystemGuest.Scratch + 0x800);
                c.cmp(eax, 3);
                c.call(place);
                c.hlt();
            }));
            bool relative = code[0] == 0x48;
            results[round] = (uint)guest.State->Gpr[0] + (relative ? 0x800u : 0);
        }

        return results;
    }

    // A routine somewhere, and what the ones above read and call.
    private static SystemGuest GuestWith(EngineKind engine, ulong routine, byte[] code)
    {
        SystemGuest guest = SystemGuest.Long(engine: engine);
        guest.State->Cr4 |= ControlBits.Cr4Osfxsr;
        guest.Memory.Write(routine, code);
        guest.Memory.WriteUInt64(SystemGuest.Scratch, 0x1234);
        guest.Memory.WriteUInt64(SystemGuest.Scratch + 8, SystemGuest.Code + 0x400);
        guest.Assemble(SystemGuest.Code + 0x400, static c =>
        {
            c.inc(eax);
            c.ret();
        });
        return guest;
    }

    private static void Expect(EngineKind engine, uint[] expected, Action<Assembler> write)
    {
        using SystemGuest guest = Guest(engine);
        Assert.Equal(-1, guest.Run(c =>
        {
            c.mov(rdi, SystemGuest.Scratch);
            write(c);
            c.hlt();
        }));
        Assert.Equal(SystemGuest.Scratch + ((ulong)expected.Length * 4), guest.State->Gpr[7]);
        Assert.Equal(expected, Enumerable.Range(0, expected.Length).Select(i => guest.Memory.ReadUInt32(SystemGuest.Scratch + ((ulong)i * 4))));
    }

    // mov eax, …; ret over two pages, the second one in two versions.
    private static SystemGuest Guest(EngineKind engine)
    {
        SystemGuest guest = SystemGuest.Long(engine: engine);
        guest.Memory.Write(Routine, [0xB8, 0x11, 0x22, 0x33, 0x44, 0xC3]);
        guest.Memory.Write(OtherFrame, [0x66, 0x77, 0x88, 0xC3]);
        guest.Memory.WriteUInt64(PageTable + ((Second + 0x1000) >> 12 << 3), Second | Rights);
        ulong[] levels = [SystemGuest.Tables, SystemGuest.Tables + 0x1000, SystemGuest.Tables + 0x2000, PageTable];
        foreach (ulong level in levels)
        {
            for (ulong entry = 0; entry < 512; entry++)
            {
                ulong value = guest.Memory.ReadUInt64(level + (entry * 8));
                bool moves = levels.Contains(value & ~0xFFFUL) && level != PageTable;
                guest.Memory.WriteUInt64(level + (OtherTables - SystemGuest.Tables) + (entry * 8), moves ? value + (OtherTables - SystemGuest.Tables) : value);
            }
        }

        guest.Memory.WriteUInt64(PageTable + (OtherTables - SystemGuest.Tables) + (Second >> 12 << 3), OtherFrame | Rights);
        return guest;
    }

    private static void Call(Assembler c, int times)
    {
        Label again = c.CreateLabel();
        c.mov(esi, times);
        c.Label(ref again);
        c.call(Routine);
        c.mov(__[rdi], eax);
        c.add(rdi, 4);
        c.dec(esi);
        c.jne(again);
    }

    private static void Map(Assembler c, ulong frame)
    {
        c.mov(rax, frame | Rights);
        c.mov(__[PageTable + (Second >> 12 << 3)], rax);
        c.invlpg(__[Second]);
    }

    private static void Switch(Assembler c, ulong root)
    {
        c.mov(rax, root);
        c.mov(cr3, rax);
    }
}
