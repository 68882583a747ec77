using System;
using Iced.Intel;
using VirtShell.Cpu.Execution;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>Each model says by CPUID what it does, and does what it says (SDM Vol. 2, CPUID).</summary>
public sealed unsafe class CpuModelTests
{
    public static TheoryData<CpuModel> Models => [.. Enum.GetValues<CpuModel>()];

    /// <summary>A feature's CPUID bit (leaf, register 0 to 3 as EAX EBX ECX EDX, bit) and an instruction that it brings.</summary>
    public static TheoryData<uint, int, int, Code> Features => new()
    {
        { 1, 3, 0, Code.Fnop },
        { 1, 3, 4, Code.Rdtsc },
        { 1, 3, 5, Code.Rdmsr },
        { 1, 3, 8, Code.Cmpxchg8b_m64 },
        { 1, 3, 11, Code.Sysenter },
        { 1, 3, 15, Code.Cmovb_r32_rm32 },
        { 1, 3, 23, Code.Emms },
        { 1, 3, 24, Code.Fxsave_m512byte },
        { 1, 3, 25, Code.Addps_xmm_xmmm128 },
        { 1, 3, 26, Code.Addpd_xmm_xmmm128 },
        { 1, 2, 0, Code.Haddps_xmm_xmmm128 },
        { 1, 2, 1, Code.Pclmulqdq_xmm_xmmm128_imm8 },
        { 1, 2, 3, Code.Monitorq },
        { 1, 2, 5, Code.Vmxoff },
        { 1, 2, 9, Code.Pshufb_xmm_xmmm128 },
        { 1, 2, 12, Code.VEX_Vfmadd213ps_xmm_xmm_xmmm128 },
        { 1, 2, 13, Code.Cmpxchg16b_m128 },
        { 1, 2, 19, Code.Pmulld_xmm_xmmm128 },
        { 1, 2, 20, Code.Crc32_r32_rm32 },
        { 1, 2, 22, Code.Movbe_r32_m32 },
        { 1, 2, 23, Code.Popcnt_r32_rm32 },
        { 1, 2, 25, Code.Aesenc_xmm_xmmm128 },
        { 1, 2, 26, Code.Xgetbv },
        { 1, 2, 28, Code.VEX_Vaddps_ymm_ymm_ymmm256 },
        { 1, 2, 29, Code.VEX_Vcvtph2ps_xmm_xmmm64 },
        { 1, 2, 30, Code.Rdrand_r32 },
        { 7, 1, 0, Code.Rdfsbase_r32 },
        { 7, 1, 3, Code.VEX_Andn_r32_r32_rm32 },
        { 7, 1, 5, Code.VEX_Vpaddb_ymm_ymm_ymmm256 },
        { 7, 1, 8, Code.VEX_Pext_r32_r32_rm32 },
        { 7, 1, 10, Code.Invpcid_r64_m128 },
        { 7, 1, 11, Code.Xbegin_rel32 },
        { 7, 1, 16, Code.EVEX_Vaddps_zmm_k1z_zmm_zmmm512b32_er },
        { 7, 1, 18, Code.Rdseed_r32 },
        { 7, 1, 19, Code.Adcx_r32_rm32 },
        { 7, 1, 20, Code.Stac },
        { 7, 1, 23, Code.Clflushopt_m8 },
        { 7, 1, 29, Code.Sha1nexte_xmm_xmmm128 },
        { 7, 2, 3, Code.Rdpkru },
        { 7, 2, 22, Code.Rdpid_r64 },
        { 7, 3, 14, Code.Serialize },
        { 0x8000_0001, 2, 5, Code.Lzcnt_r32_rm32 },
        { 0x8000_0001, 2, 2, Code.Vmmcall },
        { 0x8000_0001, 3, 11, Code.Syscall },
        { 0x8000_0001, 3, 27, Code.Rdtscp },
        { 0x8000_0001, 3, 29, Code.Movsxd_r64_rm32 },
    };

