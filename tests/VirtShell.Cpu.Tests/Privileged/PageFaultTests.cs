using Iced.Intel;
using VirtShell.Cpu.Execution;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>Page faults: rights, error codes, CR2, accessed and dirty bits (SDM Vol. 3A §4.6, §4.7, §4.8).</summary>
public sealed unsafe class PageFaultTests
{
    private const ulong P = 1;
    private const ulong W = 2;
    private const ulong U = 4;
    private const ulong Accessed = 0x20;
    private const ulong Dirty = 0x40;
    private const ulong Reserved = 1UL << 50;
    private const ulong Nx = 1UL << 63;

    public enum Kind
    {
        Read,
        Write,
        Fetch,
    }

    [Theory]
    [InlineData(Kind.Read, false, 0UL, 0)]
    [InlineData(Kind.Write, false, 0UL, 2)]
    [InlineData(Kind.Fetch, false, 0UL, 0x10)]
    [InlineData(Kind.Read, true, 0UL, 4)]
    [InlineData(Kind.Write, true, 0UL, 6)]
    [InlineData(Kind.Fetch, true, 0UL, 0x14)]
    [InlineData(Kind.Read, true, P | W, 5)]
    [InlineData(Kind.Write, true, P | W, 7)]
    [InlineData(Kind.Fetch, true, P | W, 0x15)]
    [InlineData(Kind.Write, true, P | U, 7)]
    [InlineData(Kind.Write, false, P, 3)]
    [InlineData(Kind.Write, false, P | U, 3)]
    [InlineData(Kind.Read, false, P | W | Reserved, 9)]
    [InlineData(Kind.Write, false, P | W | Reserved, 0xB)]
    [InlineData(Kind.Read, true, P | W | U | Reserved, 0xD)]
    [InlineData(Kind.Write, true, P | W | U | Reserved, 0xF)]
    [InlineData(Kind.Fetch, true, P | W | U | Nx, 0x15)]
    [InlineData(Kind.Fetch, false, P | W | Nx, 0x11)]
    [InlineData(Kind.Read, false, P, -1)]
    [InlineData(Kind.Write, false, P | W, -1)]
    [InlineData(Kind.Read, true, P | U, -1)]
    [InlineData(Kind.Write, true, P | W | U, -1)]
    [InlineData(Kind.Fetch, false, P, -1)]
    [InlineData(Kind.Fetch, true, P | U, -1)]
    [InlineData(Kind.Read, true, P | U | Nx, -1)]
    public void An_access_faults_by_the_entrys_rights(Kind kind, bool user, ulong entry, int expectedError) =>
        Check(kind, user, entry, expectedError, 0, 0x202);

    [Theory]
    [InlineData(Kind.Fetch, P | W | U, 0x11, ControlBits.Cr4Smep, 0x202u)]
    [InlineData(Kind.Fetch, P | W, -1, ControlBits.Cr4Smep, 0x202u)]
    [InlineData(Kind.Read, P | W | U, 1, ControlBits.Cr4Smap, 0x202u)]
    [InlineData(Kind.Write, P | W | U, 3, ControlBits.Cr4Smap, 0x202u)]
    [InlineData(Kind.Read, P | W | U, -1, ControlBits.Cr4Smap, 0x40202u)]
    [InlineData(Kind.Write, P | W | U, -1, ControlBits.Cr4Smap, 0x40202u)]
    [InlineData(Kind.Write, P | U, 3, ControlBits.Cr4Smap, 0x40202u)]
    public void Supervisor_access_to_user_pages_obeys_smep_and_smap(Kind kind, ulong entry, int expectedError, ulong cr4, uint flags) =>
        Check(kind, user: false, entry, expectedError, cr4, flags);

