using System;
using System.Diagnostics.CodeAnalysis;
using System.Runtime.CompilerServices;
using System.Threading;
using VirtShell.Cpu.Decoding;
using VirtShell.Cpu.Execution;
using VirtShell.Cpu.Memory;
using VirtShell.Cpu.Translation;
using VirtShell.State;

namespace VirtShell.Cpu;

/// <summary>The run loop: instruction boundaries, events, dispatch, and the delivery of what handlers raise.</summary>
public sealed unsafe partial class Vcpu
{
    /// <summary>Bit of <see cref="CpuState.ExecKey"/> for code whose limits need no check at block entry.</summary>
    internal const ulong ExecKeyUnlimited = 8;

    /// <summary>Bit of <see cref="CpuState.ExecKey"/> for CPL 3.</summary>
    internal const ulong ExecKeyUser = 4;

    /// <summary>Instructions run without a look at requests to stop, at most.</summary>
    private const long Slice = ReturnStack.MaxBudget;

    /// <summary>Value of <see cref="InstructionsRetired"/> at which <see cref="Run"/> ends.</summary>
    [NotState("Within a run.")]
    private long _finalEnd;
    private readonly GuestFault _fault = new();
    [NotState("Between a fault and its delivery, within a run.")]
    private int _faultVector = -1;
    [NotState("Between a fault and its delivery, within a run.")]
    private uint _faultError;
    [NotState("Between a fault and its delivery, within a run.")]
    private bool _faultHasError;

    /// <summary>The fault is an instruction breakpoint's #DB, the one fault whose pushed image does not get RF.</summary>
    [NotState("Between a fault and its delivery, within a run.")]
    private bool _faultIsBreakpoint;

