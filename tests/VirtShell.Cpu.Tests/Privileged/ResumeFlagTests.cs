using Iced.Intel;
using VirtShell.Cpu.Execution;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>RF: what loads it, what it covers, and which pushed images have it (SDM Vol. 3B §17.3.1.1).</summary>
public sealed unsafe class ResumeFlagTests
{
    private const ulong Returned = SystemGuest.Code + 0x300;
    private const ulong Detected = 0x2000;

    /// <summary>Any fault but that of an instruction breakpoint pushes RF as 1; traps and software interrupts push it as it is, 0.</summary>
    [Theory]
    [InlineData("ud2", Vector.InvalidOpcode, true)]
    [InlineData("gp", Vector.GeneralProtection, true)]
    [InlineData("divide", Vector.DivideError, true)]
    [InlineData("int3", Vector.Breakpoint, false)]
    [InlineData("int1", Vector.Debug, false)]
    [InlineData("int", 0x30, false)]
    [InlineData("step", Vector.Debug, false)]
    public void Faults_push_rf(string name, int vector, bool resume)
    {
        foreach (int bits in new[] { 32, 64 })
        {
            using SystemGuest guest = bits == 64 ? SystemGuest.Long() : SystemGuest.Protected();
            Assert.Equal(vector, guest.Run(c => Write(c, name)));
            int image = vector == Vector.GeneralProtection ? 3 : 2;
            Assert.Equal(resume, (guest.Stack(image) & Flags.Resume) != 0);
        }
    }

    /// <summary>The #DB of general detect is a fault like any other (§17.3.1.3): RF is pushed as 1.</summary>
    [Theory]
    [InlineData(32)]
    [InlineData(64)]
    public void General_detect_pushes_rf(int bits)
    {
        using SystemGuest guest = bits == 64 ? SystemGuest.Long() : SystemGuest.Protected();
        guest.State->Dr[7] |= 1 << 13;
        Assert.Equal(Vector.Debug, guest.Run(Access));
        Assert.Equal(SystemGuest.Code, guest.Stack(0));
        Assert.NotEqual(0UL, guest.Stack(2) & Flags.Resume);

        // GD is clear in the handler, whose return executes the instruction.
        Return(guest);
        Assert.Equal(0x30, guest.Continue());
        Assert.Equal(1UL, guest.State->Gpr[3]);
    }

