using System;
using System.Linq;
using Iced.Intel;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>
/// One access of user code again and again, while the mapping of its page changes in every way (SDM Vol. 3A §4.10): what a translation keeps of the TLB
/// must not outlive what the TLB has.
/// </summary>
public sealed unsafe class TlbSitesTests
{
    private const ulong Rights = 7;
    private const ulong ReadOnly = 5;
    private const ulong Page = SystemGuest.TestPage;
    private const ulong Frame = SystemGuest.TestFrame;
    private const ulong OtherFrame = SystemGuest.TestFrame + 0x1000;

    /// <summary>Linear pages so far apart have the same place in the TLB.</summary>
    private const ulong Far = Page + (16 << 20);
    private const ulong FarTable = SystemGuest.Tables + 0x6000;
    private const ulong OtherTables = SystemGuest.Tables + 0x1_0000;
    private const ulong PageEntry = SystemGuest.Tables + 0x5000;
    private const ulong Kernel = SystemGuest.Code + 0x400;
    private const ulong Results = SystemGuest.Scratch;
    private const int MapOnly = 0x31;
    private const int MapAndFlush = 0x32;
    private const int SwitchSpace = 0x33;
    private const ulong InFrame = 0x1111;
    private const ulong InOther = 0x2222;
    private const ulong InFar = 0x3333;

    public static TheoryData<EngineKind> Engines => [EngineKind.Interpreter, EngineKind.Translator];

    [Theory]
    [MemberData(nameof(Engines))]
    public void A_flushed_page_is_looked_up_again(EngineKind engine) => Expect(engine, 6, [InFrame, InFrame, InOther, InOther, InFrame], static c =>
    {
        Read(c, Page, 2);
        Map(c, MapAndFlush, OtherFrame | Rights);
        Read(c, Page, 2);
        Map(c, MapAndFlush, Frame | Rights);
        Read(c, Page, 1);
    });

