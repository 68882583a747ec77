using System;
using System.Globalization;
using System.Linq;
using System.Runtime.InteropServices;
using VirtShell.Harness.Console;
using VirtShell.Harness.Model;
using VirtShell.Host;
using VirtShell.Machine;
using VirtShell.State;

namespace VirtShell.Harness.Steps;

/// <summary>Waits for a prompt that stands still, types a wrapped command, and takes its output and status from between the markers.</summary>
internal sealed class RunExecution(IScript script, RunSpec spec, TextPattern prompt, long limit, string salt) : StepExecution(script)
{
    /// <summary>A prompt counts when nothing follows it for this long: text that only looks like one goes on at once.</summary>
    private const long PromptQuiet = 20_000_000;

    /// <summary>Of a longer line only the end can be a prompt.</summary>
    private const int LongestPrompt = 4096;

    /// <summary>Characters of the output's beginning that are kept when the output outgrows what a stream holds.</summary>
    private const int HeadLength = 64 * 1024;

    private const int ShownLines = 20;
    private const int ShownColumns = 1000;

    private readonly ShellCommand _command = new(spec.Command, salt);
    private Phase _phase = Phase.Prompt;
    private long _deadline;
    private long _quietAt = long.MaxValue;
    private long _changedAt;
    private long _userSeen = -1;
    private ConsoleMatcher? _matcher;
    private long _outputStart;
    private long _outputPosition;
    private string? _head;
    [NotState("Known when the step is done.")]
    private bool _isCut;

    private enum Phase
    {
        Prompt,
        Begin,
        End,
    }

    public override Outlet Port => spec.Port;

    public override bool LooksInPauses => _phase != Phase.Prompt;

    protected override string Waiting => _phase switch
    {
        Phase.Prompt => $"while waiting for the prompt {prompt}{SerialPorts.Suffix(Port)}",
        Phase.Begin => "before the shell began the command (is this a POSIX shell's prompt?)",
        _ => "while the command ran",
    };

    private PortState State => Script.Port(Port);

    /// <summary>Where the command's output is taken from.</summary>
    private TextStream Source => spec.KeepKernelMessages ? State.Text.Clean : State.Text.User;

    public override void Begin()
    {
        State.IsInUse = true;
        _deadline = Script.Control.GuestTime + limit;
        Script.SetStepAlarm(_deadline);
        OnOutput();
    }

    public override void OnOutput() => Look(pausing: false);

    public override void OnPause() => Look(pausing: true);

    public override void OnAlarm()
    {
        long now = Script.Control.GuestTime;
        if (_phase == Phase.Prompt && now >= _quietAt)
        {
            LookForPrompt(now);
            return;
        }

        if (now >= _deadline)
        {
            FailByTimeout(limit, _phase == Phase.End && EndsItsShell ? $" It may have ended its own shell: put it in parentheses, {Printable.Quote($"({spec.Command.Trim()})", 60)}, and only the subshell ends." : string.Empty);
        }
    }

    public override void Describe(StateVisitor visitor)
    {
        int part = (int)_phase;
        visitor.Value("phase", ref part, 0, (int)Phase.End);
        _phase = (Phase)part;
        visitor.Value("deadline", ref _deadline);
        visitor.Value("quiet-at", ref _quietAt);
        visitor.Value("changed-at", ref _changedAt);
        visitor.Value("user-seen", ref _userSeen);
        visitor.Value("output-start", ref _outputStart, min: 0);
        visitor.Value("output-position", ref _outputPosition, min: 0);

        // As UTF-16: half of a character may be at its end.
        byte[] kept = MemoryMarshal.AsBytes(_head.AsSpan()).ToArray();
        if (visitor.Bytes("head", ref kept, HeadLength * sizeof(char)))
        {
            _head = kept.Length == 0 ? null : new string(MemoryMarshal.Cast<byte, char>(kept));
        }

        if (_phase != Phase.Prompt)
        {
            _matcher = visitor.IsLoading ? new ConsoleMatcher(State.Text, _phase == Phase.Begin ? BeginPattern : EndPattern, 0) : _matcher;
            visitor.Part("matcher", _matcher!);
        }
    }

    protected override string AfterPanic(string panic) => panic.Contains("Attempted to kill init", StringComparison.Ordinal)
        ? ". The shell is the guest's first process and the command ended it; put the command in parentheses, and only the subshell ends."
        : ".";

    /// <summary>Whether it names a word that ends a shell; enough for a hint.</summary>
    private bool EndsItsShell => spec.Command.Split([' ', '\t', '\n', ';', '&', '|'], StringSplitOptions.RemoveEmptyEntries).Any(w => w is "exit" or "exec" or "logout");

    private TextPattern BeginPattern => TextPattern.FromText(_command.BeginMarker);

    /// <summary>The end marker with its status; a regular expression, because the status' length is open.</summary>
    private TextPattern EndPattern => TextPattern.FromRegex($"{_command.EndMarker}[0-9]+:");

