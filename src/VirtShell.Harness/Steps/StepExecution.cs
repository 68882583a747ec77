using System;
using System.Linq;
using VirtShell.Harness.Model;
using VirtShell.Host;

namespace VirtShell.Harness.Steps;

/// <summary>A step in progress: a state machine that is told of output, alarms and the end, all on the VM's thread.</summary>
internal abstract class StepExecution(IScript script)
{
    /// <summary>Lines of serial output in a failure's message.</summary>
    private const int TailLines = 12;

    protected IScript Script { get; } = script;

    /// <summary>Null while it is in progress.</summary>
    public Outcome? Outcome { get; private set; }

    public string Message { get; private set; } = string.Empty;

    public string? Output { get; protected set; }

    public int? ExitStatus { get; protected set; }

    /// <summary>The serial port that it works on.</summary>
    public virtual int Port => SerialPorts.Com1;

    public abstract void Begin();

    /// <summary>New output is on its port.</summary>
    public virtual void OnOutput()
    {
    }

    public virtual void OnAlarm()
    {
    }

    /// <summary>The guest's run ended while it was in progress.</summary>
    public virtual void OnEnd(string how) => Fail($"The guest's run ended ({how}) {Waiting}.", withTail: true);

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

    protected void FailByTimeout(long limit) => Fail($"Nothing matched within {Units.FormatDuration(limit)} of guest time {Waiting}.", withTail: true);

    private string Tail()
    {
        var lines = Script.Port(Port).Text.Clean.Tail(TailLines);
        return lines.All(string.IsNullOrWhiteSpace)
            ? $"The guest has sent nothing{SerialPorts.Suffix(Port)}."
            : $"The last it sent{SerialPorts.Suffix(Port)}:\n{string.Join('\n', lines.Select(l => $"    {Printable.Log(l)}"))}";
    }

    public static StepExecution Create(StepSpec step, IScript script, TestSpec test, string salt) => step switch
    {
        BootSpec => new BootExecution(script),
        ExpectSpec expect => new ExpectExecution(script, expect, expect.Timeout ?? test.Limits.Step),
        SendSpec send => new SendExecution(script, send),
        RunSpec run => new RunExecution(script, run, run.Prompt ?? test.Prompt, run.Timeout ?? test.Limits.Step, salt),
        WaitSpec wait => new WaitExecution(script, wait),
        StopSpec stop => new StopExecution(script, stop),
        _ => throw new ArgumentOutOfRangeException(nameof(step), step.GetType().Name),
    };
}

/// <summary>The machine is on when the script begins, so there is nothing left to do.</summary>
internal sealed class BootExecution(IScript script) : StepExecution(script)
{
    protected override string Waiting => "while booting";

    public override void Begin() => Pass();
}

internal sealed class SendExecution(IScript script, SendSpec spec) : StepExecution(script)
{
    public override int Port => spec.Port;

    protected override string Waiting => "while sending";

    public override void Begin()
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

internal sealed class ExpectExecution(IScript script, ExpectSpec spec, long limit) : StepExecution(script)
{
    private Console.ConsoleMatcher? matcher;

    public override int Port => spec.Port;

    protected override string Waiting => $"while waiting for {spec.Pattern}{SerialPorts.Suffix(Port)}";

    public override void Begin()
    {
        PortState port = Script.Port(Port);
        matcher = new Console.ConsoleMatcher(port.Text, spec.Pattern, port.Cursor);
        Script.SetStepAlarm(Script.Control.GuestTime + limit);
        OnOutput();
    }

    public override void OnOutput()
    {
        if (matcher!.Advance())
        {
            Script.Port(Port).Cursor = matcher.MatchEndByte;
            Pass();
        }
    }

    public override void OnAlarm() => FailByTimeout(limit);
}

internal sealed class StopExecution(IScript script, StopSpec spec) : StepExecution(script)
{
    private const long DefaultLimit = 30_000_000_000;

    private bool plugPulled;

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

    public override void OnEnd(string how) => Pass(plugPulled
        ? spec.Method == StopMethod.Plug ? "The plug was pulled." : $"The guest did not react to the power button within {Units.FormatDuration(Limit)}, so the plug was pulled."
        : $"The guest's run ended: {how}.");

    private void PullPlug()
    {
        plugPulled = true;
        Script.Control.TurnOff(VmEndKind.TurnedOff);
    }
}
