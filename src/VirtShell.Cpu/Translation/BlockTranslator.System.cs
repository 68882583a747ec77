using Iced.Intel;
using VirtShell.Cpu.Instructions.Privileged;

namespace VirtShell.Cpu.Translation;

/// <summary>The few system instructions that kernels execute all the time.</summary>
internal sealed unsafe partial class BlockTranslator
{
    private void EmitSystemFlag(in Item item, int index)
    {
        BeforeClobber(in item);
        switch (item.Instruction.Mnemonic)
        {
            case Mnemonic.Cli:
                ChangeFlags(CodeWriter.And, ~Flags.Interrupt);
                break;
            case Mnemonic.Cld:
                ChangeFlags(CodeWriter.And, ~Flags.Direction);
                break;
            case Mnemonic.Std:
                ChangeFlags(CodeWriter.Or, Flags.Direction);
                break;
            case Mnemonic.Clac:
                ChangeFlags(CodeWriter.And, ~Flags.AlignmentCheck);
                CopyState(StateOffset.SystemTlb, StateOffset.Tlb);
                break;
            case Mnemonic.Stac:
                ChangeFlags(CodeWriter.Or, Flags.AlignmentCheck);
                CopyState(StateOffset.AcTlb, StateOffset.Tlb);
                break;
            default:
                EmitSti(in item, index);
                break;
        }
    }

    // STI: what waits is the interpreter's business; else interrupts are taken after the next instruction at the earliest.
    private void EmitSti(in Item item, int index)
    {
        StateOperation(CodeWriter.Cmp, StateOffset.Pending, 0);
        AddColdExit(_code.JumpIf(5), NewExit(ExitKind.Instruction, item.Offset, index));

        TestState(StateOffset.FlagsRest, Flags.Interrupt);
        byte* open = _code.JumpIf(5);
        ChangeFlags(CodeWriter.Or, Flags.Interrupt);

        // Retired when this instruction has: the run's end less what is left once the block, charged whole, has run.
        _code.LoadState(HostRegister.Scratch, StateOffset.RunEnd);
        _code.AluState(CodeWriter.Sub, HostRegister.Scratch, StateOffset.Budget);
        _code.Lea(HostRegister.Scratch, HostRegister.Scratch, -(_plan.Count - index - 1 + _now.Ahead));
        _code.StoreState(StateOffset.ShadowAt, HostRegister.Scratch);
        CodeWriter.Patch(open, _code.At);
    }

    /// <summary>RDTSC and RDTSCP where the counter follows the instructions, and everybody may read it. The interpreter executes any other.</summary>
    private void EmitTimestamp(in Item item, int index)
    {
        BeforeClobber(in item);
        int slow = NewExit(ExitKind.Instruction, item.Offset, index);
        _code.CompareState32(StateOffset.TimestampFollows, 0);
        AddColdExit(_code.JumpIf(4), slow);
        TestState(StateOffset.Cr4, (uint)ControlBits.Cr4Tsd);
        AddColdExit(_code.JumpIf(5), slow);

        // Retired before this instruction: the run's end less what is left once the block, charged whole, has run.
        _code.LoadState(HostRegister.Rax, StateOffset.RunEnd);
        _code.AluState(CodeWriter.Sub, HostRegister.Rax, StateOffset.Budget);
        _code.AluState(CodeWriter.Add, HostRegister.Rax, StateOffset.TimestampBase);
        _code.AluImmediate(CodeWriter.Sub, HostRegister.Rax, _plan.Count - index + _now.Ahead);
        _code.ShiftLeft(HostRegister.Rax, ProcessorClock.TscShift);
        _code.AluState(CodeWriter.Add, HostRegister.Rax, StateOffset.TscOffset);
        _code.Move(HostRegister.Rdx, HostRegister.Rax);
        _code.ShiftRight(HostRegister.Rdx, 32);
        _code.Move32(HostRegister.Rax, HostRegister.Rax);
        if (item.Instruction.Mnemonic == Mnemonic.Rdtscp)
        {
            _code.LoadState32(HostRegister.Rcx, StateOffset.TscAux);
        }
    }

    private void EmitSwapGs()
    {
        _code.LoadState(HostRegister.Scratch, StateOffset.SegmentBase(SegmentIndex.Gs));
        _code.LoadState(HostRegister.Scratch2, StateOffset.KernelGsBase);
        _code.StoreState(StateOffset.SegmentBase(SegmentIndex.Gs), HostRegister.Scratch2);
        _code.StoreState(StateOffset.SegmentBase(SegmentIndex.Gs64), HostRegister.Scratch2);
        _code.StoreState(StateOffset.KernelGsBase, HostRegister.Scratch);
    }

