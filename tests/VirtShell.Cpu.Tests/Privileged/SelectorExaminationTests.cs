using VirtShell.Cpu.Execution;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>What LAR, LSL, VERR and VERW say of each descriptor type and privilege (SDM Vol. 2, tables 3-52, 3-55; Vol. 3A §5.10).</summary>
public sealed unsafe class SelectorExaminationTests
{
    // One bit a system type: those whose rights LAR gives, and whose limit LSL gives.
    private const int ProtectedRights = 0b0001_1010_0011_1110;
    private const int ProtectedLimits = 0b0000_1010_0000_1110;
    private const int LongRights = 0b0001_1010_0000_0100;
    private const int LongLimits = 0b0000_1010_0000_0100;

    public static TheoryData<bool, int> SystemTypes
    {
        get
        {
            var data = new TheoryData<bool, int>();
            for (int type = 0; type < 16; type++)
            {
                data.Add(false, type);
                data.Add(true, type);
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(SystemTypes))]
    public void System_types_have_rights_and_limits_as_the_table_says(bool longMode, int type)
    {
        using SystemGuest guest = longMode ? SystemGuest.Long() : SystemGuest.Protected();
        guest.SetSegment(SystemGuest.Spare, 0, 0x1234, 0x80 | (uint)type);
        (bool rights, bool limit, bool readable, bool writable) = Examine(guest, SystemGuest.Spare);
        Assert.Equal((((longMode ? LongRights : ProtectedRights) >> type) & 1) != 0, rights);
        Assert.Equal((((longMode ? LongLimits : ProtectedLimits) >> type) & 1) != 0, limit);
        Assert.False(readable || writable);
        if (limit)
        {
            Assert.Equal(0x1234UL, guest.State->Gpr[6]);
        }
    }

    [Theory]
    [InlineData(0xF3u, 3, true, true, true)]
    [InlineData(0xF1u, 3, true, true, false)]
    [InlineData(0xFBu, 3, true, true, false)]
    [InlineData(0xF9u, 3, true, false, false)]
    [InlineData(0x93u, 3, false, false, false)]
    [InlineData(0x93u, 0, false, false, false)]
    [InlineData(0xD3u, 0, false, false, false)]
    [InlineData(0x9Fu, 3, true, true, false)]
    [InlineData(0x9Du, 3, true, false, false)]
    [InlineData(0x73u, 3, true, true, true)]
    public void Users_see_what_their_privilege_allows(uint attributes, int rpl, bool visible, bool readable, bool writable)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(SystemGuest.Spare, 0, 0x1234, attributes);
        guest.EnterUser(SystemGuest.UserCode);
        Assert.Equal((visible, visible, readable, writable), Examine(guest, SystemGuest.Spare | rpl, user: true));
    }

    [Fact]
    public void The_requested_privilege_counts_as_the_callers_own()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(SystemGuest.Spare, 0, 0x1234, 0x93);
        Assert.Equal((true, true, true, true), Examine(guest, SystemGuest.Spare));
        Assert.Equal((false, false, false, false), Examine(guest, SystemGuest.Spare | 1));
    }

    [Fact]
    public void A_page_granular_limit_is_given_in_bytes()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(SystemGuest.Spare, 0, 0x12, 0x8093);
        Examine(guest, SystemGuest.Spare);
        Assert.Equal(0x12FFFUL, guest.State->Gpr[6]);
        Assert.Equal(0x0080_9300UL, guest.State->Gpr[2]);
    }

    [Theory]
    [InlineData(new byte[] { 0x0F, 0x02, 0xC0 })]
    [InlineData(new byte[] { 0x0F, 0x03, 0xC0 })]
    [InlineData(new byte[] { 0x0F, 0x00, 0xE0 })]
    [InlineData(new byte[] { 0x0F, 0x00, 0xE8 })]
    [InlineData(new byte[] { 0x63, 0xC0 })]
    [InlineData(new byte[] { 0x0F, 0x00, 0xC0 })]
    [InlineData(new byte[] { 0x0F, 0x00, 0xC8 })]
    [InlineData(new byte[] { 0x0F, 0x00, 0xD0 })]
    [InlineData(new byte[] { 0x0F, 0x00, 0xD8 })]
    public void Without_descriptors_they_are_undefined(byte[] instruction)
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Processor.Reset();
        guest.Memory.WriteUInt32(Vector.InvalidOpcode * 4, 0x0070_0000);
        guest.Memory.Write(0x700, [0xF4]);
        guest.Memory.Write(0x600, instruction);
        guest.Processor.SetRealSegment(SegmentIndex.Cs, 0x60);
        guest.State->Rip = 0;
        Assert.Equal(ExitReason.Halted, guest.Processor.Run(10));
        Assert.Equal(0x70, guest.State->Cs.Selector);
    }

    // Through registers and through memory, which must agree.
    private static (bool Rights, bool Limit, bool Readable, bool Writable) Examine(SystemGuest guest, int selector, bool user = false)
    {
        ulong at = user ? SystemGuest.UserCode : SystemGuest.Code;
        guest.Memory.WriteUInt16(SystemGuest.Scratch, (ushort)selector);
        guest.Assemble(at, c =>
        {
            c.mov(eax, user ? SystemGuest.Data3 : SystemGuest.Data0);
            c.mov(ds, eax);
            c.mov(eax, selector);
            c.xor(ebx, ebx);
            c.xor(ecx, ecx);
            c.mov(edi, (uint)SystemGuest.Scratch);
            c.lar(edx, eax);
            c.setz(bl);
            c.lsl(esi, eax);
            c.setz(bh);
            c.verr(ax);
            c.setz(cl);
            c.verw(ax);
            c.setz(ch);
            c.mov(ebp, ecx);
            c.xor(ecx, ecx);
            c.verr(__word_ptr[edi]);
            c.setz(cl);
            c.verw(__word_ptr[edi]);
            c.setz(ch);
            c.@int(0x30);
        });
        guest.State->Rip = at;
        Assert.Equal(0x30, guest.Continue());
        Assert.Equal(guest.State->Gpr[5], guest.State->Gpr[1]);
        ulong bx = guest.State->Gpr[3];
        ulong cx = guest.State->Gpr[1];
        guest.State->Gpr[4] = SystemGuest.BootStack;
        return ((bx & 1) != 0, (bx & 0x100) != 0, (cx & 1) != 0, (cx & 0x100) != 0);
    }
}
