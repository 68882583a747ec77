using Iced.Intel;

namespace VirtShell.Cpu.Translation;

/// <summary>
/// REP STOS and REP MOVS of 64-bit code that go forward: a slice at a time, which is what lies whole in the pages of destination and
/// source, and one instruction. The interpreter executes any other.
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

        // Nothing at all for a count of zero.
        TestRcx();
        byte* none = _code.JumpIf(4);
        _now.Held = -1;
        if (moves)
        {
            // A window as well: the destination's page may drive the source's out of the TLB.
            CheckString(in item, index, size, write: false, HostRegister.Rsi, in _plan.StackAccesses[index]);
            Keep(in _plan.StackAccesses[index]);
            _now.Held = -1;
        }

        CheckString(in item, index, size, write: true, HostRegister.Rdi, in _plan.OperandAccesses[index]);
        _code.StoreState(StateOffset.Parked, HostRegister.Scratch);

        // Elements of the slice into the second scratch register. One that crosses pages is none.
        ElementsInPage(HostRegister.Scratch2, HostRegister.Rdi, size, slow);
        if (moves)
        {
            ElementsInPage(HostRegister.Scratch, HostRegister.Rsi, size, slow);
            MoveIfBelow(HostRegister.Scratch2, HostRegister.Scratch);
        }

        MoveIfBelow(HostRegister.Scratch2, HostRegister.Rcx);

        // What the guest's registers are behind the slice, onto the stack: the host's own instruction does the work.
        _code.Move(HostRegister.Scratch, HostRegister.Rcx);
        _code.AluRegister(CodeWriter.Sub, HostRegister.Scratch, HostRegister.Scratch2);
        Push(HostRegister.Scratch);
        AfterSlice(HostRegister.Rdi, size);
        Push(HostRegister.Scratch);
        if (moves)
        {
            AfterSlice(HostRegister.Rsi, size);
            Push(HostRegister.Scratch);
            _code.LoadState(HostRegister.Rsi, StateOffset.Window(_plan.Windows[_plan.StackAccesses[index].Window].Slot));
        }

        _code.Move(HostRegister.Rcx, HostRegister.Scratch2);
        _code.LoadState(HostRegister.Rdi, StateOffset.Parked);
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
        if (moves)
        {
            _code.Byte(0x58 | HostRegister.Rsi);
        }

        _code.Byte(0x58 | HostRegister.Rdi);
        _code.Byte(0x58 | HostRegister.Rcx);

        // The next slice is the same instruction again.
        TestRcx();
        AddColdEdge(_code.JumpIf(5), (ulong)item.Offset, _plan.Count - index - 1 + _now.Ahead);
        _cold.Last.Repeats = true;
        CodeWriter.Patch(none, _code.At);
        _now.Held = -1;
        _now.PointsTo = -1;
    }

    // Word of the repetition, should an event come before the next slice; of the flags, as to somebody who may overwrite every register.
    private void EmitRepeatAgain(int owed)
    {
        _code.LoadState(HostRegister.Scratch, StateOffset.RunEnd);
        _code.AluState(CodeWriter.Sub, HostRegister.Scratch, StateOffset.Budget);
        _code.Lea(HostRegister.Scratch, HostRegister.Scratch, -owed);
        _code.StoreState(StateOffset.RepeatAt, HostRegister.Scratch);
        PassFlags(uint.MaxValue);
    }

    private void CheckString(in Item item, int index, int size, bool write, int pointer, in WindowAccess access)
    {
        _now.Operand = 0;
        _code.Move(HostRegister.Scratch, pointer);
        Check(in item, index, size, write, (long)(Register.RAX + pointer) << 16, in access, onStack: true);
    }

    private static bool IsMoveString(in Instruction instruction) => instruction.Code is Code.Movsb_m8_m8 or Code.Movsw_m16_m16 or Code.Movsd_m32_m32 or Code.Movsq_m64_m64;

    // test rcx, rcx
    private void TestRcx()
    {
        _code.Rex(true, HostRegister.Rcx, HostRegister.Rcx);
        _code.Byte(0x85);
        _code.ModRegister(HostRegister.Rcx, HostRegister.Rcx);
    }

    // mov to, pointer; or to, -4096; neg to; shr to, log2(size): bytes up to the end of the page, as elements.
    private void ElementsInPage(int to, int pointer, int size, int none)
    {
        _code.Move32(to, pointer);
        _code.AluImmediate(CodeWriter.Or, to, -4096, wide: false);
        _code.Rex(false, 0, to);
        _code.Byte(0xF7);
        _code.ModRegister(3, to);
        if (size > 1)
        {
            _code.Rex(false, 0, to);
            _code.Byte(0xC1);
            _code.ModRegister(5, to);
            _code.Byte(System.Numerics.BitOperations.Log2((uint)size));
            AddColdExit(_code.JumpIf(4), none);
        }
    }

    // cmp from, to; cmovb to, from
    private void MoveIfBelow(int to, int from)
    {
        _code.AluRegister(CodeWriter.Cmp, from, to);
        _code.Rex(true, to, from);
        _code.Byte(0x0F);
        _code.Byte(0x42);
        _code.ModRegister(to, from);
    }

    // lea r9, [pointer + r10 * size]
    private void AfterSlice(int pointer, int size)
    {
        _code.RexIndexed(true, HostRegister.Scratch, HostRegister.Scratch2, pointer);
        _code.Byte(0x8D);
        _code.ModIndexed(HostRegister.Scratch, pointer, HostRegister.Scratch2, System.Numerics.BitOperations.Log2((uint)size), 0);
    }

    private void Push(int register)
    {
        _code.Rex(false, 0, register);
        _code.Byte(0x50 | (register & 7));
    }

    /// <summary>Leaves the host address of the operand of a bit test in the scratch register, and the bit's number in it parked.</summary>
    private void EmitBitStringAddress(in Item item, int index)
    {
        int width = item.Width;
        BeforeClobber(in item);
        _now.Operand = 0;
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
        _now.Held = -1;
        Check(in item, index, width, item.StoresMemory, SiteOf(in item), in _plan.OperandAccesses[index]);
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
