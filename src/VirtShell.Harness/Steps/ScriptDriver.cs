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
    private readonly TestSpec _test;
    private readonly string _salt;
    [NotState("The suite says it.")]
    private readonly IReadOnlyList<TextPattern> _never;
    [NotState("The suite says it.")]
    private readonly ScreenReferences _references;
    private readonly Dictionary<Outlet, PortState> _ports = [];
    private readonly List<StepResult> _results = [];
    private readonly List<ForbiddenLine> _forbidden = [];
    [NotState("Given with each call.")]
    private IGuestControl _control = null!;
    private StepExecution? _current;
    private int _index;
    private long _startedAt;
    private long _startInstructions;
    private long _stepAlarm = long.MaxValue;
    private long _overallAlarm;
    private long _aftermathAlarm = long.MaxValue;
    private long _quietAlarm = long.MaxValue;
    private long _armed = long.MaxValue;
    [NotState("Within a call.")]
    private bool _advancing;
    [NotState("A run that ends is not saved.")]
    private bool _turnedOff;
    [NotState("What this process wants.")]
    private volatile bool _abandoned;
    [NotState("Follows from the step.")]
    private volatile string _activity = "starting";
    [NotState("Follows from the step.")]
    private volatile int _stepsDone;

    public ScriptDriver(TestSpec test, string salt, IReadOnlyList<TextPattern> never, ScreenReferences? references = null)
    {
        this._references = references ?? ScreenReferences.None;
        this._test = test;
        this._salt = salt;
        this._never = never;
    }

    public IReadOnlyList<StepResult> Results => _results;

    public IReadOnlyList<ForbiddenLine> Forbidden => _forbidden;

    /// <summary>Whether the run reached its limit of guest time.</summary>
    [NotState("A run that ends is not saved.")]
    public bool TimedOut { get; private set; }

    /// <summary>Whether the run reached its limit of serial output.</summary>
    [NotState("A run that ends is not saved.")]
    public bool SerialLimitReached { get; private set; }

    /// <summary>What it is doing, for progress displays; from any thread.</summary>
    public string Activity => _activity;

    /// <summary>Steps done so far; from any thread.</summary>
    public int StepsDone => _stepsDone;

    public IGuestControl Control => _control;

    /// <summary>A regular expression of the suite that took too long, which ended the run; else null.</summary>
    [NotState("A run that ends is not saved.")]
    public PatternTimeoutException? Mistake { get; private set; }

    public string Kind => "script";

    /// <summary>The run is being turned off from outside, on any thread: nothing that the guest still sends is looked at.</summary>
    public void Abandon() => _abandoned = true;

    public void OnStart(IGuestControl control1)
    {
        _control = control1;
        try
        {
            _overallAlarm = _test.Limits.GuestTime;
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
        _control = control1;
        if (_turnedOff || _abandoned)
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
        _control = control1;
        if (_turnedOff || _abandoned)
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
        _control = control1;
        try
        {
            TakeEnd(end);
        }
        catch (PatternTimeoutException e)
        {
            EndBy(e);
        }

        _activity = "judging";
    }

    /// <summary>Where the script has got to: what came on each port, what the steps so far came to, and what the present one knows.</summary>
    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        Same(visitor, "test", _salt);
        Same(visitor, "steps", string.Join('\n', _test.Steps.Select(static step => step.Description)));
        Same(visitor, "never", string.Join('\n', _never));
        visitor.Value("index", ref _index, 0, _test.Steps.Count);
        visitor.Value("started-at", ref _startedAt);
        visitor.Value("start-instructions", ref _startInstructions);
        visitor.Value("step-alarm", ref _stepAlarm);
        visitor.Value("overall-alarm", ref _overallAlarm);
        visitor.Value("aftermath-alarm", ref _aftermathAlarm);
        visitor.Value("quiet-alarm", ref _quietAlarm);
        visitor.Value("armed", ref _armed);
        ScriptRecords.Describe(visitor, _results);
        ScriptRecords.Describe(visitor, _forbidden, _never);
        DescribePorts(visitor);
        if (visitor.Value("in-step", _current is not null) && _index < _test.Steps.Count)
        {
            visitor.Part("step", _current ??= Create(_test.Steps[_index]));
        }

        _stepsDone = _index;
        _activity = _current is null ? WaitingForEnd : Describe(_test.Steps[_index]);
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
        string? names = string.Join(',', _ports.Keys.Select(static outlet => outlet.Name).Order(StringComparer.Ordinal));
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
        _advancing = false;
        if (!_turnedOff)
        {
            TurnOff();
        }
    }

    private void TakeSerial(Outlet port, byte value)
    {
        PortState state = Port(port);
        long now = _control.GuestTime;
        if (now - state.LastByteAt >= StreamMatcher.Pause)
        {
            state.NotePause();
        }

        state.LastByteAt = now;
        state.Text.Feed(value);
        if (value == '\n' && _never.Count > 0)
        {
            LookForForbidden(state);
        }

        if (port == Outlet.Com1 && state.Text.ByteCount >= _test.Limits.SerialBytes)
        {
            SerialLimitReached = true;
            TurnOff();
            return;
        }

        if (_current is not null && _current.Port == port)
        {
            _current.OnOutput();
            WatchForPause(state);
            Advance();
        }
    }

    private void TakeAlarm()
    {
        _armed = long.MaxValue;
        long now = _control.GuestTime;
        if (now >= _overallAlarm)
        {
            TimedOut = true;
            TurnOff();
            return;
        }

        if (now >= _aftermathAlarm)
        {
            TurnOff();
            return;
        }

        if (now >= _quietAlarm)
        {
            _quietAlarm = long.MaxValue;
            if (_current is { LooksInPauses: true })
            {
                PortState state = Port(_current.Port);
                if (now - state.LastByteAt >= StreamMatcher.Pause)
                {
                    _current.OnPause();
                    Advance();
                }
                else
                {
                    WatchForPause(state);
                }
            }
        }

        if (_current is not null && now >= _stepAlarm)
        {
            _stepAlarm = long.MaxValue;
            _current.OnAlarm();
            Advance();
        }

        Arm();
    }

    private void TakeEnd(VmEndKind end)
    {
        // From here on the control only answers questions.
        _turnedOff = true;
        foreach (PortState port in _ports.Values)
        {
            port.Text.Finish();
        }

        if (_current is not null)
        {
            // The last bytes may complete a match that was held back.
            if (Mistake is null)
            {
                _current.OnOutput();
            }

            if (Mistake is null && _current.Outcome is null)
            {
                _current.OnPause();
            }

            if (_current.Outcome is null)
            {
                _current.OnEnd(TimedOut ? $"its limit of {Units.FormatDuration(_test.Limits.GuestTime)} of guest time"
                    : SerialLimitReached ? $"its limit of {Units.FormatSize(_test.Limits.SerialBytes)} of serial output"
                    : _forbidden.Count > 0 && end == VmEndKind.TurnedOff ? $"stopped, because it printed what it never may, {_forbidden[0].Pattern}"
                    : EndCondition.Describe(end, 0));
            }

            Record(_current);
            _current = null;
        }

        for (; _index < _test.Steps.Count; _index++)
        {
            _results.Add(new StepResult { Number = _index + 1, Description = _test.Steps[_index].Description, Outcome = Outcome.Skipped });
        }

        foreach (PortState port in _ports.Values)
        {
            if (Mistake is null)
            {
                LookForForbidden(port, lastLine: true);
            }
        }
    }

    public PortState Port(Outlet outlet)
    {
        if (!_ports.TryGetValue(outlet, out PortState? state))
        {
            _ports[outlet] = state = new PortState(outlet);
        }

        return state;
    }

    public void SetStepAlarm(long guestTime)
    {
        if (_stepAlarm != guestTime)
        {
            _stepAlarm = guestTime;
            Arm();
        }
    }

    public void Send(Outlet port, string text)
    {
        PortState state = Port(port);
        state.PromptFloor = state.Text.ByteCount;
        state.IsInUse = true;
        _control.SendSerial(port, Encoding.UTF8.GetBytes(text));
    }

    /// <summary>Goes from step to step until one has to wait.</summary>
    private void Advance()
    {
        if (_advancing || _turnedOff)
        {
            return;
        }

        _advancing = true;
        while (!_turnedOff)
        {
            if (_current is not null)
            {
                if (_current.Outcome is null)
                {
                    break;
                }

                Outcome outcome = Record(_current);
                _current = null;
                _stepAlarm = long.MaxValue;
                if (outcome != Outcome.Passed)
                {
                    TurnOff();
                    break;
                }
            }

            if (_index == _test.Steps.Count)
            {
                AfterLastStep();
                break;
            }

            StepSpec step = _test.Steps[_index];
            _activity = Describe(step);
            _startedAt = _control.GuestTime;
            _startInstructions = _control.Instructions;
            _current = Create(step);
            _current.Begin();
            if (_current is { Outcome: null, LooksInPauses: true })
            {
                PortState state = Port(_current.Port);
                if (_control.GuestTime - state.LastByteAt >= StreamMatcher.Pause)
                {
                    _current.OnPause();
                }
                else
                {
                    WatchForPause(state);
                }
            }
        }

        _advancing = false;
        Arm();
    }

    private string Describe(StepSpec step) => $"step {_index + 1} of {_test.Steps.Count}: {step.Description}";

    private StepExecution Create(StepSpec step) => StepExecution.Create(step, this, _test, $"{_salt}#{_index}", _references, _salt);

    private Outcome Record(StepExecution step)
    {
        Outcome outcome = step.Outcome ?? Outcome.Failed;
        _results.Add(new StepResult
        {
            Number = _index + 1,
            Description = _test.Steps[_index].Description,
            Outcome = outcome,
            Message = step.Message,
            StartedAt = TimeSpan.FromTicks(_startedAt / 100),
            GuestTime = TimeSpan.FromTicks((_control.GuestTime - _startedAt) / 100),
            Instructions = _control.Instructions - _startInstructions,
            Output = step.Output,
            ExitStatus = step.ExitStatus,

            // What went wrong is often to be seen.
            Screen = step.Screen ?? (outcome == Outcome.Passed ? null : _control.CaptureScreen(withPicture: true)),
        });
        _index++;
        _stepsDone = _index;
        return outcome;
    }

    /// <summary>Waits where the suite names an end that the guest reaches by itself (or does nothing but boot); else switches off.</summary>
    private void AfterLastStep()
    {
        bool waits = _test.Assert.End.Count > 0 ? Exists(_test.Assert.End) : _test.Steps.Count == 0 || (_test.Steps.Count == 1 && _test.Steps[0] is BootSpec);
        if (waits)
        {
            _activity = WaitingForEnd;
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
        if (_quietAlarm == long.MaxValue && _current is { Outcome: null, LooksInPauses: true })
        {
            _quietAlarm = port.LastByteAt + StreamMatcher.Pause;
            Arm();
        }
    }

    private void TurnOff()
    {
        _turnedOff = true;
        _control.TurnOff(VmEndKind.TurnedOff);
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

        foreach (TextPattern pattern in _never)
        {
            if (pattern.IsMatch(line) && !_forbidden.Exists(f => f.Pattern == pattern))
            {
                _forbidden.Add(new ForbiddenLine(pattern, line.ToString(), _control.GuestTime));
                if (_aftermathAlarm == long.MaxValue)
                {
                    _aftermathAlarm = _control.GuestTime + Aftermath;
                    Arm();
                }
            }
        }
    }

    /// <summary>The machine has one alarm; it is set to the earliest of ours.</summary>
    private void Arm()
    {
        if (_turnedOff || _advancing)
        {
            return;
        }

        long earliest = Math.Min(Math.Min(_stepAlarm, _quietAlarm), Math.Min(_overallAlarm, _aftermathAlarm));
        if (earliest != _armed)
        {
            _armed = earliest;
            _control.SetAlarm(earliest);
        }
    }
}
