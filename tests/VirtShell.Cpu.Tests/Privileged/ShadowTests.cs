using VirtShell.Cpu.Execution;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>When interrupts, NMIs and traps are held off, and in which order they come (SDM Vol. 3A §6.7, §6.8.3, §6.9).</summary>
public sealed unsafe class ShadowTests
{
    [Fact]
    public void Mov_ss_holds_interrupts_and_nmis_off_for_one_instruction()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Bus.InterruptVector = 0x40;
        guest.Assemble(SystemGuest.Code, static c =>
        {
            c.mov(ss, ax);
            c.inc(ebx);
            c.inc(ebx);
        });
        foreach (bool nmi in new[] { false, true })
        {
            guest.State->Gpr[0] = SystemGuest.Data0;
            guest.State->Gpr[3] = 0;
            guest.State->Gpr[4] = SystemGuest.BootStack;
            guest.State->FlagsRest |= Flags.Interrupt;
            guest.State->Rip = SystemGuest.Code;
            guest.State->Halted = 0;
            guest.Processor.Run(1);
            if (nmi)
            {
                guest.Processor.RaiseNmi();
            }

            guest.Processor.SetInterruptRequest(!nmi);
            Assert.Equal(nmi ? Vector.Nmi : 0x40, guest.Continue());
            Assert.Equal(1UL, guest.State->Gpr[3]);
            guest.Processor.SetInterruptRequest(false);
        }
    }

    [Fact]
    public void A_stop_request_in_a_repeated_instruction_costs_no_instruction()
    {
        // Where slices end is part of the instruction count, and when the host asks for a stop is not.
        long[] retired = new long[2];
        for (int stop = 0; stop < 2; stop++)
        {
            using SystemGuest guest = SystemGuest.Protected();
            int reads = 0;
            Vcpu processor = guest.Processor;
            guest.Bus.OnRead = stop == 0 ? null : () =>
            {
                if (reads++ % 7 == 3)
                {
                    processor.RequestStop();
                }
            };
            guest.State->Gpr[1] = 500;
            guest.State->Gpr[7] = SystemGuest.Scratch;
            guest.Assemble(SystemGuest.Code, static c =>
            {
                c.rep.insb();
                c.hlt();
            });
            guest.State->Rip = SystemGuest.Code;
            ExitReason reason;
            do
            {
                reason = processor.Run(1000);
            }
            while (reason == ExitReason.StopRequested);
            Assert.Equal(ExitReason.Halted, reason);
            retired[stop] = processor.InstructionsRetired;
        }

        Assert.Equal(retired[0], retired[1]);
    }

    [Fact]
    public void Sti_with_interrupts_open_casts_no_shadow()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Bus.InterruptVector = 0x40;
        guest.State->FlagsRest |= Flags.Interrupt;
        guest.Assemble(SystemGuest.Code, static c =>
        {
            c.sti();
            c.inc(ebx);
        });
        guest.State->Rip = SystemGuest.Code;
        guest.Processor.Run(1);
        guest.Processor.SetInterruptRequest(true);
        Assert.Equal(0x40, guest.Continue());
        Assert.Equal(0UL, guest.State->Gpr[3]);
        Assert.Equal(SystemGuest.Code + 1, guest.Stack(0));
    }

    [Fact]
    public void Sti_before_hlt_wakes_at_once()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Bus.InterruptVector = 0x40;
        guest.Processor.SetInterruptRequest(true);
        Assert.Equal(0x40, guest.Run(static c =>
        {
            c.sti();
            c.hlt();
            c.inc(ebx);
        }));
        Assert.Equal(SystemGuest.Code + 2, guest.Stack(0));
    }

    [Fact]
    public void Cli_behind_sti_leaves_no_opening()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Bus.InterruptVector = 0x40;
        guest.Processor.SetInterruptRequest(true);
        Assert.Equal(0x30, guest.Run(static c =>
        {
            c.sti();
            c.cli();
            c.nop();
            c.@int(0x30);
        }));
    }

    [Fact]
    public void Popf_opens_interrupts_without_a_shadow()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Bus.InterruptVector = 0x40;
        guest.Processor.SetInterruptRequest(true);
        Assert.Equal(0x40, guest.Run(static c =>
        {
            c.push(0x202);
            c.popfd();
            c.inc(ebx);
        }));
        Assert.Equal(0UL, guest.State->Gpr[3]);
    }

    [Fact]
    public void An_nmi_wakes_a_halted_processor_with_interrupts_off()
    {
        using SystemGuest guest = SystemGuest.Protected();
        Assert.Equal(-1, guest.Run(static c =>
        {
            c.hlt();
            c.inc(ebx);
        }));
        guest.Bus.InterruptVector = 0x40;
        guest.Processor.SetInterruptRequest(true);
        Assert.Equal(ExitReason.Halted, guest.Processor.Run(10));
        guest.Processor.RaiseNmi();
        guest.Processor.Run(1);
        Assert.Equal(SystemGuest.Handlers + (Vector.Nmi * 16) + 1, guest.State->Rip);
    }

    [Fact]
    public void A_trap_comes_before_an_nmi_and_that_before_an_interrupt()
    {
        // SDM Vol. 3A table 6-2: traps on the previous instruction, NMI, maskable interrupts.
        using SystemGuest guest = SystemGuest.Protected();
        guest.Bus.InterruptVector = 0x40;
        guest.State->FlagsRest |= Flags.Interrupt;
        guest.State->Dr[0] = SystemGuest.Scratch;
        guest.State->Dr[7] = 0x402 | (0xDu << 16);
        guest.Processor.UpdateBreakpoints();
        guest.Assemble(SystemGuest.Code, static c => c.mov(__dword_ptr[(int)SystemGuest.Scratch], eax));
        foreach (int vector in new[] { Vector.Debug, Vector.Nmi, 0x40 })
        {
            guest.Assemble(SystemGuest.Handlers + ((ulong)vector * 16), static c =>
            {
                c.nop();
                c.hlt();
            });
        }

        guest.State->Rip = SystemGuest.Code;
        guest.Processor.Run(1);
        guest.Processor.RaiseNmi();
        guest.Processor.SetInterruptRequest(true);
        guest.Processor.Run(1);

        // Entered one into the other, the last one on top: each return address tells what was interrupted.
        Assert.Equal(SystemGuest.Handlers + (Vector.Nmi * 16) + 1, guest.State->Rip);
        Assert.Equal(SystemGuest.Handlers + (Vector.Debug * 16), guest.Stack(0));
        Assert.Equal(SystemGuest.Code + 5, guest.Stack(3));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Iret_unblocks_nmis_also_where_it_is_not_the_handlers_own(bool second)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Assemble(SystemGuest.Handlers + (Vector.Nmi * 16), static c =>
        {
            c.inc(ebx);
            c.nop();
            c.hlt();
        });
        guest.Assemble(SystemGuest.Code, static c =>
        {
            c.nop();
            c.nop();
        });
        guest.State->Rip = SystemGuest.Code;
        guest.Processor.RaiseNmi();
        guest.Processor.Run(1);
        if (second)
        {
            // An IRET inside of the handler, to its next instruction.
            ulong sp = SystemGuest.BootStack - 0x40;
            guest.Memory.WriteUInt32(sp, (uint)(SystemGuest.Handlers + (Vector.Nmi * 16) + 1));
            guest.Memory.WriteUInt32(sp + 4, SystemGuest.Code0);
            guest.Memory.WriteUInt32(sp + 8, 2);
            guest.State->Gpr[4] = sp;
            guest.Assemble(SystemGuest.Code + 0x100, static c => c.iretd());
            guest.State->Rip = SystemGuest.Code + 0x100;
            guest.Processor.Run(1);
        }

        guest.Processor.RaiseNmi();
        guest.Processor.Run(1);
        Assert.Equal(second ? 2UL : 1UL, guest.State->Gpr[3]);
    }

    /// <summary>SDM Vol. 3A §6.7.1: where the IRET faults, NMIs are unblocked before the handler of its exception is invoked.</summary>
    [Theory]
    [InlineData(32)]
    [InlineData(64)]
    public void An_iret_that_faults_unblocks_nmis_before_the_faults_handler_begins(int bits)
    {
        using SystemGuest guest = bits == 64 ? SystemGuest.Long() : SystemGuest.Protected();
        guest.Assemble(SystemGuest.Handlers + (Vector.Nmi * 16), static c =>
        {
            c.inc(ebx);
            c.hlt();
        });
        guest.Assemble(SystemGuest.Handlers + (Vector.GeneralProtection * 16), static c =>
        {
            c.inc(esi);
            c.hlt();
        });

        // Its own return would go to a data segment.
        ulong frame = SystemGuest.BootStack - 0x40;
        for (ulong i = 0; i < 5; i++)
        {
            guest.Memory.WriteUInt64(frame + (i * 8), SystemGuest.Data0 | ((ulong)SystemGuest.Data0 << 32));
        }

        guest.Assemble(SystemGuest.Code, static c => c.nop());
        guest.Assemble(SystemGuest.Code + 0x100, c =>
        {
            if (bits == 64)
            {
                c.iretq();
            }
            else
            {
                c.iretd();
            }
        });
        guest.State->Rip = SystemGuest.Code;
        guest.Processor.RaiseNmi();
        guest.Processor.Run(1);
        Assert.Equal(1UL, guest.State->Gpr[3]);
        guest.Processor.RaiseNmi();
        guest.State->Gpr[4] = frame;
        guest.State->Rip = SystemGuest.Code + 0x100;
        Assert.Equal(ExitReason.Halted, guest.Processor.Run(10));

        // The second NMI has interrupted the handler of #GP before its first instruction.
        Assert.Equal(2UL, guest.State->Gpr[3]);
        Assert.Equal(0UL, guest.State->Gpr[6]);
        Assert.Equal(SystemGuest.Handlers + (Vector.GeneralProtection * 16), guest.Stack(0));
        Assert.Equal((ulong)SystemGuest.Data0 & 0xFFF8, guest.Stack(bits == 64 ? 5 : 3));
    }

    /// <summary>What keeps an IRET from being executed at all (here a fetch that faults) leaves NMIs blocked.</summary>
    [Fact]
    public void An_iret_that_is_not_reached_leaves_nmis_blocked()
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.SetTestPage(0);
        guest.Assemble(SystemGuest.Handlers + (Vector.Nmi * 16), static c =>
        {
            c.inc(ebx);
            c.hlt();
        });
        guest.Assemble(SystemGuest.Handlers + (Vector.PageFault * 16), static c =>
        {
            c.inc(esi);
            c.hlt();
        });
        guest.Memory.Write(SystemGuest.TestFrame, [0x48, 0xCF]);
        guest.Assemble(SystemGuest.Code, static c => c.nop());
        guest.State->Rip = SystemGuest.Code;
        guest.Processor.RaiseNmi();
        guest.Processor.Run(1);
        guest.Processor.RaiseNmi();
        guest.State->Rip = SystemGuest.TestPage;
        Assert.Equal(ExitReason.Halted, guest.Processor.Run(10));
        Assert.Equal((1UL, 1UL), (guest.State->Gpr[3], guest.State->Gpr[6]));
    }
}
