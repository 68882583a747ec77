using Iced.Intel;

namespace VirtShell.Cpu.Translation;

/// <summary>Integer instructions by what they do to flags.</summary>
internal sealed unsafe partial class BlockTranslator
{
    // Slots that a setter may fill: the thunk before it is dead once it has executed.
    private const byte SlotA = FlagPlace.Slot + 3;
    private const byte SlotB = FlagPlace.Slot + 4;

    private void EmitPlain(in Item item, int index)
    {
        if (item.HasMemory)
        {
            EmitOperandAddress(in item, index);
            if (BlockReader.IsOffsetMove(item.Instruction.Code))
            {
                EmitOffsetMove(in item);
                return;
            }
        }

        EmitNative(in item);
    }

    // MOV AL/AX/EAX/RAX, moffs and back: as the ModRM form.
    private void EmitOffsetMove(in Item item)
    {
        bool store = item.Instruction.Op0Kind == OpKind.Memory;
        int size = item.MemorySize;
        if (size == 2)
        {
            _code.Byte(0x66);
        }

        _code.Rex(size == 8, HostRegister.Rax, HostRegister.Scratch);
        _code.Byte((store ? 0x88 : 0x8A) | (size == 1 ? 0 : 1));
        _code.ModMemory(HostRegister.Rax, HostRegister.Scratch, _now.Operand);
    }

    private void EmitReader(in Item item, int index)
    {
        if (item.HasMemory)
        {
            EmitOperandAddress(in item, index);
        }

        EnsureInHost(item.Descriptor.FlagsRead);
        EmitNative(in item);
    }

    private void EmitLea(in Item item)
    {
        int guest = BlockReader.GeneralNumber(item.Instruction.Op0Register);
        int host = HostRegister.Of(guest);
        int size = item.Instruction.Op0Register.GetSize();
        if (size >= 4 && _plan.AddressBits(in item.Instruction) >= 32)
        {
            bool inMemory = host == HostRegister.None;
            EmitEffective(in item, inMemory ? HostRegister.Scratch2 : host, narrow: size == 4);
            if (inMemory)
            {
                _code.StoreState(StateOffset.Gpr(guest), HostRegister.Scratch2);
                Hold(guest);
            }

            return;
        }

        EmitEffective(in item, HostRegister.Scratch);
        if (host == HostRegister.None)
        {
            if (size == 2)
            {
                _code.Byte(0x66);
            }
            else if (size == 4)
            {
                _code.Move32(HostRegister.Scratch, HostRegister.Scratch);
                size = 8;
            }

            _code.RexState(size == 8, HostRegister.Scratch);
            _code.Byte(0x89);
            _code.ModState(HostRegister.Scratch, StateOffset.Gpr(guest));
            Forget(guest);
            return;
        }

        Prefix(size, HostRegister.Scratch, host);
        _code.Byte(0x89);
        _code.ModRegister(HostRegister.Scratch, host);
    }

    private void EmitAlu(in Item item, int index)
    {
        ref readonly Instruction instruction = ref item.Instruction;
        Mnemonic mnemonic = instruction.Mnemonic;
        int width = item.Width;
        bool wants = item.NeedAfter || item.LiveAfter != 0;
        if (!wants && MovesStack(in item))
        {
            int amount = (int)instruction.GetImmediate(1);
            MoveStack(mnemonic == Mnemonic.Add ? amount : -amount);
            SetFlags(in FlagThunk.Lost, 0);
            return;
        }

        if (item.HasMemory)
        {
            EmitOperandAddress(in item, index);
        }

        if (!wants)
        {
            EmitNative(in item);
            SetFlags(in FlagThunk.Lost);
            return;
        }

        if (HasHighByte(in instruction))
        {
            EmitNative(in item);
            SetExactFlags(item.NeedAfter);
            return;
        }

        byte source = SourcePlace(in item, out ulong immediate);
        bool same = instruction.Op0Kind == OpKind.Register && instruction.Op1Kind == OpKind.Register && instruction.Op0Register == instruction.Op1Register;
        byte destination = instruction.Op0Kind == OpKind.Register ? (byte)BlockReader.GeneralNumber(instruction.Op0Register) : SlotA;
        if (instruction.Op1Kind == OpKind.Memory)
        {
            source = KeepOperand(width, SlotB);
        }
        else if (instruction.Op0Kind == OpKind.Memory && !item.StoresMemory)
        {
            KeepOperand(width, SlotA);
        }

        switch (mnemonic)
        {
            case Mnemonic.Cmp:
                EmitNative(in item);
                SetFlags(new FlagThunk(FlagKind.Compare, (byte)width, destination, source, immediate));
                return;
            case Mnemonic.Test:
                EmitNative(in item);
                SetFlags(same ? new FlagThunk(FlagKind.Logic, (byte)width, destination, FlagPlace.Immediate, 0) : new FlagThunk(FlagKind.And, (byte)width, destination, source, immediate));
                return;
            case Mnemonic.Sub or Mnemonic.Xor when same:
                EmitNative(in item);
                SetFlags(new FlagThunk(FlagKind.Logic, (byte)width, FlagPlace.Immediate, FlagPlace.Immediate, 0));
                return;
            case Mnemonic.Add when same:
                StoreRegister(SlotB, destination);
                source = SlotB;
                break;
            default:
                break;
        }

        EmitNative(in item);
        if (instruction.Op0Kind == OpKind.Memory)
        {
            KeepOperand(width, SlotA);
        }

        SetFlags(mnemonic switch
        {
            Mnemonic.Add => new FlagThunk(FlagKind.AddResult, (byte)width, destination, source, immediate),
            Mnemonic.Sub => new FlagThunk(FlagKind.SubResult, (byte)width, destination, source, immediate),
            _ => new FlagThunk(FlagKind.Logic, (byte)width, destination, FlagPlace.Immediate, 0),
        });
    }

