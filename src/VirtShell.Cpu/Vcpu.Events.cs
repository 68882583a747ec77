namespace VirtShell.Cpu;

/// <summary>Interrupts, NMI, traps and single-stepping at instruction boundaries (SDM Vol. 3A §6.9).</summary>
public sealed unsafe partial class Vcpu
{
    /// <summary>DR7 arms an instruction breakpoint.</summary>
    private bool InstructionBreakpointsArmed => false;

    /// <summary>Notes a data access while every access takes the slow path, for data breakpoints.</summary>
    internal void NoteDataAccess(ulong linear, int size, bool write)
    {
    }

    /// <summary>Decides whether data accesses must take the slow path: alignment checks or data breakpoints in force.</summary>
    private void UpdateSlowAccess()
    {
        CpuState* s = _s;
        Mmu.ForceSlow = s->Cpl == 3 && (s->FlagsRest & Flags.AlignmentCheck) != 0 && (s->Cr0 & ControlBits.Cr0AlignmentMask) != 0;
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
        if ((s->Pending & PendingEvents.Interrupt) != 0 && (s->FlagsRest & Flags.Interrupt) != 0 && s->ShadowAt != retired)
        {
            int vector = Bus.AcknowledgeInterrupt();
            if (vector >= 0)
            {
                s->Halted = 0;
                DeliverInterrupt(vector);
            }
            else
            {
                SetInterruptRequest(false);
            }
        }

        return true;
    }

    /// <summary>One instruction with everything watched that the fast path leaves out.</summary>
    private void StepWatched()
    {
        CpuState* s = _s;
        bool shadow = (s->Pending & ~PendingEvents.Interrupt) == 0 && (s->FlagsRest & (Flags.Trap | Flags.Interrupt)) == 0;
        if (shadow && !InstructionBreakpointsArmed)
        {
            // Only an interrupt waits, and it is masked: whatever unmasks it leaves dispatch.
            Dispatch();
            return;
        }

        Step(1);
    }

    private void DeliverInterrupt(int vector) => throw new System.NotSupportedException($"Interrupt {vector}.");

    private void DeliverFault() => throw new System.NotSupportedException($"Exception {_faultVector} at {_s->Rip:x}.");
}
