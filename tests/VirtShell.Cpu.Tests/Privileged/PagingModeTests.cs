using VirtShell.Cpu.Execution;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>Page sizes and formats, PCIDs, and what invalidates translations (SDM Vol. 3A chapter 4).</summary>
public sealed unsafe class PagingModeTests
{
    private const ulong Target = 0x40_0000;

    [Fact]
    public void Legacy_4_k_pages_translate()
    {
        using SystemGuest guest = Legacy();
        guest.Memory.WriteUInt32(SystemGuest.Tables + 4, (uint)(SystemGuest.Tables + 0x2000) | 3);
        guest.Memory.WriteUInt32(SystemGuest.Tables + 0x2000, (uint)SystemGuest.TestFrame | 3);
        CheckStore(guest, SystemGuest.TestFrame);
        Assert.Equal(0x63u, guest.Memory.ReadUInt32(SystemGuest.Tables + 0x2000) & 0xFFF);
        Assert.Equal(0x23u, guest.Memory.ReadUInt32(SystemGuest.Tables + 4) & 0xFFF);
    }

    [Fact]
    public void Legacy_4_m_pages_translate()
    {
        using SystemGuest guest = Legacy();
        guest.State->Cr4 |= ControlBits.Cr4Pse;
        guest.Memory.WriteUInt32(SystemGuest.Tables + 4, 0x80_0083);
        CheckStore(guest, 0x80_0000);
        Assert.Equal(0xE3u, guest.Memory.ReadUInt32(SystemGuest.Tables + 4) & 0xFFF);
    }

    [Fact]
    public void Legacy_4_m_pages_with_reserved_bit_fault()
    {
        using SystemGuest guest = Legacy();
        guest.State->Cr4 |= ControlBits.Cr4Pse;
        guest.Memory.WriteUInt32(SystemGuest.Tables + 4, 0xA0_0083);
        Assert.Equal(Vector.PageFault, Store(guest));
        Assert.Equal(0xBUL, guest.Stack(0));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Pae_pages_translate(bool large)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Memory.WriteUInt64(SystemGuest.Tables, (SystemGuest.Tables + 0x1000) | 1);
        guest.Memory.WriteUInt64(SystemGuest.Tables + 0x1000, 0x83);
        guest.Memory.WriteUInt64(SystemGuest.Tables + 0x1010, large ? 0x80_0083 : (SystemGuest.Tables + 0x2000) | 3);
        guest.Memory.WriteUInt64(SystemGuest.Tables + 0x2000, SystemGuest.TestFrame | 3);
        guest.State->Cr4 |= ControlBits.Cr4Pae;
        guest.Processor.WriteCr3(SystemGuest.Tables);
        guest.Processor.WriteCr0(guest.State->Cr0 | ControlBits.Cr0Paging);
        CheckStore(guest, large ? 0x80_0000 : SystemGuest.TestFrame);
    }

    [Fact]
    public void Reserved_bits_in_a_pdpte_refuse_the_load_of_cr3()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Memory.WriteUInt64(SystemGuest.Tables, (SystemGuest.Tables + 0x1000) | 1);
        guest.Memory.WriteUInt64(SystemGuest.Tables + 0x1000, 0x83);
        guest.Memory.WriteUInt64(SystemGuest.Tables + 0x800, (SystemGuest.Tables + 0x1000) | 7);
        guest.State->Cr4 |= ControlBits.Cr4Pae;
        guest.Processor.WriteCr3(SystemGuest.Tables);
        guest.Processor.WriteCr0(guest.State->Cr0 | ControlBits.Cr0Paging);
        Assert.Equal(Vector.GeneralProtection, guest.Run(static c =>
        {
            c.mov(eax, (int)SystemGuest.Tables + 0x800);
            c.mov(cr3, eax);
        }));
        Assert.Equal(SystemGuest.Tables, guest.State->Cr3);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Long_mode_large_pages_translate(bool gigabyte)
    {
        using SystemGuest guest = SystemGuest.Long();
        ulong linear = gigabyte ? 0x4000_0000UL + 0x80_0000 : 0x60_0000;
        if (gigabyte)
        {
            guest.Memory.WriteUInt64(SystemGuest.Tables + 0x1008, 0x83);
        }
        else
        {
            guest.Memory.WriteUInt64(SystemGuest.Tables + 0x2018, 0x80_0083);
        }

        Assert.Equal(-1, guest.Run(c =>
        {
            c.mov(edi, (uint)linear);
            c.mov(__dword_ptr[rdi], 0x1234_5678);
            c.hlt();
        }));
        Assert.Equal(0x1234_5678u, guest.Memory.ReadUInt32(0x80_0000));
    }

