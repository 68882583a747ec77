using VirtShell.Cpu.Execution;
using VirtShell.State;

namespace VirtShell.Cpu;

/// <summary>Interrupts, NMI, traps and single-stepping at instruction boundaries (SDM Vol. 3A §6.9).</summary>
public sealed unsafe partial class Vcpu
{
    private const ulong Dr6SingleStep = 1 << 14;
    private const ulong Dr6Breakpoints = 15;

    /// <summary>Between the delivery of an NMI and the next IRET (SDM Vol. 3A §6.7.1).</summary>
    private bool _nmiBlocked;

    /// <summary>DR6 bits of the debug trap that waits.</summary>
    private ulong _pendingDebug;

    /// <summary>A handler was entered by the instruction being stepped: its single-step trap is lost.</summary>
    [NotState("Within an instruction that is stepped.")]
    private bool _stepTrapSuppressed;

    /// <summary>Retired count at which RF, as loaded by IRET, is in force: it covers one instruction only.</summary>
    private long _resumeAt = -1;

    /// <summary>Between iterations of a repeated string instruction: it begins no more, and an image pushed here has RF (SDM Vol. 3B §17.3.1.1).</summary>
    private bool IsRepeating => _s->RepeatAt == InstructionsRetired;

    /// <summary>A repeated string instruction comes back to itself at a retired count.</summary>
    internal void NoteRepetition(long retired) => _s->RepeatAt = retired;

    /// <summary>RFLAGS with RF as it is in force now.</summary>
    internal uint CurrentFlags()
    {
        CpuState* s = _s;
        if ((s->FlagsRest & Flags.Resume) != 0 && _resumeAt != InstructionsRetired)
        {
            s->FlagsRest &= ~Flags.Resume;
        }

        return Flags.Get(s);
    }

    /// <summary>IRET ends the blocking of NMIs, also where it faults: the fault's handler is entered with NMIs open (SDM Vol. 3A §6.7.1).</summary>
    internal void BeforeInterruptReturn() => _nmiBlocked = false;

    /// <summary>IRET's RF covers the next instruction, and what its return opens is looked at before that.</summary>
    internal void AfterInterruptReturn(long retiredAfter)
    {
        _resumeAt = retiredAfter;
        if ((_s->Pending & PendingEvents.Nmi) != 0)
        {
            _s->StopBelow = ulong.MaxValue;
        }
    }

    /// <summary>SYSCALL and SYSRET: TF as they leave it decides whether they are followed by the single-step trap, not TF as they found it.</summary>
    internal void TrapByNewFlags()
    {
        _stepTrapSuppressed = true;
        if ((_s->FlagsRest & Flags.Trap) != 0)
        {
            LatchDebugTrap(Dr6SingleStep);
        }
    }

    /// <summary>
    /// VIF and VIP both set where they are in use (VME in virtual-8086 mode, else PVI; CPL 3 above IOPL): #GP(0) at the beginning
    /// of an instruction, for the monitor to serve what waits (SDM Vol. 3B §20.3.2, §20.4). STI and POPF fault before they set VIF,
    /// so IRET, a task switch or a change of privilege has brought it about, and <see cref="UpdateMode"/> asks for a look.
    /// </summary>
    private bool IsVirtualInterruptDue
    {
        get
        {
            CpuState* s = _s;
            const uint Both = Flags.VirtualInterrupt | Flags.VirtualInterruptPending;
            ulong extension = s->Virtual8086 != 0 ? ControlBits.Cr4Vme : ControlBits.Cr4Pvi;
            return (s->FlagsRest & Both) == Both && s->Cpl == 3 && (s->Cr4 & extension) != 0
                && (s->FlagsRest & Flags.IoplMask) != Flags.IoplMask;
        }
    }

    /// <summary>Latches a debug trap for the next boundary.</summary>
    internal void LatchDebugTrap(ulong dr6)
    {
        _pendingDebug |= dr6;
        SetPending(PendingEvents.DebugTrap);
    }

    /// <summary>A debug exception is about to be delivered: it takes the trap that waits with it, so that there is one and not two.</summary>
    private void NoteDebugException(ulong dr6) => RecordDebug(TakeDebugTrap() | dr6);

