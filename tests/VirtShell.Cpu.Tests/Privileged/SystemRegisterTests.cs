using Iced.Intel;
using VirtShell.Cpu.Execution;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>Descriptor table registers, LDTR, TR, MSRs, counters and identification (SDM Vol. 2, Vol. 3A §2.4, Vol. 4).</summary>
public sealed unsafe class SystemRegisterTests
{
    private const int Operand = (int)SystemGuest.Scratch;

    [Theory]
    [InlineData(32)]
    [InlineData(64)]
    public void Descriptor_table_registers_load_and_store_whole(int bits)
    {
        using SystemGuest guest = bits == 64 ? SystemGuest.Long() : SystemGuest.Protected();
        guest.Memory.WriteUInt16(SystemGuest.Scratch, 0x1FF);
        guest.Memory.WriteUInt64(SystemGuest.Scratch + 2, 0xFFFF_8765_4321_1000);
        Assert.Equal(-1, guest.Run(static c =>
        {
            c.mov(edi, Operand);
            // LIDT [rdi], SIDT [rdi+10h], LGDT [rdi], SGDT [rdi+20h]
            c.db(0x0F, 0x01, 0x1F);
            c.db(0x0F, 0x01, 0x4F, 0x10);
            c.db(0x0F, 0x01, 0x17);
            c.db(0x0F, 0x01, 0x47, 0x20);
            c.hlt();
        }));
        ulong expected = bits == 64 ? 0xFFFF_8765_4321_1000 : 0x4321_1000;
        Assert.Equal(expected, guest.State->IdtBase);
        Assert.Equal(expected, guest.State->GdtBase);
        Assert.Equal(0x1FFu, guest.State->GdtLimit);
        foreach (ulong at in new[] { SystemGuest.Scratch + 0x10, SystemGuest.Scratch + 0x20 })
        {
            Assert.Equal(0x1FF, guest.Memory.ReadUInt16(at));
            Assert.Equal(expected, guest.Memory.ReadUInt64(at + 2) & (bits == 64 ? ulong.MaxValue : uint.MaxValue));
        }
    }

