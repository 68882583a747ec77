using System.IO;
using VirtShell.Cpu.Execution;
using VirtShell.State;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Privileged;

/// <summary>
/// IA32_SPEC_CTRL, IA32_PRED_CMD and IA32_ARCH_CAPABILITIES (SDM Vol. 4, table 2-2), CPUID leaf 7 (SDM Vol. 2, CPUID): a
/// processor that speculates on nothing says so, and takes the commands of systems that ask for protection all the same.
/// </summary>
public sealed unsafe class SpeculationControlTests
{
    private const uint Ibrs = 1u << 26;
    private const uint Stibp = 1u << 27;
    private const uint ArchitecturalCapabilities = 1u << 29;
    private const uint Ssbd = 1u << 31;

    public static TheoryData<CpuModel, bool> Models => new()
    {
        { CpuModel.I486, false },
        { CpuModel.Pentium3, false },
        { CpuModel.Qemu64, true },
        { CpuModel.X86_64_V2, true },
        { CpuModel.X86_64_V3, true },
    };

    [Theory]
    [MemberData(nameof(Models))]
    public void The_registers_exist_exactly_where_their_bits_are_set(CpuModel model, bool has)
    {
        CpuidLeaf leaf = Cpuid.MaxBasic(model) < 7 ? default : Cpuid.Read(model, 7, 0, 1);
        const uint All = Ibrs | Stibp | ArchitecturalCapabilities | Ssbd;
        Assert.Equal(has ? All : 0, leaf.Edx & All);
        using SystemGuest guest = SystemGuest.Protected(model);
        Assert.Equal(has, guest.Processor.TryReadMsr(Msr.ArchCapabilities, out _));
        Assert.Equal(has, guest.Processor.TryReadMsr(Msr.SpecCtrl, out _));
        Assert.Equal(has, guest.Processor.TryWriteMsr(Msr.SpecCtrl, 1));
        Assert.Equal(has, guest.Processor.TryWriteMsr(Msr.PredCmd, 1));
    }

    [Fact]
    public void Each_channel_is_denied_and_no_way_to_close_one_is_offered()
    {
        using SystemGuest guest = SystemGuest.Long();
        Assert.True(guest.Processor.TryReadMsr(Msr.ArchCapabilities, out ulong value));
        ulong denied = 0;
        foreach (int bit in new[] { 0, 1, 3, 4, 5, 6, 8, 13, 14, 15, 20, 24, 26, 27, 62 })
        {
            denied |= 1UL << bit;
        }

        Assert.Equal(denied, value);
    }

    /// <summary>BHI_CTRL and MCDT_NO, the only bits of subleaf 2: of the controls above SSBD, IA32_SPEC_CTRL has BHI_DIS_S.</summary>
    [Fact]
    public void The_history_of_branches_can_be_ignored_and_costs_do_not_depend_on_mxcsr()
    {
        Assert.Equal(2u, Cpuid.Read(CpuModel.X86_64_V3, 7, 0, 1).Eax);
        Assert.Equal(default, Cpuid.Read(CpuModel.X86_64_V3, 7, 1, 1));
        Assert.Equal(new CpuidLeaf(0, 0, 0, (1 << 4) | (1 << 5)), Cpuid.Read(CpuModel.X86_64_V3, 7, 2, 1));
        Assert.Equal(default, Cpuid.Read(CpuModel.X86_64_V3, 7, 3, 1));
    }

    [Theory]
    [InlineData(Msr.SpecCtrl, 0x8UL)]
    [InlineData(Msr.SpecCtrl, 0x801UL)]
    [InlineData(Msr.SpecCtrl, 0x81UL)]
    [InlineData(Msr.SpecCtrl, 0x1_0000_0001UL)]
    [InlineData(Msr.PredCmd, 0x2UL)]
    [InlineData(Msr.PredCmd, 0x81UL)]
    [InlineData(Msr.PredCmd, 0x1_0000_0000UL)]
    [InlineData(Msr.ArchCapabilities, 0UL)]
    public void Reserved_bits_are_refused_and_nothing_is_written(uint index, ulong value)
    {
        using SystemGuest guest = SystemGuest.Long();
        Assert.True(guest.Processor.TryWriteMsr(Msr.SpecCtrl, 2));
        Assert.Equal(Vector.GeneralProtection, guest.Run(c =>
        {
            c.mov(ecx, index);
            c.mov(eax, (uint)value);
            c.mov(edx, (uint)(value >> 32));
            c.wrmsr();
        }));
        Assert.Equal(0UL, guest.Stack(0));
        Assert.True(guest.Processor.TryReadMsr(Msr.SpecCtrl, out ulong kept));
        Assert.Equal(2UL, kept);
    }

    [Fact]
    public void A_barrier_is_a_command_that_cannot_be_read()
    {
        using SystemGuest guest = SystemGuest.Long();
        Assert.Equal(Vector.GeneralProtection, guest.Run(static c =>
        {
            c.mov(ecx, Msr.PredCmd);
            c.mov(eax, 1);
            c.xor(edx, edx);
            c.wrmsr();
            c.xor(eax, eax);
            c.wrmsr();
            c.inc(ebx);
            c.rdmsr();
        }));
        Assert.Equal(1UL, guest.State->Gpr[3]);
    }

    /// <summary>RESET clears it, INIT keeps it as it keeps other model-specific registers (SDM Vol. 3A, table 9-1).</summary>
    [Theory]
    [InlineData(false, 0UL)]
    [InlineData(true, 5UL)]
    public void Reset_clears_the_controls_and_init_keeps_them(bool init, ulong left)
    {
        using SystemGuest guest = SystemGuest.Long();
        Assert.True(guest.Processor.TryWriteMsr(Msr.SpecCtrl, 5));
        guest.Processor.Reset(init);
        Assert.True(guest.Processor.TryReadMsr(Msr.SpecCtrl, out ulong value));
        Assert.Equal(left, value);
    }

    [Fact]
    public void The_controls_are_saved_and_states_from_before_them_have_them_clear()
    {
        using SystemGuest guest = SystemGuest.Long();
        Assert.True(guest.Processor.TryWriteMsr(Msr.SpecCtrl, 3));
        byte[] saved = SavedState.Of(guest.Processor);
        guest.Processor.Reset();
        SavedState.Load(guest.Processor, saved);
        Assert.True(guest.Processor.TryReadMsr(Msr.SpecCtrl, out ulong value));
        Assert.Equal(3UL, value);

        using MemoryStream earlier = new();
        StateSaver saver = new(earlier);
        using (saver.Section("msrs"))
        {
            saver.Value("mcgStatus", 0UL);
        }

        saver.Complete();
        SavedState.Load(guest.Processor, earlier.ToArray());
        Assert.True(guest.Processor.TryReadMsr(Msr.SpecCtrl, out value));
        Assert.Equal(0UL, value);
    }
}
