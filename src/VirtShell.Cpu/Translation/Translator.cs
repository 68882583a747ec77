using System;
using System.Runtime.ExceptionServices;
using Iced.Intel;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Memory;
using VirtShell.State;

namespace VirtShell.Cpu.Translation;

/// <summary>
/// The fast engine: finds or makes the host code of what RIP points to, runs it, and does what its exits ask for. Everything
/// that emitted code cannot do is done by the interpreter, one instruction at a time.
/// </summary>
/// <remarks>
/// Unsafe code is sound here because emitted code touches guest memory only through the soft TLB, its own state by a register
/// that no guest sees, and nothing else; and because no exception passes through it: its calls catch everything.
/// </remarks>
[NotState("Translated anew as code runs.")]
internal sealed unsafe partial class Translator : IDisposable
{
    public const int CodeBytes = 64 << 20;
    private const int StubBytes = 16 << 10;
    private const int MaxOps = 1 << 19;

    /// <summary>Operations at the end of their memory that are decoded again for each use, from when the rest is full until everything is dropped.</summary>
    private const int SpareOps = 64;

    /// <summary>Blocks of a page whose code stores keep changing.</summary>
    private const int RestlessDrops = 64;
    private const ulong PageBytes = 2 * 4096;

    /// <summary>Pages behind one and the same page for which its last instruction is translated: there could be as many as there is memory.</summary>
    private const int MaxSecondPages = 16;
    private const int Crossings = 4096;
    private const uint CrossingsTrusted = 63;
    private const int RestlessWarm = 200;
    private const uint HostMxcsr = 0x1F80;
    private const uint FlagImageFixed = 0x202;

    private readonly Vcpu _vcpu;
    private readonly CpuState* _s;
    private readonly CodeCache _code;
    private readonly BlockBuilder _builder;
    private readonly CodeMemory _memory = new(CodeBytes);
    private readonly ExitTable _exits = new();
    private readonly TranslationCache _cache;
    private readonly BlockReader _reader;
    private readonly BlockTranslator _translator;
    private readonly Stubs _stubs;
    private readonly ReturnStack _returns = new();
    private readonly byte[] _heat = new byte[1 << 16];

    /// <summary>Places, plus one, at which an instruction began that crossed into the next page: it is not decoded each time to see that. The code may have changed since, so now and then it is.</summary>
    private readonly ulong[] _crossings = new ulong[Crossings];
    // A page, and the start of the next one.
    private readonly byte* _page = HostMemory.Reserve(PageBytes);
    private readonly GrowingMemory _opMemory = new((ulong)MaxOps * (ulong)sizeof(Op));
    private readonly Op* _ops;

    private CodeWriter _writer;
    private byte* _start;
    private int _nextOp;
    private uint _crossingsMet;

    /// <summary>Times that everything was dropped.</summary>
    private int _epoch;
    private bool _masked;
    private bool _missFaulted;
    private bool _deliver;
    private bool _calling;
    private bool _opsFull;
    private bool _missing;
    private bool _droppedInMiss;
    private ExceptionDispatchInfo? _failure;
    private EngineStatistics _statistics;
    private long _retired;
    private long _entries;
    private long _callOuts;
    private long _calledOut;
    private long _exitsBudget;
    private long _exitsUnlinked;
    private long _exitsIndirect;
    private long _exitsInstruction;
    private long _exitsAccess;
    private long _exitsFault;
    private long _exitsEvent;

    public Translator(Vcpu vcpu, CpuState* state, CodeCache code, BlockBuilder builder, bool[] supported, DecoderOptions options)
    {
        _vcpu = vcpu;
        _s = state;
        _code = code;
        _builder = builder;
        _s->HostMxcsr = HostMxcsr;
        _ops = (Op*)_opMemory.Start;
        _cache = new TranslationCache { Dropped = Drop };
        _writer.At = _memory.Writable;
        _writer.Delta = (nint)(_memory.Executable - _memory.Writable);
        _stubs = new Stubs(
            ref _writer,
            (nint)(delegate* unmanaged[Cdecl]<CpuState*, ulong, int>)&MissRead,
            (nint)(delegate* unmanaged[Cdecl]<CpuState*, ulong, int>)&MissWrite,
            (nint)(delegate* unmanaged[Cdecl]<CpuState*, int>)&CallOut,
            (nint)(delegate* unmanaged[Cdecl]<CpuState*, void>)&SettleFlags);
        _start = _writer.At;
        _exits.SlowSettle = (nint)_stubs.LoadFlagsSlow;
        _exits.CanonicalSettle = (nint)_stubs.LoadCanonicalFlags;
        _exits.Clear();
        _s->SettleTable = _exits.SettleTable;
        _s->ReturnStack = _returns.SetBase(_stubs.ReturnFromBase);
        _reader = new BlockReader(supported, options);
        _translator = new BlockTranslator(_reader, _exits, _stubs);
        code.Translations = _cache;
    }

