using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Iced.Intel;

namespace VirtShell.Cpu.Tests.Simd;

/// <summary>Encodes an instruction with XMM0 to XMM2 (or YMM) and with memory at RDI.</summary>
internal static class VectorForms
{
    private static readonly byte[] s_someImmediates = [0x00, 0x01, 0x10, 0x11, 0x02, 0x03, 0x04, 0x07, 0x15, 0x2A, 0x38, 0x3F, 0x80, 0xEE, 0xFF];

    /// <summary>Every immediate (or a few), register and memory operands, registers alike and apart.</summary>
    public static IEnumerable<(byte[] Bytes, Instruction Instruction)> Encode(Code code, bool everyImmediate, bool unaligned, Random random)
    {
        OpCodeInfo info = code.ToOpCode();
        OpCodeOperandKind[] kinds = Enumerable.Range(0, info.OpCount).Select(info.GetOpKind).ToArray();
        bool memory = kinds.Any(MayBeMemory);
        bool register = !kinds.Contains(OpCodeOperandKind.mem);
        IEnumerable<int> immediates = !kinds.Contains(OpCodeOperandKind.imm8) ? Enumerable.Range(0, 8)
            : everyImmediate ? Enumerable.Range(0, 256)
            : s_someImmediates.Select(i => (int)i);
        foreach (int immediate in immediates)
        {
            if (register)
            {
                yield return Build(code, kinds, false, 0, (byte)immediate, random);
            }

            if (memory)
            {
                yield return Build(code, kinds, true, unaligned ? random.Next(VectorBlock.MemorySize - 32) : random.Next(2) * 32, (byte)immediate, random);
            }
        }
    }

    private static bool MayBeMemory(OpCodeOperandKind kind) =>
        kind is OpCodeOperandKind.mem or OpCodeOperandKind.xmm_or_mem or OpCodeOperandKind.ymm_or_mem;

    private static (byte[] Bytes, Instruction Instruction) Build(Code code, OpCodeOperandKind[] kinds, bool memory, int displacement, byte immediate, Random random)
    {
        var instruction = new Instruction { Code = code };
        for (int i = 0; i < kinds.Length; i++)
        {
            OpCodeOperandKind kind = kinds[i];
            if (memory && MayBeMemory(kind))
            {
                instruction.SetOpKind(i, OpKind.Memory);
                instruction.MemoryBase = Register.RDI;
                instruction.MemoryDisplSize = 1;
                instruction.MemoryDisplacement64 = (ulong)displacement;
                continue;
            }

            switch (kind)
            {
                case OpCodeOperandKind.imm8:
                    instruction.SetOpKind(i, OpKind.Immediate8);
                    instruction.Immediate8 = immediate;
                    break;
                case OpCodeOperandKind.seg_rDI:
                    instruction.SetOpKind(i, OpKind.MemorySegRDI);
                    break;
                case OpCodeOperandKind.ymm_reg or OpCodeOperandKind.ymm_vvvv or OpCodeOperandKind.ymm_or_mem:
                    instruction.SetOpKind(i, OpKind.Register);
                    instruction.SetOpRegister(i, Register.YMM0 + random.Next(VectorBlock.VectorCount));
                    break;
                case OpCodeOperandKind.xmm_reg or OpCodeOperandKind.xmm_vvvv or OpCodeOperandKind.xmm_or_mem or OpCodeOperandKind.xmm_rm:
                    instruction.SetOpKind(i, OpKind.Register);
                    instruction.SetOpRegister(i, Register.XMM0 + random.Next(VectorBlock.VectorCount));
                    break;
                default:
                    throw new NotSupportedException($"{code} operand {i}: {kind}");
            }
        }

        using var stream = new MemoryStream();
        Encoder.Create(64, new StreamCodeWriter(stream)).Encode(in instruction, 0x1000);
        return (stream.ToArray(), instruction);
    }
}
