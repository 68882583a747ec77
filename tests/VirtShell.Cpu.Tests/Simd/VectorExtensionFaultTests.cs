using System;
using System.IO;
using Iced.Intel;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Tests.X87;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Simd;

/// <summary>What the host cannot be asked: faults inside gathers and masked moves, #UD and #XM.</summary>
public sealed unsafe class VectorExtensionFaultTests : IDisposable
{
    private const ulong EndOfMemory = 0x40_0000;
    private const uint Old = 0xDDDD_DDDD;
    private readonly FaultingGuest _guest = new();

    public void Dispose() => _guest.Dispose();

    [Fact]
    public void Gather_goes_on_after_a_fault()
    {
        for (uint i = 0; i < 8; i++)
        {
            _guest.Memory.WriteUInt32(EndOfMemory - 32 + (i * 4), 100 + i);
            Lane(0, i) = Old;
            Lane(1, i) = i;
            Lane(2, i) = 0x8000_0000;
        }

        _guest.State->Gpr[7] = EndOfMemory - 16;
        byte[] gather = Encode(c => c.vpgatherdd(ymm0, __[rdi + (ymm1 * 4)], ymm2));
        Assert.Equal(Vector.PageFault, _guest.Execute(gather));
        Assert.Equal(EndOfMemory, _guest.State->Cr2);
        for (uint i = 0; i < 8; i++)
        {
            Assert.Equal(i < 4 ? 104 + i : Old, Lane(0, i));
            Assert.Equal(i < 4 ? 0 : 0x8000_0000, Lane(2, i));
        }

        _guest.State->Gpr[7] = EndOfMemory - 32;
        Assert.Equal(-1, _guest.Execute(gather));
        for (uint i = 0; i < 8; i++)
        {
            Assert.Equal(104 + (i & 3), Lane(0, i));
            Assert.Equal(0u, Lane(2, i));
        }
    }

    [Fact]
    public void Gather_with_short_addresses_wraps()
    {
        _guest.Memory.WriteUInt32(FaultingGuest.DataAddress - 4, 7);
        _guest.State->Gpr[7] = 0xFFFF_FFFF_0000_0000 | FaultingGuest.DataAddress;
        Lane(0, 0) = Old;
        Lane(1, 0) = uint.MaxValue;
        Lane(2, 0) = uint.MaxValue;
        Assert.Equal(-1, _guest.Execute(Encode(c => c.vpgatherdd(xmm0, __[edi + (xmm1 * 4)], xmm2))));
        Assert.Equal(7u, Lane(0, 0));
    }

    [Fact]
    public void Gather_with_short_addresses_and_no_base_wraps()
    {
        // 67h, VPGATHERDD xmm0, [xmm1*1 + disp32], xmm2: the sum of a negative index and the displacement is cut to 32 bits.
        _guest.Memory.WriteUInt32(FaultingGuest.DataAddress, 9);
        Lane(0, 0) = Old;
        Lane(1, 0) = 0xFFFF_FFF0;
        Lane(2, 0) = uint.MaxValue;
        Lane(2, 1) = 0;
        Lane(2, 2) = 0;
        Lane(2, 3) = 0;
        byte[] displacement = System.BitConverter.GetBytes((uint)FaultingGuest.DataAddress + 16);
        Assert.Equal(-1, _guest.Execute([0x67, 0xC4, 0xE2, 0x69, 0x90, 0x04, 0x0D, .. displacement]));
        Assert.Equal(9u, Lane(0, 0));
    }

    [Theory]
    [InlineData(0, 0, 2)]
    [InlineData(0, 1, 0)]
    [InlineData(0, 1, 1)]
    public void Gather_refuses_shared_registers(int destination, int index, int mask)
    {
        var registers = new[] { xmm0, xmm1, xmm2 };
        byte[] gather = Encode(c => c.vgatherdps(registers[destination], __[rdi + (registers[index] * 4)], registers[mask]));
        Assert.Equal(Vector.InvalidOpcode, _guest.Execute(gather));
    }

