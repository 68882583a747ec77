using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Iced.Intel;

namespace VirtShell.Cpu.Tests.Native;

/// <summary>Encodes instructions from Iced's tables with random registers and operands in the shared window.</summary>
internal static class DifferentialForms
{
    /// <summary>Vector register that holds the indices of a gather, and the one that holds its mask.</summary>
    public const int GatherIndex = 2;
    public const int GatherMask = 3;

    /// <summary>Index register of memory operands; a small multiple of 32 where it is one.</summary>
    public const Register Index = Register.R15;

    /// <summary>Shapes of memory operands, branch directions and prefixes.</summary>
    public const int Variants = 4;

    /// <summary>General registers that may be operands: not the stack pointer, not the base.</summary>
    private static readonly int[] s_free = [0, 1, 2, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15];

    public static bool IsVector(Code code)
    {
        OpCodeInfo info = code.ToOpCode();
        return Kinds(info).Any(k => k.ToString() is var name && (name.Contains("xmm", StringComparison.Ordinal) || name.Contains("ymm", StringComparison.Ordinal)))
            || code is Code.Ldmxcsr_m32 or Code.Stmxcsr_m32 or Code.VEX_Vldmxcsr_m32 or Code.VEX_Vstmxcsr_m32 or Code.VEX_Vzeroall or Code.VEX_Vzeroupper;
    }

    public static bool IsGather(Code code) => Kinds(code.ToOpCode()).Any(k => k.ToString().StartsWith("mem_vsib", StringComparison.Ordinal));

    public static bool UsesMmx(Code code) => Kinds(code.ToOpCode()).Any(k => k.ToString().StartsWith("mm_", StringComparison.Ordinal));

    /// <summary>Branches through a register, memory or the stack.</summary>
    public static bool IsIndirect(Code code) => code.FlowControl() is FlowControl.IndirectBranch or FlowControl.IndirectCall or FlowControl.Return;

    /// <summary>True where every operand is of a kind that the comparison can set up.</summary>
    public static bool IsEncodable(Code code, int bits = 64)
    {
        var random = new Random(1);
        return Enumerable.Range(0, 2 * Variants).Any(i => Encode(code, (i & 1) != 0, i >> 1, random, bits) is not null);
    }

    /// <summary>Null where an operand kind is not one that the comparison can set up.</summary>
    public static Instruction? Encode(Code code, bool memory, int variant, Random random, int bits = 64)
    {
        OpCodeInfo info = code.ToOpCode();
        var instruction = new Instruction { Code = code, CodeSize = bits == 64 ? CodeSize.Code64 : CodeSize.Code32 };
        bool hasMemory = false;
        for (int i = 0; i < info.OpCount; i++)
        {
            OpCodeOperandKind kind = info.GetOpKind(i);
            string name = kind.ToString();
            bool gathers = name.StartsWith("mem_vsib", StringComparison.Ordinal);
            if (kind is OpCodeOperandKind.mem or OpCodeOperandKind.mem_offs || (name.EndsWith("_or_mem", StringComparison.Ordinal) && memory) || gathers)
            {
                hasMemory = true;
                instruction.SetOpKind(i, OpKind.Memory);
                if (kind == OpCodeOperandKind.mem_offs)
                {
                    instruction.MemoryDisplacement64 = DifferentialMemory.Operand + (ulong)random.Next(64);
                    instruction.MemoryDisplSize = bits / 8;
                }
                else if (gathers)
                {
                    Gather(ref instruction, name, random);
                }
                else
                {
                    Address(ref instruction, variant, random);
                }

                continue;
            }

            if (Branch(ref instruction, i, kind, variant) || Immediate(ref instruction, i, kind, random) || TextOperand(ref instruction, i, kind))
            {
                continue;
            }

            Register? register = Choose(code, kind, i, random, bits);
            if (register is null)
            {
                return null;
            }

            instruction.SetOpKind(i, OpKind.Register);
            instruction.SetOpRegister(i, register.Value);
        }

        if (memory != hasMemory)
        {
            return null;
        }

        if (hasMemory && info.CanUseLockPrefix && (variant & 2) != 0)
        {
            instruction.HasLockPrefix = true;
        }

        if (info.CanUseRepPrefix && (variant & 1) != 0 && instruction.IsStringInstruction)
        {
            instruction.HasRepPrefix = true;
        }
        else if (info.CanUseRepnePrefix && (variant & 2) != 0 && instruction.IsStringInstruction)
        {
            instruction.HasRepnePrefix = true;
        }

        return Assemble(instruction) is null ? null : instruction;
    }

