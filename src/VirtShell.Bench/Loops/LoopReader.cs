using System;
using System.Collections.Generic;
using System.Diagnostics;

namespace VirtShell.Bench.Loops;

/// <summary>One run of one loop.</summary>
/// <param name="Loop">Its name.</param>
/// <param name="Milliseconds">The host's time.</param>
/// <param name="ProcessorMilliseconds">Processor time; null where the host cannot tell.</param>
/// <param name="Instructions">How many instructions, where they were counted.</param>
internal sealed record LoopSample(string Loop, double Milliseconds, double? ProcessorMilliseconds, long? Instructions)
{
    /// <summary>The time by one of the clocks, in milliseconds.</summary>
    public double? Time(BenchClock clock) => clock == BenchClock.Wall ? Milliseconds : ProcessorMilliseconds;
}

/// <summary>Takes the bytes that the loops write to port E9h, among others that may come the same way.</summary>
/// <param name="processorTime">Gives the processor time so far, in milliseconds, or null.</param>
internal sealed class LoopReader(Func<double?> processorTime)
{
    private readonly List<LoopSample> _samples = [];
    private int _running = -1;
    private long _begun;
    private long _countAtBegin;
    private double? _processorAtBegin;

    public IReadOnlyList<LoopSample> Samples => _samples;

    /// <summary>Whether all loops are through.</summary>
    public bool IsDone { get; private set; }

    /// <summary>Takes a byte that came at a time (<see cref="Stopwatch.GetTimestamp"/>), after so many instructions where they are counted.</summary>
    public void Feed(byte value, long time, long? count)
    {
        int loops = LoopPrograms.All.Count;
        if (value == LoopImage.Done && _samples.Count == loops)
        {
            IsDone = true;
        }
        else if (_running < 0 && value == LoopImage.FirstBegin + _samples.Count && _samples.Count < loops)
        {
            _running = _samples.Count;
            _begun = time;
            _countAtBegin = count ?? 0;
            _processorAtBegin = processorTime();
        }
        else if (_running >= 0 && value == LoopImage.FirstEnd + _running)
        {
            _samples.Add(new LoopSample(LoopPrograms.All[_running].Name, Stopwatch.GetElapsedTime(_begun, time).TotalMilliseconds, processorTime() - _processorAtBegin, count - _countAtBegin));
            _running = -1;
        }
    }
}
