using VirtShell.Cpu.Execution;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>Hardware task switches (SDM Vol. 3A chapter 7).</summary>
public sealed unsafe class TaskSwitchTests
{
    private const ushort Task2 = SystemGuest.Spare;
    private const ulong NewCode = SystemGuest.Code + 0x200;
    private const ulong NewStack = 0xC000;

    [Fact]
    public void A_jump_saves_the_old_task_and_loads_the_new()
    {
        using SystemGuest guest = Prepare(Task2);
        Assert.Equal(0x30, guest.Run(static c =>
        {
            c.mov(ebx, 0x1111);
            c.db(0xEA, 0, 0, 0, 0, (byte)Task2, 0);
        }));
        Assert.Equal(Task2, guest.State->Tr.Selector);
        Assert.Equal(0x2222UL, guest.State->Gpr[3]);
        Assert.Equal(0x1111u, guest.Memory.ReadUInt32(SystemGuest.TssAddress + 0x34));
        Assert.Equal((uint)SystemGuest.Code + 12, guest.Memory.ReadUInt32(SystemGuest.TssAddress + 0x20));
        Assert.Equal(SystemGuest.Code0, guest.Memory.ReadUInt16(SystemGuest.TssAddress + 0x4C));
        Assert.NotEqual(0UL, guest.State->Cr0 & ControlBits.Cr0TaskSwitched);
        Assert.False(IsBusy(guest, SystemGuest.Tss));
        Assert.True(IsBusy(guest, Task2));
        Assert.Equal(0UL, guest.Stack(2) & Flags.NestedTask);
    }

    [Fact]
    public void A_call_nests_and_iret_comes_back()
    {
        using SystemGuest guest = Prepare(Task2);
        guest.Assemble(NewCode, static c =>
        {
            c.pushfd();
            c.pop(__dword_ptr[(int)SystemGuest.Scratch]);
            c.iretd();
            c.jmp(NewCode);
        });
        Assert.Equal(0x30, guest.Run(static c =>
        {
            c.mov(ebx, 0x1111);
            c.db(0x9A, 0, 0, 0, 0, (byte)Task2, 0);
            c.mov(ecx, 0x3333);
            c.@int(0x30);
        }));
        Assert.Equal(SystemGuest.Tss, guest.State->Tr.Selector);
        Assert.Equal(0x1111UL, guest.State->Gpr[3]);
        Assert.Equal(0x3333UL, guest.State->Gpr[1]);
        Assert.NotEqual(0u, guest.Memory.ReadUInt32(SystemGuest.Scratch) & Flags.NestedTask);
        Assert.Equal(SystemGuest.Tss, guest.Memory.ReadUInt16(SystemGuest.TssAddress2));
        Assert.True(IsBusy(guest, SystemGuest.Tss));
        Assert.False(IsBusy(guest, Task2));
        // The nested task goes on after its IRET when it is entered again, NT clear in its saved flags.
        Assert.Equal(0u, guest.Memory.ReadUInt32(SystemGuest.TssAddress2 + 0x24) & Flags.NestedTask);
    }

    [Fact]
    public void An_exception_through_a_task_gate_pushes_its_error_code_in_the_new_task()
    {
        using SystemGuest guest = Prepare(Task2);
        guest.SetGate(Vector.GeneralProtection, SystemGuest.TaskGate, selector: Task2);
        Assert.Equal(0x30, guest.Run(static c =>
        {
            c.mov(eax, 0x7FF8);
            c.mov(ds, ax);
        }));
        Assert.Equal(NewStack - 16, guest.State->Gpr[4]);
        Assert.Equal(0x7FF8UL, guest.Stack(3));
        Assert.Equal((uint)SystemGuest.Code + 5, guest.Memory.ReadUInt32(SystemGuest.TssAddress + 0x20));
        Assert.NotEqual(0u, guest.Memory.ReadUInt32(SystemGuest.TssAddress + 0x24) & Flags.Resume);
        Assert.True(IsBusy(guest, SystemGuest.Tss));
        Assert.Equal(SystemGuest.Tss, guest.Memory.ReadUInt16(SystemGuest.TssAddress2));
    }

    [Fact]
    public void A_busy_task_cannot_be_entered()
    {
        using SystemGuest guest = Prepare(Task2);
        guest.SetSegment(Task2, SystemGuest.TssAddress2, 0x67, 0x8B);
        Assert.Equal(Vector.GeneralProtection, guest.Run(static c => c.db(0xEA, 0, 0, 0, 0, (byte)Task2, 0)));
        Assert.Equal((ulong)Task2, guest.Stack(0));
        Assert.Equal(SystemGuest.Tss, guest.State->Tr.Selector);
    }

    [Fact]
    public void A_short_tss_is_invalid()
    {
        using SystemGuest guest = Prepare(Task2);
        guest.SetSegment(Task2, SystemGuest.TssAddress2, 0x66, 0x89);
        Assert.Equal(Vector.InvalidTss, guest.Run(static c => c.db(0xEA, 0, 0, 0, 0, (byte)Task2, 0)));
        Assert.Equal((ulong)Task2, guest.Stack(0));
    }

