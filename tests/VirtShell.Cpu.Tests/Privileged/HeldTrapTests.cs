using VirtShell.Cpu.Execution;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>
/// A MOV SS that reads watched data: its #DB is held over until behind the next instruction, and what that instruction is decides what becomes
/// of it (SDM Vol. 3A §6.8.3). The expectations are those of Intel's processors.
/// </summary>
public sealed unsafe class HeldTrapTests
{
    private const ulong BreakpointTrap = 1;
    private const ulong SingleStep = 0x4000;
    private const ulong Detected = 0x2000;
    private const ulong Entry = SystemGuest.Handlers + (0x50 * 16);

    /// <summary>
    /// Name, code size, the instruction behind MOV SS, the vector whose handler runs in the end, where that returns to (from the instruction on,
    /// or an address), and what DR6 says.
    /// </summary>
    public static TheoryData<string, int, byte[], int, ulong, ulong> Followers
    {
        get
        {
            TheoryData<string, int, byte[], int, ulong, ulong> rows = [];
            foreach (int bits in new[] { 32, 64 })
            {
                rows.Add("NOP", bits, [0x90], Vector.Debug, 1, BreakpointTrap);

                // Software interrupts and system calls: between them and their handler's first instruction.
                rows.Add("INT3", bits, [0xCC], Vector.Debug, HandlerOf(Vector.Breakpoint), BreakpointTrap);
                rows.Add("INT n", bits, [0xCD, 0x30], Vector.Debug, HandlerOf(0x30), BreakpointTrap);
                rows.Add("INT 1", bits, [0xCD, 0x01], Vector.Debug, HandlerOf(Vector.Debug), BreakpointTrap);
                rows.Add("SYSENTER", bits, [0x0F, 0x34], Vector.Debug, Entry, BreakpointTrap);

                // Debug exceptions: one, not two.
                rows.Add("ICEBP", bits, [0xF1], Vector.Debug, 1, BreakpointTrap);
                rows.Add("general detect", bits, [0x0F, 0x21, 0xC0], Vector.Debug, 0, BreakpointTrap | Detected);

                // Faults lose it.
                rows.Add("UD2", bits, [0x0F, 0x0B], Vector.InvalidOpcode, 0, 0);
                rows.Add("a fault of its data", bits, bits == 64 ? [0x48, 0x8B, 0x07] : [0x65, 0x8B, 0x07], Vector.GeneralProtection, 0, 0);
                rows.Add("a software interrupt without a gate", bits, [0xCD, 0x31], Vector.SegmentNotPresent, 0, 0);

                rows.Add("MOV SS", bits, [0x8E, 0xD1], Vector.Debug, 2, BreakpointTrap);
                rows.Add("HLT", bits, [0xF4], Vector.Debug, 1, BreakpointTrap);
            }

            rows.Add("INTO", 32, [0xCE], Vector.Debug, HandlerOf(Vector.Overflow), BreakpointTrap);
            rows.Add("SYSCALL", 64, [0x0F, 0x05], Vector.Debug, Entry, BreakpointTrap);
            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Followers))]
    public void What_follows_decides(string name, int bits, byte[] instruction, int vector, ulong returnsTo, ulong dr6)
    {
        using SystemGuest guest = Watched(bits);
        if (name == "general detect")
        {
            guest.State->Dr[7] |= Detected;
        }

        guest.SetGate(0x31, SystemGuest.Interrupt32, present: false);
        int ran = Run(guest, instruction, out ulong at);
        Assert.Equal((vector, returnsTo < 16 ? at + returnsTo : returnsTo), (ran, ReturnAddress(guest, vector)));
        Assert.Equal(dr6, guest.State->Dr[6] & 0xF00F);

        // Nothing is left of it.
        guest.State->Gpr[4] = SystemGuest.BootStack;
        guest.State->Dr[7] = 0x400;
        guest.Processor.UpdateBreakpoints();
        Assert.Equal(0x33, guest.Run(static c =>
        {
            c.nop();
            c.@int(0x33);
        }));
    }

    /// <summary>SDM Vol. 3B §17.3.1.1: as if RF were set. (AMD's processors report it.)</summary>
    [Fact]
    public void An_instruction_breakpoint_behind_mov_ss_is_suppressed()
    {
        using SystemGuest guest = Watched(32);
        _ = Run(guest, [0x90], out ulong at);
        guest.State->Gpr[4] = SystemGuest.BootStack;
        guest.State->Dr[1] = at;
        guest.State->Dr[7] |= 8;
        guest.Processor.UpdateBreakpoints();
        Assert.Equal(Vector.Debug, Run(guest, [0x90], out _));
        Assert.Equal(at + 1, guest.Stack(0));
        Assert.Equal(BreakpointTrap, guest.State->Dr[6] & 0xF00F);
    }

    [Theory]
    [InlineData(new byte[] { 0x90 }, 1UL, SingleStep | BreakpointTrap)]
    [InlineData(new byte[] { 0xF1 }, 1UL, BreakpointTrap)]
    public void With_single_steps_there_is_one_debug_exception(byte[] instruction, ulong length, ulong dr6)
    {
        using SystemGuest guest = Watched(32);
        guest.State->FlagsRest |= Flags.Trap;
        guest.State->Dr[6] = 0xFFFF_0FF0;
        ulong at = guest.Assemble(SystemGuest.Code, static c => c.mov(ss, __word_ptr[(int)SystemGuest.Scratch]));
        guest.Memory.Write(at, instruction);
        guest.State->Rip = SystemGuest.Code;
        Assert.Equal(Vector.Debug, guest.Continue());
        Assert.Equal(at + length, guest.Stack(0));
        Assert.Equal(dr6, guest.State->Dr[6] & 0xF00F);
    }

    /// <summary>SDM Vol. 3A §6.8.3: of several in a row the first holds off what waits. A program of nothing else would hold it off for ever.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Of_several_mov_ss_the_first_casts_the_shadow(bool nmi)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Bus.InterruptVector = 0x40;
        guest.State->Gpr[0] = SystemGuest.Data0;
        guest.State->FlagsRest |= Flags.Interrupt;
        guest.Assemble(SystemGuest.Code, static c =>
        {
            c.db(0x8E, 0xD0, 0x8E, 0xD0, 0x8E, 0xD0); // mov ss, eax
            c.inc(ebx);
        });
        guest.State->Rip = SystemGuest.Code;
        guest.Processor.Run(1);
        if (nmi)
        {
            guest.Processor.RaiseNmi();
        }
        else
        {
            guest.Processor.SetInterruptRequest(true);
        }

        Assert.Equal(nmi ? Vector.Nmi : 0x40, guest.Continue());
        Assert.Equal(SystemGuest.Code + 4, guest.Stack(0));
    }

    /// <summary>A read that hits, and then a write that faults: the instruction has not completed.</summary>
    [Fact]
    public void An_instruction_that_faults_has_hit_no_data_breakpoint()
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.SetTestPage(0);
        guest.State->Dr[0] = SystemGuest.Scratch;
        guest.State->Dr[7] = 0x402 | (3u << 16);
        guest.Processor.UpdateBreakpoints();
        guest.State->Gpr[6] = SystemGuest.Scratch;
        guest.State->Gpr[7] = SystemGuest.TestPage;
        Assert.Equal(Vector.PageFault, guest.Run(static c => c.movsb()));
        Assert.Equal(SystemGuest.Code, guest.Stack(1));
        Assert.Equal(0UL, guest.State->Dr[6] & 0xF00F);
    }

    /// <summary>DR6 before, what happens, DR6 after (SDM Vol. 3B §17.2.3: B0 to B3 are of the last debug exception, the others stay).</summary>
    [Theory]
    [InlineData(0xFFFF_4FF2, "instruction", 0xFFFF_4FF4)]
    [InlineData(0xFFFF_0FFF, "instruction", 0xFFFF_0FF4)]
    [InlineData(0xFFFF_2FF9, "step", 0xFFFF_6FF0)]
    [InlineData(0xFFFF_4FFF, "data", 0xFFFF_4FF8)]
    [InlineData(0xFFFF_4FF1, "detect", 0xFFFF_6FF0)]
    [InlineData(0xFFFF_4FF1, "ICEBP", 0xFFFF_4FF1)]
    public void Dr6_tells_of_the_last_debug_exception(uint before, string happens, uint after)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.State->Dr[2] = SystemGuest.Code;
        guest.State->Dr[3] = SystemGuest.Scratch;
        guest.State->Dr[6] = before;
        guest.State->Dr[7] = 0x400 | happens switch { "instruction" => 0x20u, "data" => 0x80u | (1u << 28), "detect" => (uint)Detected, _ => 0 };
        guest.State->FlagsRest |= happens == "step" ? Flags.Trap : 0;
        guest.Processor.UpdateBreakpoints();
        Assert.Equal(Vector.Debug, guest.Run(c =>
        {
            switch (happens)
            {
                case "data":
                    c.mov(__byte_ptr[(int)SystemGuest.Scratch], al);
                    break;
                case "detect":
                    c.mov(eax, dr0);
                    break;
                case "ICEBP":
                    c.db(0xF1);
                    break;
                default:
                    c.nop();
                    break;
            }
        }));
        Assert.Equal((ulong)after, guest.State->Dr[6]);
    }

    private static ulong HandlerOf(int vector) => SystemGuest.Handlers + ((ulong)vector * 16);

    private static ulong ReturnAddress(SystemGuest guest, int vector) => guest.Stack(vector is Vector.GeneralProtection or Vector.SegmentNotPresent ? 1 : 0);

    // DR0 on the selector, any access.
    private static SystemGuest Watched(int bits)
    {
        SystemGuest guest = bits == 64 ? SystemGuest.Long() : SystemGuest.Protected();
        CpuState* s = guest.State;
        guest.Memory.WriteUInt16(SystemGuest.Scratch, SystemGuest.Data0);
        s->Dr[0] = SystemGuest.Scratch;
        s->Dr[7] = 0x402 | (7u << 16);
        s->MsrSysenterCs = SystemGuest.Code0;
        s->MsrSysenterEip = Entry;
        s->MsrSysenterEsp = SystemGuest.InnerStack;
        s->MsrStar = (ulong)SystemGuest.Code0 << 32;
        s->MsrLstar = Entry;
        s->Gpr[1] = SystemGuest.Data0;
        s->Gpr[7] = 1UL << 63;
        s->Gs.Attributes = bits == 64 ? s->Gs.Attributes : SegmentRegister.Unusable;
        s->Gs.UpdateEnds();
        guest.Processor.UpdateBreakpoints();
        return guest;
    }

    // MOV SS from the watched word, then the instruction, OF set.
    private static int Run(SystemGuest guest, byte[] instruction, out ulong at)
    {
        ulong behind = guest.Assemble(SystemGuest.Code, static c =>
        {
            c.mov(al, 0x7F);
            c.add(al, 1);
            c.mov(ss, __word_ptr[(int)SystemGuest.Scratch]);
        });
        at = behind;
        guest.Memory.Write(behind, [.. instruction, 0xF4]);
        guest.State->Dr[6] = 0xFFFF_0FF0;
        guest.State->Rip = SystemGuest.Code;
        return guest.Continue();
    }
}
