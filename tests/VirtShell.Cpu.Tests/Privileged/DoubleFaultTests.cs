using VirtShell.Cpu.Execution;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>Exceptions while an exception is being delivered (SDM Vol. 3A §6.15, table 6-5).</summary>
public sealed unsafe class DoubleFaultTests
{
    [Theory]
    [InlineData(Vector.DivideError, Vector.DoubleFault)]
    [InlineData(Vector.GeneralProtection, Vector.DoubleFault)]
    [InlineData(Vector.PageFault, Vector.DoubleFault)]
    [InlineData(Vector.InvalidOpcode, Vector.SegmentNotPresent)]
    [InlineData(Vector.Breakpoint, Vector.SegmentNotPresent)]
    public void A_missing_handler_doubles_contributory_faults_only(int first, int expected)
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.SetGate(first, SystemGuest.Interrupt32, dpl: 3, present: false);
        int vector = guest.Run(c =>
        {
            switch (first)
            {
                case Vector.DivideError:
                    c.xor(ecx, ecx);
                    c.div(ecx);
                    break;
                case Vector.GeneralProtection:
                    c.mov(eax, 0x7FF8);
                    c.mov(ds, ax);
                    break;
                case Vector.PageFault:
                    c.mov(eax, __dword_ptr[(long)SystemGuest.TestPage]);
                    break;
                case Vector.Breakpoint:
                    c.int3();
                    break;
                default:
                    c.ud2();
                    break;
            }
        });
        Assert.Equal(expected, vector);
        // #DF pushes 0; #NP names the gate, EXT set unless the event was a software interrupt.
        ulong error = expected == Vector.DoubleFault ? 0UL : ((ulong)first << 3) | 2 | (first == Vector.Breakpoint ? 0UL : 1UL);
        Assert.Equal(error, guest.Stack(0));
        Assert.Equal(0UL, guest.Stack(3) & Flags.Trap);
    }

    public static TheoryData<int, int, int> Pairs
    {
        get
        {
            // SDM Vol. 3A tables 6-4 and 6-5: benign, contributory, page fault, by first and second.
            var data = new TheoryData<int, int, int>();
            (int Vector, int Class)[] firsts = [(Vector.InvalidOpcode, 0), (Vector.DivideError, 1), (Vector.GeneralProtection, 1), (Vector.PageFault, 2)];
            (int Vector, int Class)[] seconds = [(Vector.SegmentNotPresent, 1), (Vector.GeneralProtection, 1), (Vector.PageFault, 2)];
            foreach ((int first, int one) in firsts)
            {
                foreach ((int second, int two) in seconds)
                {
                    bool doubles = (one == 1 && two == 1) || (one == 2 && two >= 1);
                    data.Add(first, second, doubles ? Vector.DoubleFault : second);
                }
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Pairs))]
    public void Pairs_double_by_their_classes(int first, int second, int expected)
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.SetTestPage(0);
        switch (second)
        {
            case Vector.SegmentNotPresent:
                guest.SetGate(first, SystemGuest.Interrupt32, present: false);
                break;
            case Vector.GeneralProtection:
                guest.SetGate(first, SystemGuest.Interrupt32, selector: SystemGuest.Data0);
                break;
            default:
                // The handler's stack is in a page that is not there.
                guest.SetGate(first, SystemGuest.Interrupt32, ist: 1);
                guest.Memory.WriteUInt64(SystemGuest.TssAddress + 0x24, SystemGuest.TestPage + 0x800);
                break;
        }

        // Every handler but the first one's is good.
        Assert.Equal(expected, guest.Run(c =>
        {
            switch (first)
            {
                case Vector.DivideError:
                    c.xor(ecx, ecx);
                    c.div(ecx);
                    break;
                case Vector.GeneralProtection:
                    c.mov(eax, 0x7FF8);
                    c.mov(ds, ax);
                    break;
                case Vector.PageFault:
                    c.mov(eax, __dword_ptr[(long)SystemGuest.TestPage]);
                    break;
                default:
                    c.ud2();
                    break;
            }
        }));
        if (expected == Vector.PageFault)
        {
            Assert.Equal(2UL, guest.Stack(0));
            Assert.Equal(SystemGuest.TestPage, guest.State->Cr2 & ~0xFFFUL);
        }
    }

    [Fact]
    public void A_handler_with_a_bad_segment_doubles()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetGate(Vector.DivideError, SystemGuest.Interrupt32, selector: SystemGuest.Spare);
        Assert.Equal(Vector.DoubleFault, guest.Run(static c =>
        {
            c.xor(ecx, ecx);
            c.div(ecx);
        }));
        Assert.Equal(SystemGuest.Code + 2, guest.Stack(1));
    }

    [Fact]
    public void A_fault_in_delivery_of_a_double_fault_shuts_down()
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.State->IdtLimit = 0;
        guest.Assemble(SystemGuest.Code, static c => c.ud2());
        Assert.Equal(ExitReason.Shutdown, guest.Processor.Run(10));
        Assert.Equal(ExitReason.Shutdown, guest.Processor.Run(10));
        guest.Processor.Reset();
        Assert.Equal(0, guest.State->IsShutdown);
    }

    [Fact]
    public void Nothing_runs_after_an_interrupt_whose_delivery_shuts_down()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.State->IdtLimit = 0;
        guest.State->FlagsRest |= Flags.Interrupt;
        guest.Bus.InterruptVector = 0x40;
        guest.Processor.SetInterruptRequest(true);
        guest.Assemble(SystemGuest.Code, static c =>
        {
            for (int i = 0; i < 20; i++)
            {
                c.inc(eax);
            }
        });
        Assert.Equal(ExitReason.Shutdown, guest.Processor.Run(10));
        Assert.Equal(0, guest.Processor.InstructionsRetired);
        Assert.Equal(SystemGuest.Code, guest.State->Rip);
    }

    [Fact]
    public void An_interrupt_whose_delivery_faults_is_not_a_double_fault()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetGate(0x40, SystemGuest.Interrupt32, selector: SystemGuest.Spare);
        guest.Bus.InterruptVector = 0x40;
        guest.Processor.SetInterruptRequest(true);
        Assert.Equal(Vector.GeneralProtection, guest.Run(static c =>
        {
            c.sti();
            c.nop();
            c.nop();
        }));
        Assert.Equal((ulong)SystemGuest.Spare | 1, guest.Stack(0));
    }

    [Fact]
    public void Real_mode_without_a_table_shuts_down()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Processor.Reset();
        guest.State->IdtLimit = 0;
        guest.Memory.Write(0x600, [0xCD, 0x21]);
        guest.Processor.SetRealSegment(SegmentIndex.Cs, 0x60);
        guest.State->Rip = 0;
        Assert.Equal(ExitReason.Shutdown, guest.Processor.Run(10));
    }
}