    // The processor keeps no code of CPL 1 and 2 apart from that of CPL 0.
    private void EmitFaultAddress(in Item item, int index)
    {
        BeforeClobber(in item);
        _code.CompareState32(StateOffset.Cpl, 0);
        AddColdExit(_code.JumpIf(5), NewExit(ExitKind.Instruction, item.Offset, index));
        int guest = BlockReader.GeneralNumber(item.Instruction.Op0Register);
        int host = HostRegister.Of(guest);
        int to = host == HostRegister.None ? HostRegister.Scratch2 : host;
        _code.LoadState(to, StateOffset.Cr2);
        if (host == HostRegister.None)
        {
            _code.StoreState(StateOffset.Gpr(guest), to);
        }
    }

    private void EmitSelector(in Item item, int index)
    {
        if (item.HasMemory)
        {
            EmitOperandAddress(in item, index);
            LoadState16(HostRegister.Scratch2, StateOffset.SegmentSelector(item.Instruction.Op1Register - Register.ES));

            // mov [operand], r10w
            _code.Byte(0x66);
            _code.Rex(false, HostRegister.Scratch2, HostRegister.Scratch);
            _code.Byte(0x89);
            _code.ModMemory(HostRegister.Scratch2, HostRegister.Scratch, _now.Operand);
            return;
        }

        int guest = BlockReader.GeneralNumber(item.Instruction.Op0Register);
        int host = HostRegister.Of(guest);
        int to = host == HostRegister.None ? HostRegister.Scratch2 : host;
        int selector = StateOffset.SegmentSelector(item.Instruction.Op1Register - Register.ES);
        if (item.Width == 2)
        {
            // The register's upper part stays.
            State16(0x8B, to, selector);
            if (host == HostRegister.None)
            {
                State16(0x89, to, StateOffset.Gpr(guest));
            }

            return;
        }

        LoadState16(to, selector);
        if (host == HostRegister.None)
        {
            _code.StoreState(StateOffset.Gpr(guest), to);
        }
    }

    // MOV between 16 bits of a register and of the state.
    private void State16(int opcode, int register, int offset)
    {
        _code.Byte(0x66);
        _code.RexState(false, register);
        _code.Byte(opcode);
        _code.ModState(register, offset);
    }

    private void EmitSegmentBase(in Item item, int index)
    {
        const int CanonicalBits = 47;
        ref readonly Instruction instruction = ref item.Instruction;
        BeforeClobber(in item);
        int exit = NewExit(ExitKind.Instruction, item.Offset, index);
        TestState(StateOffset.Cr4, (uint)ControlBits.Cr4FsGsBase);
        AddColdExit(_code.JumpIf(4), exit);
        bool fs = instruction.Mnemonic is Mnemonic.Rdfsbase or Mnemonic.Wrfsbase;
        int place = StateOffset.SegmentBase(fs ? SegmentIndex.Fs : SegmentIndex.Gs);
        bool wide = instruction.Op0Register.GetSize() == 8;
        if (instruction.Mnemonic is Mnemonic.Rdfsbase or Mnemonic.Rdgsbase)
        {
            int guest = BlockReader.GeneralNumber(instruction.Op0Register);
            int host = HostRegister.Of(guest);
            int to = host == HostRegister.None ? HostRegister.Scratch2 : host;
            if (wide)
            {
                _code.LoadState(to, place);
            }
            else
            {
                _code.LoadState32(to, place);
            }

            if (host == HostRegister.None)
            {
                _code.StoreState(StateOffset.Gpr(guest), to);
            }

            return;
        }

        int value = GuestOperand(instruction.Op0Register, HostRegister.Scratch2);
        if (wide)
        {
            _code.Move(HostRegister.Scratch, value);
            _code.Move(HostRegister.Scratch2, value);

            // sar r10, 47; add r10, 1; cmp r10, 1
            _code.Rex(true, 0, HostRegister.Scratch2);
            _code.Byte(0xC1);
            _code.ModRegister(7, HostRegister.Scratch2);
            _code.Byte(CanonicalBits);
            _code.AluImmediate(CodeWriter.Add, HostRegister.Scratch2, 1);
            _code.AluImmediate(CodeWriter.Cmp, HostRegister.Scratch2, 1);
            AddColdExit(_code.JumpIf(7), exit);
        }
        else
        {
            _code.Move32(HostRegister.Scratch, value);
        }

        _code.StoreState(place, HostRegister.Scratch);
        _code.StoreState(StateOffset.SegmentBase(fs ? SegmentIndex.Fs64 : SegmentIndex.Gs64), HostRegister.Scratch);
    }