    [Theory]
    [MemberData(nameof(Features))]
    public void An_instruction_exists_exactly_where_its_bit_is_set(uint leaf, int register, int bit, Code code)
    {
        foreach (CpuModel model in Enum.GetValues<CpuModel>())
        {
            bool said = leaf <= MaximumFor(model, leaf) && ((Register(Cpuid.Read(model, leaf, 0, 7), register) >> bit) & 1) != 0;
            Assert.True(said == CpuFeatures.SupportedCodes(model)[(int)code], $"{model}: CPUID {(said ? "has" : "lacks")} what {code} needs.");
        }
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void The_vendor_is_genuine_Intel(CpuModel model)
    {
        CpuidLeaf leaf = Cpuid.Read(model, 0, 0, 1);
        Assert.Equal((0x756E_6547u, 0x4965_6E69u, 0x6C65_746Eu), (leaf.Ebx, leaf.Edx, leaf.Ecx));
    }

    [Fact]
    public void The_hypervisor_leaf_names_us()
    {
        CpuidLeaf leaf = Cpuid.Read(CpuModel.X86_64_V3, Cpuid.HypervisorBase, 0, 1);
        Assert.Equal(BitConverter.ToUInt32("Virt"u8), leaf.Ebx);
        Assert.Equal(BitConverter.ToUInt32("Shel"u8), leaf.Ecx);
        Assert.Equal(BitConverter.ToUInt32("lVM\0"u8), leaf.Edx);
    }

    [Theory]
    [InlineData(0x4000_0001u)]
    [InlineData(0x4000_0010u)]
    [InlineData(0x4000_0100u)]
    [InlineData(0x4FFF_FFFFu)]
    public void The_rest_of_the_hypervisors_leaves_is_zero(uint leaf)
    {
        foreach (CpuModel model in Enum.GetValues<CpuModel>())
        {
            Assert.Equal(default, Cpuid.Read(model, leaf, 0, 1));
        }
    }

    [Fact]
    public void Only_a_model_that_says_that_it_is_a_guests_has_the_hypervisor_leaf()
    {
        foreach (CpuModel model in Enum.GetValues<CpuModel>())
        {
            bool announced = Cpuid.Read(model, 1, 0, 1).Ecx >> 31 != 0;
            Assert.Equal(announced ? Cpuid.HypervisorBase : 0, Cpuid.Read(model, Cpuid.HypervisorBase, 0, 1).Eax);
        }
    }

    [Theory]
    [InlineData(1UL, 576u)]
    [InlineData(3UL, 576u)]
    [InlineData(7UL, 832u)]
    public void The_xsave_area_is_as_large_as_xcr_0_needs(ulong xcr0, uint size)
    {
        CpuidLeaf leaf = Cpuid.Read(CpuModel.X86_64_V3, 0xD, 0, xcr0);
        Assert.Equal((7u, size, 832u), (leaf.Eax, leaf.Ebx, leaf.Ecx));
    }

    [Theory]
    [MemberData(nameof(Models))]
    public void A_leaf_beyond_either_range_answers_as_the_last_basic_one(CpuModel model)
    {
        foreach (uint leaf in (ReadOnlySpan<uint>)[Cpuid.MaxBasic(model) + 1, 0x1234, 0x3FFF_FFFF, 0x5000_0000, 0x7FFF_FFFF, 0x8000_0100, uint.MaxValue])
        {
            Assert.Equal(Cpuid.Read(model, Cpuid.MaxBasic(model), 0, 1), Cpuid.Read(model, leaf, 0, 1));
        }
    }

    [Fact]
    public void Cpuid_mirrors_osxsave_and_writes_whole_registers()
    {
        using SystemGuest guest = SystemGuest.Long();
        guest.State->Cr4 |= ControlBits.Cr4Osxsave;
        guest.State->Gpr[3] = ulong.MaxValue;
        Assert.Equal(-1, guest.Run(static c =>
        {
            c.mov(eax, 1);
            c.cpuid();
            c.hlt();
        }));
        Assert.NotEqual(0UL, guest.State->Gpr[1] & Cpuid.OsXsaveBit);
        Assert.Equal(0UL, guest.State->Gpr[3] >> 32);
    }

    [Fact]
    public void Instructions_that_a_model_lacks_are_undefined()
    {
        using SystemGuest old = SystemGuest.Protected(CpuModel.I486);
        Assert.Equal(Vector.InvalidOpcode, old.Run(static c => c.cmove(eax, ecx)));
        using SystemGuest middle = SystemGuest.Protected(CpuModel.Pentium3);
        Assert.Equal(Vector.InvalidOpcode, middle.Run(static c => c.addpd(xmm0, xmm1)));
        using SystemGuest second = SystemGuest.Long(CpuModel.X86_64_V2);
        Assert.Equal(Vector.InvalidOpcode, second.Run(static c => c.vaddps(ymm0, ymm1, ymm2)));
    }

    [Fact]
    public void Without_bmi_tzcnt_is_bsf()
    {
        using SystemGuest guest = SystemGuest.Long(CpuModel.X86_64_V2);
        guest.State->Gpr[0] = 77;
        Assert.Equal(-1, guest.Run(static c =>
        {
            c.xor(ecx, ecx);
            c.tzcnt(eax, ecx);
            c.hlt();
        }));
        Assert.Equal(77UL, guest.State->Gpr[0]);
    }

    private static uint MaximumFor(CpuModel model, uint leaf) => leaf >= Cpuid.ExtendedBase ? Cpuid.MaxExtended(model) : Cpuid.MaxBasic(model);

    private static uint Register(CpuidLeaf leaf, int register) => register switch
    {
        0 => leaf.Eax,
        1 => leaf.Ebx,
        2 => leaf.Ecx,
        _ => leaf.Edx,
    };
}
