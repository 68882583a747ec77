using System;
using VirtShell.Cpu.Numerics;
using Xunit;

namespace VirtShell.Cpu.Tests.X87;

/// <summary>Which exceptions x87, MMX and state-saving instructions raise, and when (Intel SDM vol. 1, 8.7 and 13.8; vol. 3A, 2.5 and table 2-2; vol. 2 by instruction).</summary>
public sealed unsafe class FpuExceptionTests
{
    private const ulong Em = ControlBits.Cr0Emulation;
    private const ulong Ts = ControlBits.Cr0TaskSwitched;
    private const int None = -1;
    private const int InvalidOpcode = 6;
    private const int NotAvailable = 7;
    private const int Protection = 13;
    private const int PageFault = 14;
    private const int FloatingPoint = 16;
    private const ushort PendingInvalid = 0x8081;

    [Theory]
    [InlineData("D9E8", Em, NotAvailable)] // FLD1
    [InlineData("D9E8", Ts, NotAvailable)]
    [InlineData("D9E8", 0, None)]
    [InlineData("DBE3", Em, NotAvailable)] // FNINIT
    [InlineData("DBE3", Ts, NotAvailable)]
    [InlineData("DFE0", Ts, NotAvailable)] // FNSTSW AX
    [InlineData("9B", Ts, NotAvailable)] // FWAIT, CR0.MP set
    [InlineData("9B", Em, None)]
    [InlineData("0FFCC1", Em, InvalidOpcode)] // PADDB MM0, MM1
    [InlineData("0FFCC1", Ts, NotAvailable)]
    [InlineData("0FFCC1", Em | Ts, InvalidOpcode)]
    [InlineData("0F77", Em, InvalidOpcode)] // EMMS
    [InlineData("0FAE07", Em, NotAvailable)] // FXSAVE [RDI]
    [InlineData("0FAE07", Ts, NotAvailable)]
    [InlineData("0FAE0F", Ts, NotAvailable)] // FXRSTOR
    [InlineData("0FAE27", Ts, NotAvailable)] // XSAVE
    [InlineData("0FAE27", Em, None)]
    [InlineData("0FAE2F", Ts, NotAvailable)] // XRSTOR
    public void Checks_control_register_0(string code, ulong cr0, int vector)
    {
        using var guest = new FaultingGuest();
        guest.State->Cr0 |= cr0;
        Assert.Equal(vector, guest.Execute(Convert.FromHexString(code)));
    }

    [Fact]
    public void Wait_looks_at_task_switched_only_with_monitor_coprocessor()
    {
        using var guest = new FaultingGuest();
        guest.State->Cr0 = (guest.State->Cr0 & ~ControlBits.Cr0MonitorCoprocessor) | Ts;
        Assert.Equal(None, guest.Execute(0x9B));
    }

    [Theory]
    [InlineData("D9E8", FloatingPoint)] // FLD1
    [InlineData("9B", FloatingPoint)] // FWAIT
    [InlineData("D92F", FloatingPoint)] // FLDCW
    [InlineData("DD27", FloatingPoint)] // FRSTOR
    [InlineData("D927", FloatingPoint)] // FLDENV
    [InlineData("D9D0", FloatingPoint)] // FNOP
    [InlineData("0FFCC1", FloatingPoint)] // PADDB
    [InlineData("0F77", FloatingPoint)] // EMMS
    [InlineData("F30FD6C1", FloatingPoint)] // MOVQ2DQ
    [InlineData("DBE3", None)] // FNINIT
    [InlineData("DBE2", None)] // FNCLEX
    [InlineData("DFE0", None)] // FNSTSW AX
    [InlineData("D93F", None)] // FNSTCW
    [InlineData("D937", None)] // FNSTENV
    [InlineData("DD37", None)] // FNSAVE
    [InlineData("0FAE07", None)] // FXSAVE
    [InlineData("0FAE0F", None)] // FXRSTOR
    public void Waiting_instructions_report_what_is_pending(string code, int vector)
    {
        using var guest = new FaultingGuest();
        guest.State->Fcw = 0x0340;
        guest.State->Fsw = PendingInvalid;
        Assert.Equal(vector, guest.Execute(Convert.FromHexString(code)));
    }