    [Fact]
    public void Masked_elements_touch_no_memory()
    {
        // Two elements before the end of memory, six behind it.
        _guest.State->Gpr[7] = EndOfMemory - 8;
        _guest.Memory.WriteUInt32(EndOfMemory - 8, 5);
        _guest.Memory.WriteUInt32(EndOfMemory - 4, 6);
        for (uint i = 0; i < 8; i++)
        {
            Lane(0, i) = Old;
            Lane(1, i) = i == 1 ? uint.MaxValue : int.MaxValue;
            Lane(2, i) = 200 + i;
        }

        Assert.Equal(-1, _guest.Execute(Encode(c => c.vmaskmovps(ymm0, ymm1, __[rdi]))));
        Assert.Equal(0u, Lane(0, 0));
        Assert.Equal(6u, Lane(0, 1));
        Assert.Equal(0u, Lane(0, 2));
        byte[] store = Encode(c => c.vpmaskmovd(__[rdi], ymm1, ymm2));
        Assert.Equal(-1, _guest.Execute(store));
        Assert.Equal(5u, _guest.Memory.ReadUInt32(EndOfMemory - 8));
        Assert.Equal(201u, _guest.Memory.ReadUInt32(EndOfMemory - 4));

        // A store that faults on a later element writes none.
        Lane(1, 0) = uint.MaxValue;
        Lane(1, 5) = uint.MaxValue;
        Assert.Equal(Vector.PageFault, _guest.Execute(store));
        Assert.Equal(EndOfMemory + 12, _guest.State->Cr2);
        Assert.Equal(5u, _guest.Memory.ReadUInt32(EndOfMemory - 8));
    }

    [Fact]
    public void Unmasked_exception_leaves_the_destination()
    {
        const uint PrecisionUnmasked = 0x0F80;
        _guest.State->Cr4 |= ControlBits.Cr4Osxmmexcpt;
        _guest.State->Mxcsr = PrecisionUnmasked;
        Lane(0, 0) = BitConverter.SingleToUInt32Bits(1.1f);
        Lane(1, 0) = BitConverter.SingleToUInt32Bits(1.3f);
        Lane(2, 0) = BitConverter.SingleToUInt32Bits(1e-9f);
        byte[] fused = Encode(c => c.vfmadd231ss(xmm0, xmm1, xmm2));
        Assert.Equal(Vector.Simd, _guest.Execute(fused));
        Assert.Equal(BitConverter.SingleToUInt32Bits(1.1f), Lane(0, 0));
        Assert.Equal(PrecisionUnmasked | 0x20, _guest.State->Mxcsr);
        _guest.State->Cr4 &= ~ControlBits.Cr4Osxmmexcpt;
        Assert.Equal(Vector.InvalidOpcode, _guest.Execute(fused));
    }

    [Theory]
    [InlineData(0UL, ControlBits.Cr4Osxsave, 7UL, -1)]
    [InlineData(ControlBits.Cr0TaskSwitched, ControlBits.Cr4Osxsave, 7UL, Vector.DeviceNotAvailable)]
    [InlineData(ControlBits.Cr0Emulation, ControlBits.Cr4Osxsave, 7UL, -1)]
    [InlineData(0UL, 0UL, 7UL, Vector.InvalidOpcode)]
    [InlineData(0UL, ControlBits.Cr4Osxsave, 3UL, Vector.InvalidOpcode)]
    [InlineData(0UL, ControlBits.Cr4Osxsave, 1UL, Vector.InvalidOpcode)]
    [InlineData(ControlBits.Cr0TaskSwitched, ControlBits.Cr4Osxsave, 3UL, Vector.InvalidOpcode)]
    public void Avx_runs_where_the_system_has_enabled_its_state(ulong cr0, ulong cr4, ulong xcr0, int vector)
    {
        // SDM Vol. 2A §2.4, exception types 2 to 6: #UD by CR4.OSXSAVE and XCR0 before #NM by CR0.TS; CR0.EM does not matter.
        _guest.State->Cr0 |= cr0;
        _guest.State->Cr4 = (_guest.State->Cr4 & ~ControlBits.Cr4Osxsave) | cr4;
        _guest.State->Xcr0 = xcr0;
        Assert.Equal(vector, _guest.Execute(Encode(c => c.vaddps(xmm0, xmm1, xmm2))));
    }

    private static byte[] Encode(Action<Assembler> emit)
    {
        var assembler = new Assembler(64);
        emit(assembler);
        using var stream = new MemoryStream();
        assembler.Assemble(new StreamCodeWriter(stream), 0);
        return stream.ToArray();
    }

    private ref uint Lane(int register, uint lane) => ref ((uint*)CpuState.Vector(_guest.State, register))[lane];
}
