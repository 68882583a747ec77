using Iced.Intel;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Memory;

namespace VirtShell.Cpu.Translation;

/// <summary>Memory operands: the linear address, then the soft TLB (SDM Vol. 2 §2.1.5; see <see cref="Memory.TlbEntry"/>).</summary>
internal sealed unsafe partial class BlockTranslator
{
    private const int TlbTagRead = 0;
    private const int TlbTagWrite = 8;
    private const int TlbPage = 16;

    /// <summary>Leaves the host address of the memory operand in the scratch register. Nothing of the instruction may have happened yet.</summary>
    private void EmitOperandAddress(in Item item, int index)
    {
        BeforeClobber(in item);
        EmitLinear(in item, index, item.MemorySize, item.StoresMemory);
        if (item.Descriptor.IsAligned && item.MemorySize > 1)
        {
            // test r9b, size - 1: the host would fault where the guest must.
            _code.Byte(0x41);
            _code.Byte(0xF6);
            _code.ModRegister(0, HostRegister.Scratch);
            _code.Byte(item.MemorySize - 1);
            AddColdExit(_code.JumpIf(5), NewExit(ExitKind.Instruction, item.Offset, index));
        }

        EmitTlb(in item, index, item.MemorySize, item.StoresMemory);
    }

    /// <summary>Turns the linear address in the scratch register into a host address; leaves the block where the TLB cannot serve it.</summary>
    private void EmitTlb(in Item item, int index, int size, bool write)
    {
        int id = NewExit(ExitKind.Access, item.Offset, index);
        _exits[id].Size = (byte)size;
        byte* back = _code.At;
        _code.RotateRight(HostRegister.Scratch2, HostRegister.Scratch, 7);
        _code.AluImmediate(CodeWriter.And, HostRegister.Scratch2, (int)Mem.TlbMask << 5, wide: false);
        _code.AluState(CodeWriter.Add, HostRegister.Scratch2, StateOffset.Tlb);
        _code.Rex(true, HostRegister.Scratch, HostRegister.Scratch2);
        _code.Byte(0x2B);
        _code.ModMemory(HostRegister.Scratch, HostRegister.Scratch2, write ? TlbTagWrite : TlbTagRead);
        _code.AluImmediate(CodeWriter.Cmp, HostRegister.Scratch, 4096 - size);
        byte* miss = _code.JumpIf(7);
        AddCold(new ColdPart { Kind = ColdKind.Miss, From = miss, Back = back, Id = id, Write = write });
        _code.Rex(true, HostRegister.Scratch, HostRegister.Scratch2);
        _code.Byte(0x03);
        _code.ModMemory(HostRegister.Scratch, HostRegister.Scratch2, TlbPage);
    }

    /// <summary>Linear address of the memory operand into the scratch register, the segment's limit checked where it has one.</summary>
    private void EmitLinear(in Item item, int index, int size, bool write)
    {
        EmitEffective(in item, HostRegister.Scratch);
        Register segment = item.Instruction.MemorySegment;
        if (_is64)
        {
            if (segment is Register.FS or Register.GS)
            {
                _code.AluState(CodeWriter.Add, HostRegister.Scratch, StateOffset.SegmentBase(segment == Register.FS ? SegmentIndex.Fs64 : SegmentIndex.Gs64));
            }

            return;
        }

        if ((_key & TranslationKey.FlatSegments) != 0 && segment is Register.DS or Register.ES or Register.SS)
        {
            return;
        }

        int number = segment - Register.ES;
        _code.Lea(HostRegister.Scratch2, HostRegister.Scratch, size);
        _code.AluState(CodeWriter.Cmp, HostRegister.Scratch2, write ? StateOffset.SegmentWriteEnd(number) : StateOffset.SegmentReadEnd(number));
        AddColdExit(_code.JumpIf(7), NewExit(ExitKind.Instruction, item.Offset, index));
        _code.AluState(CodeWriter.Add, HostRegister.Scratch, StateOffset.SegmentBase(number));
        _code.Move32(HostRegister.Scratch, HostRegister.Scratch);
    }

    /// <summary>Bits of the address: 16, 32 or 64.</summary>
    private int AddressBits(in Instruction instruction)
    {
        Register register = instruction.MemoryBase != Register.None ? instruction.MemoryBase : instruction.MemoryIndex;
        if (register is Register.RIP or Register.EIP)
        {
            return register == Register.RIP ? 64 : 32;
        }

        if (register != Register.None)
        {
            return register.GetSize() * 8;
        }

        return instruction.MemoryDisplSize switch
        {
            8 => 64,
            4 => 32,
            2 => 16,
            _ => _is64 ? 64 : (_key & TranslationKey.ModeMask) == (int)CodeMode.Bits16 ? 16 : 32,
        };
    }