    [Fact]
    public void An_unmasked_exception_waits_for_the_next_instruction()
    {
        using var guest = new FaultingGuest();
        guest.State->Fcw = 0x037B;
        guest.Execute(0xD9, 0xE8); // FLD1
        guest.Execute(0xD9, 0xEE); // FLDZ
        Assert.Equal(None, guest.Execute(0xDC, 0xF9)); // FDIV ST(1), ST(0): zero divide
        Assert.Equal(0x8084, guest.State->Fsw & 0x80FF);
        Assert.Equal(FloatingPoint, guest.Execute(0x9B));
        Assert.Equal(FaultingGuest.CodeAddress, guest.Memory.ReadUInt64(guest.State->Gpr[4]));
        Assert.Equal(FaultingGuest.CodeAddress, guest.State->Fip);
        Assert.Equal(0x4F9, guest.State->Fop);
    }

    [Fact]
    public void Without_numeric_error_the_exception_goes_to_ferr()
    {
        using var guest = new FaultingGuest();
        guest.State->Cr0 &= ~ControlBits.Cr0NumericError;
        guest.State->Fcw = 0x037B;
        guest.Execute(0xD9, 0xE8);
        guest.Execute(0xD9, 0xEE);
        Assert.False(guest.Bus.FloatingPointError);
        guest.Execute(0xDC, 0xF9);
        Assert.True(guest.Bus.FloatingPointError);
        Assert.Equal(None, guest.Execute(0xD9, 0xD0)); // FNOP, which asks again
        Assert.Equal(2, guest.Bus.FloatingPointErrors);
        guest.Execute(0xDB, 0xE2); // FNCLEX
        Assert.False(guest.Bus.FloatingPointError);
    }

    [Theory]
    [InlineData("DC07")] // FADD m64
    [InlineData("DD1F")] // FSTP m64
    [InlineData("0FFC07")] // PADDB
    [InlineData("0FE707")] // MOVNTQ
    public void A_faulting_access_changes_nothing(string code)
    {
        using var guest = new FaultingGuest();
        guest.Execute(0xD9, 0xE8);
        ushort status = guest.State->Fsw;
        ushort valid = guest.State->FpuValid;
        ushort opcode = guest.State->Fop;
        guest.State->Gpr[7] = FaultingGuest.Unmapped;
        Assert.Equal(PageFault, guest.Execute(Convert.FromHexString(code)));
        Assert.Equal(status, guest.State->Fsw);
        Assert.Equal(valid, guest.State->FpuValid);
        Assert.Equal(opcode, guest.State->Fop);
    }

    [Theory]
    [InlineData("0FAE07", 8)] // FXSAVE
    [InlineData("0FAE0F", 8)] // FXRSTOR
    [InlineData("0FAE27", 16)] // XSAVE
    [InlineData("0FC727", 16)] // XSAVEC
    [InlineData("0FAE2F", 32)] // XRSTOR
    public void Areas_must_be_aligned(string code, int offset)
    {
        using var guest = new FaultingGuest();
        guest.State->Gpr[7] = FaultingGuest.DataAddress + (ulong)offset;
        Assert.Equal(Protection, guest.Execute(Convert.FromHexString(code)));
    }

    [Theory]
    [InlineData("0FAE27")]
    [InlineData("0FAE2F")]
    [InlineData("0F01D0")] // XGETBV
    [InlineData("0F01D1")] // XSETBV
    public void Extended_state_needs_osxsave(string code)
    {
        using var guest = new FaultingGuest();
        guest.State->Cr4 &= ~ControlBits.Cr4Osxsave;
        Assert.Equal(InvalidOpcode, guest.Execute(Convert.FromHexString(code)));
    }

    [Theory]
    [InlineData(512, 8UL)] // XSTATE_BV: a component that is not enabled
    [InlineData(520, 1UL)] // XCOMP_BV without the compaction bit
    [InlineData(528, 1UL)] // reserved
    [InlineData(520, 0x8000_0000_0000_0008UL)] // compacted, with a component that is not enabled
    [InlineData(24, 0x1_0000UL)] // MXCSR
    public void Restore_checks_its_header(int offset, ulong value)
    {
        using var guest = new FaultingGuest();
        guest.Execute(0xD9, 0xE8);
        guest.Memory.WriteUInt64(FaultingGuest.DataAddress + (ulong)offset, value);
        guest.State->Gpr[0] = 7;
        guest.State->Gpr[2] = 0;
        Assert.Equal(Protection, guest.Execute(0x0F, 0xAE, 0x2F));
        Assert.Equal(0x80, guest.State->FpuValid);
    }