    [Fact]
    public void Without_write_protect_the_supervisor_writes_read_only_pages()
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.SetTestPage(P | U);
        guest.State->Cr0 &= ~ControlBits.Cr0WriteProtect;
        Assert.Equal(-1, guest.Run(static c =>
        {
            c.mov(__dword_ptr[(long)SystemGuest.TestPage], 0x1234);
            c.hlt();
        }));
        Assert.Equal(0x1234u, guest.Memory.ReadUInt32(SystemGuest.TestFrame));
    }

    [Fact]
    public void Accessed_is_set_by_reads_and_dirty_by_writes_only()
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.SetTestPage(P | W);
        guest.Run(static c =>
        {
            c.mov(eax, __dword_ptr[(long)SystemGuest.TestPage]);
            c.hlt();
        });
        Assert.Equal(Accessed, guest.TestEntry & (Accessed | Dirty));
        guest.Run(static c =>
        {
            c.mov(__dword_ptr[(long)SystemGuest.TestPage], eax);
            c.hlt();
        });
        Assert.Equal(Accessed | Dirty, guest.TestEntry & (Accessed | Dirty));
    }

    [Fact]
    public void A_store_across_pages_that_faults_in_the_second_writes_nothing()
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.SetTestPage(P | W);
        guest.Memory.WriteUInt64(SystemGuest.TestFrame + 0xFF8, 0);
        Assert.Equal(Vector.PageFault, guest.Run(static c =>
        {
            c.mov(rax, -1L);
            c.mov(rdi, (long)SystemGuest.TestPage + 0xFFC);
            c.mov(__qword_ptr[rdi], rax);
            c.hlt();
        }));
        Assert.Equal(SystemGuest.TestPage + 0x1000, guest.State->Cr2);
        Assert.Equal(2UL, guest.Stack(0));
        Assert.Equal(0UL, guest.Memory.ReadUInt64(SystemGuest.TestFrame + 0xFF8));
    }

    [Fact]
    public void An_instruction_that_crosses_into_a_missing_page_faults_there()
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.SetTestPage(P | W);
        guest.Memory.Write(SystemGuest.TestFrame + 0xFFD, [0x48, 0xC7, 0xC0]);
        Assert.Equal(Vector.PageFault, guest.Run(static c =>
        {
            c.mov(rax, (long)SystemGuest.TestPage + 0xFFD);
            c.jmp(rax);
        }));
        Assert.Equal(SystemGuest.TestPage + 0x1000, guest.State->Cr2);
        Assert.Equal(0x10UL, guest.Stack(0));
        Assert.Equal(SystemGuest.TestPage + 0xFFD, guest.Stack(1));
    }

    [Fact]
    public void Non_canonical_addresses_raise_general_protection_or_stack_fault()
    {
        using SystemGuest guest = SystemGuest.Long();
        Assert.Equal(Vector.GeneralProtection, guest.Run(static c =>
        {
            c.mov(rax, 0x0000_8000_0000_0000L);
            c.mov(eax, __dword_ptr[rax]);
        }));
        using SystemGuest second = SystemGuest.Long();
        second.SetGate(Vector.StackFault, SystemGuest.Interrupt32, ist: 1);
        Assert.Equal(Vector.StackFault, second.Run(static c =>
        {
            c.mov(rsp, 0x0000_9000_0000_0000L);
            c.push(rax);
        }));
    }

    private static void Check(Kind kind, bool user, ulong entry, int expectedError, ulong cr4, uint flags)
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.SetTestPage(entry);
        // INT 30h (a gate of DPL 3) ends what does not fault.
        guest.Memory.Write(SystemGuest.TestFrame, [0xCD, 0x30]);
        guest.State->Cr4 |= cr4;
        if ((cr4 & (ControlBits.Cr4Smap | ControlBits.Cr4Smep)) != 0)
        {
            guest.MakeEverythingElseSupervisor();
        }

        void Write(Assembler c)
        {
            switch (kind)
            {
                case Kind.Read:
                    c.mov(al, __byte_ptr[(long)SystemGuest.TestPage]);
                    break;
                case Kind.Write:
                    c.mov(__byte_ptr[(long)SystemGuest.TestPage], al);
                    break;
                default:
                    c.mov(eax, (uint)SystemGuest.TestPage);
                    c.jmp(rax);
                    break;
            }

            c.@int(0x30);
        }

        if (user)
        {
            guest.RunUser(Write);
        }
        else
        {
            guest.State->FlagsRest = flags;
            guest.Processor.UpdateMode();
            guest.Run(Write);
        }

        if (expectedError < 0)
        {
            Assert.Equal(0x30, guest.Vector);
        }
        else
        {
            Assert.Equal(Vector.PageFault, guest.Vector);
            Assert.Equal((ulong)expectedError, guest.Stack(0));
            Assert.Equal(SystemGuest.TestPage, guest.State->Cr2);
            Assert.Equal(user ? 3UL : 0UL, guest.Stack(2) & 3);
        }
    }
}
