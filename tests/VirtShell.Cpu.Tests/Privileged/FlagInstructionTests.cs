using VirtShell.Cpu.Execution;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>STAC, CLAC, and IF, IOPL and VIF by CLI, STI and POPF (SDM Vol. 2, Vol. 3B §20.3, §20.4).</summary>
public sealed unsafe class FlagInstructionTests
{
    [Fact]
    public void Stac_opens_user_pages_to_the_supervisor_and_clac_closes_them()
    {
        using SystemGuest guest = SystemGuest.Long();
        for (ulong page = 0; page < 1024; page++)
        {
            guest.Memory.WriteUInt64(SystemGuest.Tables + 0x3000 + (page * 8), (page << 12) | 3);
        }

        guest.SetTestPage(7);
        guest.State->Cr4 |= ControlBits.Cr4Smap;
        guest.Processor.UpdateMode();
        Assert.Equal(Vector.PageFault, guest.Run(static c =>
        {
            c.mov(rdi, (long)SystemGuest.TestPage);
            c.stac();
            c.mov(__dword_ptr[rdi], 0x55);
            c.mov(eax, __dword_ptr[rdi]);
            c.clac();
            c.mov(ecx, __dword_ptr[rdi]);
        }));
        Assert.Equal(0x55UL, guest.State->Gpr[0]);
        Assert.Equal(1UL, guest.Stack(0));
        Assert.Equal(0UL, guest.Stack(3) & Flags.AlignmentCheck);
    }

    [Theory]
    [InlineData(new byte[] { 0x0F, 0x01, 0xCB })]
    [InlineData(new byte[] { 0x0F, 0x01, 0xCA })]
    public void Stac_and_clac_are_undefined_for_users(byte[] instruction)
    {
        using SystemGuest guest = SystemGuest.Long();
        Assert.Equal(Vector.InvalidOpcode, guest.RunUser(c => c.db(instruction)));
    }

    [Theory]
    [InlineData(0u, Vector.GeneralProtection)]
    [InlineData(2u, Vector.GeneralProtection)]
    [InlineData(3u, 0x30)]
    public void Cli_needs_iopl(uint iopl, int vector)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Assemble(SystemGuest.UserCode, static c =>
        {
            c.cli();
            c.@int(0x30);
        });
        guest.EnterUser(SystemGuest.UserCode, 0x202 | (iopl << Flags.IoplShift));
        Assert.Equal(vector, guest.Continue());
        Assert.Equal(vector == 0x30 ? 0UL : Flags.Interrupt, guest.Stack(vector == 0x30 ? 2 : 3) & Flags.Interrupt);
    }

    [Fact]
    public void Popf_changes_iopl_at_cpl_zero_only_and_if_by_iopl()
    {
        using SystemGuest guest = SystemGuest.Protected();
        Assert.Equal(0x30, guest.RunUser(static c =>
        {
            c.push(0x3002);
            c.popfd();
            c.@int(0x30);
        }));
        Assert.Equal((ulong)Flags.Interrupt, guest.Stack(2) & (Flags.Interrupt | Flags.IoplMask));
        guest.State->Gpr[4] = SystemGuest.BootStack;
        Assert.Equal(0x30, guest.Run(static c =>
        {
            c.push(0x3202);
            c.popfd();
            c.@int(0x30);
        }));
        Assert.Equal((ulong)(Flags.Interrupt | Flags.IoplMask), guest.Stack(2) & (Flags.Interrupt | Flags.IoplMask));
    }

    [Theory]
    [InlineData(false, Vector.GeneralProtection)]
    [InlineData(true, 0x30)]
    public void With_pvi_users_have_a_virtual_interrupt_flag(bool pvi, int vector)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.State->Cr4 |= pvi ? ControlBits.Cr4Pvi : 0;
        Assert.Equal(vector, guest.RunUser(static c =>
        {
            c.sti();
            c.@int(0x30);
        }));
        if (pvi)
        {
            Assert.Equal((ulong)(Flags.Interrupt | Flags.VirtualInterrupt), guest.Stack(2) & (Flags.Interrupt | Flags.VirtualInterrupt));
        }
    }

    [Fact]
    public void Sti_with_an_interrupt_pending_is_the_monitors()
    {
        // SDM Vol. 3B §20.4: VIP set makes STI #GP.
        using SystemGuest guest = SystemGuest.Protected();
        guest.State->Cr4 |= ControlBits.Cr4Pvi;
        guest.Assemble(SystemGuest.UserCode, static c => c.sti());
        guest.EnterUser(SystemGuest.UserCode, 0x202 | Flags.VirtualInterruptPending);
        Assert.Equal(Vector.GeneralProtection, guest.Continue());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Syscall_is_stepped_by_the_flags_that_it_leaves(bool masked)
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.State->MsrStar = ((ulong)SystemGuest.Data0 << 48) | ((ulong)SystemGuest.Code0 << 32);
        guest.State->MsrLstar = SystemGuest.Code + 0x100;
        guest.State->MsrFmask = masked ? Flags.Trap : 0;
        guest.State->Gpr[4] = SystemGuest.BootStack;
        guest.Assemble(SystemGuest.Code + 0x100, static c =>
        {
            c.mov(rsp, (long)SystemGuest.InnerStack);
            c.@int(0x31);
        });
        guest.SetGate(Vector.Debug, SystemGuest.Interrupt32, ist: 1);
        guest.Assemble(SystemGuest.UserCode, static c =>
        {
            c.syscall();
            c.nop();
        });
        guest.EnterUser(SystemGuest.UserCode, 0x202 | Flags.Trap);
        Assert.Equal(masked ? 0x31 : Vector.Debug, guest.Continue());
        Assert.Equal(masked ? SystemGuest.Code + 0x100 + 12 : SystemGuest.Code + 0x100, guest.Stack(0));
    }

    [Fact]
    public void Sysret_with_tf_traps_before_the_next_instruction()
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.State->MsrStar = ((ulong)SystemGuest.Data0 << 48) | ((ulong)SystemGuest.Code0 << 32);
        guest.Assemble(SystemGuest.UserCode, static c =>
        {
            c.inc(ebx);
            c.inc(ebx);
        });
        Assert.Equal(Vector.Debug, guest.Run(static c =>
        {
            c.mov(rcx, (long)SystemGuest.UserCode);
            c.mov(r11d, 0x302);
            c.sysretq();
        }));
        Assert.Equal(SystemGuest.UserCode, guest.Stack(0));
        Assert.Equal(0UL, guest.State->Gpr[3]);
    }
}