    private void Look(bool pausing)
    {
        switch (_phase)
        {
            case Phase.Prompt:
                NoteChange();
                break;
            case Phase.Begin:
                if (_matcher!.Advance(pausing))
                {
                    _outputStart = _matcher.MatchEndByte;
                    _outputPosition = Source.PositionAt(_outputStart);
                    _phase = Phase.End;
                    _matcher = new ConsoleMatcher(State.Text, EndPattern, _outputStart);
                    Look(pausing);
                }

                break;
            default:
                if (_head is null && Source.End - _outputPosition >= HeadLength)
                {
                    _head = Source.Slice(_outputPosition, _outputPosition + HeadLength).ToString();
                }

                if (_matcher!.Advance(pausing))
                {
                    Finish();
                }

                break;
        }
    }

    /// <summary>Something came that may be a prompt: it is looked at once it has stood still. One alarm, however much comes.</summary>
    private void NoteChange()
    {
        long end = State.Text.User.End;
        if (end == _userSeen)
        {
            return;
        }

        _userSeen = end;
        _changedAt = Script.Control.GuestTime;
        if (_quietAt == long.MaxValue)
        {
            _quietAt = _changedAt + PromptQuiet;
            Script.SetStepAlarm(Math.Min(_quietAt, _deadline));
        }
    }

    private void LookForPrompt(long now)
    {
        _quietAt = _changedAt + PromptQuiet;
        if (now >= _quietAt)
        {
            _quietAt = long.MaxValue;
            TextStream user = State.Text.User;
            bool fresh = user.End > user.First && user.OriginOf(user.End - 1) >= State.PromptFloor;
            ReadOnlySpan<char> line = user.Slice(Math.Max(user.LineStart, user.End - LongestPrompt), user.End);

            // A prompt given as text has to end the line; a regular expression says so itself with $.
            if (fresh && prompt.IsMatch(line) && (prompt.IsRegex || line.EndsWith(prompt.Source)))
            {
                Type();
                return;
            }
        }

        // The deadline may be due with it: it then comes at once.
        Script.SetStepAlarm(Math.Min(_quietAt, _deadline));
    }

    private void Type()
    {
        _phase = Phase.Begin;
        long from = State.Text.ByteCount;
        _deadline = Script.Control.GuestTime + limit;
        Script.SetStepAlarm(_deadline);
        _matcher = new ConsoleMatcher(State.Text, BeginPattern, from);
        Script.Send(Port, _command.Typed);
    }

    private void Finish()
    {
        State.Cursor = _matcher!.MatchEndByte;
        State.PromptFloor = _matcher.MatchEndByte;
        TextStream stream = Source;
        ReadOnlySpan<char> between = stream.Slice(_outputPosition, stream.PositionAt(_matcher.MatchEndByte));
        int marker = between.LastIndexOf(_command.EndMarker, StringComparison.Ordinal);
        if (marker < 0)
        {
            Fail("The command's end was seen, but a kernel message broke into it in a way that hides its exit status.", withTail: true);
            return;
        }

        ReadOnlySpan<char> status = between[(marker + _command.EndMarker.Length)..].TrimEnd(':');
        ExitStatus = int.Parse(status, NumberStyles.None, CultureInfo.InvariantCulture);
        _isCut = stream.First > _outputPosition;
        Output = _isCut ? Join(stream.First, between[..marker]) : ShellCommand.TrimOutput(between[..marker]);
        Judge();
    }

    /// <summary>Beginning and end of an output of which the middle was not kept.</summary>
    private string Join(long first, ReadOnlySpan<char> rest)
    {
        string beginning = _head!.TrimStart('\n');
        long missing = first - _outputPosition - HeadLength;
        int overlap = missing < 0 ? (int)Math.Min(-missing, rest.Length) : 0;
        string end = Printable.Json(rest[overlap..].TrimEnd('\n').ToString());
        return missing <= 0 ? beginning + end : $"{beginning}\n[... {missing} characters were not kept ...]\n{end}";
    }

    private void Judge()
    {
        if (spec.Status is { } wanted && ExitStatus != wanted)
        {
            Fail($"The command's exit status was {ExitStatus}, not {wanted}. {DescribeOutput()}", withTail: false);
        }
        else if (spec.Output is { } pattern && !(pattern.IsRegex ? Output!.Split('\n').Any(l => pattern.IsMatch(l)) : pattern.IsMatch(Output!)))
        {
            string cut = _isCut ? " It may be in the part that was not kept: filter the output in the guest (grep, tail), or write it to a file there." : string.Empty;
            Fail($"The output does not hold {pattern}.{cut} {DescribeOutput()}", withTail: false);
        }
        else
        {
            Pass(_isCut ? "Beginning and end of the output were kept; it is longer than the million characters that are held." : string.Empty);
        }
    }

    private string DescribeOutput()
    {
        string[] lines = Output!.Split('\n');
        string shown = string.Join('\n', lines.TakeLast(ShownLines).Select(l => $"    {Printable.Log(Printable.Tail(l, ShownColumns))}"));
        return Output.Length == 0 ? "It printed nothing." : lines.Length > ShownLines ? $"The last it printed:\n{shown}" : $"It printed:\n{shown}";
    }
}