    private static bool HasHighByte(in Instruction instruction) =>
        (instruction.Op0Kind == OpKind.Register && BlockReader.IsHighByte(instruction.Op0Register))
        || (instruction.OpCount > 1 && instruction.Op1Kind == OpKind.Register && BlockReader.IsHighByte(instruction.Op1Register));

    private static byte SourcePlace(in Item item, out ulong immediate)
    {
        immediate = 0;
        switch (item.Instruction.Op1Kind)
        {
            case OpKind.Register:
                return (byte)BlockReader.GeneralNumber(item.Instruction.Op1Register);
            case OpKind.Memory:
                return SlotB;
            default:
                immediate = item.Instruction.GetImmediate(1);
                return FlagPlace.Immediate;
        }
    }

    /// <summary>All flags, exactly as the host gives them; <paramref name="reads"/> must be right before.</summary>
    private void EmitExact(in Item item, int index, uint reads)
    {
        if (item.HasMemory)
        {
            EmitOperandAddress(in item, index);
        }

        EnsureInHost(reads);
        EmitNative(in item);
        SetExactFlags(item.NeedAfter);
    }

    private void EmitNegate(in Item item, int index)
    {
        if (item.HasMemory)
        {
            EmitOperandAddress(in item, index);
        }

        EmitNative(in item);
        if (item.HasMemory || HasHighByte(in item.Instruction))
        {
            SetExactFlags(item.NeedAfter);
        }
        else
        {
            SetFlags(new FlagThunk(FlagKind.NegateResult, (byte)item.Width, (byte)BlockReader.GeneralNumber(item.Instruction.Op0Register), FlagPlace.Immediate, 0));
        }
    }

    /// <summary>Some flags change, the others stay.</summary>
    private void EmitPartial(in Item item, int index)
    {
        uint written = FlagPlan.WrittenFlags(in item);
        bool bitString = BlockPlan.IsBitString(in item);
        if (bitString)
        {
            EmitBitStringAddress(in item, index);
        }
        else if (item.HasMemory)
        {
            EmitOperandAddress(in item, index);
        }

        if (CanDefer(in item, written))
        {
            EnsureInHost(item.Descriptor.FlagsRead);
            EmitPartialNative(in item, bitString);
            DeferPartial(in item, written);
            return;
        }

        uint kept = PrepareKept(in item, written);
        EmitPartialNative(in item, bitString);
        FinishPartial(in item, kept | written);
    }

    private void EmitPartialNative(in Item item, bool bitString)
    {
        if (bitString)
        {
            EmitBitString(in item);
        }
        else
        {
            EmitNative(in item);
        }
    }

    /// <summary>
    /// Whether it is enough to leave word of what an instruction changes over flags that are not at hand. Another such word of
    /// a different class may be pending from the block before: then the flags are folded first.
    /// </summary>
    private bool CanDefer(in Item item, uint written)
    {
        FlagThunk partial = FlagPlan.PartialOf(in item);
        if (!item.NeedAfter || _now.Flags.Kind != FlagKind.Incoming || partial.PartialClass == 0 || (item.LiveAfter & ~written) != 0
            || (_now.Partial.PartialClass != 0 && _now.Partial.PartialClass != partial.PartialClass))
        {
            return false;
        }

        if (_now.Partial.PartialClass == 0)
        {
            _code.LoadState32(HostRegister.Scratch2, StateOffset.FlagPartial);
            _code.AluImmediate(CodeWriter.And, HostRegister.Scratch2, 3, wide: false);
            byte* none = _code.JumpIf(4);
            _code.AluImmediate(CodeWriter.Cmp, HostRegister.Scratch2, partial.PartialClass, wide: false);
            FoldIf(5);
            CodeWriter.Patch(none, _code.At);
            _now.InHost = false;
        }

        return true;
    }