    /// <summary>What no INVLPG has told of stays as it was for as long as the TLB has it, and no longer.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void A_page_that_is_driven_out_is_looked_up_again(EngineKind engine) => Expect(engine, 6, [InFrame, InFrame, InFrame, InFrame, InFar, InOther, InOther, InFar, InOther], static c =>
    {
        Read(c, Page, 2);
        Map(c, MapOnly, OtherFrame | Rights);
        Read(c, Page, 2);
        ReadFar(c);
        Read(c, Page, 2);
        ReadFar(c);
        Read(c, Page, 1);
    });

    [Theory]
    [MemberData(nameof(Engines))]
    public void A_page_that_may_no_longer_be_written_faults(EngineKind engine) => Expect(engine, 14, [InFrame, InFrame + 1, InFrame + 2, InFrame + 2, InFrame + 2], static c =>
    {
        Read(c, Page, 1);
        Increment(c, 2);
        Read(c, Page, 1);
        Map(c, MapAndFlush, Frame | ReadOnly);
        Read(c, Page, 1);
        Increment(c, 1);
    }, increments: true);

    [Theory]
    [MemberData(nameof(Engines))]
    public void Another_address_space_has_its_own(EngineKind engine) => Expect(engine, 6, [InFrame, InFrame, InOther, InOther, InFrame, InOther], static c =>
    {
        Read(c, Page, 2);
        Map(c, SwitchSpace, OtherTables);
        Read(c, Page, 2);
        Map(c, SwitchSpace, SystemGuest.Tables);
        Read(c, Page, 1);
        Map(c, SwitchSpace, OtherTables);
        Read(c, Page, 1);
    });

    /// <summary>With PCIDs nothing is flushed on the way.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void Address_spaces_that_are_kept_have_their_own(EngineKind engine) => Expect(engine, 6, [InFrame, InFrame, InOther, InOther, InFrame, InOther, InFrame], static c =>
    {
        const ulong Keep = 1UL << 63;
        Read(c, Page, 2);
        Map(c, SwitchSpace, OtherTables | 2);
        Read(c, Page, 2);
        Map(c, SwitchSpace, Keep | SystemGuest.Tables);
        Read(c, Page, 1);
        Map(c, SwitchSpace, Keep | OtherTables | 2);
        Read(c, Page, 1);
        Map(c, SwitchSpace, Keep | SystemGuest.Tables);
        Read(c, Page, 1);
    }, pcids: true);

    /// <summary>More sites than the list of those with copies holds.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void Many_sites_are_dropped_at_once(EngineKind engine)
    {
        const int Sites = 300;
        using SystemGuest guest = Guest(engine, pcids: false);
        guest.Assemble(SystemGuest.Scratch + 0x2000, static c =>
        {
            for (int i = 0; i < Sites; i++)
            {
                // A block each.
                Label next = c.CreateLabel();
                c.mov(rax, __[rbx]);
                c.add(rcx, rax);
                c.call(next);
                c.Label(ref next);
                c.add(rsp, 8);
            }

            c.jmp(r12);
        });
        int vector = guest.RunUser(static c =>
        {
            c.mov(rbx, Page);
            c.mov(rdi, Results);
            for (int i = 0; i < 3; i++)
            {
                Label back = c.CreateLabel();
                c.xor(ecx, ecx);
                c.lea(r12, __[back]);
                c.jmp(SystemGuest.Scratch + 0x2000);
                c.Label(ref back);
                c.mov(__[rdi], rcx);
                c.add(rdi, 8);
                Map(c, MapAndFlush, (i == 0 ? OtherFrame : Frame) | Rights);
            }

            c.ud2();
        });
        Assert.Equal(6, vector);
        Assert.Equal([Sites * InFrame, Sites * InOther, Sites * InFrame], Enumerable.Range(0, 3).Select(i => guest.Memory.ReadUInt64(Results + ((ulong)i * 8))));
    }

    private static void Expect(EngineKind engine, int end, ulong[] expected, Action<Assembler> write, bool pcids = false, bool increments = false)
    {
        using SystemGuest guest = Guest(engine, pcids);
        guest.Assemble(SystemGuest.Scratch + 0x2000, c =>
        {
            if (increments)
            {
                c.test(esi, esi);
                Label read = c.CreateLabel();
                c.je(read);
                c.inc(__qword_ptr[rbx]);
                c.Label(ref read);
            }

            c.mov(rax, __[rbx]);
            c.mov(__[rdi], rax);
            c.add(rdi, 8);
            c.jmp(r12);
        });
        Assert.Equal(end, guest.RunUser(c =>
        {
            c.mov(rdi, Results);
            c.xor(esi, esi);
            write(c);
            c.ud2();
        }));
        Assert.Equal(expected, Enumerable.Range(0, expected.Length).Select(i => guest.Memory.ReadUInt64(Results + ((ulong)i * 8))));
        Assert.Equal(0UL, guest.Memory.ReadUInt64(Results + ((ulong)expected.Length * 8)));
    }

    private static SystemGuest Guest(EngineKind engine, bool pcids)
    {
        SystemGuest guest = SystemGuest.Long(engine: engine);
        guest.SetTestPage(Rights);
        guest.Memory.WriteUInt64(Frame, InFrame);
        guest.Memory.WriteUInt64(OtherFrame, InOther);
        guest.Memory.WriteUInt64(Frame + 0x2000, InFar);
        guest.Memory.WriteUInt64(SystemGuest.Tables + 0x2000 + (Far >> 21 << 3), FarTable | Rights);
        guest.Memory.WriteUInt64(FarTable, (Frame + 0x2000) | Rights);
        ulong[] tables = [.. Enumerable.Range(0, 6).Select(static i => SystemGuest.Tables + ((ulong)i * 0x1000))];
        foreach (ulong table in tables)
        {
            for (ulong entry = 0; entry < 512; entry++)
            {
                ulong value = guest.Memory.ReadUInt64(table + (entry * 8));
                bool points = table < SystemGuest.Tables + 0x3000 && tables.Contains(value & ~0xFFFUL);
                guest.Memory.WriteUInt64(table + (OtherTables - SystemGuest.Tables) + (entry * 8), points ? value + (OtherTables - SystemGuest.Tables) : value);
            }
        }

        guest.Memory.WriteUInt64(PageEntry + (OtherTables - SystemGuest.Tables), OtherFrame | Rights);
        ulong next = Kernel;
        foreach (int vector in (int[])[MapOnly, MapAndFlush, SwitchSpace])
        {
            guest.SetGate(vector, SystemGuest.Interrupt32, dpl: 3, offset: next);
            next = guest.Assemble(next, c =>
            {
                switch (vector)
                {
                    case SwitchSpace:
                        c.mov(cr3, r8);
                        break;
                    default:
                        c.mov(__[PageEntry], r8);
                        break;
                }

                if (vector == MapAndFlush)
                {
                    c.invlpg(__[Page]);
                }

                c.iretq();
            });
        }

        if (pcids)
        {
            guest.State->Cr4 |= ControlBits.Cr4Pcide;
            guest.Processor.DropCaches();
        }

        return guest;
    }

    private static void Read(Assembler c, ulong page, int times)
    {
        c.mov(rbx, page);
        for (int i = 0; i < times; i++)
        {
            Label back = c.CreateLabel();
            c.lea(r12, __[back]);
            c.jmp(SystemGuest.Scratch + 0x2000);
            c.Label(ref back);
        }
    }

    // By code of its own.
    private static void ReadFar(Assembler c)
    {
        c.mov(rdx, Far);
        c.mov(rax, __[rdx]);
        c.mov(__[rdi], rax);
        c.add(rdi, 8);
    }

    private static void Increment(Assembler c, int times)
    {
        c.mov(esi, 1);
        Read(c, Page, times);
        c.xor(esi, esi);
    }

    private static void Map(Assembler c, int vector, ulong value)
    {
        c.mov(r8, value);
        c.@int((byte)vector);
    }
}
