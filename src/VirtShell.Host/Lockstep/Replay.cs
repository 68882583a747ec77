using System;
using System.Collections.Generic;
using System.Linq;
using System.Threading;

namespace VirtShell.Host.Lockstep;

/// <summary>Runs chunks again, from power-on or from a saved state, to find the first instruction after which the engines differ.</summary>
internal sealed class Replay : IDisposable
{
    private const int TraceLength = 32;

    private readonly Func<MachinePair> _start;
    private readonly List<long> _chunks;
    private readonly int _from;
    private readonly EngineLockstepOptions _options;
    private readonly CancellationToken _cancellation;
    private readonly bool _reused;
    private MachinePair? _pair;

    /// <summary>From power-on: with new machines each time.</summary>
    public Replay(Func<MachinePair> start, List<long> chunks, EngineLockstepOptions options, CancellationToken cancellation)
    {
        _start = start;
        _chunks = chunks;
        _options = options;
        _cancellation = cancellation;
    }

    /// <summary>From a saved state, which was taken before the chunk numbered <paramref name="from"/>.</summary>
    public Replay(MachinePair pair, byte[] state, List<long> chunks, int from, EngineLockstepOptions options, CancellationToken cancellation)
        : this(() => Loaded(pair, state), chunks, options, cancellation)
    {
        _from = from;
        _reused = true;
    }

    /// <summary>A report on the first difference; null where there is none this time.</summary>
    /// <param name="good">How many chunks are known to have left none.</param>
    public string? Find(int good)
    {
        int low = Math.Max(good, _from);
        int high = _chunks.Count;
        if (!Differs(high - 1, _chunks[high - 1]))
        {
            return null;
        }

        while (low + 1 < high)
        {
            int middle = (low + high) / 2;
            if (Differs(middle - 1, _chunks[middle - 1]))
            {
                high = middle;
            }
            else
            {
                low = middle;
            }
        }

        long from = 0;
        long to = _chunks[high - 1];
        while (from + 1 < to)
        {
            long middle = from + ((to - from) / 2);
            if (Differs(high - 1, middle))
            {
                to = middle;
            }
            else
            {
                from = middle;
            }
        }

        return Describe(high - 1, to);
    }

    public void Dispose() => Drop();

    private static MachinePair Loaded(MachinePair pair, byte[] state)
    {
        pair.Load(state);
        return pair;
    }

    private string Describe(int chunk, long instructions)
    {
        // The last instructions, one at a time, on machines that are thrown away.
        List<string> trace = [];
        MachinePair pair = RunTo(chunk);
        long alone = Math.Min(instructions, TraceLength);
        if (instructions > alone)
        {
            pair.Run(instructions - alone, null);
        }

        for (long i = 0; i < alone && pair.IsRunning; i++)
        {
            trace.Add(LockstepReport.Instruction(pair.Interpreter));
            pair.Run(1, null);
        }

        pair = RunTo(chunk);
        pair.Run(instructions, _options.Disturb);
        string text = LockstepReport.Write(pair, trace, pair.Differences(), $"{instructions} into chunk {chunk} of {_chunks[chunk]}.");
        Drop();
        return text;
    }

    private bool Differs(int chunk, long instructions)
    {
        MachinePair pair = RunTo(chunk);
        pair.Run(instructions, _options.Disturb);
        bool differs = !pair.AgreeFully();
        Drop();
        return differs;
    }

    private MachinePair RunTo(int chunk)
    {
        Drop();
        MachinePair pair = _start();
        _pair = _reused ? null : pair;
        foreach (long instructions in _chunks.Skip(_from).Take(chunk - _from))
        {
            _cancellation.ThrowIfCancellationRequested();
            pair.Run(instructions, _options.Disturb);
        }

        return pair;
    }

    private void Drop()
    {
        _pair?.Dispose();
        _pair = null;
    }
}