    [Fact]
    public void Compacted_headers_have_no_stray_bits()
    {
        using var guest = new FaultingGuest();
        guest.State->Gpr[0] = 7;
        guest.State->Gpr[2] = 0;
        guest.Memory.WriteUInt64(FaultingGuest.DataAddress + 520, 0x8000_0000_0000_0003);
        Assert.Equal(None, guest.Execute(0x0F, 0xAE, 0x2F));
        guest.Memory.WriteUInt64(FaultingGuest.DataAddress + 512, 4);
        Assert.Equal(Protection, guest.Execute(0x0F, 0xAE, 0x2F));
        guest.Memory.WriteUInt64(FaultingGuest.DataAddress + 512, 3);
        guest.Memory.WriteUInt64(FaultingGuest.DataAddress + 568, 1);
        Assert.Equal(Protection, guest.Execute(0x0F, 0xAE, 0x2F));
    }

    [Fact]
    public void Fxrstor_checks_mxcsr()
    {
        using var guest = new FaultingGuest();
        guest.Memory.WriteUInt32(FaultingGuest.DataAddress + 24, 0x1_0000);
        Assert.Equal(Protection, guest.Execute(0x0F, 0xAE, 0x0F));
        Assert.Equal(0x037F, guest.State->Fcw);
    }

    [Theory]
    [InlineData(0, 7UL, None)]
    [InlineData(0, 3UL, None)]
    [InlineData(0, 1UL, None)]
    [InlineData(0, 0UL, Protection)]
    [InlineData(0, 5UL, Protection)]
    [InlineData(0, 15UL, Protection)]
    [InlineData(1, 7UL, Protection)]
    public void Xsetbv_checks_its_value(uint index, ulong value, int vector)
    {
        using var guest = new FaultingGuest();
        guest.State->Gpr[0] = value;
        guest.State->Gpr[1] = index;
        guest.State->Gpr[2] = 0;
        Assert.Equal(vector, guest.Execute(0x0F, 0x01, 0xD1));
        Assert.Equal(vector == None ? value : 7UL, guest.State->Xcr0);
    }

    [Fact]
    public void Xgetbv_tells_what_is_enabled_and_in_use()
    {
        using var guest = new FaultingGuest();
        guest.State->Gpr[1] = 0;
        Assert.Equal(None, guest.Execute(0x0F, 0x01, 0xD0));
        Assert.Equal(7UL, guest.State->Gpr[0]);
        guest.State->Gpr[1] = 1;
        Assert.Equal(None, guest.Execute(0x0F, 0x01, 0xD0));
        Assert.Equal(0UL, guest.State->Gpr[0]);
        CpuState.Vector(guest.State, 3)[20] = 1;
        guest.Execute(0xD9, 0xE8);
        Assert.Equal(None, guest.Execute(0x0F, 0x01, 0xD0));
        Assert.Equal(5UL, guest.State->Gpr[0]);
        guest.State->Gpr[1] = 2;
        Assert.Equal(Protection, guest.Execute(0x0F, 0x01, 0xD0));
    }

    [Fact]
    public void A_store_of_ten_bytes_across_a_missing_page_stores_nothing()
    {
        using var guest = new FaultingGuest();
        guest.Execute(0xD9, 0xE8);
        guest.State->Gpr[7] = 0x40_0000 - 4;
        guest.Memory.WriteUInt32(0x40_0000 - 4, 0x12345678);
        Assert.Equal(PageFault, guest.Execute(0xDB, 0x3F)); // FSTP m80
        Assert.Equal(0x12345678u, guest.Memory.ReadUInt32(0x40_0000 - 4));
        Assert.Equal(Float80.One, *(Float80*)((byte*)guest.State->Fpr + (7 * 16)));
        Assert.Equal(0x80, guest.State->FpuValid);
    }
}
