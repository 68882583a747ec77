using VirtShell.Cpu.Execution;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>Interrupt and trap gates in protected and long mode (SDM Vol. 3A §6.12, §6.13, §6.14).</summary>
public sealed unsafe class GateTests
{
    [Fact]
    public void An_interrupt_gate_clears_if_and_a_trap_gate_keeps_it()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetGate(0x31, SystemGuest.Trap32, dpl: 3);
        Assert.Equal(0x30, guest.Run(static c =>
        {
            c.sti();
            c.@int(0x30);
        }));
        Assert.Equal(0u, guest.State->FlagsRest & Flags.Interrupt);
        Assert.Equal(SystemGuest.Code + 3, guest.Stack(0));
        Assert.Equal((ulong)SystemGuest.Code0, guest.Stack(1));
        Assert.NotEqual(0UL, guest.Stack(2) & Flags.Interrupt);
        Assert.Equal(SystemGuest.BootStack - 12, guest.State->Gpr[4]);
        Assert.Equal(0x31, guest.Run(static c =>
        {
            c.sti();
            c.@int(0x31);
        }));
        Assert.NotEqual(0u, guest.State->FlagsRest & Flags.Interrupt);
    }

    [Fact]
    public void An_interrupt_from_user_mode_switches_to_the_stack_of_the_tss()
    {
        using SystemGuest guest = SystemGuest.Protected();
        Assert.Equal(0x30, guest.RunUser(static c => c.@int(0x30)));
        Assert.Equal(0u, guest.State->Cpl);
        Assert.Equal(SystemGuest.Data0, guest.State->Ss.Selector);
        Assert.Equal(SystemGuest.InnerStack - 20, guest.State->Gpr[4]);
        Assert.Equal(SystemGuest.UserCode + 2, guest.Stack(0));
        Assert.Equal((ulong)SystemGuest.Code3, guest.Stack(1));
        Assert.Equal(SystemGuest.UserStack, guest.Stack(3));
        Assert.Equal((ulong)SystemGuest.Data3, guest.Stack(4));
    }

    [Theory]
    [InlineData(true, 0, Vector.GeneralProtection)]
    [InlineData(false, 3, Vector.SegmentNotPresent)]
    public void A_software_interrupt_checks_privilege_before_presence(bool present, int dpl, int vector)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetGate(0x40, SystemGuest.Interrupt32, dpl, present: present);
        Assert.Equal(vector, guest.RunUser(static c => c.@int(0x40)));
        Assert.Equal((0x40UL << 3) | 2, guest.Stack(0));
        Assert.Equal(SystemGuest.UserCode, guest.Stack(1));
    }

    [Fact]
    public void An_external_interrupt_ignores_the_gates_privilege_and_its_errors_are_external()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetGate(0x40, SystemGuest.Interrupt32, dpl: 0);
        guest.SetGate(0x41, SystemGuest.Interrupt32, present: false);
        guest.Assemble(SystemGuest.UserCode, static c => c.jmp(SystemGuest.UserCode));
        guest.EnterUser(SystemGuest.UserCode);
        guest.Bus.InterruptVector = 0x40;
        guest.Processor.SetInterruptRequest(true);
        Assert.Equal(0x40, guest.Continue());
        guest.Processor.SetInterruptRequest(false);
        guest.EnterUser(SystemGuest.UserCode);
        guest.Bus.InterruptVector = 0x41;
        guest.Processor.SetInterruptRequest(true);
        Assert.Equal(Vector.SegmentNotPresent, guest.Continue());
        Assert.Equal((0x41UL << 3) | 3, guest.Stack(0));
    }

    [Fact]
    public void A16_bit_gate_pushes_words()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetGate(0x30, SystemGuest.Interrupt16, dpl: 3);
        Assert.Equal(0x30, guest.Run(static c => c.@int(0x30)));
        Assert.Equal(SystemGuest.BootStack - 6, guest.State->Gpr[4]);
        Assert.Equal((ushort)(SystemGuest.Code + 2), guest.Memory.ReadUInt16(SystemGuest.BootStack - 6));
        Assert.Equal(SystemGuest.Code0, guest.Memory.ReadUInt16(SystemGuest.BootStack - 4));
    }

    [Fact]
    public void A_conforming_handler_runs_at_the_callers_privilege()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(SystemGuest.Spare, 0, 0xFFFFF, 0xC09F);
        guest.SetGate(0x32, SystemGuest.Interrupt32, dpl: 3, selector: SystemGuest.Spare, offset: SystemGuest.UserCode + 0x100);
        guest.Assemble(SystemGuest.UserCode + 0x100, static c => c.@int(0x30));
        Assert.Equal(0x30, guest.RunUser(static c => c.@int(0x32)));
        // The frame that INT 30h pushed is of the conforming segment at CPL 3.
        Assert.Equal((ulong)(SystemGuest.Spare | 3), guest.Stack(1));
        Assert.Equal(SystemGuest.UserStack - 12, guest.Stack(3));
    }

    [Theory]
    [InlineData(0x0092u, false, Vector.GeneralProtection)]
    [InlineData(0x401Bu, false, Vector.SegmentNotPresent)]
    [InlineData(0xC0FBu, false, Vector.GeneralProtection)]
    public void The_handlers_code_segment_is_checked(uint attributes, bool nullSelector, int vector)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(SystemGuest.Spare, 0, 0xFFFFF, attributes);
        guest.SetGate(0x33, SystemGuest.Interrupt32, dpl: 3, selector: nullSelector ? (ushort)0 : SystemGuest.Spare);
        Assert.Equal(vector, guest.Run(static c => c.@int(0x33)));
        Assert.Equal((ulong)SystemGuest.Spare, guest.Stack(0));
    }

    [Theory]
    [InlineData(0, Data0Selector, Vector.InvalidTss, 0)]
    [InlineData(0x20, 0, Vector.InvalidTss, 0x20)]
    [InlineData(0x08, 0, Vector.InvalidTss, 0x08)]
    public void An_unusable_inner_stack_raises_invalid_tss(int selector, int unused, int vector, int error)
    {
        _ = unused;
        using SystemGuest guest = SystemGuest.Protected();
        // A task gate would be needed to handle it with a good stack: a conforming handler at CPL 3 shows it as well.
        guest.Memory.WriteUInt16(SystemGuest.TssAddress + 8, (ushort)selector);
        guest.SetSegment(SystemGuest.Spare, 0, 0xFFFFF, 0xC09F);
        guest.SetGate(vector, SystemGuest.Interrupt32, selector: SystemGuest.Spare, offset: SystemGuest.UserCode + 0x100);
        guest.Assemble(SystemGuest.UserCode + 0x100, static c =>
        {
            c.pop(eax);
            c.jmp(SystemGuest.UserCode + 0x102);
        });
        guest.Assemble(SystemGuest.UserCode, static c => c.@int(0x30));
        guest.EnterUser(SystemGuest.UserCode);
        guest.Processor.Run(2);
        Assert.Equal(3u, guest.State->Cpl);
        Assert.Equal((ulong)error, guest.State->Gpr[0]);
    }

    [Fact]
    public void Long_mode_aligns_the_stack_and_always_pushes_it()
    {
        using SystemGuest guest = SystemGuest.Long();
        Assert.Equal(0x30, guest.Run(static c =>
        {
            c.sub(rsp, 5);
            c.@int(0x30);
        }));
        Assert.Equal(0UL, guest.State->Gpr[4] & 7);
        Assert.Equal(((SystemGuest.BootStack - 5) & ~15UL) - 40, guest.State->Gpr[4]);
        Assert.Equal(SystemGuest.BootStack - 5, guest.Stack(3));
        Assert.Equal((ulong)SystemGuest.Data0, guest.Stack(4));
    }

    [Fact]
    public void Long_mode_uses_the_interrupt_stack_table()
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.SetGate(0x30, SystemGuest.Interrupt32, dpl: 3, ist: 1);
        Assert.Equal(0x30, guest.Run(static c => c.@int(0x30)));
        Assert.Equal((SystemGuest.IstStack & ~15UL) - 40, guest.State->Gpr[4]);
    }

    [Fact]
    public void Long_mode_from_user_loads_a_null_stack_segment()
    {
        using SystemGuest guest = SystemGuest.Long();
        Assert.Equal(0x30, guest.RunUser(static c => c.@int(0x30)));
        Assert.Equal(0, guest.State->Ss.Selector);
        Assert.Equal(SystemGuest.InnerStack - 40, guest.State->Gpr[4]);
        Assert.Equal((ulong)SystemGuest.Data3, guest.Stack(4));
    }

    [Fact]
    public void Real_mode_delivers_through_the_vector_table()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Processor.Reset();
        guest.Memory.WriteUInt32(0x21 * 4, 0x0040_0123);
        guest.Memory.Write(0x523, [0xF4]);
        guest.Memory.Write(0x600, [0xFB, 0xCD, 0x21]);
        guest.Processor.SetRealSegment(SegmentIndex.Cs, 0x60);
        guest.State->Rip = 0;
        guest.State->Gpr[4] = 0x900;
        Assert.Equal(ExitReason.Halted, guest.Processor.Run(100));
        Assert.Equal(0x40, guest.State->Cs.Selector);
        Assert.Equal(0x124UL, guest.State->Rip);
        Assert.Equal(3, guest.Memory.ReadUInt16(0x8FA));
        Assert.Equal(0x60, guest.Memory.ReadUInt16(0x8FC));
        Assert.Equal(Flags.Interrupt, guest.Memory.ReadUInt16(0x8FE) & Flags.Interrupt);
        Assert.Equal(0u, guest.State->FlagsRest & Flags.Interrupt);
    }

    private const int Data0Selector = SystemGuest.Data0;
}
