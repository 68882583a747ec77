using VirtShell.Cpu.Execution;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>Single-stepping, breakpoints, INT1, general detect, interrupt shadows (SDM Vol. 3B chapter 18, Vol. 3A §6.8.3).</summary>
public sealed unsafe class DebugTests
{
    private const ulong SingleStep = 0x4000;
    private const ulong Detected = 0x2000;

    [Fact]
    public void Popf_with_tf_traps_after_the_next_instruction()
    {
        using SystemGuest guest = SystemGuest.Protected();
        Assert.Equal(Vector.Debug, guest.Run(static c =>
        {
            c.push(0x102);
            c.popfd();
            c.mov(ebx, 1);
            c.mov(ebx, 2);
        }));
        Assert.Equal(1UL, guest.State->Gpr[3]);
        Assert.Equal(SingleStep, guest.State->Dr[6] & 0xF00F);
        Assert.Equal(SystemGuest.Code + 11, guest.Stack(0));
        Assert.NotEqual(0UL, guest.Stack(2) & Flags.Trap);
        Assert.Equal(0u, guest.State->FlagsRest & Flags.Trap);
    }

    [Fact]
    public void The_guests_single_step_works_while_the_host_has_breakpoints()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Processor.Breakpoints.Add(SystemGuest.Code + 0x500);
        Assert.Equal(Vector.Debug, guest.Run(static c =>
        {
            c.push(0x102);
            c.popfd();
            c.mov(ebx, 1);
            c.mov(ebx, 2);
        }));
        Assert.Equal(1UL, guest.State->Gpr[3]);
        guest.Processor.Breakpoints.Add(SystemGuest.Code + 5);
        guest.State->Gpr[4] = SystemGuest.BootStack;
        guest.State->Rip = SystemGuest.Code;
        guest.State->Halted = 0;
        Assert.Equal(ExitReason.Breakpoint, guest.Processor.Run(100));
        Assert.Equal(SystemGuest.Code + 5, guest.State->Rip);
    }

    [Fact]
    public void Mov_ss_holds_the_trap_off_for_one_instruction()
    {
        using SystemGuest guest = SystemGuest.Protected();
        Assert.Equal(Vector.Debug, guest.Run(static c =>
        {
            c.mov(ax, ss);
            c.push(0x102);
            c.popfd();
            c.mov(ss, ax);
            c.mov(ebx, 1);
            c.mov(ebx, 2);
        }));
        Assert.Equal(1UL, guest.State->Gpr[3]);
    }

    public static TheoryData<byte[]> Repeated => new() { new byte[] { 0xF3, 0xA4 }, new byte[] { 0xF3, 0xAA }, new byte[] { 0xF3, 0xAC }, new byte[] { 0xF3, 0xA6 } };

    [Theory]
    [MemberData(nameof(Repeated))]
    public void A_repeated_string_instruction_traps_after_each_iteration(byte[] instruction)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.State->Gpr[6] = SystemGuest.Scratch;
        guest.State->Gpr[7] = SystemGuest.Scratch + 0x100;
        guest.State->Gpr[1] = 5;
        Assert.Equal(Vector.Debug, guest.Run(c =>
        {
            c.push(0x102);
            c.popfd();
            c.db(instruction);
            c.hlt();
        }));
        Assert.Equal(4UL, guest.State->Gpr[1]);
        Assert.Equal(SystemGuest.Code + 6, guest.Stack(0));
    }

    [Fact]
    public void A_software_interrupt_is_not_followed_by_its_trap()
    {
        using SystemGuest guest = SystemGuest.Protected();
        Assert.Equal(0x30, guest.Run(static c =>
        {
            c.push(0x102);
            c.popfd();
            c.@int(0x30);
        }));
        Assert.NotEqual(0UL, guest.Stack(2) & Flags.Trap);
    }

    [Fact]
    public void An_instruction_breakpoint_faults_before_its_instruction_and_rf_steps_over_it()
    {
        using SystemGuest guest = SystemGuest.Protected();
        ulong target = SystemGuest.Code + 5;
        guest.State->Dr[0] = target;
        guest.State->Dr[7] = 0x402;
        guest.Processor.UpdateBreakpoints();
        Assert.Equal(Vector.Debug, guest.Run(static c =>
        {
            c.mov(ebx, 1);
            c.mov(ebx, 2);
            c.@int(0x30);
        }));
        Assert.Equal(1UL, guest.State->Gpr[3]);
        Assert.Equal(target, guest.Stack(0));
        Assert.Equal(1UL, guest.State->Dr[6] & 15);
        // The handler returns with RF set, once; coming by again, it faults again.
        guest.Memory.WriteUInt32(guest.State->Gpr[4] + 8, guest.Memory.ReadUInt32(guest.State->Gpr[4] + 8) | Flags.Resume);
        guest.Assemble(SystemGuest.Code + 0x300, static c => c.iretd());
        guest.State->Rip = SystemGuest.Code + 0x300;
        Assert.Equal(0x30, guest.Continue());
        Assert.Equal(2UL, guest.State->Gpr[3]);
        Assert.Equal(0UL, guest.Stack(2) & Flags.Resume);
        guest.State->Gpr[4] = SystemGuest.BootStack;
        guest.State->Rip = SystemGuest.Code;
        Assert.Equal(Vector.Debug, guest.Continue());
    }

    [Theory]
    [InlineData(1u, 0u, true, true)]
    [InlineData(1u, 0u, false, false)]
    [InlineData(3u, 0u, false, true)]
    [InlineData(3u, 3u, false, true)]
    public void A_data_breakpoint_traps_after_the_access(uint kind, uint length, bool write, bool hits)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.State->Dr[1] = SystemGuest.Scratch;
        guest.State->Dr[7] = 0x400 | 8 | ((kind | (length << 2)) << 20);
        guest.Processor.UpdateBreakpoints();
        int vector = guest.Run(c =>
        {
            if (write)
            {
                c.mov(__dword_ptr[(int)SystemGuest.Scratch], eax);
            }
            else
            {
                c.mov(eax, __dword_ptr[(int)SystemGuest.Scratch]);
            }

            c.mov(ebx, 1);
            c.@int(0x30);
        });
        Assert.Equal(hits ? Vector.Debug : 0x30, vector);
        if (hits)
        {
            Assert.Equal(2UL, guest.State->Dr[6] & 15);
            Assert.Equal(0UL, guest.State->Gpr[3]);
        }
    }

    [Theory]
    [InlineData(0x60, true, true)]
    [InlineData(0x61, true, false)]
    [InlineData(0x60, false, false)]
    public void An_io_breakpoint_traps_after_the_access_where_debug_extensions_are_on(int port, bool extensions, bool hits)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.State->Dr[2] = 0x60;
        guest.State->Dr[7] = 0x400 | 0x20 | (2u << 24);
        guest.State->Cr4 |= extensions ? ControlBits.Cr4De : 0;
        guest.Processor.UpdateBreakpoints();
        Assert.Equal(hits ? Vector.Debug : 0x30, guest.Run(c =>
        {
            c.@in(al, (byte)port);
            c.@int(0x30);
        }));
        Assert.Equal((uint)port, guest.Bus.LastPort);
        if (hits)
        {
            Assert.Equal(4UL, guest.State->Dr[6] & 15);
            Assert.Equal(SystemGuest.Code + 2, guest.Stack(0));
        }
    }

    /// <summary>Machine code, and whether ESI walks the watched bytes (EDI otherwise).</summary>
    public static TheoryData<byte[], bool> Watched => new()
    {
        { [0xF3, 0xA5], true }, { [0xF3, 0xA5], false }, { [0xF3, 0xAB], false }, { [0xF3, 0xAD], true }, { [0xF3, 0xA7], true }, { [0xF3, 0xA7], false },
        { [0xF3, 0xAF], false }, { [0xF3, 0x6D], false }, { [0xF3, 0x6F], true },
    };

    [Theory]
    [MemberData(nameof(Watched))]
    public void A_data_breakpoint_traps_after_the_iteration_that_touches_it(byte[] instruction, bool source)
    {
        // SDM Vol. 3B §18.3.1.2 (18.2.4): repeated string instructions trap after the iteration.
        using SystemGuest guest = SystemGuest.Protected();
        guest.State->Dr[0] = SystemGuest.Scratch + 8;
        guest.State->Dr[7] = 0x402 | (0xFu << 16);
        guest.Processor.UpdateBreakpoints();
        guest.State->Gpr[6] = source ? SystemGuest.Scratch : SystemGuest.Scratch + 0x200;
        guest.State->Gpr[7] = source ? SystemGuest.Scratch + 0x200 : SystemGuest.Scratch;
        guest.State->Gpr[1] = 6;
        Assert.Equal(Vector.Debug, guest.Run(c =>
        {
            c.db(instruction);
            c.@int(0x30);
        }));
        Assert.Equal(3UL, guest.State->Gpr[1]);
        Assert.Equal(1UL, guest.State->Dr[6] & 15);
        Assert.Equal(SystemGuest.Code, guest.Stack(0));
        guest.State->Rip = SystemGuest.Code;
        guest.State->Gpr[4] = SystemGuest.BootStack;
        Assert.Equal(0x30, guest.Continue());
        Assert.Equal(0UL, guest.State->Gpr[1]);
    }

    [Theory]
    [InlineData(2, true)]
    [InlineData(1, false)]
    public void Between_iterations_the_pushed_image_has_rf(ulong count, bool resume)
    {
        // SDM Vol. 3B §17.3.1.1: so that an instruction breakpoint on it does not fire again after the handler.
        using SystemGuest guest = SystemGuest.Protected();
        guest.State->Dr[0] = SystemGuest.Scratch;
        guest.State->Dr[7] = 0x402 | (0xDu << 16);
        guest.Processor.UpdateBreakpoints();
        guest.State->Gpr[7] = SystemGuest.Scratch;
        guest.State->Gpr[1] = count;
        Assert.Equal(Vector.Debug, guest.Run(static c =>
        {
            c.rep.stosd();
            c.hlt();
        }));
        Assert.Equal(resume, (guest.Stack(2) & Flags.Resume) != 0);
    }

    [Fact]
    public void An_instruction_breakpoint_fires_once_for_a_repeated_instruction()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.State->Dr[0] = SystemGuest.Code;
        guest.State->Dr[7] = 0x402;
        guest.Processor.UpdateBreakpoints();
        guest.State->Gpr[7] = SystemGuest.Scratch;
        guest.State->Gpr[1] = 5000;
        Assert.Equal(Vector.Debug, guest.Run(static c =>
        {
            c.rep.stosd();
            c.@int(0x30);
        }));
        Assert.Equal(5000UL, guest.State->Gpr[1]);
        guest.Memory.WriteUInt32(guest.State->Gpr[4] + 8, 2 | Flags.Resume);
        guest.Assemble(SystemGuest.Code + 0x300, static c => c.iretd());
        guest.State->Rip = SystemGuest.Code + 0x300;
        Assert.Equal(0x30, guest.Continue());
        Assert.Equal(0UL, guest.State->Gpr[1]);
    }

    [Theory]
    [InlineData(new byte[] { 0xF3, 0x6C })]
    [InlineData(new byte[] { 0xF3, 0x6E })]
    public void An_io_breakpoint_traps_after_each_iteration(byte[] instruction)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.State->Dr[0] = 0x60;
        guest.State->Dr[7] = 0x402 | (2u << 16);
        guest.State->Cr4 |= ControlBits.Cr4De;
        guest.Processor.UpdateBreakpoints();
        guest.State->Gpr[6] = guest.State->Gpr[7] = SystemGuest.Scratch;
        guest.State->Gpr[1] = 3;
        guest.State->Gpr[2] = 0x60;
        for (ulong left = 2; left != ulong.MaxValue; left--)
        {
            Assert.Equal(Vector.Debug, guest.Run(c =>
            {
                c.db(instruction);
                c.@int(0x30);
            }));
            Assert.Equal(left, guest.State->Gpr[1]);
            Assert.Equal(left == 0 ? SystemGuest.Code + 2 : SystemGuest.Code, guest.Stack(0));
            guest.State->Gpr[4] = SystemGuest.BootStack;
        }
    }

    [Fact]
    public void Int_1_is_a_trap_that_needs_no_gate_privilege()
    {
        using SystemGuest guest = SystemGuest.Protected();
        Assert.Equal(Vector.Debug, guest.RunUser(static c => c.db(0xF1)));
        Assert.Equal(SystemGuest.UserCode + 1, guest.Stack(0));
        Assert.Equal(0UL, guest.State->Dr[6] & 0xF00F);
    }

    [Fact]
    public void General_detect_faults_on_access_to_debug_registers()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.State->Dr[7] |= 1 << 13;
        Assert.Equal(Vector.Debug, guest.Run(static c => c.mov(eax, dr0)));
        Assert.Equal(SystemGuest.Code, guest.Stack(0));
        Assert.Equal(Detected, guest.State->Dr[6] & 0xF00F);
        Assert.Equal(0UL, guest.State->Dr[7] & (1 << 13));
    }

    [Fact]
    public void With_debug_extensions_dr4_is_undefined()
    {
        using SystemGuest guest = SystemGuest.Protected();
        Assert.Equal(0x30, guest.Run(static c =>
        {
            c.db(0x0F, 0x21, 0xE0);
            c.@int(0x30);
        }));
        Assert.Equal(guest.State->Dr[6], guest.State->Gpr[0]);
        guest.State->Cr4 |= ControlBits.Cr4De;
        Assert.Equal(Vector.InvalidOpcode, guest.Run(static c => c.db(0x0F, 0x21, 0xE0)));
    }

    [Fact]
    public void Sti_holds_interrupts_off_for_one_instruction()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Bus.InterruptVector = 0x40;
        guest.Processor.SetInterruptRequest(true);
        Assert.Equal(0x40, guest.Run(static c =>
        {
            c.sti();
            c.mov(ebx, 1);
            c.mov(ebx, 2);
        }));
        Assert.Equal(1UL, guest.State->Gpr[3]);
    }

    [Fact]
    public void Nmi_is_blocked_until_iret()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Assemble(SystemGuest.Code + 0x100, static c =>
        {
            c.inc(ebx);
            c.nop();
            c.iretd();
        });
        guest.SetGate(Vector.Nmi, SystemGuest.Interrupt32, offset: SystemGuest.Code + 0x100);
        guest.Assemble(SystemGuest.Code, static c =>
        {
            c.nop();
            c.nop();
            c.hlt();
        });
        guest.State->Rip = SystemGuest.Code;
        guest.Processor.RaiseNmi();
        guest.Processor.Run(1);
        Assert.Equal(SystemGuest.Code + 0x101, guest.State->Rip);
        guest.Processor.RaiseNmi();
        guest.Processor.Run(2);
        // IRET unblocked: the second NMI is in its handler before a further instruction of the program.
        Assert.Equal(1UL, guest.State->Gpr[3]);
        Assert.Equal(ExitReason.Halted, guest.Processor.Run(100));
        Assert.Equal(2UL, guest.State->Gpr[3]);
    }

    [Fact]
    public void Alignment_check_faults_in_user_mode_only()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.State->Cr0 |= ControlBits.Cr0AlignmentMask;
        guest.Assemble(SystemGuest.UserCode, static c =>
        {
            c.mov(eax, (int)SystemGuest.Data3);
            c.mov(ds, ax);
            c.mov(eax, __dword_ptr[(int)SystemGuest.Scratch + 1]);
        });
        guest.EnterUser(SystemGuest.UserCode, Flags.AlignmentCheck | 0x202);
        Assert.Equal(Vector.AlignmentCheck, guest.Continue());
        Assert.Equal(0UL, guest.Stack(0));
        guest.State->Gpr[4] = SystemGuest.BootStack;
        Assert.Equal(0x30, guest.Run(static c =>
        {
            c.mov(eax, __dword_ptr[(int)SystemGuest.Scratch + 1]);
            c.@int(0x30);
        }));
    }
}