    /// <summary>Effective address (offset in the segment) into a register, cut to the address size.</summary>
    private void EmitEffective(in Item item, int to, bool narrow = false)
    {
        ref readonly Instruction instruction = ref item.Instruction;

        // What is cut to 32 bits afterwards may be summed in 32 bits.
        int bits = narrow ? 32 : AddressBits(in instruction);
        Register @base = instruction.MemoryBase;
        long displacement = (long)instruction.MemoryDisplacement64;
        if (@base is Register.RIP or Register.EIP)
        {
            _code.LoadState(to, StateOffset.RipBase);
            AddDisplacement(to, displacement);
            if (bits == 32)
            {
                _code.Move32(to, to);
            }

            return;
        }

        int baseRegister = GuestOperand(@base, to);
        int index = GuestOperand(instruction.MemoryIndex, HostRegister.Scratch2);
        int scale = instruction.MemoryIndexScale switch { 8 => 3, 4 => 2, 2 => 1, _ => 0 };
        if (displacement != (int)displacement)
        {
            // A 64-bit absolute address, or a 32-bit one above 2 GiB.
            displacement = bits == 64 ? displacement : (int)displacement;
        }

        if (displacement != (int)displacement)
        {
            _code.Rex(true, 0, to);
            _code.Byte(0xB8 | (to & 7));
            _code.Qword((ulong)displacement);
            return;
        }

        if (baseRegister < 0 && index < 0)
        {
            // mov r, imm32, sign-extended or not as the address size says.
            _code.Rex(bits == 64, 0, to);
            _code.Byte(0xC7);
            _code.ModRegister(0, to);
            _code.Dword((int)displacement);
            if (bits == 16)
            {
                CutTo16(to);
            }

            return;
        }

        if (index < 0 && displacement == 0 && bits == 64)
        {
            if (baseRegister != to)
            {
                _code.Move(to, baseRegister);
            }

            return;
        }

        // 16-bit sums are made in 32 bits and cut.
        _code.RexIndexed(bits == 64, to, Math0(index), Math0(baseRegister));
        _code.Byte(0x8D);
        if (index < 0 && baseRegister >= 0)
        {
            _code.ModMemory(to, baseRegister, (int)displacement);
        }
        else
        {
            _code.ModIndexed(to, baseRegister, index, scale, (int)displacement);
        }

        if (bits == 16)
        {
            CutTo16(to);
        }
    }

    private static int Math0(int register) => register < 0 ? 0 : register;

    // movzx r32, r16
    private void CutTo16(int register)
    {
        _code.Rex(false, register, register);
        _code.Byte(0x0F);
        _code.Byte(0xB7);
        _code.ModRegister(register, register);
    }

    private void AddDisplacement(int register, long displacement)
    {
        if (displacement == (int)displacement)
        {
            _code.Lea(register, register, (int)displacement);
        }
        else
        {
            _code.Lea(register, register, displacement < 0 ? int.MinValue : int.MaxValue);
            _code.Lea(register, register, (int)(displacement - (displacement < 0 ? int.MinValue : int.MaxValue)));
        }
    }

    /// <summary>Host register that holds a guest register, loaded into <paramref name="spare"/> where it stays in memory; -1 for none.</summary>
    private int GuestOperand(Register register, int spare)
    {
        if (register == Register.None)
        {
            return -1;
        }

        int guest = register.GetNumber();
        int host = HostRegister.Of(guest);
        if (host == HostRegister.None)
        {
            _code.LoadState(spare, StateOffset.Gpr(guest));
            return spare;
        }

        return host;
    }

    /// <summary>Loads the memory operand at the host address, zero-extended, into a register.</summary>
    private void LoadOperand(int to, int size, int displacement = 0)
    {
        _code.Rex(size == 8, to, HostRegister.Scratch);
        if (size < 4)
        {
            _code.Byte(0x0F);
            _code.Byte(size == 1 ? 0xB6 : 0xB7);
        }
        else
        {
            _code.Byte(0x8B);
        }

        _code.ModMemory(to, HostRegister.Scratch, displacement);
    }

    /// <summary>Keeps the memory operand for a flag thunk.</summary>
    private byte KeepOperand(int size, byte slot)
    {
        LoadOperand(HostRegister.Scratch2, size);
        _code.StoreState(StateOffset.Slot(slot - FlagPlace.Slot), HostRegister.Scratch2);
        return slot;
    }
}
