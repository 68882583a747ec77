using System;
using VirtShell.Cpu.Execution;

namespace VirtShell.Cpu.Translation;

/// <summary>
/// Turns the instructions that a <see cref="BlockReader"/> has read into host code. One emitter for each <see cref="Family"/>;
/// see docs/translator.md for the shape of a block.
/// </summary>
internal sealed unsafe partial class BlockTranslator
{
    /// <summary>Host code bytes that one block may take at most: cold parts included.</summary>
    public const int MaxBytes = 2 * BlockReader.MaxItems * 600;

    /// <summary>Of those, what an instruction or a cold part may take.</summary>
    private const int MaxPartBytes = 1024;

    public const int FlagEntryBytes = 16;

    /// <summary>Blocks begin at a multiple of this, where processors fetch from.</summary>
    private const int EntryAlignment = 32;

    private readonly BlockPlan _plan;
    private readonly SiteTable _sites = new();
    private readonly ExitTable _exits;
    private readonly Stubs _stubs;
    private readonly ColdCode _cold = new();
    private readonly WindowState[] _windows = new WindowState[BlockReader.MaxItems * 2];
    private CodeWriter _code;
    private EmitState _now;

    public BlockTranslator(BlockReader reader, ExitTable exits, Stubs stubs)
    {
        _plan = new BlockPlan(reader);
        _exits = exits;
        _stubs = stubs;
    }

    /// <summary>Called before each instruction is translated, with its number, and before a routine is, with -1. Tests throw in here.</summary>
    public Action<int>? Emitting { get; set; }

    /// <summary>Emits the block that was read, and says of it all but its place among others.</summary>
    public void Translate(ref CodeWriter code, TranslatedBlock* block, byte* page, ulong physicalPage, int start, int key)
    {
        _plan.Make(page, physicalPage, start, key, block->Kind == BlockKind.Crossing);
        Begin(ref code);
        Describe(block, start);
        block->Low = (short)_plan.Extent.Low;
        block->End = (short)_plan.Extent.High;
        block->LiveFlags = _plan.LiveAtEntry;
        block->Instructions = (short)_plan.Count;
        EmitEntry(start, _plan.LiveAtEntry);
        EmitBody();
        if (_now.Loops)
        {
            EmitLoop(start);
        }

        EmitCold();
        block->EntryExit = _now.EntryExit;
        block->Leaves = _now.Leaves;
        block->CodeBytes = (int)(_code.Executable - block->Entry);
        code = _code;
    }

    /// <summary>Emits a <see cref="BlockKind.Gateway"/>.</summary>
    public void EmitGateway(ref CodeWriter code, TranslatedBlock* block, byte* page, ulong physicalPage, int start, int key)
    {
        _plan.MakeEmpty(page, physicalPage, key);
        Begin(ref code);
        Describe(block, start);
        Emitting?.Invoke(0);
        block->Kind = BlockKind.Gateway;
        block->Low = (short)start;
        block->End = 4096;
        block->EntryExit = NewExit(ExitKind.FarBranch, start, 0);
        EmitFarEdge(start, block->EntryExit);
        EmitCold();
        block->Leaves = _code.Executable;
        EmitLeaveTo(block->EntryExit);
        block->CodeBytes = (int)(_code.Executable - block->Entry);
        code = _code;
    }

    private void Begin(ref CodeWriter code)
    {
        _code = code;
        _now = EmitState.AtEntry(_plan, code.At + MaxBytes);
        AlignCode();
        _cold.Clear();
        _sites.Begin(_plan.HasSites);
        CloseWindows();
    }

    private void Describe(TranslatedBlock* block, int start)
    {
        block->Entry = _code.Executable;
        block->PhysicalPage = _plan.PhysicalPage;
        block->Start = (short)start;
        block->Key = (byte)_plan.Key;
    }

    /// <summary>Emits an entry for a block that wants flags in RFLAGS, for whoever has only left word of them; takes less than <see cref="FlagEntryBytes"/>.</summary>
    public void EmitFlagEntry(ref CodeWriter code, TranslatedBlock* block)
    {
        block->FlagEntry = code.Executable;
        code.Call(_stubs.LoadFlags);
        code.JumpTo(block->Entry);
    }

    private void EmitBody()
    {
        CloseWindows();
        for (int i = 0; i < _plan.Count; i++)
        {
            ref Item item = ref _plan.Items[i];
            Emitting?.Invoke(i);
            CheckRoom();
            if (item.Family == Family.CallOut)
            {
                int run = 1;
                while (i + run < _plan.Count && _plan.Items[i + run].Family == Family.CallOut)
                {
                    run++;
                }

                EmitCallOut(i, run);
                i += run - 1;
                continue;
            }

            if (_now.StackMoves != 0 && NamesStackPointer(in item))
            {
                EmitMoveStack();
            }

            SpillOverwritten(in item);
            if (item.Descriptor.IsSimd && !_now.VectorsLoaded && item.Family != Family.Exit)
            {
                EmitLoadVectors(in item);
            }

            Emit(ref item, i);
        }

        if (!_now.GoesOn)
        {
            EmitEnd(ref _plan.Items[_plan.Count - 1]);
        }
    }

