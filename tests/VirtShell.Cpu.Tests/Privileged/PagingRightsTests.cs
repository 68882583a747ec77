using Iced.Intel;
using VirtShell.Cpu.Execution;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>Rights are those of all levels together, in every paging mode (SDM Vol. 3A §4.6, §4.7).</summary>
public sealed unsafe class PagingRightsTests
{
    private const ulong Directory = SystemGuest.Tables;
    private const ulong TestTable = SystemGuest.Tables + 0x2000;

    public static TheoryData<bool, bool, bool> Accesses => new()
    {
        { false, false, false }, { false, false, true }, { false, true, false }, { false, true, true },
        { true, false, true }, { true, true, true },
    };

    [Theory]
    [MemberData(nameof(Accesses))]
    public void Legacy_rights_are_the_least_of_both_levels(bool user, bool write, bool protect)
    {
        using SystemGuest guest = Legacy(protect);
        for (uint upper = 0; upper < 8; upper++)
        {
            for (uint lower = 0; lower < 8; lower++)
            {
                guest.Memory.WriteUInt32(Directory + 4, (uint)TestTable | upper);
                guest.Memory.WriteUInt32(TestTable, (uint)SystemGuest.TestFrame | lower);
                uint both = upper & lower;
                bool allowed = (both & 1) != 0 && (!user || (both & 4) != 0) && (!write || (both & 2) != 0 || (!user && !protect));
                uint error = ((both & 1) != 0 ? 1u : 0) | (write ? 2u : 0) | (user ? 4u : 0);
                Assert.Equal(allowed ? 0x30 : Vector.PageFault, Access(guest, user, write));
                if (!allowed)
                {
                    Assert.Equal(error, guest.Stack(0));
                    Assert.Equal(SystemGuest.TestPage, guest.State->Cr2);
                }

                // A page that was not reached is neither accessed nor dirty.
                uint marked = guest.Memory.ReadUInt32(TestTable) & 0x60;
                Assert.Equal(!allowed ? 0u : write ? 0x60u : 0x20u, marked);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Accesses))]
    public void Large_pages_have_the_rights_of_their_entry(bool user, bool write, bool protect)
    {
        using SystemGuest guest = Legacy(protect);
        guest.Processor.WriteCr4(guest.State->Cr4 | ControlBits.Cr4Pse);
        for (uint rights = 0; rights < 8; rights++)
        {
            guest.Memory.WriteUInt32(Directory + 4, 0x0040_0080 | rights);
            bool allowed = (rights & 1) != 0 && (!user || (rights & 4) != 0) && (!write || (rights & 2) != 0 || (!user && !protect));
            Assert.Equal(allowed ? 0x30 : Vector.PageFault, Access(guest, user, write));
            Assert.Equal(!allowed ? 0u : write ? 0x60u : 0x20u, guest.Memory.ReadUInt32(Directory + 4) & 0x60);
        }
    }

    [Theory]
    [InlineData(0UL, 0UL, false, 0x30)]
    [InlineData(1UL << 63, 0UL, false, 0x30)]
    [InlineData(1UL << 63, 0UL, true, 0x11)]
    [InlineData(0UL, 1UL << 63, true, 0x11)]
    [InlineData(1UL << 52, 0UL, false, 9)]
    [InlineData(0UL, 1UL << 62, false, 9)]
    [InlineData(0UL, 1UL << 45, false, 9)]
    [InlineData(0UL, 1UL << 45, true, 0x19)]
    public void Pae_has_no_execute_and_reserved_bits(ulong upper, ulong lower, bool fetch, int expected)
    {
        using SystemGuest guest = Pae(noExecute: true);
        guest.Memory.WriteUInt64(Directory + 0x1000 + 16, TestTable | 7 | upper);
        guest.Memory.WriteUInt64(TestTable, SystemGuest.TestFrame | 7 | lower);
        int vector = Reach(guest, fetch);
        Assert.Equal(expected == 0x30 ? 0x30 : Vector.PageFault, vector);
        if (expected != 0x30)
        {
            Assert.Equal((ulong)expected, guest.Stack(0));
        }
    }

