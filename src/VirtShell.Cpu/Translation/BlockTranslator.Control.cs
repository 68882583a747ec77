using Iced.Intel;

namespace VirtShell.Cpu.Translation;

/// <summary>The stack, and everything that leaves the block.</summary>
internal sealed unsafe partial class BlockTranslator
{
    private bool CanLookUp => _is64 || (_key & TranslationKey.FlatSegments) != 0;

    private int StackSize => _is64 ? 8 : 4;

    // lea r8, [r8 + delta] in the stack's width.
    private void MoveStack(int delta) => StackLea(HostRegister.GuestRsp, HostRegister.GuestRsp, delta);

    private void StackLea(int to, int @base, int delta)
    {
        _code.Rex(_is64, to, @base);
        _code.Byte(0x8D);
        _code.ModMemory(to, @base, delta);
    }

    private void EmitStackAddress(in Item item, int index, int delta, bool write)
    {
        StackLea(HostRegister.Scratch, HostRegister.GuestRsp, delta);
        EmitTlb(in item, index, StackSize, write);
    }

    // mov [r9], register in the stack's width.
    private void StoreOnStack(int register)
    {
        _code.Rex(_is64, register, HostRegister.Scratch);
        _code.Byte(0x89);
        _code.ModMemory(register, HostRegister.Scratch);
    }

    private void EmitPush(in Item item, int index)
    {
        ref readonly Instruction instruction = ref item.Instruction;
        int size = StackSize;
        BeforeClobber(in item);
        if (item.HasMemory)
        {
            EmitLinear(in item, index, size, write: false);
            EmitTlb(in item, index, size, write: false);
            LoadOperand(HostRegister.Scratch, size);
            _code.StoreState(StateOffset.Parked2, HostRegister.Scratch);
        }

        EmitStackAddress(in item, index, -size, write: true);
        if (item.HasMemory)
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
            _code.Rex(_is64, 0, HostRegister.Scratch);
            _code.Byte(0xC7);
            _code.ModMemory(0, HostRegister.Scratch);
            _code.Dword((int)instruction.GetImmediate(0));
        }