    private void Emit(ref Item item, int index)
    {
        switch (item.Family)
        {
            case Family.Nothing:
                break;
            case Family.Plain:
                EmitPlain(in item, index);
                break;
            case Family.Reader:
                EmitReader(in item, index);
                break;
            case Family.Lea:
                EmitLea(in item);
                break;
            case Family.Alu:
                EmitAlu(in item, index);
                break;
            case Family.AluCarry:
                EmitExact(in item, index, Flags.Carry);
                break;
            case Family.ExactFlags:
                EmitExact(in item, index, 0);
                break;
            case Family.Negate:
                EmitNegate(in item, index);
                break;
            case Family.Increment or Family.BitTest or Family.PartialFlags:
                EmitPartial(in item, index);
                break;
            case Family.Rotate:
                EmitRotate(in item, index);
                break;
            case Family.Shift:
                EmitShift(in item, index);
                break;
            case Family.DoubleShift:
                EmitDoubleShift(in item, index);
                break;
            case Family.Imul:
                EmitImul(in item, index);
                break;
            case Family.MultiplyWide:
                EmitMultiplyWide(in item, index);
                break;
            case Family.Divide:
                EmitDivide(in item, index);
                break;
            case Family.SourceFlags:
                EmitSourceFlags(in item, index);
                break;
            case Family.ResultFlags:
                EmitResultFlags(in item, index);
                break;
            case Family.SystemFlag:
                EmitSystemFlag(in item, index);
                break;
            case Family.SwapGs:
                EmitSwapGs();
                break;
            case Family.Timestamp:
                EmitTimestamp(in item, index);
                break;
            case Family.Repeat:
                EmitRepeat(in item, index);
                break;
            case Family.SegmentBase:
                EmitSegmentBase(in item, index);
                break;
            case Family.FaultAddress:
                EmitFaultAddress(in item, index);
                break;
            case Family.Selector:
                EmitSelector(in item, index);
                break;
            case Family.SystemCall:
                EmitSystemCall(in item, index);
                break;
            case Family.SystemReturn:
                EmitSystemReturn(in item, index);
                break;
            case Family.Push:
                EmitPush(in item, index);
                break;
            case Family.Pop:
                EmitPop(in item, index);
                break;
            case Family.Leave:
                EmitLeave(in item, index);
                break;
            case Family.Branch:
                EmitBranch(in item, index);
                break;
            case Family.Call:
                EmitCall(in item, index);
                break;
            case Family.Return:
                EmitReturn(in item, index);
                break;
            case Family.Jump:
                EmitJump(in item, index);
                break;
            default:
                EmitLeaveTo(NewExit(ExitKind.Instruction, item.Offset, index));
                break;
        }
    }

    /// <summary>Charges the block to the budget; where the budget does not cover it, leaves before anything has happened.</summary>
    private void EmitEntry(int start, uint live)
    {
        if (live != 0)
        {
            // Flags come in RFLAGS: kept through the check in the scratch register.
            EmitSaveFlags();
            _code.Move32(HostRegister.Scratch, HostRegister.Rax);
            _code.Move(HostRegister.Rax, HostRegister.Scratch2);
        }

        _now.InHost = false;
        int budget = NewExit(ExitKind.Budget, start, 0);
        if ((_plan.Key & TranslationKey.ModeMask) is (int)CodeMode.Bits16 or (int)CodeMode.Bits32Limited)
        {
            // The whole block must lie within CS's limit.
            _code.LoadState(HostRegister.Scratch2, StateOffset.RipBase);
            _code.Lea(HostRegister.Scratch2, HostRegister.Scratch2, _plan.Extent.High - 1);
            _code.RexState(false, HostRegister.Scratch2);
            _code.Byte(0x3B);
            _code.ModState(HostRegister.Scratch2, StateOffset.SegmentLimit(SegmentIndex.Cs));
            int limit = NewExit(ExitKind.Limit, start, 0);
            _exits[limit].Owed = 0;
            AddColdExit(_code.JumpIf(7), limit);
        }

        Charge(budget);
        _now.EntryExit = budget;

        // What takes its place when the block is dropped is of the same kind.
        _exits[budget].Key = (byte)_plan.Key;
        if (live != 0)
        {
            _code.Move(HostRegister.Scratch2, HostRegister.Rax);
            _code.Move32(HostRegister.Rax, HostRegister.Scratch);
            EmitRestoreFlags();
            _now.InHost = true;
            _now.HostFlags = live;
        }
    }

    private void Charge(int exit)
    {
        _code.AluStateImmediate(CodeWriter.Sub, StateOffset.Budget, _plan.Count + _now.Ahead);
        AddColdExit(_code.JumpIf(8), exit);
    }