    public EngineStatistics Statistics => _statistics with
    {
        InstructionsTranslated = _retired,
        Entries = _entries,
        CallOuts = _callOuts,
        ExitsBudget = _exitsBudget,
        ExitsUnlinked = _exitsUnlinked,
        ExitsIndirect = _exitsIndirect,
        ExitsInstruction = _exitsInstruction,
        ExitsAccess = _exitsAccess,
        ExitsFault = _exitsFault,
        ExitsEvent = _exitsEvent,
    };

    /// <summary>Where memory for translations ends; the stubs stand in front of it.</summary>
    private byte* CodeEnd => _start + Math.Min(_vcpu.TranslationBytes, _memory.Writable + CodeBytes - _start);

    /// <summary>Drops all translations.</summary>
    public void Flush()
    {
        _statistics = _statistics with { CodeCacheFlushes = _statistics.CodeCacheFlushes + 1 };
        foreach (ulong page in _cache.Pages)
        {
            _code.UnprotectTranslated(page);
        }

        _cache.Clear();
        _exits.Clear();
        _writer.At = _start;
        _nextOp = 0;
        _opsFull = false;
        _epoch++;
        _vcpu.Mmu.FlushExec();
    }

    /// <summary>Host memory that translations and all about them take, in bytes. From any thread.</summary>
    public ulong ResidentBytes() =>
        _memory.ResidentBytes() + _exits.ResidentBytes() + _returns.ResidentBytes() + _opMemory.ResidentBytes() + _cache.ResidentBytes()
        + (ulong)_heat.Length + (Crossings * sizeof(ulong));

    public void Dispose()
    {
        _memory.Dispose();
        _exits.Dispose();
        _returns.Dispose();
        HostMemory.Release(_page, PageBytes);
        _opMemory.Dispose();
        _cache.Dispose();
    }

    /// <summary>Runs until something needs the run loop.</summary>
    public void Run()
    {
        CpuState* s = _s;
        do
        {
            int key = TranslationKey.Of(s);
            TranslatedBlock* block = null;
            byte* code = Find(key, ref block);
            if (code == null)
            {
                return;
            }

            Enter(code, key, block);
        }
        while (s->StopBelow == 0 && s->Pending == PendingEvents.None && s->Budget > 0 && s->Halted == 0 && (s->FlagsRest & Flags.Trap) == 0
            && s->IsShutdown == 0 && !_vcpu.InstructionBreakpointsArmed && !_vcpu.Mmu.ForceSlow);
    }

    /// <summary>Host code for RIP; null where the interpreter has done something instead.</summary>
    private byte* Find(int key, ref TranslatedBlock* block)
    {
        CpuState* s = _s;
        if (_opsFull)
        {
            Flush();
        }

        ulong rip = s->Rip;
        ulong linear = (s->Cs.Base + rip) & s->LinearMask;
        JumpTable jumps = _vcpu.Mmu.Jumps(key);
        s->JumpTable = jumps.Address;
        s->OtherJumpTable = _vcpu.Mmu.JumpsIfAny(key ^ TranslationKey.User)?.Address ?? 0;
        bool limited = s->ExecKey < Vcpu.ExecKeyUnlimited;
        bool direct = s->Cs.Base == 0 && !limited;
        if (direct && jumps.TryGet(rip, out byte* code))
        {
            s->RipBase = rip & ~0xFFFUL;
            return code;
        }

        if ((limited && rip > s->Cs.Limit) || !_vcpu.Mmu.TryTranslateFetch(linear, out ulong physical) || (_vcpu.Memory.KindOf(physical) & (PageKinds.Ram | PageKinds.Rom)) == 0)
        {
            _vcpu.Dispatch();
            return null;
        }

        bool global = _vcpu.Mmu.IsGlobal;
        block = Block(linear, physical, key);
        if (block != null && block->Kind == BlockKind.Gateway)
        {
            block = null;
            return FindCrossing(linear, physical, key, global);
        }

        if (block == null)
        {
            Interpret();
            return null;
        }

        if (direct && EntryOf(block, 0) is var entry && entry != null)
        {
            jumps.Add(rip, entry, global);
        }

        s->RipBase = rip - (linear & 0xFFF);
        return block->Entry;
    }