    /// <summary>RFLAGS, those bits of <paramref name="mask"/> that are no status flags, into a register. Uses the second scratch register.</summary>
    private void EmitFlagImage(int to, uint mask)
    {
        EnsureInHost(Flags.Status);

        // pushfq; pop r10
        _code.Byte(0x9C);
        _code.Byte(0x41);
        _code.Byte(0x58 | (HostRegister.Scratch2 & 7));
        _code.Touched |= Scratch2Bit;
        _code.LoadState32(to, StateOffset.FlagsRest);

        // The interpreter's flags, should anybody ask, are still those of the thunk.
        _now.InHost = false;
        _code.AluImmediate(CodeWriter.And, HostRegister.Scratch2, (int)Flags.Status, wide: false);
        _code.AluImmediate(CodeWriter.And, to, (int)mask, wide: false);
        _code.AluRegister(CodeWriter.Or, to, HostRegister.Scratch2, wide: false);
    }

    /// <summary>
    /// SYSCALL from CPL 3 (SDM Vol. 2B, SYSCALL), where IA32_FMASK clears all status flags and leaves neither TF nor AC: what systems
    /// ask for. The interpreter executes any other.
    /// </summary>
    private void EmitSystemCall(in Item item, int index)
    {
        BeforeClobber(in item);
        int slow = NewExit(ExitKind.Instruction, item.Offset, index);
        TestState(StateOffset.Efer, (uint)ControlBits.EferSyscall);
        AddColdExit(_code.JumpIf(4), slow);
        _code.LoadState32(HostRegister.Scratch, StateOffset.Fmask);
        _code.Move32(HostRegister.Scratch2, HostRegister.Scratch);
        _code.AluImmediate(CodeWriter.And, HostRegister.Scratch2, (int)Flags.Status, wide: false);
        _code.AluImmediate(CodeWriter.Cmp, HostRegister.Scratch2, (int)Flags.Status, wide: false);
        AddColdExit(_code.JumpIf(5), slow);
        Complement(HostRegister.Scratch);
        StateRegister32(0x23, HostRegister.Scratch, StateOffset.FlagsRest);
        TestScratch(Flags.Trap | Flags.AlignmentCheck);
        AddColdExit(_code.JumpIf(5), slow);
        EmitCheckOtherJumpTable(slow);

        EmitFlagImage(HostRegister.Scratch, ~Flags.Resume);
        _code.StoreState(StateOffset.Gpr(11), HostRegister.Scratch);
        _code.LoadState(HostRegister.Rcx, StateOffset.RipBase);
        _code.Lea(HostRegister.Rcx, HostRegister.Rcx, item.End);
        _code.LoadState32(HostRegister.Scratch, StateOffset.Fmask);
        _code.AluImmediate(CodeWriter.Or, HostRegister.Scratch, (int)Flags.Resume, wide: false);
        _code.AluImmediate(CodeWriter.And, HostRegister.Scratch, ~(int)Flags.Fixed, wide: false);
        Complement(HostRegister.Scratch);
        StateRegister32(0x21, HostRegister.Scratch, StateOffset.FlagsRest);

        LoadState16(HostRegister.Scratch, StateOffset.Star + 4);
        _code.Lea(HostRegister.Scratch2, HostRegister.Scratch, 8);
        StoreState16(StateOffset.SegmentSelector(SegmentIndex.Ss), HostRegister.Scratch2);
        _code.AluImmediate(CodeWriter.And, HostRegister.Scratch, 0xFFFC, wide: false);
        StoreState16(StateOffset.SegmentSelector(SegmentIndex.Cs), HostRegister.Scratch);
        EmitFlatSegments(0);
        _code.StoreStateImmediate32(StateOffset.Cpl, 0);
        StateOperation(CodeWriter.And, StateOffset.ExecKey, ~(int)Vcpu.ExecKeyUser);
        CopyState(StateOffset.SystemTlb, StateOffset.Tlb);
        _code.LoadState(HostRegister.Scratch, StateOffset.Lstar);

        // What is left has all status flags clear: the flags of 1 as a logical result.
        EmitArrive(new FlagThunk(FlagKind.Logic, 4, FlagPlace.Immediate, FlagPlace.Immediate, 1));
    }

