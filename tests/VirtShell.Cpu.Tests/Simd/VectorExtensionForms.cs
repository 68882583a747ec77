using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Iced.Intel;

namespace VirtShell.Cpu.Tests.Simd;

/// <summary>Encodes the VEX instructions of AVX2's element-wise memory, F16C and FMA with YMM0 to YMM3 and memory at RDI.</summary>
internal static class VectorExtensionForms
{
    private static readonly string[] s_prefixes =
    [
        "Vpsllv", "Vpsrlv", "Vpsrav", "Vpermilp", "Vtestp", "Vmaskmovp", "Vpmaskmov", "Vgather", "Vpgather",
        "Vcvtph2ps", "Vcvtps2ph", "Vfm", "Vfnm",
    ];

    public static IReadOnlyList<Code> Codes { get; } = Enum.GetValues<Code>().Where(IsCovered).ToArray();

    public static bool IsGather(Code code) => code.Mnemonic().ToString().Contains("gather", StringComparison.Ordinal);

    public static bool IsShift(Code code) => code.Mnemonic().ToString().StartsWith("Vps", StringComparison.Ordinal);

    public static bool IsHalf(Code code) => code.CpuidFeatures().Contains(CpuidFeature.F16C);

    /// <summary>Random choices of registers, register and memory operands, and immediates.</summary>
    public static IEnumerable<byte[]> Encode(Code code, Random random)
    {
        OpCodeInfo info = code.ToOpCode();
        OpCodeOperandKind[] kinds = Enumerable.Range(0, info.OpCount).Select(info.GetOpKind).ToArray();
        bool memory = kinds.Any(MayBeMemory);
        bool register = !kinds.Any(k => MayBeMemory(k) && !MayBeRegister(k));
        for (int variant = 0; variant < 4; variant++)
        {
            if (register)
            {
                yield return Build(code, kinds, false, random);
            }

            if (memory)
            {
                yield return Build(code, kinds, true, random);
            }
        }
    }

    private static bool IsCovered(Code code)
    {
        OpCodeInfo info = code.ToOpCode();
        return info.Encoding == EncodingKind.VEX && info.Mode64 && s_prefixes.Any(p => code.Mnemonic().ToString().StartsWith(p, StringComparison.Ordinal))
            && !code.CpuidFeatures().Any(f => f is CpuidFeature.AVX_NE_CONVERT or CpuidFeature.FMA4);
    }

    private static bool IsVsib(OpCodeOperandKind kind) =>
        kind is OpCodeOperandKind.mem_vsib32x or OpCodeOperandKind.mem_vsib64x or OpCodeOperandKind.mem_vsib32y or OpCodeOperandKind.mem_vsib64y;

    private static bool MayBeMemory(OpCodeOperandKind kind) =>
        IsVsib(kind) || kind is OpCodeOperandKind.mem or OpCodeOperandKind.xmm_or_mem or OpCodeOperandKind.ymm_or_mem;

    private static bool MayBeRegister(OpCodeOperandKind kind) => kind is OpCodeOperandKind.xmm_or_mem or OpCodeOperandKind.ymm_or_mem;

    private static byte[] Build(Code code, OpCodeOperandKind[] kinds, bool memory, Random random)
    {
        var instruction = new Instruction { Code = code };
        int[] numbers = [0, 1, 2, 3];
        random.Shuffle(numbers);
        bool distinct = IsGather(code);
        for (int i = 0; i < kinds.Length; i++)
        {
            int number = distinct ? numbers[i] : random.Next(4);
            if (memory && MayBeMemory(kinds[i]))
            {
                instruction.SetOpKind(i, OpKind.Memory);
                instruction.MemoryBase = Register.RDI;
                instruction.MemoryDisplacement64 = unchecked((ulong)random.Next(-8, 8));
                instruction.MemoryDisplSize = 1;
                if (IsVsib(kinds[i]))
                {
                    bool wide = kinds[i] is OpCodeOperandKind.mem_vsib32y or OpCodeOperandKind.mem_vsib64y;
                    instruction.MemoryIndex = (wide ? Register.YMM0 : Register.XMM0) + number;
                    instruction.MemoryIndexScale = 1 << random.Next(4);
                }

                continue;
            }

            if (kinds[i] == OpCodeOperandKind.imm8)
            {
                instruction.SetOpKind(i, OpKind.Immediate8);
                instruction.Immediate8 = (byte)random.Next(256);
                continue;
            }

            instruction.SetOpKind(i, OpKind.Register);
            instruction.SetOpRegister(i, kinds[i] switch
            {
                OpCodeOperandKind.xmm_reg or OpCodeOperandKind.xmm_vvvv or OpCodeOperandKind.xmm_rm or OpCodeOperandKind.xmm_or_mem => Register.XMM0 + number,
                OpCodeOperandKind.ymm_reg or OpCodeOperandKind.ymm_vvvv or OpCodeOperandKind.ymm_rm or OpCodeOperandKind.ymm_or_mem => Register.YMM0 + number,
                _ => throw new NotSupportedException($"{code} operand {i}: {kinds[i]}"),
            });
        }

        using var stream = new MemoryStream();
        Encoder.Create(64, new StreamCodeWriter(stream)).Encode(in instruction, 0x1000);
        return stream.ToArray();
    }
}
