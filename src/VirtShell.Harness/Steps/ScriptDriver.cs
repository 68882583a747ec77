using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using VirtShell.Harness.Console;
using VirtShell.Harness.Execution;
using VirtShell.Harness.Model;
using VirtShell.Host;
using VirtShell.Machine;
using VirtShell.Settings;
using VirtShell.State;

namespace VirtShell.Harness.Steps;

/// <summary>Something in the serial output that must not be there.</summary>
/// <param name="Pattern">The pattern.</param>
/// <param name="Line">The line that matched.</param>
/// <param name="GuestTime">When, in nanoseconds since power-on.</param>
internal sealed record ForbiddenLine(TextPattern Pattern, string Line, long GuestTime);

/// <summary>
/// Runs a test's steps inside a VM's run. Everything happens on the VM's thread at exact instructions and all limits are in
/// guest time, so under the virtual clock the same test gives the same run however busy the host is.
/// </summary>
internal sealed class ScriptDriver : IGuestDriver, IScript
{
    /// <summary>After a forbidden line the guest goes on this long, so that the log holds the whole report.</summary>
    private const long Aftermath = 2_000_000_000;

    /// <summary>Of a longer line only the end is looked at for what must not appear; printk's longest is 1,024 characters.</summary>
    private const int LongestForbiddenLine = 16 * 1024;

    private const string WaitingForEnd = "waiting for the guest to end";
    private const int LongestText = 64 << 20;

    [NotState("The suite says it.")]
    private readonly TestSpec test;
    private readonly string salt;
    [NotState("The suite says it.")]
    private readonly IReadOnlyList<TextPattern> never;
    [NotState("The suite says it.")]
    private readonly ScreenReferences references;
    private readonly Dictionary<Outlet, PortState> ports = [];
    private readonly List<StepResult> results = [];
    private readonly List<ForbiddenLine> forbidden = [];
    [NotState("Given with each call.")]
    private IGuestControl control = null!;
    private StepExecution? current;
    private int index;
    private long startedAt;
    private long startInstructions;
    private long stepAlarm = long.MaxValue;
    private long overallAlarm;
    private long aftermathAlarm = long.MaxValue;
    private long quietAlarm = long.MaxValue;
    private long armed = long.MaxValue;
    [NotState("Within a call.")]
    private bool advancing;
    [NotState("A run that ends is not saved.")]
    private bool turnedOff;
    [NotState("What this process wants.")]
    private volatile bool abandoned;
    [NotState("Follows from the step.")]
    private volatile string activity = "starting";
    [NotState("Follows from the step.")]
    private volatile int stepsDone;

    public ScriptDriver(TestSpec test, string salt, IReadOnlyList<TextPattern> never, ScreenReferences? references = null)
    {
        this.references = references ?? ScreenReferences.None;
        this.test = test;
        this.salt = salt;
        this.never = never;
    }

    public IReadOnlyList<StepResult> Results => results;

    public IReadOnlyList<ForbiddenLine> Forbidden => forbidden;

    /// <summary>Whether the run reached its limit of guest time.</summary>
    [NotState("A run that ends is not saved.")]
    public bool TimedOut { get; private set; }

    /// <summary>Whether the run reached its limit of serial output.</summary>
    [NotState("A run that ends is not saved.")]
    public bool SerialLimitReached { get; private set; }

    /// <summary>What it is doing, for progress displays; from any thread.</summary>
    public string Activity => activity;

    /// <summary>Steps done so far; from any thread.</summary>
    public int StepsDone => stepsDone;

    public IGuestControl Control => control;

    /// <summary>A regular expression of the suite that took too long, which ended the run; else null.</summary>
    [NotState("A run that ends is not saved.")]
    public PatternTimeoutException? Mistake { get; private set; }

    public string Kind => "script";

    /// <summary>The run is being turned off from outside, on any thread: nothing that the guest still sends is looked at.</summary>
    public void Abandon() => abandoned = true;

