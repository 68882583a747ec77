using System;
using Iced.Intel;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>16-bit code on 32-bit stacks and the other way round, and far transfers between them (SDM Vol. 3A chapter 22, Vol. 1 §6.2.3).</summary>
public sealed unsafe class MixedSizeTests
{
    private const ulong Code16 = 0x5800;
    private const uint HighStack = 0x1E000;
    private const ushort Stack16 = SystemGuest.Spare2;

    [Fact]
    public void Sixteen_bit_code_pushes_by_size_and_moves_the_whole_esp()
    {
        using SystemGuest guest = Prepare(HighStack, static c =>
        {
            c.push(ax);
            c.push(eax);
            c.mov(ebx, esp);
            c.pop(edx);
            c.pop(dx);
            Label routine = c.CreateLabel();
            c.call(routine);
            c.hlt();
            c.Label(ref routine);
            c.mov(ecx, esp);
            c.ret();
        });
        guest.State->Gpr[0] = 0x1122_3344;
        Assert.Equal(-1, guest.Continue());
        Assert.Equal(HighStack - 6, guest.State->Gpr[3]);
        Assert.Equal(HighStack - 2, guest.State->Gpr[1]);
        Assert.Equal(HighStack, guest.State->Gpr[4]);
        Assert.Equal(0x1122_3344u, guest.Memory.ReadUInt32(HighStack - 6));
    }

    [Fact]
    public void Enter_and_leave_take_the_frame_by_operand_and_the_top_by_stack_size()
    {
        using SystemGuest guest = Prepare(HighStack, static c =>
        {
            c.enter(8, 0);
            c.mov(ebx, esp);
            c.mov(edx, ebp);
            c.mov(ebp, HighStack - 2);
            c.leave();
            c.hlt();
        });
        guest.State->Gpr[5] = 0xAAAA_BBBB;
        Assert.Equal(-1, guest.Continue());
        Assert.Equal(HighStack - 10, guest.State->Gpr[3]);
        Assert.Equal(0xAAAA_0000u | ((HighStack - 2) & 0xFFFF), guest.State->Gpr[2]);
        Assert.Equal(HighStack, guest.State->Gpr[4]);
        Assert.Equal(0xBBBBUL, guest.State->Gpr[5] & 0xFFFF);
    }

    [Fact]
    public void Thirty_two_bit_code_on_A16_bit_stack_keeps_the_upper_half_of_esp()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(Stack16, 0x1_0000, 0xFFFF, 0x0093);
        Assert.Equal(-1, guest.Run(static c =>
        {
            c.mov(eax, Stack16);
            c.mov(ss, eax);
            c.mov(esp, 0xABCD_0104);
            c.push(0x1122_3344);
            c.mov(ebx, esp);
            c.mov(ebp, 0x7777_0100);
            c.leave();
            c.hlt();
        }));
        Assert.Equal(0xABCD_0100UL, guest.State->Gpr[3]);
        Assert.Equal(0x1122_3344u, guest.Memory.ReadUInt32(0x1_0100));
        Assert.Equal(0xABCD_0104UL, guest.State->Gpr[4]);
        Assert.Equal(0x1122_3344UL, guest.State->Gpr[5]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_return_to_an_outer_16_bit_stack_loads_sp_only(bool interrupt)
    {
        // SDM Vol. 3A §22.31: the upper half keeps what the inner level had there.
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(Stack16, 0, 0xFFFF, 0x00F3);
        guest.Assemble(SystemGuest.UserCode, static c =>
        {
            c.mov(ebx, esp);
            c.@int(0x30);
        });
        guest.State->Gpr[4] = 0x0001_F000;
        Assert.Equal(0x30, guest.Run(c =>
        {
            c.push(Stack16 | 3);
            c.push((uint)SystemGuest.UserStack);
            if (interrupt)
            {
                c.push(0x202);
            }

            c.push(SystemGuest.Code3);
            c.push((uint)SystemGuest.UserCode);
            if (interrupt)
            {
                c.iretd();
            }
            else
            {
                c.retf();
            }
        }));
        Assert.Equal(0x1_0000UL | SystemGuest.UserStack, guest.State->Gpr[3]);
    }

    [Fact]
    public void A_far_call_in_16_bit_code_pushes_words_and_with_a_prefix_doublewords()
    {
        using SystemGuest guest = Prepare(HighStack, static c =>
        {
            c.db(0x9A, 0x00, 0x80, (byte)SystemGuest.Code0, 0x00);
            c.hlt();
        });
        guest.Assemble(SystemGuest.Code, static c => c.@int(0x30));
        Assert.Equal(0x30, guest.Continue());
        Assert.Equal((ushort)(Code16 + 5), guest.Memory.ReadUInt16(HighStack - 4));
        Assert.Equal(SystemGuest.Code1632, guest.Memory.ReadUInt16(HighStack - 2));
        using SystemGuest second = Prepare(HighStack, static c =>
        {
            c.db(0x66, 0x9A, 0x00, 0x80, 0x00, 0x00, (byte)SystemGuest.Code0, 0x00);
            c.hlt();
        });
        second.Assemble(SystemGuest.Code, static c => c.@int(0x30));
        Assert.Equal(0x30, second.Continue());
        Assert.Equal((uint)(Code16 + 8), second.Memory.ReadUInt32(HighStack - 8));
    }

    [Fact]
    public void A16_bit_branch_in_A32_bit_segment_cuts_eip()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(SystemGuest.Spare, 0, 0xFFFFF, 0xC09B);
        guest.Assemble(0x5000, static c => c.@int(0x30));
        guest.Memory.Write(SystemGuest.Scratch + 0x5000 - 0x7B, [0x66, 0xEB, 0x78]);
        guest.State->Rip = SystemGuest.Scratch + 0x5000 - 0x7B;
        Assert.Equal(0x30, guest.Continue());
        Assert.Equal(0x5002UL, guest.Stack(0));
    }

    /// <summary>16-bit code at <see cref="Code16"/> on the flat 32-bit stack.</summary>
    private static SystemGuest Prepare(uint esp, Action<Assembler> write)
    {
        SystemGuest guest = SystemGuest.Protected();
        guest.Assemble(Code16, write, bits: 16);
        guest.Processor.SetSegment(SegmentIndex.Cs, SystemGuest.Code1632, 0, 0xFFFF, 0x9B);
        guest.Processor.UpdateMode();
        guest.State->Gpr[4] = esp;
        guest.State->Rip = Code16;
        return guest;
    }
}
