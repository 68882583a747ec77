using System;
using VirtShell.State;

namespace VirtShell.Cpu.Execution;

/// <summary>
/// Unwinds the interpreter to the instruction boundary before a faulting instruction; vector and error code stand in the
/// <see cref="Vcpu"/>. One instance per vCPU is thrown again and again: it carries no information of its own.
/// </summary>
[NotState("Between the instruction that faults and the delivery, which no run ends within.")]
internal sealed class GuestFault : Exception
{
    public GuestFault()
        : base("A guest exception is being delivered.")
    {
    }
}
