using System;
using System.Collections.Generic;
using VirtShell.Cpu;
using VirtShell.Cpu.Memory;
using VirtShell.Machine.Boards;
using VirtShell.Machine.Bus;
using VirtShell.State;

namespace VirtShell.Machine.Processors;

/// <summary>
/// The processors of a machine, which share memory, bus and time and run on one thread. The first one's instructions are the machine's
/// time. Where there are others, they have a turn whenever the first one has run as many instructions as a turn is long, or sleeps, at a
/// time that stands still for the board. So a run depends on nothing but the machine, however it is cut, as with one.
/// </summary>
internal sealed class ProcessorGroup : IDisposable
{
    /// <summary>Instructions of a turn, where there are several processors.</summary>
    private const long Turn = 1_000;

    // What an access to a port takes on a PC's ISA bus, about.
    private const long PortCycle = 1_000;

    private readonly Processor[] _processors;
    private readonly Action<MachineExit> _exit;
    private readonly bool _chargesPorts;
    [NotState("Within a run.")]
    private Processor? _running;
    [NotState("Within a run.")]
    private long _turnBegan;
    [NotState("Wiring.")]
    private Board? _board;

    /// <param name="configuration">How many there are, and of what model.</param>
    /// <param name="memory">Their memory.</param>
    /// <param name="exit">Called when one of them asks for the run's end.</param>
    public ProcessorGroup(MachineConfiguration configuration, PhysicalMemory memory, Action<MachineExit> exit)
    {
        _exit = exit;
        _chargesPorts = configuration.Clock == ClockMode.Virtual;
        Clock = new MachineClock(() => Instructions) { DeadlineMoved = LimitRunTo, TimeSkipped = LetTimestampsFollow };
        _processors = new Processor[configuration.Processors];
        try
        {
            for (int i = 0; i < _processors.Length; i++)
            {
                _processors[i] = new Processor(i, this, Clock, bus => new Vcpu(memory, bus, configuration.CpuModel, configuration.Seed + (ulong)i, configuration.Engine) { ApicId = (byte)i });
            }
        }
        catch
        {
            Dispose();
            throw;
        }

        LetTimestampsFollow(Clock.Skipped);
    }

    /// <summary>The machine's clock, which goes by the first processor.</summary>
    public MachineClock Clock { get; }

    /// <summary>By their numbers.</summary>
    public IReadOnlyList<Processor> All => _processors;

    /// <summary>The one that starts the system.</summary>
    public Vcpu First => _processors[0].Cpu;

    /// <summary>Instructions that the first processor has retired since power-on.</summary>
    public long Instructions => First.InstructionsRetired;

    /// <summary>Whether an interrupt can wake any of them.</summary>
    public bool CanWake
    {
        get
        {
            foreach (Processor processor in _processors)
            {
                if (processor.IsStarted && processor.Cpu.InterruptsEnabled)
                {
                    return true;
                }
            }

            return false;
        }
    }

    /// <summary>Puts them onto a board.</summary>
    public void Connect(Board board)
    {
        _board = board;
        foreach (Processor processor in _processors)
        {
            processor.Connect(board);
        }
    }

    /// <summary>Power-on.</summary>
    public void Reset()
    {
        foreach (Processor processor in _processors)
        {
            processor.Reset();
        }
    }

    /// <summary>Gives the memory of decoded code back.</summary>
    public void DropCaches()
    {
        foreach (Processor processor in _processors)
        {
            processor.Cpu.DropCaches();
        }
    }

    public void SetA20(bool isOpen)
    {
        foreach (Processor processor in _processors)
        {
            processor.Cpu.SetA20(isOpen);
        }
    }

    /// <summary>Runs until the first processor has retired <paramref name="budget"/> instructions, or less; <see cref="ExitReason.Halted"/> where none of them has anything to do.</summary>
    public ExitReason Run(long budget)
    {
        if (_processors.Length == 1)
        {
            return RunOne(_processors[0], budget);
        }

        // Turns begin at multiples of their length, wherever a run was cut.
        long next = ((Instructions / Turn) + 1) * Turn;
        ExitReason reason = RunOne(_processors[0], Math.Min(budget, next - Instructions));
        if (reason != ExitReason.Halted && (reason != ExitReason.BudgetSpent || Instructions < next))
        {
            return reason;
        }

        bool isIdle = reason == ExitReason.Halted;
        foreach (Processor processor in _processors.AsSpan(1))
        {
            if (!processor.TryBeginTurn())
            {
                continue;
            }

            reason = RunOne(processor, Turn);
            if (reason is not (ExitReason.BudgetSpent or ExitReason.Halted))
            {
                return reason;
            }

            // One that has run may have woken another.
            isIdle &= processor.Cpu.InstructionsRetired == _turnBegan;
        }

        if (isIdle)
        {
            return ExitReason.Halted;
        }

        if (Instructions < next)
        {
            // While the first one sleeps, the turns of the others are what time goes by.
            Clock.SkipTo(Math.Min(Clock.Now + Turn, Clock.NextDue));
        }

        return ExitReason.BudgetSpent;
    }

    /// <summary>Makes a run return at the next instruction boundary. Callable from any thread.</summary>
    public void RequestStop() => First.RequestStop();

    /// <summary>Has the run end, with the running instruction.</summary>
    public void RequestExit(MachineExit exit) => _exit(exit);

    /// <summary>Ends the run with the running instruction, where there is one.</summary>
    public void StopNow()
    {
        if (_running is { Cpu: { } cpu })
        {
            cpu.LimitRun(cpu.InstructionsRetired);
        }
    }

    /// <summary>Ends a processor's turn, where it is in one.</summary>
    public void EndTurn(Processor processor)
    {
        if (_running == processor)
        {
            StopNow();
        }
    }

    /// <summary>
    /// Under the virtual clock, a guest that waits by reading ports has waited after as many accesses as on a PC. Under the host's,
    /// an access has taken its time already.
    /// </summary>
    public void PassPortCycle()
    {
        if (_chargesPorts)
        {
            Clock.StallInstruction(PortCycle);
        }
    }

    /// <summary>Guest time as a processor's time-stamp counter sees it: that of the board, and what it has run of its own turn.</summary>
    public long TimeOf(Processor processor) => processor == _processors[0] ? Clock.Now : Clock.Now + Progress(processor);

    public void Dispose()
    {
        foreach (Processor? processor in _processors)
        {
            processor?.Dispose();
        }
    }

    private ExitReason RunOne(Processor processor, long budget)
    {
        _running = processor;
        _turnBegan = processor.Cpu.InstructionsRetired;
        if (_processors.Length > 1)
        {
            _board!.Interrupts.LocalApics.Running = processor.Number;
            LetTimestampsFollow(Clock.Skipped);
        }

        try
        {
            return processor.Cpu.Run(budget);
        }
        finally
        {
            _running = null;
        }
    }

    private long Progress(Processor processor) => processor == _running ? processor.Cpu.InstructionsRetired - _turnBegan : 0;

    private void LetTimestampsFollow(long skipped)
    {
        First.LetTimestampFollow(skipped);
        if (_running is { Number: > 0 } running)
        {
            running.Cpu.LetTimestampFollow(Clock.Now - _turnBegan);
        }
    }

    private void LimitRunTo(long guestTime)
    {
        if (_running is not { } running)
        {
            return;
        }

        if (running == _processors[0])
        {
            First.LimitRun(guestTime - Clock.Skipped);
        }
        else if (guestTime <= Clock.Now)
        {
            // The board's time stands still meanwhile: what is due now is due after this instruction.
            StopNow();
        }
    }
}