    // Host code for an instruction that crosses into the next page, which is known by this address space only.
    private byte* FindCrossing(ulong linear, ulong physical, int key, bool global)
    {
        CpuState* s = _s;
        ulong place = TranslationCache.KeyOf(physical, key);
        ref ulong crossing = ref _crossings[(int)((place ^ (place >> 16)) & (Crossings - 1))];
        ulong next = (linear | 0xFFF) + 1;
        if ((crossing == place + 1 && (++_crossingsMet & CrossingsTrusted) != 0) || next > s->LinearMask || next == 0)
        {
            Interpret();
            return null;
        }

        if (!_vcpu.Mmu.TryTranslateFetch(next, out ulong second) || (_vcpu.Memory.KindOf(second) & (PageKinds.Ram | PageKinds.Rom)) == 0)
        {
            _vcpu.Dispatch();
            return null;
        }

        global &= _vcpu.Mmu.IsGlobal;
        TranslatedBlock* block = _cache.FindCrossing(physical, key | TranslationKey.Strict, second, out int others);
        if (block == null)
        {
            block = others < MaxSecondPages ? TranslateCrossing(physical, second, key | TranslationKey.Strict) : null;
            if (block == null)
            {
                crossing = place + 1;
                Interpret();
                return null;
            }
        }

        byte* entry = block->IsFailed ? null : EntryOf(block, 0);
        if (entry == null)
        {
            Interpret();
            return null;
        }

        _vcpu.Mmu.Jumps(key).Add(s->Rip, entry, global);
        s->RipBase = s->Rip & ~0xFFFUL;
        return entry;
    }

    /// <summary>Where emitted code enters a block that leaves some flags in RFLAGS, and word of all; null where there is no room for such an entry.</summary>
    private byte* EntryOf(TranslatedBlock* block, uint hostFlags)
    {
        if ((block->LiveFlags & ~hostFlags) == 0)
        {
            return block->Entry;
        }

        if (block->FlagEntry == null && _exits.HasRoom && _writer.At + BlockTranslator.FlagEntryBytes <= CodeEnd)
        {
            _memory.Take(_writer.At + BlockTranslator.FlagEntryBytes);
            _translator.EmitFlagEntry(ref _writer, block);
        }

        return block->FlagEntry;
    }

    // One block by the interpreter.
    private void Interpret()
    {
        Op* op = _vcpu.Find();
        _vcpu.Step(Math.Min(op->Remaining, _s->Budget));
    }

    private void Enter(byte* code, int key, TranslatedBlock* block)
    {
        CpuState* s = _s;
        if (s->Budget > ReturnStack.MaxBudget)
        {
            throw new InvalidOperationException($"A budget of {s->Budget} instructions is more than emitted code may have at a time.");
        }

        _masked = (key & (TranslationKey.Sse | TranslationKey.Avx)) != 0;
        while (code != null)
        {
            s->NativeMxcsr = _masked ? s->Mxcsr : HostMxcsr;
            long before = s->RunEnd - s->Budget - _calledOut;
            int result;
            if (block != null && block->LiveFlags != 0)
            {
                s->FlagImage = FlagImageFixed | Flags.GetStatus(s);
                result = _stubs.EnterWithFlags(s, code);
            }
            else
            {
                result = _stubs.Enter(s, code);
            }

            _entries++;
            if (_masked && result == Stubs.Exited)
            {
                // A call that did not go back has left MXCSR in order.
                s->Mxcsr = s->NativeMxcsr;
            }

            code = null;
            if (result == Stubs.Exited)
            {
                ref ExitRecord exit = ref _exits[(int)s->ExitId];
                s->Budget += exit.Owed;
                if (exit.StackMoves != 0)
                {
                    ulong rsp = s->Gpr[4] + (ulong)exit.StackMoves;
                    s->Gpr[4] = (exit.Key & TranslationKey.ModeMask) == (int)CodeMode.Bits64 ? rsp : (uint)rsp;
                }

                _retired += s->RunEnd - s->Budget - _calledOut - before;
                SettleFlags(exit.Thunk, exit.Partial);

                // Emitted code changes privilege by itself.
                code = Leave(ref exit, exit.Key, ref block);
            }
            else
            {
                _retired += s->RunEnd - s->Budget - _calledOut - before;
                AfterCall();
            }
        }
    }

