using System;
using System.Collections.Generic;
using System.Linq;
using Iced.Intel;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Random operands for any of Iced's codes: registers of all kinds, immediates with edge values, and memory behind pointers that the program has loaded.</summary>
internal sealed class OperandWriter(int bits, Random random)
{
    private static readonly ulong[] s_edges = [0, 1, 2, 7, 8, 15, 16, 31, 32, 63, 64, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF, ulong.MaxValue];

    private readonly InstructionInfoFactory _info = new();

    /// <summary>Registers that hold an address, with the segment that it is meant for.</summary>
    public Dictionary<Register, Register> Pointers { get; } = [];

    /// <summary>Registers (by their full name) that random instructions must leave alone.</summary>
    public HashSet<Register> Kept { get; } = [];

    /// <summary>Absolute addresses, for operands without a register.</summary>
    public List<(Register Segment, ulong Offset)> Places { get; } = [];

    /// <summary>Takes no memory operands.</summary>
    public bool RegistersOnly { get; set; }

    /// <summary>One instruction in <paramref name="code"/>'s form; null where an operand is of a kind that does not exist here.</summary>
    public Instruction? Make(Code code)
    {
        OpCodeInfo info = code.ToOpCode();
        Instruction instruction = new() { Code = code };
        bool memory = !RegistersOnly && random.Next(100) < 45;
        bool hasMemory = false;
        for (int i = 0; i < info.OpCount; i++)
        {
            OpCodeOperandKind kind = info.GetOpKind(i);
            if (IsMemory(kind, memory))
            {
                if (RegistersOnly)
                {
                    return null;
                }

                hasMemory = true;
                SetMemory(ref instruction, i, kind, info);
            }
            else if (!SetImmediate(ref instruction, i, kind) && !SetImplied(ref instruction, i, kind) && !SetRegister(ref instruction, i, kind))
            {
                return null;
            }
        }

        SetPrefixes(ref instruction, info, hasMemory);
        return Spoils(instruction) ? null : instruction;
    }

    /// <summary>A general register of a size in bytes.</summary>
    public Register General(int size)
    {
        int count = bits == 64 ? 16 : 8;
        return size switch
        {
            8 => Register.RAX + random.Next(count),
            4 => Register.EAX + random.Next(count),
            2 => Register.AX + random.Next(count),
            _ => random.Next(bits == 64 ? 2 : 1) == 0 ? Register.AL + random.Next(8) : Register.SPL + random.Next(12),
        };
    }

    /// <summary>An address-sized register that may hold a pointer or counter in this code size.</summary>
    public Register Free(int size)
    {
        while (true)
        {
            Register register = General(size);
            if (register.GetFullRegister() is not (Register.RSP or Register.ESP) && !Kept.Contains(Full(register)))
            {
                return register;
            }
        }
    }

    public static Register Full(Register register)
    {
        Register full = register.GetFullRegister();
        return full is >= Register.EAX and <= Register.R15D ? Register.RAX + (full - Register.EAX) : full;
    }

    public ulong Value() => random.Next(4) switch
    {
        0 => s_edges[random.Next(s_edges.Length)],
        1 => (ulong)random.NextInt64(),
        2 => 0UL - (ulong)random.Next(1, 200),
        _ => (ulong)random.Next(256),
    };

    /// <summary>A memory operand behind one of the pointers, or at a place.</summary>
    public MemoryOperand Memory(bool aligned = false)
    {
        if (Pointers.Count == 0 || random.Next(12) == 0)
        {
            (Register place, ulong offset) = Places[random.Next(Places.Count)];
            return new MemoryOperand(Register.None, Register.None, 1, (long)offset, bits == 16 ? 2 : 4, false, place);
        }

        (Register pointer, Register segment) = Pointers.ElementAt(random.Next(Pointers.Count));
        int displacement = aligned ? 32 * random.Next(-2, 4) : random.Next(3) == 0 ? random.Next(-300, 300) : random.Next(-32, 64);
        if (segment == Register.None && random.Next(40) == 0)
        {
            segment = Register.ES + random.Next(6);
        }

        return new MemoryOperand(pointer, Register.None, 1, displacement, displacement == 0 && random.Next(2) == 0 ? 0 : 1, false, segment);
    }

