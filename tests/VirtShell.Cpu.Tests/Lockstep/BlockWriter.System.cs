using System;
using Iced.Intel;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Ports, traps, interrupts, and the registers of the system.</summary>
internal sealed partial class BlockWriter
{
    private static readonly ushort[] s_ports =
    [
        LockstepBus.InterruptPort, LockstepBus.NmiPort, LockstepBus.LimitPort, LockstepBus.StopPort, LockstepBus.PatchPort, LockstepBus.PatchPort,
        LockstepBus.A20Port, 0x20, 0x40, 0x60, 0x3F8, 0x1F0,
    ];

    private void Port()
    {
        ushort port = s_ports[_random.Next(s_ports.Length)];
        Load(Register.EAX, _operands.Value());
        if (_random.Next(3) == 0 && port < 0x100)
        {
            _code.Emit(_random.Next(3) switch
            {
                0 => Instruction.Create(Code.Out_imm8_AL, (int)port, Register.AL),
                1 => Instruction.Create(Code.Out_imm8_EAX, (int)port, Register.EAX),
                _ => Instruction.Create(Code.In_AL_imm8, Register.AL, (int)port),
            });
            return;
        }

        Load(Register.EDX, port);
        _code.Emit(_random.Next(6) switch
        {
            0 => Instruction.Create(Code.In_AL_DX, Register.AL, Register.DX),
            1 => Instruction.Create(Code.In_EAX_DX, Register.EAX, Register.DX),
            2 => Instruction.Create(Code.In_AX_DX, Register.AX, Register.DX),
            3 => Instruction.Create(Code.Out_DX_AX, Register.DX, Register.AX),
            _ => Instruction.Create(Code.Out_DX_AL, Register.DX, Register.AL),
        });
        if (_random.Next(6) == 0 && !_operands.Kept.Contains(Register.RSI) && !_operands.Kept.Contains(Register.RDI) && !_operands.Kept.Contains(Register.RCX))
        {
            ulong at = _regions[0].Start + (ulong)_random.Next(_regions[0].Length);
            Load(ByBits(Register.SI, Register.ESI, Register.RSI), at);
            Load(ByBits(Register.DI, Register.EDI, Register.RDI), at);
            Load(ByBits(Register.CX, Register.ECX, Register.RCX), (ulong)_random.Next(6));
            _code.Raw(0xF3, _random.Next(2) == 0 ? (byte)0x6C : (byte)0x6E);
        }
    }

    /// <summary>Whatever enters the kernel: INT n, INT3, UD2, a division by zero, SYSCALL, SYSENTER, privileged instructions.</summary>
    private void Trap()
    {
        switch (_random.Next(10))
        {
            case 0:
                _code.Raw(0xCC);
                break;
            case 1:
                _code.Raw(0x0F, 0x0B);
                break;
            case 2 when _code.Bits != 64:
                _code.Raw(0xCE);
                break;
            case 3 when !_operands.Kept.Contains(Register.RCX):
                Load(Register.ECX, 0);
                _code.Emit(Instruction.Create(Code.Div_rm32, Register.ECX));
                break;
            case 4:
                _code.Raw(0xF1);
                break;
            case 5 when !_service && _code.Bits == 64 && _mode.Cpl == 3 && !_operands.Kept.Contains(Register.RCX) && !_operands.Kept.Contains(Register.R11):
                _code.Raw(0x0F, 0x05);
                break;
            case 6 when !_service && _mode is { Cpl: 3, Segmented: false } && !_operands.Kept.Contains(Register.RCX) && !_operands.Kept.Contains(Register.RDX):
                SystemEnter();
                break;
            case 7:
                PrivilegedByUser();
                break;
            default:
                if (!_service)
                {
                    _code.Raw(0xCD, (byte)(0x80 + _random.Next(8)));
                }

                break;
        }
    }

    private void SystemEnter()
    {
        int back = _code.NewLabel();
        if (_code.Bits == 64)
        {
            _code.Emit(Instruction.Create(Code.Mov_r64_rm64, Register.RCX, Register.RSP));
        }
        else
        {
            _code.Emit(Instruction.Create(Code.Mov_r32_rm32, Register.ECX, Register.ESP));
        }

        _code.EmitImmediate(LoadCode(_code.Bits == 64 ? Register.RDX : Register.EDX), back);
        _code.Raw(0x0F, 0x34);
        _code.Bind(back);
    }