        MoveStack(-size);
    }

    private void EmitPop(in Item item, int index)
    {
        BeforeClobber(in item);
        EmitStackAddress(in item, index, 0, write: false);
        int guest = BlockReader.GeneralNumber(item.Instruction.Op0Register);
        int host = HostRegister.Of(guest);
        LoadOperand(host == HostRegister.None ? HostRegister.Scratch2 : host, StackSize);
        if (host == HostRegister.None)
        {
            _code.StoreState(StateOffset.Gpr(guest), HostRegister.Scratch2);
        }

        MoveStack(StackSize);
    }

    private void EmitLeave(in Item item, int index)
    {
        BeforeClobber(in item);
        StackLea(HostRegister.Scratch, HostRegister.Rbp, 0);
        EmitTlb(in item, index, StackSize, write: false);
        StackLea(HostRegister.GuestRsp, HostRegister.Rbp, StackSize);
        LoadOperand(HostRegister.Rbp, StackSize);
    }

    private void EmitBranch(in Item item, int index)
    {
        EnsureInHost(item.Descriptor.FlagsRead);
        ulong target = item.Instruction.NearBranchTarget;
        if (index == _count - 1)
        {
            EmitLastBranch(in item, target);
            return;
        }

        EnsureEdge(ProspectOf(target).Live);
        byte* jump = _code.JumpIf((int)item.Instruction.ConditionCode - (int)ConditionCode.o);
        _cold.Add(new ColdPart
        {
            Kind = ColdKind.Edge,
            From = jump,
            Target = Signed(in item.Instruction),
            Owed = _count - index - 1,
            Flags = _flags,
            Partial = _partial,
            InHost = _inHost,
            HostFlags = _hostFlags,
        });
    }

    // Both ways get word of the flags before the branch, which that does not disturb: the branch itself can then be linked.
    private void EmitLastBranch(in Item item, ulong target)
    {
        FlagProspect taken = ProspectOf(target);
        FlagProspect falls = ProspectOf((ulong)item.End);
        EnsureEdge(taken.Live | falls.Live);
        PassFlags(taken.Modified | falls.Modified);
        ulong signed = Signed(in item.Instruction);
        byte* jump = _code.JumpIf((int)item.Instruction.ConditionCode - (int)ConditionCode.o);
        bool links = signed < 4096 && (_key & TranslationKey.ModeMask) != (int)Execution.CodeMode.Bits16;
        if (links)
        {
            int id = NewExit(ExitKind.Branch, (int)signed, _count);
            _exits[id].HostFlags = _inHost ? _hostFlags : 0;
            _exits[id].Link = jump;
            AddColdExit(jump, id);
        }
        else
        {
            _cold.Add(new ColdPart
            {
                Kind = ColdKind.Edge,
                From = jump,
                Target = signed,
                Passed = true,
                Flags = _flags,
                Partial = _partial,
                InHost = _inHost,
                HostFlags = _hostFlags,
            });
        }
    }

    // RFLAGS for a successor that reads them at once.
    private void EnsureEdge(uint live)
    {
        if (live != 0 && (_flags.Kind != FlagKind.Lost || _inHost || (_rawFlags & live) == live))
        {
            EnsureInHost(live);
        }
    }

    // A branch's target as an offset from the start of the page, negative where it lies before it.
    private static ulong Signed(in Instruction instruction) => instruction.Op0Kind switch
    {
        OpKind.NearBranch64 => instruction.NearBranch64,
        OpKind.NearBranch32 => (ulong)(int)instruction.NearBranch32,
        _ => (ulong)(short)instruction.NearBranch16,
    };

    /// <summary>Goes on at a target: within the page by a jump that is linked when the target is known, else through the jump table.</summary>
    private void EmitEdge(ulong target, int owed, bool taken, bool passed = false)
    {
        if (!passed)
        {
            PassFlags(target < 4096 ? ProspectOf(target).Modified : uint.MaxValue);
        }

        if (owed != 0)
        {
            _code.Lea(HostRegister.Budget, HostRegister.Budget, owed);
        }

        bool near = target < 4096;
        bool truncates = taken && (_key & TranslationKey.ModeMask) == (int)Execution.CodeMode.Bits16;
        int id = NewExit(near ? ExitKind.Branch : ExitKind.FarBranch, (int)(long)target, _count);
        _exits[id].Truncates = truncates;
        _exits[id].HostFlags = _inHost && !truncates ? _hostFlags : 0;
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

            byte* link = _code.Jump();
            _exits[id].Link = link;
            CodeWriter.Patch(link, _code.At);
            if (wraps != null)
            {
                CodeWriter.Patch(wraps, _code.At);
            }
        }
        else if (CanLookUp)
        {
            _code.LoadState(HostRegister.Scratch, StateOffset.RipBase);
            AddDisplacement(HostRegister.Scratch, (int)(long)target);
            if (!_is64)
            {
                _code.Move32(HostRegister.Scratch, HostRegister.Scratch);
            }

            byte* miss = EmitLookUp();
            EmitEnterFound();
            CodeWriter.Patch(miss, _code.At);
        }

        EmitLeaveTo(id);
    }

    /// <summary>Finds the RIP in the scratch register in the jump table: host code into the second one. Gives the jump taken where it is not there.</summary>
    private byte* EmitLookUp()
    {
        _code.Move32(HostRegister.Scratch2, HostRegister.Scratch);
        _code.ShiftRight(HostRegister.Scratch2, JumpTable.MixShift);
        _code.AluRegister(CodeWriter.Xor, HostRegister.Scratch2, HostRegister.Scratch, wide: false);
        _code.AluImmediate(CodeWriter.And, HostRegister.Scratch2, JumpTable.Mask, wide: false);
        _code.ShiftLeft(HostRegister.Scratch2, JumpTable.EntryShift);
        _code.AluState(CodeWriter.Add, HostRegister.Scratch2, StateOffset.JumpTable);
        _code.Rex(true, HostRegister.Scratch, HostRegister.Scratch2);
        _code.Byte(0x3B);
        _code.ModMemory(HostRegister.Scratch, HostRegister.Scratch2);
        byte* miss = _code.JumpIf(5);
        _code.Load(HostRegister.Scratch2, HostRegister.Scratch2, 8);
        return miss;
    }

    /// <summary>Enters the code that was found; its RIP still stands in the scratch register.</summary>
    private void EmitEnterFound()
    {
        EmitRipBase();
        _code.Rex(false, 0, HostRegister.Scratch2);
        _code.Byte(0xFF);
        _code.ModRegister(4, HostRegister.Scratch2);
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
        BeforeClobber(in item);
        if (!direct)
        {
            EmitTarget(in item, index);
            int exit = NewExit(ExitKind.Indirect, item.Offset, index);
            AddColdExit(EmitLookUp(), exit);
            _code.StoreState(StateOffset.Parked2, HostRegister.Scratch2);
            _code.StoreState(StateOffset.Rip, HostRegister.Scratch);
        }

        EmitStackAddress(in item, index, -StackSize, write: true);
        _code.LoadState(HostRegister.Scratch2, StateOffset.RipBase);
        _code.Lea(HostRegister.Scratch2, HostRegister.Scratch2, item.End);
        StoreOnStack(HostRegister.Scratch2);
        Spill(1u << 4);
        MoveStack(-StackSize);
        if (direct)
        {
            EmitEdge(Signed(in item.Instruction), 0, taken: true);
            return;
        }

        PassFlags(uint.MaxValue);
        _code.LoadState(HostRegister.Scratch, StateOffset.Rip);
        _code.LoadState(HostRegister.Scratch2, StateOffset.Parked2);
        EmitEnterFound();
    }

    private void EmitReturn(in Item item, int index)
    {
        BeforeClobber(in item);
        EmitStackAddress(in item, index, 0, write: false);
        LoadOperand(HostRegister.Scratch, StackSize);
        AddColdExit(EmitLookUp(), NewExit(ExitKind.Indirect, item.Offset, index));
        FinishIndirect(StackSize + (item.Instruction.OpCount == 1 ? (int)item.Instruction.GetImmediate(0) : 0));
    }

    private void EmitJump(in Item item, int index)
    {
        if (item.Instruction.FlowControl == FlowControl.UnconditionalBranch)
        {
            EnsureEdge(ProspectOf(item.Instruction.NearBranchTarget).Live);
            EmitEdge(Signed(in item.Instruction), 0, taken: true);
            return;
        }

        BeforeClobber(in item);
        EmitTarget(in item, index);
        AddColdExit(EmitLookUp(), NewExit(ExitKind.Indirect, item.Offset, index));
        FinishIndirect(0);
    }

    // The target of an indirect branch into the scratch register.
    private void EmitTarget(in Item item, int index)
    {
        if (item.HasMemory)
        {
            EmitLinear(in item, index, item.MemorySize, write: false);
            EmitTlb(in item, index, item.MemorySize, write: false);
            LoadOperand(HostRegister.Scratch, item.MemorySize);
            return;
        }

        int register = GuestOperand(item.Instruction.Op0Register, HostRegister.Scratch);
        if (_is64)
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
    }

    // The scratch registers hold RIP and code: only moves may come between.
    private void FinishIndirect(int pop)
    {
        _code.StoreState(StateOffset.Parked2, HostRegister.Scratch2);
        if (pop != 0)
        {
            Spill(1u << 4);
            MoveStack(pop);
        }

        PassFlags(uint.MaxValue);
        _code.LoadState(HostRegister.Scratch2, StateOffset.Parked2);
        EmitEnterFound();
    }

    /// <summary>The end of a block that does not end in a branch of its own.</summary>
    private void EmitEnd(ref Item last)
    {
        if (last.Family is Family.Exit or Family.Call or Family.Return or Family.Jump)
        {
            return;
        }

        if (last.Family != Family.Branch)
        {
            EnsureEdge(ProspectOf((ulong)last.End).Live);
        }

        EmitEdge((ulong)last.End, 0, taken: false, passed: last.Family == Family.Branch);
    }
}
