using System;
using VirtShell.Cpu.Tests.Privileged;
using VirtShell.Cpu.Diagnostics;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>The two machines of one run.</summary>
internal sealed unsafe class LockstepPair : IDisposable
{
    /// <summary>With VIRTSHELL_ENGINE=interpreter the interpreter is compared with itself: what differs then is the comparison's own fault.</summary>
    private static readonly EngineKind s_other = TestEngine.Kind == EngineKind.Interpreter ? EngineKind.Interpreter : EngineKind.Translator;

    private readonly GuestProgram _program;
    private int _chunks;

    public LockstepPair(GuestProgram program)
    {
        _program = program;
        Interpreter = new LockstepMachine(program, EngineKind.Interpreter);
        Translator = new LockstepMachine(program, s_other);
    }

    public LockstepMachine Interpreter { get; }

    public LockstepMachine Translator { get; }

    /// <summary>Called after each chunk with the translating machine; tests of this comparison put errors in here.</summary>
    public Action<LockstepMachine>? Disturb { get; set; }

    /// <summary>Runs a chunk on both; gives why the interpreter came back, and the difference between the two reasons where there is one.</summary>
    public (ExitReason Reason, EngineDifference? Difference) Run(in LockstepStep step)
    {
        Apply(Interpreter, step, translator: false);
        Apply(Translator, step, translator: true);
        Watchdog.Begin(_program, _chunks++, step);
        ExitReason expected = Interpreter.Processor.Run(step.Budget);
        ExitReason actual = Translator.Processor.Run(step.Budget);
        Watchdog.End();
        Translator.Processor.Engine = s_other;
        Disturb?.Invoke(Translator);
        return (expected, expected == actual ? null : new EngineDifference("exit reason", expected.ToString(), actual.ToString()));
    }

    public void Dispose()
    {
        Interpreter.Dispose();
        Translator.Dispose();
    }

    private void Apply(LockstepMachine machine, in LockstepStep step, bool translator)
    {
        Vcpu processor = machine.Processor;
        switch (step.Action)
        {
            case HostAction.Interrupt:
                machine.Bus.Raise((int)step.Argument);
                break;
            case HostAction.Nmi:
                processor.RaiseNmi();
                break;
            case HostAction.PatchCode when _program.Patches.Count > 0:
                (ulong address, byte[] bytes) = _program.Patches[(int)(step.Argument % (ulong)_program.Patches.Count)];
                machine.Memory.Write(address, bytes);
                break;
            case HostAction.WriteData:
                machine.Memory.WriteUInt64(step.Argument, step.Argument * 0x9E3779B97F4A7C15);
                break;
            case HostAction.A20:
                processor.SetA20(step.Argument != 0);
                break;
            case HostAction.SetBreakpoint:
                processor.Breakpoints.Add(step.Argument);
                break;
            case HostAction.ClearBreakpoints:
                processor.Breakpoints.Clear();
                break;
            case HostAction.DropCaches:
                processor.DropCaches();
                break;
            case HostAction.Interpret when translator:
                processor.Engine = EngineKind.Interpreter;
                break;
            case HostAction.SaveAndLoad:
                SavedState.Load(processor, SavedState.Of(processor));
                break;
        }
    }
}