    [Theory]
    [InlineData(0x4C, 0x7F8, Vector.InvalidTss, 0x7F8)]
    [InlineData(0x4C, SystemGuest.Data0, Vector.InvalidTss, SystemGuest.Data0)]
    [InlineData(0x50, SystemGuest.Code0, Vector.InvalidTss, SystemGuest.Code0)]
    [InlineData(0x54, 0x7F8, Vector.InvalidTss, 0x7F8)]
    [InlineData(0x60, SystemGuest.Data0, Vector.InvalidTss, SystemGuest.Data0)]
    public void A_bad_segment_faults_in_the_new_task(int field, int selector, int vector, int error)
    {
        using SystemGuest guest = Prepare(Task2);
        guest.Memory.WriteUInt16(SystemGuest.TssAddress2 + (ulong)field, (ushort)selector);
        // The fault is handled by a third task, as the second has no usable segments.
        guest.SetSegment(SystemGuest.Spare2, 0x3C00, 0x67, 0x89);
        FillTask(guest, 0x3C00, SystemGuest.Handlers + (ulong)(vector * 16));
        guest.SetGate(vector, SystemGuest.TaskGate, selector: SystemGuest.Spare2);
        guest.Assemble(SystemGuest.Code, static c => c.db(0xEA, 0, 0, 0, 0, (byte)Task2, 0));
        guest.State->Rip = SystemGuest.Code;
        Assert.Equal(vector, guest.Continue());
        Assert.Equal((ulong)error, guest.Stack(0));
        Assert.Equal(SystemGuest.Spare2, guest.State->Tr.Selector);
        Assert.Equal(Task2, guest.Memory.ReadUInt16(0x3C00));
        // Saved as the second task's: it stopped before its first instruction.
        Assert.Equal((uint)NewCode, guest.Memory.ReadUInt32(SystemGuest.TssAddress2 + 0x20));
    }

    [Fact]
    public void The_debug_trap_flag_traps_before_the_new_tasks_first_instruction()
    {
        using SystemGuest guest = Prepare(Task2);
        guest.Memory.WriteUInt16(SystemGuest.TssAddress2 + 0x64, 1);
        Assert.Equal(Vector.Debug, guest.Run(static c => c.db(0xEA, 0, 0, 0, 0, (byte)Task2, 0)));
        Assert.Equal(NewCode, guest.Stack(0));
        Assert.NotEqual(0UL, guest.State->Dr[6] & 0x8000);
    }

    [Fact]
    public void A16_bit_task_loads_words()
    {
        using SystemGuest guest = Prepare(Task2);
        guest.SetSegment(Task2, SystemGuest.TssAddress2, 0x2B, 0x81);
        guest.Memory.Write(SystemGuest.TssAddress2, new byte[0x2C]);
        guest.Memory.WriteUInt16(SystemGuest.TssAddress2 + 0x0E, (ushort)NewCode);
        guest.Memory.WriteUInt16(SystemGuest.TssAddress2 + 0x10, 2);
        guest.Memory.WriteUInt16(SystemGuest.TssAddress2 + 0x18, 0x4444);
        guest.Memory.WriteUInt16(SystemGuest.TssAddress2 + 0x1A, (ushort)NewStack);
        guest.Memory.WriteUInt16(SystemGuest.TssAddress2 + 0x22, SystemGuest.Data0);
        guest.Memory.WriteUInt16(SystemGuest.TssAddress2 + 0x24, SystemGuest.Code0);
        guest.Memory.WriteUInt16(SystemGuest.TssAddress2 + 0x26, SystemGuest.Data0);
        guest.Memory.WriteUInt16(SystemGuest.TssAddress2 + 0x28, SystemGuest.Data0);
        Assert.Equal(0x30, guest.Run(static c => c.db(0xEA, 0, 0, 0, 0, (byte)Task2, 0)));
        Assert.Equal(0x4444UL, guest.State->Gpr[3] & 0xFFFF);
        Assert.Equal(0, guest.State->Fs.Selector);
    }