    [Fact]
    public void A16_bit_operand_size_loads_24_bits_of_base()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Memory.WriteUInt16(SystemGuest.Scratch, 0x1FF);
        guest.Memory.WriteUInt32(SystemGuest.Scratch + 2, 0x8765_4321);
        Assert.Equal(-1, guest.Run(static c =>
        {
            c.mov(edi, Operand);
            c.db(0x66, 0x0F, 0x01, 0x1F);
            c.hlt();
        }));
        Assert.Equal(0x65_4321UL, guest.State->IdtBase);
    }

    [Fact]
    public void A_non_canonical_table_base_is_refused()
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.Memory.WriteUInt64(SystemGuest.Scratch + 2, 0x0000_8000_0000_0000);
        Assert.Equal(Vector.GeneralProtection, guest.Run(static c =>
        {
            c.mov(edi, Operand);
            c.db(0x0F, 0x01, 0x1F);
        }));
    }

    [Fact]
    public void Ldt_and_task_registers_are_stored_zero_extended_to_registers_and_as_words_to_memory()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(SystemGuest.Spare, SystemGuest.Scratch, 0xFF, 0x82);
        guest.Memory.WriteUInt16(SystemGuest.Scratch + 0x80, SystemGuest.Spare);
        guest.Memory.WriteUInt64(SystemGuest.Scratch + 0x88, ulong.MaxValue);
        Assert.Equal(-1, guest.Run(static c =>
        {
            c.mov(edi, Operand + 0x80);
            c.or(eax, -1);
            c.or(ebx, -1);
            c.db(0x0F, 0x00, 0x17);
            c.db(0x0F, 0x00, 0xC0);
            c.db(0x0F, 0x00, 0x47, 0x08);
            c.db(0x0F, 0x00, 0x4F, 0x0A);
            c.db(0x0F, 0x01, 0x67, 0x0C);
            c.db(0x0F, 0x00, 0xCB);
            c.hlt();
        }));
        Assert.Equal(SystemGuest.Scratch, guest.State->Ldtr.Base);
        Assert.Equal((ulong)SystemGuest.Spare, guest.State->Gpr[0]);
        Assert.Equal((ulong)SystemGuest.Tss, guest.State->Gpr[3]);
        Assert.Equal(SystemGuest.Spare, guest.Memory.ReadUInt16(SystemGuest.Scratch + 0x88));
        Assert.Equal(SystemGuest.Tss, guest.Memory.ReadUInt16(SystemGuest.Scratch + 0x8A));
        Assert.Equal((ushort)guest.State->Cr0, guest.Memory.ReadUInt16(SystemGuest.Scratch + 0x8C));
        Assert.Equal(0xFFFF, guest.Memory.ReadUInt16(SystemGuest.Scratch + 0x8E));
    }

    [Fact]
    public void A_selector_with_ti_set_reads_the_ldt()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.SetSegment(SystemGuest.Spare, SystemGuest.Scratch, 0xFF, 0x82);
        // LDT entry 1: data, base 300000h.
        guest.Memory.WriteUInt64(SystemGuest.Scratch + 8, 0x0040_9330_0000_FFFF);
        guest.Memory.WriteUInt32(0x30_0010, 0x99);
        Assert.Equal(-1, guest.Run(static c =>
        {
            c.mov(eax, (int)SystemGuest.Spare);
            c.db(0x0F, 0x00, 0xD0);
            c.mov(eax, 0x0C);
            c.mov(fs, eax);
            c.mov(ebx, __dword_ptr.fs[0x10]);
            c.hlt();
        }));
        Assert.Equal(0x99UL, guest.State->Gpr[3]);
    }

    [Theory]
    [InlineData(true, 0, 0x82u, Vector.GeneralProtection)]
    [InlineData(true, SystemGuest.Spare, 0x8Bu, Vector.GeneralProtection)]
    [InlineData(true, SystemGuest.Spare, 0x09u, Vector.SegmentNotPresent)]
    [InlineData(true, SystemGuest.Spare, 0x89u, -1)]
    [InlineData(false, 0, 0x82u, -1)]
    [InlineData(false, SystemGuest.Spare, 0x89u, Vector.GeneralProtection)]
    [InlineData(false, SystemGuest.Spare, 0x02u, Vector.SegmentNotPresent)]
    [InlineData(false, SystemGuest.Spare | 4, 0x82u, Vector.GeneralProtection)]
    public void Ldt_and_task_register_loads_are_checked(bool task, int selector, uint attributes, int vector)
    {
        foreach (int bits in new[] { 32, 64 })
        {
            using SystemGuest guest = bits == 64 ? SystemGuest.Long() : SystemGuest.Protected();
            guest.SetSegment(SystemGuest.Spare, SystemGuest.TssAddress2, 0x67, attributes);
            Assert.Equal(vector, guest.Run(c =>
            {
                c.mov(eax, selector);
                c.db(0x0F, 0x00, (byte)(task ? 0xD8 : 0xD0));
                c.hlt();
            }));
            if (vector >= 0)
            {
                Assert.Equal((ulong)(selector & ~3), guest.Stack(0));
            }
            else if (task)
            {
                Assert.Equal(0x8BUL, guest.Memory.ReadUInt64(SystemGuest.Gdt + SystemGuest.Spare) >> 40 & 0xFF);
            }
        }
    }

    [Theory]
    [InlineData(Msr.Star, 0x1234_5678_9ABC_DEF0UL)]
    [InlineData(Msr.Lstar, 0xFFFF_8000_0000_0000UL)]
    [InlineData(Msr.Cstar, 0xFFFF_8000_0000_1000UL)]
    [InlineData(Msr.Fmask, 0x4_7700UL)]
    [InlineData(Msr.FsBase, 0x7FFF_FFFF_F000UL)]
    [InlineData(Msr.GsBase, 0xFFFF_8000_0000_2000UL)]
    [InlineData(Msr.KernelGsBase, 0x1000UL)]
    [InlineData(Msr.TscAux, 0x77UL)]
    [InlineData(Msr.SpecCtrl, 0x407UL)]
    [InlineData(Msr.SysenterCs, 0x10UL)]
    [InlineData(Msr.SysenterEsp, 0xFFFF_8000_0000_3000UL)]
    [InlineData(Msr.SysenterEip, 0xFFFF_8000_0000_4000UL)]
    [InlineData(Msr.Pat, 0x0007_0106_0007_0406UL)]
    [InlineData(Msr.MtrrDefType, 0xC06UL)]
    [InlineData(Msr.MtrrPhysBase0 + 5, 0x1_0000_0800UL)]
    [InlineData(Msr.MtrrFix64K, 0x0606_0606_0606_0606UL)]
    [InlineData(Msr.MtrrFix4KF8000, 0x0505_0505_0505_0505UL)]
    [InlineData(Msr.MtrrFix16KA0000, 1UL)]
    public void Registers_read_back_what_was_written(uint index, ulong value)
    {
        using SystemGuest guest = SystemGuest.Long();
        Assert.Equal(-1, guest.Run(c =>
        {
            c.mov(ecx, index);
            c.mov(eax, (uint)value);
            c.mov(edx, (uint)(value >> 32));
            c.wrmsr();
            c.rdmsr();
            c.hlt();
        }));
        Assert.Equal(value, guest.State->Gpr[0] | (guest.State->Gpr[2] << 32));
    }

    [Theory]
    [InlineData(Msr.MtrrCap, 0x508UL)]
    [InlineData(Msr.McgCap, 0UL)]
    [InlineData(Msr.McgStatus, 0UL)]
    [InlineData(Msr.PlatformId, 0UL)]
    [InlineData(Msr.DebugControl, 0UL)]
    [InlineData(Msr.FeatureControl, 1UL)]
    [InlineData(Msr.PlatformInfo, 0x1400UL)]
    [InlineData(Msr.BiosSignatureId, 1UL << 32)]
    [InlineData(Msr.MiscEnable, 0x1801UL)]
    public void Fixed_registers_read_as_documented(uint index, ulong value)
    {
        using SystemGuest guest = SystemGuest.Long();
        Assert.True(guest.Processor.TryReadMsr(index, out ulong actual));
        Assert.Equal(value, actual);
    }

    [Fact]
    public void Timestamp_and_processor_id_are_read_together()
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.State->MsrTscAux = 5;
        Assert.Equal(-1, guest.Run(static c =>
        {
            c.rdtscp();
            c.rdpid(rbx);
            c.hlt();
        }));
        Assert.Equal(1000UL, guest.State->Gpr[0]);
        Assert.Equal(5UL, guest.State->Gpr[1]);
        Assert.Equal(5UL, guest.State->Gpr[3]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Timestamp_disable_is_for_users_only(bool user)
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.State->Cr4 |= ControlBits.Cr4Tsd;
        static void Write(Assembler c)
        {
            c.rdtsc();
            c.@int(0x30);
        }

        Assert.Equal(user ? Vector.GeneralProtection : 0x30, user ? guest.RunUser(Write) : guest.Run(Write));
    }

    [Fact]
    public void No_performance_counter_exists()
    {
        using SystemGuest guest = SystemGuest.Long();
        Assert.Equal(Vector.GeneralProtection, guest.Run(static c =>
        {
            c.xor(ecx, ecx);
            c.rdpmc();
        }));
    }

    [Fact]
    public void Clflush_faults_as_a_load_does()
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.SetTestPage(1);
        Assert.Equal(Vector.PageFault, guest.Run(static c =>
        {
            c.clflush(__byte_ptr[(long)SystemGuest.TestPage]);
            c.clflushopt(__byte_ptr[(long)SystemGuest.TestPage + 0x1000]);
        }));
        Assert.Equal(SystemGuest.TestPage + 0x1000, guest.State->Cr2);
        Assert.Equal(0UL, guest.Stack(0));
    }

    [Fact]
    public void Lmsw_sets_but_never_clears_protection()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Memory.WriteUInt16(SystemGuest.Scratch, 0xE);
        Assert.Equal(-1, guest.Run(static c =>
        {
            c.mov(edi, Operand);
            c.db(0x0F, 0x01, 0x37);
            c.smsw(eax);
            c.hlt();
        }));
        Assert.Equal(0xFUL, guest.State->Gpr[0] & 0xF);
    }

    [Fact]
    public void Loading_far_pointers_loads_offset_and_selector_together()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Memory.WriteUInt32(SystemGuest.Scratch, 0x1234);
        guest.Memory.WriteUInt16(SystemGuest.Scratch + 4, SystemGuest.Data3);
        guest.Memory.WriteUInt32(SystemGuest.Scratch + 8, (uint)SystemGuest.InnerStack);
        guest.Memory.WriteUInt16(SystemGuest.Scratch + 12, SystemGuest.Data0);
        Assert.Equal(-1, guest.Run(static c =>
        {
            c.mov(edi, Operand);
            // LFS EAX, [edi]; LGS ECX, [edi]; LES EDX, [edi]; LSS ESP, [edi+8]; LDS EBX, [edi]
            c.db(0x0F, 0xB4, 0x07);
            c.db(0x0F, 0xB5, 0x0F);
            c.db(0xC4, 0x17);
            c.db(0x0F, 0xB2, 0x67, 0x08);
            c.db(0xC5, 0x1F);
            c.hlt();
        }));
        Assert.Equal((0x1234UL, 0x1234UL, 0x1234UL, 0x1234UL), (guest.State->Gpr[0], guest.State->Gpr[1], guest.State->Gpr[2], guest.State->Gpr[3]));
        Assert.Equal(SystemGuest.InnerStack, guest.State->Gpr[4]);
        Assert.Equal(SystemGuest.Data3, guest.State->Fs.Selector);
        Assert.Equal(SystemGuest.Data3, guest.State->Gs.Selector);
        Assert.Equal(SystemGuest.Data3, guest.State->Es.Selector);
        Assert.Equal(SystemGuest.Data3, guest.State->Ds.Selector);
    }

    [Fact]
    public void Segment_registers_are_pushed_and_popped_in_long_mode()
    {
        using SystemGuest guest = SystemGuest.Long();
        Assert.Equal(-1, guest.Run(static c =>
        {
            c.mov(eax, (int)SystemGuest.Data3);
            c.mov(fs, ax);
            c.push(fs);
            c.mov(rbx, __qword_ptr[rsp]);
            c.pop(gs);
            c.hlt();
        }));
        Assert.Equal((ulong)SystemGuest.Data3, guest.State->Gpr[3]);
        Assert.Equal(SystemGuest.Data3, guest.State->Gs.Selector);
        Assert.Equal(SystemGuest.BootStack, guest.State->Gpr[4]);
    }

    [Fact]
    public void A_pop_that_faults_leaves_the_stack_pointer()
    {
        using SystemGuest guest = SystemGuest.Protected();
        Assert.Equal(Vector.GeneralProtection, guest.Run(static c =>
        {
            c.push(0x7FF8);
            c.pop(ds);
        }));
        Assert.Equal(SystemGuest.BootStack - 4 - 16, guest.State->Gpr[4]);
        Assert.Equal(SystemGuest.Data0, guest.State->Ds.Selector);
    }

    [Fact]
    public void Far_calls_within_a_privilege_return()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Assemble(SystemGuest.Code + 0x100, static c =>
        {
            c.mov(ebx, __dword_ptr[esp + 4]);
            c.retf();
        });
        Assert.Equal(-1, guest.Run(static c =>
        {
            c.db(0x9A, 0x00, 0x81, 0x00, 0x00, (byte)SystemGuest.Code0, 0x00);
            c.hlt();
        }));
        Assert.Equal((ulong)SystemGuest.Code0, guest.State->Gpr[3] & 0xFFFF);
        Assert.Equal(SystemGuest.BootStack, guest.State->Gpr[4]);
    }

    [Fact]
    public void A20_masks_address_bit_20()
    {
        using SystemGuest guest = SystemGuest.Protected();
        guest.Memory.WriteUInt32(SystemGuest.Scratch, 0x11);
        guest.Memory.WriteUInt32(SystemGuest.Scratch + 0x10_0000, 0x22);
        guest.Processor.SetA20(false);
        guest.Run(static c =>
        {
            c.mov(eax, __dword_ptr[Operand + 0x10_0000]);
            c.hlt();
        });
        Assert.Equal(0x11UL, guest.State->Gpr[0]);
        guest.Processor.SetA20(true);
        guest.Run(static c =>
        {
            c.mov(eax, __dword_ptr[Operand + 0x10_0000]);
            c.hlt();
        });
        Assert.Equal(0x22UL, guest.State->Gpr[0]);
    }

    [Fact]
    public void Cache_topology_and_brand_leaves_are_consistent()
    {
        Assert.Equal(0u, Cpuid.Read(CpuModel.X86_64_V3, 4, 9, 1).Eax);
        Assert.Equal(0x21u, Cpuid.Read(CpuModel.X86_64_V3, 4, 0, 1).Eax & 0xFF);
        Assert.Equal(1u, Cpuid.Read(CpuModel.X86_64_V3, 0xB, 0, 1).Ebx);
        Assert.Equal(0x201u, Cpuid.Read(CpuModel.X86_64_V3, 0xB, 1, 1).Ecx);
        Assert.Equal("Virt", System.Text.Encoding.ASCII.GetString(System.BitConverter.GetBytes(Cpuid.Read(CpuModel.Pentium3, 0x8000_0002, 0, 1).Eax)));
        CpuidLeaf crystal = Cpuid.Read(CpuModel.X86_64_V3, 0x15, 0, 1);
        Assert.Equal((ulong)ProcessorClock.TscHertz, (ulong)crystal.Ecx * crystal.Ebx / crystal.Eax);
    }
}