    private static bool IsMemory(OpCodeOperandKind kind, bool wanted) => kind switch
    {
        OpCodeOperandKind.mem or OpCodeOperandKind.mem_offs or OpCodeOperandKind.mem_mib
            or OpCodeOperandKind.mem_vsib32x or OpCodeOperandKind.mem_vsib32y or OpCodeOperandKind.mem_vsib64x or OpCodeOperandKind.mem_vsib64y => true,
        OpCodeOperandKind.r8_or_mem or OpCodeOperandKind.r16_or_mem or OpCodeOperandKind.r32_or_mem or OpCodeOperandKind.r64_or_mem
            or OpCodeOperandKind.mm_or_mem or OpCodeOperandKind.xmm_or_mem or OpCodeOperandKind.ymm_or_mem => wanted,
        _ => false,
    };

    private void SetMemory(ref Instruction instruction, int operand, OpCodeOperandKind kind, OpCodeInfo info)
    {
        instruction.SetOpKind(operand, OpKind.Memory);
        if (kind == OpCodeOperandKind.mem_offs)
        {
            (Register segment, ulong offset) = Places[random.Next(Places.Count)];
            instruction.MemoryDisplacement64 = offset;
            instruction.MemoryDisplSize = bits == 64 ? 8 : bits / 8;
            instruction.SegmentPrefix = segment;
            return;
        }

        bool wide = kind is OpCodeOperandKind.xmm_or_mem or OpCodeOperandKind.ymm_or_mem || info.Encoding == EncodingKind.VEX;
        MemoryOperand memory = Memory(wide && random.Next(4) != 0);
        instruction.MemoryBase = memory.Base;
        instruction.MemoryDisplacement64 = (ulong)memory.Displacement;
        instruction.MemoryDisplSize = memory.DisplSize;
        instruction.SegmentPrefix = memory.SegmentPrefix;
        if (bits == 64 && memory.Base == Register.None && random.Next(2) == 0)
        {
            instruction.MemoryBase = Register.RIP;
        }

        string name = kind.ToString();
        if (name.StartsWith("mem_vsib", StringComparison.Ordinal))
        {
            instruction.MemoryIndex = (name.EndsWith('y') ? Register.YMM0 : Register.XMM0) + random.Next(bits == 64 ? 16 : 8);
            instruction.MemoryIndexScale = 1 << random.Next(4);
            if (memory.Base == Register.None)
            {
                instruction.MemoryBase = bits == 64 ? Register.RBX : Register.EBX;
            }
        }
        else if (memory.Base != Register.None && random.Next(5) == 0)
        {
            SetIndex(ref instruction, memory.Base);
        }
    }

    private void SetIndex(ref Instruction instruction, Register pointer)
    {
        if (pointer.GetSize() == 2)
        {
            if (pointer is Register.BX or Register.BP)
            {
                instruction.MemoryIndex = random.Next(2) == 0 ? Register.SI : Register.DI;
            }

            return;
        }

        // Any register would mostly lead nowhere; now and then that is what is wanted.
        Register index = Kept.FirstOrDefault(static r => r is >= Register.RAX and <= Register.R15);
        if (random.Next(8) == 0 || index == Register.None)
        {
            index = General(8);
        }

        if (index is not Register.RSP and not Register.None)
        {
            instruction.MemoryIndex = pointer.GetSize() == 8 ? index : Register.EAX + (index - Register.RAX);
            instruction.MemoryIndexScale = 1 << random.Next(4);
        }
    }