    /// <summary>SYSRET to 64-bit code (SDM Vol. 2B, SYSRET) that sets neither TF nor AC, while no event waits for IF. The interpreter executes any other.</summary>
    private void EmitSystemReturn(in Item item, int index)
    {
        BeforeClobber(in item);
        int slow = NewExit(ExitKind.Instruction, item.Offset, index);
        TestState(StateOffset.Efer, (uint)ControlBits.EferSyscall);
        AddColdExit(_code.JumpIf(4), slow);
        _code.CompareState32(StateOffset.Pending, 0);
        AddColdExit(_code.JumpIf(5), slow);

        // Canonical: bits 63:47 are all alike.
        _code.Move(HostRegister.Scratch, HostRegister.Rcx);
        _code.Rex(true, 0, HostRegister.Scratch);
        _code.Byte(0xC1);
        _code.ModRegister(7, HostRegister.Scratch);
        _code.Byte(47);
        _code.AluImmediate(CodeWriter.Add, HostRegister.Scratch, 1);
        _code.AluImmediate(CodeWriter.Cmp, HostRegister.Scratch, 1);
        AddColdExit(_code.JumpIf(7), slow);
        _code.LoadState(HostRegister.Scratch, StateOffset.Gpr(11));
        TestScratch(Flags.Trap | Flags.AlignmentCheck);
        AddColdExit(_code.JumpIf(5), slow);
        EmitCheckOtherJumpTable(slow);

        // Status flags as LAHF and SETO give them.
        _code.Move32(HostRegister.Scratch2, HostRegister.Scratch);
        _code.AluImmediate(CodeWriter.And, HostRegister.Scratch2, 0xFF, wide: false);
        _code.ShiftLeft(HostRegister.Scratch2, 8);
        StoreState16(StateOffset.Slot(0), HostRegister.Scratch2);
        _code.Move32(HostRegister.Scratch2, HostRegister.Scratch);
        _code.ShiftRight(HostRegister.Scratch2, 11);
        _code.AluImmediate(CodeWriter.And, HostRegister.Scratch2, 1, wide: false);
        StateRegister32(0x09, HostRegister.Scratch2, StateOffset.Slot(0));
        const uint Loaded = Flags.Defined & ~(Flags.Status | Flags.Fixed | Flags.Resume | Flags.Virtual8086);
        _code.AluImmediate(CodeWriter.And, HostRegister.Scratch, (int)Loaded, wide: false);
        _code.AluImmediate(CodeWriter.Or, HostRegister.Scratch, (int)Flags.Fixed, wide: false);
        _code.StoreState32(StateOffset.FlagsRest, HostRegister.Scratch);

        LoadState16(HostRegister.Scratch, StateOffset.Star + 6);
        _code.Lea(HostRegister.Scratch2, HostRegister.Scratch, 8);
        _code.AluImmediate(CodeWriter.Or, HostRegister.Scratch2, 3, wide: false);
        StoreState16(StateOffset.SegmentSelector(SegmentIndex.Ss), HostRegister.Scratch2);
        _code.Lea(HostRegister.Scratch, HostRegister.Scratch, 16);
        _code.AluImmediate(CodeWriter.Or, HostRegister.Scratch, 3, wide: false);
        StoreState16(StateOffset.SegmentSelector(SegmentIndex.Cs), HostRegister.Scratch);
        EmitFlatSegments(SystemCallHandlers.User);
        _code.StoreStateImmediate32(StateOffset.Cpl, 3);
        StateOperation(CodeWriter.Or, StateOffset.ExecKey, (int)Vcpu.ExecKeyUser);
        CopyState(StateOffset.UserTlb, StateOffset.Tlb);
        _code.Move(HostRegister.Scratch, HostRegister.Rcx);
        EmitArrive(new FlagThunk(FlagKind.Raw, 8, FlagPlace.Slot, FlagPlace.Immediate, 0));
    }

    private void EmitCheckOtherJumpTable(int otherwise)
    {
        // cmp qword [OtherJumpTable], 0
        _code.RexState(true, 0);
        _code.Byte(0x83);
        _code.ModState(7, StateOffset.OtherJumpTable);
        _code.Byte(0);
        AddColdExit(_code.JumpIf(4), otherwise);
    }

