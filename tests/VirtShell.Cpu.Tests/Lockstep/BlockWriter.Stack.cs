using System.Collections.Generic;
using Iced.Intel;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>PUSH and POP in all forms, frames, and arithmetic on the stack pointer; all of it balanced.</summary>
internal sealed partial class BlockWriter
{
    private Register StackPointer => ByBits(Register.SP, Register.ESP, Register.RSP);

    private void StackGame()
    {
        switch (_random.Next(9))
        {
            case 0:
                _code.Emit(Instruction.Create(ByBits(Code.Pushfw, Code.Pushfd, Code.Pushfq)));
                Few(_random.Next(3));
                _code.Emit(Instruction.Create(ByBits(Code.Popfw, Code.Popfd, Code.Popfq)));
                break;
            case 1:
                _code.Emit(Instruction.Create(ByBits(Code.Pushfw, Code.Pushfd, Code.Pushfq)));
                PopAnywhere();
                break;
            case 2:
                Frame();
                break;
            case 3:
                MovedPointer();
                break;
            case 4 when _code.Bits != 64:
                _code.Emit(Instruction.Create(ByBits(Code.Pushaw, Code.Pushad, Code.Pushad)));
                Few(_random.Next(4));
                _code.Emit(Instruction.Create(ByBits(Code.Popaw, Code.Popad, Code.Popad)));
                break;
            default:
                int count = _random.Next(1, 6);
                for (int i = 0; i < count; i++)
                {
                    PushAnything();
                    if (_random.Next(3) == 0)
                    {
                        Few(1);
                    }
                }

                for (int i = 0; i < count; i++)
                {
                    PopAnywhere();
                }

                break;
        }
    }

    /// <summary>One slot onto the stack: a register, an immediate, memory, or the stack pointer itself.</summary>
    private void PushAnything()
    {
        Instruction push = _random.Next(7) switch
        {
            0 => Instruction.Create(ByBits(Code.Pushw_imm8, Code.Pushd_imm8, Code.Pushq_imm8), _random.Next(-128, 128)),
            1 => Instruction.Create(ByBits(Code.Push_imm16, Code.Pushd_imm32, Code.Pushq_imm32), (int)(short)_random.Next()),
            2 => Instruction.Create(ByBits(Code.Push_rm16, Code.Push_rm32, Code.Push_rm64), _operands.Memory()),
            3 => Instruction.Create(ByBits(Code.Push_r16, Code.Push_r32, Code.Push_r64), StackPointer),
            _ => Instruction.Create(ByBits(Code.Push_r16, Code.Push_r32, Code.Push_r64), _operands.General(_size)),
        };
        if (!_code.TryEmit(push))
        {
            _code.Emit(Instruction.Create(ByBits(Code.Push_r16, Code.Push_r32, Code.Push_r64), _operands.General(_size)));
        }
    }

    private void PopAnywhere()
    {
        Code register = ByBits(Code.Pop_r16, Code.Pop_r32, Code.Pop_r64);
        if (_random.Next(5) != 0 || !_code.TryEmit(Instruction.Create(ByBits(Code.Pop_rm16, Code.Pop_rm32, Code.Pop_rm64), _operands.Memory())))
        {
            _code.Emit(Instruction.Create(register, _operands.Free(_size)));
        }
    }

    /// <summary>ENTER, locals and LEAVE, or the same by hand.</summary>
    private void Frame()
    {
        Register bp = ByBits(Register.BP, Register.EBP, Register.RBP);
        if (!_operands.Kept.Add(Register.RBP))
        {
            return;
        }

        // Few instructions write RBP behind our back here, for it is kept.
        int locals = _random.Next(1, 8) * 8;
        if (_random.Next(2) == 0)
        {
            _code.Emit(Instruction.Create(ByBits(Code.Enterw_imm16_imm8, Code.Enterd_imm16_imm8, Code.Enterq_imm16_imm8), locals, _random.Next(3) == 0 ? _random.Next(3) : 0));
        }
        else
        {
            _code.Emit(Instruction.Create(ByBits(Code.Push_r16, Code.Push_r32, Code.Push_r64), bp));
            _code.Emit(Instruction.Create(ByBits(Code.Mov_r16_rm16, Code.Mov_r32_rm32, Code.Mov_r64_rm64), bp, StackPointer));
            _code.Emit(Instruction.Create(ByBits(Code.Sub_rm16_imm8, Code.Sub_rm32_imm8, Code.Sub_rm64_imm8), StackPointer, locals));
        }

        Register segment = _operands.Pointers.GetValueOrDefault(bp);
        _operands.Pointers[bp] = segment;
        Few(_random.Next(1, 8));
        _operands.Pointers.Remove(bp);
        _code.Emit(Instruction.Create(ByBits(Code.Leavew, Code.Leaved, Code.Leaveq)));
        _operands.Kept.Remove(Register.RBP);
    }

    private void MovedPointer()
    {
        int bytes = _random.Next(1, 12) * _size;
        Code lea = ByBits(Code.Lea_r16_m, Code.Lea_r32_m, Code.Lea_r64_m);
        if (_code.Bits == 16)
        {
            _code.Emit(Instruction.Create(Code.Sub_rm16_imm8, Register.SP, bytes));
            Few(_random.Next(3));
            _code.Emit(Instruction.Create(Code.Add_rm16_imm8, Register.SP, bytes));
            return;
        }

        _code.Emit(Instruction.Create(lea, StackPointer, new MemoryOperand(StackPointer, Register.None, 1, -bytes, 1, false, Register.None)));
        MemoryOperand slot = new(StackPointer, Register.None, 1, _random.Next(bytes), 1, false, Register.None);
        _code.Emit(Instruction.Create(_size == 8 ? Code.Mov_rm64_r64 : Code.Mov_rm32_r32, slot, _operands.General(_size)));
        Few(_random.Next(3));
        _code.Emit(Instruction.Create(_size == 8 ? Code.Mov_r64_rm64 : Code.Mov_r32_rm32, _operands.Free(_size), slot));
        _code.Emit(Instruction.Create(lea, StackPointer, new MemoryOperand(StackPointer, Register.None, 1, bytes, 1, false, Register.None)));
    }
}
