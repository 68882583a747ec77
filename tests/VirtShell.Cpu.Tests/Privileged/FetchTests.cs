using System.Linq;
using VirtShell.Cpu.Execution;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>Instruction fetch: length, page ends, what may be seen of reading ahead (SDM Vol. 2 §2.3.11, Vol. 3A §4.7, §4.10.4).</summary>
public sealed unsafe class FetchTests
{
    [Theory]
    [InlineData(14, 0x30)]
    [InlineData(15, Vector.GeneralProtection)]
    public void An_instruction_has_at_most_15_bytes(int prefixes, int vector)
    {
        using SystemGuest guest = SystemGuest.Protected();
        byte[] code = [.. Enumerable.Repeat((byte)0x3E, prefixes), 0x90];
        Assert.Equal(vector, guest.Run(c =>
        {
            c.db(code[..8]);
            c.db(code[8..]);
            c.@int(0x30);
        }));
        Assert.Equal(vector == 0x30 ? 0UL : SystemGuest.Code, vector == 0x30 ? 0UL : guest.Stack(1));
    }

    [Fact]
    public void Reading_ahead_into_a_missing_page_leaves_cr2_alone()
    {
        // The block's second instruction crosses into a page that is not there; the first one jumps away.
        using SystemGuest guest = SystemGuest.Long();
        guest.SetTestPage(7);
        guest.State->Cr2 = 0x1234;
        guest.Memory.Write(SystemGuest.TestFrame + 0xFF8, [0x90, 0x90, 0x90, 0xCD, 0x30, 0x48, 0xC7, 0xC0]);
        Assert.Equal(0x30, guest.Run(static c =>
        {
            c.mov(rax, (long)SystemGuest.TestPage + 0xFF8);
            c.jmp(rax);
        }));
        Assert.Equal(0x1234UL, guest.State->Cr2);
    }

    [Fact]
    public void The_instruction_behind_the_page_end_faults_only_when_reached()
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.SetTestPage(7);
        guest.Memory.Write(SystemGuest.TestFrame + 0xFFC, [0xFF, 0xC3, 0x48, 0xC7]);
        Assert.Equal(Vector.PageFault, guest.Run(static c =>
        {
            c.mov(rax, (long)SystemGuest.TestPage + 0xFFC);
            c.jmp(rax);
        }));
        Assert.Equal(1UL, guest.State->Gpr[3]);
        Assert.Equal(SystemGuest.TestPage + 0x1000, guest.State->Cr2);
        Assert.Equal(SystemGuest.TestPage + 0xFFE, guest.Stack(1));
    }

    [Fact]
    public void An_instruction_across_pages_sees_its_second_page_remapped()
    {
        // mov eax, imm32 with its last two bytes in the next page, which is mapped elsewhere in between.
        using SystemGuest guest = SystemGuest.Long();
        guest.SetTestPage(7);
        const ulong Second = SystemGuest.Tables + 0x5000 + 8;
        guest.Memory.WriteUInt64(Second, (SystemGuest.TestFrame + 0x1000) | 7);
        guest.Memory.Write(SystemGuest.TestFrame + 0xFFD, [0xB8, 0x11, 0x22]);
        guest.Memory.Write(SystemGuest.TestFrame + 0x1000, [0x33, 0x44, 0xC3]);
        guest.Memory.Write(SystemGuest.TestFrame + 0x2000, [0x55, 0x66, 0xC3]);
        Assert.Equal(0x30, guest.Run(static c =>
        {
            c.mov(rbx, (long)SystemGuest.TestPage + 0xFFD);
            c.call(rbx);
            c.mov(ecx, eax);
            c.mov(rax, (long)(SystemGuest.TestFrame + 0x2000) | 7);
            c.mov(rdx, (long)Second);
            c.mov(__qword_ptr[rdx], rax);
            c.mov(rdx, (long)SystemGuest.TestPage + 0x1000);
            c.invlpg(__[rdx]);
            c.call(rbx);
            c.@int(0x30);
        }));
        Assert.Equal(0x44332211UL, guest.State->Gpr[1]);
        Assert.Equal(0x66552211UL, guest.State->Gpr[0]);
    }

    [Theory]
    [InlineData(false, false, 0)]
    [InlineData(true, false, 0x10)]
    [InlineData(false, true, 0x10)]
    public void A_fetch_is_named_in_the_error_code_only_with_nx_or_smep(bool nx, bool smep, int error)
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.SetTestPage(0);
        guest.State->Efer = nx ? guest.State->Efer | ControlBits.EferNoExecute : guest.State->Efer & ~ControlBits.EferNoExecute;
        guest.State->Cr4 |= smep ? ControlBits.Cr4Smep : 0;
        // SMEP forbids running the 1:1 pages, which are everybody's.
        if (smep)
        {
            for (ulong page = 0; page < 1024; page++)
            {
                guest.Memory.WriteUInt64(SystemGuest.Tables + 0x3000 + (page * 8), (page << 12) | 3);
            }
        }

        Assert.Equal(Vector.PageFault, guest.Run(static c =>
        {
            c.mov(rax, (long)SystemGuest.TestPage);
            c.jmp(rax);
        }));
        Assert.Equal((ulong)error, guest.Stack(0));
    }
}
