using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Iced.Intel;

namespace VirtShell.Cpu.Tests.X87;

/// <summary>Encodes, from Iced's tables, the x87 and MMX instructions with registers that the comparison knows how to load.</summary>
internal static class InstructionForms
{
    /// <summary>Memory operands stand at this register.</summary>
    public const Register MemoryBase = Register.RDI;

    /// <summary>Other makers' extensions, and the conversions that belong to SSE.</summary>
    private static readonly HashSet<Code> s_excluded =
    [
        Code.Femms, Code.Frstpm, Code.Cvtpi2ps_xmm_mmm64, Code.Cvtpi2pd_xmm_mmm64,
        Code.Cvttps2pi_mm_xmmm64, Code.Cvttpd2pi_mm_xmmm128, Code.Cvtps2pi_mm_xmmm64, Code.Cvtpd2pi_mm_xmmm128, Code.Fnstdw_AX, Code.Fnstsg_AX,
    ];

    /// <summary>Every x87 instruction.</summary>
    public static IReadOnlyList<Code> X87 { get; } = Enum.GetValues<Code>().Where(IsX87).ToArray();

    /// <summary>Every instruction with an MMX operand, and EMMS.</summary>
    public static IReadOnlyList<Code> Mmx { get; } = Enum.GetValues<Code>().Where(IsMmx).ToArray();

    /// <summary>The encodings of a form: each ST(i), register and memory operands, a few immediates.</summary>
    public static IEnumerable<(byte[] Bytes, Instruction Instruction)> Encode(Code code, Random random)
    {
        OpCodeInfo info = code.ToOpCode();
        bool memory = Enumerable.Range(0, info.OpCount).Any(i => MayBeMemory(info.GetOpKind(i)));
        bool register = Enumerable.Range(0, info.OpCount).All(i => info.GetOpKind(i) != OpCodeOperandKind.mem);
        bool stack = Enumerable.Range(0, info.OpCount).Any(i => info.GetOpKind(i) == OpCodeOperandKind.sti_opcode);
        bool immediate = Enumerable.Range(0, info.OpCount).Any(i => info.GetOpKind(i) == OpCodeOperandKind.imm8);
        int variants = stack || immediate ? 8 : 1;
        for (int variant = 0; variant < variants; variant++)
        {
            if (register)
            {
                yield return Build(code, info, false, variant, random);
            }

            if (memory)
            {
                yield return Build(code, info, true, variant, random);
            }
        }
    }

    private static bool IsX87(Code code) =>
        code == Code.Wait || (Is64Bit(code) && !s_excluded.Contains(code)
            && code.CpuidFeatures().Any(f => f is CpuidFeature.FPU or CpuidFeature.FPU287 or CpuidFeature.FPU387 || f.ToString().StartsWith("FPU", StringComparison.Ordinal)
                || (f is CpuidFeature.SSE3 or CpuidFeature.CMOV && code.ToString().StartsWith('F')))
            && (code.ToOpCode().OpCode >> (code.ToOpCode().OpCodeLength == 2 ? 8 : 0)) is >= 0xD8 and <= 0xDF
            && code.ToOpCode().Fwait == false
            && !code.CpuidFeatures().Any(f => f.ToString().Contains("CYRIX", StringComparison.Ordinal)));

    private static bool IsMmx(Code code)
    {
        if (!Is64Bit(code) || s_excluded.Contains(code) || code.CpuidFeatures().Any(f => f.ToString().Contains("CYRIX", StringComparison.Ordinal) || f.ToString().StartsWith("D3NOW", StringComparison.Ordinal)))
        {
            return false;
        }

        OpCodeInfo info = code.ToOpCode();
        return code == Code.Emms || Enumerable.Range(0, info.OpCount).Any(i => info.GetOpKind(i) is OpCodeOperandKind.mm_reg or OpCodeOperandKind.mm_rm or OpCodeOperandKind.mm_or_mem);
    }

    private static bool Is64Bit(Code code)
    {
        OpCodeInfo info = code.ToOpCode();
        return info.Encoding == EncodingKind.Legacy && info.Mode64 && info.IsInstruction;
    }

    private static bool MayBeMemory(OpCodeOperandKind kind) =>
        kind is OpCodeOperandKind.mem or OpCodeOperandKind.mm_or_mem or OpCodeOperandKind.r32_or_mem or OpCodeOperandKind.r64_or_mem;

    private static (byte[] Bytes, Instruction Instruction) Build(Code code, OpCodeInfo info, bool memory, int variant, Random random)
    {
        var instruction = new Instruction { Code = code };
        for (int i = 0; i < info.OpCount; i++)
        {
            OpCodeOperandKind kind = info.GetOpKind(i);
            if (memory && MayBeMemory(kind))
            {
                instruction.SetOpKind(i, OpKind.Memory);
                instruction.MemoryBase = MemoryBase;
                continue;
            }

            switch (kind)
            {
                case OpCodeOperandKind.imm8:
                    instruction.SetOpKind(i, OpKind.Immediate8);
                    instruction.Immediate8 = (byte)(variant < 4 ? random.Next(20) : random.Next(256));
                    break;
                case OpCodeOperandKind.seg_rDI:
                    instruction.SetOpKind(i, OpKind.MemorySegRDI);
                    break;
                default:
                    instruction.SetOpKind(i, OpKind.Register);
                    instruction.SetOpRegister(i, kind switch
                    {
                        OpCodeOperandKind.st0 => Register.ST0,
                        OpCodeOperandKind.sti_opcode => Register.ST0 + variant,
                        OpCodeOperandKind.ax => Register.AX,
                        OpCodeOperandKind.mm_reg => Register.MM0 + random.Next(8),
                        OpCodeOperandKind.mm_rm or OpCodeOperandKind.mm_or_mem => Register.MM0 + random.Next(8),
                        OpCodeOperandKind.xmm_reg or OpCodeOperandKind.xmm_rm => Register.XMM1,
                        OpCodeOperandKind.r32_reg => Register.EAX,
                        OpCodeOperandKind.r64_reg => Register.RAX,
                        OpCodeOperandKind.r32_or_mem => Register.ECX,
                        OpCodeOperandKind.r64_or_mem => Register.RCX,
                        _ => throw new NotSupportedException($"{code} operand {i}: {kind}"),
                    });
                    break;
            }
        }

        using var stream = new MemoryStream();
        var encoder = Encoder.Create(64, new StreamCodeWriter(stream));
        encoder.Encode(in instruction, 0x1000);
        return (stream.ToArray(), instruction);
    }
}
