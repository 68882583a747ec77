using System;
using System.Collections.Concurrent;
using System.Linq;
using VirtShell.Host;
using VirtShell.Machine;
using VirtShell.State;

namespace VirtShell.Cli.Terminals;

/// <summary>
/// Types what comes through a pipe or from a file: a line whenever the guest listens and its output has stood still, as someone
/// before a terminal would. All times are the guest's, so under the virtual clock the same input gives the same run. Nothing is
/// typed before anything in the guest reads, where a driver would throw it away.
/// </summary>
internal sealed class PipedInput : IGuestDriver
{
    /// <summary>How long the output stands still before a line is typed, and how often that is looked at: nanoseconds of guest time.</summary>
    private const long Quiet = 20_000_000;

    /// <summary>A guest that does not listen is asked ever more seldom, so that waiting costs next to nothing.</summary>
    private const long Longest = 1_000_000_000;

    /// <summary>Most bytes at once, where no line ends.</summary>
    private const int LongestLine = 1024;

    private readonly ConcurrentQueue<byte[]> _arrived = new();
    [NotState("Within a call.")]
    private readonly byte[] _line = new byte[LongestLine];
    private byte[] _piece = [];
    private int _taken;
    private long _quietSince;
    private long _interval = Quiet;
    private volatile bool _ended;

    public string Kind => "piped-input";

    /// <summary>Takes bytes that have come; on any thread.</summary>
    public void Add(ReadOnlySpan<byte> bytes) => _arrived.Enqueue(bytes.ToArray());

    /// <summary>No more bytes come.</summary>
    public void End() => _ended = true;

    public void OnStart(IGuestControl control) => control.SetAlarm(control.GuestTime + Quiet);

    public void OnSerial(IGuestControl control, Outlet outlet, byte value)
    {
        if (outlet == Outlet.Com1)
        {
            _quietSince = control.GuestTime;
        }
    }

    public void OnAlarm(IGuestControl control)
    {
        // Asked in this order: what was added before the end is not missed.
        bool last = _ended;
        if (_piece.Length == _taken && _arrived.IsEmpty)
        {
            if (!last)
            {
                Wait(control, Quiet);
            }

            return;
        }

        if (control.GuestTime - _quietSince < Quiet)
        {
            Wait(control, Quiet);
            return;
        }

        if (!control.IsListening(Outlet.Com1))
        {
            Wait(control, _interval);
            _interval = Math.Min(_interval * 2, Longest);
            return;
        }

        _interval = Quiet;
        int count = TakeLine();
        _quietSince = control.GuestTime;
        control.SendSerial(Outlet.Com1, _line.AsSpan(0, count));
        Wait(control, Quiet);
    }

    public void OnEnd(IGuestControl control, VmEndKind end)
    {
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        byte[] waiting = [.. _piece.AsSpan(_taken), .. _arrived.SelectMany(static bytes => bytes)];
        if (visitor.Bytes("waiting", ref waiting, Array.MaxLength))
        {
            _arrived.Clear();
            _piece = waiting;
            _taken = 0;
        }

        visitor.Value("quiet-since", ref _quietSince);
        visitor.Value("interval", ref _interval, Quiet, Longest);
        _ended = visitor.Value("ended", _ended);
    }

    private static void Wait(IGuestControl control, long time) => control.SetAlarm(control.GuestTime + time);

    /// <summary>The next line with its end, or what there is of one.</summary>
    private int TakeLine()
    {
        int count = 0;
        while (count < LongestLine)
        {
            if (_taken == _piece.Length)
            {
                if (!_arrived.TryDequeue(out byte[]? next))
                {
                    break;
                }

                _piece = next;
                _taken = 0;
                continue;
            }

            byte value = _piece[_taken++];
            _line[count++] = value;
            if (value is (byte)'\r' or (byte)'\n')
            {
                break;
            }
        }

        return count;
    }
}
