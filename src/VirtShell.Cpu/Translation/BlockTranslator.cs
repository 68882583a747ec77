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

    private readonly BlockReader _reader;
    private readonly ExitTable _exits;
    private readonly Stubs _stubs;
    private ColdPart[] _cold = new ColdPart[64];
    private int _coldCount;
    private CodeWriter _code;
    private byte* _end;
    private byte* _page;
    private ulong _physicalPage;
    private int _key;
    private bool _is64;
    private int _entryExit;

    /// <summary>The guest's vector registers are in the host's from here on.</summary>
    private bool _vectorsLoaded;
    private byte* _leaves;
    private int _count;

    /// <summary>The block is one instruction, which ends in the next page.</summary>
    private bool _crosses;

    // The flag thunk that was last looked up.
    private FlagThunk _lastThunk;
    private int _lastThunkIndex;

    public BlockTranslator(BlockReader reader, ExitTable exits, Stubs stubs)
    {
        _reader = reader;
        _exits = exits;
        _stubs = stubs;
    }

    /// <summary>Called before each instruction is translated, with its number, and before a routine is, with -1. Tests throw in here.</summary>
    public Action<int>? Emitting { get; set; }

    /// <summary>Code that a block rarely runs, behind the rest of it.</summary>
    private enum ColdKind : byte
    {
        Exit,
        Miss,
        SiteMiss,
        Vectors,
        LookUp,
        Fold,
        Edge,
    }

    /// <summary>Emits the block that was read, and says of it all but its place among others.</summary>
    public void Translate(ref CodeWriter code, TranslatedBlock* block, byte* page, ulong physicalPage, int start, int key)
    {
        Begin(ref code, page, physicalPage, key);
        _count = _reader.Count;
        _crosses = block->Kind == BlockKind.Crossing;
        _sites.Clear();
        _places.Clear();
        _held = -1;
        _hasSites = (key & TranslationKey.User) != 0;
        Item[] items = _reader.Items;
        PlanWindows(items);
        uint live = Analyse(items);
        _loops = IsLoop(items, start, live);
        _scattered = Scattered(items);
        Describe(block, start);
        block->Low = (short)_reader.Low;
        block->End = (short)_reader.High;
        block->LiveFlags = live;
        block->Instructions = (short)_count;
        _loopTop = null;
        FlagsAreSettled();
        _vectorsLoaded = false;
        _stackMoves = 0;
        _ahead = 0;
        _goesOn = false;
        EmitEntry(start, live);
        EmitBody(items);
        if (_loops)
        {
            EmitLoop(items, start);
        }

        EmitCold();
        block->EntryExit = _entryExit;
        block->Leaves = _leaves;
        block->CodeBytes = (int)(_code.Executable - block->Entry);
        code = _code;
    }

    /// <summary>Emits a <see cref="BlockKind.Gateway"/>.</summary>
    public void EmitGateway(ref CodeWriter code, TranslatedBlock* block, byte* page, ulong physicalPage, int start, int key)
    {
        Begin(ref code, page, physicalPage, key);
        _count = 0;
        _crosses = false;
        FlagsAreSettled();
        _stackMoves = 0;
        _ahead = 0;
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

    private void Begin(ref CodeWriter code, byte* page, ulong physicalPage, int key)
    {
        _code = code;
        _end = code.At + MaxBytes;
        AlignCode();
        _page = page;
        _physicalPage = physicalPage;
        _key = key;
        _is64 = (key & TranslationKey.ModeMask) == (int)CodeMode.Bits64;
        _coldCount = 0;
        _lastThunk = FlagThunk.Canonical;
        _lastThunkIndex = 0;
    }

    private void Describe(TranslatedBlock* block, int start)
    {
        block->Entry = _code.Executable;
        block->PhysicalPage = _physicalPage;
        block->Start = (short)start;
        block->Key = (byte)_key;
    }

    /// <summary>Emits an entry for a block that wants flags in RFLAGS, for whoever has only left word of them; takes less than <see cref="FlagEntryBytes"/>.</summary>
    public void EmitFlagEntry(ref CodeWriter code, TranslatedBlock* block)
    {
        block->FlagEntry = code.Executable;
        code.Call(_stubs.LoadFlags);
        code.JumpTo(block->Entry);
    }

    private void EmitBody(Item[] items)
    {
        CloseWindows();
        for (int i = 0; i < _count; i++)
        {
            ref Item item = ref items[i];
            Emitting?.Invoke(i);
            CheckRoom();
            if (item.Family == Family.CallOut)
            {
                int run = 1;
                while (i + run < _count && items[i + run].Family == Family.CallOut)
                {
                    run++;
                }

                EmitCallOut(i, run);
                i += run - 1;
                continue;
            }

            if (_stackMoves != 0 && NamesStackPointer(in item))
            {
                EmitMoveStack();
            }

            SpillOverwritten(in item);
            if (item.Descriptor.IsSimd && !_vectorsLoaded && item.Family != Family.Exit)
            {
                EmitLoadVectors(in item);
            }

            Emit(ref item, i);
        }

        if (!_goesOn)
        {
            EmitEnd(ref items[_count - 1]);
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

        _inHost = false;
        int budget = NewExit(ExitKind.Budget, start, 0);
        if ((_key & TranslationKey.ModeMask) is (int)CodeMode.Bits16 or (int)CodeMode.Bits32Limited)
        {
            // The whole block must lie within CS's limit.
            _code.LoadState(HostRegister.Scratch2, StateOffset.RipBase);
            _code.Lea(HostRegister.Scratch2, HostRegister.Scratch2, _reader.High - 1);
            _code.RexState(false, HostRegister.Scratch2);
            _code.Byte(0x3B);
            _code.ModState(HostRegister.Scratch2, StateOffset.SegmentLimit(SegmentIndex.Cs));
            int limit = NewExit(ExitKind.Limit, start, 0);
            _exits[limit].Owed = 0;
            AddColdExit(_code.JumpIf(7), limit);
        }

        Charge(budget);
        _entryExit = budget;

        // What takes its place when the block is dropped is of the same kind.
        _exits[budget].Key = (byte)_key;
        if (live != 0)
        {
            _code.Move(HostRegister.Scratch2, HostRegister.Rax);
            _code.Move32(HostRegister.Rax, HostRegister.Scratch);
            EmitRestoreFlags();
            _inHost = true;
            _hostFlags = live;
        }
    }

    private void Charge(int exit)
    {
        _code.AluStateImmediate(CodeWriter.Sub, StateOffset.Budget, _count + _ahead);
        AddColdExit(_code.JumpIf(8), exit);
    }

    private void CheckRoom()
    {
        if (_end - _code.At < MaxPartBytes)
        {
            throw new InvalidOperationException($"A block of {_count} instructions takes more than {MaxBytes} bytes of host code.");
        }
    }

    private void AlignCode() => _code.At = (byte*)(((nuint)_code.At + EntryAlignment - 1) & ~(nuint)(EntryAlignment - 1));

    private void EmitCallOut(int index, int run)
    {
        EmitMoveStack();
        ref Item first = ref _reader.Items[index];
        if (_crosses)
        {
            // Its operation can't be had from one page. What is emitted behind this is never reached.
            EmitLeaveTo(NewExit(ExitKind.Instruction, first.Offset, index));
            FlagsAreSettled();
            return;
        }

        int id = NewExit(ExitKind.CallOut, first.Offset, index);
        _exits[id].OpCount = (ushort)run;
        _exits[id].Owed = (short)(_count - index - run + _ahead);
        _code.StoreStateImmediate32(StateOffset.ExitId, id);
        _code.Call(_stubs.CallOut);
        FlagsAreSettled();
        _vectorsLoaded = false;
        CloseWindows();
    }

    // The first SIMD instruction finds the vector registers where the last managed code has left them: in the state.
    private void EmitLoadVectors(in Item item)
    {
        BeforeClobber(in item);
        _code.CompareState32(StateOffset.VectorsLoaded, 0);
        byte* load = _code.JumpIf(4);
        AddCold(ColdKind.Vectors, load).Back = _code.At;
        _vectorsLoaded = true;
    }

    /// <summary>A new exit record for the state before instruction <paramref name="index"/> of the block.</summary>
    private int NewExit(ExitKind kind, int pageOffset, int index)
    {
        int id = _exits.Add();
        ref ExitRecord record = ref _exits[id];
        record = default;
        record.Kind = kind;
        record.PageOffset = pageOffset;
        record.PhysicalPage = _physicalPage;
        if (!_flags.Is(in _lastThunk))
        {
            _lastThunk = _flags;
            _lastThunkIndex = _exits.ThunkIndex(in _flags);
        }

        record.Thunk = _lastThunkIndex;
        record.Partial = _partial.Kind != FlagKind.Canonical ? _exits.ThunkIndex(in _partial) : 0;
        record.Owed = (short)(_count - index + _ahead);
        record.OpCount = 1;
        record.Key = (byte)(_key & ~TranslationKey.Strict);
        record.StackMoves = (short)_stackMoves;
        record.Crosses = _crosses;
        return id;
    }

    private void AddColdExit(byte* jump, int id) => AddCold(ColdKind.Exit, jump).Id = id;

    // A new cold part; what its kind does not use is left as it was.
    private ref ColdPart AddCold(ColdKind kind, byte* from)
    {
        if (_coldCount == _cold.Length)
        {
            Array.Resize(ref _cold, _coldCount * 2);
        }

        ref ColdPart part = ref _cold[_coldCount++];
        part.Kind = kind;
        part.From = from;
        return ref part;
    }

    /// <summary>Leaves emitted code.</summary>
    private void EmitLeaveTo(int id)
    {
        _code.StoreStateImmediate32(StateOffset.ExitId, id);
        _code.JumpTo(_stubs.Exit);
    }

    private void EmitCold()
    {
        // An edge may add further parts.
        for (int i = 0; i < _coldCount; i++)
        {
            ref readonly ColdPart part = ref _cold[i];
            CheckRoom();
            CodeWriter.Patch(part.From, _code.At);
            _held = -1;
            _pointsTo = -1;
            switch (part.Kind)
            {
                case ColdKind.Exit:
                    _leaves = part.Id == _entryExit ? _code.Executable : _leaves;
                    EmitLeaveTo(part.Id);
                    break;
                case ColdKind.Miss:
                    _stackMoves = part.StackMoves;
                    EmitMiss(in part);
                    break;
                case ColdKind.SiteMiss:
                    _stackMoves = part.StackMoves;
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
                    _stackMoves = part.StackMoves;
                    _flags = part.Flags;
                    _partial = part.Partial;
                    _inHost = part.InHost;
                    _hostFlags = part.HostFlags;
                    if (part.Repeats)
                    {
                        EmitRepeatAgain(part.Owed);
                    }

                    EmitEdge(part.Target, part.Owed, taken: true, part.Passed, part.Repeats);
                    break;
            }
        }
    }

    private struct ColdPart
    {
        public ColdKind Kind;
        public bool Write;
        public bool InHost;

        /// <summary>The flags have been handed on already.</summary>
        public bool Passed;

        /// <summary>Back to a repeated string instruction, which has not ended.</summary>
        public bool Repeats;
        public uint HostFlags;
        public byte* From;
        public byte* Back;
        public int Id;
        public int Owed;

        /// <summary>The site's copy of a TLB entry, as a place in the state.</summary>
        public int Place;

        /// <summary>The guest register that the second scratch register holds, to be loaded again; -1 for none.</summary>
        public int Held;

        /// <summary>Where the entry was looked up, and need not be again; null where it is an earlier access's.</summary>
        public byte* Exact;
        public int Item;

        /// <summary>Bytes of the window that was to be checked, and where in it the access is.</summary>
        public int Span;
        public int Operand;

        /// <summary>Bytes by which the register of the guest's RSP lags behind.</summary>
        public int StackMoves;
        public ulong Target;
        public FlagThunk Flags;
        public FlagThunk Partial;
    }
}
