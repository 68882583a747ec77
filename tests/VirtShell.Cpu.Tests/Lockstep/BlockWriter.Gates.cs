using System;
using Iced.Intel;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>The local descriptor table, call gates, and task switches.</summary>
internal sealed partial class BlockWriter
{
    private static readonly ushort[] s_local =
        [Layout.LocalData, Layout.LocalData, Layout.LocalSmall, Layout.LocalOther, Layout.LocalStack, Layout.LocalMmio, Layout.LocalCode, Layout.LocalNotPresent];

    private static readonly ushort[] s_examined =
    [
        Layout.LocalData, Layout.LocalOther, Layout.LocalCode, Layout.LocalGate, Layout.LocalNotPresent, Layout.Gate, Layout.GateToItself, Layout.Local,
        Layout.Task32Selector, Layout.TaskGate, Layout.Code0, Layout.ProgramData, 0x7FF8,
    ];

    /// <summary>The routine behind the call gate to the program itself; gives its instruction pointer.</summary>
    public ulong GateRoutine()
    {
        ulong at = _code.Here;
        Few(_random.Next(1, 6));
        if (_code.Bits == 64)
        {
            _code.Raw(0x48, 0xCB);
        }
        else
        {
            _code.Raw(0xCB);
        }

        return at;
    }

    private bool IsProtected => _service ? _code.Bits != 16 : _mode.HasLocalTable;

    private void Gate()
    {
        if (!IsProtected)
        {
            Segment();
            return;
        }

        switch (_random.Next(10))
        {
            case 0 when _kernel:
                // Seldom none, or what is no local table.
                ushort table = _random.Next(12) switch { 0 => 0, 1 => Layout.ProgramData, < 7 => Layout.Local, _ => Layout.OtherLocal };
                Load(Register.EAX, table);
                _code.Raw(0x0F, 0x00, 0xD0); // lldt ax
                LoadLocal();
                break;
            case 1:
                Examine();
                break;
            case 2 when !_service && _code.Bits != 64:
                FarLocal();
                break;
            case 3 or 4 when _mode.HasGateToItself && !_service:
                CallGate(Layout.GateToItself, 1);
                break;
            case 5 or 6:
                CallGate(_random.Next(3) == 0 ? Layout.LocalGate : Layout.Gate, 0);
                break;
            case 7 when _mode.KernelBits == 32:
                // Two parameters, which the gate copies to an inner stack, and the return takes off both.
                for (int i = 0; i < 2; i++)
                {
                    byte value = (byte)_random.Next(128);
                    _code.Raw(_code.Bits == 16 ? [0x66, 0x6A, value] : [0x6A, value]);
                }

                CallGate(Layout.GateWithParameters, 0);
                break;
            default:
                LoadLocal();
                break;
        }
    }

    /// <summary>A data segment of the local table into ES or, where nothing relies on it, FS, and a load through it.</summary>
    private void LoadLocal()
    {
        // Services keep DS and ES flat; in 64-bit code FS would lose its base.
        byte register = _service ? (byte)0xE0 : _code.Bits == 64 || _random.Next(2) == 0 ? (byte)0xC0 : (byte)0xE0;
        if (_service && _code.Bits == 64)
        {
            register = 0xC0;
        }

        Load(Register.EAX, (ulong)(s_local[_random.Next(s_local.Length)] | (_service ? 0 : _mode.Cpl)));
        _code.Raw(0x8E, register); // mov es/fs, ax
        MemoryOperand place = new(Register.None, Register.None, 1, _random.Next(0x400), _code.Bits == 16 ? 2 : 4, false, register == 0xC0 ? Register.ES : Register.FS);
        if (_random.Next(2) == 0 && _code.Bits != 64)
        {
            _code.Emit(_random.Next(2) == 0 ? Instruction.Create(Code.Mov_r32_rm32, Register.EAX, place) : Instruction.Create(Code.Add_rm32_r32, place, Register.EAX));
        }
    }

    /// <summary>LAR, LSL, VERR, VERW, SLDT, STR.</summary>
    private void Examine()
    {
        Load(Register.EAX, (ulong)(s_examined[_random.Next(s_examined.Length)] | (_random.Next(4) == 0 ? _random.Next(4) : _mode.Cpl)));
        switch (_random.Next(6))
        {
            case 0:
                _code.Raw(0x0F, 0x02, 0xC0);
                break;
            case 1:
                _code.Raw(0x0F, 0x03, 0xC0);
                break;
            case 2:
                _code.Raw(0x0F, 0x00, 0xE0);
                break;
            case 3:
                _code.Raw(0x0F, 0x00, 0xE8);
                break;
            case 4:
                _code.Raw(0x0F, 0x00, 0xC0);
                break;
            default:
                _code.Raw(0x0F, 0x00, 0xC8);
                break;
        }
    }

    /// <summary>To the same code through the local table's descriptor of it, and back.</summary>
    private void FarLocal()
    {
        int there = _code.NewLabel();
        _code.FarBranch(0xEA, there, BitConverter.GetBytes((ushort)(Layout.LocalCode | _mode.Cpl)));
        _code.Bind(there);
        Few(_random.Next(1, 5));
        FarJump();
    }

    /// <summary>A far call; the gate has the offset. In 64-bit code through a far pointer in memory.</summary>
    private void CallGate(ushort selector, int expectedPointer)
    {
        if (_code.Bits == 64)
        {
            int pointer = selector == Layout.LocalGate ? 2 : expectedPointer;
            MemoryOperand place = new(Register.None, Register.None, 1, (long)Layout.Pointers + (pointer * 8), 4, false, Register.None);
            _code.Emit(Instruction.Create(Code.Call_m1632, place));
            return;
        }

        Far(0x9A, (ushort)(selector | (_service ? 0 : _mode.Cpl)));
    }

    private void Far(byte opcode, ushort selector)
    {
        byte[] pointer = _code.Bits == 16 ? [0, 0] : [0, 0, 0, 0];
        _code.Raw([opcode, .. pointer, (byte)selector, (byte)(selector >> 8)]);
    }

    private void SwitchTask()
    {
        if (!_mode.HasTasks)
        {
            Few(2);
            return;
        }

        if (!IsProtected || _random.Next(5) == 0)
        {
            _code.Raw(0xCD, Layout.TaskVector);
            return;
        }

        ushort[] tasks = [Layout.Task32Selector, Layout.Task32Selector, Layout.Task16Selector, Layout.TaskGate];
        ushort selector = tasks[_random.Next(tasks.Length)];
        if (_kernel && Flat && _random.Next(4) == 0)
        {
            // Also where it was left busy, by a jump out of a task that was called.
            ushort descriptor = selector == Layout.TaskGate ? Layout.Task32Selector : selector;
            MemoryOperand place = new(Register.None, Register.None, 1, (long)Layout.Gdt + descriptor + 5, 4, false, Register.None);
            _code.Emit(Instruction.Create(Code.And_rm8_imm8, place, 0xFD));
        }

        Far(_random.Next(3) == 0 ? (byte)0xEA : (byte)0x9A, (ushort)(selector | (_service ? 0 : _mode.Cpl)));
    }
}
