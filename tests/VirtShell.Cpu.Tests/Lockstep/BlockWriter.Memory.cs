using System;
using Iced.Intel;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Code that changes code, page tables and segments.</summary>
internal sealed partial class BlockWriter
{
    /// <summary>The table entries of linear pages, for patterns that change the mapping; null without paging.</summary>
    public Windows? Windows { get; set; }

    /// <summary>Linear addresses of routines in pages that are mapped to one or the other set of frames.</summary>
    public ulong[] Routines { get; set; } = [];

    /// <summary>A store into the immediate or the opcode of an instruction before, at, or shortly after itself.</summary>
    private void SelfModify()
    {
        if (CodeSegment() is not Register segment)
        {
            Few(2);
            return;
        }

        if (_random.Next(4) == 0)
        {
            CallRoutine();
            return;
        }

        if (_random.Next(8) == 0)
        {
            OwnInstruction(segment);
            return;
        }

        // MOV r32, imm32, and ADD/OR/…, r/m32, imm32: one byte of the constant, or the operation in ModRM, changes at each pass.
        bool before = _random.Next(3) == 0;
        bool alias = Flat && _mode.Paging != PagingKind.None && !_service && _random.Next(3) == 0;
        int target = _code.NewLabel();
        if (before)
        {
            Target(target);
            Few(_random.Next(3));
        }

        (int offset, int mask) = _random.Next(3) == 0 ? (1, 0x38 & _random.Next(256) & 0x28) : (2 + _random.Next(4), _random.Next(1, 256));
        StoreToCode(segment, target, offset + (alias ? (int)(Layout.CodeAlias - Layout.Code) : 0), mask);
        Few(_random.Next(4));
        if (!before)
        {
            Target(target);
        }
    }

    /// <summary>An instruction of six bytes that stays one whatever its last four bytes and the operation in its second are.</summary>
    private void Target(int label)
    {
        int number;
        do
        {
            number = _random.Next(8);
        }
        while (number == 4 || _operands.Kept.Contains(Register.RAX + number));
        byte[] bytes = new byte[4];
        _random.NextBytes(bytes);
        if (_code.Bits == 16)
        {
            // The same length under an operand size prefix would be seven bytes: take 66h away from the constant.
            _code.Bind(label);
            _code.Raw(0x81, (byte)(0xC0 | number), bytes[0], bytes[1]);
            _code.Raw(0x90);
            _code.Raw(0x90);
            Patch(label, 2, [bytes[1]]);
            return;
        }

        _code.Bind(label);
        _code.Raw(0x81, (byte)(0xC0 | (_random.Next(8) << 3) | number), bytes[0], bytes[1], bytes[2], bytes[3]);
        Patch(label, 2, [bytes[1], bytes[2]]);
        Patch(label, 3, [bytes[0]]);
    }

    private void StoreToCode(Register segment, int label, int offset, int mask)
    {
        if (_code.Bits == 16)
        {
            offset = 2 + (offset & 1);
        }

        Code code = _random.Next(4) switch { 0 => Code.Mov_rm8_imm8, 1 => Code.Add_rm8_imm8, _ => Code.Xor_rm8_imm8 };
        if (offset == 1)
        {
            code = Code.Xor_rm8_imm8;
        }

        MemoryOperand place = new(Register.None, Register.None, 1, (long)_code.Here, _code.Bits == 16 ? 2 : 4, false, segment);
        _code.EmitDisplacement(Instruction.Create(code, place, (sbyte)mask), label, offset);
    }

    /// <summary>A store into the constant that it stores itself.</summary>
    private void OwnInstruction(Register segment)
    {
        int self = _code.BindNew();
        MemoryOperand place = new(Register.None, Register.None, 1, (long)_code.Here, _code.Bits == 16 ? 2 : 4, false, segment);
        Instruction store = Instruction.Create(Code.Add_rm8_imm8, place, _random.Next(1, 128));

        // Its constant is its last byte.
        _code.EmitDisplacement(store, self, -1, fromEnd: true);
    }

    private void Patch(int label, int offset, byte[] bytes)
    {
        ulong linear = _code.AddressOf(label) - _code.Origin + _code.Linear;
        _program.Patches.Add((linear + (ulong)offset, bytes));
        byte[] other = new byte[bytes.Length];
        _random.NextBytes(other);
        _program.Patches.Add((linear + (ulong)offset, other));
    }