    /// <summary>The machine code at <see cref="DifferentialMemory.Rip"/>; null where there is none.</summary>
    public static byte[]? Assemble(in Instruction instruction)
    {
        using var stream = new MemoryStream();
        var encoder = Encoder.Create(instruction.CodeSize == CodeSize.Code32 ? 32 : 64, new StreamCodeWriter(stream));
        return encoder.TryEncode(in instruction, DifferentialMemory.Rip, out _, out _) ? stream.ToArray() : null;
    }

    /// <summary>A memory operand in the window: by a base, a 32-bit base, RIP (stack instructions: RSP), or base and index.</summary>
    private static void Address(ref Instruction instruction, int variant, Random random)
    {
        instruction.MemoryDisplacement64 = 32 * (ulong)random.Next(3);
        instruction.MemoryDisplSize = 1;
        bool wide = instruction.CodeSize == CodeSize.Code64;
        switch (variant)
        {
            case 0 when wide:
                instruction.MemoryBase = Register.RBX;
                break;
            case 0 or 1:
                instruction.MemoryBase = Register.EBX;
                break;
            case 2 when instruction.IsStackInstruction:
                instruction.MemoryBase = wide ? Register.RSP : Register.ESP;
                break;
            case 2:
                instruction.MemoryBase = wide ? Register.RIP : Register.None;
                instruction.MemoryDisplacement64 += DifferentialMemory.Operand;
                instruction.MemoryDisplSize = wide ? 8 : 4;
                break;
            default:
                instruction.MemoryBase = wide ? Register.RBX : Register.EBX;
                instruction.MemoryIndex = wide ? Index : Register.ESI;
                instruction.MemoryIndexScale = 1 << random.Next(4);
                break;
        }
    }

    private static void Gather(ref Instruction instruction, string kind, Random random)
    {
        instruction.MemoryBase = Register.RBX;
        instruction.MemoryDisplacement64 = 32 * (ulong)random.Next(3);
        instruction.MemoryDisplSize = 1;
        instruction.MemoryIndex = (kind.EndsWith('y') ? Register.YMM0 : Register.XMM0) + GatherIndex;
        instruction.MemoryIndexScale = 1 << random.Next(4);
    }

    private static bool Branch(ref Instruction instruction, int operand, OpCodeOperandKind kind, int variant)
    {
        ulong target = (variant & 1) == 0 ? DifferentialMemory.Forward : DifferentialMemory.Backward;
        switch (kind)
        {
            case OpCodeOperandKind.br64_1 or OpCodeOperandKind.br64_4:
                instruction.SetOpKind(operand, OpKind.NearBranch64);
                instruction.NearBranch64 = target;
                return true;
            case OpCodeOperandKind.br32_1 or OpCodeOperandKind.br32_4:
                instruction.SetOpKind(operand, OpKind.NearBranch32);
                instruction.NearBranch32 = (uint)target;
                return true;
            case OpCodeOperandKind.br16_1 or OpCodeOperandKind.br16_2:
                instruction.SetOpKind(operand, OpKind.NearBranch16);
                instruction.NearBranch16 = (ushort)target;
                return true;
            default:
                return false;
        }
    }

    private static IEnumerable<OpCodeOperandKind> Kinds(OpCodeInfo info) => Enumerable.Range(0, info.OpCount).Select(info.GetOpKind);

    private static bool Immediate(ref Instruction instruction, int operand, OpCodeOperandKind kind, Random random)
    {
        ulong value = random.Next(4) switch
        {
            0 => (ulong)random.Next(0, 33),
            1 => (ulong)random.NextInt64(),
            2 => 0UL - (ulong)random.Next(1, 200),
            _ => (ulong)random.Next(256),
        };
        switch (kind)
        {
            case OpCodeOperandKind.imm8:
                instruction.SetOpKind(operand, operand > 0 && instruction.OpCount > 1 && instruction.GetOpKind(operand - 1) is OpKind.Immediate8 or OpKind.Immediate16 ? OpKind.Immediate8_2nd : OpKind.Immediate8);
                if (instruction.GetOpKind(operand) == OpKind.Immediate8_2nd)
                {
                    instruction.Immediate8_2nd = (byte)value;
                }
                else
                {
                    // A 16-bit double shift by more than 16 has no defined result.
                    bool doubleShift = instruction.Code is Code.Shld_rm16_r16_imm8 or Code.Shrd_rm16_r16_imm8;
                    instruction.Immediate8 = (byte)(doubleShift ? value & 15 : value);
                }

                return true;
            case OpCodeOperandKind.imm8_const_1:
                instruction.SetOpKind(operand, OpKind.Immediate8);
                instruction.Immediate8 = 1;
                return true;
            case OpCodeOperandKind.imm8sex16:
                instruction.SetOpKind(operand, OpKind.Immediate8to16);
                instruction.Immediate8to16 = (sbyte)value;
                return true;
            case OpCodeOperandKind.imm8sex32:
                instruction.SetOpKind(operand, OpKind.Immediate8to32);
                instruction.Immediate8to32 = (sbyte)value;
                return true;
            case OpCodeOperandKind.imm8sex64:
                instruction.SetOpKind(operand, OpKind.Immediate8to64);
                instruction.Immediate8to64 = (sbyte)value;
                return true;
            case OpCodeOperandKind.imm16:
                // ENTER and RET take bytes of the stack with it.
                bool stack = instruction.Code is Code.Enterq_imm16_imm8 or Code.Enterd_imm16_imm8 or Code.Enterw_imm16_imm8
                    or Code.Retnq_imm16 or Code.Retnd_imm16 or Code.Retnw_imm16;
                instruction.SetOpKind(operand, OpKind.Immediate16);
                instruction.Immediate16 = (ushort)(stack ? value & 0x1F : value);
                return true;
            case OpCodeOperandKind.imm32:
                instruction.SetOpKind(operand, OpKind.Immediate32);
                instruction.Immediate32 = (uint)value;
                return true;
            case OpCodeOperandKind.imm32sex64:
                instruction.SetOpKind(operand, OpKind.Immediate32to64);
                instruction.Immediate32to64 = (int)value;
                return true;
            case OpCodeOperandKind.imm64:
                instruction.SetOpKind(operand, OpKind.Immediate64);
                instruction.Immediate64 = value;
                return true;
            default:
                return false;
        }
    }

