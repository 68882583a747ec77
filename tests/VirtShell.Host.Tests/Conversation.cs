using System;
using System.IO;
using System.Text;
using VirtShell.Machine;
using VirtShell.State;

namespace VirtShell.Host.Tests;

/// <summary>
/// A driver with a state: types a line some guest time after each prompt, ends the run at a guest time, and remembers by a hash
/// at which instruction each byte and alarm came. It pauses its VM when it has been called so many times, in the middle of that call.
/// </summary>
internal sealed class Conversation(params string[] lines) : IGuestDriver
{
    private const long Thinking = 123_456_789;

    [NotState("For the test.")]
    private int _pauseAt = -1;
    private byte _before;
    private int _line;
    private long _calls;
    private long _wake = long.MaxValue;
    private ulong _trace = 17;

    /// <summary>What a prompt ends with, before a space.</summary>
    public char Prompt { get; init; } = '>';

    /// <summary>Guest time at which the VM is turned off.</summary>
    public long Limit { get; init; } = long.MaxValue;

    /// <summary>Guest time from one mark to the next, where a guest says too little to count calls by; 0 for none.</summary>
    public long Mark { get; init; }

    [NotState("For the test.")]
    public VirtualMachine? Vm { get; set; }

    [NotState("For the test.")]
    public Pc? Machine { get; set; }

    /// <summary>A hash over all that came, and when.</summary>
    public ulong Trace => _trace;

    /// <summary>The whole machine at the end, large contents as hashes.</summary>
    [NotState("For the test.")]
    public string? Final { get; private set; }

    public string Kind => "conversation";

    /// <summary>Pauses in the call of this number.</summary>
    public void PauseAt(int call) => _pauseAt = call;

    public void OnStart(IGuestControl control) => Arm(control);

    public void OnSerial(IGuestControl control, Outlet outlet, byte value)
    {
        Note(control, ((ulong)outlet.Number << 8) | value);
        if (_before == (byte)Prompt && value == (byte)' ')
        {
            _wake = control.GuestTime + Thinking;
            Arm(control);
        }

        _before = value;
    }

    public void OnAlarm(IGuestControl control)
    {
        Note(control, 1UL << 32);
        if (control.GuestTime >= Limit)
        {
            control.TurnOff();
            return;
        }

        if (control.GuestTime >= _wake)
        {
            _wake = long.MaxValue;
            if (_line < lines.Length)
            {
                control.SendSerial(Outlet.Com1, Encoding.ASCII.GetBytes(lines[_line++]));
            }
        }

        Arm(control);
    }

    public void OnEnd(IGuestControl control, VmEndKind end)
    {
        Note(control, 2UL << 32);
        using StringWriter text = new();
        Machine?.WriteStateTo(text);
        Final = text.ToString();
    }

    public void Describe(StateVisitor visitor)
    {
        visitor.Value("before", ref _before);
        visitor.Value("line", ref _line, 0, lines.Length);
        visitor.Value("calls", ref _calls);
        visitor.Value("wake", ref _wake);
        visitor.Value("trace", ref _trace);
    }

    private void Arm(IGuestControl control)
    {
        long mark = Mark == 0 ? long.MaxValue : ((control.GuestTime / Mark) + 1) * Mark;
        long next = Math.Min(Math.Min(_wake, Limit), mark);
        if (next != long.MaxValue)
        {
            control.SetAlarm(next);
        }
    }

    private void Note(IGuestControl control, ulong what)
    {
        _trace = ((_trace ^ what) * 0x100000001B3) + (ulong)control.Instructions;
        _trace = ((_trace ^ (ulong)control.GuestTime) * 0x100000001B3) ^ (_trace >> 29);
        if (++_calls == _pauseAt)
        {
            Vm!.Pause();
        }
    }
}