    [Fact]
    public void A_task_has_its_own_address_space()
    {
        using SystemGuest guest = Prepare(Task2);
        const ulong First = SystemGuest.Tables;
        const ulong Second = SystemGuest.Tables + 0x4000;
        foreach ((ulong directory, uint frame) in new[] { (First, (uint)SystemGuest.TestFrame), (Second, 0x30_0000u) })
        {
            guest.Memory.WriteUInt32(directory, (uint)(directory + 0x1000) | 3);
            guest.Memory.WriteUInt32(directory + 4, (uint)(directory + 0x2000) | 3);
            guest.Memory.WriteUInt32(directory + 0x2000, frame | 3);
            for (uint page = 0; page < 1024; page++)
            {
                guest.Memory.WriteUInt32(directory + 0x1000 + (page * 4), (page << 12) | 3);
            }
        }

        guest.Memory.WriteUInt32(SystemGuest.TestFrame, 1);
        guest.Memory.WriteUInt32(0x30_0000, 2);
        guest.Memory.WriteUInt32(SystemGuest.TssAddress2 + 0x1C, (uint)Second);
        guest.Memory.WriteUInt32(SystemGuest.TssAddress + 0x1C, (uint)First);
        guest.Assemble(NewCode, static c =>
        {
            c.mov(eax, __dword_ptr[(int)SystemGuest.TestPage]);
            c.mov(__dword_ptr[(int)SystemGuest.Scratch], eax);
            c.iretd();
        });
        guest.Processor.WriteCr3(First);
        guest.Processor.WriteCr0(guest.State->Cr0 | ControlBits.Cr0Paging);
        Assert.Equal(0x30, guest.Run(static c =>
        {
            c.mov(ebx, __dword_ptr[(int)SystemGuest.TestPage]);
            c.db(0x9A, 0, 0, 0, 0, (byte)Task2, 0);
            c.mov(ecx, __dword_ptr[(int)SystemGuest.TestPage]);
            c.@int(0x30);
        }));
        Assert.Equal((1UL, 1UL), (guest.State->Gpr[3], guest.State->Gpr[1]));
        Assert.Equal(2u, guest.Memory.ReadUInt32(SystemGuest.Scratch));
        Assert.Equal(First, guest.State->Cr3);
    }

    [Fact]
    public void A_task_may_run_in_virtual_8086_mode()
    {
        using SystemGuest guest = Prepare(Task2);
        guest.Memory.WriteUInt32(SystemGuest.TssAddress2 + 4, (uint)SystemGuest.InnerStack);
        guest.Memory.WriteUInt16(SystemGuest.TssAddress2 + 8, SystemGuest.Data0);
        guest.Memory.WriteUInt32(SystemGuest.TssAddress2 + 0x20, 0x10);
        guest.Memory.WriteUInt32(SystemGuest.TssAddress2 + 0x24, Flags.Virtual8086 | 0x3002);
        guest.Memory.WriteUInt16(SystemGuest.TssAddress2 + 0x4C, 0x900);
        guest.Memory.WriteUInt16(SystemGuest.TssAddress2 + 0x54, 0xA00);
        guest.Assemble(
            0x9010,
            static c =>
            {
                c.mov(__word_ptr[0x20], 0x77);
                c.@int(0x30);
            },
            bits: 16);
        Assert.Equal(0x30, guest.Run(static c => c.db(0xEA, 0, 0, 0, 0, (byte)Task2, 0)));
        Assert.Equal(0x77, guest.Memory.ReadUInt16(0xA020));
        Assert.NotEqual(0UL, guest.Stack(2) & Flags.Virtual8086);
        Assert.Equal(0xA00UL, guest.Stack(6));
    }

    [Fact]
    public void An_interrupt_through_a_task_gate_comes_back_by_iret()
    {
        using SystemGuest guest = Prepare(Task2);
        guest.SetGate(0x44, SystemGuest.TaskGate, selector: Task2);
        guest.Assemble(NewCode, static c =>
        {
            c.inc(ebx);
            c.iretd();
            c.jmp(NewCode);
        });
        guest.Bus.InterruptVector = 0x44;
        Assert.Equal(0x30, guest.Run(static c =>
        {
            c.mov(ebx, 0x1111);
            c.@int(0x44);
            c.@int(0x44);
            c.@int(0x30);
        }));
        Assert.Equal(0x1111UL, guest.State->Gpr[3]);
        // The task went on behind its IRET the second time.
        Assert.Equal(0x2224u, guest.Memory.ReadUInt32(SystemGuest.TssAddress2 + 0x34));
        Assert.Equal(SystemGuest.Tss, guest.State->Tr.Selector);
    }

    private static SystemGuest Prepare(ushort selector)
    {
        SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(selector, SystemGuest.TssAddress2, 0x67, 0x89);
        FillTask(guest, SystemGuest.TssAddress2, NewCode);
        guest.Assemble(NewCode, static c => c.@int(0x30));
        return guest;
    }

    private static void FillTask(SystemGuest guest, ulong at, ulong eip)
    {
        guest.Memory.WriteUInt32(at + 0x20, (uint)eip);
        guest.Memory.WriteUInt32(at + 0x24, 2);
        guest.Memory.WriteUInt32(at + 0x34, 0x2222);
        guest.Memory.WriteUInt32(at + 0x38, (uint)NewStack);
        foreach (ulong field in new ulong[] { 0x48, 0x50, 0x54, 0x58, 0x5C })
        {
            guest.Memory.WriteUInt16(at + field, SystemGuest.Data0);
        }

        guest.Memory.WriteUInt16(at + 0x4C, SystemGuest.Code0);
        guest.Memory.WriteUInt16(at + 0x66, 0x68);
    }

    private static bool IsBusy(SystemGuest guest, ushort selector) => (guest.Memory.ReadUInt64(SystemGuest.Gdt + selector) & (1UL << 41)) != 0;
}
