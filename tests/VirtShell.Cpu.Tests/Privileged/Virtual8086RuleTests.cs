using System;
using Iced.Intel;
using VirtShell.Cpu.Execution;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>What an 8086 program may not do, and what VME changes, rule by rule (SDM Vol. 3B §20.2, §20.3, table 20-2).</summary>
public sealed unsafe class Virtual8086RuleTests
{
    private const ulong Segment = 0x900;
    private const ulong Linear = Segment << 4;
    private const uint Iopl3 = 0x3000;

    [Theory]
    [InlineData(new byte[] { 0xF4 }, Vector.GeneralProtection)]
    [InlineData(new byte[] { 0x0F, 0x01, 0x16, 0x00, 0x00 }, Vector.GeneralProtection)]
    [InlineData(new byte[] { 0x0F, 0x01, 0x1E, 0x00, 0x00 }, Vector.GeneralProtection)]
    [InlineData(new byte[] { 0x0F, 0x20, 0xC0 }, Vector.GeneralProtection)]
    [InlineData(new byte[] { 0x0F, 0x22, 0xC0 }, Vector.GeneralProtection)]
    [InlineData(new byte[] { 0x0F, 0x21, 0xC0 }, Vector.GeneralProtection)]
    [InlineData(new byte[] { 0x0F, 0x23, 0xC0 }, Vector.GeneralProtection)]
    [InlineData(new byte[] { 0x0F, 0x06 }, Vector.GeneralProtection)]
    [InlineData(new byte[] { 0x0F, 0x01, 0xF0 }, Vector.GeneralProtection)]
    [InlineData(new byte[] { 0x0F, 0x32 }, Vector.GeneralProtection)]
    [InlineData(new byte[] { 0x0F, 0x30 }, Vector.GeneralProtection)]
    [InlineData(new byte[] { 0x0F, 0x08 }, Vector.GeneralProtection)]
    [InlineData(new byte[] { 0x0F, 0x01, 0x3E, 0x00, 0x00 }, Vector.GeneralProtection)]
    [InlineData(new byte[] { 0x0F, 0x00, 0xC0 }, Vector.InvalidOpcode)]
    [InlineData(new byte[] { 0x0F, 0x00, 0xC8 }, Vector.InvalidOpcode)]
    [InlineData(new byte[] { 0x0F, 0x00, 0xD0 }, Vector.InvalidOpcode)]
    [InlineData(new byte[] { 0x0F, 0x00, 0xD8 }, Vector.InvalidOpcode)]
    [InlineData(new byte[] { 0x0F, 0x02, 0xC0 }, Vector.InvalidOpcode)]
    [InlineData(new byte[] { 0x0F, 0x03, 0xC0 }, Vector.InvalidOpcode)]
    [InlineData(new byte[] { 0x0F, 0x00, 0xE0 }, Vector.InvalidOpcode)]
    [InlineData(new byte[] { 0x63, 0xC0 }, Vector.InvalidOpcode)]
    [InlineData(new byte[] { 0xC4, 0xC1, 0x70, 0x58, 0xC2 }, Vector.InvalidOpcode)]
    [InlineData(new byte[] { 0x0F, 0x01, 0xCB }, Vector.InvalidOpcode)]
    public void System_instructions_are_the_monitors(byte[] instruction, int vector)
    {
        using SystemGuest guest = SystemGuest.Protected();
        Assert.Equal(vector, Run(guest, Iopl3 | 0x202, c => c.db(instruction)));
        Assert.Equal(0UL, guest.Stack(vector == Vector.GeneralProtection ? 1 : 0));
    }

    [Fact]
    public void Smsw_tells_anyone()
    {
        using SystemGuest guest = SystemGuest.Protected();
        Assert.Equal(0x30, Run(guest, Iopl3 | 0x202, static c =>
        {
            c.smsw(ax);
            c.@int(0x30);
        }));
        Assert.Equal(guest.State->Cr0 & 0xFFFF, guest.State->Gpr[0] & 0xFFFF);
    }

