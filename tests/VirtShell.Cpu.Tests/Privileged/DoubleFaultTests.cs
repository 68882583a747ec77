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
    public void AMissingHandlerDoublesContributoryFaultsOnly(int first, int expected)
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

    [Fact]
    public void AHandlerWithABadSegmentDoubles()
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
    public void AFaultInDeliveryOfADoubleFaultShutsDown()
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
    public void AnInterruptWhoseDeliveryFaultsIsNotADoubleFault()
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
    public void RealModeWithoutATableShutsDown()
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
