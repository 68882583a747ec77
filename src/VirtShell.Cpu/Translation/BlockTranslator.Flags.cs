using System;

namespace VirtShell.Cpu.Translation;

/// <summary>
/// Status flags. They stay in RFLAGS as the guest's instructions leave them; a thunk remembers what they follow from. Whatever
/// overwrites RFLAGS (a TLB check, the budget) costs nothing where nobody reads flags afterwards; an exit names the thunk.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>The slot that keeps RFLAGS through a TLB check where no thunk can bring them back.</summary>
    private const int NativeSlot = FlagPlace.Slots;

    /// <summary>The slot of what changed only some flags.</summary>
    private const byte PartialPlace = FlagPlace.Slot + 5;

    // One for each place where a block can go on.
    private readonly FlagProspect[] _prospects = new FlagProspect[BlockReader.MaxWays];
    private int _prospectCount;

    /// <summary>What the guest's flags follow from now.</summary>
    private FlagThunk _flags;

    /// <summary>What has changed some of them since, where they are <see cref="FlagThunk.Incoming"/>; else <see cref="FlagThunk.Canonical"/>.</summary>
    private FlagThunk _partial = FlagThunk.Canonical;

    /// <summary>RFLAGS holds the guest's flags: those of <see cref="_hostFlags"/>.</summary>
    private bool _inHost;
    private uint _hostFlags;

    /// <summary>Flags that <see cref="NativeSlot"/> holds.</summary>
    private uint _rawFlags;

    /// <summary>Which flags matter after each instruction. Gives those that must be in RFLAGS at the block's entry.</summary>
    private uint Analyse(Item[] items)
    {
        _prospectCount = 0;
        ref Item last = ref items[_count - 1];
        // At its end every block tells the next one how to get the flags: a budget may end there.
        bool need = true;
        uint live = last.Family switch
        {
            Family.Exit or Family.Return or Family.SystemCall or Family.SystemReturn => 0,
            Family.Branch => ProspectOf(last.Instruction.NearBranchTarget).Live | ProspectOf((ulong)last.End).Live,
            Family.Jump or Family.Call => last.Instruction.FlowControl is Iced.Intel.FlowControl.UnconditionalBranch or Iced.Intel.FlowControl.Call
                ? ProspectOf(last.Instruction.NearBranchTarget).Live : 0,
            _ => ProspectOf((ulong)last.End).Live,
        };
        // Before the first instruction that sets all flags, those that an instruction leaves need not be at hand: word of it is enough.
        int known = 0;
        while (known < _count && items[known].Effect is not (FlagEffect.Full or FlagEffect.Settled))
        {
            known++;
        }

        for (int i = _count - 1; i >= 0; i--)
        {
            ref Item item = ref items[i];
            if (item.Family == Family.Branch && i < _count - 1)
            {
                need = true;
                live |= ProspectOf(item.Instruction.NearBranchTarget).Live;
            }

            item.NeedAfter = need;
            item.LiveAfter = live;
            bool exits = BlockReader.HasExit(in item);
            switch (item.Effect)
            {
                case FlagEffect.Full:
                    need = false;
                    live = 0;
                    break;
                case FlagEffect.Settled:
                    need = true;
                    live = 0;
                    break;
                case FlagEffect.Partial when need || live != 0:
                    // What stays must be in RFLAGS when the instruction runs.
                    live = Kept(in item, need && (i > known || PartialOf(in item).PartialClass == 0), live);
                    exits |= BlockReader.IsShiftByCl(in item);
                    break;
                default:
                    exits &= item.Effect != FlagEffect.Partial || item.HasMemory;
                    break;
            }

            live |= item.Effect == FlagEffect.Settled ? 0 : item.Descriptor.FlagsRead;
            need |= exits;
            item.LiveBefore = live;
        }

        return live;
    }

    private static uint Kept(in Item item, bool need, uint live) =>
        (need ? Flags.Status : live) & ~WrittenFlags(in item);

    /// <summary>Flags that an instruction which leaves the others alone changes.</summary>
    private static uint WrittenFlags(in Item item) => item.Family switch
    {
        Family.Increment => Flags.Status & ~Flags.Carry,
        Family.BitTest => Flags.Carry,
        Family.Rotate => Flags.Carry | Flags.Overflow,
        Family.Shift or Family.DoubleShift => Flags.Status,
        _ => PartialWrites(item.Instruction.Mnemonic),
    };

    /// <summary>The thunk of an instruction that changes some flags, its result in the slot for such; class 0 where there is none.</summary>
    private static FlagThunk PartialOf(in Item item)
    {
        FlagKind kind = item.Family switch
        {
            Family.Increment => item.Instruction.Mnemonic == Iced.Intel.Mnemonic.Inc ? FlagKind.Increment : FlagKind.Decrement,
            Family.BitTest => FlagKind.CarryOnly,
            Family.Rotate => item.Instruction.Mnemonic == Iced.Intel.Mnemonic.Rol ? FlagKind.Rol : FlagKind.Ror,
            _ => FlagKind.Canonical,
        };
        bool high = item.Instruction.Op0Kind == Iced.Intel.OpKind.Register && BlockReader.IsHighByte(item.Instruction.Op0Register);
        return kind == FlagKind.Canonical || high ? FlagThunk.Canonical : new FlagThunk(kind, (byte)item.Width, PartialPlace, FlagPlace.Immediate, 0);
    }

    private static uint PartialWrites(Iced.Intel.Mnemonic mnemonic) => mnemonic switch
    {
        Iced.Intel.Mnemonic.Adox => Flags.Overflow,
        Iced.Intel.Mnemonic.Cmpxchg8b or Iced.Intel.Mnemonic.Cmpxchg16b => Flags.Zero,
        _ => Flags.Carry,
    };

    private FlagProspect ProspectOf(ulong target)
    {
        for (int i = 0; i < _prospectCount; i++)
        {
            if (_prospects[i].Target == target)
            {
                return _prospects[i];
            }
        }

        FlagProspect prospect = _reader.Prospect(_page, target, _key);
        _prospects[_prospectCount++] = prospect;
        return prospect;
    }

    /// <summary>At a block's entry and after a call of the interpreter: the state says how to get the flags.</summary>
    private void FlagsAreSettled()
    {
        _flags = FlagThunk.Incoming;
        _partial = FlagThunk.Canonical;
        _inHost = false;
        _rawFlags = 0;
    }

    /// <summary>An instruction has set all flags.</summary>
    private void SetFlags(in FlagThunk thunk, uint hostFlags = Flags.Status)
    {
        _flags = thunk;
        _partial = FlagThunk.Canonical;
        _inHost = true;
        _hostFlags = hostFlags;
        _rawFlags = 0;
    }

    /// <summary>An instruction has set all flags, and only RFLAGS tells them: keeps them where they are needed beyond the next check.</summary>
    private void SetExactFlags(bool need)
    {
        _inHost = true;
        _hostFlags = Flags.Status;
        _rawFlags = 0;
        _partial = FlagThunk.Canonical;
        _flags = new FlagThunk(FlagKind.Raw, 8, FlagPlace.Slot, FlagPlace.Immediate, 0);
        if (need)
        {
            SaveFlagsTo(0);
        }
        else
        {
            _flags = FlagThunk.Lost;
        }
    }

    /// <summary>Before RFLAGS is overwritten: keeps what later instructions of the block read.</summary>
    private void BeforeClobber(in Item item)
    {
        if (!_inHost)
        {
            return;
        }

        uint wanted = item.LiveBefore & _hostFlags;
        _inHost = false;
        if (wanted != 0 && (Recomputable() & wanted) != wanted && (_rawFlags & wanted) != wanted)
        {
            SaveFlagsTo(NativeSlot);
            _rawFlags = _hostFlags;
        }
    }

    /// <summary>Flags that the thunk gives when it is run again; none where it cannot be.</summary>
    private uint Recomputable()
    {
        const uint Arithmetic = Flags.Status;
        return _flags.Kind switch
        {
            FlagKind.AddResult or FlagKind.SubResult or FlagKind.Compare or FlagKind.Logic or FlagKind.And or FlagKind.NegateResult or FlagKind.Raw => Arithmetic,
            FlagKind.Shl or FlagKind.Shr or FlagKind.Sar when _flags.B == FlagPlace.Immediate => (int)_flags.Immediate >= _flags.Width * 8 ? 0 : Arithmetic,
            // The form with two operands has no width of 8 bits.
            FlagKind.Imul when _flags.Width > 1 => Flags.Carry | Flags.Overflow,
            _ => 0,
        };
    }

    private static uint ShiftFlags(int count, int width) =>
        count >= width * 8 ? 0 : Flags.Carry | Flags.Zero | Flags.Sign | Flags.Parity | (count == 1 ? Flags.Overflow : 0);

    /// <summary>Puts flags into RFLAGS where they are not there. Uses only the second scratch register.</summary>
    private void EnsureInHost(uint mask)
    {
        if (mask == 0 || (_inHost && (_hostFlags & mask) == mask))
        {
            return;
        }

        if (!_inHost && (_rawFlags & mask) == mask)
        {
            RestoreFlagsFrom(NativeSlot);
            _inHost = true;
            _hostFlags = _rawFlags;
            return;
        }

        uint recomputable = Recomputable();
        if ((recomputable & mask) == mask)
        {
            _hostFlags = Recompute(mask);
            _inHost = true;
            return;
        }

        if (_flags.Kind == FlagKind.Lost)
        {
            throw new InvalidOperationException("A translated block asks for flags that it has not kept.");
        }

        if (_flags.Kind == FlagKind.Incoming)
        {
            EmitLoadIncoming();
            return;
        }

        int id = NewExit(ExitKind.CallOut, 0, 0);
        _code.StoreStateImmediate32(StateOffset.ExitId, id);
        _code.Call(_stubs.SettleFlags);
        FlagsAreSettled();
        _inHost = true;
        _hostFlags = Flags.Status;
    }

    /// <summary>Runs the flag-setting operation again on copies of its operands, so that flags are in RFLAGS: gives which.</summary>
    private uint Recompute(uint mask)
    {
        const int Copy = HostRegister.Scratch2;
        int width = _flags.Width;
        if (_flags.Kind == FlagKind.Raw)
        {
            RestoreFlagsFrom(_flags.A - FlagPlace.Slot);
            return Flags.Status;
        }

        LoadPlace(Copy, _flags.A);
        switch (_flags.Kind)
        {
            case FlagKind.AddResult:
                PlaceOperation(CodeWriter.Sub, width, Copy, _flags.B);
                PlaceOperation(CodeWriter.Add, width, Copy, _flags.B);
                break;
            case FlagKind.SubResult:
                PlaceOperation(CodeWriter.Add, width, Copy, _flags.B);
                PlaceOperation(CodeWriter.Sub, width, Copy, _flags.B);
                break;
            case FlagKind.Compare:
                PlaceOperation(CodeWriter.Cmp, width, Copy, _flags.B);
                break;
            case FlagKind.And:
                PlaceOperation(CodeWriter.And, width, Copy, _flags.B);
                break;
            case FlagKind.Logic:
                Sized(width, 0x84, Copy, Copy);
                break;
            case FlagKind.NegateResult:
                Sized(width, 0xF6, 3, Copy);
                Sized(width, 0xF6, 3, Copy);
                break;
            case FlagKind.Imul:
                Imul(width, Copy);
                return Flags.Carry | Flags.Overflow;
            default:
                return RecomputeShift(mask, Copy);
        }

        return Flags.Status;
    }

    // A processor leaves AF open, and OF for counts above one: the interpreter clears the one, and the last step by itself gives the other.
    private uint RecomputeShift(uint mask, int copy)
    {
        int width = _flags.Width;
        int count = (int)_flags.Immediate;
        int digit = _flags.Kind == FlagKind.Shl ? 4 : _flags.Kind == FlagKind.Shr ? 5 : 7;
        bool exact = (mask & ~ShiftFlags(count, width)) != 0;
        if (!exact || count > 1)
        {
            Sized(width, 0xC0, digit, copy);
            _code.Byte(exact ? count - 1 : count);
        }

        if (!exact)
        {
            return ShiftFlags(count, width);
        }

        Sized(width, 0xD0, digit, copy);
        EmitSaveFlags();

        // and ah, ~AF
        _code.Byte(0x80);
        _code.ModRegister(4, 4);
        _code.Byte(~(int)Flags.Adjust & 0xFF);
        EmitRestoreFlags();
        return Flags.Status;
    }

    // imul copy, B
    private void Imul(int width, int copy)
    {
        if (_flags.B == FlagPlace.Immediate)
        {
            Prefix(width, copy, copy);
            _code.Byte(0x69);
            _code.ModRegister(copy, copy);
            Immediate(width, _flags.Immediate);
            return;
        }

        int register = FlagPlace.IsRegister(_flags.B) ? HostRegister.Of(_flags.B) : HostRegister.None;
        Prefix(width, copy, register == HostRegister.None ? HostRegister.State : register);
        _code.Byte(0x0F);
        _code.Byte(0xAF);
        if (register == HostRegister.None)
        {
            _code.ModState(copy, PlaceOffset(_flags.B));
        }
        else
        {
            _code.ModRegister(copy, register);
        }
    }

    /// <summary>An operation of the 80h group between a register and a place.</summary>
    private void PlaceOperation(byte operation, int width, int register, byte place)
    {
        if (place == FlagPlace.Immediate)
        {
            Sized(width, 0x80, operation, register);
            Immediate(width, _flags.Immediate);
            return;
        }

        int other = FlagPlace.IsRegister(place) ? HostRegister.Of(place) : HostRegister.None;
        if (other != HostRegister.None)
        {
            Sized(width, operation << 3, other, register);
            return;
        }

        Prefix(width, register, HostRegister.State);
        _code.Byte((operation << 3) | (width == 1 ? 2 : 3));
        _code.ModState(register, PlaceOffset(place));
    }

    private void Immediate(int width, ulong value)
    {
        switch (width)
        {
            case 1:
                _code.Byte((int)value);
                break;
            case 2:
                _code.Word((int)value);
                break;
            default:
                _code.Dword((int)value);
                break;
        }
    }

    private static int PlaceOffset(byte place) =>
        place < FlagPlace.Slot ? StateOffset.Gpr(place) : StateOffset.Slot(place - FlagPlace.Slot);

    private void LoadPlace(int to, byte place)
    {
        if (place == FlagPlace.Immediate)
        {
            // mov r32, imm32: only zero idioms have an immediate here.
            _code.Rex(false, 0, to);
            _code.Byte(0xB8 | (to & 7));
            _code.Dword((int)_flags.Immediate);
            return;
        }

        int register = FlagPlace.IsRegister(place) ? HostRegister.Of(place) : HostRegister.None;
        if (register != HostRegister.None)
        {
            _code.Move(to, register);
        }
        else
        {
            _code.LoadState(to, PlaceOffset(place));
        }
    }

    /// <summary>Operand-size prefix and REX.</summary>
    private void Prefix(int width, int reg, int rm)
    {
        if (width == 2)
        {
            _code.Byte(0x66);
        }

        _code.Rex(width == 8, reg, rm, force: width == 1 && (reg is >= 4 and < 8 || rm is >= 4 and < 8));
    }

    /// <summary>An instruction with a byte opcode whose next one is its wider form, on two registers.</summary>
    private void Sized(int width, int opcode, int reg, int rm)
    {
        Prefix(width, reg, rm);
        _code.Byte(opcode | (width == 1 ? 0 : 1));
        _code.ModRegister(reg, rm);
    }

    // mov r10, rax; lahf; seto al: leaves the image in AX and RAX in the second scratch register.
    private void EmitSaveFlags()
    {
        _code.Move(HostRegister.Scratch2, HostRegister.Rax);
        _code.Byte(0x9F);
        _code.Byte(0x0F);
        _code.Byte(0x90);
        _code.ModRegister(0, HostRegister.Rax);
    }

    // add al, 7Fh (OF from bit 0); sahf; mov rax, r10
    private void EmitRestoreFlags()
    {
        _code.Byte(0x04);
        _code.Byte(0x7F);
        _code.Byte(0x9E);
        _code.Move(HostRegister.Rax, HostRegister.Scratch2);
    }

    private void SaveFlagsTo(int slot)
    {
        EmitSaveFlags();
        _code.Byte(0x66);
        _code.RexState(false, HostRegister.Rax);
        _code.Byte(0x89);
        _code.ModState(HostRegister.Rax, StateOffset.Slot(slot));
        _code.Move(HostRegister.Rax, HostRegister.Scratch2);
    }

    private void RestoreFlagsFrom(int slot)
    {
        _code.Move(HostRegister.Scratch2, HostRegister.Rax);

        // movzx eax, word [slot]
        _code.RexState(false, HostRegister.Rax);
        _code.Byte(0x0F);
        _code.Byte(0xB7);
        _code.ModState(HostRegister.Rax, StateOffset.Slot(slot));
        EmitRestoreFlags();
    }

    /// <summary>Keeps operands of the thunk that the instruction is about to overwrite.</summary>
    private void SpillOverwritten(in Item item)
    {
        if (item.Effect == FlagEffect.Full || item.Effect == FlagEffect.Settled || !(item.NeedAfter || item.LiveAfter != 0))
        {
            return;
        }

        Spill(BlockReader.WrittenRegisters(in item));
    }

    private void Spill(uint registers)
    {
        if (FlagPlace.IsRegister(_flags.A) && (registers & (1u << _flags.A)) != 0)
        {
            byte old = _flags.A;
            byte slot = FreeSlot();
            StoreRegister(slot, old);
            _flags = _flags with { A = slot, B = _flags.B == old ? slot : _flags.B };
        }

        if (FlagPlace.IsRegister(_flags.B) && (registers & (1u << _flags.B)) != 0)
        {
            byte slot = FreeSlot();
            StoreRegister(slot, _flags.B);
            _flags = _flags with { B = slot };
        }
    }

    private byte FreeSlot()
    {
        byte slot = FlagPlace.Slot + 1;
        while (_flags.A == slot || _flags.B == slot)
        {
            slot++;
        }

        return slot;
    }

    /// <summary>mov [slot], guest register.</summary>
    private void StoreRegister(byte slot, int guest)
    {
        int host = HostRegister.Of(guest);
        if (host == HostRegister.None)
        {
            host = HostRegister.Scratch2;
            LoadGuest(host, guest);
        }

        _code.StoreState(StateOffset.Slot(slot - FlagPlace.Slot), host);
        if (host == HostRegister.Scratch2)
        {
            Hold(guest);
        }
    }

    /// <summary>Hands the flags to the next block: operands in registers that it may overwrite before somebody asks (<paramref name="modified"/>) are kept.</summary>
    private void PassFlags(uint modified)
    {
        if (_flags.Kind == FlagKind.Incoming)
        {
            if (_partial.PartialClass != 0)
            {
                _code.StoreStateImmediate32(StateOffset.FlagPartial, (_exits.ThunkIndex(in _partial) << 2) | _partial.PartialClass);
            }

            return;
        }

        Spill(modified);

        // Both words at once: nothing is pending over these flags.
        _code.StoreStateImmediate64(StateOffset.FlagThunk, _exits.ThunkIndex(in _flags));
    }
}
