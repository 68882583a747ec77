namespace VirtShell.Cpu.Translation;

/// <summary>Routines that put into RFLAGS what a flag thunk says, for where its number is known only when the code runs.</summary>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>What one takes at most.</summary>
    public const int SettleBytes = 128;

    /// <summary>Whether emitted code can compute all that a thunk changes, as <see cref="FlagThunk.Settle"/> does.</summary>
    public bool CanSettle(in FlagThunk thunk)
    {
        _now.Flags = thunk;
        return thunk.PartialClass != 0 || Recomputable() == Flags.Status;
    }

    /// <summary>Emits the routine; it uses only the second scratch register. That of a thunk which changes only some flags has the others in RFLAGS.</summary>
    public void EmitSettle(ref CodeWriter code, in FlagThunk thunk)
    {
        Emitting?.Invoke(-1);
        _code = code;
        _now.Held = -1;
        _now.Flags = thunk;
        switch (thunk.PartialClass)
        {
            case 0:
                Recompute(Flags.Status);
                break;
            case 1:
                // Back by one and forth again: that leaves CF.
                _code.LoadState(HostRegister.Scratch2, PlaceOffset(thunk.A));
                Sized(thunk.Width, 0xFE, thunk.Kind == FlagKind.Increment ? 1 : 0, HostRegister.Scratch2);
                Sized(thunk.Width, 0xFE, thunk.Kind == FlagKind.Increment ? 0 : 1, HostRegister.Scratch2);
                break;
            case 2:
                _code.LoadState(HostRegister.Scratch2, PlaceOffset(thunk.A));
                EmitCarryFromScratch2();
                break;
            default:
                _code.LoadState(HostRegister.Scratch2, PlaceOffset(thunk.A));
                Sized(thunk.Width, 0xD0, thunk.Kind == FlagKind.Rol ? 1 : 0, HostRegister.Scratch2);
                Sized(thunk.Width, 0xD0, thunk.Kind == FlagKind.Rol ? 0 : 1, HostRegister.Scratch2);
                break;
        }

        _code.Byte(0xC3);
        code = _code;
    }

    // bt r10d, 0
    private void EmitCarryFromScratch2()
    {
        _code.Rex(false, 0, HostRegister.Scratch2);
        _code.Byte(0x0F);
        _code.Byte(0xBA);
        _code.ModRegister(4, HostRegister.Scratch2);
        _code.Byte(0);
    }

    /// <summary>The flags that the block before has left word of, into RFLAGS. Word of what has changed some since is left too.</summary>
    private void EmitLoadIncoming()
    {
        if (_now.Partial.PartialClass != 0)
        {
            PassFlags(0);
            _now.Partial = FlagThunk.Canonical;
        }

        _code.Call(_stubs.LoadFlags);
        _now.InHost = true;
        _now.HostFlags = Flags.Status;
    }

    /// <summary>Leaves the way for <see cref="EmitFold"/>, which comes back with the flags as they are now both folded and in RFLAGS.</summary>
    private void FoldIf(int condition)
    {
        bool incoming = _now.Flags.Kind == FlagKind.Incoming && _now.Partial.PartialClass == 0;
        ref ColdPart part = ref _cold.Add(ColdKind.Fold, _code.JumpIf(condition));
        part.Back = _code.At;
        part.Id = incoming ? ExitTable.IncomingFlags : NewExit(ExitKind.CallOut, 0, 0);
        part.Flags = _now.Flags;
        _code.Touched |= Scratch2Bit;
    }

    private void EmitFold(in ColdPart part)
    {
        if (part.Id == ExitTable.IncomingFlags)
        {
            _code.Call(_stubs.FoldFlags);
        }
        else
        {
            _now.Flags = part.Flags;
            if (Recomputable() == Flags.Status)
            {
                Recompute(Flags.Status);
            }
            else
            {
                _code.StoreStateImmediate32(StateOffset.ExitId, part.Id);
                _code.Call(_stubs.SettleFlags);
            }

            SaveFlagsTo(FlagPlace.Fold - FlagPlace.Slot);
        }

        CodeWriter.Patch(_code.Jump(), part.Back);
    }
}
