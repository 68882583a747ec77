using System;
using VirtShell.State;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>Saving between any two instructions, loading into another processor and going on gives the same end.</summary>
public sealed unsafe class ProcessorStateTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(20)]
    [InlineData(33)]
    [InlineData(34)]
    [InlineData(41)]
    public void A_processor_saved_in_the_middle_goes_on_as_if_nothing_had_happened(int instructions)
    {
        using SystemGuest whole = Prepare();
        whole.Processor.Run(1000);
        byte[] expected = Save(whole);

        using SystemGuest first = Prepare();
        first.Processor.Run(instructions);
        byte[] middle = Save(first);
        using SystemGuest second = Prepare();
        Copy(first, second);
        second.Processor.Load(middle);
        Assert.Equal(middle, Save(second));
        second.Processor.Run(1000 - instructions);
        Assert.Equal(expected, Save(second));
        Assert.Equal(whole.Processor.InstructionsRetired, second.Processor.InstructionsRetired);
    }

    [Fact]
    public void A_pending_nmi_and_its_blocking_are_saved()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetGate(2, SystemGuest.Interrupt32, offset: SystemGuest.Code + 0x100);
        guest.Assemble(SystemGuest.Code + 0x100, static c =>
        {
            c.inc(ebx);
            c.nop();
            c.iretd();
        });
        guest.Assemble(SystemGuest.Code, static c =>
        {
            c.nop();
            c.nop();
            c.hlt();
        });
        guest.State->Rip = SystemGuest.Code;
        guest.Processor.RaiseNmi();
        guest.Processor.Run(1);
        guest.Processor.RaiseNmi();
        byte[] saved = Save(guest);
        guest.Processor.Load(saved);
        guest.Processor.Run(1);
        Assert.Equal(1UL, guest.State->Gpr[3]);
        Assert.Equal(ExitReason.Halted, guest.Processor.Run(100));
        Assert.Equal(2UL, guest.State->Gpr[3]);
    }

    [Fact]
    public void Damaged_state_is_refused_or_harmless()
    {
        using SystemGuest guest = Prepare();
        guest.Processor.Run(10);
        byte[] saved = Save(guest);
        Random random = new(5);
        for (int i = 0; i < 200; i++)
        {
            byte[] damaged = (byte[])saved.Clone();
            damaged[random.Next(4, damaged.Length)] ^= (byte)(1 << random.Next(8));
            try
            {
                guest.Processor.Load(damaged);
                guest.Processor.Run(100);
            }
            catch (StateFormatException)
            {
                // Refused with a message: as it should be.
            }
        }
    }

    [Fact]
    public void The_snapshot_tells_the_mode_in_words()
    {
        using SystemGuest guest = SystemGuest.Long();
        VcpuSnapshot snapshot = guest.Processor.CaptureRegisters();
        Assert.Equal("64-bit, CPL 0, paging on", snapshot.Mode);
        Assert.Equal(SystemGuest.Code, snapshot.LinearRip);
        Assert.Contains(snapshot.Registers, static r => r.Key == "RSP" && r.Value == SystemGuest.BootStack);
        guest.Processor.Reset();
        Assert.Equal("real mode, CPL 0, paging off", guest.Processor.CaptureRegisters().Mode);
    }

    private static SystemGuest Prepare()
    {
        SystemGuest guest = SystemGuest.Long();
        guest.SetTestPage(7);
        guest.State->MsrStar = ((ulong)SystemGuest.Data0 << 48) | ((ulong)SystemGuest.Code0 << 32);
        guest.State->MsrLstar = SystemGuest.Code + 0x400;
        guest.State->Cr4 |= ControlBits.Cr4Osfxsr;
        guest.Assemble(SystemGuest.Code + 0x400, static c =>
        {
            c.mov(rsp, (long)SystemGuest.InnerStack);
            c.rdrand(r8);
            c.add(__qword_ptr[(long)SystemGuest.TestPage], 1);
            c.sysretq();
        });
        guest.Assemble(SystemGuest.UserCode, static c =>
        {
            Iced.Intel.Label top = c.CreateLabel();
            c.mov(ebx, 30);
            c.Label(ref top);
            c.mov(rdi, (long)SystemGuest.Scratch);
            c.mov(ecx, 9);
            c.rep.stosb();
            c.add(r9, r8);
            c.adc(r10, rbx);
            c.movq(xmm1, r9);
            c.paddq(xmm0, xmm1);
            c.syscall();
            c.dec(ebx);
            c.jnz(top);
            c.@int(0x30);
        });
        guest.EnterUser(SystemGuest.UserCode);
        return guest;
    }

    private static byte[] Save(SystemGuest guest) => SavedState.Of(guest.Processor);

    private static void Copy(SystemGuest from, SystemGuest to)
    {
        byte[] bytes = new byte[from.Memory.RamBytes];
        from.Memory.Read(0, bytes);
        to.Memory.Write(0, bytes);
    }
}
