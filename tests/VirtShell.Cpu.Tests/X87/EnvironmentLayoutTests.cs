using System;
using VirtShell.Cpu.Memory;
using VirtShell.Cpu.Tests.Native;
using Xunit;

namespace VirtShell.Cpu.Tests.X87;

/// <summary>The real-address layouts of FNSTENV and FLDENV, which the host cannot show (Intel SDM vol. 1, figures 8-10 and 8-12).</summary>
public sealed unsafe class EnvironmentLayoutTests
{
    private const ulong CodeAddress = 0x1000;
    private const ulong DataAddress = 0x2000;

    [Fact]
    public void Stores_32_bit_real_layout()
    {
        byte[] image = Store(0xD9, 0x37);
        Assert.Equal("7F03FFFF" + "0038FFFF" + "FF3FFFFF" + "89B7FFFF" + "E5310000" + "CDBBFFFF" + "00200000", Convert.ToHexString(image, 0, 28));
    }

    [Fact]
    public void Stores_16_bit_real_layout()
    {
        byte[] image = Store(0x66, 0xD9, 0x37);
        Assert.Equal("7F03" + "0038" + "FF3F" + "89B7" + "E531" + "CDBB" + "0020", Convert.ToHexString(image, 0, 14));
    }

    [Theory]
    [InlineData(false, 0x0003_5678UL, 0x000F_9ABCUL)]
    [InlineData(true, 0x0123_5678UL, 0x0FEF_9ABCUL)]
    public void Loads_real_layout(bool wide, ulong instruction, ulong data)
    {
        using var memory = new PhysicalMemory(1 << 20);
        using var processor = new Vcpu(memory, new IdleBus(), CpuModel.X86_64_V3, engine: TestEngine.Kind) { TranslationThreshold = 1 };
        memory.Write(CodeAddress, wide ? [0xD9, 0x27] : [0x66, 0xD9, 0x27]);
        memory.Write(DataAddress, Convert.FromHexString(wide
            ? "7F02FFFF" + "0000FFFF" + "FFFFFFFF" + "7856FFFF" + "45331200" + "BC9AFFFF" + "00F0FE00"
            : "7F02" + "0000" + "FFFF" + "7856" + "4533" + "BC9A" + "00F0"));
        CpuState* s = EnterReal(processor);
        processor.Run(1);
        Assert.Equal(0x027F, s->Fcw);
        Assert.Equal(instruction, s->Fip);
        Assert.Equal(data, s->Fdp);
        Assert.Equal(0x345, s->Fop);
    }

    private static byte[] Store(params byte[] code)
    {
        using var memory = new PhysicalMemory(1 << 20);
        using var processor = new Vcpu(memory, new IdleBus(), CpuModel.X86_64_V3, engine: TestEngine.Kind) { TranslationThreshold = 1 };
        memory.Write(CodeAddress, code);
        CpuState* s = EnterReal(processor);
        s->Fcw = 0x037F;
        s->Fsw = 0x3800;
        s->FpuValid = 0x80;
        *(ulong*)((byte*)s->Fpr + 112) = 1UL << 63;
        *(ulong*)((byte*)s->Fpr + 120) = 0x3FFF;
        s->Fcs = 0x3000;
        s->Fip = 0xB789;
        s->Fds = 0x2000;
        s->Fdp = 0xBBCD;
        s->Fop = 0x1E5;
        processor.Run(1);
        byte[] image = new byte[28];
        memory.Read(DataAddress, image);
        return image;
    }

    /// <summary>Protection off, with the wide code segment that a switch out of protected mode leaves behind.</summary>
    private static CpuState* EnterReal(Vcpu processor)
    {
        processor.EnterFlat32((uint)CodeAddress, 8, 16, 0, 0);
        CpuState* s = processor.State;
        s->Cr0 &= ~ControlBits.Cr0Protection;
        s->Gpr[7] = DataAddress;
        return s;
    }
}
