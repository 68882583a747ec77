using System;
using Iced.Intel;
using VirtShell.Cpu.Execution;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>
/// Two processors run the same program with the same interrupts; one of them is saved, reset and loaded at every boundary.
/// They must agree at each: in repeated instructions, interrupt shadows, pending traps, NMI handlers, HLT.
/// </summary>
public sealed unsafe class RandomStateTests
{
    private const ulong NmiHandler = SystemGuest.Code + 0x400;
    private const ulong InterruptHandler = SystemGuest.Code + 0x420;
    private const ulong DebugHandler = SystemGuest.Code + 0x440;
    private const ulong PageFaultHandler = SystemGuest.Code + 0x480;
    private const int InterruptVector = 0x40;
    private const int Quanta = 1200;

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void A_processor_loaded_at_every_boundary_is_as_one_that_ran_on(int seed)
    {
        using SystemGuest whole = Prepare();
        using SystemGuest cut = Prepare();
        Random random = new(seed);
        bool halted = false;
        for (int i = 0; i < Quanta; i++)
        {
            int budget = random.Next(4) == 0 ? random.Next(1, 40) : random.Next(1, 4);
            bool nmi = random.Next(40) == 0;
            bool request = random.Next(8) == 0 || halted;
            ExitReason expected = Step(whole, budget, nmi, request);
            ExitReason reason = Step(cut, budget, nmi, request);
            Assert.Equal(expected, reason);
            Assert.NotEqual(ExitReason.Shutdown, reason);
            byte[] saved = SavedState.Of(cut.Processor);
            Assert.Equal(SavedState.Of(whole.Processor), saved);
            cut.Processor.Reset();
            SavedState.Load(cut.Processor, saved);
            Assert.Equal(saved, SavedState.Of(cut.Processor));
            halted = reason == ExitReason.Halted;
        }

        Assert.Equal(Memory(whole), Memory(cut));

        // Everything that the program is there for has happened.
        Assert.All(new ulong[] { 0, 8, 16, 24, 32 }, at => Assert.NotEqual(0u, whole.Memory.ReadUInt32(SystemGuest.Scratch + 0x800 + at)));
    }

    private static ExitReason Step(SystemGuest guest, int budget, bool nmi, bool request)
    {
        if (nmi)
        {
            guest.Processor.RaiseNmi();
        }

        guest.Bus.InterruptVector = InterruptVector;
        guest.Processor.SetInterruptRequest(request);
        return guest.Processor.Run(budget);
    }

    private static byte[] Memory(SystemGuest guest)
    {
        byte[] bytes = new byte[0x2_0000];
        guest.Memory.Read(0, bytes);
        return bytes;
    }

    private static SystemGuest Prepare()
    {
        SystemGuest guest = SystemGuest.Long();
        guest.SetTestPage(0);
        guest.State->Cr4 |= ControlBits.Cr4Osfxsr | ControlBits.Cr4Osxsave;
        guest.State->Xcr0 = 7;
        guest.State->Fcw = 0x37F;
        guest.State->FpuValid = 0;
        Count(guest, NmiHandler, 2, 0);
        Count(guest, InterruptHandler, InterruptVector, 8);

        // The single-step handler ends stepping now and then.
        guest.SetGate(Vector.Debug, SystemGuest.Interrupt32, offset: DebugHandler);
        guest.Assemble(DebugHandler, static c =>
        {
            c.inc(__dword_ptr[SystemGuest.Scratch + 0x810]);
            c.test(__byte_ptr[SystemGuest.Scratch + 0x810], 15);
            Label stay = c.CreateLabel();
            c.jnz(stay);
            c.and(__qword_ptr[rsp + 16], ~0x100);
            c.Label(ref stay);
            c.iretq();
        });
        guest.SetGate(Vector.PageFault, SystemGuest.Interrupt32, offset: PageFaultHandler);
        guest.Assemble(PageFaultHandler, static c =>
        {
            // The access is to a page that is never there: go on behind it.
            c.inc(__dword_ptr[SystemGuest.Scratch + 0x818]);
            c.add(rsp, 8);
            c.add(__qword_ptr[rsp], 2);
            c.iretq();
        });
        guest.Assemble(SystemGuest.Code, Program);
        guest.State->Rip = SystemGuest.Code;

        // A data breakpoint that the repeated copy comes by.
        guest.State->Dr[0] = SystemGuest.Scratch + 0x110;
        guest.State->Dr[7] = 0x402 | (1u << 16);
        guest.Processor.UpdateBreakpoints();
        return guest;
    }

    private static void Count(SystemGuest guest, ulong handler, int vector, int at)
    {
        guest.SetGate(vector, SystemGuest.Interrupt32, offset: handler);
        guest.Assemble(handler, c =>
        {
            c.inc(__dword_ptr[SystemGuest.Scratch + 0x800 + (ulong)at]);
            c.nop();
            c.iretq();
        });
    }

    private static void Program(Assembler c)
    {
        Label top = c.CreateLabel();
        c.Label(ref top);
        c.mov(rsi, (long)SystemGuest.Scratch);
        c.mov(rdi, (long)SystemGuest.Scratch + 0x100);
        c.mov(ecx, 37);
        c.rep.movsb();
        c.mov(ax, ss);
        c.cli();
        c.mov(ss, ax);
        c.sti();
        c.inc(r8);
        c.mov(ecx, 300);
        c.mov(rdi, (long)SystemGuest.Scratch + 0x400);
        c.mov(al, cl);
        c.rep.stosb();
        c.mov(rdi, (long)SystemGuest.Scratch + 0x400);
        c.mov(ecx, 100);
        c.repne.scasb();
        c.rdrand(r9);
        c.fld1();
        c.fldpi();
        c.faddp(st1, st0);
        c.fstp(st0);
        c.vpaddq(ymm1, ymm2, ymm1);
        c.movq(xmm2, r9);
        c.mov(rbx, (long)SystemGuest.TestPage);
        c.mov(ebx, __dword_ptr[rbx]);
        c.inc(r10);
        c.test(r10b, 3);
        Label calm = c.CreateLabel();
        c.jnz(calm);
        c.pushfq();
        c.or(__dword_ptr[rsp], 0x100);
        c.popfq();
        c.Label(ref calm);
        c.sti();
        c.test(r10b, 7);
        Label awake = c.CreateLabel();
        c.jnz(awake);
        c.inc(__dword_ptr[SystemGuest.Scratch + 0x820]);
        c.hlt();
        c.Label(ref awake);
        c.jmp(top);
    }
}
