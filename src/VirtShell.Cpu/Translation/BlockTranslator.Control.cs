using System;
using Iced.Intel;

namespace VirtShell.Cpu.Translation;

/// <summary>The stack, and everything that leaves the block.</summary>
internal sealed unsafe partial class BlockTranslator
{
    private bool CanLookUp => HasLookUp(_plan.Key);

    /// <summary>Whether code of a key finds targets in other pages by the jump table.</summary>
    public static bool HasLookUp(int key) => (key & TranslationKey.ModeMask) == (int)Execution.CodeMode.Bits64 || (key & TranslationKey.FlatSegments) != 0;

    /// <summary>R8 to R11, as bits.</summary>
    private const uint InMemoryRegisters = 0xF00;

    /// <summary>What <see cref="ExitRecord.StackMoves"/> can hold, by far.</summary>
    private const int MaxStackMove = 1 << 14;

    private void MoveStack(int delta) => _now.StackMoves += delta;

    /// <summary>Makes the register of the guest's RSP right. Changes no flags.</summary>
    private void EmitMoveStack()
    {
        if (_now.StackMoves != 0)
        {
            StackLea(HostRegister.GuestRsp, HostRegister.GuestRsp, _now.StackMoves);
            _now.StackMoves = 0;
        }
    }

    /// <summary>Whether an instruction looks at RSP otherwise than as the stack's pointer or the base of an address.</summary>
    private bool NamesStackPointer(in Item item)
    {
        if (item.Family is Family.CallOut or Family.SystemCall or Family.SystemReturn)
        {
            return true;
        }

        if (MovesStack(in item) && !item.Wants)
        {
            return false;
        }

        for (int i = 0; i < item.Instruction.OpCount; i++)
        {
            if (item.Instruction.GetOpKind(i) == OpKind.Register && BlockReader.GeneralNumber(item.Instruction.GetOpRegister(i)) == 4)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>ADD or SUB of a constant to RSP, in the stack's width: one that may wait.</summary>
    private bool MovesStack(in Item item) => item.Instruction.Mnemonic is Mnemonic.Add or Mnemonic.Sub && item.Instruction.Op0Kind == OpKind.Register
        && item.Instruction.Op0Register == (_plan.Is64 ? Register.RSP : Register.ESP) && BlockPlan.IsImmediate(in item.Instruction)
        && Math.Abs((long)item.Instruction.GetImmediate(1)) + Math.Abs(_now.StackMoves) < MaxStackMove;

    // lea in the stack's width.
    private void StackLea(int to, int @base, int delta)
    {
        _code.Rex(_plan.Is64, to, @base);
        _code.Byte(0x8D);
        _code.ModMemory(to, @base, delta);
    }

    // The stack operand at a displacement from RSP.
    private void EmitStackAddress(in Item item, int index, int displacement, bool write) =>
        EmitStackAddress(in item, index, write, HostRegister.GuestRsp, displacement + _now.StackMoves);

    private void StoreImmediateOnStack(int value)
    {
        uint points = _code.Touched & ScratchBit;
        _code.Rex(_plan.Is64, 0, HostRegister.Scratch);
        _code.Byte(0xC7);
        _code.ModMemory(0, HostRegister.Scratch, _now.Operand);
        _code.Dword(value);
        _code.Touched = (_code.Touched & ~ScratchBit) | points;
    }

    // mov [stack operand], register in the stack's width.
    private void StoreOnStack(int register)
    {
        uint points = _code.Touched & ScratchBit;
        _code.Rex(_plan.Is64, register, HostRegister.Scratch);
        _code.Byte(0x89);
        _code.ModMemory(register, HostRegister.Scratch, _now.Operand);
        _code.Touched = (_code.Touched & ~ScratchBit) | points;
    }

    private void EmitPush(in Item item, int index)
    {
        ref readonly Instruction instruction = ref item.Instruction;
        bool parked = item.HasMemory || instruction.OpCount == 0;
        if (instruction.OpCount == 0)
        {
            EmitFlagImage(HostRegister.Scratch, ~(Flags.Virtual8086 | Flags.Resume));
            _code.StoreState(StateOffset.Parked2, HostRegister.Scratch);
        }
        else if (item.HasMemory)
        {
            EmitOperandAddress(in item, index);
            LoadOperand(HostRegister.Scratch2, _plan.StackSize);
            _code.StoreState(StateOffset.Parked2, HostRegister.Scratch2);
        }

        EmitStackAddress(in item, index, -_plan.StackSize, write: true);
        if (parked)
        {
            _code.LoadState(HostRegister.Scratch2, StateOffset.Parked2);
            StoreOnStack(HostRegister.Scratch2);
        }
        else if (instruction.Op0Kind == OpKind.Register)
        {
            StoreOnStack(GuestOperand(instruction.Op0Register, HostRegister.Scratch2));
        }
        else
        {
            StoreImmediateOnStack((int)instruction.GetImmediate(0));
        }

        MoveStack(-_plan.StackSize);
    }

    private void EmitPop(in Item item, int index)
    {
        EmitStackAddress(in item, index, 0, write: false);
        int guest = BlockReader.GeneralNumber(item.Instruction.Op0Register);
        int host = HostRegister.Of(guest);
        LoadOperand(host == HostRegister.None ? HostRegister.Scratch2 : host, _plan.StackSize);
        if (host == HostRegister.None)
        {
            _code.StoreState(StateOffset.Gpr(guest), HostRegister.Scratch2);
            Hold(guest);
        }

        if (guest != 4)
        {
            // POP RSP leaves what it has read.
            MoveStack(_plan.StackSize);
        }
    }

    private void EmitLeave(in Item item, int index)
    {
        EmitStackAddress(in item, index, write: false, HostRegister.Rbp, 0);
        StackLea(HostRegister.GuestRsp, HostRegister.Rbp, _plan.StackSize);
        _now.StackMoves = 0;
        LoadOperand(HostRegister.Rbp, _plan.StackSize);
    }

    private void EmitBranch(in Item item, int index)
    {
        EnsureInHost(item.Descriptor.FlagsRead);
        ulong target = item.Instruction.NearBranchTarget;
        if (index == _plan.Count - 1)
        {
            EmitMoveStack();
            if (_now.Loops)
            {
                EmitLoopBranch(in item);
            }
            else
            {
                EmitLastBranch(in item, target);
            }

            return;
        }

        EnsureEdge(_plan.ProspectOf(target).Live);
        AddColdEdge(_code.JumpIf((int)item.Instruction.ConditionCode - (int)ConditionCode.o), BlockPlan.Signed(in item.Instruction), _plan.Count - index - 1 + _now.Ahead);
    }

    private void AddColdEdge(byte* jump, ulong target, int owed, bool passed = false)
    {
        ref ColdPart part = ref _cold.Add(ColdKind.Edge, jump);
        part.Target = target;
        part.Owed = owed;
        part.Passed = passed;
        part.Repeats = false;
        part.StackMoves = _now.StackMoves;
        part.Flags = _now.Flags;
        part.Partial = _now.Partial;
        part.InHost = _now.InHost;
        part.HostFlags = _now.HostFlags;
    }

    // Both ways get word of the flags before the branch, which that does not disturb: the branch itself can then be linked.
    private void EmitLastBranch(in Item item, ulong target)
    {
        FlagProspect taken = _plan.ProspectOf(target);
        FlagProspect falls = _plan.ProspectOf((ulong)item.End);
        EnsureEdge(taken.Live | falls.Live);
        PassFlags(taken.Modified | falls.Modified);
        _now.Passed = true;
        ulong signed = BlockPlan.Signed(in item.Instruction);
        byte* jump = _code.JumpIf((int)item.Instruction.ConditionCode - (int)ConditionCode.o);
        bool links = signed < 4096 && (_plan.Key & TranslationKey.ModeMask) != (int)Execution.CodeMode.Bits16;
        if (links)
        {
            int id = NewExit(ExitKind.Branch, (int)signed, _plan.Count);
            _exits[id].HostFlags = _now.InHost ? _now.HostFlags : 0;
            _exits[id].Link = jump;
            AddColdExit(jump, id);
        }
        else
        {
            AddColdEdge(jump, signed, 0, passed: true);
        }
    }

    // Adds to the budget; flags stay.
    private void GiveBack(int instructions)
    {
        _code.LoadState(HostRegister.Scratch, StateOffset.Budget);
        _code.Lea(HostRegister.Scratch, HostRegister.Scratch, instructions);
        _code.StoreState(StateOffset.Budget, HostRegister.Scratch);
    }

    // RFLAGS for a successor that reads them at once.
    private void EnsureEdge(uint live)
    {
        if (live != 0 && (_now.Flags.Kind != FlagKind.Lost || _now.InHost || (_now.RawFlags & live) == live))
        {
            EnsureInHost(live);
        }
    }

    /// <summary>Goes on at a target: within the page by a jump that is linked when the target is known, else through the jump table.</summary>
    private void EmitEdge(ulong target, int owed, bool taken, bool passed = false, bool repeats = false)
    {
        EmitMoveStack();
        if (!passed && !repeats)
        {
            PassFlags(target < 4096 ? _plan.ProspectOf(target).Modified : uint.MaxValue);
        }

        bool near = target < 4096;
        if (owed != 0)
        {
            if (near && _plan.ProspectOf(target).Live != 0)
            {
                GiveBack(owed);
            }
            else
            {
                // Nobody wants what stands in RFLAGS.
                _code.AluStateImmediate(CodeWriter.Add, StateOffset.Budget, owed);
                _now.InHost = false;
            }
        }

        bool truncates = taken && (_plan.Key & TranslationKey.ModeMask) == (int)Execution.CodeMode.Bits16;
        int id = NewExit(near ? ExitKind.Branch : ExitKind.FarBranch, (int)(long)target, _plan.Count);
        _exits[id].Owed = 0;
        _exits[id].Truncates = truncates;
        _exits[id].HostFlags = _now.InHost && !truncates ? _now.HostFlags : 0;
        if (near)
        {
            byte* wraps = null;
            if (truncates)
            {
                // A branch that wraps at 64 KiB goes to another page than its offset says.
                _code.LoadState(HostRegister.Scratch2, StateOffset.RipBase);
                _code.Lea(HostRegister.Scratch2, HostRegister.Scratch2, (int)target);
                _code.AluImmediate(CodeWriter.Cmp, HostRegister.Scratch2, 0xFFFF);
                wraps = _code.JumpIf(7);
            }

            // A slice may take as long as thousands of other instructions, so a request to stop is not left to the end of the budget.
            // No flags wait in RFLAGS here: the count was tested.
            byte* stops = null;
            if (repeats)
            {
                _code.AluStateImmediate(CodeWriter.Cmp, StateOffset.StopBelow, 0);
                stops = _code.JumpIf(5);
            }

            byte* link = _code.Jump();
            _exits[id].Link = link;
            CodeWriter.Patch(link, _code.At);
            if (stops != null)
            {
                CodeWriter.Patch(stops, _code.At);
            }

            if (wraps != null)
            {
                CodeWriter.Patch(wraps, _code.At);
            }
        }
        else if (CanLookUp)
        {
            EmitFarEdge((int)(long)target, id);
            return;
        }

        EmitLeaveTo(id);
    }

    // Goes on at a place of another page, or leaves.
    private void EmitFarEdge(int target, int otherwise)
    {
        _code.LoadState(HostRegister.Scratch, StateOffset.RipBase);
        AddDisplacement(HostRegister.Scratch, target);
        if (!_plan.Is64)
        {
            _code.Move32(HostRegister.Scratch, HostRegister.Scratch);
        }

        EmitLookUp(otherwise);
        EmitEnterFound();
    }

    /// <summary>Finds the RIP in the scratch register in the jump table: its entry into the second one. Leaves by <paramref name="otherwise"/> where it is not there.</summary>
    private void EmitLookUp(int otherwise, bool copied = false)
    {
        byte* other = JumpTable.EmitLookUp(ref _code, out byte* found, copied);
        ref ColdPart part = ref _cold.Add(ColdKind.LookUp, other);
        part.Back = found;
        part.Id = otherwise;
    }

    /// <summary>Enters the code of the entry that was found; its RIP still stands in the scratch register.</summary>
    private void EmitEnterFound(bool call = false)
    {
        EmitRipBase();
        JumpTable.EmitEnter(ref _code, call);
    }

    // The page of the RIP in the scratch register becomes the current one.
    private void EmitRipBase()
    {
        _code.AluImmediate(CodeWriter.And, HostRegister.Scratch, -4096);
        _code.StoreState(StateOffset.RipBase, HostRegister.Scratch);
    }

    private void EmitCall(in Item item, int index)
    {
        bool direct = item.Instruction.FlowControl == FlowControl.Call;
        if (!direct)
        {
            BeforeClobber(in item);
            bool copied = EmitTarget(in item, index);
            EmitLookUp(NewExit(ExitKind.Indirect, item.Offset, index), copied);
            _code.StoreState(StateOffset.Parked2, HostRegister.Scratch2);
        }

        EmitStackAddress(in item, index, -_plan.StackSize, write: true);
        _code.LoadState(HostRegister.Scratch2, StateOffset.RipBase);
        _code.Lea(HostRegister.Scratch2, HostRegister.Scratch2, item.End);
        StoreOnStack(HostRegister.Scratch2);

        // push r10: what the return is expected to find.
        _code.Byte(0x41);
        _code.Byte(0x50 | (HostRegister.Scratch2 & 7));
        Spill(1u << 4);
        MoveStack(-_plan.StackSize);
        EmitMoveStack();
        if (direct)
        {
            EmitDirectCall(BlockPlan.Signed(in item.Instruction));
        }
        else
        {
            PassFlags(uint.MaxValue);
            _code.LoadState(HostRegister.Scratch2, StateOffset.Parked2);
            _code.Load(HostRegister.Scratch, HostRegister.Scratch2);
            EmitEnterFound(call: true);
        }

        EmitLanding(item.End);
    }

    private void EmitDirectCall(ulong target)
    {
        bool near = target < 4096;
        PassFlags(near ? _plan.ProspectOf(target).Modified : uint.MaxValue);
        int id = NewExit(near ? ExitKind.Branch : ExitKind.FarBranch, (int)(long)target, _plan.Count);
        if (near)
        {
            _exits[id].HostFlags = _now.InHost ? _now.HostFlags : 0;
            _code.Byte(0xE8);
            byte* link = _code.At;
            _code.Dword(0);
            _exits[id].Link = link;
            AddColdExit(link, id);
            return;
        }

        _code.LoadState(HostRegister.Scratch, StateOffset.RipBase);
        AddDisplacement(HostRegister.Scratch, (int)(long)target);
        if (!_plan.Is64)
        {
            _code.Move32(HostRegister.Scratch, HostRegister.Scratch);
        }

        EmitLookUp(id);
        EmitEnterFound(call: true);
    }

    /// <summary>
    /// Where the guest's return comes to by the host's: goes on behind the call if that is what the guest has returned to. RIP in the
    /// scratch register, the guest's RSP in the second one.
    /// </summary>
    private void EmitLanding(int end)
    {
        if (end >= 4096)
        {
            // What is behind the call is another page's.
            _code.Lea(HostRegister.Rsp, HostRegister.Rsp, 8);
            _code.JumpTo(_stubs.Return);
            return;
        }

        // cmp r9, [rsp]
        _code.Rex(true, HostRegister.Scratch, HostRegister.Rsp);
        _code.Byte(0x3B);
        _code.ModMemory(HostRegister.Scratch, HostRegister.Rsp);
        _code.Lea(HostRegister.Rsp, HostRegister.Rsp, 8);
        byte* other = _code.JumpIf(5);
        CodeWriter.Patch(other, _stubs.Return - _code.Delta);
        FlagsAreSettled();
        _code.Move(HostRegister.GuestRsp, HostRegister.Scratch2);
        EmitRipBase();
        EmitEdge((ulong)end, 0, taken: false);
    }

    // Nothing has happened when the host returns: whoever it comes to completes it.
    private void EmitReturn(in Item item, int index)
    {
        int size = _plan.StackSize;
        EmitStackAddress(in item, index, 0, write: false);
        LoadOperand(HostRegister.Scratch, size);
        int id = NewExit(ExitKind.Indirect, item.Offset, index);
        PassFlags(uint.MaxValue);
        _code.StoreStateImmediate32(StateOffset.ExitId, id);
        StackLea(HostRegister.Scratch2, HostRegister.GuestRsp, _now.StackMoves + size + (item.Instruction.OpCount == 1 ? (int)item.Instruction.GetImmediate(0) : 0));
        _code.Byte(0xC3);
    }

    private void EmitJump(in Item item, int index)
    {
        if (item.Instruction.FlowControl == FlowControl.UnconditionalBranch)
        {
            EnsureEdge(_plan.ProspectOf(item.Instruction.NearBranchTarget).Live);
            EmitEdge(BlockPlan.Signed(in item.Instruction), 0, taken: true);
            return;
        }

        EmitMoveStack();
        BeforeClobber(in item);
        Spill(InMemoryRegisters);
        bool copied = EmitTarget(in item, index);
        EmitLookUp(NewExit(ExitKind.Indirect, item.Offset, index), copied);
        FinishIndirect();
    }

    // The target of an indirect branch into the scratch register. True: it stands in the second one, too.
    private bool EmitTarget(in Item item, int index)
    {
        if (item.HasMemory)
        {
            EmitOperandAddress(in item, index);
            LoadOperand(HostRegister.Scratch, item.MemorySize);
            return false;
        }

        int register = GuestOperand(item.Instruction.Op0Register, HostRegister.Scratch);
        if (_plan.Is64)
        {
            if (register != HostRegister.Scratch)
            {
                _code.Move(HostRegister.Scratch, register);
            }
        }
        else
        {
            _code.Move32(HostRegister.Scratch, register);
        }

        return register == HostRegister.Scratch2;
    }

    // The scratch registers hold RIP and code: only moves may come between.
    private void FinishIndirect()
    {
        // A guest register that is kept for the flags may come through the second scratch register.
        bool parks = IsInMemory(_now.Flags.A) || IsInMemory(_now.Flags.B);
        if (parks)
        {
            _code.StoreState(StateOffset.Parked2, HostRegister.Scratch2);
        }

        PassFlags(uint.MaxValue);
        if (parks)
        {
            _code.LoadState(HostRegister.Scratch2, StateOffset.Parked2);
        }

        EmitEnterFound();
    }

    private static bool IsInMemory(byte place) => FlagPlace.IsRegister(place) && HostRegister.Of(place) == HostRegister.None;

    /// <summary>The end of a block that does not end in a branch of its own.</summary>
    private void EmitEnd(ref Item last)
    {
        if (BlockReader.EndsBlock(last.Family))
        {
            return;
        }

        if (last.Family != Family.Branch)
        {
            EnsureEdge(_plan.ProspectOf((ulong)last.End).Live);
        }

        EmitEdge((ulong)last.End, _now.Ahead, taken: false, passed: last.Family == Family.Branch && _now.Passed);
    }
}