    // Keeps the result (or CF) of the instruction that has just run.
    private void DeferPartial(in Item item, uint written)
    {
        FlagThunk partial = FlagPlan.PartialOf(in item);
        if (partial.Kind == FlagKind.CarryOnly)
        {
            // setc [slot]
            _code.RexState(false, 0);
            _code.Byte(0x0F);
            _code.Byte(0x92);
            _code.ModState(0, StateOffset.Slot(PartialPlace - FlagPlace.Slot));
        }
        else if (item.HasMemory)
        {
            KeepOperand(item.Width, PartialPlace);
        }
        else
        {
            StoreRegister(PartialPlace, BlockReader.GeneralNumber(item.Instruction.Op0Register));
        }

        _now.Partial = partial;
        _now.InHost = true;
        _now.HostFlags = written;
        _now.RawFlags = 0;
    }

    // Flags that stay and matter must be in RFLAGS when the instruction runs.
    private uint PrepareKept(in Item item, uint written)
    {
        uint kept = (item.NeedAfter ? Flags.Status : item.LiveAfter) & ~written;
        EnsureInHost(kept | item.Descriptor.FlagsRead);
        return kept;
    }

    private void FinishPartial(in Item item, uint valid)
    {
        SetExactFlags(item.NeedAfter);
        _now.HostFlags = valid;
    }

    private void EmitRotate(in Item item, int index)
    {
        bool wants = item.NeedAfter || item.LiveAfter != 0;
        int count = BlockReader.CountOf(in item);
        if (count < 0 && wants)
        {
            EmitCountCheck(in item, index);
        }

        if (item.HasMemory)
        {
            EmitOperandAddress(in item, index);
        }

        if (!wants)
        {
            EmitNative(in item);
            SetFlags(in FlagThunk.Lost, 0);
            _now.InHost = false;
            return;
        }

        const uint Written = Flags.Carry | Flags.Overflow;
        if (CanDefer(in item, Written))
        {
            EmitNative(in item);
            DeferPartial(in item, count == 1 ? Written : Flags.Carry);
            return;
        }

        uint kept = PrepareKept(in item, Written);
        EmitNative(in item);
        if (count != 1 && (item.NeedAfter || (item.LiveAfter & Flags.Overflow) != 0))
        {
            // OF is defined for a count of one only: back by one, and forth again by itself.
            EmitRotateByOne(in item, item.Instruction.Mnemonic == Mnemonic.Rol ? 1 : 0);
            EmitRotateByOne(in item, item.Instruction.Mnemonic == Mnemonic.Rol ? 0 : 1);
        }

        FinishPartial(in item, kept | Written);
    }

    private void EmitRotateByOne(in Item item, int digit)
    {
        int width = item.Width;
        if (item.HasMemory)
        {
            Prefix(width, 0, HostRegister.Scratch);
            _code.Byte(width == 1 ? 0xD0 : 0xD1);
            _code.ModMemory(digit, HostRegister.Scratch, _now.Operand);
            return;
        }

        Register register = item.Instruction.Op0Register;
        int guest = BlockReader.GeneralNumber(register);
        int host = HostRegister.Of(guest);
        if (BlockReader.IsHighByte(register))
        {
            _code.Byte(0xD0);
            _code.ModRegister(digit, guest + 4);
            return;
        }

        if (host == HostRegister.None)
        {
            host = HostRegister.Scratch2;
            LoadGuest(host, guest);
        }

        Sized(width, 0xD0, digit, host);
        if (host == HostRegister.Scratch2)
        {
            _code.StoreState(StateOffset.Gpr(guest), host);
            Hold(guest);
        }
    }

    // A count of zero changes nothing, flags neither: that is the interpreter's.
    private void EmitCountCheck(in Item item, int index)
    {
        BeforeClobber(in item);
        TestCount(item.Width);
        AddColdExit(_code.JumpIf(4), NewExit(ExitKind.Instruction, item.Offset, index));
    }