    // Does what an exit asks for; gives where emitted code goes on, or null for the run loop to look around first.
    private byte* Leave(ref ExitRecord exit, int key, ref TranslatedBlock* block)
    {
        CpuState* s = _s;
        if (exit.Kind == ExitKind.Arrived)
        {
            _exitsUnlinked++;
            return null;
        }

        ulong rip = Flow.Mask(s, s->RipBase + (ulong)exit.PageOffset);
        s->Rip = exit.Truncates ? (ushort)rip : rip;
        switch (exit.Kind)
        {
            case ExitKind.Budget:
                _exitsBudget++;
                if (!_vcpu.TryExtendSlice() && s->Budget > 0)
                {
                    _vcpu.Dispatch();
                }

                return null;
            case ExitKind.Branch:
                _exitsUnlinked++;
                return Link(ref exit, key, ref block);
            case ExitKind.FarBranch:
                _exitsUnlinked++;
                return null;
            case ExitKind.Limit:
                _exitsInstruction++;
                _vcpu.Step(1);
                return null;
            case ExitKind.Access:
                if (_missFaulted)
                {
                    _missFaulted = false;
                    _exitsFault++;
                    _vcpu.AccountFault();
                    _vcpu.DeliverFault();
                    return null;
                }

                _exitsAccess++;
                break;
            case ExitKind.Indirect:
                _exitsIndirect++;
                break;
            case ExitKind.Dropped:
                _exitsUnlinked++;
                _vcpu.Mmu.Jumps(key & ~TranslationKey.Strict).Remove(s->Rip);

                // Nothing leads to a crossing instruction but jump tables, and those of other address spaces may still.
                return exit.Crosses ? null : Forward(ref exit, key, ref block);
            default:
                _exitsInstruction++;
                break;
        }

        if (exit.Crosses)
        {
            Interpret();
            return null;
        }

        Op* op = OpsOf(ref exit);
        op->Target = null;
        if (exit.Falls)
        {
            // The interpreter's blocks may have gone since.
            op->Extra = 0;
        }

        _vcpu.Execute(op, 1);
        return null;
    }

    /// <summary>Makes a branch within the page go straight to its target from now on, and goes there.</summary>
    private byte* Link(ref ExitRecord exit, int key, ref TranslatedBlock* block)
    {
        CpuState* s = _s;
        if (s->StopBelow != 0 || s->Budget <= 0 || s->Rip != Flow.Mask(s, s->RipBase + (ulong)exit.PageOffset))
        {
            return null;
        }

        ulong physical = exit.PhysicalPage + (ulong)exit.PageOffset;
        byte* link = exit.Link;
        uint hostFlags = exit.HostFlags;
        int epoch = _epoch;
        TranslatedBlock* target = Block((ulong)exit.PageOffset, physical, key);
        if (target == null)
        {
            if ((key & TranslationKey.Strict) != 0)
            {
                // The block that has come here would only come here again.
                Interpret();
            }

            return null;
        }

        if (_epoch != epoch)
        {
            // All was dropped to make room, the branch included.
            link = null;
        }

        byte* entry = link != null ? EntryOf(target, hostFlags) : null;
        if (entry != null)
        {
            CodeWriter.Patch(link, entry - _writer.Delta);
        }

        block = target;
        return target->Entry;
    }

    /// <summary>Whoever comes to a dropped block goes on to the one that has taken its place.</summary>
    private byte* Forward(ref ExitRecord exit, int key, ref TranslatedBlock* block)
    {
        ulong physical = exit.PhysicalPage + (ulong)exit.PageOffset;
        byte* entry = exit.Link;
        int epoch = _epoch;
        TranslatedBlock* target = Block((ulong)exit.PageOffset, physical, key);
        if (target == null || target->Kind == BlockKind.Gateway)
        {
            // A gateway may find the dropped block in a jump table, which must not lead back to it.
            return null;
        }

        byte* successor = _epoch == epoch ? EntryOf(target, 0) : null;
        if (successor != null)
        {
            CodeWriter code = new() { At = entry, Delta = _writer.Delta };
            code.JumpTo(successor);
        }

        block = target;
        return target->Entry;
    }