    [Fact]
    public void Without_gigabyte_pages_bit_7_of_a_pdpte_is_reserved()
    {
        using SystemGuest guest = SystemGuest.Long(CpuModel.X86_64_V2);
        guest.Memory.WriteUInt64(SystemGuest.Tables + 0x1008, 0x83);
        Assert.Equal(Vector.PageFault, guest.Run(static c =>
        {
            c.mov(edi, 0x4000_0000u);
            c.mov(eax, __dword_ptr[rdi]);
        }));
        Assert.Equal(9UL, guest.Stack(0));
    }

    [Theory]
    [InlineData(0x2018UL, 0x80_2083UL)]
    [InlineData(0x1008UL, 0x2083UL)]
    public void Large_pages_with_reserved_address_bits_fault(ulong entry, ulong value)
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.Memory.WriteUInt64(SystemGuest.Tables + entry, value);
        Assert.Equal(Vector.PageFault, guest.Run(c =>
        {
            c.mov(edi, entry == 0x2018UL ? 0x60_0000u : 0x4000_0000u);
            c.mov(eax, __dword_ptr[rdi]);
        }));
        Assert.Equal(9UL, guest.Stack(0));
    }

    [Fact]
    public void A_changed_entry_is_seen_after_invlpg_or_cr3()
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.SetTestPage(3);
        guest.Memory.WriteUInt32(SystemGuest.TestFrame, 1);
        guest.Memory.WriteUInt32(0x30_0000, 2);
        Assert.Equal(-1, guest.Run(static c =>
        {
            c.mov(eax, __dword_ptr[(long)SystemGuest.TestPage]);
            c.mov(rdi, (long)SystemGuest.Tables + 0x5000);
            c.mov(__qword_ptr[rdi], 0x30_0003);
            c.invlpg(__byte_ptr[(long)SystemGuest.TestPage]);
            c.mov(ebx, __dword_ptr[(long)SystemGuest.TestPage]);
            c.mov(__qword_ptr[rdi], (int)SystemGuest.TestFrame | 3);
            c.mov(rcx, cr3);
            c.mov(cr3, rcx);
            c.mov(edx, __dword_ptr[(long)SystemGuest.TestPage]);
            c.hlt();
        }));
        Assert.Equal(1UL, guest.State->Gpr[0]);
        Assert.Equal(2UL, guest.State->Gpr[3]);
        Assert.Equal(1UL, guest.State->Gpr[2]);
    }

    [Fact]
    public void Pcids_keep_their_translations_apart_until_invalidated()
    {
        using SystemGuest guest = SystemGuest.Long();
        // Two address spaces that differ in the test page only.
        ulong second = SystemGuest.Tables + 0x8000;
        for (ulong i = 0; i < 512; i++)
        {
            guest.Memory.WriteUInt64(second + 0x2000 + (i * 8), guest.Memory.ReadUInt64(SystemGuest.Tables + 0x2000 + (i * 8)));
        }

        guest.Memory.WriteUInt64(second, (second + 0x1000) | 7);
        guest.Memory.WriteUInt64(second + 0x1000, (second + 0x2000) | 7);
        guest.Memory.WriteUInt64(second + 0x2010, (second + 0x3000) | 7);
        guest.Memory.WriteUInt64(second + 0x3000, 0x30_0000 | 3);
        guest.SetTestPage(3);
        guest.Memory.WriteUInt32(SystemGuest.TestFrame, 1);
        guest.Memory.WriteUInt32(0x30_0000, 2);
        guest.Memory.WriteUInt64(SystemGuest.Scratch, 2);
        guest.Memory.WriteUInt64(SystemGuest.Scratch + 8, 0);
        Assert.Equal(-1, guest.Run(c =>
        {
            c.mov(rcx, cr4);
            c.bts(rcx, 17);
            c.mov(cr4, rcx);
            c.mov(rsi, (long)SystemGuest.Tables);
            c.mov(rdi, (long)second | 2);
            c.bts(rdi, 63);
            c.mov(eax, __dword_ptr[(long)SystemGuest.TestPage]);
            c.mov(cr3, rdi);
            c.mov(ebx, __dword_ptr[(long)SystemGuest.TestPage]);
            c.bts(rsi, 63);
            c.mov(cr3, rsi);
            c.mov(edx, __dword_ptr[(long)SystemGuest.TestPage]);
            c.mov(r9, cr3);
            // Single-context invalidation of the other PCID, whose entry changed meanwhile.
            c.mov(r8d, (int)second + 0x3000);
            c.mov(__qword_ptr[r8], (int)SystemGuest.TestFrame | 3);
            c.mov(r10d, 1);
            c.invpcid(r10, __xmmword_ptr[(long)SystemGuest.Scratch]);
            c.mov(cr3, rdi);
            c.mov(r11d, __dword_ptr[(long)SystemGuest.TestPage]);
            c.hlt();
        }));
        Assert.Equal(1UL, guest.State->Gpr[0]);
        Assert.Equal(2UL, guest.State->Gpr[3]);
        Assert.Equal(1UL, guest.State->Gpr[2]);
        Assert.Equal(SystemGuest.Tables, guest.State->Gpr[9]);
        Assert.Equal(1UL, guest.State->Gpr[11]);
    }

    [Theory]
    [InlineData(4UL, 0UL)]
    [InlineData(1UL, 0x1000UL)]
    [InlineData(2UL, 0x1000UL)]
    [InlineData(3UL, 1UL << 63)]
    [InlineData(0UL, 1UL)]
    public void Invpcid_checks_its_operands(ulong type, ulong pcid)
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.Memory.WriteUInt64(SystemGuest.Scratch, pcid);
        Assert.Equal(Vector.GeneralProtection, guest.Run(c =>
        {
            c.mov(r10d, (int)type);
            c.invpcid(r10, __xmmword_ptr[(long)SystemGuest.Scratch]);
        }));
    }

    private static SystemGuest Legacy()
    {
        SystemGuest guest = SystemGuest.Protected();
        guest.Memory.WriteUInt32(SystemGuest.Tables, (uint)(SystemGuest.Tables + 0x1000) | 3);
        for (uint page = 0; page < 1024; page++)
        {
            guest.Memory.WriteUInt32(SystemGuest.Tables + 0x1000 + (page * 4), (page << 12) | 3);
        }

        guest.Processor.WriteCr3(SystemGuest.Tables);
        guest.Processor.WriteCr0(guest.State->Cr0 | ControlBits.Cr0Paging);
        return guest;
    }

    private static int Store(SystemGuest guest) => guest.Run(static c =>
    {
        c.mov(__dword_ptr[(int)Target], 0x1234_5678);
        c.hlt();
    });

    private static void CheckStore(SystemGuest guest, ulong physical)
    {
        Assert.Equal(-1, Store(guest));
        Assert.Equal(0x1234_5678u, guest.Memory.ReadUInt32(physical));
    }
}