    // test cl, mask
    private void TestCount(int width)
    {
        _code.Byte(0xF6);
        _code.ModRegister(0, HostRegister.Rcx);
        _code.Byte(width == 8 ? 63 : 31);
    }

    // The flags of a double shift are the interpreter's, where somebody wants them.
    private void EmitDoubleShift(in Item item, int index)
    {
        if (item.Wants)
        {
            EmitCallOut(index, 1);
            return;
        }

        if (item.HasMemory)
        {
            EmitOperandAddress(in item, index);
        }

        EmitNative(in item);
        SetFlags(in FlagThunk.Lost, 0);
    }

    private void EmitShift(in Item item, int index)
    {
        bool wants = item.NeedAfter || item.LiveAfter != 0;
        int count = BlockReader.CountOf(in item);
        int width = item.Width;
        if (HasHighByte(in item.Instruction) && wants)
        {
            EmitCallOut(index, 1);
            return;
        }

        if (item.HasMemory)
        {
            EmitOperandAddress(in item, index);
        }

        if (!wants)
        {
            EmitNative(in item);
            SetFlags(in FlagThunk.Lost, 0);
            _now.InHost = false;
            return;
        }

        if (count < 0)
        {
            // A count of zero changes no flag.
            BeforeClobber(in item);
            TestCount(width);
            FoldIf(4);
        }

        if (item.HasMemory)
        {
            KeepOperand(width, SlotA);
        }
        else
        {
            StoreRegister(SlotA, BlockReader.GeneralNumber(item.Instruction.Op0Register));
        }

        FlagKind kind = item.Instruction.Mnemonic switch { Mnemonic.Shr => FlagKind.Shr, Mnemonic.Sar => FlagKind.Sar, _ => FlagKind.Shl };
        if (count < 0)
        {
            StoreRegister(SlotB, HostRegister.Rcx);
        }

        EmitNative(in item);
        SetFlags(
            new FlagThunk(kind, (byte)width, SlotA, count < 0 ? SlotB : FlagPlace.Immediate, count < 0 ? 0 : (ulong)count),
            count < 0 ? (width >= 4 ? Flags.Carry | Flags.Zero | Flags.Sign | Flags.Parity : 0) : ShiftFlags(count, width));
    }

    private void EmitImul(in Item item, int index)
    {
        ref readonly Instruction instruction = ref item.Instruction;
        int width = item.Width;
        if (item.HasMemory)
        {
            EmitOperandAddress(in item, index);
        }

        if (!item.Wants)
        {
            EmitNative(in item);
            SetFlags(in FlagThunk.Lost, 0);
            return;
        }

        byte destination = (byte)BlockReader.GeneralNumber(instruction.Op0Register);
        byte source = instruction.Op1Kind == OpKind.Register ? (byte)BlockReader.GeneralNumber(instruction.Op1Register) : KeepOperand(width, SlotB);
        FlagThunk thunk;
        if (instruction.OpCount == 3)
        {
            if (source == destination)
            {
                StoreRegister(SlotB, source);
                source = SlotB;
            }

            thunk = new FlagThunk(FlagKind.Imul, (byte)width, source, FlagPlace.Immediate, instruction.GetImmediate(2));
        }
        else
        {
            StoreRegister(SlotA, destination);
            thunk = new FlagThunk(FlagKind.Imul, (byte)width, SlotA, source == destination ? SlotA : source, 0);
        }

        EmitNative(in item);
        SetFlags(in thunk, Flags.Carry | Flags.Overflow);
    }

    private void EmitMultiplyWide(in Item item, int index)
    {
        ref readonly Instruction instruction = ref item.Instruction;
        int width = item.Width;
        if (item.Wants && HasHighByte(in instruction))
        {
            EmitCallOut(index, 1);
            return;
        }

        if (item.HasMemory)
        {
            EmitOperandAddress(in item, index);
        }

        if (!item.Wants)
        {
            EmitNative(in item);
            SetFlags(in FlagThunk.Lost, 0);
            return;
        }

        if (item.HasMemory)
        {
            KeepOperand(width, SlotB);
        }
        else
        {
            StoreRegister(SlotB, BlockReader.GeneralNumber(instruction.Op0Register));
        }

        StoreRegister(SlotA, HostRegister.Rax);
        EmitNative(in item);
        SetFlags(new FlagThunk(instruction.Mnemonic == Mnemonic.Mul ? FlagKind.Mul : FlagKind.Imul, (byte)width, SlotA, SlotB, 0), Flags.Carry | Flags.Overflow);
    }

