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

    private readonly ConcurrentQueue<byte[]> arrived = new();
    [NotState("Within a call.")]
    private readonly byte[] line = new byte[LongestLine];
    private byte[] piece = [];
    private int taken;
    private long quietSince;
    private long interval = Quiet;
    private volatile bool ended;

    public string Kind => "piped-input";

    /// <summary>Takes bytes that have come; on any thread.</summary>
    public void Add(ReadOnlySpan<byte> bytes) => arrived.Enqueue(bytes.ToArray());

    /// <summary>No more bytes come.</summary>
    public void End() => ended = true;

    public void OnStart(IGuestControl control) => control.SetAlarm(control.GuestTime + Quiet);

    public void OnSerial(IGuestControl control, Outlet outlet, byte value)
    {
        if (outlet == Outlet.Com1)
        {
            quietSince = control.GuestTime;
        }
    }

    public void OnAlarm(IGuestControl control)
    {
        // Asked in this order: what was added before the end is not missed.
        bool last = ended;
        if (piece.Length == taken && arrived.IsEmpty)
        {
            if (!last)
            {
                Wait(control, Quiet);
            }

            return;
        }

        if (control.GuestTime - quietSince < Quiet)
        {
            Wait(control, Quiet);
            return;
        }

        if (!control.IsListening(Outlet.Com1))
        {
            Wait(control, interval);
            interval = Math.Min(interval * 2, Longest);
            return;
        }

        interval = Quiet;
        int count = TakeLine();
        quietSince = control.GuestTime;
        control.SendSerial(Outlet.Com1, line.AsSpan(0, count));
        Wait(control, Quiet);
    }

    public void OnEnd(IGuestControl control, VmEndKind end)
    {
    }

    public void Describe(StateVisitor visitor)
    {
        ArgumentNullException.ThrowIfNull(visitor);
        byte[] waiting = [.. piece.AsSpan(taken), .. arrived.SelectMany(static bytes => bytes)];
        if (visitor.Bytes("waiting", ref waiting, Array.MaxLength))
        {
            arrived.Clear();
            piece = waiting;
            taken = 0;
        }

        visitor.Value("quiet-since", ref quietSince);
        visitor.Value("interval", ref interval, Quiet, Longest);
        ended = visitor.Value("ended", ended);
    }

    private static void Wait(IGuestControl control, long time) => control.SetAlarm(control.GuestTime + time);

    /// <summary>The next line with its end, or what there is of one.</summary>
    private int TakeLine()
    {
        int count = 0;
        while (count < LongestLine)
        {
            if (taken == piece.Length)
            {
                if (!arrived.TryDequeue(out byte[]? next))
                {
                    break;
                }

                piece = next;
                taken = 0;
                continue;
            }

            byte value = piece[taken++];
            line[count++] = value;
            if (value is (byte)'\r' or (byte)'\n')
            {
                break;
            }
        }

        return count;
    }
}
