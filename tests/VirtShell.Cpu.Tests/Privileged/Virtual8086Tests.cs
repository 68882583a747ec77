using System;
using Iced.Intel;
using VirtShell.Cpu.Execution;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>Virtual-8086 mode, its monitor and VME (SDM Vol. 3B chapter 20), and I/O permissions (Vol. 1 §18.5).</summary>
public sealed unsafe class Virtual8086Tests
{
    private const ulong Segment = 0x900;
    private const ulong Linear = Segment << 4;
    private const uint Iopl3 = 0x3000;

    [Fact]
    public void An_interrupt_leaves_with_all_segments_on_the_inner_stack()
    {
        using SystemGuest guest = SystemGuest.Protected();
        Assert.Equal(0x30, Run(guest, Iopl3 | 0x202, static c => c.@int(0x30)));
        Assert.Equal(0, guest.State->Virtual8086);
        Assert.Equal(0u, guest.State->Cpl);
        Assert.Equal(SystemGuest.InnerStack - 36, guest.State->Gpr[4]);
        Assert.Equal(2UL, guest.Stack(0));
        Assert.Equal(Segment, guest.Stack(1));
        Assert.NotEqual(0UL, guest.Stack(2) & Flags.Virtual8086);
        Assert.Equal(0x1000UL, guest.Stack(3));
        Assert.Equal(0xA00UL, guest.Stack(4));
        Assert.Equal(0xA01UL, guest.Stack(5));
        Assert.Equal(0xA02UL, guest.Stack(6));
        Assert.Equal(0xA03UL, guest.Stack(7));
        Assert.Equal(0xA04UL, guest.Stack(8));
        Assert.Equal(0, guest.State->Ds.Selector);
        Assert.False(guest.State->Ds.IsUsable);
    }

    public static TheoryData<string> SensitiveInstructions => ["int", "cli", "sti", "pushf", "popf", "iret"];

    [Theory]
    [MemberData(nameof(SensitiveInstructions))]
    public void Below_iopl_3_sensitive_instructions_are_the_monitors(string name)
    {
        using SystemGuest guest = SystemGuest.Protected();
        Assert.Equal(Vector.GeneralProtection, Run(guest, 0x202, c => Write(c, name)));
        Assert.Equal(0UL, guest.Stack(0));
        Assert.Equal(0UL, guest.Stack(1));
        Assert.Equal(Segment, guest.Stack(2));
    }

    [Fact]
    public void With_iopl_3_flags_are_the_tasks_own()
    {
        using SystemGuest guest = SystemGuest.Protected();
        Assert.Equal(0x30, Run(guest, Iopl3 | 0x202, static c =>
        {
            c.cli();
            c.pushf();
            c.pop(bx);
            c.sti();
            c.@int(0x30);
        }));
        Assert.Equal(0UL, guest.State->Gpr[3] & Flags.Interrupt);
        Assert.NotEqual(0UL, guest.Stack(2) & Flags.Interrupt);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Vme_redirects_by_its_bitmap(bool toMonitor)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.State->Cr4 |= ControlBits.Cr4Vme;
        // The 32 bytes below the I/O map at 88h: vector 21h is bit 1 of the fifth.
        guest.Memory.Write(SystemGuest.TssAddress + 0x68 + 4, [(byte)(toMonitor ? 2 : 0)]);
        guest.Memory.WriteUInt32(0x21 * 4, (uint)(Segment << 16) | 0x100);
        guest.Assemble(Linear + 0x100, static c => c.iret(), bits: 16);
        guest.Memory.Write(SystemGuest.TssAddress + 0x68 + 6, [1]);
        int vector = Run(guest, 0x202 | Flags.VirtualInterrupt, static c =>
        {
            c.@int(0x21);
            c.mov(bx, 0x55);
            c.hlt();
        });
        Assert.Equal(Vector.GeneralProtection, vector);
        if (toMonitor)
        {
            Assert.Equal(0UL, guest.Stack(1));
        }
        else
        {
            // The 8086 program's own handler ran and returned; HLT then goes to the monitor.
            Assert.Equal(5UL, guest.Stack(1));
            Assert.Equal(0x55UL, guest.State->Gpr[3]);
            Assert.NotEqual(0UL, guest.Stack(3) & Flags.VirtualInterrupt);
            // The image that it saw had IF from VIF and IOPL 3.
            Assert.Equal(0x3200, guest.Memory.ReadUInt16(0xA000 + 0xFFE) & 0x3200);
        }
    }