    private static bool TextOperand(ref Instruction instruction, int operand, OpCodeOperandKind kind)
    {
        if (kind == OpCodeOperandKind.seg_rBX_al)
        {
            instruction.SetOpKind(operand, OpKind.Memory);
            instruction.MemoryBase = Register.RBX;
            instruction.MemoryIndex = Register.AL;
            return true;
        }

        bool narrow = instruction.CodeSize == CodeSize.Code32;
        OpKind? text = kind switch
        {
            OpCodeOperandKind.seg_rSI when narrow => OpKind.MemorySegESI,
            OpCodeOperandKind.es_rDI when narrow => OpKind.MemoryESEDI,
            OpCodeOperandKind.seg_rSI => OpKind.MemorySegRSI,
            OpCodeOperandKind.es_rDI => OpKind.MemoryESRDI,
            OpCodeOperandKind.seg_rDI => OpKind.MemorySegRDI,
            _ => null,
        };
        if (text is null)
        {
            return false;
        }

        instruction.SetOpKind(operand, text.Value);
        return true;
    }

    private static Register? Choose(Code code, OpCodeOperandKind kind, int operand, Random random, int bits)
    {
        string name = kind.ToString();
        int any = s_free[random.Next(bits == 64 ? s_free.Length : 6)];
        int vector = random.Next(bits / 4);
        if (IsGather(code))
        {
            vector = operand == 0 ? 1 : GatherMask;
        }

        if (name.StartsWith("xmm_", StringComparison.Ordinal))
        {
            return Register.XMM0 + vector;
        }

        if (name.StartsWith("ymm_", StringComparison.Ordinal))
        {
            return Register.YMM0 + vector;
        }

        if (name.StartsWith("mm_", StringComparison.Ordinal))
        {
            return Register.MM0 + (vector & 7);
        }

        if (kind == OpCodeOperandKind.seg_reg)
        {
            return Register.ES + random.Next(6);
        }

        if (name.StartsWith("r64_", StringComparison.Ordinal))
        {
            // PUSH RSP and POP RSP are rules of their own.
            return kind == OpCodeOperandKind.r64_opcode && random.Next(4) == 0 && code is Code.Push_r64 or Code.Pop_r64 ? Register.RSP : Register.RAX + any;
        }

        if (name.StartsWith("r32_", StringComparison.Ordinal))
        {
            return Register.EAX + any;
        }

        if (name.StartsWith("r16_", StringComparison.Ordinal))
        {
            return Register.AX + any;
        }

        if (name.StartsWith("r8_", StringComparison.Ordinal))
        {
            return random.Next(2) == 0 ? Register.AL + random.Next(3) : random.Next(2) == 0 && bits == 64 ? Register.SPL + random.Next(1, 12) : Register.AH + random.Next(3);
        }

        return kind switch
        {
            OpCodeOperandKind.al => Register.AL,
            OpCodeOperandKind.cl => Register.CL,
            OpCodeOperandKind.ax => Register.AX,
            OpCodeOperandKind.dx => Register.DX,
            OpCodeOperandKind.eax => Register.EAX,
            OpCodeOperandKind.rax => Register.RAX,
            OpCodeOperandKind.es => Register.ES,
            OpCodeOperandKind.cs => Register.CS,
            OpCodeOperandKind.ss => Register.SS,
            OpCodeOperandKind.ds => Register.DS,
            OpCodeOperandKind.fs => Register.FS,
            OpCodeOperandKind.gs => Register.GS,
            _ => null,
        };
    }
}