    public void OnStart(IGuestControl control1)
    {
        control = control1;
        try
        {
            overallAlarm = test.Limits.GuestTime;
            Arm();
            Advance();
        }
        catch (PatternTimeoutException e)
        {
            EndBy(e);
        }
    }

    public void OnSerial(IGuestControl control1, Outlet port, byte value)
    {
        control = control1;
        if (turnedOff || abandoned)
        {
            return;
        }

        try
        {
            TakeSerial(port, value);
        }
        catch (PatternTimeoutException e)
        {
            EndBy(e);
        }
    }

    public void OnAlarm(IGuestControl control1)
    {
        control = control1;
        if (turnedOff || abandoned)
        {
            return;
        }

        try
        {
            TakeAlarm();
        }
        catch (PatternTimeoutException e)
        {
            EndBy(e);
        }
    }

    public void OnEnd(IGuestControl control1, VmEndKind end)
    {
        control = control1;
        try
        {
            TakeEnd(end);
        }
        catch (PatternTimeoutException e)
        {
            EndBy(e);
        }

        activity = "judging";
    }

    /// <summary>Where the script has got to: what came on each port, what the steps so far came to, and what the present one knows.</summary>
    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        Same(visitor, "test", salt);
        Same(visitor, "steps", string.Join('\n', test.Steps.Select(static step => step.Description)));
        Same(visitor, "never", string.Join('\n', never));
        visitor.Value("index", ref index, 0, test.Steps.Count);
        visitor.Value("started-at", ref startedAt);
        visitor.Value("start-instructions", ref startInstructions);
        visitor.Value("step-alarm", ref stepAlarm);
        visitor.Value("overall-alarm", ref overallAlarm);
        visitor.Value("aftermath-alarm", ref aftermathAlarm);
        visitor.Value("quiet-alarm", ref quietAlarm);
        visitor.Value("armed", ref armed);
        ScriptRecords.Describe(visitor, results);
        ScriptRecords.Describe(visitor, forbidden, never);
        DescribePorts(visitor);
        if (visitor.Value("in-step", current is not null) && index < test.Steps.Count)
        {
            visitor.Part("step", current ??= Create(test.Steps[index]));
        }