    [Fact]
    public void Vme_keeps_cli_and_sti_to_vif()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.State->Cr4 |= ControlBits.Cr4Vme;
        Assert.Equal(Vector.GeneralProtection, Run(guest, 0x202, static c =>
        {
            c.sti();
            c.pushf();
            c.pop(bx);
            c.cli();
            c.pushf();
            c.pop(dx);
            c.hlt();
        }));
        Assert.Equal(0x3200UL, guest.State->Gpr[3] & 0x3200);
        Assert.Equal(0x3000UL, guest.State->Gpr[2] & 0x3200);
        Assert.NotEqual(0UL, guest.Stack(3) & Flags.Interrupt);
        Assert.Equal(0UL, guest.Stack(3) & Flags.VirtualInterrupt);
    }

    [Theory]
    [InlineData(0x60, 1, 0, true)]
    [InlineData(0x60, 1, 1, false)]
    [InlineData(0x61, 1, 1, true)]
    [InlineData(0x5F, 2, 1, false)]
    [InlineData(0x67, 2, 0, true)]
    [InlineData(0x68, 1, 0, false)]
    public void The_io_permission_bitmap_decides_below_iopl(int port, int size, int bitOf60, bool allowed)
    {
        using SystemGuest guest = SystemGuest.Protected();
        // The map at 88h: ports 0 to 67h allowed but for 60h as given; the byte behind is all ones.
        guest.Memory.Write(SystemGuest.TssAddress + 0x88 + 12, [(byte)bitOf60, 0xFF]);
        int vector = guest.RunUser(c =>
        {
            c.mov(edx, port);
            if (size == 1)
            {
                c.@in(al, dx);
            }
            else
            {
                c.@in(ax, dx);
            }

            c.@int(0x30);
        });
        bool crosses = port + size > 0x68;
        Assert.Equal(allowed && !crosses ? 0x30 : Vector.GeneralProtection, vector);
    }

    [Fact]
    public void Ports_beyond_the_tss_limit_are_refused()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.State->Tr.Limit = 0x88;
        Assert.Equal(Vector.GeneralProtection, guest.RunUser(static c => c.@in(al, 0)));
        Assert.Equal(uint.MaxValue, guest.Bus.LastPort);
    }

    private static void Write(Assembler c, string name)
    {
        switch (name)
        {
            case "int":
                c.@int(0x30);
                break;
            case "cli":
                c.cli();
                break;
            case "sti":
                c.sti();
                break;
            case "pushf":
                c.pushf();
                break;
            case "popf":
                c.popf();
                break;
            default:
                c.iret();
                break;
        }
    }

    /// <summary>Enters virtual-8086 mode by IRETD at 0900:0000 with stack 0A00:1000.</summary>
    private static int Run(SystemGuest guest, uint flags, Action<Assembler> write)
    {
        guest.Assemble(Linear, write, bits: 16);
        ulong frame = SystemGuest.BootStack - 64;
        ReadOnlySpan<uint> image = [0, (uint)Segment, flags | Flags.Virtual8086, 0x1000, 0xA00, 0xA01, 0xA02, 0xA03, 0xA04];
        for (int i = 0; i < image.Length; i++)
        {
            guest.Memory.WriteUInt32(frame + ((ulong)i * 4), image[i]);
        }

        guest.State->Gpr[4] = frame;
        Assert.Equal(Flags.Fixed, guest.State->FlagsRest & ~Flags.Status);
        guest.Assemble(SystemGuest.Code, static c => c.iretd());
        guest.State->Rip = SystemGuest.Code;
        return guest.Continue();
    }
}
