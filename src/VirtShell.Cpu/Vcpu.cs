using System;
using System.Collections.Generic;
using VirtShell.Cpu.Memory;
using VirtShell.State;

namespace VirtShell.Cpu;

/// <summary>
/// One virtual x86 processor. <see cref="Run"/> is the whole contract with its machine; everything else is called on the
/// thread that runs it, between runs or from <see cref="ICpuBus"/> callbacks, unless it says otherwise.
/// </summary>
public sealed unsafe partial class Vcpu : IDisposable
{
    /// <summary>Creates a processor in its reset state.</summary>
    /// <param name="memory">Guest-physical memory; not disposed with the processor.</param>
    /// <param name="bus">Everything else around it.</param>
    /// <param name="model">What CPUID describes.</param>
    /// <param name="seed">Seed of RDRAND and RDSEED.</param>
    public Vcpu(PhysicalMemory memory, ICpuBus bus, CpuModel model, ulong seed = 0) => throw new NotSupportedException();

    /// <summary>RFLAGS.IF: whether INTR can wake a halted processor.</summary>
    public bool InterruptsEnabled => throw new NotSupportedException();

    /// <summary>Instructions retired since power-on, exact also inside a bus callback (the running instruction not counted). Survives <see cref="Reset"/>.</summary>
    public long InstructionsRetired => throw new NotSupportedException();

    /// <summary>Linear addresses before whose instruction <see cref="Run"/> stops with <see cref="ExitReason.Breakpoint"/>.</summary>
    public ISet<ulong> Breakpoints { get; } = new HashSet<ulong>();

    /// <summary>Retires exactly <paramref name="instructionBudget"/> instructions (1 or more) unless it exits earlier.</summary>
    public ExitReason Run(long instructionBudget) => throw new NotSupportedException();

    /// <summary>Asks a running <see cref="Run"/> to return at the next instruction boundary. Callable from any thread.</summary>
    public void RequestStop() => throw new NotSupportedException();

    /// <summary>Shortens the running budget so that <see cref="Run"/> returns when <see cref="InstructionsRetired"/> reaches <paramref name="retired"/> (or at the next boundary, if that has passed). For bus callbacks that schedule an event nearer than the machine's budget.</summary>
    public void LimitRun(long retired) => throw new NotSupportedException();

    /// <summary>Level of the INTR input. Taken at the next instruction boundary at which interrupts are enabled.</summary>
    public void SetInterruptRequest(bool asserted) => throw new NotSupportedException();

    /// <summary>Pulses the NMI input.</summary>
    public void RaiseNmi() => throw new NotSupportedException();

    /// <summary>Level of the A20 gate; false forces physical address bit 20 to zero.</summary>
    public void SetA20(bool enabled) => throw new NotSupportedException();

    /// <summary>The RESET (or INIT) state: real mode at F000:FFF0.</summary>
    public void Reset(bool init = false) => throw new NotSupportedException();

    /// <summary>A general register by its hardware number (0 RAX, 1 RCX, 2 RDX, 3 RBX, 4 RSP, 5 RBP, 6 RSI, 7 RDI, 8–15 R8–R15).</summary>
    public ulong GetRegister(int number) => throw new NotSupportedException();

    /// <summary>Sets a general register by its hardware number.</summary>
    public void SetRegister(int number, ulong value) => throw new NotSupportedException();

    /// <summary>Puts the processor into flat 32-bit protected mode, paging off, interrupts off, at <paramref name="eip"/>: CS, and DS ES FS GS SS as given, base 0, limit 4 GiB. For direct boot.</summary>
    public void EnterFlat32(uint eip, ushort codeSelector, ushort dataSelector, ulong gdtBase, ushort gdtLimit) => throw new NotSupportedException();

    /// <summary>Puts the processor into 64-bit mode with paging by <paramref name="cr3"/>, interrupts off, at <paramref name="rip"/>. For direct boot.</summary>
    public void EnterLong64(ulong rip, ulong cr3, ushort codeSelector, ushort dataSelector, ulong gdtBase, ushort gdtLimit) => throw new NotSupportedException();

    public void Save(StateWriter writer) => throw new NotSupportedException();

    public void Load(StateReader reader) => throw new NotSupportedException();

    public void Dispose()
    {
    }
}
