using System;
using System.Collections.Generic;
using System.Linq;
using Iced.Intel;
using VirtShell.Cpu.Instructions;
using VirtShell.Cpu.Tests.X87;

namespace VirtShell.Cpu.Tests.Native;

/// <summary>Which codes of the handler table are compared with the host, by which comparison.</summary>
internal static class ComparedForms
{
    /// <summary>Names of codes that need more than registers and a window: privilege, a machine around them, a clock, or segments of their own.</summary>
    private static readonly string[] s_excluded =
    [
        "Rd", "Cpuid", "Sys", "Str_", "Sldt", "Smsw", "Sgdt", "Sidt", "Lar", "Lsl", "Verr", "Verw", "Xsave", "Xrstor", "Xgetbv", "Xsetbv",
        "Fx", "Wr", "Inv", "Cli", "Clts", "Clac", "Sti", "Stac", "Hlt", "Monitor", "Mwait", "Lgdt", "Lidt", "Lldt", "Ltr", "Lmsw", "Wbinvd", "In_", "Out_",
        "Insb", "Insw", "Insd", "Outs", "Int", "Ud", "Swapgs", "Lss", "Lfs", "Lgs", "Emms", "Wait", "Iret", "Retf", "Popw_FS", "Popw_GS",
        "Popq_FS", "Popq_GS", "Popd_", "Popw_", "Lds", "Reservednop_rm16_r16_0F0D", "Reservednop_rm32_r32_0F0D", "Reservednop_rm64_r64_0F0D", "Pushd_ES", "Pushd_CS", "Pushd_SS", "Pushd_DS", "Pushd_FS", "Pushd_GS", "Les", "Call_ptr", "Jmp_ptr", "Call_m16", "Jmp_m16", "Mov_Sreg",
    ];

    /// <summary>In 64-bit code AMD obeys the operand-size prefix here, Intel, whose rules we follow, does not.</summary>
    private static bool MakersDiffer(Code code) => code is Code.Jmp_rm16 or Code.Call_rm16 or Code.Retnw or Code.Retnw_imm16
        || (code.ToOpCode() is { OpCount: > 0 } info && info.GetOpKind(0) is OpCodeOperandKind.br16_1 or OpCodeOperandKind.br16_2);

    /// <summary>Conversions between MMX and vector registers: they round by MXCSR.</summary>
    private static readonly HashSet<Code> s_conversions =
    [
        Code.Cvtpi2ps_xmm_mmm64, Code.Cvtpi2pd_xmm_mmm64, Code.Cvttps2pi_mm_xmmm64, Code.Cvttpd2pi_mm_xmmm128, Code.Cvtps2pi_mm_xmmm64, Code.Cvtpd2pi_mm_xmmm128,
    ];

    /// <summary>General-purpose instructions, stack and branch forms among them.</summary>
    public static IReadOnlyList<Code> General { get; } = [.. Enum.GetValues<Code>().Where(static c => IsGeneral(c, 64))];

    /// <summary>General-purpose instructions that 64-bit code lacks, as 32-bit code.</summary>
    public static IReadOnlyList<Code> Narrow { get; } = [.. Enum.GetValues<Code>().Where(static c => IsGeneral(c, 32))];

    /// <summary>SSE to AVX2, and the conversions between MMX and vector registers.</summary>
    public static IReadOnlyList<Code> Vector { get; } = [.. Enum.GetValues<Code>().Where(IsVector)];

    /// <summary>Every code that has a handler.</summary>
    public static IReadOnlyList<Code> Handled { get; } = [.. Enum.GetValues<Code>().Where(HandlerTable.Has)];

    /// <summary>Every code that some comparison runs on the host.</summary>
    public static IReadOnlySet<Code> All { get; } = new HashSet<Code>([.. General, .. Narrow, .. Vector, .. InstructionForms.X87, .. InstructionForms.Mmx, .. XsaveDifferentialTests.Compared]);

    /// <summary>Whether an instruction with any prefixes may run on the host: a compared code in its mode (not to a relative target, which a prefix moves), or one that does not exist.</summary>
    public static bool IsComparable(in Instruction instruction) =>
        instruction.IsInvalid || (All.Contains(instruction.Code) && !IsRelative(instruction) && !IsUnsettled(instruction)
            && !(instruction.CodeSize == CodeSize.Code64 && MakersDiffer(instruction.Code)));

    /// <summary>Undefined, or different by maker: long 16-bit double shifts, 66h on indirect branches, the alignment of SHA's memory.</summary>
    private static bool IsUnsettled(in Instruction instruction) =>
        instruction.Mnemonic is Mnemonic.Shld or Mnemonic.Shrd
        || DifferentialForms.IsIndirect(instruction.Code)
        || instruction.CpuidFeatures.Contains(CpuidFeature.SHA);

    private static bool IsRelative(in Instruction instruction) => instruction.OpCount > 0 && instruction.Op0Kind is OpKind.NearBranch16 or OpKind.NearBranch32 or OpKind.NearBranch64;

    private static bool IsVector(Code code) =>
        CpuFeatures.SupportedCodes(CpuModel.X86_64_V3)[(int)code] && HandlerTable.Has(code) && DifferentialForms.IsVector(code)
        && (!DifferentialForms.UsesMmx(code) || s_conversions.Contains(code));

    private static bool IsGeneral(Code code, int bits)
    {
        OpCodeInfo info = code.ToOpCode();
        string name = code.ToString();
        return HandlerTable.Has(code) && (bits == 64 ? info.Mode64 && !MakersDiffer(code) : info.Mode32 && (!info.Mode64 || MakersDiffer(code))) && info.Encoding is EncodingKind.Legacy or EncodingKind.VEX && info.IsInstruction && !info.IsPrivileged
            && !DifferentialForms.IsVector(code) && !DifferentialForms.UsesMmx(code)
            && !code.CpuidFeatures().Any(f => f.ToString().StartsWith("FPU", StringComparison.Ordinal))
            && (code == Code.Into || !s_excluded.Any(e => name.StartsWith(e, StringComparison.Ordinal)))
            && DifferentialForms.IsEncodable(code, bits);
    }
}