        stepsDone = index;
        activity = current is null ? WaitingForEnd : Describe(test.Steps[index]);
    }

    private static void Same(StateVisitor visitor, string name, string here)
    {
        string? saved = here;
        if (visitor.Text(name, ref saved, LongestText) && (saved ?? string.Empty) != here)
        {
            throw visitor.Refused($"It was saved of another test, or one with other steps: its {name} {(name == "test" ? $"is '{saved}', not '{here}'" : "differ")}. Run the test anew.");
        }
    }

    private void DescribePorts(StateVisitor visitor)
    {
        string? names = string.Join(',', ports.Keys.Select(static outlet => outlet.Name).Order(StringComparer.Ordinal));
        visitor.Text("ports", ref names, byte.MaxValue);
        foreach (string name in (names ?? string.Empty).Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            if (Outlet.All.FirstOrDefault(outlet => outlet.Name == name) is { } outlet)
            {
                visitor.Part("port-" + name, Port(outlet));
            }
        }
    }

    private void EndBy(PatternTimeoutException mistake)
    {
        Mistake ??= mistake;
        advancing = false;
        if (!turnedOff)
        {
            TurnOff();
        }
    }

    private void TakeSerial(Outlet port, byte value)
    {
        PortState state = Port(port);
        long now = control.GuestTime;
        if (now - state.LastByteAt >= StreamMatcher.Pause)
        {
            state.NotePause();
        }

        state.LastByteAt = now;
        state.Text.Feed(value);
        if (value == '\n' && never.Count > 0)
        {
            LookForForbidden(state);
        }

        if (port == Outlet.Com1 && state.Text.ByteCount >= test.Limits.SerialBytes)
        {
            SerialLimitReached = true;
            TurnOff();
            return;
        }

        if (current is not null && current.Port == port)
        {
            current.OnOutput();
            WatchForPause(state);
            Advance();
        }
    }

    private void TakeAlarm()
    {
        armed = long.MaxValue;
        long now = control.GuestTime;
        if (now >= overallAlarm)
        {
            TimedOut = true;
            TurnOff();
            return;
        }

        if (now >= aftermathAlarm)
        {
            TurnOff();
            return;
        }

        if (now >= quietAlarm)
        {
            quietAlarm = long.MaxValue;
            if (current is { LooksInPauses: true })
            {
                PortState state = Port(current.Port);
                if (now - state.LastByteAt >= StreamMatcher.Pause)
                {
                    current.OnPause();
                    Advance();
                }
                else
                {
                    WatchForPause(state);
                }
            }
        }

        if (current is not null && now >= stepAlarm)
        {
            stepAlarm = long.MaxValue;
            current.OnAlarm();
            Advance();
        }

        Arm();
    }

    private void TakeEnd(VmEndKind end)
    {
        // From here on the control only answers questions.
        turnedOff = true;
        foreach (PortState port in ports.Values)
        {
            port.Text.Finish();
        }

        if (current is not null)
        {
            // The last bytes may complete a match that was held back.
            if (Mistake is null)
            {
                current.OnOutput();
            }

            if (Mistake is null && current.Outcome is null)
            {
                current.OnPause();
            }

            if (current.Outcome is null)
            {
                current.OnEnd(TimedOut ? $"its limit of {Units.FormatDuration(test.Limits.GuestTime)} of guest time"
                    : SerialLimitReached ? $"its limit of {Units.FormatSize(test.Limits.SerialBytes)} of serial output"
                    : forbidden.Count > 0 && end == VmEndKind.TurnedOff ? $"stopped, because it printed what it never may, {forbidden[0].Pattern}"
                    : EndCondition.Describe(end, 0));
            }

            Record(current);
            current = null;
        }

        for (; index < test.Steps.Count; index++)
        {
            results.Add(new StepResult { Number = index + 1, Description = test.Steps[index].Description, Outcome = Outcome.Skipped });
        }

        foreach (PortState port in ports.Values)
        {
            if (Mistake is null)
            {
                LookForForbidden(port, lastLine: true);
            }
        }
    }

    public PortState Port(Outlet outlet)
    {
        if (!ports.TryGetValue(outlet, out PortState? state))
        {
            ports[outlet] = state = new PortState(outlet);
        }

        return state;
    }

    public void SetStepAlarm(long guestTime)
    {
        if (stepAlarm != guestTime)
        {
            stepAlarm = guestTime;
            Arm();
        }
    }

    public void Send(Outlet port, string text)
    {
        PortState state = Port(port);
        state.PromptFloor = state.Text.ByteCount;
        state.IsInUse = true;
        control.SendSerial(port, Encoding.UTF8.GetBytes(text));
    }

    /// <summary>Goes from step to step until one has to wait.</summary>
    private void Advance()
    {
        if (advancing || turnedOff)
        {
            return;
        }

        advancing = true;
        while (!turnedOff)
        {
            if (current is not null)
            {
                if (current.Outcome is null)
                {
                    break;
                }

                Outcome outcome = Record(current);
                current = null;
                stepAlarm = long.MaxValue;
                if (outcome != Outcome.Passed)
                {
                    TurnOff();
                    break;
                }
            }

            if (index == test.Steps.Count)
            {
                AfterLastStep();
                break;
            }

            StepSpec step = test.Steps[index];
            activity = Describe(step);
            startedAt = control.GuestTime;
            startInstructions = control.Instructions;
            current = Create(step);
            current.Begin();
            if (current is { Outcome: null, LooksInPauses: true })
            {
                PortState state = Port(current.Port);
                if (control.GuestTime - state.LastByteAt >= StreamMatcher.Pause)
                {
                    current.OnPause();
                }
                else
                {
                    WatchForPause(state);
                }
            }
        }

        advancing = false;
        Arm();
    }

    private string Describe(StepSpec step) => $"step {index + 1} of {test.Steps.Count}: {step.Description}";

    private StepExecution Create(StepSpec step) => StepExecution.Create(step, this, test, $"{salt}#{index}", references, salt);

    private Outcome Record(StepExecution step)
    {
        Outcome outcome = step.Outcome ?? Outcome.Failed;
        results.Add(new StepResult
        {
            Number = index + 1,
            Description = test.Steps[index].Description,
            Outcome = outcome,
            Message = step.Message,
            StartedAt = TimeSpan.FromTicks(startedAt / 100),
            GuestTime = TimeSpan.FromTicks((control.GuestTime - startedAt) / 100),
            Instructions = control.Instructions - startInstructions,
            Output = step.Output,
            ExitStatus = step.ExitStatus,

            // What went wrong is often to be seen.
            Screen = step.Screen ?? (outcome == Outcome.Passed ? null : control.CaptureScreen(withPicture: true)),
        });
        index++;
        stepsDone = index;
        return outcome;
    }

    /// <summary>Waits where the suite names an end that the guest reaches by itself (or does nothing but boot); else switches off.</summary>
    private void AfterLastStep()
    {
        bool waits = test.Assert.End.Count > 0 ? Exists(test.Assert.End) : test.Steps.Count == 0 || (test.Steps.Count == 1 && test.Steps[0] is BootSpec);
        if (waits)
        {
            activity = WaitingForEnd;
            return;
        }

        TurnOff();
    }

    private static bool Exists(IReadOnlyList<EndCondition> ends)
    {
        foreach (EndCondition end in ends)
        {
            if (end.ComesFromGuest)
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>Asks for the moment at which the output has paused, where the step wants to know. One alarm a pause's length, however much comes.</summary>
    private void WatchForPause(PortState port)
    {
        if (quietAlarm == long.MaxValue && current is { Outcome: null, LooksInPauses: true })
        {
            quietAlarm = port.LastByteAt + StreamMatcher.Pause;
            Arm();
        }
    }

    private void TurnOff()
    {
        turnedOff = true;
        control.TurnOff(VmEndKind.TurnedOff);
    }

    private void LookForForbidden(PortState port, bool lastLine = false)
    {
        TextStream text = port.Text.Clean;
        if (text.End == text.First || (!lastLine && text[text.End - 1] != '\n'))
        {
            return;
        }

        // A line is looked at when its newline has come; what stands without one, at the end of the run.
        long end = lastLine ? text.End : text.End - 1;
        long start = lastLine ? text.LineStart : text.LineStartOf(end);
        ReadOnlySpan<char> line = text.Slice(Math.Max(start, end - LongestForbiddenLine), end);
        if (line.IsEmpty)
        {
            return;
        }

        foreach (TextPattern pattern in never)
        {
            if (pattern.IsMatch(line) && !forbidden.Exists(f => f.Pattern == pattern))
            {
                forbidden.Add(new ForbiddenLine(pattern, line.ToString(), control.GuestTime));
                if (aftermathAlarm == long.MaxValue)
                {
                    aftermathAlarm = control.GuestTime + Aftermath;
                    Arm();
                }
            }
        }
    }

    /// <summary>The machine has one alarm; it is set to the earliest of ours.</summary>
    private void Arm()
    {
        if (turnedOff || advancing)
        {
            return;
        }

        long earliest = Math.Min(Math.Min(stepAlarm, quietAlarm), Math.Min(overallAlarm, aftermathAlarm));
        if (earliest != armed)
        {
            armed = earliest;
            control.SetAlarm(earliest);
        }
    }
}