    private void CheckRoom()
    {
        if (_now.End - _code.At < MaxPartBytes)
        {
            throw new InvalidOperationException($"A block of {_plan.Count} instructions takes more than {MaxBytes} bytes of host code.");
        }
    }

    private void AlignCode() => _code.At = (byte*)(((nuint)_code.At + EntryAlignment - 1) & ~(nuint)(EntryAlignment - 1));

    private void EmitCallOut(int index, int run)
    {
        EmitMoveStack();
        ref Item first = ref _plan.Items[index];
        if (_plan.Crosses)
        {
            // Its operation can't be had from one page. What is emitted behind this is never reached.
            EmitLeaveTo(NewExit(ExitKind.Instruction, first.Offset, index));
            FlagsAreSettled();
            return;
        }

        int id = NewExit(ExitKind.CallOut, first.Offset, index);
        _exits[id].OpCount = (ushort)run;
        _exits[id].Owed = (short)(_plan.Count - index - run + _now.Ahead);
        _code.StoreStateImmediate32(StateOffset.ExitId, id);
        _code.Call(_stubs.CallOut);
        FlagsAreSettled();
        _now.VectorsLoaded = false;
        CloseWindows();
    }

    // The first SIMD instruction finds the vector registers where the last managed code has left them: in the state.
    private void EmitLoadVectors(in Item item)
    {
        BeforeClobber(in item);
        _code.CompareState32(StateOffset.VectorsLoaded, 0);
        byte* load = _code.JumpIf(4);
        _cold.Add(ColdKind.Vectors, load).Back = _code.At;
        _now.VectorsLoaded = true;
    }

    /// <summary>A new exit record for the state before instruction <paramref name="index"/> of the block.</summary>
    private int NewExit(ExitKind kind, int pageOffset, int index)
    {
        int id = _exits.Add();
        ref ExitRecord record = ref _exits[id];
        record = default;
        record.Kind = kind;
        record.PageOffset = pageOffset;
        record.PhysicalPage = _plan.PhysicalPage;
        if (!_now.Flags.Is(in _now.LastThunk))
        {
            _now.LastThunk = _now.Flags;
            _now.LastThunkIndex = _exits.ThunkIndex(in _now.Flags);
        }

        record.Thunk = _now.LastThunkIndex;
        record.Partial = _now.Partial.Kind != FlagKind.Canonical ? _exits.ThunkIndex(in _now.Partial) : 0;
        record.Owed = (short)(_plan.Count - index + _now.Ahead);
        record.OpCount = 1;
        record.Key = (byte)(_plan.Key & ~TranslationKey.Strict);
        record.StackMoves = (short)_now.StackMoves;
        record.Crosses = _plan.Crosses;
        return id;
    }

    private void AddColdExit(byte* jump, int id) => _cold.Add(ColdKind.Exit, jump).Id = id;

    /// <summary>Leaves emitted code.</summary>
    private void EmitLeaveTo(int id)
    {
        _code.StoreStateImmediate32(StateOffset.ExitId, id);
        _code.JumpTo(_stubs.Exit);
    }

    private void EmitCold()
    {
        // An edge may add further parts.
        for (int i = 0; i < _cold.Count; i++)
        {
            ref readonly ColdPart part = ref _cold.At(i);
            CheckRoom();
            CodeWriter.Patch(part.From, _code.At);
            _now.Held = -1;
            _now.PointsTo = -1;
            switch (part.Kind)
            {
                case ColdKind.Exit:
                    _now.Leaves = part.Id == _now.EntryExit ? _code.Executable : _now.Leaves;
                    EmitLeaveTo(part.Id);
                    break;
                case ColdKind.Miss:
                    _now.StackMoves = part.StackMoves;
                    EmitMiss(in part);
                    break;
                case ColdKind.SiteMiss:
                    _now.StackMoves = part.StackMoves;
                    EmitSiteMiss(in part);
                    break;
                case ColdKind.Fold:
                    EmitFold(in part);
                    break;
                case ColdKind.LookUp:
                    JumpTable.EmitLookUpNeighbour(ref _code, part.Back);
                    EmitLeaveTo(part.Id);
                    break;
                case ColdKind.Vectors:
                    _code.Call(_stubs.LoadVectors);
                    CodeWriter.Patch(_code.Jump(), part.Back);
                    break;
                default:
                    _now.StackMoves = part.StackMoves;
                    _now.Flags = part.Flags;
                    _now.Partial = part.Partial;
                    _now.InHost = part.InHost;
                    _now.HostFlags = part.HostFlags;
                    if (part.Repeats)
                    {
                        EmitRepeatAgain(part.Owed);
                    }

                    EmitEdge(part.Target, part.Owed, taken: true, part.Passed, part.Repeats);
                    break;
            }
        }
    }
}