    [Theory]
    [InlineData(new byte[] { 0xCC }, 0x202u, Vector.Breakpoint, 1)]
    [InlineData(new byte[] { 0xCE }, 0xA02u, Vector.Overflow, 1)]
    public void Int_3_and_into_do_not_ask_for_iopl(byte[] instruction, uint flags, int vector, int length)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetGate(vector, SystemGuest.Interrupt32, dpl: 3);
        Assert.Equal(vector, Run(guest, flags, c => c.db(instruction)));
        Assert.Equal((ulong)length, guest.Stack(0));
    }

    [Fact]
    public void Accesses_end_at_offset_ffff()
    {
        using SystemGuest guest = SystemGuest.Protected();
        Assert.Equal(Vector.GeneralProtection, Run(guest, Iopl3 | 0x202, static c => c.mov(ax, __word_ptr[0xFFFF])));
        using SystemGuest second = SystemGuest.Protected();
        Assert.Equal(Vector.StackFault, Run(second, Iopl3 | 0x202, static c =>
        {
            c.mov(bp, 0xFFFF);
            c.mov(ax, __word_ptr[bp + 0]);
        }));
        Assert.Equal(0UL, second.Stack(0));
        using SystemGuest third = SystemGuest.Protected();
        Assert.Equal(Vector.StackFault, Run(third, Iopl3 | 0x202, static c =>
        {
            c.mov(sp, 1);
            c.push(ax);
        }));
    }

    [Fact]
    public void A_page_fault_is_a_users()
    {
        using SystemGuest guest = SystemGuest.Protected();
        const ulong Directory = SystemGuest.Tables;
        guest.Memory.WriteUInt32(Directory, (uint)(Directory + 0x1000) | 7);
        for (uint page = 0; page < 1024; page++)
        {
            guest.Memory.WriteUInt32(Directory + 0x1000 + (page * 4), page == 0x10 ? 0 : (page << 12) | 7);
        }

        guest.Processor.WriteCr3(Directory);
        guest.Processor.WriteCr0(guest.State->Cr0 | ControlBits.Cr0Paging);
        Assert.Equal(Vector.PageFault, Run(guest, Iopl3 | 0x202, static c =>
        {
            c.mov(ax, 0x1000);
            c.mov(ds, ax);
            c.mov(__word_ptr[0x20], ax);
        }));
        Assert.Equal(6UL, guest.Stack(0));
        Assert.Equal(0x10020UL, guest.State->Cr2);
    }

    [Theory]
    [InlineData("sti", Flags.VirtualInterruptPending, Vector.GeneralProtection)]
    [InlineData("sti", 0u, 0x30)]
    [InlineData("popf if", Flags.VirtualInterruptPending, Vector.GeneralProtection)]
    [InlineData("popf if", 0u, 0x30)]
    [InlineData("popf", Flags.VirtualInterruptPending, 0x30)]
    [InlineData("popf tf", 0u, Vector.GeneralProtection)]
    [InlineData("iret if", Flags.VirtualInterruptPending, Vector.GeneralProtection)]
    [InlineData("iret if", 0u, 0x30)]
    [InlineData("iret tf", 0u, Vector.GeneralProtection)]
    [InlineData("pushfd", 0u, Vector.GeneralProtection)]
    [InlineData("popfd", 0u, Vector.GeneralProtection)]
    [InlineData("iretd", 0u, Vector.GeneralProtection)]
    public void With_vme_vip_and_tf_are_the_monitors(string name, uint pending, int vector)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.State->Cr4 |= ControlBits.Cr4Vme;

        // Vector 30h is the monitor's: #GP; its redirection bit says the program's own, at 0900:0200, which stops by INT3.
        guest.Memory.WriteUInt32(0x30 * 4, (uint)(Segment << 16) | 0x200);
        guest.SetGate(Vector.Breakpoint, SystemGuest.Interrupt32, dpl: 3);
        guest.Assemble(Linear + 0x200, static c => c.int3(), bits: 16);
        int seen = Run(guest, 0x202 | pending, c => Write(c, name));
        Assert.Equal(vector == 0x30 ? Vector.Breakpoint : vector, seen);
        if (vector == 0x30 && name != "popf")
        {
            // VIF was set, and the interrupt cleared it: the image on the program's stack has it as IF.
            Assert.NotEqual(0, guest.Memory.ReadUInt16(0xA000 + (guest.Stack(3) & 0xFFFF) + 4) & (ushort)Flags.Interrupt);
            Assert.Equal(0UL, guest.Stack(2) & Flags.VirtualInterrupt);
        }
    }

    /// <summary>
    /// SDM Vol. 3B §20.3.2: with VIF and VIP set at the beginning of an instruction, as an IRET to the 8086 program may leave
    /// them, #GP comes before that instruction. Without VME, or with IOPL 3, the two flags mean nothing.
    /// </summary>
    [Theory]
    [InlineData(true, 0u, true, true, true)]
    [InlineData(true, 0u, true, false, false)]
    [InlineData(true, 0u, false, true, false)]
    [InlineData(false, 0u, true, true, false)]
    [InlineData(true, Iopl3, true, true, false)]
    public void An_iret_that_leaves_vif_and_vip_set_is_followed_by_a_fault(bool extensions, uint iopl, bool enabled, bool pending, bool faults)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.State->Cr4 |= extensions ? ControlBits.Cr4Vme : ControlBits.Cr4Pvi;
        guest.SetGate(Vector.Breakpoint, SystemGuest.Interrupt32, dpl: 3);
        uint flags = 0x202 | iopl | (enabled ? Flags.VirtualInterrupt : 0) | (pending ? Flags.VirtualInterruptPending : 0);
        int vector = Run(guest, flags, static c =>
        {
            c.inc(bx);
            c.int3();
        });
        Assert.Equal(faults ? Vector.GeneralProtection : Vector.Breakpoint, vector);
        Assert.Equal(faults ? 0UL : 1UL, guest.State->Gpr[3]);
        int frame = faults ? 1 : 0;
        Assert.Equal(faults ? 0UL : 2UL, guest.Stack(frame));
        Assert.Equal(Segment, guest.Stack(frame + 1));
        Assert.Equal(flags | Flags.Virtual8086, guest.Stack(frame + 2) & ~(ulong)(Flags.Resume | Flags.Status));
        if (faults)
        {
            Assert.Equal(0UL, guest.Stack(0));
            Assert.NotEqual(0UL, guest.Stack(3) & Flags.Resume);
        }
    }

    /// <summary>The same for a program at CPL 3 with PVI (SDM Vol. 3B §20.4); at CPL 0 nobody looks at the two.</summary>
    [Theory]
    [InlineData(32, true, true)]
    [InlineData(64, true, true)]
    [InlineData(32, false, false)]
    [InlineData(64, false, false)]
    public void With_pvi_an_iret_to_cpl_3_that_leaves_vif_and_vip_set_is_followed_by_a_fault(int bits, bool extensions, bool faults)
    {
        using SystemGuest guest = bits == 64 ? SystemGuest.Long() : SystemGuest.Protected();
        guest.State->Cr4 |= extensions ? ControlBits.Cr4Pvi : ControlBits.Cr4Vme;
        guest.Assemble(SystemGuest.UserCode, static c =>
        {
            c.inc(ebx);
            c.@int(0x30);
        });
        guest.EnterUser(SystemGuest.UserCode, 0x202 | Flags.VirtualInterrupt | Flags.VirtualInterruptPending);
        Assert.Equal(faults ? Vector.GeneralProtection : 0x30, guest.Continue());
        Assert.Equal(faults ? 0UL : 1UL, guest.State->Gpr[3]);
        Assert.Equal(0u, guest.State->Cpl);
        if (faults)
        {
            Assert.Equal(0UL, guest.Stack(0));
            Assert.Equal(SystemGuest.UserCode, guest.Stack(1));
        }

        // The handler has halted at CPL 0 with both flags still set, and may go on.
        guest.State->Gpr[4] = SystemGuest.BootStack;
        Assert.Equal(0x31, guest.Run(static c => c.@int(0x31)));
        const ulong Both = Flags.VirtualInterrupt | Flags.VirtualInterruptPending;
        Assert.Equal(Both, guest.Stack(2) & Both);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void With_iopl_3_the_bitmap_still_redirects(bool toMonitor)
    {
        // SDM Vol. 3B table 20-2, methods 4 and 5.
        using SystemGuest guest = SystemGuest.Protected();
        guest.State->Cr4 |= ControlBits.Cr4Vme;
        guest.Memory.Write(SystemGuest.TssAddress + 0x68 + 6, [(byte)(toMonitor ? 1 : 0)]);
        guest.Memory.WriteUInt32(0x30 * 4, (uint)(Segment << 16) | 0x200);
        guest.SetGate(Vector.Breakpoint, SystemGuest.Interrupt32, dpl: 3);
        guest.Assemble(Linear + 0x200, static c => c.int3(), bits: 16);
        Assert.Equal(toMonitor ? 0x30 : Vector.Breakpoint, Run(guest, Iopl3 | 0x202, static c => c.@int(0x30)));
        if (!toMonitor)
        {
            Assert.Equal(0UL, guest.Stack(2) & Flags.Interrupt);
            Assert.Equal(0x3202, guest.Memory.ReadUInt16(0xAFFE) & 0x3202);
        }
    }

    private static void Write(Assembler c, string name)
    {
        int image = name.EndsWith("if", StringComparison.Ordinal) ? 0x202 : name.EndsWith("tf", StringComparison.Ordinal) ? 0x102 : 2;
        switch (name.Split(' ')[0])
        {
            case "sti":
                c.sti();
                break;
            case "popf":
                c.push(image);
                c.popf();
                break;
            case "iret":
                c.push(image);
                c.push(0x900);
                c.push(0x80);
                c.iret();
                break;
            case "pushfd":
                c.pushfd();
                break;
            case "popfd":
                c.popfd();
                break;
            default:
                c.iretd();
                break;
        }

        c.@int(0x30);
    }

    /// <summary>Enters virtual-8086 mode by IRETD at 0900:0000 with stack 0A00:1000.</summary>
    private static int Run(SystemGuest guest, uint flags, Action<Assembler> write)
    {
        for (ulong i = 0; i < 0x100; i++)
        {
            guest.Memory.Write(Linear + i, [0x90]);
        }

        guest.Memory.Write(Linear + 0xF0, [0xCD, 0x30]);
        guest.Assemble(Linear, write, bits: 16);
        ulong frame = SystemGuest.BootStack - 64;
        ReadOnlySpan<uint> image = [0, (uint)Segment, flags | Flags.Virtual8086, 0x1000, 0xA00, 0xA01, 0xA02, 0xA03, 0xA04];
        for (int i = 0; i < image.Length; i++)
        {
            guest.Memory.WriteUInt32(frame + ((ulong)i * 4), image[i]);
        }

        guest.State->Gpr[4] = frame;
        guest.Assemble(SystemGuest.Code, static c => c.iretd());
        guest.State->Rip = SystemGuest.Code;
        return guest.Continue();
    }
}