    private void CallRoutine()
    {
        if (Routines.Length == 0 || !Flat)
        {
            Few(2);
            return;
        }

        ulong target = Routines[_random.Next(Routines.Length)];
        Register[] saved = [.. _operands.Pointers.Keys];
        foreach (Register pointer in saved)
        {
            SavePointer(pointer, push: true);
        }

        if (_random.Next(3) == 0)
        {
            Register register = _operands.Free(_size);
            Load(register, target);
            _code.Emit(Instruction.Create(ByBits(Code.Call_rm16, Code.Call_rm32, Code.Call_rm64), register));
        }
        else
        {
            _code.Emit(Instruction.CreateBranch(CallNear, target));
        }

        for (int i = saved.Length - 1; i >= 0; i--)
        {
            SavePointer(saved[i], push: false);
        }
    }

    /// <summary>Changes a mapping, drops it from the TLB in one way or another, and uses it.</summary>
    private void ChangePages()
    {
        if (!_kernel || Windows is null || !Flat)
        {
            CallRoutine();
            return;
        }

        ulong page = (ulong)_random.Next(4) * 4096;
        (ulong linear, Code code, int value) = _random.Next(6) switch
        {
            0 => (Layout.DemandWindow + page, Code.And_rm8_imm8, 0xFE),
            1 => (Layout.DataAlias + page, Code.Xor_rm8_imm8, 2),
            2 => (Layout.DataAlias + page, Code.And_rm8_imm8, 0x9F),
            _ => (Layout.RoutineWindow + page, Code.Xor_rm8_imm8, 0),
        };
        ulong entry = Windows.EntryOf(linear);
        if (value == 0)
        {
            // The other set of frames: address bit 14.
            entry += 1;
            value = (int)((Layout.RoutinesA ^ Layout.RoutinesB) >> 8);
        }

        MemoryOperand place = new(Register.None, Register.None, 1, (long)entry, 4, false, Register.None);
        _code.Emit(Instruction.Create(code, place, (sbyte)value));
        Forget(linear);
        CallRoutine();
    }

    private void Forget(ulong linear)
    {
        if (_program.SwitchesSpaces && (_program.Cr4 & ControlBits.Cr4Pcide) != 0)
        {
            ForgetInAllContexts(linear);
            return;
        }

        switch (_random.Next(4))
        {
            case 0 when !_operands.Kept.Contains(Register.RAX):
                _code.Raw(0x0F, 0x20, 0xD8); // mov eax, cr3
                _code.Raw(0x0F, 0x22, 0xD8);
                break;
            case 1 when _code.Bits == 64 && !_operands.Kept.Contains(Register.RAX):
                // INVPCID of everything: nothing is read from its descriptor but what must be zero, which data rarely is.
                Load(Register.EAX, (ulong)_random.Next(2, 4));
                MemoryOperand descriptor = new(Register.None, Register.None, 1, (long)(Layout.Data + 0xFF00), 4, false, Register.None);
                _code.Emit(Instruction.Create(Code.Invpcid_r64_m128, Register.RAX, descriptor));
                goto default;
            default:
                MemoryOperand place = new(Register.None, Register.None, 1, (long)linear, 4, false, Register.None);
                _code.Emit(Instruction.Create(Code.Invlpg_m, place));
                break;
        }
    }

    private void Segment()
    {
        if (_service || _code.Bits == 64)
        {
            FarInLongMode();
            return;
        }

        switch (_random.Next(7))
        {
            case 0:
                PushPopSegment();
                break;
            case 1:
                FarJump();
                break;
            case 2:
                FarCall();
                break;
            case 3:
                // MOV SS shadows the next boundary.
                _code.Raw(0x8C, 0xD0); // mov ax, ss
                _code.Raw(0x8E, 0xD0);
                Few(1);
                break;
            case 4 when _mode.Mode == GuestMode.Real:
                BigReal();
                break;
            default:
                LoadSegment();
                break;
        }
    }