    /// <summary>A store has changed a block's code: whoever still jumps to it leaves.</summary>
    private void Drop(TranslatedBlock* block)
    {
        if (block->IsFailed)
        {
            return;
        }

        _statistics = _statistics with { BlocksInvalidated = _statistics.BlocksInvalidated + 1 };
        // Its budget exit becomes the way out: dropping needs no room. The jump is shorter than the check that it replaces, behind
        // which code may be running.
        ref ExitRecord exit = ref _exits[block->EntryExit];
        exit.Kind = ExitKind.Dropped;
        exit.Owed = 0;
        exit.Link = block->Entry - _writer.Delta;
        CodeWriter entry = new() { At = exit.Link, Delta = _writer.Delta };
        entry.JumpTo(block->Leaves);
        _droppedInMiss |= _missing;
        if (_calling)
        {
            // It may be the block that has called.
            _s->StopBelow |= CpuState.CodeChanged;
        }
    }

    private void SettleFlags(int thunk, int partial)
    {
        CpuState* s = _s;
        if (thunk == 1)
        {
            thunk = (int)s->FlagThunk;
            partial = partial != 0 ? partial : (int)(s->FlagPartial >> 2);
        }

        if (thunk != 0)
        {
            _exits.Thunk(thunk).Settle(s);
        }

        if (partial != 0)
        {
            _exits.Thunk(partial).Settle(s);
        }

        s->FlagThunk = 0;
        s->FlagPartial = 0;
    }

    /// <summary>Next time emitted code itself puts a thunk's flags into RFLAGS, where it can.</summary>
    private void EmitSettle(int thunk)
    {
        ref readonly FlagThunk flags = ref _exits.Thunk(thunk);
        if (!_emitsSettle || _exits.HasSettle(thunk) || !_translator.CanSettle(in flags) || _writer.At + BlockTranslator.SettleBytes > CodeEnd)
        {
            return;
        }

        _memory.Take(_writer.At + BlockTranslator.SettleBytes);
        nint routine = (nint)_writer.Executable;
        try
        {
            _translator.EmitSettle(ref _writer, in flags);
            _exits.SetSettle(thunk, routine);
        }
#pragma warning disable CA1031 // Whatever is wrong with the translator is no fault of the guest.
        catch (Exception e) when (e is not OutOfMemoryException)
#pragma warning restore CA1031
        {
            _emitsSettle = false;
            NoteFailure(e, $"a routine for flags ({flags})");
        }
    }

    private Op* OpsOf(ref ExitRecord exit)
    {
        if (exit.Ops != null)
        {
            return exit.Ops;
        }

        Op* ops = _ops + _nextOp;
        if (_nextOp + exit.OpCount + 1 > MaxOps - SpareOps)
        {
            // Nothing can be dropped inside of a call: the block is left after it, and then everything goes.
            ops = _ops + MaxOps - SpareOps;
            _opsFull = true;
        }
        else
        {
            exit.Ops = ops;
            _nextOp += exit.OpCount + 1;
            _opMemory.Take(_ops + _nextOp);
        }

        // What a call leaves of its block stays charged while the interpreter runs.
        int charged = exit.Kind == ExitKind.CallOut ? exit.Owed : 0;
        _builder.BuildRun(ops, exit.PhysicalPage, exit.PageOffset, exit.OpCount, charged, (CodeMode)(exit.Key & TranslationKey.ModeMask));
        Code code = (Code)ops->Code;
        exit.Falls = code == Code.Into || code.IsJccShortOrNear() || code.IsJcxShort() || code.IsLoop() || code.IsLoopcc();
        return ops;
    }

    // After a call from emitted code that did not go back there.
    private void AfterCall()
    {
        ExceptionDispatchInfo? failure = _failure;
        if (failure != null)
        {
            _failure = null;
            failure.Throw();
        }

        if (_deliver)
        {
            _deliver = false;
            _exitsFault++;
            _vcpu.DeliverFault();
        }
        else
        {
            _exitsEvent++;
        }
    }
}
