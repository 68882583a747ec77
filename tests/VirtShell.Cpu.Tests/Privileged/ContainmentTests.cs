using System.Collections.Generic;
using Iced.Intel;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Translation;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>What a guest could do to the process if emitted code trusted it; each must come out as in the interpreter.</summary>
public sealed unsafe class ContainmentTests
{
    public static TheoryData<EngineKind> Engines => [EngineKind.Interpreter, EngineKind.Translator];

    /// <summary>The words that mark unused entries of the jump tables are RIPs that a guest can name.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void A_jump_to_what_marks_an_unused_entry_faults(EngineKind engine)
    {
        foreach (ulong target in (ulong[])[1UL << 63, (1UL << 63) | 1, (1UL << 63) | 2, (1UL << 63) | 0x20])
        {
            foreach (bool call in (bool[])[false, true])
            {
                using SystemGuest guest = SystemGuest.Long(engine: engine);
                guest.State->Gpr[1] = target;
                Assert.Equal(Vector.GeneralProtection, guest.Run(c =>
                {
                    // Some targets of its own, so that there is a table.
                    Label next = c.CreateLabel();
                    c.lea(rax, __[next]);
                    c.jmp(rax);
                    c.Label(ref next);
                    if (call)
                    {
                        c.call(rcx);
                    }
                    else
                    {
                        c.jmp(rcx);
                    }
                }));
            }
        }
    }

    /// <summary>A page table that is also the running block: the walk changes the code behind the access that needs it.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void A_walk_that_changes_the_running_block_is_seen_by_the_next_instruction(EngineKind engine)
    {
        foreach (bool write in (bool[])[false, true])
        {
            using SystemGuest guest = SystemGuest.Long(engine: engine);
            guest.Memory.WriteUInt64(SystemGuest.Tables + 0x2000 + 16, SystemGuest.Code | 7);
            guest.State->Gpr[3] = SystemGuest.TestPage + 0x1000;
            Assert.Equal(-1, guest.Run(c =>
            {
                if (write)
                {
                    c.mov(__[rbx], rcx);
                }
                else
                {
                    c.mov(rcx, __[rbx]);
                }

                // The immediate of MOV is entry 1 of the table.
                c.nop();
                c.nop();
                c.nop();
                c.mov(rax, 0x7FF0_0000_0020_0007);
                c.hlt();
            }));
            Assert.Equal(0x7FF0_0000_0020_0007UL | (write ? 0x60UL : 0x20), guest.State->Gpr[0]);
        }
    }

    /// <summary>VEX instructions with OSXSAVE alone: MXCSR is the guest's there too.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void Avx_without_sse_uses_the_guests_mxcsr(EngineKind engine)
    {
        using SystemGuest guest = SystemGuest.Long(engine: engine);
        guest.State->Cr4 = (guest.State->Cr4 | ControlBits.Cr4Osxsave) & ~ControlBits.Cr4Osfxsr;
        guest.State->Xcr0 = 7;
        guest.State->Mxcsr = 0x7F80;
        guest.Processor.UpdateMode();
        Assert.Equal(-1, guest.Run(static c =>
        {
            c.mov(eax, 1);
            c.vcvtsi2ss(xmm0, xmm0, eax);
            c.mov(eax, 3);
            c.vcvtsi2ss(xmm1, xmm1, eax);
            c.vdivss(xmm2, xmm0, xmm1);
            c.vmovd(eax, xmm2);
            c.hlt();
        }));
        Assert.Equal(0x3EAA_AAAAUL, guest.State->Gpr[0]);
        Assert.Equal(0x7FA0u, guest.State->Mxcsr);
    }

    /// <summary>Code that is not translated yet: the interpreter's block reaches beyond CS's limit where the page does.</summary>
    [Theory]
    [MemberData(nameof(Engines))]
    public void An_instruction_across_the_limit_faults_in_cold_code(EngineKind engine)
    {
        using SystemGuest guest = SystemGuest.Protected(engine: engine);
        guest.Processor.TranslationThreshold = 100;
        guest.Processor.Reset();
        guest.State->IdtLimit = 0;
        guest.Processor.SetRealSegment(SegmentIndex.Cs, 0x1001);
        guest.State->Rip = 0xFFF0;
        guest.Memory.Write(0x2_0000, [0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x31, 0xC0]);
        Assert.Equal(ExitReason.Shutdown, guest.Processor.Run(100));
        Assert.Equal(0xFFFFUL, guest.State->Rip);
    }

    [Fact]
    public void Tables_of_branch_targets_are_bounded()
    {
        using SystemGuest guest = SystemGuest.Long();
        List<JumpTable> tables = [];
        for (int key = 0; key < TranslationKey.Count; key++)
        {
            tables.Add(guest.Processor.Mmu.Jumps(key));
        }

        Assert.NotEqual(0, tables[^1].Address);
        Assert.InRange(tables.FindAll(static t => t.Address != 0).Count, 1, 32);
    }

    [Fact]
    public void A_saved_mxcsr_is_cut_to_bits_that_exist()
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.State->Mxcsr = uint.MaxValue;
        SavedState.Load(guest.Processor, SavedState.Of(guest.Processor));
        Assert.Equal(0xFFFFu, guest.State->Mxcsr);
    }
}
