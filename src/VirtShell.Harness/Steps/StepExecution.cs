using System;
using System.Linq;
using VirtShell.Harness.Execution;
using VirtShell.Harness.Model;
using VirtShell.Host;
using VirtShell.Machine;
using VirtShell.Machine.Display;
using VirtShell.Settings;
using VirtShell.State;

namespace VirtShell.Harness.Steps;

/// <summary>A step in progress: a state machine that is told of output, alarms and the end, all on the VM's thread.</summary>
internal abstract class StepExecution(IScript script) : IStateful
{
    /// <summary>Lines of serial output in a failure's message.</summary>
    private const int TailLines = 12;

    /// <summary>A panic's own report, with registers and stack, has fewer lines than this.</summary>
    private const int PanicLines = 120;

    private const string DoneIsRecorded = "A step that is done is recorded at once.";

    private const string PanicWords = "Kernel panic - not syncing: ";

    protected IScript Script { get; } = script;

    /// <summary>Null while it is in progress.</summary>
    [NotState(DoneIsRecorded)]
    public Outcome? Outcome { get; private set; }

    [NotState(DoneIsRecorded)]
    public string Message { get; private set; } = string.Empty;

    [NotState(DoneIsRecorded)]
    public string? Output { get; protected set; }

    [NotState(DoneIsRecorded)]
    public int? ExitStatus { get; protected set; }

    /// <summary>What the screen showed, where the step looked for the report.</summary>
    [NotState("A picture for the report, taken as the step ends.")]
    public ScreenSnapshot? Screen { get; protected set; }

    /// <summary>The serial port that it works on.</summary>
    public virtual Outlet Port => Outlet.Com1;

    public abstract void Begin();

    /// <summary>New output is on its port.</summary>
    public virtual void OnOutput()
    {
    }

    /// <summary>Whether <see cref="OnPause"/> is wanted.</summary>
    public virtual bool LooksInPauses => false;

    /// <summary>The output on its port has paused, or has ended.</summary>
    public virtual void OnPause()
    {
    }

    public virtual void OnAlarm()
    {
    }

    /// <summary>The guest's run ended while it was in progress.</summary>
    public virtual void OnEnd(string how) => Fail(PanicLine() is { } panic ? $"The kernel panicked {Waiting}: {panic}{AfterPanic(panic)}" : $"The guest's run ended ({how}) {Waiting}.", withTail: true);

    /// <summary>What it knows beside its specification, in place of <see cref="Begin"/> where a run goes on. The ports are there.</summary>
    public virtual void Describe(StateVisitor visitor)
    {
    }

    /// <summary>What to do about a panic, where the step knows; begins with a space.</summary>
    protected virtual string AfterPanic(string panic) => string.Empty;

    /// <summary>What it waits for, to complete "ended ...": "while waiting for ...".</summary>
    protected abstract string Waiting { get; }

    protected void Pass(string message = "")
    {
        Outcome = Harness.Outcome.Passed;
        Message = message;
    }

    protected void Fail(string message, bool withTail)
    {
        Outcome = Harness.Outcome.Failed;
        Message = withTail ? $"{message}\n{Tail()}" : message;
    }

    protected void FailByTimeout(long limit, string hint = "") => Fail($"Nothing matched within {Units.FormatDuration(limit)} of guest time {Waiting}.{hint}", withTail: true);

    /// <summary>The kernel's own words where it panicked and they are among the last lines; else null.</summary>
    protected string? PanicLine()
    {
        foreach (string line in Script.Port(Port).Text.Clean.Tail(PanicLines))
        {
            int at = line.IndexOf(PanicWords, StringComparison.Ordinal);
            if (at >= 0)
            {
                return Printable.Escape(line[at..]);
            }
        }

        return null;
    }

    private string Tail()
    {
        var lines = Script.Port(Port).Text.Clean.Tail(TailLines);
        return lines.All(string.IsNullOrWhiteSpace)
            ? $"The guest has sent nothing{SerialPorts.Suffix(Port)}."
            : $"The last it sent{SerialPorts.Suffix(Port)}:\n{string.Join('\n', lines.Select(l => $"    {Printable.Log(l)}"))}";
    }

    public static StepExecution Create(StepSpec step, IScript script, TestSpec test, string salt, ScreenReferences references, string item) => step switch
    {
        BootSpec => new BootExecution(script),
        ExpectSpec expect => new ExpectExecution(script, expect, expect.Timeout ?? test.Limits.Step),
        SendSpec send => new SendExecution(script, send, test.Limits.Step),
        RunSpec run => new RunExecution(script, run, run.Prompt ?? test.Prompt, run.Timeout ?? test.Limits.Step, salt),
        WaitSpec wait => new WaitExecution(script, wait),
        MediumSpec medium => new MediumExecution(script, medium),
        StopSpec stop => new StopExecution(script, stop),
        ScreenExpectSpec screen => new ScreenExpectExecution(script, screen, screen.Timeout ?? test.Limits.Step, references, item),
        ScreenshotSpec => new ScreenshotExecution(script),
        TypeSpec or KeySpec or MouseSpec => new InputExecution(script, step, test.Limits.Step),
        _ => throw new ArgumentOutOfRangeException(nameof(step), step.GetType().Name),
    };
}

/// <summary>The machine is on when the script begins, so there is nothing left to do.</summary>
internal sealed class BootExecution(IScript script) : StepExecution(script)
{
    protected override string Waiting => "while booting";

