using System;
using System.Globalization;
using System.Linq;
using VirtShell.Harness.Console;
using VirtShell.Harness.Model;

namespace VirtShell.Harness.Steps;

/// <summary>Waits for a prompt that stands still, types a wrapped command, and takes its output and status from between the markers.</summary>
internal sealed class RunExecution(IScript script, RunSpec spec, TextPattern prompt, long limit, string salt) : StepExecution(script)
{
    /// <summary>A prompt counts when nothing follows it for this long: text that only looks like one goes on at once.</summary>
    private const long PromptQuiet = 20_000_000;

    private readonly ShellCommand command = new(spec.Command, salt);
    private Phase phase = Phase.Prompt;
    private long deadline;
    private long quietAt = long.MaxValue;
    private long userSeen = -1;
    private ConsoleMatcher? matcher;
    private long outputStart;

    private enum Phase
    {
        Prompt,
        Begin,
        End,
    }

    public override int Port => spec.Port;

    protected override string Waiting => phase switch
    {
        Phase.Prompt => $"while waiting for the prompt {prompt}{SerialPorts.Suffix(Port)}",
        Phase.Begin => "before the shell began the command (is this a POSIX shell's prompt?)",
        _ => "while the command ran",
    };

    private PortState State => Script.Port(Port);

    public override void Begin()
    {
        deadline = Script.Control.GuestTime + limit;
        Script.SetStepAlarm(deadline);
        OnOutput();
    }

    public override void OnOutput()
    {
        switch (phase)
        {
            case Phase.Prompt:
                LookForPrompt();
                break;
            case Phase.Begin:
                if (matcher!.Advance())
                {
                    outputStart = matcher.MatchEndByte;
                    phase = Phase.End;
                    matcher = new ConsoleMatcher(State.Text, EndPattern, outputStart);
                    OnOutput();
                }

                break;
            default:
                if (matcher!.Advance())
                {
                    Finish();
                }

                break;
        }
    }

    public override void OnAlarm()
    {
        if (phase == Phase.Prompt && Script.Control.GuestTime >= quietAt)
        {
            Type();
            return;
        }

        if (Script.Control.GuestTime >= deadline)
        {
            FailByTimeout(limit);
        }
    }

    /// <summary>The end marker with its status; a regular expression, because the status' length is open.</summary>
    private TextPattern EndPattern => TextPattern.FromRegex($"{command.EndMarker}[0-9]+:");

    private void LookForPrompt()
    {
        TextStream user = State.Text.User;
        if (user.End == userSeen)
        {
            return;
        }

        userSeen = user.End;
        bool fresh = user.End > user.First && user.OriginOf(user.End - 1) >= State.PromptFloor;
        bool found = fresh && prompt.IsMatch(user.Slice(user.LineStart, user.End)) && EndsWithPrompt(user);
        quietAt = found ? Script.Control.GuestTime + PromptQuiet : long.MaxValue;
        Script.SetStepAlarm(Math.Min(quietAt, deadline));
    }

    /// <summary>A prompt given as text has to end the line; a regular expression says so itself with <c>$</c>.</summary>
    private bool EndsWithPrompt(TextStream user) => prompt.IsRegex || user.Slice(user.LineStart, user.End).EndsWith(prompt.Source);

    private void Type()
    {
        phase = Phase.Begin;
        long from = State.Text.ByteCount;
        deadline = Script.Control.GuestTime + limit;
        Script.SetStepAlarm(deadline);
        matcher = new ConsoleMatcher(State.Text, TextPattern.FromText(command.BeginMarker), from);
        Script.Send(Port, command.Typed);
    }

    private void Finish()
    {
        ConsoleText text = State.Text;
        State.Cursor = matcher!.MatchEndByte;
        State.PromptFloor = matcher.MatchEndByte;
        TextStream stream = spec.KeepKernelMessages ? text.Clean : text.User;
        ReadOnlySpan<char> between = stream.Slice(stream.PositionAt(outputStart), stream.PositionAt(matcher.MatchEndByte));
        int marker = between.LastIndexOf(command.EndMarker, StringComparison.Ordinal);
        if (marker < 0)
        {
            Fail("The command's end was seen, but a kernel message broke into it in a way that hides its exit status.", withTail: true);
            return;
        }

        ReadOnlySpan<char> status = between[(marker + command.EndMarker.Length)..].TrimEnd(':');
        ExitStatus = int.Parse(status, NumberStyles.None, CultureInfo.InvariantCulture);
        Output = ShellCommand.TrimOutput(between[..marker]);
        Judge();
    }

    private void Judge()
    {
        if (spec.Status is { } wanted && ExitStatus != wanted)
        {
            Fail($"The command's exit status was {ExitStatus}, not {wanted}. {DescribeOutput()}", withTail: false);
        }
        else if (spec.Output is { } pattern && !(pattern.IsRegex ? Output!.Split('\n').Any(pattern.IsMatch) : pattern.IsMatch(Output!)))
        {
            Fail($"The output does not hold {pattern}. {DescribeOutput()}", withTail: false);
        }
        else
        {
            Pass();
        }
    }

    private string DescribeOutput()
    {
        string[] lines = Output!.Split('\n');
        string shown = string.Join('\n', lines.TakeLast(20).Select(l => $"    {Printable.Log(l)}"));
        return Output.Length == 0 ? "It printed nothing." : lines.Length > 20 ? $"The last it printed:\n{shown}" : $"It printed:\n{shown}";
    }
}