    /// <summary>INT1: tells nothing in DR6 but of the trap that it takes with it.</summary>
    internal void EnterDebugHandler(ulong next)
    {
        ulong waiting = TakeDebugTrap();
        EnterHandler(Vector.Debug, EventKind.PrivilegedSoftware, false, 0, next);
        if (waiting != 0)
        {
            RecordDebug(waiting);
        }
    }

    // B0 to B3 tell of this exception alone; the other bits stay until software clears them (SDM Vol. 3B §17.2.3).
    private void RecordDebug(ulong dr6) => _s->Dr[6] = (_s->Dr[6] & ~Dr6Breakpoints) | dr6;

    /// <summary>
    /// The trap that waits is no more. Faults lose it: their instruction has not completed, so no breakpoint on its data has fired, and
    /// they end the shadow in which MOV SS held one over.
    /// </summary>
    private ulong TakeDebugTrap()
    {
        ulong waiting = _pendingDebug;
        if ((_s->Pending & PendingEvents.DebugTrap) != 0)
        {
            _pendingDebug = 0;
            ClearPending(PendingEvents.DebugTrap);
        }

        return waiting;
    }

    /// <summary>Handles what waits for a boundary. False: the run ends for <paramref name="exit"/>.</summary>
    private bool TakeEvents(out ExitReason exit)
    {
        CpuState* s = _s;
        exit = ExitReason.StopRequested;
        if ((s->Pending & PendingEvents.StopRequested) != 0)
        {
            return false;
        }

        long retired = s->RunEnd - s->Budget;
        if ((s->Pending & PendingEvents.DebugTrap) != 0 && s->DebugShadowAt != retired)
        {
            s->Halted = 0;
            NoteDebugException(0);
            Deliver(Vector.Debug, EventKind.Trap, false, 0);
            return true;
        }

        if ((s->Pending & PendingEvents.Nmi) != 0 && !_nmiBlocked && s->DebugShadowAt != retired)
        {
            ClearPending(PendingEvents.Nmi);
            _nmiBlocked = true;
            s->Halted = 0;
            Deliver(Vector.Nmi, EventKind.External, false, 0);
            return true;
        }

        if ((s->Pending & PendingEvents.Interrupt) != 0 && (s->FlagsRest & Flags.Interrupt) != 0 && s->ShadowAt != retired)
        {
            int vector = Bus.AcknowledgeInterrupt();
            if (vector >= 0)
            {
                s->Halted = 0;
                Deliver(vector, EventKind.External, false, 0);
            }
            else
            {
                SetInterruptRequest(false);
            }
        }

        return true;
    }

    /// <summary>One instruction with everything watched that the fast path leaves out, or more where <paramref name="single"/> is false and nothing needs watching.</summary>
    private void StepWatched(bool single)
    {
        CpuState* s = _s;
        bool trap = (s->FlagsRest & Flags.Trap) != 0;
        bool waits = (s->Pending & PendingEvents.DebugTrap) != 0
            || ((s->Pending & PendingEvents.Nmi) != 0 && !_nmiBlocked)
            || ((s->Pending & PendingEvents.Interrupt) != 0 && (s->FlagsRest & Flags.Interrupt) != 0);
        if (!single && !trap && !waits && !InstructionBreakpointsArmed)
        {
            // What waits is masked, and whatever unmasks it leaves dispatch.
            RunBlocks();
            return;
        }

        if (InstructionBreakpointsArmed)
        {
            CheckInstructionBreakpoints();
        }

        long before = s->RunEnd - s->Budget;
        _stepTrapSuppressed = false;
        Step(1);
        long after = s->RunEnd - s->Budget;
        if (trap && after > before && !_stepTrapSuppressed && s->DebugShadowAt != after)
        {
            LatchDebugTrap(Dr6SingleStep);
        }
    }

    private void ClearPending(PendingEvents events) =>
        System.Threading.Interlocked.And(ref *(uint*)&_s->Pending, ~(uint)events);

    internal void DeliverFault()
    {
        int vector = _faultVector;
        _ = TakeDebugTrap();
        FaultRaised?.Invoke(vector, _faultError);
        EventKind kind = _faultIsBreakpoint ? EventKind.Breakpoint : EventKind.Fault;
        _faultIsBreakpoint = false;
        Deliver(vector, kind, _faultHasError, _faultError);
    }
}
