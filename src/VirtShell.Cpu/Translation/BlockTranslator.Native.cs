using Iced.Intel;

namespace VirtShell.Cpu.Translation;

/// <summary>Writes a guest instruction again with the host's registers and a host address in place of its own (SDM Vol. 2 §2.1, §2.3).</summary>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>
    /// Emits the instruction; its memory operand, where it has one, is at the address in the scratch register. Guest registers
    /// that stay in memory pass through the scratch registers. Changes no flags but by the instruction itself.
    /// </summary>
    private void EmitNative(in Item item)
    {
        ref readonly Instruction instruction = ref item.Instruction;
        CodeDescriptor descriptor = item.Descriptor;
        bool memory = item.HasMemory;

        // At most two guest registers pass through scratch registers; BlockReader has seen to that.
        int firstGuest = -1;
        int secondGuest = -1;
        int loaded = 0;
        int stored = 0;
        for (int i = 0; i < instruction.OpCount; i++)
        {
            int guest = instruction.GetOpKind(i) == OpKind.Register ? BlockReader.GeneralNumber(instruction.GetOpRegister(i)) : -1;
            if (guest < 0 || HostRegister.Of(guest) != HostRegister.None)
            {
                continue;
            }

            int bit = 1;
            if (firstGuest == guest || firstGuest < 0)
            {
                firstGuest = guest;
            }
            else
            {
                secondGuest = guest;
                bit = 2;
            }

            loaded |= (descriptor.Reads & (1 << i)) != 0 ? bit : 0;
            stored |= (descriptor.Writes & (1 << i)) != 0 ? bit : 0;
        }

        if ((loaded & 1) != 0)
        {
            LoadGuest(HostRegister.Scratch2, firstGuest);
        }

        if ((loaded & 2) != 0)
        {
            LoadGuest(HostRegister.Scratch, secondGuest);
        }

        Encode(in item, memory, secondGuest);
        if ((stored & 1) != 0)
        {
            _code.StoreState(StateOffset.Gpr(firstGuest), HostRegister.Scratch2);
        }

        if ((stored & 2) != 0)
        {
            _code.StoreState(StateOffset.Gpr(secondGuest), HostRegister.Scratch);
            Forget(secondGuest);
        }

        if (((loaded | stored) & 1) != 0)
        {
            Hold(firstGuest);
        }
    }

    private static int Native(int guest, int secondGuest)
    {
        int host = HostRegister.Of(guest);
        return host != HostRegister.None ? host : guest == secondGuest ? HostRegister.Scratch : HostRegister.Scratch2;
    }

    private void Encode(in Item item, bool memory, int secondGuest)
    {
        ref readonly Instruction instruction = ref item.Instruction;
        CodeDescriptor descriptor = item.Descriptor;
        InstructionLayout layout = InstructionLayout.Parse(_plan.Page + item.Offset, item.Length, _plan.Is64, descriptor.HasModRm, descriptor.IsVex, memory ? _plan.AddressBits(in instruction) : 32);
        int reg = layout.ModRm != null ? layout.Reg : 0;
        int rm = memory ? HostRegister.Scratch : 0;
        int opcodeRegister = -1;
        int vvvv = 0;
        bool high = false;
        bool force = false;
        uint touched = _code.Touched;
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) != OpKind.Register)
            {
                continue;
            }

            Register register = instruction.GetOpRegister(i);
            int guest = BlockReader.GeneralNumber(register);
            int number;
            if (guest < 0)
            {
                number = register.GetNumber();
            }
            else if (BlockReader.IsHighByte(register))
            {
                number = guest + 4;
                high = true;
            }
            else
            {
                number = Native(guest, secondGuest);
                force |= register.GetSize() == 1 && number is >= 4 and < 8;
                touched |= 1u << number;
            }

            switch (descriptor.Places[i])
            {
                case OperandPlace.Reg:
                    reg = number;
                    break;
                case OperandPlace.Rm:
                    rm = number;
                    break;
                case OperandPlace.Opcode:
                    opcodeRegister = number;
                    rm = number;
                    break;
                case OperandPlace.Vvvv:
                    vvvv = number;
                    break;
                default:
                    break;
            }
        }

        if (layout.IsVex)
        {
            // Three-byte VEX: inverted R, X, B, map; W, inverted vvvv, L, pp.
            _code.Byte(0xC4);
            _code.Byte(((reg & 8) != 0 ? 0 : 0x80) | 0x40 | ((rm & 8) != 0 ? 0 : 0x20) | layout.Map);
            _code.Byte((layout.Wide ? 0x80 : 0) | ((~vvvv & 15) << 3) | (layout.Long ? 4 : 0) | layout.Pp);
        }
        else
        {
            EmitPrefixes(in layout, descriptor);
            if (!high)
            {
                _code.Rex(layout.Wide, reg, rm, force);
            }

            if (layout.Map != 0)
            {
                _code.Byte(0x0F);
                if (layout.Map > 1)
                {
                    _code.Byte(layout.Map == 2 ? 0x38 : 0x3A);
                }
            }
        }

        if (instruction.Code is Code.Inc_r16 or Code.Inc_r32 or Code.Dec_r16 or Code.Dec_r32)
        {
            // Their one-byte forms are REX prefixes here.
            _code.Byte(0xFF);
            _code.ModRegister(instruction.Mnemonic == Mnemonic.Inc ? 0 : 1, opcodeRegister);
            _code.Touched = touched;
            return;
        }

        if (!layout.IsVex && layout.Map == 0 && *layout.Opcode == 0x82)
        {
            // An alias of 80h that 64-bit mode lacks.
            _code.Byte(0x80);
        }
        else
        {
            _code.Byte(opcodeRegister >= 0 ? (*layout.Opcode & 0xF8) | (opcodeRegister & 7) : *layout.Opcode);
        }

        if (layout.ModRm != null)
        {
            if (memory)
            {
                _code.ModMemory(reg, HostRegister.Scratch, _now.Operand);
            }
            else
            {
                _code.ModRegister(reg, rm);
            }
        }

        for (byte* at = layout.Immediate; at < layout.End; at++)
        {
            _code.Byte(*at);
        }

        // Vector registers and a memory operand's address are in other registers than those that are watched, or are not written.
        _code.Touched = touched;
    }

    private void EmitPrefixes(in InstructionLayout layout, CodeDescriptor descriptor)
    {
        if (layout.Lock)
        {
            _code.Byte(0xF0);
        }

        // In 16-bit code the operand size prefix has the opposite sense for integer instructions.
        bool swapped = (_plan.Key & TranslationKey.ModeMask) == (int)Execution.CodeMode.Bits16 && descriptor.HasOperandSize && descriptor.MandatoryPrefix != 0x66;
        if (layout.OperandSize != swapped)
        {
            _code.Byte(0x66);
        }

        if (descriptor.MandatoryPrefix is 0xF2 or 0xF3)
        {
            _code.Byte(descriptor.MandatoryPrefix);
        }
    }
}