    public override void Begin() => Pass();
}

internal sealed class SendExecution(IScript script, SendSpec spec, long limit) : StepExecution(script)
{
    /// <summary>How often the first to type looks whether someone listens, and how long the output must have stood still: nanoseconds of guest time.</summary>
    private const long Look = 20_000_000;

    private long _deadline;

    public override Outlet Port => spec.Port;

    protected override string Waiting => "before anything in it listened for what was to be typed";

    /// <summary>The first to type waits: at power-on nobody reads, and drivers throw away what came before them.</summary>
    public override void Begin()
    {
        if (Script.Port(Port).IsInUse)
        {
            Type();
            return;
        }

        _deadline = Script.Control.GuestTime + limit;
        Script.SetStepAlarm(Math.Min(_deadline, Script.Control.GuestTime + Look));
    }

    public override void OnAlarm()
    {
        long now = Script.Control.GuestTime;
        if (Script.Control.IsListening(Port) && now - Script.Port(Port).LastByteAt >= Look)
        {
            Type();
        }
        else if (now >= _deadline)
        {
            Fail($"Nothing in the guest listened{SerialPorts.Suffix(Port)} within {Units.FormatDuration(limit)} of guest time, so nothing was typed. Is it the port that the guest's shell is on?", withTail: true);
        }
        else
        {
            Script.SetStepAlarm(Math.Min(_deadline, now + Look));
        }
    }

    public override void Describe(StateVisitor visitor) => visitor.Value("deadline", ref _deadline);

    private void Type()
    {
        Script.Send(spec.Port, spec.Enter ? spec.Text + "\r" : spec.Text);
        Pass();
    }
}

internal sealed class WaitExecution(IScript script, WaitSpec spec) : StepExecution(script)
{
    protected override string Waiting => $"before {Units.FormatDuration(spec.Duration)} had passed";

    public override void Begin() => Script.SetStepAlarm(Script.Control.GuestTime + spec.Duration);

    public override void OnAlarm() => Pass();
}

/// <summary>The medium changes at once; what the guest makes of it is for the next step to see.</summary>
internal sealed class MediumExecution(IScript script, MediumSpec spec) : StepExecution(script)
{
    protected override string Waiting => "while a medium was changed";

    public override void Begin()
    {
        try
        {
            Script.Control.ChangeMedium(spec.Drive.Kind, spec.Drive.Index, spec.Source);
            Pass();
        }
        catch (VmException e)
        {
            Fail(e.Message, withTail: false);
        }
    }
}

internal sealed class ExpectExecution(IScript script, ExpectSpec spec, long limit) : StepExecution(script)
{
    private Console.ConsoleMatcher? _matcher;

    public override Outlet Port => spec.Port;

    protected override string Waiting => $"while waiting for {spec.Pattern}{SerialPorts.Suffix(Port)}{(_matcher is { Missed: > 0 and var missed } ? $" (the first {missed} bytes since the last match were no longer held; expect something nearer before)" : string.Empty)}";

    public override void Begin()
    {
        PortState port = Script.Port(Port);
        _matcher = new Console.ConsoleMatcher(port.Text, spec.Pattern, port.Cursor);
        port.IsInUse = true;
        Script.SetStepAlarm(Script.Control.GuestTime + limit);
        OnOutput();
    }

    public override bool LooksInPauses => spec.Pattern.IsRegex;

    public override void OnOutput() => Look(pausing: false);

    public override void OnPause() => Look(pausing: true);

    public override void OnAlarm() => FailByTimeout(limit);

    public override void Describe(StateVisitor visitor)
    {
        _matcher = visitor.IsLoading ? new Console.ConsoleMatcher(Script.Port(Port).Text, spec.Pattern, 0) : _matcher;
        visitor.Part("matcher", _matcher!);
    }

    private void Look(bool pausing)
    {
        if (_matcher!.Advance(pausing))
        {
            Script.Port(Port).Cursor = _matcher.MatchEndByte;
            Pass();
        }
    }
}

internal sealed class StopExecution(IScript script, StopSpec spec) : StepExecution(script)
{
    private const long DefaultLimit = 30_000_000_000;

    private bool _plugPulled;

    private long Limit => spec.Timeout ?? DefaultLimit;

    protected override string Waiting => "while stopping";

    public override void Begin()
    {
        if (spec.Method == StopMethod.Plug)
        {
            PullPlug();
            return;
        }

        Script.Control.PressPowerButton();
        Script.SetStepAlarm(Script.Control.GuestTime + Limit);
    }

    public override void OnAlarm()
    {
        if (spec.Method == StopMethod.Button)
        {
            Fail($"The guest did not switch itself off within {Units.FormatDuration(Limit)} of guest time after the power button was pressed.", withTail: true);
            return;
        }

        PullPlug();
    }

    public override void OnEnd(string how) => Pass(_plugPulled
        ? spec.Method == StopMethod.Plug ? "The plug was pulled." : $"The guest did not react to the power button within {Units.FormatDuration(Limit)}, so the plug was pulled."
        : $"The guest's run ended: {how}.");

    public override void Describe(StateVisitor visitor) => visitor.Value("plug-pulled", ref _plugPulled);

    private void PullPlug()
    {
        _plugPulled = true;
        Script.Control.TurnOff(VmEndKind.TurnedOff);
    }
}