    private void LoadSegment()
    {
        ushort rpl = (ushort)_mode.Cpl;
        ushort[] selectors = _mode.IsReal
            ? [(ushort)(Layout.Data >> 4), (ushort)(Layout.Mmio >> 4), (ushort)(Layout.Code >> 4), (ushort)((Layout.Data + 0x800) >> 4), 0xFFFF]
            : [Layout.ProgramData, Layout.SmallData, Layout.ExpandDown, Layout.ReadOnlyData, Layout.MmioData, Layout.CodeAsData, 0, Layout.NotPresent, Layout.ProgramCode];
        ushort selector = selectors[_random.Next(selectors.Length)];
        Load(Register.EAX, selector == 0 || _mode.IsReal ? selector : (ulong)(selector | rpl));
        _code.Raw(0x8E, _random.Next(2) == 0 ? (byte)0xC0 : (byte)0xE0); // mov es/fs, ax
    }

    private void PushPopSegment()
    {
        byte[][] pairs = [[0x06, 0x07], [0x1E, 0x1F], [0x1E, 0x07]];
        byte[] pair = pairs[_random.Next(pairs.Length)];
        _code.Raw(pair[0]);
        Few(_random.Next(2));
        _code.Raw(pair[1]);
    }

    private void FarJump()
    {
        int next = _code.NewLabel();
        byte[] selector = BitConverter.GetBytes((ushort)(_mode.IsReal ? Layout.Code >> 4 : (ulong)(Layout.ProgramCode | _mode.Cpl)));
        _code.FarBranch(0xEA, next, selector);
        Island(4);
        _code.Bind(next);
    }

    private void FarCall()
    {
        int over = _code.NewLabel();
        _code.Branch(Jump, over);
        int routine = _code.BindNew();
        Few(2);
        _code.Raw(0xCB);
        _code.Bind(over);
        byte[] selector = BitConverter.GetBytes((ushort)(_mode.IsReal ? Layout.Code >> 4 : (ulong)(Layout.ProgramCode | _mode.Cpl)));
        _code.FarBranch(0x9A, routine, selector);
    }

    /// <summary>FS with the limit of a protected-mode descriptor, in real mode.</summary>
    private void BigReal()
    {
        if (_operands.Kept.Contains(Register.RAX) || _operands.Kept.Contains(Register.RDX))
        {
            return;
        }

        _code.Raw(0xFA);
        _code.Raw(0x0F, 0x20, 0xC0); // mov eax, cr0
        _code.Raw(0x66, 0x83, 0xC8, 0x01); // or eax, 1
        _code.Raw(0x0F, 0x22, 0xC0);
        Load(Register.EDX, Layout.Data0);
        _code.Raw(0x8E, 0xE2); // mov fs, dx
        _code.Raw(0x66, 0x83, 0xE0, 0xFE); // and eax, -2
        _code.Raw(0x0F, 0x22, 0xC0);
        _code.Raw(0xFB);
    }

    /// <summary>A visit to 32-bit compatibility mode and back.</summary>
    private void FarInLongMode()
    {
        if (_service || _mode.Bits != 64 || _operands.Kept.Contains(Register.RAX))
        {
            return;
        }

        int there = _code.NewLabel();
        int back = _code.NewLabel();
        int rpl = _mode.Cpl;
        _code.Emit(Instruction.Create(Code.Pushq_imm32, Layout.OtherCode | rpl));
        _code.EmitImmediate(LoadCode(Register.RAX), there);
        _code.Emit(Instruction.Create(Code.Push_r64, Register.RAX));
        _code.Raw(0x48, 0xCB); // retfq
        _code.Bind(there);
        int selector = Layout.ProgramCode | rpl;
        for (int i = _random.Next(4); i > 0; i--)
        {
            switch (_random.Next(4))
            {
                case 0:
                    _code.Raw(0x40); // inc eax, where 64-bit mode has a prefix
                    break;
                case 1:
                    _code.Raw(0x83, 0xC0, (byte)_random.Next(128)); // add eax, imm8
                    break;
                case 2:
                    _code.Raw(0x11, 0xC0); // adc eax, eax
                    break;
                default:
                    _code.Raw(0x50); // push eax
                    _code.Raw(0x58);
                    break;
            }
        }

        _code.FarBranch(0xEA, back, BitConverter.GetBytes((ushort)selector));
        _code.Bind(back);
    }
}