    /// <summary>A division that cannot fault; the others are the interpreter's. It leaves flags alone, as the interpreter does.</summary>
    private void EmitDivide(in Item item, int index)
    {
        int width = item.Width;
        bool wide = width == 8;
        if (item.HasMemory)
        {
            EmitOperandAddress(in item, index);
            LoadOperand(HostRegister.Scratch, width);
        }
        else
        {
            BeforeClobber(in item);
            int guest = BlockReader.GeneralNumber(item.Instruction.Op0Register);
            int host = HostRegister.Of(guest);
            if (host == HostRegister.None)
            {
                LoadGuest(HostRegister.Scratch, guest);
            }
            else
            {
                _code.Move(HostRegister.Scratch, host);
            }
        }

        int exit = NewExit(ExitKind.Instruction, item.Offset, index);
        bool signed = item.Instruction.Mnemonic == Mnemonic.Idiv;
        if (!signed)
        {
            // The quotient fits where the high half is below the divisor, which then is not zero.
            _code.AluRegister(CodeWriter.Cmp, HostRegister.Rdx, HostRegister.Scratch, wide);
            AddColdExit(_code.JumpIf(3), exit);
        }
        else
        {
            // Dividends that are sign-extended from half their width, divisors other than 0 and -1.
            _code.Move(HostRegister.Scratch2, HostRegister.Rax);
            _code.Rex(wide, 0, HostRegister.Scratch2);
            _code.Byte(0xC1);
            _code.ModRegister(7, HostRegister.Scratch2);
            _code.Byte(wide ? 63 : 31);
            _code.AluRegister(CodeWriter.Cmp, HostRegister.Scratch2, HostRegister.Rdx, wide);
            AddColdExit(_code.JumpIf(5), exit);
            _code.Lea(HostRegister.Scratch2, HostRegister.Scratch, 1);
            _code.AluImmediate(CodeWriter.Cmp, HostRegister.Scratch2, 1, wide);
            AddColdExit(_code.JumpIf(6), exit);
        }

        _code.Rex(wide, 0, HostRegister.Scratch);
        _code.Byte(0xF7);
        _code.ModRegister(signed ? 7 : 6, HostRegister.Scratch);
    }

    private void EmitSourceFlags(in Item item, int index)
    {
        ref readonly Instruction instruction = ref item.Instruction;
        int width = item.Width;
        if (item.HasMemory)
        {
            EmitOperandAddress(in item, index);
        }

        if (!item.Wants)
        {
            EmitNative(in item);
            SetFlags(in FlagThunk.Lost, 0);
            return;
        }

        byte source = instruction.Op1Kind == OpKind.Register ? (byte)BlockReader.GeneralNumber(instruction.Op1Register) : KeepOperand(width, SlotA);
        if (FlagPlace.IsRegister(source) && source == BlockReader.GeneralNumber(instruction.Op0Register))
        {
            StoreRegister(SlotA, source);
            source = SlotA;
        }

        (FlagKind kind, uint host) = instruction.Mnemonic switch
        {
            Mnemonic.Bsf or Mnemonic.Bsr => (FlagKind.Bsf, Flags.Zero),
            Mnemonic.Lzcnt => (FlagKind.Lzcnt, Flags.Zero | Flags.Carry),
            Mnemonic.Tzcnt => (FlagKind.Tzcnt, Flags.Zero | Flags.Carry),
            Mnemonic.Popcnt => (FlagKind.Popcnt, Flags.Status),
            Mnemonic.Blsi => (FlagKind.Blsi, Flags.Zero | Flags.Sign | Flags.Carry | Flags.Overflow),
            Mnemonic.Blsr => (FlagKind.Blsr, Flags.Zero | Flags.Sign | Flags.Carry | Flags.Overflow),
            _ => (FlagKind.Blsmsk, Flags.Zero | Flags.Sign | Flags.Carry | Flags.Overflow),
        };
        EmitNative(in item);
        SetFlags(new FlagThunk(kind, (byte)width, source, FlagPlace.Immediate, 0), host);
    }

    private void EmitResultFlags(in Item item, int index)
    {
        if (item.HasMemory)
        {
            EmitOperandAddress(in item, index);
        }

        EmitNative(in item);
        uint host = Flags.Zero | Flags.Carry | Flags.Overflow | (item.Instruction.Mnemonic == Mnemonic.Andn ? Flags.Sign : 0);
        SetFlags(new FlagThunk(FlagKind.Logic, (byte)item.Width, (byte)BlockReader.GeneralNumber(item.Instruction.Op0Register), FlagPlace.Immediate, 0), host);
    }
}
