using Iced.Intel;
using VirtShell.Cpu.Execution;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>IRET, far transfers, call gates and system calls across privileges (SDM Vol. 2, Vol. 3A §5.8).</summary>
public sealed unsafe class TransferTests
{
    private const int FarAddress = 0x7000;

    [Fact]
    public void Return_to_user_mode_drops_privileged_data_segments()
    {
        using SystemGuest guest = SystemGuest.Protected();
        Assert.Equal(0x30, guest.RunUser(static c =>
        {
            c.mov(ax, ds);
            c.@int(0x30);
        }));
        Assert.Equal(0UL, guest.State->Gpr[0] & 0xFFFF);
    }

    [Fact]
    public void User_code_cannot_change_iopl_or_if_by_iret()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Assemble(SystemGuest.UserCode + 0x100, static c => c.@int(0x30));
        Assert.Equal(0x30, guest.RunUser(static c =>
        {
            c.push(0x3002);
            c.push((int)SystemGuest.Code3);
            c.push((int)SystemGuest.UserCode + 0x100);
            c.iretd();
        }));
        Assert.Equal(0x200UL, guest.Stack(2) & 0x3200);
    }

    [Fact]
    public void Iret_to_a_more_privileged_segment_is_refused()
    {
        using SystemGuest guest = SystemGuest.Protected();
        Assert.Equal(Vector.GeneralProtection, guest.RunUser(static c =>
        {
            c.push(0x202);
            c.push((int)SystemGuest.Code0);
            c.push((int)SystemGuest.UserCode);
            c.iretd();
        }));
        Assert.Equal((ulong)SystemGuest.Code0, guest.Stack(0));
    }

    [Fact]
    public void Long_mode_refuses_iret_with_nested_task()
    {
        using SystemGuest guest = SystemGuest.Long();
        Assert.Equal(Vector.GeneralProtection, guest.Run(static c =>
        {
            c.pushfq();
            c.or(__dword_ptr[rsp], 0x4000);
            c.popfq();
            c.iretq();
        }));
        Assert.Equal(0UL, guest.Stack(0));
    }

    [Fact]
    public void Long_mode_returns_to_compatibility_mode_and_comes_back()
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.Assemble(
            SystemGuest.UserCode,
            static c =>
            {
                c.mov(eax, 0xFFFF_FFFF);
                c.inc(eax);
                c.dec(ecx);
                c.push(eax);
                c.@int(0x30);
            },
            bits: 32);
        guest.State->Gpr[1] = 0xFFFF_FFFF_0000_0000;
        guest.EnterUser(SystemGuest.UserCode, code: SystemGuest.Code1632 | 3);
        Assert.Equal(32, guest.State->CodeSize);
        Assert.Equal(0x30, guest.Continue());
        Assert.Equal(64, guest.State->CodeSize);
        Assert.Equal(0xFFFF_FFFFUL, guest.State->Gpr[1]);
        Assert.Equal(SystemGuest.UserStack - 4, guest.Stack(3));
        Assert.Equal((ulong)(SystemGuest.Code1632 | 3), guest.Stack(1));
    }

    [Theory]
    [InlineData(0)]
    [InlineData(2)]
    public void A_call_gate_enters_the_inner_level_with_its_parameters_and_returns(int parameters)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetCallGate(SystemGuest.Spare, Descriptor.CallGate32, 3, SystemGuest.Code0, SystemGuest.Code + 0x100, parameters);
        guest.Assemble(SystemGuest.Code + 0x100, c =>
        {
            c.mov(ebx, esp);
            c.mov(edx, __dword_ptr[esp + 8]);
            c.mov(si, cs);
            c.retf((short)(parameters * 4));
        });
        Assert.Equal(0x30, guest.RunUser(static c =>
        {
            c.push(0x1111);
            c.push(0x2222);
            CallFar(c, SystemGuest.Spare | 3);
            c.mov(edi, esp);
            c.@int(0x30);
        }));
        Assert.Equal(SystemGuest.InnerStack - 16 - (ulong)(parameters * 4), guest.State->Gpr[3]);
        Assert.Equal(parameters == 0 ? SystemGuest.UserStack - 8 : 0x2222UL, guest.State->Gpr[2]);
        Assert.Equal((ulong)SystemGuest.Code0, guest.State->Gpr[6] & 0xFFFF);
        Assert.Equal(SystemGuest.UserStack - 8 + (ulong)(parameters * 4), guest.State->Gpr[7]);
    }

    [Fact]
    public void A_call_gate_of_higher_privilege_than_the_caller_is_refused()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetCallGate(SystemGuest.Spare, Descriptor.CallGate32, 0, SystemGuest.Code0, SystemGuest.Code + 0x100);
        Assert.Equal(Vector.GeneralProtection, guest.RunUser(static c => CallFar(c, SystemGuest.Spare | 3)));
        Assert.Equal((ulong)SystemGuest.Spare, guest.Stack(0));
    }

    [Fact]
    public void A_long_mode_call_gate_pushes_the_stack_as_quadwords()
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.SetCallGate(SystemGuest.Spare, Descriptor.CallGate32, 3, SystemGuest.Code0, SystemGuest.Code + 0x100);
        guest.Assemble(SystemGuest.Code + 0x100, static c => c.@int(0x31));
        guest.Memory.WriteUInt32(FarAddress, 0);
        guest.Memory.WriteUInt16(FarAddress + 4, SystemGuest.Spare | 3);
        Assert.Equal(0x31, guest.RunUser(static c => c.db(0xFF, 0x1C, 0x25, 0x00, 0x70, 0x00, 0x00)));
        ulong inner = SystemGuest.InnerStack - 32;
        Assert.Equal(SystemGuest.UserCode + 7, guest.Memory.ReadUInt64(inner));
        Assert.Equal((ulong)SystemGuest.Code3, guest.Memory.ReadUInt64(inner + 8));
        Assert.Equal(SystemGuest.UserStack, guest.Memory.ReadUInt64(inner + 16));
        Assert.Equal((ulong)SystemGuest.Data3, guest.Memory.ReadUInt64(inner + 24));
    }

    [Theory]
    [InlineData(0xC09Bu, 0, Vector.GeneralProtection)]
    [InlineData(0xC07Bu, 0, Vector.SegmentNotPresent)]
    [InlineData(0xC0FBu, 3, -1)]
    [InlineData(0xC09Fu, 3, -1)]
    [InlineData(0xC0F3u, 3, Vector.GeneralProtection)]
    public void Far_jumps_obey_privilege(uint attributes, int rpl, int expected)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(SystemGuest.Spare, 0, 0xFFFFF, attributes);
        guest.Assemble(SystemGuest.UserCode + 0x100, static c => c.@int(0x30));
        int vector = guest.RunUser(c => c.db(
            0xEA, 0x00, 0x91, 0x00, 0x00, (byte)(SystemGuest.Spare | rpl), 0x00));
        Assert.Equal(expected < 0 ? 0x30 : expected, vector);
        if (expected >= 0)
        {
            Assert.Equal((ulong)SystemGuest.Spare, guest.Stack(0));
        }
        else
        {
            Assert.Equal((ulong)(SystemGuest.Spare | 3), guest.Stack(1));
        }
    }

    [Fact]
    public void Syscall_and_sysret_go_between_user_and_kernel()
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.State->MsrStar = ((ulong)(SystemGuest.Data0) << 48) | ((ulong)SystemGuest.Code0 << 32);
        guest.State->MsrLstar = SystemGuest.Code + 0x100;
        guest.State->MsrFmask = Flags.Interrupt | Flags.Direction;
        guest.Assemble(SystemGuest.Code + 0x100, static c =>
        {
            c.mov(rbx, rcx);
            c.mov(rdx, r11);
            c.pushfq();
            c.pop(rsi);
            c.mov(rsp, (long)SystemGuest.UserStack - 64);
            c.or(r11, 0x400);
            c.sysretq();
        });
        Assert.Equal(0x30, guest.RunUser(static c =>
        {
            c.std();
            c.syscall();
            c.@int(0x30);
        }));
        Assert.Equal(SystemGuest.UserCode + 3, guest.State->Gpr[3]);
        Assert.Equal(0x602UL, guest.State->Gpr[2]);
        Assert.Equal(2UL, guest.State->Gpr[6]);
        Assert.Equal((ulong)((SystemGuest.Data0 + 16) | 3), guest.Stack(1));
        Assert.Equal((ulong)((SystemGuest.Data0 + 8) | 3), guest.Stack(4));
        Assert.Equal(0x602UL, guest.Stack(2));
    }

    [Fact]
    public void Sysenter_and_sysexit_go_between_user_and_kernel()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.State->MsrSysenterCs = SystemGuest.Code0;
        guest.State->MsrSysenterEip = SystemGuest.Code + 0x100;
        guest.State->MsrSysenterEsp = SystemGuest.InnerStack;
        guest.Assemble(SystemGuest.Code + 0x100, static c =>
        {
            c.mov(ebx, esp);
            c.mov(edx, (uint)SystemGuest.UserCode + 2);
            c.mov(ecx, (uint)SystemGuest.UserStack - 16);
            c.db(0x0F, 0x35);
        });
        Assert.Equal(0x30, guest.RunUser(static c =>
        {
            c.sysenter();
            c.@int(0x30);
        }));
        Assert.Equal(SystemGuest.InnerStack, guest.State->Gpr[3]);
        Assert.Equal(SystemGuest.UserStack - 16, guest.Stack(3));
        Assert.Equal((ulong)SystemGuest.Code3, guest.Stack(1));
        Assert.Equal(0UL, guest.Stack(2) & Flags.Interrupt);
    }

    [Fact]
    public void Swapgs_exchanges_the_bases_at_cpl_zero_only()
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.State->MsrKernelGsBase = 0x1234_5000;
        guest.State->Cr4 |= ControlBits.Cr4FsGsBase;
        Assert.Equal(0x30, guest.Run(static c =>
        {
            c.mov(rax, (long)SystemGuest.Scratch);
            c.wrgsbase(rax);
            c.mov(__dword_ptr[(long)SystemGuest.Scratch + 8], 0x77);
            c.mov(ecx, __dword_ptr.gs[8]);
            c.swapgs();
            c.rdgsbase(rbx);
            c.@int(0x30);
        }));
        Assert.Equal(0x1234_5000UL, guest.State->Gpr[3]);
        Assert.Equal(0x77UL, guest.State->Gpr[1]);
        Assert.Equal(SystemGuest.Scratch, guest.State->MsrKernelGsBase);
        guest.State->Gpr[4] = SystemGuest.BootStack;
        Assert.Equal(Vector.GeneralProtection, guest.RunUser(static c => c.swapgs()));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Fs_and_gs_bases_are_read_and_written_by_users_where_the_system_allows_it(bool allowed)
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.State->Cr4 |= allowed ? ControlBits.Cr4FsGsBase : 0;
        int vector = guest.RunUser(static c =>
        {
            c.mov(rax, 0x1234_5678_9ABCL);
            c.wrfsbase(rax);
            c.rdfsbase(rbx);
            c.rdfsbase(ecx);
            c.wrgsbase(eax);
            c.rdgsbase(rdx);
            c.rdgsbase(esi);
            c.@int(0x30);
        });
        Assert.Equal(allowed ? 0x30 : Vector.InvalidOpcode, vector);
        if (allowed)
        {
            Assert.Equal((0x1234_5678_9ABCUL, 0x5678_9ABCUL, 0x5678_9ABCUL, 0x5678_9ABCUL), (guest.State->Gpr[3], guest.State->Gpr[1], guest.State->Gpr[2], guest.State->Gpr[6]));
        }
    }

    [Fact]
    public void A_base_must_be_canonical()
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.State->Cr4 |= ControlBits.Cr4FsGsBase;
        Assert.Equal(Vector.GeneralProtection, guest.Run(static c =>
        {
            c.mov(rax, 0x8000_0000_0000L);
            c.wrfsbase(rax);
        }));
    }

    private static void CallFar(Assembler c, int selector) => c.db(0x9A, 0, 0, 0, 0, (byte)selector, 0);
}
