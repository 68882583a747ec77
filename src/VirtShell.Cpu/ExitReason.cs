namespace VirtShell.Cpu;

/// <summary>Why <see cref="Vcpu.Run"/> returned.</summary>
public enum ExitReason
{
    /// <summary>Exactly the budget was retired.</summary>
    BudgetSpent,

    /// <summary>HLT was retired; the processor waits for an interrupt, NMI, INIT or reset. Running it again while nothing is pending returns this at once.</summary>
    Halted,

    /// <summary>A triple fault: the processor is in the shutdown state until reset.</summary>
    Shutdown,

    /// <summary>A host breakpoint (<see cref="Vcpu.Breakpoints"/>) was reached, before its instruction ran.</summary>
    Breakpoint,

    /// <summary><see cref="Vcpu.RequestStop"/> was called.</summary>
    StopRequested,
}