    private void PrivilegedByUser()
    {
        if (_kernel)
        {
            return;
        }

        switch (_random.Next(5))
        {
            case 0:
                _code.Raw(0xF4);
                break;
            case 1:
                _code.Raw(0x0F, 0x20, 0xC0);
                break;
            case 2:
                _code.Raw(0xFA);
                break;
            case 3:
                _code.Raw(0x0F, 0x30);
                break;
            default:
                _code.Raw(0x0F, 0x01, 0xF8);
                break;
        }
    }

    private void Interrupts()
    {
        if (_service)
        {
            return;
        }

        switch (_random.Next(8))
        {
            case 0:
                _code.Raw(0xFA);
                Few(_random.Next(8));
                _code.Raw(0xFB);
                break;
            case 1:
                // The shadow of STI.
                _code.Raw(0xFA);
                Load(Register.EAX, (ulong)_random.Next(16));
                _code.Emit(Instruction.Create(Code.Out_imm8_AL, (int)LockstepBus.InterruptPort, Register.AL));
                _code.Raw(0xFB);
                Few(_random.Next(3));
                break;
            case 2 when _kernel:
                _code.Raw(0xFB);
                _code.Raw(0xF4);
                break;
            case 3:
                // Single steps, until the handler ends them.
                _code.Emit(Instruction.Create(ByBits(Code.Pushfw, Code.Pushfd, Code.Pushfq)));
                if (_code.Bits == 16)
                {
                    _code.Emit(Instruction.Create(Code.Pop_r16, Register.AX));
                    _code.Emit(Instruction.Create(Code.Or_rm16_imm16, Register.AX, 0x100));
                    _code.Emit(Instruction.Create(Code.Push_r16, Register.AX));
                }
                else
                {
                    _code.Emit(Instruction.Create(Code.Or_rm32_imm32, new MemoryOperand(StackPointer, Register.None, 1, 0, 0, false, Register.None), 0x100));
                }

                _code.Emit(Instruction.Create(ByBits(Code.Popfw, Code.Popfd, Code.Popfq)));
                Few(_random.Next(1, 12));
                break;
            case 4:
                _code.Raw(0xFD);
                Plain(Family.Strings);
                Plain(Family.Strings);
                _code.Raw(0xFC);
                break;
            case 5:
                _code.Raw(0xFD);
                break;
            default:
                // Back to the next instruction by IRET.
                ReturnByIret();
                break;
        }
    }

    private void ReturnByIret()
    {
        int next = _code.NewLabel();
        if (_code.Bits == 64)
        {
            _code.Emit(Instruction.Create(Code.Mov_r64_rm64, Register.RAX, Register.RSP));
            _code.Raw(0x8C, 0xD2); // mov edx, ss
            _code.Emit(Instruction.Create(Code.Push_r64, Register.RDX));
            _code.Emit(Instruction.Create(Code.Push_r64, Register.RAX));
        }

        _code.Emit(Instruction.Create(ByBits(Code.Pushfw, Code.Pushfd, Code.Pushfq)));
        _code.Raw(0x8C, 0xC8); // mov eax, cs
        _code.Emit(Instruction.Create(ByBits(Code.Push_r16, Code.Push_r32, Code.Push_r64), ByBits(Register.AX, Register.EAX, Register.RAX)));
        _code.EmitImmediate(LoadCode(ByBits(Register.AX, Register.EAX, Register.RAX)), next);
        _code.Emit(Instruction.Create(ByBits(Code.Push_r16, Code.Push_r32, Code.Push_r64), ByBits(Register.AX, Register.EAX, Register.RAX)));
        _code.Emit(Instruction.Create(ByBits(Code.Iretw, Code.Iretd, Code.Iretq)));
        _code.Bind(next);
        if (_fixedPointers == 0)
        {
            LoadPointers();
        }
    }

    private void DebugRegisters()
    {
        if (!_kernel)
        {
            PrivilegedByUser();
            return;
        }

        bool data = _random.Next(2) == 0;
        ulong address = data
            ? Layout.Data + (ulong)_random.Next(0x1000)
            : _program.Starts.Count > 0 ? _program.Starts[_random.Next(_program.Starts.Count)] : _code.Linear + (ulong)_random.Next(Math.Max(1, _code.Count));
        int number = _random.Next(4);
        ulong kind = data ? (ulong)(_random.Next(2) == 0 ? 1 : 3) | (ulong)(_random.Next(4) << 2) : 0;
        ulong dr7 = 0x400 | (1UL << (number * 2)) | (kind << (16 + (number * 4)));
        Load(Register.EAX, address);
        _code.Raw(0x0F, 0x23, (byte)(0xC0 | (number << 3)));
        Load(Register.EAX, _random.Next(3) == 0 ? 0x400 : dr7);
        _code.Raw(0x0F, 0x23, 0xF8);
        if (_random.Next(3) == 0)
        {
            _code.Raw(0x0F, 0x21, 0xF0); // mov eax, dr6
        }
    }