    /// <summary>Retires exactly <paramref name="instructionBudget"/> instructions (1 or more) unless it exits earlier.</summary>
    public ExitReason Run(long instructionBudget)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(instructionBudget, 1);
        CpuState* s = _s;
        long start = s->RunEnd - s->Budget;
        long slice = Math.Min(instructionBudget, Slice);
        s->RunEnd = start + slice;
        s->Budget = slice;
        _finalEnd = start + instructionBudget;
        bool first = true;
        while (true)
        {
            Volatile.Write(ref s->StopBelow, 0);
            Interlocked.MemoryBarrier();
            try
            {
                if (s->IsShutdown != 0)
                {
                    return Leave(ExitReason.Shutdown);
                }

                if (s->Pending != PendingEvents.None)
                {
                    if (!TakeEvents(out ExitReason exit))
                    {
                        return Leave(exit);
                    }

                    if (s->IsShutdown != 0)
                    {
                        return Leave(ExitReason.Shutdown);
                    }
                }

                if (s->Halted != 0)
                {
                    return Leave(ExitReason.Halted);
                }

                if (s->Budget <= 0 && !NextSlice())
                {
                    return Leave(ExitReason.BudgetSpent);
                }

                if (IsVirtualInterruptDue)
                {
                    ThrowFault(Vector.GeneralProtection, 0, true);
                }

                if (Breakpoints.Count > 0)
                {
                    if (!(first && InstructionsRetired == _brokeAt) && Breakpoints.Contains((s->Cs.Base + s->Rip) & s->LinearMask))
                    {
                        _brokeAt = InstructionsRetired;
                        return Leave(ExitReason.Breakpoint);
                    }

                    first = false;
                    StepWatched(single: true);
                }
                else if ((s->FlagsRest & Flags.Trap) != 0 || InstructionBreakpointsArmed || s->Pending != PendingEvents.None)
                {
                    StepWatched(single: false);
                }
                else
                {
                    RunBlocks();
                }
            }
            catch (GuestFault)
            {
                AccountFault();
                DeliverFault();
            }
        }
    }

    /// <summary>Runs until something needs the run loop, on the engine that this processor uses now.</summary>
    private void RunBlocks()
    {
        if (IsTranslating && !Mmu.ForceSlow)
        {
            Translator.Run();
        }
        else
        {
            Dispatch();
        }
    }

    /// <summary>
    /// Goes on to the next part of the budget before the present one is spent: running up to its last instruction would end within a
    /// block, and have another translated that begins there. False at the end of the whole budget.
    /// </summary>
    internal bool TryExtendSlice()
    {
        CpuState* s = _s;
        long more = Math.Min(_finalEnd - s->RunEnd, Slice - s->Budget);
        if (more <= 0)
        {
            return false;
        }

        s->RunEnd += more;
        s->Budget += more;
        return true;
    }

    /// <summary>Takes the next part of the budget. Emitted code looks for requests to stop at the end of each part only.</summary>
    private bool NextSlice()
    {
        CpuState* s = _s;
        long more = Math.Min(_finalEnd - s->RunEnd, Slice);
        if (more <= 0)
        {
            return false;
        }

        s->RunEnd += more;
        s->Budget += more;
        return s->Budget > 0 || NextSlice();
    }

    [DoesNotReturn]
    internal void ThrowFault(int vector, uint error, bool hasError)
    {
        SetFault(vector, error, hasError);
        ThrowPendingFault();
    }

    [DoesNotReturn]
    internal void ThrowPendingFault() => throw _fault;

    /// <summary>Notes a fault without raising it; false, for a translation's tail.</summary>
    internal bool SetFault(int vector, uint error, bool hasError)
    {
        _faultVector = vector;
        _faultError = error;
        _faultHasError = hasError;
        return false;
    }

    internal bool SetPageFault(ulong linear, uint error)
    {
        _s->Cr2 = linear;
        return SetFault(Vector.PageFault, error, true);
    }

    /// <summary>#SS(0) or #GP(0) for a non-canonical address, by the segment that the running instruction uses.</summary>
    internal bool SetNonCanonicalFault()
    {
        Op* op = _s->CurrentOp;
        bool stack = op != null && (op->Flags & OpFlags.StackFault) != 0;
        return SetFault(stack ? Vector.StackFault : Vector.GeneralProtection, 0, true);
    }

    internal bool HasPendingPageFault => _faultVector == Vector.PageFault;

    internal void ClearFault() => _faultVector = -1;

    internal (int Vector, uint Error, bool HasError, ulong Cr2) SaveFault() => (_faultVector, _faultError, _faultHasError, _s->Cr2);

    internal void RestoreFault(int vector, uint error, bool hasError, ulong cr2)
    {
        SetFault(vector, error, hasError);
        _s->Cr2 = cr2;
    }

    /// <summary>Drops the block that begins at a linear address, so that it is decoded again.</summary>
    internal void ForgetBlock(ulong linear)
    {
        if (Mmu.TryTranslateFetch(linear, out ulong physical))
        {
            _code.CodeWritten(physical, 1);
        }
    }

    /// <summary>Recomputes everything that follows from CS, SS, CPL, CR0, CR4, EFER and RFLAGS; call after any of them changes.</summary>
    internal void UpdateMode()
    {
        CpuState* s = _s;
        bool longActive = (s->Efer & ControlBits.EferLongActive) != 0;
        bool protectedMode = (s->Cr0 & ControlBits.Cr0Protection) != 0;
        s->Virtual8086 = protectedMode && (s->FlagsRest & Flags.Virtual8086) != 0 ? 1 : 0;
        CodeMode mode;
        if (longActive && (s->Cs.Attributes & SegmentRegister.Long) != 0)
        {
            mode = CodeMode.Bits64;
            s->CodeSize = 64;
            s->LinearMask = ulong.MaxValue;
            s->StackMask = ulong.MaxValue;
        }
        else
        {
            bool big = (s->Cs.Attributes & SegmentRegister.Big) != 0;
            s->CodeSize = big ? 32 : 16;
            mode = !big ? CodeMode.Bits16 : s->Cs.Limit == uint.MaxValue ? CodeMode.Bits32 : CodeMode.Bits32Limited;
            s->LinearMask = uint.MaxValue;
            s->StackMask = (s->Ss.Attributes & SegmentRegister.Big) != 0 ? uint.MaxValue : 0xFFFFUL;
        }

        ulong unlimited = mode is CodeMode.Bits64 or CodeMode.Bits32 ? ExecKeyUnlimited : 0;
        s->ExecKey = (ulong)mode | (s->Cpl == 3 ? ExecKeyUser : 0) | unlimited;
        UpdateSlowAccess();
        Mmu.SelectView();
        if (IsVirtualInterruptDue)
        {
            s->StopBelow = ulong.MaxValue;
        }
    }

    /// <summary>Keeps the 64-bit views of FS and GS in step with their bases; call after either base changes.</summary>
    internal void UpdateSegmentBases()
    {
        _s->Fs64.Base = _s->Fs.Base;
        _s->Gs64.Base = _s->Gs.Base;
    }

    private ExitReason Leave(ExitReason reason)
    {
        Interlocked.And(ref *(uint*)&_s->Pending, ~(uint)PendingEvents.StopRequested);
        return reason;
    }

    /// <summary>Runs blocks until something needs the run loop.</summary>
    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    internal void Dispatch()
    {
        CpuState* s = _s;
        Op* op = Find();
        if (s->ExecKey < ExecKeyUnlimited && !WithinLimit(op))
        {
            Execute(op, 1);
            return;
        }

        long left = s->Budget - op->Remaining;
        if (left < 0)
        {
            Execute(op, s->Budget);
            return;
        }

        s->Budget = left;
        do
        {
            s->CurrentOp = op;
            op = op->Handler(s, op);
        }
        while ((ulong)op > s->StopBelow);
        Settle(op);
    }

    /// <summary>Runs up to <paramref name="count"/> instructions, not past the end of the current block; one where CS's limit cuts it.</summary>
    internal void Step(long count)
    {
        Op* op = Find();
        if (_s->ExecKey < ExecKeyUnlimited && !WithinLimit(op))
        {
            count = 1;
        }

        Execute(op, count);
    }

    internal void Execute(Op* op, long count)
    {
        CpuState* s = _s;
        s->Budget -= op->Remaining;
        while (true)
        {
            bool instruction = op->Length != 0;
            s->CurrentOp = op;
            op = op->Handler(s, op);
            if (instruction)
            {
                count--;
            }

            if (op == null || count <= 0 || s->StopBelow != 0)
            {
                break;
            }
        }

        Settle(op);
    }

    /// <summary>At a boundary: RIP and the budget as if only what has retired had ever been charged.</summary>
    internal void Settle(Op* next)
    {
        CpuState* s = _s;
        s->CurrentOp = null;
        if (next != null)
        {
            s->Rip = Flow.RipOf(s, next);
            s->Budget += next->Remaining;
        }
    }

    /// <summary>The decoded operation at RIP; decodes it where needed. Raises the fetch's fault.</summary>
    internal Op* Find()
    {
        CpuState* s = _s;
        ulong rip = s->Rip;
        ulong linear = (s->Cs.Base + rip) & s->LinearMask;
        bool limited = s->ExecKey < ExecKeyUnlimited;
        if (limited && rip > s->Cs.Limit)
        {
            ThrowFault(Vector.GeneralProtection, 0, true);
        }

        ExecTlbEntry* e = s->ExecTlb + ((linear >> 12) & (Mmu.ExecSize - 1));
        ulong tag = (linear & ~0xFFFUL) | s->ExecKey;
        CodePage* page = e->Tag == tag ? e->Page : null;
        ulong physical = 0;
        CodeMode mode = (CodeMode)(s->ExecKey & 3);
        if (page == null)
        {
            physical = TranslateFetch(linear);
            page = _code.GetPage(physical & ~0xFFFUL, mode);
            Mmu.AddExec(linear, page);
        }

        uint index = page->Entries[linear & 0xFFF];
        Op* op;
        if (index != 0)
        {
            op = s->Arena + index;
        }
        else
        {
            physical = TranslateFetch(linear);
            op = _builder.Build(linear, physical, mode);
            if (op == null)
            {
                ThrowPendingFault();
            }

            // Building may have dropped every page to make room.
            Mmu.AddExec(linear, _code.GetPage(physical & ~0xFFFUL, mode));
        }

        s->RipBase = rip - (linear & 0xFFF);
        return op;
    }

    private ulong TranslateFetch(ulong linear)
    {
        if (!Mmu.TryTranslateFetch(linear, out ulong physical))
        {
            ThrowPendingFault();
        }

        if ((Memory.KindOf(physical) & (PageKinds.Ram | PageKinds.Rom)) == 0)
        {
            // Nothing drives the bus there: FFh FFh is an undefined opcode.
            ThrowFault(Vector.InvalidOpcode, 0, false);
        }

        return physical;
    }

    /// <summary>True where CS's limit cuts none of a block's instructions. Raises #GP where it cuts the first.</summary>
    private bool WithinLimit(Op* op)
    {
        CpuState* s = _s;
        ulong limit = s->Cs.Limit;
        Op* first = op->Length != 0 ? op : op + 1;
        if (s->RipBase + first->PageOffset + first->Length - 1 > limit)
        {
            ThrowFault(Vector.GeneralProtection, 0, true);
        }

        while (op->Remaining != 0)
        {
            op++;
        }

        return s->RipBase + op->PageOffset - 1 <= limit;
    }

    /// <summary>After a fault: the faulting instruction counts as one, what was charged behind it is given back, RIP is its own.</summary>
    internal void AccountFault()
    {
        CpuState* s = _s;
        Op* op = s->CurrentOp;
        if (op != null)
        {
            s->Rip = Flow.RipOf(s, op);
            s->Budget += op->Remaining;
            s->CurrentOp = null;
        }

        s->Budget--;
    }
}
