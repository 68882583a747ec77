using System;
using System.Collections.Generic;
using System.Linq;
using Iced.Intel;
using VirtShell.Cpu.Instructions;
using Xunit;

namespace VirtShell.Cpu.Tests;

/// <summary>A model must not announce what the interpreter cannot execute.</summary>
public sealed class AnnouncedInstructionsTests
{
    // Codes that are no instructions of their own: assembler directives, WAIT-prefixed pairs, and what must raise #UD.
    private static readonly HashSet<Code> s_notExecuted =
    [
        Code.INVALID, Code.DeclareByte, Code.DeclareWord, Code.DeclareDword, Code.DeclareQword, Code.Zero_bytes,
        Code.Fstenv_m14byte, Code.Fstenv_m28byte, Code.Fstcw_m2byte, Code.Feni, Code.Fdisi, Code.Fclex, Code.Finit, Code.Fsetpm,
        Code.Fsave_m94byte, Code.Fsave_m108byte, Code.Fstsw_m2byte, Code.Fstsw_AX,
        Code.Ud0, Code.Ud0_r16_rm16, Code.Ud0_r32_rm32, Code.Ud0_r64_rm64, Code.Ud1_r16_rm16, Code.Ud1_r32_rm32, Code.Ud1_r64_rm64, Code.Ud2,
    ];

    [Theory]
    [InlineData(CpuModel.I486)]
    [InlineData(CpuModel.Pentium3)]
    [InlineData(CpuModel.Qemu64)]
    [InlineData(CpuModel.X86_64_V2)]
    [InlineData(CpuModel.X86_64_V3)]
    public void Every_instruction_of_a_model_has_a_handler(CpuModel model)
    {
        bool[] supported = CpuFeatures.SupportedCodes(model);
        IEnumerable<Code> missing = Enum.GetValues<Code>().Where(code => supported[(int)code] && !HandlerTable.Has(code) && !s_notExecuted.Contains(code));
        Assert.Empty(missing);
    }
}