    /// <summary>An instruction breakpoint on an access to debug registers comes first, and its image lacks RF; then general detect's, with RF.</summary>
    [Fact]
    public void An_instruction_breakpoint_comes_before_general_detect()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.State->Dr[0] = SystemGuest.Code;
        guest.State->Dr[7] = 0x402 | (1 << 13);
        guest.Processor.UpdateBreakpoints();
        Assert.Equal(Vector.Debug, guest.Run(Access));
        Assert.Equal(1UL, guest.State->Dr[6] & 0xF00F);
        Assert.Equal(0UL, guest.Stack(2) & Flags.Resume);
        guest.State->Dr[6] &= ~15UL;
        SetPushedFlags(guest, 2 | Flags.Resume);
        Return(guest);
        Assert.Equal(Vector.Debug, guest.Continue());
        Assert.Equal(Detected, guest.State->Dr[6] & 0xF00F);
        Assert.NotEqual(0UL, guest.Stack(2) & Flags.Resume);
        Assert.Equal(SystemGuest.Code, guest.Stack(0));
        Return(guest);
        Assert.Equal(0x30, guest.Continue());
    }

    /// <summary>What interrupts between an IRET that loads RF and the instruction that it covers pushes it as 1, so the cover is not lost.</summary>
    [Theory]
    [InlineData("interrupt", 0x40)]
    [InlineData("nmi", Vector.Nmi)]
    [InlineData("trap", Vector.Debug)]
    public void Behind_an_iret_that_loads_it_events_push_rf(string name, int vector)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.State->Dr[0] = SystemGuest.Code;
        guest.State->Dr[7] = 0x402;
        guest.Processor.UpdateBreakpoints();
        guest.Bus.InterruptVector = 0x40;
        guest.Assemble(SystemGuest.Code, static c =>
        {
            c.inc(ebx);
            c.@int(0x30);
        });
        PushFrame(guest, SystemGuest.Code, 2 | Flags.Resume | Flags.Interrupt);
        guest.Assemble(Returned, static c => c.iretd());
        guest.State->Rip = Returned;
        switch (name)
        {
            case "interrupt":
                guest.Processor.SetInterruptRequest(true);
                break;
            case "nmi":
                guest.Processor.Run(1);
                guest.Processor.RaiseNmi();
                break;
            default:
                // The IRET itself is stepped.
                guest.State->FlagsRest |= Flags.Trap;
                break;
        }

        Assert.Equal(vector, guest.Continue());
        guest.Processor.SetInterruptRequest(false);
        Assert.Equal(SystemGuest.Code, guest.Stack(0));
        Assert.NotEqual(0UL, guest.Stack(2) & Flags.Resume);
        Return(guest);
        Assert.Equal(0x30, guest.Continue());
        Assert.Equal(1UL, guest.State->Gpr[3]);
    }

    /// <summary>A software interrupt clears RF as it begins: it covers the INT itself, and the image lacks it.</summary>
    [Fact]
    public void A_software_interrupt_that_rf_covers_pushes_it_clear()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.State->Dr[0] = SystemGuest.Code;
        guest.State->Dr[7] = 0x402;
        guest.Processor.UpdateBreakpoints();
        guest.Assemble(SystemGuest.Code, static c => c.@int(0x30));
        PushFrame(guest, SystemGuest.Code, 2 | Flags.Resume);
        Return(guest);
        Assert.Equal(0x30, guest.Continue());
        Assert.Equal(0UL, guest.Stack(2) & Flags.Resume);
    }

    /// <summary>POPF, POPFD and a 16-bit IRET do not load RF.</summary>
    [Theory]
    [InlineData("popf")]
    [InlineData("iret")]
    public void Only_a_wide_iret_loads_rf(string name)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Assemble(SystemGuest.Code, c =>
        {
            if (name == "popf")
            {
                c.push((int)Flags.Resume | 2);
                c.popfd();
            }
            else
            {
                foreach (ulong item in new ulong[] { 2, SystemGuest.Code0, SystemGuest.Code + 0x100 })
                {
                    c.mov(eax, (uint)item);
                    c.push(ax);
                }

                c.iret();
            }

            c.inc(ebx);
            c.@int(0x30);
        });
        guest.Assemble(SystemGuest.Code + 0x100, static c =>
        {
            c.inc(ebx);
            c.@int(0x30);
        });
        guest.State->Rip = SystemGuest.Code;
        guest.Processor.Run(name == "popf" ? 2 : 7);
        guest.State->Dr[0] = guest.State->Rip;
        guest.State->Dr[7] = 0x402;
        guest.Processor.UpdateBreakpoints();
        Assert.Equal(Vector.Debug, guest.Continue());
        Assert.Equal(0UL, guest.State->Gpr[3]);
    }

    /// <summary>A task switch loads RF from the TSS, and it covers the new task's first instruction.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Rf_of_a_task_covers_its_first_instruction(bool resume)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(SystemGuest.Spare, SystemGuest.TssAddress2, 0x67, 0x89);
        guest.Assemble(SystemGuest.Code + 0x200, static c =>
        {
            c.inc(ebx);
            c.@int(0x30);
        });
        guest.Memory.WriteUInt32(SystemGuest.TssAddress2 + 0x20, (uint)SystemGuest.Code + 0x200);
        guest.Memory.WriteUInt32(SystemGuest.TssAddress2 + 0x24, 2 | (resume ? Flags.Resume : 0));
        guest.Memory.WriteUInt32(SystemGuest.TssAddress2 + 0x38, (uint)SystemGuest.InnerStack);
        guest.Memory.WriteUInt16(SystemGuest.TssAddress2 + 0x4C, SystemGuest.Code0);
        foreach (ulong at in new ulong[] { 0x48, 0x50, 0x54 })
        {
            guest.Memory.WriteUInt16(SystemGuest.TssAddress2 + at, SystemGuest.Data0);
        }

        // By G0: a task switch clears L0.
        guest.State->Dr[0] = SystemGuest.Code + 0x200;
        guest.State->Dr[7] = 0x402;
        guest.Processor.UpdateBreakpoints();
        Assert.Equal(resume ? 0x30 : Vector.Debug, guest.Run(static c => c.db(0xEA, 0, 0, 0, 0, (byte)SystemGuest.Spare, 0)));
        Assert.Equal(resume ? 1UL : 0UL, guest.State->Gpr[3]);
    }

    private static void Access(Assembler c)
    {
        // MOV rAX, DR0
        c.db(0x0F, 0x21, 0xC0);
        c.inc(ebx);
        c.@int(0x30);
    }

    private static void Write(Assembler c, string name)
    {
        switch (name)
        {
            case "ud2":
                c.ud2();
                break;
            case "gp":
                c.mov(eax, 0x7FF8);
                c.mov(ds, ax);
                break;
            case "divide":
                c.xor(ecx, ecx);
                c.div(ecx);
                break;
            case "int3":
                c.int3();
                break;
            case "int1":
                c.db(0xF1);
                break;
            case "int":
                c.@int(0x30);
                break;
            default:
                c.push(0x102);
                if (c.Bitness == 64)
                {
                    c.popfq();
                }
                else
                {
                    c.popfd();
                }

                c.nop();
                break;
        }
    }

    private static void PushFrame(SystemGuest guest, ulong rip, uint flags)
    {
        ulong frame = SystemGuest.BootStack - 0x40;
        guest.Memory.WriteUInt32(frame, (uint)rip);
        guest.Memory.WriteUInt32(frame + 4, SystemGuest.Code0);
        guest.Memory.WriteUInt32(frame + 8, flags);
        guest.State->Gpr[4] = frame;
    }

    private static void SetPushedFlags(SystemGuest guest, uint flags) => guest.Memory.WriteUInt32(guest.State->Gpr[4] + 8, flags);

    /// <summary>Goes on at an IRET of the mode's width.</summary>
    private static void Return(SystemGuest guest)
    {
        guest.Assemble(Returned, static c =>
        {
            if (c.Bitness == 64)
            {
                c.iretq();
            }
            else
            {
                c.iretd();
            }
        });
        guest.State->Rip = Returned;
    }
}
