using System;
using Iced.Intel;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Two address spaces, with PCIDs and without, and pages that move.</summary>
internal sealed partial class BlockWriter
{
    private const ulong NoFlush = 1UL << 63;

    private bool HasContexts => (_program.Cr4 & ControlBits.Cr4Pcide) != 0;

    private void AddressSpace()
    {
        if (!_kernel || Windows is null || !Flat)
        {
            // The kernel does it, in its services.
            if (_service || _random.Next(2) == 0)
            {
                CallRoutine();
            }
            else
            {
                _code.Raw(0xCD, (byte)(0x80 + _random.Next(8)));
            }

            return;
        }

        switch (_random.Next(6))
        {
            case 0 or 1 or 2:
                UseMoved(0);
                SwitchSpace();
                UseMoved(0);
                break;
            case 3:
                Invalidate();
                break;
            default:
                Move();
                break;
        }
    }

    /// <summary>
    /// Writes CR3. A PCID always goes with the same address space, even ones with the first and odd ones with the second, as in any
    /// system: what else a TLB may still hold of the other is for neither engine to say.
    /// </summary>
    private void SwitchSpace()
    {
        int space = _random.Next(2);
        ulong value = _program.Roots[space];
        if (HasContexts)
        {
            value |= (uint)((_random.Next(Layout.ContextCount / 2) * 2) + space);
            value |= _random.Next(2) == 0 ? NoFlush : 0;
        }
        else
        {
            // PCD and PWT mean nothing here; bit 63 is reserved.
            value |= (ulong)_random.Next(4) << 3;
            value |= _code.Bits == 64 && _random.Next(40) == 0 ? NoFlush : 0;
        }

        WithAccumulator(() =>
        {
            Load(_code.Bits == 64 ? Register.RAX : Register.EAX, value);
            _code.Raw(0x0F, 0x22, 0xD8);
        });
    }

    /// <summary>Changes which frame a page has, in either address space, makes the TLBs forget it, and uses it before and after.</summary>
    private void Move()
    {
        ulong linear = (_random.Next(3) == 0 ? Layout.ReadOnlyAlias : Layout.DataAlias) + ((ulong)_random.Next(13) * 4096);
        UseMoved(linear);
        MemoryOperand place = new(Register.None, Register.None, 1, (long)Windows!.EntryOf(linear, other: _random.Next(2) == 0) + 1, 4, false, Register.None);

        // Address bit 12: the data's neighbour.
        _code.Emit(Instruction.Create(Code.Xor_rm8_imm8, place, 0x10));
        Forget(linear);
        UseMoved(linear);
    }

    /// <summary>A load or store in a page that is not the same everywhere, any where 0 is given, or a call of a routine there.</summary>
    private void UseMoved(ulong linear)
    {
        if (linear == 0 && _random.Next(3) == 0)
        {
            CallRoutine();
            return;
        }

        linear = linear == 0 ? Layout.DataAlias + ((ulong)_random.Next(13) * 4096) : linear;
        Register register = _operands.Free(4);
        MemoryOperand place = new(Register.None, Register.None, 1, (long)linear + (_random.Next(0x3FF) * 4), 4, false, Register.None);
        _code.Emit(_random.Next(3) switch
        {
            0 => Instruction.Create(Code.Add_rm32_r32, place, register),
            1 => Instruction.Create(Code.Xor_r32_rm32, register, place),
            _ => Instruction.Create(Code.Mov_r32_rm32, register, place),
        });
    }

    /// <summary>INVPCID of any type, with what it forgets chosen at random.</summary>
    private void Invalidate() => WithAccumulator(() =>
    {
        int context = HasContexts ? _random.Next(Layout.ContextCount) : 0;
        Invalidate(_random.Next(4), context);
        UseMoved(0);
    });

    /// <summary>A changed mapping may be cached for each PCID that its address space goes by.</summary>
    private void ForgetInAllContexts(ulong linear)
    {
        MemoryOperand page = new(Register.None, Register.None, 1, (long)linear, 4, false, Register.None);
        WithAccumulator(() =>
        {
            switch (_random.Next(6))
            {
                case 0:
                    // PGE off and on.
                    for (int i = 0; i < 2; i++)
                    {
                        _code.Raw(0x0F, 0x20, 0xE0); // mov rax, cr4
                        _code.Emit(Instruction.Create(Code.Xor_EAX_imm32, Register.EAX, 0x80));
                        _code.Raw(0x0F, 0x22, 0xE0);
                    }

                    break;
                case 1:
                    for (int i = 0; i < Layout.ContextCount; i++)
                    {
                        Invalidate(1, i);
                    }

                    break;
                case 2:
                    for (int i = 0; i < Layout.ContextCount; i++)
                    {
                        _code.Emit(Instruction.Create(Code.Mov_rm64_imm32, Context(i, 8), (int)linear));
                        Invalidate(0, i);
                    }

                    break;
                default:
                    Invalidate(_random.Next(2, 4), 0);
                    break;
            }
        });
        _code.Emit(Instruction.Create(Code.Invlpg_m, page));
    }

    private void Invalidate(int type, int context)
    {
        bool wide = _code.Bits == 64;
        Load(Register.EAX, (ulong)type);
        _code.Emit(Instruction.Create(wide ? Code.Invpcid_r64_m128 : Code.Invpcid_r32_m128, wide ? Register.RAX : Register.EAX, Context(context, 0)));
    }

    private static MemoryOperand Context(int number, int offset) =>
        new(Register.None, Register.None, 1, (long)Layout.Contexts + (number * 16) + offset, 4, false, Register.None);

    /// <summary>Code that needs EAX, with it saved where something relies on it.</summary>
    private void WithAccumulator(Action write)
    {
        bool kept = _operands.Kept.Contains(Register.RAX);
        if (kept)
        {
            SavePointer(Register.RAX, push: true);
        }

        write();
        if (kept)
        {
            SavePointer(Register.RAX, push: false);
        }
    }
}
