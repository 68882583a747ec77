using System;
using Iced.Intel;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Branches, loops, calls and jumps through registers and memory.</summary>
internal sealed partial class BlockWriter
{
    private static readonly Code[] s_short16 = Conditions("rel8_16");
    private static readonly Code[] s_short32 = Conditions("rel8_32");
    private static readonly Code[] s_short64 = Conditions("rel8_64");
    private static readonly Code[] s_near16 = Conditions("rel16");
    private static readonly Code[] s_near32 = Conditions("rel32_32");
    private static readonly Code[] s_near64 = Conditions("rel32_64");

    private Code Jump => ByBits(Code.Jmp_rel16, Code.Jmp_rel32_32, Code.Jmp_rel32_64);

    private Code CallNear => ByBits(Code.Call_rel16, Code.Call_rel32_32, Code.Call_rel32_64);

    /// <summary>Ends a function, taking its arguments off.</summary>
    public void Return(int arguments)
    {
        if (arguments > 0)
        {
            _code.Emit(Instruction.Create(ByBits(Code.Retnw_imm16, Code.Retnd_imm16, Code.Retnq_imm16), arguments * _size));
        }
        else if (_random.Next(6) == 0)
        {
            // A return that is none.
            Register register = _operands.Free(_size);
            _code.Emit(Instruction.Create(ByBits(Code.Pop_r16, Code.Pop_r32, Code.Pop_r64), register));
            _code.Emit(Instruction.Create(ByBits(Code.Jmp_rm16, Code.Jmp_rm32, Code.Jmp_rm64), register));
        }
        else
        {
            _code.Emit(Instruction.Create(ByBits(Code.Retnw, Code.Retnd, Code.Retnq)));
        }
    }

    /// <summary>Calls itself as often as a counter says.</summary>
    public void Recursion(int label)
    {
        MemoryOperand counter = RecursionSlot;
        int done = _code.NewLabel();
        _code.Emit(Instruction.Create(Code.Sub_rm16_imm16, counter, 1));
        _code.Branch(ConditionNear(_random.Next(2) == 0 ? 2 : 8), done);
        Few(_random.Next(4));
        _code.Branch(CallNear, label);
        Few(_random.Next(4));
        _code.Bind(done);
        _code.Emit(Instruction.Create(ByBits(Code.Retnw, Code.Retnd, Code.Retnq)));
    }

    /// <summary>What is written is called from elsewhere, perhaps in a loop.</summary>
    public bool InFunction { get; set; }

    /// <summary>Goes back to a label for ever.</summary>
    public void Forever(int label) => _code.Branch(Jump, label);

    /// <summary>Label of the function that calls itself; -1 where there is none.</summary>
    public int RecursiveFunction { get; set; } = -1;

    private MemoryOperand RecursionSlot => new(Register.None, Register.None, 1, (long)(DataOffset + 0xFFF0 - (_service ? 16u : 0)), _code.Bits == 16 ? 2 : 4, false, Register.None);

    /// <summary>A branch over a few instructions, by any condition.</summary>
    private void Branch()
    {
        int skip = _code.NewLabel();
        int condition = _random.Next(16);
        if (_random.Next(3) != 0)
        {
            _code.Branch(ConditionShort(condition), skip);
            Few(_random.Next(1, 7));
            _code.Bind(skip);
            return;
        }

        _code.Branch(ConditionNear(condition), skip);
        Inner(_random.Next(1, 12));
        if (_random.Next(3) == 0)
        {
            int end = _code.NewLabel();
            _code.Branch(Jump, end);
            _code.Bind(skip);
            Inner(_random.Next(1, 8));
            _code.Bind(end);
            return;
        }

        _code.Bind(skip);
    }

    private void Loop()
    {
        switch (_random.Next(4))
        {
            case 0 when !_operands.Kept.Contains(Register.RCX):
                CountedByRegister();
                break;
            case 1:
                ByCondition();
                break;
            default:
                CountedInMemory();
                break;
        }
    }

    /// <summary>How often a loop goes round: inside of others, and in functions, seldom, so that the rest of the program has its turn.</summary>
    private int Passes(int most) => _random.Next(1, _depth == 0 && !InFunction ? most : _depth < 2 ? 5 : 3);

    private void CountedInMemory()
    {
        MemoryOperand counter = Cell();
        _code.Emit(Instruction.Create(Code.Mov_rm16_imm16, counter, Passes(24)));
        int top = _code.BindNew();
        Inner(_random.Next(2, 16));
        _code.Emit(_random.Next(2) == 0 ? Instruction.Create(Code.Dec_rm16, counter) : Instruction.Create(Code.Sub_rm16_imm8, counter, 1));

        // JNZ or JG: not for ever even where something else wrote the counter.
        _code.Branch(ConditionNear(_random.Next(4) == 0 ? 5 : 15), top);
    }

    private void CountedByRegister()
    {
        _operands.Kept.Add(Register.RCX);
        Load(_size == 2 ? Register.CX : Register.ECX, (ulong)Passes(30));
        int top = _code.BindNew();
        _fixedPointers++;
        Few(_random.Next(1, 6));
        _fixedPointers--;
        Code loop = _random.Next(4) switch
        {
            0 => ByBits(Code.Loopne_rel8_16_CX, Code.Loopne_rel8_32_ECX, Code.Loopne_rel8_64_RCX),
            1 => ByBits(Code.Loope_rel8_16_CX, Code.Loope_rel8_32_ECX, Code.Loope_rel8_64_RCX),
            _ => ByBits(Code.Loop_rel8_16_CX, Code.Loop_rel8_32_ECX, Code.Loop_rel8_64_RCX),
        };
        _code.Branch(loop, top);
        _operands.Kept.Remove(Register.RCX);
        if (_random.Next(3) == 0)
        {
            int skip = _code.NewLabel();
            _code.Branch(ByBits(Code.Jcxz_rel8_16, Code.Jecxz_rel8_32, Code.Jrcxz_rel8_64), skip);
            Few(2);
            _code.Bind(skip);
        }
    }

