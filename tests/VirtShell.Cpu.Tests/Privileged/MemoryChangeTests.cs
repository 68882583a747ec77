using Iced.Intel;
using VirtShell.Cpu.Memory;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>Memory that changes under a running guest: mappings, write protection, code of another processor, dirty pages.</summary>
public sealed unsafe class MemoryChangeTests
{
    private const ulong Page = SystemGuest.TestFrame;
    private const ulong Function = Page + 0x100;
    private const int Turns = 100;
    private const int Changed = 60;
    private const int InvalidOpcode = 6;

    public static TheoryData<EngineKind> Engines => [EngineKind.Interpreter, EngineKind.Translator];

    [Theory]
    [MemberData(nameof(Engines))]
    public void A_page_that_is_unmapped_in_mid_loop_is_gone_for_the_next_access(EngineKind engine)
    {
        using SystemGuest guest = SystemGuest.Long(engine: engine);
        guest.Bus.OnWrite = turn =>
        {
            if (turn == Changed)
            {
                guest.Memory.Unmap(Page, PhysicalMemory.PageSize);
            }
        };
        RunLoop(guest, static c =>
        {
            c.mov(__dword_ptr[Page], ecx);
            c.mov(eax, ecx);
            c.@out(0x80, eax);

            // Counts what it reads back.
            c.cmp(__dword_ptr[Page], ecx);
            Label other = c.CreateLabel();
            c.jne(other);
            c.inc(ebx);
            c.Label(ref other);
            c.nop();
        });
        Assert.Equal(Turns - Changed, (int)guest.Processor.GetRegister(3));
        Assert.Equal(Changed - 1, guest.Bus.MmioWrites);

        // What stood there comes back with it: the last turn that reached it wrote its number.
        guest.Memory.MapRam(Page, PhysicalMemory.PageSize);
        Assert.Equal((uint)Changed, guest.Memory.ReadUInt32(Page));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void Stores_to_a_page_that_is_protected_in_mid_loop_go_to_the_bus(EngineKind engine)
    {
        using SystemGuest guest = SystemGuest.Long(engine: engine);
        guest.Bus.OnWrite = turn =>
        {
            if (turn == Changed)
            {
                guest.Memory.MapReadOnly(Page, PhysicalMemory.PageSize);
            }
            else if (turn == 1)
            {
                guest.Memory.MapRam(Page, PhysicalMemory.PageSize);
            }
        };
        RunLoop(guest, static c =>
        {
            c.mov(eax, ecx);
            c.@out(0x80, eax);
            c.inc(__dword_ptr[Page]);
        });

        // The turn that protects the page, and those after it up to the last, which opens it again.
        Assert.Equal(Changed - 1, guest.Bus.MmioWrites);
        Assert.Equal((uint)(Turns - Changed + 1), guest.Memory.ReadUInt32(Page));
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void Code_of_a_page_that_is_unmapped_or_replaced_runs_no_more(EngineKind engine)
    {
        using SystemGuest guest = SystemGuest.Long(engine: engine);
        guest.Assemble(Function, static c =>
        {
            c.inc(ebx);
            c.ret();
        });
        guest.Bus.OnWrite = turn =>
        {
            if (turn == Changed)
            {
                // add ebx, 16; ret
                byte[] rom = new byte[PhysicalMemory.PageSize];
                ((byte[])[0x83, 0xC3, 0x10, 0xC3]).CopyTo(rom, (int)(Function - Page));
                guest.Memory.MapRom(Page, rom);
            }
            else if (turn == 1)
            {
                guest.Memory.Unmap(Page, PhysicalMemory.PageSize);
            }
        };

        // Nothing drives the bus where nothing is mapped: the last call ends in #UD.
        int vector = RunLoop(guest, static c =>
        {
            c.mov(eax, ecx);
            c.@out(0x80, eax);
            c.call(Function);
        });
        Assert.Equal(InvalidOpcode, vector);
        Assert.Equal(Turns - Changed + ((Changed - 1) * 16), (int)guest.Processor.GetRegister(3));
    }

    [Theory]
    [InlineData(EngineKind.Interpreter, EngineKind.Interpreter)]
    [InlineData(EngineKind.Translator, EngineKind.Translator)]
    [InlineData(EngineKind.Interpreter, EngineKind.Translator)]
    public void Two_processors_on_one_memory_see_each_others_changes_of_code(EngineKind first, EngineKind second)
    {
        using SystemGuest guest = SystemGuest.Long(engine: first);
        TestBus otherBus = new();
        using Vcpu other = new(guest.Memory, otherBus, CpuModel.X86_64_V3, engine: second) { TranslationThreshold = 1 };
        Vcpu[] processors = [guest.Processor, other];
        foreach (Vcpu processor in processors)
        {
            processor.EnterLong64(SystemGuest.Code, SystemGuest.Tables, SystemGuest.Code0, SystemGuest.Data0, SystemGuest.Gdt, 0x7F);
            processor.SetRegister(4, SystemGuest.BootStack);
        }

        guest.Assemble(Function, static c =>
        {
            c.mov(ebx, 0);
            c.ret();
        });

        // In turns: each calls the function, whose immediate is then changed by the one that has just called.
        guest.Assemble(SystemGuest.Code, static c =>
        {
            Label again = c.CreateLabel();
            c.Label(ref again);
            c.mov(rax, Function);
            c.call(rax);
            c.hlt();
            c.inc(__dword_ptr[Function + 1]);
            c.hlt();
            c.jmp(again);
        });
        for (int turn = 0; turn < Turns; turn++)
        {
            Vcpu processor = processors[turn % 2];
            foreach (Vcpu each in processors)
            {
                RunToHalt(each);
                Assert.Equal((ulong)turn, each.GetRegister(3));
            }

            RunToHalt(processor);

            // The other one passes its store: it comes to its next call without.
            Vcpu idle = processors[(turn + 1) % 2];
            idle.State->Rip = processor.State->Rip;
            Assert.Equal((uint)(turn + 1), guest.Memory.ReadUInt32(Function + 1));
        }
    }

    [Theory]
    [MemberData(nameof(Engines))]
    public void Dirty_pages_are_those_written_since_they_were_last_asked_for(EngineKind engine)
    {
        using SystemGuest guest = SystemGuest.Long(engine: engine);
        guest.Memory.BeginDirtyPages();
        Assert.Empty(guest.Memory.DirtyPages());
        for (int round = 0; round < 3; round++)
        {
            // By the guest, by a device, and by a page walk, which marks the page table's entry as dirty.
            guest.SetTestPage(0x3);
            guest.Memory.BeginDirtyPages();
            guest.Processor.State->Rip = SystemGuest.Code;
            guest.Assemble(SystemGuest.Code, static c =>
            {
                c.mov(rdi, SystemGuest.TestPage);
                c.invlpg(__byte_ptr[rdi]);
                c.mov(__qword_ptr[rdi], rdi);
                c.mov(__qword_ptr[rdi + 8], rdi);
                c.mov(rdi, SystemGuest.Scratch);
                c.mov(ecx, 4096 / 8 * 2);
                c.rep.stosq();
                c.hlt();
            });
            guest.Memory.Write(SystemGuest.Scratch + 0x5000, [1]);
            guest.Memory.Read(SystemGuest.Scratch + 0x7000, new byte[1]);
            Assert.Equal(-1, guest.Continue());
            ulong[] dirty = [.. guest.Memory.DirtyPages()];
            Assert.All(
                (ulong[])[SystemGuest.Code, SystemGuest.Scratch, SystemGuest.Scratch + 0x1000, SystemGuest.Scratch + 0x5000, SystemGuest.Tables + 0x5000, SystemGuest.TestFrame],
                page => Assert.Contains(page, dirty));
            Assert.DoesNotContain(SystemGuest.Scratch + 0x2000, dirty);
            Assert.DoesNotContain(SystemGuest.Scratch + 0x7000, dirty);
            Assert.DoesNotContain(SystemGuest.UserCode, dirty);
        }
    }

    /// <summary>Taking note of what is written changes nothing that the guest sees, not even when its page tables are walked, and drops no code.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void Asking_for_dirty_pages_in_mid_loop_changes_nothing(EngineKind engine)
    {
        (ulong Sum, ulong Hash, long Dropped)[] runs = new (ulong, ulong, long)[2];
        for (int run = 0; run < runs.Length; run++)
        {
            using SystemGuest guest = SystemGuest.Long(engine: engine);
            guest.SetTestPage(0x3);
            ulong[] dirty = [];
            if (run == 1)
            {
                guest.Memory.BeginDirtyPages();
                guest.Bus.OnWrite = turn =>
                {
                    // All of what the guest wrote since the turn before, whatever it had checked by then.
                    dirty = [.. guest.Memory.DirtyPages()];
                    Assert.Contains(SystemGuest.TestFrame, dirty);
                    guest.Memory.BeginDirtyPages();
                };
            }

            Assert.Equal(-1, RunLoop(guest, static c =>
            {
                c.mov(rdi, SystemGuest.TestPage);
                c.mov(__qword_ptr[rdi], rcx);
                c.add(rbx, __qword_ptr[rdi + 8]);
                c.mov(eax, ecx);
                c.@out(0x80, eax);
                c.mov(__qword_ptr[rdi + 8], rcx);
                c.mov(__qword_ptr[rdi + 16], rcx);
            }));
            runs[run] = (guest.Processor.GetRegister(3), guest.Memory.Hash(), guest.Processor.Statistics.BlocksInvalidated);
        }

        Assert.Equal(runs[0], runs[1]);
    }

    // A loop that counts ECX down from the number of turns, through a block of its own; gives the vector that ends it.
    private static int RunLoop(SystemGuest guest, System.Action<Assembler> body) => guest.Run(c =>
    {
        Label again = c.CreateLabel();
        c.xor(ebx, ebx);
        c.mov(ecx, Turns);
        c.Label(ref again);
        body(c);
        c.dec(ecx);
        c.jne(again);
        c.hlt();
    });

    private static void RunToHalt(Vcpu processor)
    {
        processor.State->Halted = 0;
        Assert.Equal(ExitReason.Halted, processor.Run(1000));
    }
}
