using VirtShell.Cpu.Execution;
using Xunit;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>Task gates, back links, busy bits and the faults of task switches by kind (SDM Vol. 3A §7.2.2 to §7.4, tables 7-1 and 7-2).</summary>
public sealed unsafe class TaskErrorTests
{
    private const ushort Task2 = SystemGuest.Spare;
    private const ushort Gate = SystemGuest.Spare2;
    private const ulong NewCode = SystemGuest.Code + 0x200;

    [Theory]
    [InlineData(0xEA, false)]
    [InlineData(0x9A, true)]
    public void A_task_gate_leads_to_its_task(int opcode, bool nested)
    {
        using SystemGuest guest = Prepare();
        guest.SetCallGate(Gate, Descriptor.TaskGate, 0, Task2, 0);
        Assert.Equal(0x30, guest.Run(c => c.db((byte)opcode, 0, 0, 0, 0, (byte)Gate, 0)));
        Assert.Equal(Task2, guest.State->Tr.Selector);
        Assert.Equal(nested, (guest.Stack(2) & Flags.NestedTask) != 0);
        Assert.Equal(nested, IsBusy(guest, SystemGuest.Tss));
        Assert.Equal(nested ? SystemGuest.Tss : 0, guest.Memory.ReadUInt16(SystemGuest.TssAddress2));
    }

    [Fact]
    public void A_user_reaches_a_task_through_a_gate_of_its_privilege_only()
    {
        using SystemGuest guest = Prepare();
        guest.SetCallGate(Gate, Descriptor.TaskGate, 3, Task2, 0);
        Assert.Equal(0x30, guest.RunUser(static c => c.db(0x9A, 0, 0, 0, 0, (byte)(Gate | 3), 0)));
        Assert.Equal(Task2, guest.State->Tr.Selector);
        using SystemGuest other = Prepare();
        other.SetCallGate(Gate, Descriptor.TaskGate, 0, Task2, 0);
        Assert.Equal(Vector.GeneralProtection, other.RunUser(static c => c.db(0x9A, 0, 0, 0, 0, (byte)(Gate | 3), 0)));
        Assert.Equal((ulong)Gate, other.Stack(0));
        using SystemGuest direct = Prepare();
        Assert.Equal(Vector.GeneralProtection, direct.RunUser(static c => c.db(0x9A, 0, 0, 0, 0, (byte)(Task2 | 3), 0)));
        Assert.Equal((ulong)Task2, direct.Stack(0));
    }

    [Theory]
    [InlineData(true, 0x0089u, Task2, Vector.SegmentNotPresent, Gate)]
    [InlineData(false, 0x0009u, Task2, Vector.SegmentNotPresent, Task2)]
    [InlineData(false, 0x0082u, Task2, Vector.GeneralProtection, Task2)]
    [InlineData(false, 0x0089u, 0, Vector.GeneralProtection, 0)]
    [InlineData(false, 0x0089u, Task2 | 4, Vector.GeneralProtection, Task2 | 4)]
    public void What_a_task_gate_names_is_checked(bool absentGate, uint attributes, int selector, int vector, int error)
    {
        using SystemGuest guest = Prepare();
        guest.SetSegment(Task2, SystemGuest.TssAddress2, 0x67, attributes);
        guest.SetCallGate(Gate, Descriptor.TaskGate, 0, (ushort)selector, 0);
        if (absentGate)
        {
            guest.Memory.Write(SystemGuest.Gdt + Gate + 5, [Descriptor.TaskGate]);
        }

        Assert.Equal(vector, guest.Run(static c => c.db(0xEA, 0, 0, 0, 0, (byte)Gate, 0)));
        Assert.Equal((ulong)error, guest.Stack(0));
        Assert.Equal(SystemGuest.Tss, guest.State->Tr.Selector);
        Assert.True(IsBusy(guest, SystemGuest.Tss));
    }

    [Theory]
    [InlineData(0x0089u, Vector.InvalidTss)]
    [InlineData(0x0092u, Vector.InvalidTss)]
    [InlineData(0x000Bu, Vector.SegmentNotPresent)]
    public void Iret_checks_the_task_that_it_goes_back_to(uint attributes, int vector)
    {
        using SystemGuest guest = Prepare();
        guest.SetSegment(Task2, SystemGuest.TssAddress2, 0x67, attributes);
        guest.Memory.WriteUInt16(SystemGuest.TssAddress, Task2);
        Assert.Equal(vector, guest.Run(static c =>
        {
            c.push(0x4002);
            c.popfd();
            c.iretd();
        }));
        Assert.Equal((ulong)Task2, guest.Stack(0));
        Assert.Equal(SystemGuest.Code + 6, guest.Stack(1));
    }