    private void ByCondition()
    {
        MemoryOperand counter = Cell();
        int end = _code.NewLabel();
        _code.Emit(Instruction.Create(Code.Mov_rm16_imm16, counter, Passes(20)));
        int top = _code.BindNew();
        Inner(_random.Next(1, 6));
        _code.Emit(Instruction.Create(Code.Sub_rm16_imm8, counter, 1));
        _code.Branch(ConditionNear(14), end);
        Plain(_random.Next(2) == 0 ? Family.Arithmetic : Family.Shifts);
        for (int i = _random.Next(3); i > 0; i--)
        {
            Plain(Family.Moves);
        }

        _code.Branch(ConditionNear(_random.Next(16)), top);
        _code.Bind(end);
    }

    private void Call()
    {
        if (RecursiveFunction >= 0 && _random.Next(8) == 0)
        {
            _code.Emit(Instruction.Create(Code.Mov_rm16_imm16, RecursionSlot, _random.Next(1, _random.Next(8) == 0 ? 200 : 12)));
            _code.Branch(CallNear, RecursiveFunction);
            return;
        }

        if (Callable.Count == 0)
        {
            Few(2);
            return;
        }

        Function function = Callable[_random.Next(Callable.Count)];
        Register[] saved = [.. _operands.Pointers.Keys];
        foreach (Register pointer in saved)
        {
            SavePointer(pointer, push: true);
        }

        for (int i = 0; i < function.Arguments; i++)
        {
            PushAnything();
        }

        if (_random.Next(4) != 0)
        {
            _code.Branch(CallNear, function.Label);
        }
        else
        {
            Register register = _operands.Free(_size);
            _code.EmitImmediate(LoadCode(register), function.Label);
            _code.Emit(Instruction.Create(ByBits(Code.Call_rm16, Code.Call_rm32, Code.Call_rm64), register));
        }

        for (int i = saved.Length - 1; i >= 0; i--)
        {
            SavePointer(saved[i], push: false);
        }
    }

    // Whole registers, also of 16-bit code, where pointers may be of 32 bits.
    private void SavePointer(Register register, bool push)
    {
        int number = OperandWriter.Full(register) - Register.RAX;
        _code.Emit(_code.Bits == 64
            ? Instruction.Create(push ? Code.Push_r64 : Code.Pop_r64, Register.RAX + number)
            : Instruction.Create(push ? Code.Push_r32 : Code.Pop_r32, Register.EAX + number));
    }

    /// <summary>A jump through a register, through a word in memory, or through a table by an index.</summary>
    private void Indirect()
    {
        if (_random.Next(3) == 0)
        {
            int next = _code.NewLabel();
            Register register = _operands.Free(_size);
            _code.EmitImmediate(LoadCode(register), next);
            _code.Emit(Instruction.Create(ByBits(Code.Jmp_rm16, Code.Jmp_rm32, Code.Jmp_rm64), register));
            Island(_random.Next(1, 20));
            _code.Bind(next);
            return;
        }

        int over = _code.NewLabel();
        int join = _code.NewLabel();
        int[] cases = new int[4];
        _code.Branch(Jump, over);
        int table = _code.BindNew();
        for (int i = 0; i < cases.Length; i++)
        {
            cases[i] = _code.NewLabel();
            _code.Pointer(cases[i], _size);
        }

        _code.Bind(over);

        // An index needs 32-bit addressing in 16-bit code; its upper half must be clear then.
        Register index = _operands.Free(_size == 8 ? 8 : 4);
        _code.Emit(Instruction.Create(index.GetSize() == 8 ? Code.And_rm64_imm8 : Code.And_rm32_imm8, index, 3));
        MemoryOperand target = new(Register.None, index, _size, (long)_code.AddressOf(table), 4, false, Flat ? Register.None : Register.CS);
        _code.Emit(Instruction.Create(ByBits(Code.Jmp_rm16, Code.Jmp_rm32, Code.Jmp_rm64), target));
        foreach (int label in cases)
        {
            _code.Bind(label);
            Few(_random.Next(1, 4));
            _code.Branch(Jump, join);
        }

        _code.Bind(join);
    }

    /// <summary>Bytes among the code that are no code, and that stores may hit.</summary>
    private void Island(int bytes)
    {
        _islands.Add(_code.Here + (ulong)(bytes / 2));
        byte[] filler = new byte[bytes + 16];
        _random.NextBytes(filler);
        _code.Filler(filler);
    }

    private Instruction LoadCode(Register register) => register.GetSize() switch
    {
        2 => Instruction.Create(Code.Mov_r16_imm16, register, 0),
        4 => Instruction.Create(Code.Mov_r32_imm32, register, 0),
        _ => Instruction.Create(Code.Mov_rm64_imm32, register, 0),
    };

    private T ByBits<T>(T bits16, T bits32, T bits64) => _code.Bits switch { 16 => bits16, 32 => bits32, _ => bits64 };

    private Code ConditionShort(int condition) => ByBits(s_short16, s_short32, s_short64)[condition];

    private Code ConditionNear(int condition) => ByBits(s_near16, s_near32, s_near64)[condition];

    private static Code[] Conditions(string form) => Array.ConvertAll(
        ["Jo", "Jno", "Jb", "Jae", "Je", "Jne", "Jbe", "Ja", "Js", "Jns", "Jp", "Jnp", "Jl", "Jge", "Jle", "Jg"],
        name => Enum.Parse<Code>($"{name}_{form}"));
}
