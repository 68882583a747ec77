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
    public const byte PartialPlace = FlagPlace.Slot + 5;

    /// <summary>At a block's entry and after a call of the interpreter: the state says how to get the flags.</summary>
    private void FlagsAreSettled()
    {
        _now.Flags = FlagThunk.Incoming;
        _now.Partial = FlagThunk.Canonical;
        _now.InHost = false;
        _now.RawFlags = 0;
    }

    /// <summary>An instruction has set all flags.</summary>
    private void SetFlags(in FlagThunk thunk, uint hostFlags = Flags.Status)
    {
        _now.Flags = thunk;
        _now.Partial = FlagThunk.Canonical;
        _now.InHost = true;
        _now.HostFlags = hostFlags;
        _now.RawFlags = 0;
    }

    /// <summary>An instruction has set all flags, and only RFLAGS tells them: keeps them where they are needed beyond the next check.</summary>
    private void SetExactFlags(bool need)
    {
        _now.InHost = true;
        _now.HostFlags = Flags.Status;
        _now.RawFlags = 0;
        _now.Partial = FlagThunk.Canonical;
        _now.Flags = new FlagThunk(FlagKind.Raw, 8, FlagPlace.Slot, FlagPlace.Immediate, 0);
        if (need)
        {
            SaveFlagsTo(0);
        }
        else
        {
            _now.Flags = FlagThunk.Lost;
        }
    }

    /// <summary>Before RFLAGS is overwritten: keeps what later instructions of the block read.</summary>
    private void BeforeClobber(in Item item)
    {
        if (!_now.InHost)
        {
            return;
        }

        uint wanted = item.LiveBefore & _now.HostFlags;
        _now.InHost = false;
        if (wanted != 0 && (Recomputable() & wanted) != wanted && (_now.RawFlags & wanted) != wanted)
        {
            SaveFlagsTo(NativeSlot);
            _now.RawFlags = _now.HostFlags;
        }
    }

    /// <summary>Flags that the thunk gives when it is run again; none where it cannot be.</summary>
    private uint Recomputable()
    {
        const uint Arithmetic = Flags.Status;
        return _now.Flags.Kind switch
        {
            FlagKind.AddResult or FlagKind.SubResult or FlagKind.Compare or FlagKind.Logic or FlagKind.And or FlagKind.NegateResult or FlagKind.Raw => Arithmetic,
            FlagKind.Shl or FlagKind.Shr or FlagKind.Sar when _now.Flags.B == FlagPlace.Immediate => (int)_now.Flags.Immediate >= _now.Flags.Width * 8 ? 0 : Arithmetic,
            // The form with two operands has no width of 8 bits.
            FlagKind.Imul when _now.Flags.Width > 1 => Flags.Carry | Flags.Overflow,
            _ => 0,
        };
    }

    private static uint ShiftFlags(int count, int width) =>
        count >= width * 8 ? 0 : Flags.Carry | Flags.Zero | Flags.Sign | Flags.Parity | (count == 1 ? Flags.Overflow : 0);

    /// <summary>Puts flags into RFLAGS where they are not there. Uses only the second scratch register.</summary>
    private void EnsureInHost(uint mask)
    {
        if (mask == 0 || (_now.InHost && (_now.HostFlags & mask) == mask))
        {
            return;
        }

        if (!_now.InHost && (_now.RawFlags & mask) == mask)
        {
            RestoreFlagsFrom(NativeSlot);
            _now.InHost = true;
            _now.HostFlags = _now.RawFlags;
            return;
        }

        uint recomputable = Recomputable();
        if ((recomputable & mask) == mask)
        {
            _now.HostFlags = Recompute(mask);
            _now.InHost = true;
            return;
        }

        if (_now.Flags.Kind == FlagKind.Lost)
        {
            throw new InvalidOperationException("A translated block asks for flags that it has not kept.");
        }

        if (_now.Flags.Kind == FlagKind.Incoming)
        {
            EmitLoadIncoming();
            return;
        }

        int id = NewExit(ExitKind.CallOut, 0, 0);
        _code.StoreStateImmediate32(StateOffset.ExitId, id);
        _code.Call(_stubs.SettleFlags);
        FlagsAreSettled();
        _now.InHost = true;
        _now.HostFlags = Flags.Status;
    }

    /// <summary>Runs the flag-setting operation again on copies of its operands, so that flags are in RFLAGS: gives which.</summary>
    private uint Recompute(uint mask)
    {
        const int Copy = HostRegister.Scratch2;
        int width = _now.Flags.Width;
        if (_now.Flags.Kind == FlagKind.Raw)
        {
            RestoreFlagsFrom(_now.Flags.A - FlagPlace.Slot);
            return Flags.Status;
        }

        LoadPlace(Copy, _now.Flags.A);
        switch (_now.Flags.Kind)
        {
            case FlagKind.AddResult:
                PlaceOperation(CodeWriter.Sub, width, Copy, _now.Flags.B);
                PlaceOperation(CodeWriter.Add, width, Copy, _now.Flags.B);
                break;
            case FlagKind.SubResult:
                PlaceOperation(CodeWriter.Add, width, Copy, _now.Flags.B);
                PlaceOperation(CodeWriter.Sub, width, Copy, _now.Flags.B);
                break;
            case FlagKind.Compare:
                PlaceOperation(CodeWriter.Cmp, width, Copy, _now.Flags.B);
                break;
            case FlagKind.And:
                PlaceOperation(CodeWriter.And, width, Copy, _now.Flags.B);
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
        int width = _now.Flags.Width;
        int count = (int)_now.Flags.Immediate;
        int digit = _now.Flags.Kind == FlagKind.Shl ? 4 : _now.Flags.Kind == FlagKind.Shr ? 5 : 7;
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
        if (_now.Flags.B == FlagPlace.Immediate)
        {
            Prefix(width, copy, copy);
            _code.Byte(0x69);
            _code.ModRegister(copy, copy);
            Immediate(width, _now.Flags.Immediate);
            return;
        }

        int register = FlagPlace.IsRegister(_now.Flags.B) ? HostRegister.Of(_now.Flags.B) : HostRegister.None;
        Prefix(width, copy, register == HostRegister.None ? HostRegister.State : register);
        _code.Byte(0x0F);
        _code.Byte(0xAF);
        if (register == HostRegister.None)
        {
            _code.ModState(copy, PlaceOffset(_now.Flags.B));
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
            Immediate(width, _now.Flags.Immediate);
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
            _code.Dword((int)_now.Flags.Immediate);
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
        if (FlagPlace.IsRegister(_now.Flags.A) && (registers & (1u << _now.Flags.A)) != 0)
        {
            byte old = _now.Flags.A;
            byte slot = FreeSlot();
            StoreRegister(slot, old);
            _now.Flags = _now.Flags with { A = slot, B = _now.Flags.B == old ? slot : _now.Flags.B };
        }

        if (FlagPlace.IsRegister(_now.Flags.B) && (registers & (1u << _now.Flags.B)) != 0)
        {
            byte slot = FreeSlot();
            StoreRegister(slot, _now.Flags.B);
            _now.Flags = _now.Flags with { B = slot };
        }
    }

    private byte FreeSlot()
    {
        byte slot = FlagPlace.Slot + 1;
        while (_now.Flags.A == slot || _now.Flags.B == slot)
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
        if (_now.Flags.Kind == FlagKind.Incoming)
        {
            if (_now.Partial.PartialClass != 0)
            {
                _code.StoreStateImmediate32(StateOffset.FlagPartial, (_exits.ThunkIndex(in _now.Partial) << 2) | _now.Partial.PartialClass);
            }

            return;
        }

        Spill(modified);

        // Both words at once: nothing is pending over these flags.
        _code.StoreStateImmediate64(StateOffset.FlagThunk, _exits.ThunkIndex(in _now.Flags));
    }
}
