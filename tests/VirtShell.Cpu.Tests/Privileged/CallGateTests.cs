using VirtShell.Cpu.Execution;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>Call gates: what is checked, in which order, with which error code (SDM Vol. 3A §5.8.3 to §5.8.5, Vol. 2 CALL and JMP).</summary>
public sealed unsafe class CallGateTests
{
    private const ushort Gate = SystemGuest.Spare;
    private const ushort Target = SystemGuest.Spare2;
    private const ulong Entry = SystemGuest.Code + 0x100;
    private const uint Code32 = 0xC09B;

    [Theory]
    [InlineData(0x03, Code32, Target, 3, Vector.SegmentNotPresent, Gate)]
    [InlineData(0x80, Code32, Target, 0, Vector.GeneralProtection, Gate)]
    [InlineData(0x80, Code32, 0, 3, Vector.GeneralProtection, 0)]
    [InlineData(0x80, Code32, 0x7F8, 3, Vector.GeneralProtection, 0x7F8)]
    [InlineData(0x80, 0xC093u, Target, 3, Vector.GeneralProtection, Target)]
    [InlineData(0x80, 0x0089u, Target, 3, Vector.GeneralProtection, Target)]
    [InlineData(0x80, 0xC01Bu, Target, 3, Vector.SegmentNotPresent, Target)]
    public void A_call_gate_is_checked(int present, uint attributes, int target, int dpl, int vector, int error)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(Target, 0, 0xFFFFF, attributes);
        SetGate(guest, Descriptor.CallGate32, dpl, (ushort)target, Entry, (present & 0x80) != 0);
        Assert.Equal(vector, guest.RunUser(static c => c.db(0x9A, 0, 0, 0, 0, (byte)(Gate | 3), 0)));
        Assert.Equal((ulong)error, guest.Stack(0));
        Assert.Equal(SystemGuest.UserCode, guest.Stack(1));
    }

    [Fact]
    public void The_entry_must_lie_in_the_segment()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(Target, 0, 0xFF, 0x409B);
        SetGate(guest, Descriptor.CallGate32, 3, Target, 0x100, present: true);
        Assert.Equal(Vector.GeneralProtection, guest.RunUser(static c => c.db(0x9A, 0, 0, 0, 0, (byte)(Gate | 3), 0)));
        Assert.Equal(0UL, guest.Stack(0));
        Assert.Equal(SystemGuest.UserStack, guest.Stack(4));
    }

    [Theory]
    [InlineData(0, 0, Vector.InvalidTss, 0)]
    [InlineData(0x7F8, 0, Vector.InvalidTss, 0x7F8)]
    [InlineData(SystemGuest.Data3, 0, Vector.InvalidTss, SystemGuest.Data3 & ~3)]
    [InlineData(SystemGuest.Code0, 0, Vector.InvalidTss, SystemGuest.Code0)]
    [InlineData(SystemGuest.Spare3, 0x13, Vector.StackFault, SystemGuest.Spare3)]
    [InlineData(SystemGuest.Spare3, 0x91, Vector.InvalidTss, SystemGuest.Spare3)]
    public void The_inner_stack_is_checked(int selector, int attributes, int vector, int error)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(SystemGuest.Spare3, 0, 0xFFFFF, 0xC000u | (uint)attributes);
        SetGate(guest, Descriptor.CallGate32, 3, SystemGuest.Code0, Entry, present: true);

        // The fault's own handler is entered without a change of stack.
        guest.SetSegment(Target, 0, 0xFFFFF, 0xC09F);
        guest.SetGate(vector, SystemGuest.Interrupt32, selector: Target);
        guest.Memory.WriteUInt16(SystemGuest.TssAddress + 8, (ushort)selector);
        guest.Assemble(SystemGuest.Handlers + ((ulong)vector * 16), static c =>
        {
            c.pop(ebx);
            c.@int(0x30);
        });
        guest.SetGate(0x30, SystemGuest.TaskGate, dpl: 3, selector: SystemGuest.Code1632);
        guest.SetSegment(SystemGuest.Code1632, SystemGuest.TssAddress2, 0x67, 0x89);
        guest.Memory.WriteUInt32(SystemGuest.TssAddress2 + 0x20, (uint)Entry);
        guest.Memory.WriteUInt16(SystemGuest.TssAddress2 + 0x4C, SystemGuest.Code0);
        guest.Memory.WriteUInt16(SystemGuest.TssAddress2 + 0x50, SystemGuest.Data0);
        guest.Memory.WriteUInt16(SystemGuest.TssAddress2 + 0x54, SystemGuest.Data0);
        guest.Assemble(Entry, static c => c.hlt());
        Assert.Equal(-1, guest.RunUser(static c => c.db(0x9A, 0, 0, 0, 0, (byte)(Gate | 3), 0)));
        Assert.Equal(SystemGuest.Code1632, guest.State->Tr.Selector);
        Assert.Equal((uint)error, guest.Memory.ReadUInt32(SystemGuest.TssAddress + 0x34));
        Assert.Equal(3u, guest.Memory.ReadUInt32(SystemGuest.TssAddress + 0x4C) & 3);
    }

    [Fact]
    public void A16_bit_gate_pushes_and_copies_words()
    {
        using SystemGuest guest = SystemGuest.Protected();
        SetGate(guest, Descriptor.CallGate16, 3, SystemGuest.Code0, Entry, present: true, parameters: 2);
        guest.Assemble(Entry, static c =>
        {
            c.mov(ebx, esp);
            c.mov(ecx, __dword_ptr[esp]);
            c.mov(edx, __dword_ptr[esp + 4]);
            c.mov(esi, __dword_ptr[esp + 8]);
            c.db(0x66);
            c.retf(4);
        });
        Assert.Equal(0x30, guest.RunUser(static c =>
        {
            c.push(0x2222_1111);
            c.db(0x9A, 0, 0, 0, 0, (byte)(Gate | 3), 0);
            c.@int(0x30);
        }));
        Assert.Equal(SystemGuest.InnerStack - 12, guest.State->Gpr[3]);
        Assert.Equal((SystemGuest.UserCode + 12) | ((ulong)SystemGuest.Code3 << 16), guest.State->Gpr[1]);
        Assert.Equal(0x2222_1111UL, guest.State->Gpr[2]);
        Assert.Equal((SystemGuest.UserStack - 4) | ((ulong)SystemGuest.Data3 << 16), guest.State->Gpr[6]);
        Assert.Equal(SystemGuest.UserStack, guest.Stack(3));
    }

    [Theory]
    [InlineData(0x9A, 0xC09Fu, 0x30)]
    [InlineData(0xEA, 0xC09Fu, 0x30)]
    [InlineData(0xEA, 0xC0FBu, 0x30)]
    [InlineData(0xEA, Code32, Vector.GeneralProtection)]
    public void A_conforming_target_keeps_the_privilege_and_a_jump_never_raises_it(int opcode, uint attributes, int vector)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(Target, 0, 0xFFFFF, attributes);
        SetGate(guest, Descriptor.CallGate32, 3, Target, SystemGuest.UserCode + 0x100, present: true);
        guest.Assemble(SystemGuest.UserCode + 0x100, static c => c.@int(0x30));
        Assert.Equal(vector, guest.RunUser(c => c.db((byte)opcode, 0, 0, 0, 0, (byte)(Gate | 3), 0)));
        if (vector == 0x30)
        {
            Assert.Equal((ulong)(Target | 3), guest.Stack(1));
            Assert.Equal(opcode == 0x9A ? SystemGuest.UserStack - 8 : SystemGuest.UserStack, guest.Stack(3));
        }
        else
        {
            Assert.Equal((ulong)Target, guest.Stack(0));
        }
    }

    [Theory]
    [InlineData(Descriptor.CallGate16, Vector.GeneralProtection)]
    [InlineData(Descriptor.TaskGate, Vector.GeneralProtection)]
    [InlineData(Descriptor.Tss32Available, Vector.GeneralProtection)]
    public void Long_mode_has_neither_16_bit_gates_nor_tasks(int type, int vector)
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.SetCallGate(Gate, (uint)type, 3, SystemGuest.Code0, Entry);
        guest.Memory.WriteUInt32(SystemGuest.Scratch, 0);
        guest.Memory.WriteUInt16(SystemGuest.Scratch + 4, Gate);
        Assert.Equal(vector, guest.Run(static c => c.db(0xFF, 0x1C, 0x25, 0x00, 0x00, 0x01, 0x00)));
        Assert.Equal((ulong)Gate, guest.Stack(0));
    }

    [Fact]
    public void In_long_mode_the_upper_half_of_a_gate_must_be_of_type_0()
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.SetCallGate(Gate, Descriptor.CallGate32, 3, SystemGuest.Code0, Entry);
        guest.Memory.Write(SystemGuest.Gdt + Gate + 13, [0x01]);
        guest.Memory.WriteUInt32(SystemGuest.Scratch, 0);
        guest.Memory.WriteUInt16(SystemGuest.Scratch + 4, Gate);
        Assert.Equal(Vector.GeneralProtection, guest.Run(static c => c.db(0xFF, 0x1C, 0x25, 0x00, 0x00, 0x01, 0x00)));
        Assert.Equal((ulong)Gate, guest.Stack(0));
    }

    private static void SetGate(SystemGuest guest, uint type, int dpl, ushort selector, ulong offset, bool present, int parameters = 0)
    {
        guest.SetCallGate(Gate, type, dpl, selector, offset, parameters);
        if (!present)
        {
            ulong at = SystemGuest.Gdt + Gate + 5;
            guest.Memory.Write(at, [(byte)(guest.Memory.ReadUInt16(at) & 0x7F)]);
        }
    }
}