    // CS and SS as SYSCALL and SYSRET load them: base 0, limit 4 GiB, of a privilege level.
    private void EmitFlatSegments(uint level)
    {
        // mov r10d, 1; shl r10, 32
        _code.Byte(0x41);
        _code.Byte(0xB8 | (HostRegister.Scratch2 & 7));
        _code.Touched |= Scratch2Bit;
        _code.Dword(1);
        _code.ShiftLeft(HostRegister.Scratch2, 32);
        EmitFlatSegment(SegmentIndex.Cs, SystemCallHandlers.FlatCode | SegmentRegister.Long | level);
        _code.StoreStateImmediate64(StateOffset.SegmentWriteEnd(SegmentIndex.Cs), 0);
        EmitFlatSegment(SegmentIndex.Ss, SystemCallHandlers.FlatData | level);
        _code.StoreState(StateOffset.SegmentWriteEnd(SegmentIndex.Ss), HostRegister.Scratch2);
    }

    private void EmitFlatSegment(int segment, uint attributes)
    {
        _code.StoreStateImmediate64(StateOffset.SegmentBase(segment), 0);
        _code.StoreState(StateOffset.SegmentReadEnd(segment), HostRegister.Scratch2);
        _code.StoreStateImmediate32(StateOffset.SegmentLimit(segment), -1);
        _code.StoreStateImmediate32(StateOffset.SegmentAttributes(segment), (int)attributes);
    }

    // Goes on at the RIP in the scratch register, across a change of privilege.
    private void EmitArrive(in FlagThunk flags)
    {
        _now.Flags = flags;
        _now.Partial = FlagThunk.Canonical;
        _now.InHost = false;
        _now.RawFlags = 0;
        _code.StoreState(StateOffset.Rip, HostRegister.Scratch);
        _code.LoadState(HostRegister.Scratch, StateOffset.JumpTable);
        _code.LoadState(HostRegister.Scratch2, StateOffset.OtherJumpTable);
        _code.StoreState(StateOffset.JumpTable, HostRegister.Scratch2);
        _code.StoreState(StateOffset.OtherJumpTable, HostRegister.Scratch);
        _code.LoadState(HostRegister.Scratch, StateOffset.Rip);
        EmitLookUp(NewExit(ExitKind.Arrived, 0, _plan.Count));
        PassFlags(0);

        // Returns that the other privilege level expects mean nothing here.
        _code.LoadState(HostRegister.Rsp, StateOffset.ReturnStack);
        EmitEnterFound();
    }

    private void CopyState(int from, int to)
    {
        _code.LoadState(HostRegister.Scratch2, from);
        _code.StoreState(to, HostRegister.Scratch2);
    }

    // not r32
    private void Complement(int register)
    {
        _code.Rex(false, 0, register);
        _code.Byte(0xF7);
        _code.ModRegister(2, register);
    }

    // test r9d, immediate
    private void TestScratch(uint mask)
    {
        _code.Rex(false, 0, HostRegister.Scratch);
        _code.Byte(0xF7);
        _code.ModRegister(0, HostRegister.Scratch);
        _code.Dword((int)mask);
    }

    // test dword [state + offset], immediate
    private void TestState(int offset, uint mask)
    {
        _code.RexState(false, 0);
        _code.Byte(0xF7);
        _code.ModState(0, offset);
        _code.Dword((int)mask);
    }

    // An operation on a 32-bit register and a dword of the state, by its opcode: either may be the destination.
    private void StateRegister32(int opcode, int register, int offset)
    {
        _code.RexState(false, register);
        _code.Byte(opcode);
        _code.ModState(register, offset);
    }

    // movzx r32, word [state + offset]
    private void LoadState16(int register, int offset)
    {
        _code.RexState(false, register);
        _code.Byte(0x0F);
        _code.Byte(0xB7);
        _code.ModState(register, offset);
    }

    // mov [state + offset], r16
    private void StoreState16(int offset, int register)
    {
        _code.Byte(0x66);
        _code.RexState(false, register);
        _code.Byte(0x89);
        _code.ModState(register, offset);
    }

    private void ChangeFlags(byte operation, uint value) => StateOperation(operation, StateOffset.FlagsRest, (int)value);

    // An operation of the 80h group on a dword of the state and an immediate.
    private void StateOperation(byte operation, int offset, int value)
    {
        _code.RexState(false, 0);
        _code.Byte(0x81);
        _code.ModState(operation, offset);
        _code.Dword(value);
    }
}