    [Fact]
    public void Without_nxe_bit_63_is_reserved()
    {
        using SystemGuest guest = Pae(noExecute: false);
        guest.Memory.WriteUInt64(TestTable, SystemGuest.TestFrame | 7 | (1UL << 63));
        Assert.Equal(Vector.PageFault, Reach(guest, fetch: false));
        Assert.Equal(9UL, guest.Stack(0));
    }

    [Fact]
    public void An_absent_pdpte_is_not_present()
    {
        using SystemGuest guest = Pae(noExecute: true);
        Assert.Equal(Vector.PageFault, guest.Run(static c =>
        {
            c.mov(eax, 0x4000_0000);
            c.mov(ecx, __dword_ptr[eax]);
        }));
        Assert.Equal(0UL, guest.Stack(0));
        Assert.Equal(0x4000_0000UL, guest.State->Cr2);
    }

    [Fact]
    public void The_old_pdptes_hold_until_cr3_is_loaded()
    {
        // SDM Vol. 3A §4.4.1: PAE's four entries are registers.
        using SystemGuest guest = Pae(noExecute: true);
        guest.Assemble(SystemGuest.Code, static c =>
        {
            c.mov(__dword_ptr[(int)Directory], 0);
            c.mov(eax, __dword_ptr[(int)SystemGuest.TestPage]);
            c.inc(ebx);
            c.mov(eax, cr3);
            c.mov(cr3, eax);
            c.inc(ebx);
        });
        guest.State->Rip = SystemGuest.Code;

        // Then nothing is mapped, the handlers neither.
        Assert.Equal(ExitReason.Shutdown, guest.Processor.Run(100));
        Assert.Equal(1UL, guest.State->Gpr[3]);
    }

    private static int Reach(SystemGuest guest, bool fetch)
    {
        guest.Memory.Write(SystemGuest.TestFrame, [0xCD, 0x30]);
        return guest.Run(c =>
        {
            if (fetch)
            {
                c.mov(eax, (uint)SystemGuest.TestPage);
                c.jmp(eax);
            }

            c.mov(eax, __dword_ptr[(int)SystemGuest.TestPage]);
            c.@int(0x30);
        });
    }

    private static int Access(SystemGuest guest, bool user, bool write)
    {
        guest.Processor.WriteCr3(Directory);
        guest.State->Gpr[4] = SystemGuest.BootStack;
        void Emit(Assembler c)
        {
            if (user)
            {
                c.mov(eax, SystemGuest.Data3);
                c.mov(ds, eax);
            }

            if (write)
            {
                c.mov(__dword_ptr[(int)SystemGuest.TestPage], eax);
            }
            else
            {
                c.mov(eax, __dword_ptr[(int)SystemGuest.TestPage]);
            }

            c.@int(0x30);
        }

        return user ? guest.RunUser(Emit) : guest.Run(Emit);
    }

    private static SystemGuest Legacy(bool protect)
    {
        SystemGuest guest = SystemGuest.Protected();
        guest.Memory.WriteUInt32(Directory, (uint)(Directory + 0x1000) | 7);
        for (uint page = 0; page < 1024; page++)
        {
            guest.Memory.WriteUInt32(Directory + 0x1000 + (page * 4), (page << 12) | 7);
        }

        guest.Processor.WriteCr3(Directory);
        guest.Processor.WriteCr0(guest.State->Cr0 | ControlBits.Cr0Paging | (protect ? ControlBits.Cr0WriteProtect : 0));
        return guest;
    }

    private static SystemGuest Pae(bool noExecute)
    {
        SystemGuest guest = SystemGuest.Protected();
        guest.Memory.WriteUInt64(Directory, (Directory + 0x1000) | 1);
        guest.Memory.WriteUInt64(Directory + 0x1000, 0x83);
        guest.Memory.WriteUInt64(Directory + 0x1008, 0x20_0083);
        guest.Memory.WriteUInt64(Directory + 0x1010, TestTable | 7);
        guest.Memory.WriteUInt64(TestTable, SystemGuest.TestFrame | 7);
        guest.State->Efer |= noExecute ? ControlBits.EferNoExecute : 0;
        guest.Processor.WriteCr4(guest.State->Cr4 | ControlBits.Cr4Pae);
        guest.Processor.WriteCr3(Directory);
        guest.Processor.WriteCr0(guest.State->Cr0 | ControlBits.Cr0Paging);
        return guest;
    }
}