    private void SystemRegister()
    {
        if (!_kernel)
        {
            if (_code.Bits == 64 && _random.Next(2) == 0)
            {
                Load(Register.EAX, Layout.Data + (ulong)(_random.Next(0x10) * 0x100));
                _code.Raw(0xF3, 0x48, 0x0F, 0xAE, _random.Next(2) == 0 ? (byte)0xD0 : (byte)0xD8); // wrfsbase/wrgsbase rax
                return;
            }

            Clock();
            return;
        }

        switch (_random.Next(10))
        {
            case 0:
                WriteMsr(0xC000_0103, _operands.Value() & 0xFF);
                break;
            case 1 when _code.Bits == 64:
                WriteMsr(_random.Next(2) == 0 ? 0xC000_0100 : 0xC000_0102, Layout.Data + (ulong)(_random.Next(0x10) * 0x100));
                break;
            case 2:
                // One that the processor leaves to its machine.
                WriteMsr(0x80A + (uint)_random.Next(2), 0);
                break;
            case 3 when _code.Bits == 64:
                _code.Raw(0x0F, 0x01, 0xF8); // swapgs
                break;
            case 4:
                // Any x87 or SIMD instruction now raises #NM, once.
                _code.Raw(0x0F, 0x20, 0xC0); // mov eax, cr0
                _code.Emit(Instruction.Create(Code.Or_rm32_imm8, Register.EAX, 8));
                _code.Raw(0x0F, 0x22, 0xC0);
                break;
            case 5:
                _code.Raw(0x0F, 0x20, 0xC0);
                _code.Emit(Instruction.Create(Code.Xor_EAX_imm32, Register.EAX, _random.Next(2) == 0 ? 0x1_0000 : 0x4_0000)); // WP or AM
                _code.Raw(0x0F, 0x22, 0xC0);
                break;
            case 6:
                // TSD, PGE, DE or, where there are supervisor pages, SMAP.
                uint[] bits = _mode.Paging == PagingKind.None ? [4, 8] : [4, 0x80, 8, 1 << 21];
                _code.Raw(0x0F, 0x20, 0xE0); // mov eax, cr4
                _code.Emit(Instruction.Create(Code.Xor_EAX_imm32, Register.EAX, (int)bits[_random.Next(bits.Length)]));
                _code.Raw(0x0F, 0x22, 0xE0);
                break;
            case 7:
                _code.Raw(0x0F, 0x01, _random.Next(2) == 0 ? (byte)0xCA : (byte)0xCB); // clac, stac
                break;
            case 8 when _code.Bits == 64:
                _code.Raw(0x44, 0x0F, 0x20, 0xC0); // mov rax, cr8
                _code.Raw(0x44, 0x0F, 0x22, 0xC0);
                break;
            default:
                Clock();
                break;
        }
    }

    private void Clock()
    {
        switch (_random.Next(4))
        {
            case 0:
                _code.Raw(0x0F, 0x31); // rdtsc
                break;
            case 1:
                _code.Raw(0x0F, 0x01, 0xF9); // rdtscp
                break;
            case 2:
                Load(Register.EAX, (ulong)_random.Next(8));
                _code.Raw(0x0F, 0xA2); // cpuid
                break;
            default:
                _code.Raw(0x0F, 0xAE, 0xF0); // mfence
                _code.Raw(0x0F, 0x01, 0xE8); // serialize
                break;
        }

        if (_fixedPointers == 0)
        {
            LoadPointers();
        }
    }

    private void WriteMsr(uint index, ulong value)
    {
        if (_operands.Kept.Contains(Register.RCX) || _operands.Kept.Contains(Register.RDX) || _operands.Kept.Contains(Register.RAX))
        {
            return;
        }

        Load(Register.ECX, index);
        Load(Register.EAX, (uint)value);
        Load(Register.EDX, value >> 32);
        _code.Raw(0x0F, 0x30);
        if (_random.Next(2) == 0)
        {
            _code.Raw(0x0F, 0x32);
        }
    }
}
