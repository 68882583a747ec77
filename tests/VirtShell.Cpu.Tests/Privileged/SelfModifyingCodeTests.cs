using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>Code that changes under the processor's feet: the next fetch sees it (SDM Vol. 3A §11.6; the P6 family and later snoop their own stores).</summary>
public sealed unsafe class SelfModifyingCodeTests
{
    [Fact]
    public void A_store_to_the_next_instruction_of_the_same_block_is_seen()
    {
        using SystemGuest guest = SystemGuest.Protected();
        Assert.Equal(-1, guest.Run(static c =>
        {
            // The immediate of MOV EBX, at Code + 7 + 1.
            c.mov(__byte_ptr[(int)SystemGuest.Code + 8], 0x55);
            c.mov(ebx, 1);
            c.hlt();
        }));
        Assert.Equal(0x55UL, guest.State->Gpr[3]);
    }

    [Fact]
    public void A_loop_that_patches_itself_runs_the_patched_code()
    {
        using SystemGuest guest = SystemGuest.Protected();
        Assert.Equal(-1, guest.Run(static c =>
        {
            Iced.Intel.Label top = c.CreateLabel();
            c.xor(ebx, ebx);
            c.mov(ecx, 5);
            c.Label(ref top);
            c.add(ebx, 1);
            // Doubles the immediate of ADD at Code + 7 + 2.
            c.shl(__byte_ptr[(int)SystemGuest.Code + 9], 1);
            c.dec(ecx);
            c.jnz(top);
            c.hlt();
        }));
        Assert.Equal(31UL, guest.State->Gpr[3]);
    }

    [Fact]
    public void Code_in_another_page_is_decoded_again_after_a_store()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Assemble(SystemGuest.UserCode, static c =>
        {
            c.mov(ebx, 1);
            c.ret();
        });
        Assert.Equal(-1, guest.Run(static c =>
        {
            c.call(SystemGuest.UserCode);
            c.mov(edx, ebx);
            c.mov(__dword_ptr[(int)SystemGuest.UserCode + 1], 2);
            c.call(SystemGuest.UserCode);
            c.hlt();
        }));
        Assert.Equal(1UL, guest.State->Gpr[2]);
        Assert.Equal(2UL, guest.State->Gpr[3]);
    }

    [Fact]
    public void An_instruction_across_pages_sees_a_store_to_its_second_page()
    {
        using SystemGuest guest = SystemGuest.Protected();
        ulong at = SystemGuest.UserCode - 3;
        guest.Assemble(at, static c =>
        {
            c.mov(ebx, 0x0101_0101);
            c.ret();
        });
        Assert.Equal(-1, guest.Run(c =>
        {
            c.call(at);
            c.mov(edx, ebx);
            c.mov(__byte_ptr[(int)SystemGuest.UserCode + 1], 0x77);
            c.call(at);
            c.hlt();
        }));
        Assert.Equal(0x0101_0101UL, guest.State->Gpr[2]);
        Assert.Equal(0x7701_0101UL, guest.State->Gpr[3]);
    }

    [Fact]
    public void Rep_stos_over_its_own_successor_runs_what_it_wrote()
    {
        using SystemGuest guest = SystemGuest.Protected();
        Assert.Equal(-1, guest.Run(static c =>
        {
            c.mov(edi, (int)SystemGuest.Code + 17);
            c.mov(eax, 0xF4);
            c.mov(ecx, 8);
            c.rep.stosb();
            c.mov(ebx, 1);
            c.mov(ebx, 2);
        }));
        Assert.Equal(0UL, guest.State->Gpr[3]);
        Assert.Equal(SystemGuest.Code + 18, guest.State->Rip);
    }

    [Fact]
    public void Code_patched_by_dma_is_seen()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Assemble(SystemGuest.Code, static c =>
        {
            c.mov(ebx, 1);
            c.jmp(SystemGuest.Code);
        });
        guest.State->Rip = SystemGuest.Code;
        guest.Processor.Run(10);
        Assert.Equal(1UL, guest.State->Gpr[3]);
        guest.Memory.Write(SystemGuest.Code + 1, [0x66]);
        guest.Processor.Run(10);
        Assert.Equal(0x66UL, guest.State->Gpr[3]);
    }

    [Fact]
    public void Two_mappings_of_one_page_both_see_a_store_through_either()
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.SetTestPage(3);
        guest.Assemble(SystemGuest.TestFrame, static c =>
        {
            c.mov(ebx, 1);
            c.ret();
        });
        Assert.Equal(-1, guest.Run(static c =>
        {
            c.mov(rsi, (long)SystemGuest.TestPage);
            c.mov(rdi, (long)SystemGuest.TestFrame);
            c.call(rsi);
            c.mov(edx, ebx);
            c.mov(__byte_ptr[rdi + 1], 3);
            c.call(rsi);
            c.mov(ecx, ebx);
            c.call(rdi);
            c.hlt();
        }));
        Assert.Equal(1UL, guest.State->Gpr[2]);
        Assert.Equal(3UL, guest.State->Gpr[1]);
        Assert.Equal(3UL, guest.State->Gpr[3]);
    }
}
