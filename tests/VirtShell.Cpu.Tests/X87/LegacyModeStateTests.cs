using System;
using System.Runtime.CompilerServices;
using VirtShell.Cpu.Memory;
using VirtShell.Cpu.Tests.Native;
using Xunit;

namespace VirtShell.Cpu.Tests.X87;

/// <summary>State saving in 32-bit code: selectors beside the pointers, and eight vector registers (Intel SDM vol. 1, 10.5.1 and 13.5).</summary>
public sealed unsafe class LegacyModeStateTests : IDisposable
{
    private const ulong CodeAddress = 0x1000;
    private const int DataAddress = 0x2000;
    private const int Xmm0 = 160;
    private const int Xmm8 = 288;
    private const int StateBits = 512;
    private const int Ymm0 = 576;
    private const int Ymm8 = 704;
    private const byte Untouched = 0xEE;

    private readonly PhysicalMemory _memory = new(1 << 20);
    private readonly Vcpu _processor;

    public LegacyModeStateTests()
    {
        _processor = new Vcpu(_memory, new IdleBus(), CpuModel.X86_64_V3, engine: TestEngine.Kind) { TranslationThreshold = 1 };
        _processor.EnterFlat32((uint)CodeAddress, 8, 16, 0, 0);
        State->Cr4 |= ControlBits.Cr4Osfxsr | ControlBits.Cr4Osxsave;
        State->Xcr0 = 7;
        State->Fcw = 0x037F;
        State->Fsw = 0;
        State->FpuValid = 0;
        State->Gpr[7] = DataAddress;
        State->Gpr[0] = 7;
        for (int i = 0; i < 16; i++)
        {
            Unsafe.InitBlock(CpuState.Vector(State, i), (byte)(i + 1), 32);
        }

        byte[] fill = new byte[1024];
        Array.Fill(fill, Untouched);
        _memory.Write(DataAddress, fill);
        _memory.WriteUInt64(DataAddress + StateBits, 0);
    }

    private CpuState* State => _processor.State;

    [Fact]
    public void Fxsave_holds_selectors_and_eight_registers()
    {
        Execute(0xD9, 0x87, 0x00, 0x01, 0x00, 0x00); // FLD m32 [EDI + 256]
        Execute(0x0F, 0xAE, 0x07);
        Assert.Equal(0x0187, _memory.ReadUInt16(DataAddress + 6));
        Assert.Equal((uint)CodeAddress, _memory.ReadUInt32(DataAddress + 8));
        Assert.Equal(8, _memory.ReadUInt16(DataAddress + 12));
        Assert.Equal(DataAddress + 256u, _memory.ReadUInt32(DataAddress + 16));
        Assert.Equal(16, _memory.ReadUInt16(DataAddress + 20));
        Assert.Equal(8, Byte(Xmm0 + (7 * 16)));
        Assert.Equal(Untouched, Byte(Xmm8));
    }

    [Fact]
    public void Fxrstor_leaves_the_upper_registers()
    {
        _memory.Write(DataAddress, new byte[512]);
        Execute(0x0F, 0xAE, 0x0F);
        Assert.Equal(0, *CpuState.Vector(State, 7));
        Assert.Equal(9, *CpuState.Vector(State, 8));
    }

    [Fact]
    public void Xsave_writes_eight_registers()
    {
        Execute(0x0F, 0xAE, 0x27);
        Assert.Equal(6UL, _memory.ReadUInt64(DataAddress + StateBits));
        Assert.Equal(8, Byte(Xmm0 + (7 * 16)));
        Assert.Equal(Untouched, Byte(Xmm8));
        Assert.Equal(8, Byte(Ymm0 + (7 * 16)));
        Assert.Equal(Untouched, Byte(Ymm8));
    }

    [Fact]
    public void Xrstor_initializes_eight_registers()
    {
        _memory.Write(DataAddress, new byte[1024]);
        _memory.WriteUInt32(DataAddress + 24, 0x1F80);
        Execute(0x0F, 0xAE, 0x2F);
        Assert.Equal(0, *CpuState.Vector(State, 7));
        Assert.Equal(0, CpuState.Vector(State, 7)[31]);
        Assert.Equal(9, *CpuState.Vector(State, 8));
        Assert.Equal(9, CpuState.Vector(State, 8)[31]);
    }

    public void Dispose()
    {
        _processor.Dispose();
        _memory.Dispose();
    }

    private byte Byte(int offset)
    {
        byte[] value = new byte[1];
        _memory.Read((ulong)(DataAddress + offset), value);
        return value[0];
    }

    private void Execute(params byte[] code)
    {
        _memory.Write(CodeAddress, code);
        State->Rip = CodeAddress;
        Assert.Equal(ExitReason.BudgetSpent, _processor.Run(1));
        Assert.Equal(CodeAddress + (ulong)code.Length, State->Rip);
    }
}
