using Iced.Intel;

namespace VirtShell.Cpu.Translation;

/// <summary>
/// REP STOS and REP MOVS of 64-bit code that go forward and end in the page in which they begin, source and destination alike: one
/// slice, hence one instruction. The interpreter executes any other.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    private void EmitRepeat(in Item item, int index)
    {
        bool moves = IsMoveString(in item.Instruction);
        int size = item.Instruction.MemorySize.GetSize();
        BeforeClobber(in item);
        int slow = NewExit(ExitKind.Instruction, item.Offset, index);
        TestState(StateOffset.FlagsRest, Flags.Direction);
        AddColdExit(_code.JumpIf(5), slow);

        // test rcx, rcx: nothing at all for a count of zero.
        _code.Rex(true, HostRegister.Rcx, HostRegister.Rcx);
        _code.Byte(0x85);
        _code.ModRegister(HostRegister.Rcx, HostRegister.Rcx);
        byte* none = _code.JumpIf(4);
        _code.AluImmediate(CodeWriter.Cmp, HostRegister.Rcx, 4096 / size);
        AddColdExit(_code.JumpIf(7), slow);
        CheckRun(HostRegister.Rdi, size, slow);
        _held = -1;
        if (moves)
        {
            CheckRun(HostRegister.Rsi, size, slow);
            CheckString(in item, index, size, write: false, HostRegister.Rsi, in _stackAccesses[index]);
            _code.StoreState(StateOffset.Parked2, HostRegister.Scratch);
            _held = -1;
        }

        CheckString(in item, index, size, write: true, HostRegister.Rdi, in _operandAccesses[index]);

        // The host's own instruction does the work: the registers of the guest's are its own.
        AfterRun(HostRegister.Scratch2, HostRegister.Rdi, size);
        _code.Move(HostRegister.Rdi, HostRegister.Scratch);
        if (moves)
        {
            AfterRun(HostRegister.Scratch, HostRegister.Rsi, size);
            _code.LoadState(HostRegister.Rsi, StateOffset.Parked2);
        }

        if (size == 2)
        {
            _code.Byte(0x66);
        }

        _code.Byte(0xF3);
        if (size == 8)
        {
            _code.Byte(0x48);
        }

        _code.Byte((moves ? 0xA4 : 0xAA) | (size == 1 ? 0 : 1));
        _code.Move(HostRegister.Rdi, HostRegister.Scratch2);
        if (moves)
        {
            _code.Move(HostRegister.Rsi, HostRegister.Scratch);
        }

        CodeWriter.Patch(none, _code.At);
        _held = -1;
        _pointsTo = -1;
    }

    private void CheckString(in Item item, int index, int size, bool write, int pointer, in WindowAccess access)
    {
        _operand = 0;
        _code.Move(HostRegister.Scratch, pointer);
        Check(in item, index, size, write, (long)(Register.RAX + pointer) << 16, in access, pointer, 0, canRepeat: true);
    }

    private static bool IsMoveString(in Instruction instruction) => instruction.Code is Code.Movsb_m8_m8 or Code.Movsw_m16_m16 or Code.Movsd_m32_m32 or Code.Movsq_m64_m64;

    // The run ends in its page: mov r10d, pointer; and r10d, 4095; lea r10, [r10 + rcx * size]; cmp r10, 4096
    private void CheckRun(int pointer, int size, int otherwise)
    {
        _code.Move32(HostRegister.Scratch2, pointer);
        _code.AluImmediate(CodeWriter.And, HostRegister.Scratch2, 4095, wide: false);
        AfterRun(HostRegister.Scratch2, HostRegister.Scratch2, size);
        _code.AluImmediate(CodeWriter.Cmp, HostRegister.Scratch2, 4096);
        AddColdExit(_code.JumpIf(7), otherwise);
    }

    // lea to, [pointer + rcx * size]
    private void AfterRun(int to, int pointer, int size)
    {
        _code.RexIndexed(true, to, HostRegister.Rcx, pointer);
        _code.Byte(0x8D);
        _code.ModIndexed(to, pointer, HostRegister.Rcx, System.Numerics.BitOperations.Log2((uint)size), 0);
    }

    /// <summary>Whether a bit test on memory names its bit in a register: it may then lie anywhere.</summary>
    private static bool IsBitString(in Item item) => item.Family == Family.BitTest && item.HasMemory && item.Instruction.Op1Kind == OpKind.Register;

    /// <summary>Leaves the host address of the operand of a bit test in the scratch register, and the bit's number in it parked.</summary>
    private void EmitBitStringAddress(in Item item, int index)
    {
        int width = item.Width;
        BeforeClobber(in item);
        _operand = 0;
        EmitLinear(in item, index, width, item.StoresMemory, 0);
        int register = GuestOperand(item.Instruction.Op1Register, HostRegister.Scratch2);
        if (width == 8)
        {
            _code.Move(HostRegister.Scratch2, register);
        }
        else
        {
            // movsxd r10, r32
            _code.Rex(true, HostRegister.Scratch2, register);
            _code.Byte(0x63);
            _code.ModRegister(HostRegister.Scratch2, register);
        }

        _code.StoreState(StateOffset.Parked2, HostRegister.Scratch2);

        // sar r10, 5 or 6; lea r9, [r9 + r10 * width]
        _code.Rex(true, 0, HostRegister.Scratch2);
        _code.Byte(0xC1);
        _code.ModRegister(7, HostRegister.Scratch2);
        _code.Byte(width == 8 ? 6 : 5);
        _code.RexIndexed(true, HostRegister.Scratch, HostRegister.Scratch2, HostRegister.Scratch);
        _code.Byte(0x8D);
        _code.ModIndexed(HostRegister.Scratch, HostRegister.Scratch, HostRegister.Scratch2, width == 8 ? 3 : 2, 0);

        // and qword [parked], width - 1
        _code.AluStateImmediate(CodeWriter.And, StateOffset.Parked2, (width * 8) - 1);
        _held = -1;
        Check(in item, index, width, item.StoresMemory, SiteOf(in item), in _operandAccesses[index], 0, 0, canRepeat: false);
    }

    /// <summary>The bit test itself. Changes no flag but CF.</summary>
    private void EmitBitString(in Item item)
    {
        _code.LoadState(HostRegister.Scratch2, StateOffset.Parked2);
        if (item.Instruction.HasLockPrefix)
        {
            _code.Byte(0xF0);
        }

        _code.Rex(item.Width == 8, HostRegister.Scratch2, HostRegister.Scratch);
        _code.Byte(0x0F);
        _code.Byte(item.Instruction.Mnemonic switch { Mnemonic.Bt => 0xA3, Mnemonic.Bts => 0xAB, Mnemonic.Btr => 0xB3, _ => 0xBB });
        _code.ModMemory(HostRegister.Scratch2, HostRegister.Scratch);
    }
}