    private bool SetImmediate(ref Instruction instruction, int operand, OpCodeOperandKind kind)
    {
        ulong value = Value();
        switch (kind)
        {
            case OpCodeOperandKind.imm8:
                bool second = operand > 0 && instruction.GetOpKind(operand - 1) is OpKind.Immediate8 or OpKind.Immediate16;
                instruction.SetOpKind(operand, second ? OpKind.Immediate8_2nd : OpKind.Immediate8);
                if (second)
                {
                    instruction.Immediate8_2nd = (byte)value;
                }
                else
                {
                    instruction.Immediate8 = (byte)value;
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
                instruction.SetOpKind(operand, OpKind.Immediate16);
                instruction.Immediate16 = (ushort)value;
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

    private bool SetImplied(ref Instruction instruction, int operand, OpCodeOperandKind kind)
    {
        int size = bits / 8;
        OpKind? text = kind switch
        {
            OpCodeOperandKind.seg_rSI => size == 8 ? OpKind.MemorySegRSI : size == 4 ? OpKind.MemorySegESI : OpKind.MemorySegSI,
            OpCodeOperandKind.es_rDI => size == 8 ? OpKind.MemoryESRDI : size == 4 ? OpKind.MemoryESEDI : OpKind.MemoryESDI,
            OpCodeOperandKind.seg_rDI => size == 8 ? OpKind.MemorySegRDI : size == 4 ? OpKind.MemorySegEDI : OpKind.MemorySegDI,
            _ => null,
        };
        if (text is not null)
        {
            instruction.SetOpKind(operand, text.Value);
            return true;
        }

        if (kind == OpCodeOperandKind.seg_rBX_al)
        {
            instruction.SetOpKind(operand, OpKind.Memory);
            instruction.MemoryBase = size == 8 ? Register.RBX : size == 4 ? Register.EBX : Register.BX;
            instruction.MemoryIndex = Register.AL;
            return true;
        }

        return false;
    }

    private bool SetRegister(ref Instruction instruction, int operand, OpCodeOperandKind kind)
    {
        string name = kind.ToString();
        int vectors = bits == 64 ? 16 : 8;
        Register register = kind switch
        {
            OpCodeOperandKind.al => Register.AL,
            OpCodeOperandKind.cl => Register.CL,
            OpCodeOperandKind.ax => Register.AX,
            OpCodeOperandKind.dx => Register.DX,
            OpCodeOperandKind.eax => Register.EAX,
            OpCodeOperandKind.rax => Register.RAX,
            OpCodeOperandKind.st0 => Register.ST0,
            OpCodeOperandKind.sti_opcode => Register.ST0 + random.Next(8),
            _ when name.StartsWith("xmm_", StringComparison.Ordinal) => Register.XMM0 + random.Next(vectors),
            _ when name.StartsWith("ymm_", StringComparison.Ordinal) => Register.YMM0 + random.Next(vectors),
            _ when name.StartsWith("mm_", StringComparison.Ordinal) => Register.MM0 + random.Next(8),
            _ when name.StartsWith("r64_", StringComparison.Ordinal) => General(8),
            _ when name.StartsWith("r32_", StringComparison.Ordinal) => General(4),
            _ when name.StartsWith("r16_", StringComparison.Ordinal) => General(2),
            _ when name.StartsWith("r8_", StringComparison.Ordinal) => General(1),
            _ => Register.None,
        };
        instruction.SetOpKind(operand, OpKind.Register);
        instruction.SetOpRegister(operand, register);
        return register != Register.None;
    }

    private void SetPrefixes(ref Instruction instruction, OpCodeInfo info, bool hasMemory)
    {
        if (hasMemory && info.CanUseLockPrefix && random.Next(3) == 0)
        {
            instruction.HasLockPrefix = true;
        }

        if (instruction.IsStringInstruction)
        {
            int repeat = random.Next(3);
            instruction.HasRepPrefix = repeat == 0 && info.CanUseRepPrefix;
            instruction.HasRepnePrefix = repeat == 1 && info.CanUseRepnePrefix;
        }
    }

    /// <summary>Whether an instruction would write a register that the program needs.</summary>
    private bool Spoils(in Instruction instruction)
    {
        foreach (UsedRegister used in _info.GetInfo(instruction).GetUsedRegisters())
        {
            if (used.Access is OpAccess.Read or OpAccess.CondRead or OpAccess.None)
            {
                continue;
            }

            Register full = Full(used.Register);
            if (full == Register.RSP || Kept.Contains(full))
            {
                return true;
            }
        }

        return false;
    }
}
