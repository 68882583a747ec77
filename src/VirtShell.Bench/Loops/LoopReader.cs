using System.Collections.Generic;
using System.Diagnostics;

namespace VirtShell.Bench.Loops;

/// <summary>One run of one loop.</summary>
/// <param name="Loop">Its name.</param>
/// <param name="Milliseconds">The host's time.</param>
/// <param name="Instructions">How many instructions, where they were counted.</param>
internal sealed record LoopSample(string Loop, double Milliseconds, long? Instructions);

/// <summary>Takes the bytes that the loops write to port E9h, among others that may come the same way.</summary>
internal sealed class LoopReader
{
    private readonly List<LoopSample> _samples = [];
    private int _running = -1;
    private long _begun;
    private long _countAtBegin;

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
        }
        else if (_running >= 0 && value == LoopImage.FirstEnd + _running)
        {
            _samples.Add(new LoopSample(LoopPrograms.All[_running].Name, Stopwatch.GetElapsedTime(_begun, time).TotalMilliseconds, count - _countAtBegin));
            _running = -1;
        }
    }
}