    [Fact]
    public void Iret_back_clears_the_busy_bit_of_the_task_that_ends()
    {
        using SystemGuest guest = Prepare();
        guest.SetSegment(Task2, SystemGuest.TssAddress2, 0x67, 0x8B);
        guest.Memory.WriteUInt16(SystemGuest.TssAddress, Task2);
        Assert.Equal(0x30, guest.Run(static c =>
        {
            c.push(0x4002);
            c.popfd();
            c.iretd();
        }));
        Assert.Equal(Task2, guest.State->Tr.Selector);
        Assert.False(IsBusy(guest, SystemGuest.Tss));
        Assert.True(IsBusy(guest, Task2));
        Assert.Equal(0u, guest.Memory.ReadUInt32(SystemGuest.TssAddress + 0x24) & Flags.NestedTask);
    }

    [Fact]
    public void A_task_switch_disarms_local_breakpoints()
    {
        using SystemGuest guest = Prepare();
        guest.State->Dr[0] = 0x1234_5678;
        guest.State->Dr[7] = 0x703;
        guest.Processor.UpdateBreakpoints();
        Assert.Equal(0x30, guest.Run(static c => c.db(0xEA, 0, 0, 0, 0, (byte)Task2, 0)));
        Assert.Equal(0x602UL, guest.State->Dr[7]);
    }

    [Theory]
    [InlineData(SystemGuest.Tss, 0u, Vector.InvalidTss)]
    [InlineData(SystemGuest.Code1632, 0x0002u, Vector.InvalidTss)]
    [InlineData(SystemGuest.Code1632, 0x0082u, 0x30)]
    public void A_new_tasks_ldt_is_checked(int selector, uint attributes, int vector)
    {
        using SystemGuest guest = Prepare();
        if (attributes != 0)
        {
            guest.SetSegment((ushort)selector, SystemGuest.Scratch, 0xFF, attributes);
        }

        guest.Memory.WriteUInt16(SystemGuest.TssAddress2 + 0x60, (ushort)selector);
        guest.SetSegment(SystemGuest.Spare3, 0x3C00, 0x67, 0x89);
        Fill(guest, 0x3C00, SystemGuest.Handlers + (ulong)(Vector.InvalidTss * 16));
        guest.SetGate(Vector.InvalidTss, SystemGuest.TaskGate, selector: SystemGuest.Spare3);
        Assert.Equal(vector, guest.Run(static c => c.db(0xEA, 0, 0, 0, 0, (byte)Task2, 0)));
        if (vector == 0x30)
        {
            Assert.Equal((ushort)selector, guest.State->Ldtr.Selector);
            Assert.Equal(SystemGuest.Scratch, guest.State->Ldtr.Base);
        }
        else
        {
            Assert.Equal((ulong)selector, guest.Stack(0));
        }
    }

    private static SystemGuest Prepare()
    {
        SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(Task2, SystemGuest.TssAddress2, 0x67, 0x89);
        Fill(guest, SystemGuest.TssAddress2, NewCode);
        guest.Assemble(NewCode, static c => c.@int(0x30));
        return guest;
    }

    private static void Fill(SystemGuest guest, ulong at, ulong eip)
    {
        guest.Memory.WriteUInt32(at + 0x20, (uint)eip);
        guest.Memory.WriteUInt32(at + 0x24, 2);
        guest.Memory.WriteUInt32(at + 0x38, 0xC000);
        foreach (ulong field in new ulong[] { 0x48, 0x50, 0x54, 0x58, 0x5C })
        {
            guest.Memory.WriteUInt16(at + field, SystemGuest.Data0);
        }

        guest.Memory.WriteUInt16(at + 0x4C, SystemGuest.Code0);
    }

    private static bool IsBusy(SystemGuest guest, ushort selector) => (guest.Memory.ReadUInt64(SystemGuest.Gdt + selector) & (1UL << 41)) != 0;
}
