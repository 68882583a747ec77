using System;
using VirtShell.Cpu.Execution;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>Control registers, MSRs, segment loads, and the instructions that examine selectors (SDM Vol. 2, Vol. 3A §2.5, §2.8, §5.10).</summary>
public sealed unsafe class SystemInstructionTests
{
    public static TheoryData<string> Privileged =>
    [
        "mov eax, cr0", "mov cr0, eax", "mov cr3, eax", "mov eax, dr7", "mov dr7, eax", "clts", "lmsw", "lgdt", "lidt", "lldt", "ltr",
        "invlpg", "invd", "wbinvd", "hlt", "rdmsr", "wrmsr", "invpcid",
    ];

    [Theory]
    [MemberData(nameof(Privileged))]
    public void Privileged_instructions_raise_general_protection_in_user_mode(string name)
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.Memory.Write(SystemGuest.UserCode, Encode(name));
        guest.EnterUser(SystemGuest.UserCode);
        guest.State->Gpr[7] = SystemGuest.Scratch;
        Assert.Equal(Vector.GeneralProtection, guest.Continue());
        Assert.Equal(0UL, guest.Stack(0));
        Assert.Equal(SystemGuest.UserCode, guest.Stack(1));
    }

    [Theory]
    [InlineData("sgdt")]
    [InlineData("sidt")]
    [InlineData("sldt")]
    [InlineData("str")]
    [InlineData("smsw")]
    public void Umip_keeps_descriptor_table_addresses_from_users(string name)
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.State->Cr4 |= ControlBits.Cr4Umip;
        guest.Memory.Write(SystemGuest.UserCode, Encode(name));
        guest.EnterUser(SystemGuest.UserCode);
        guest.State->Gpr[7] = SystemGuest.Scratch;
        Assert.Equal(Vector.GeneralProtection, guest.Continue());
        guest.State->Cr4 &= ~ControlBits.Cr4Umip;
        guest.EnterUser(SystemGuest.UserCode);
        guest.State->Gpr[7] = SystemGuest.Scratch;
        guest.Memory.Write(SystemGuest.UserCode + (ulong)Encode(name).Length, [0xCD, 0x30]);
        Assert.Equal(0x30, guest.Continue());
    }

    [Theory]
    [InlineData(0x8000_0000UL)]
    [InlineData(0x2000_0001UL)]
    [InlineData(0x1_0000_0001UL)]
    [InlineData(0x0000_0011UL)]
    public void Invalid_combinations_of_cr0_are_refused(ulong value)
    {
        using SystemGuest guest = SystemGuest.Long();
        ulong before = guest.State->Cr0;
        Assert.Equal(Vector.GeneralProtection, guest.Run(c =>
        {
            c.mov(rax, value);
            c.mov(cr0, rax);
        }));
        Assert.Equal(before, guest.State->Cr0);
    }

    [Theory]
    [InlineData(1UL << 13)]
    [InlineData(1UL << 22)]
    [InlineData(1UL << 32)]
    public void Reserved_bits_of_cr4_are_refused(ulong bit)
    {
        using SystemGuest guest = SystemGuest.Long();
        Assert.Equal(Vector.GeneralProtection, guest.Run(c =>
        {
            c.mov(rax, cr4);
            c.mov(rcx, bit);
            c.or(rax, rcx);
            c.mov(cr4, rax);
        }));
    }

    [Fact]
    public void Pae_cannot_be_cleared_in_long_mode()
    {
        using SystemGuest guest = SystemGuest.Long();
        Assert.Equal(Vector.GeneralProtection, guest.Run(static c =>
        {
            c.xor(eax, eax);
            c.mov(cr4, rax);
        }));
    }

    [Fact]
    public void Long_mode_is_entered_and_left_as_the_manual_says()
    {
        using SystemGuest guest = SystemGuest.Long();
        // Down: a compatibility segment, then paging off; LMA follows (SDM Vol. 3A §9.8.5.4).
        guest.SetSegment(SystemGuest.Spare, 0, 0xFFFFF, 0xC09B);
        guest.Memory.WriteUInt32(0x7000, (uint)SystemGuest.UserCode);
        guest.Memory.WriteUInt16(0x7004, SystemGuest.Spare);
        guest.Assemble(
            SystemGuest.UserCode,
            static c =>
            {
                c.mov(eax, cr0);
                c.btr(eax, 31);
                c.mov(cr0, eax);
                c.mov(ecx, 0xC000_0080);
                c.rdmsr();
                c.mov(ebx, eax);
                c.mov(eax, cr0);
                c.bts(eax, 31);
                c.mov(cr0, eax);
                c.rdmsr();
                c.hlt();
            },
            bits: 32);
        Assert.Equal(-1, guest.Run(static c => c.db(0xFF, 0x2C, 0x25, 0x00, 0x70, 0x00, 0x00)));
        Assert.Equal(ControlBits.EferLongEnable, guest.State->Gpr[3] & (ControlBits.EferLongEnable | ControlBits.EferLongActive));
        Assert.Equal(ControlBits.EferLongEnable | ControlBits.EferLongActive, guest.State->Gpr[0] & (ControlBits.EferLongEnable | ControlBits.EferLongActive));
        Assert.Equal(32, guest.State->CodeSize);
    }

    [Theory]
    [InlineData(0x1234_5678u)]
    [InlineData(0x10Bu)]
    [InlineData(0xC001_0015u)]
    public void Unknown_msrs_raise_general_protection(uint index)
    {
        using SystemGuest guest = SystemGuest.Long();
        Assert.Equal(Vector.GeneralProtection, guest.Run(c =>
        {
            c.mov(ecx, index);
            c.rdmsr();
        }));
    }

    [Theory]
    [InlineData(Msr.Lstar, 0x8000_0000_0000_0000UL)]
    [InlineData(Msr.KernelGsBase, 0x0000_8000_0000_0000UL)]
    [InlineData(Msr.Efer, 2UL)]
    [InlineData(Msr.Efer, 1UL)]
    [InlineData(Msr.Pat, 2UL)]
    [InlineData(Msr.Fmask, 1UL << 32)]
    [InlineData(Msr.SysenterEip, 0x8000_0000_0000UL)]
    [InlineData(Msr.MtrrDefType, 0x1000UL)]
    [InlineData(Msr.MtrrDefType, 2UL)]
    [InlineData(Msr.MtrrPhysBase0, 7UL)]
    [InlineData(Msr.MtrrPhysBase0, 0x106UL)]
    [InlineData(Msr.MtrrPhysBase0 + 1, 0x400UL)]
    [InlineData(Msr.MtrrFix64K, 0x0606_0306_0606_0606UL)]
    public void Invalid_msr_values_are_refused(uint index, ulong value)
    {
        using SystemGuest guest = SystemGuest.Long();
        Assert.Equal(Vector.GeneralProtection, guest.Run(c =>
        {
            c.mov(ecx, index);
            c.mov(eax, (uint)value);
            c.mov(edx, (uint)(value >> 32));
            c.wrmsr();
        }));
    }

    [Fact]
    public void Writing_the_timestamp_moves_its_adjustment()
    {
        using SystemGuest guest = SystemGuest.Long();
        Assert.Equal(-1, guest.Run(static c =>
        {
            c.mov(ecx, Msr.Tsc);
            c.mov(eax, 5000);
            c.xor(edx, edx);
            c.wrmsr();
            c.mov(ecx, Msr.TscAdjust);
            c.rdmsr();
            c.mov(ebx, eax);
            c.rdtsc();
            c.hlt();
        }));
        Assert.Equal(4000UL, guest.State->Gpr[3]);
        Assert.Equal(5000UL, guest.State->Gpr[0]);
    }

    [Theory]
    [InlineData(0x0000, -1, 0)]
    [InlineData(0x0003, -1, 0)]
    [InlineData(0x7FF8, Vector.GeneralProtection, 0x7FF8)]
    [InlineData(SystemGuest.Code0, -1, 0)]
    [InlineData(SystemGuest.Spare, Vector.SegmentNotPresent, SystemGuest.Spare)]
    [InlineData(SystemGuest.Spare2, Vector.GeneralProtection, SystemGuest.Spare2)]
    [InlineData(SystemGuest.Data0 | 3, Vector.GeneralProtection, SystemGuest.Data0)]
    [InlineData(SystemGuest.Data3, -1, 0)]
    [InlineData(SystemGuest.Data0 | 4, Vector.GeneralProtection, SystemGuest.Data0 | 4)]
    public void Data_segment_loads_are_checked(int selector, int vector, int error)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(SystemGuest.Spare, 0, 0xFFFFF, 0xC013);
        // Execute-only code.
        guest.SetSegment(SystemGuest.Spare2, 0, 0xFFFFF, 0xC099);
        guest.State->Ldtr.Attributes = SegmentRegister.Unusable;
        Assert.Equal(vector, guest.Run(c =>
        {
            c.mov(eax, selector);
            c.mov(es, ax);
            c.hlt();
        }));
        if (vector >= 0)
        {
            Assert.Equal((ulong)error, guest.Stack(0));
            Assert.Equal(SystemGuest.Data0, guest.State->Es.Selector);
        }
    }

    [Theory]
    [InlineData(0, Vector.GeneralProtection, 0)]
    [InlineData(SystemGuest.Code0, Vector.GeneralProtection, SystemGuest.Code0)]
    [InlineData(SystemGuest.Data3, Vector.GeneralProtection, SystemGuest.Data3 & ~3)]
    [InlineData(SystemGuest.Spare, Vector.StackFault, SystemGuest.Spare)]
    [InlineData(SystemGuest.Spare2, Vector.GeneralProtection, SystemGuest.Spare2)]
    public void Stack_segment_loads_are_checked(int selector, int vector, int error)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(SystemGuest.Spare, 0, 0xFFFFF, 0xC013);
        guest.SetSegment(SystemGuest.Spare2, 0, 0xFFFFF, 0xC091);
        Assert.Equal(vector, guest.Run(c =>
        {
            c.mov(eax, selector);
            c.mov(ss, ax);
        }));
        Assert.Equal((ulong)error, guest.Stack(0));
    }

    [Fact]
    public void Access_through_a_null_segment_raises_general_protection()
    {
        using SystemGuest guest = SystemGuest.Protected();
        Assert.Equal(Vector.GeneralProtection, guest.Run(static c =>
        {
            c.xor(eax, eax);
            c.mov(es, ax);
            c.mov(eax, __dword_ptr.es[0]);
        }));
        Assert.Equal(0UL, guest.Stack(0));
    }

    [Theory]
    [InlineData(0x0FFCu, false)]
    [InlineData(0x0FFDu, true)]
    public void Limits_are_checked_to_the_byte(uint offset, bool faults)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(SystemGuest.Spare, SystemGuest.Scratch, 0xFFF, 0x4093);
        Assert.Equal(faults ? Vector.GeneralProtection : -1, LoadThroughEs(guest, offset));
    }

    [Theory]
    [InlineData(0x0FFFu, true)]
    [InlineData(0x1000u, false)]
    [InlineData(0xFFFFFFFCu, false)]
    public void Expand_down_segments_begin_behind_their_limit(uint offset, bool faults)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(SystemGuest.Spare, SystemGuest.Scratch, 0xFFF, 0x4097);
        Assert.Equal(faults ? Vector.GeneralProtection : -1, LoadThroughEs(guest, offset));
    }

    [Fact]
    public void Loading_a_segment_sets_its_accessed_bit()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(SystemGuest.Spare, SystemGuest.Scratch, 0xFFF, 0x4092);
        LoadThroughEs(guest, 0);
        Assert.Equal(0x93UL, guest.Memory.ReadUInt64(SystemGuest.Gdt + SystemGuest.Spare) >> 40 & 0xFF);
    }

    [Theory]
    [InlineData(SystemGuest.Code0, 0x00C0_9B00UL, 0xFFFF_FFFFUL, true, false)]
    [InlineData(SystemGuest.Data0, 0x00C0_9300UL, 0xFFFF_FFFFUL, true, true)]
    [InlineData(SystemGuest.Tss, 0x0000_8B00UL, 0x167UL, false, false)]
    [InlineData(0, null, null, false, false)]
    [InlineData(0x7FF8, null, null, false, false)]
    public void Selectors_are_examined(int selector, ulong? rights, ulong? limit, bool readable, bool writable)
    {
        using SystemGuest guest = SystemGuest.Protected();
        Assert.Equal(-1, guest.Run(c =>
        {
            c.mov(eax, selector);
            c.xor(ebx, ebx);
            c.lar(edx, eax);
            c.setz(bl);
            c.lsl(esi, eax);
            c.setz(bh);
            c.verr(ax);
            c.setz(cl);
            c.verw(ax);
            c.setz(ch);
            c.hlt();
        }));
        Assert.Equal((rights != null ? 1UL : 0) | (limit != null ? 0x100UL : 0), guest.State->Gpr[3] & 0xFFFF);
        Assert.Equal((readable ? 1UL : 0) | (writable ? 0x100UL : 0), guest.State->Gpr[1] & 0xFFFF);
        if (rights != null)
        {
            Assert.Equal(rights.Value, guest.State->Gpr[2] & 0x00F0_FF00);
            Assert.Equal(limit!.Value, guest.State->Gpr[6]);
        }
    }

    [Theory]
    [InlineData(0x10, 0x23, 0x13, true)]
    [InlineData(0x13, 0x21, 0x13, false)]
    public void Arpl_raises_the_requested_privilege(int destination, int source, int expected, bool zero)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Run(c =>
        {
            c.mov(eax, destination);
            c.mov(ecx, source);
            c.arpl(ax, cx);
            c.setz(bl);
            c.hlt();
        });
        Assert.Equal((ulong)expected, guest.State->Gpr[0]);
        Assert.Equal(zero ? 1UL : 0UL, guest.State->Gpr[3] & 0xFF);
    }

    [Fact]
    public void Unreal_segments_keep_their_limit()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(SystemGuest.Spare, 0, 0xFFFF, 0x009B);
        guest.Assemble(
            SystemGuest.UserCode + 0x100,
            static c =>
            {
                c.mov(eax, cr0);
                c.and(al, 0xFE);
                c.mov(cr0, eax);
                // JMP 0900:0200
                c.db(0xEA, 0x00, 0x02, 0x00, 0x09);
            },
            bits: 16);
        guest.Assemble(
            SystemGuest.UserCode + 0x200,
            static c =>
            {
                c.xor(ax, ax);
                c.mov(ds, ax);
                c.mov(ebx, 0x30_0000);
                c.mov(__dword_ptr[ebx], 0x1234_5678);
                c.hlt();
            },
            bits: 16);
        Assert.Equal(-1, guest.Run(static c => c.db(0xEA, 0x00, 0x91, 0x00, 0x00, (byte)SystemGuest.Spare, 0)));
        Assert.Equal(0x1234_5678u, guest.Memory.ReadUInt32(0x30_0000));
        Assert.Equal(16, guest.State->CodeSize);
        Assert.Equal(0x900, guest.State->Cs.Selector);
    }

    [Fact]
    public void Random_numbers_repeat_with_the_seed()
    {
        using SystemGuest first = SystemGuest.Long();
        using SystemGuest second = SystemGuest.Long();
        foreach (SystemGuest guest in new[] { first, second })
        {
            guest.Run(static c =>
            {
                c.rdrand(rax);
                c.setc(bl);
                c.rdseed(rdx);
                c.hlt();
            });
            Assert.Equal(1UL, guest.State->Gpr[3] & 1);
        }

        Assert.Equal(first.State->Gpr[0], second.State->Gpr[0]);
        Assert.NotEqual(first.State->Gpr[0], first.State->Gpr[2]);
    }

    private static int LoadThroughEs(SystemGuest guest, uint offset) => guest.Run(c =>
    {
        c.mov(eax, (int)SystemGuest.Spare);
        c.mov(es, ax);
        c.mov(ebx, offset);
        c.mov(eax, __dword_ptr.es[ebx]);
        c.hlt();
    });

    private static byte[] Encode(string name) => name switch
    {
        "mov eax, cr0" => [0x0F, 0x20, 0xC0],
        "mov cr0, eax" => [0x0F, 0x22, 0xC0],
        "mov cr3, eax" => [0x0F, 0x22, 0xD8],
        "mov eax, dr7" => [0x0F, 0x21, 0xF8],
        "mov dr7, eax" => [0x0F, 0x23, 0xF8],
        "clts" => [0x0F, 0x06],
        "lmsw" => [0x0F, 0x01, 0xF0],
        "lgdt" => [0x0F, 0x01, 0x17],
        "lidt" => [0x0F, 0x01, 0x1F],
        "lldt" => [0x0F, 0x00, 0xD0],
        "ltr" => [0x0F, 0x00, 0xD8],
        "invlpg" => [0x0F, 0x01, 0x3F],
        "invd" => [0x0F, 0x08],
        "wbinvd" => [0x0F, 0x09],
        "hlt" => [0xF4],
        "rdmsr" => [0x0F, 0x32],
        "wrmsr" => [0x0F, 0x30],
        "invpcid" => [0x66, 0x0F, 0x38, 0x82, 0x07],
        "sgdt" => [0x0F, 0x01, 0x07],
        "sidt" => [0x0F, 0x01, 0x0F],
        "sldt" => [0x0F, 0x00, 0xC0],
        "str" => [0x0F, 0x00, 0xC8],
        "smsw" => [0x0F, 0x01, 0xE0],
        _ => throw new ArgumentOutOfRangeException(nameof(name), name, "No such instruction here."),
    };
}
