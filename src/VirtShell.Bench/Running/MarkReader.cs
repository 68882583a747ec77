using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Text;

namespace VirtShell.Bench.Running;

/// <summary>
/// Reads a guest's serial bytes, finds the marks that the programs print, and takes the time between them. Everything
/// else in the stream (messages of the kernel) is kept for error messages only.
/// </summary>
internal sealed class MarkReader(Contestant contestant, int repetition)
{
    private const int LongestLine = 512;
    private const int LinesKept = 12;

    private readonly StringBuilder _line = new();
    private readonly Queue<string> _last = new();
    private readonly List<Sample> _samples = [];
    private string? _running;
    private long _begun;
    private long _countAtBegin;
    private double? _processorAtBegin;

    /// <summary>Gives a count that goes with each mark (retired instructions), where there is one.</summary>
    public Func<long>? Count { get; init; }

    /// <summary>Gives the contestant's processor time in milliseconds, or null.</summary>
    public Func<double?>? ProcessorTime { get; init; }

    public IReadOnlyList<Sample> Samples => _samples;

    /// <summary>Whether the guest has said that it is through.</summary>
    public bool IsDone { get; private set; }

    /// <summary>What went wrong in the guest, or null.</summary>
    public string? Error { get; private set; }

    /// <summary>Lines that were no marks, the last ones.</summary>
    public IEnumerable<string> OtherLines => _last;

    /// <summary>Takes bytes that arrived at the given time (<see cref="Stopwatch.GetTimestamp"/>).</summary>
    public void Feed(ReadOnlySpan<byte> bytes, long time)
    {
        foreach (byte b in bytes)
        {
            Feed(b, time);
        }
    }

    /// <summary>Takes one byte.</summary>
    public void Feed(byte value, long time)
    {
        if (value == '\n')
        {
            string line = _line.ToString().Trim();
            _line.Clear();
            Take(line, time);
        }
        else if (_line.Length < LongestLine && value != 0)
        {
            _line.Append((char)value);
        }
    }

    private void Take(string line, long time)
    {
        string[] words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        switch (words)
        {
            case []:
                break;
            case ["@begin", string name]:
                _running = name;
                _processorAtBegin = ProcessorTime?.Invoke();
                _countAtBegin = Count?.Invoke() ?? 0;
                _begun = time;
                break;
            case ["@end", string name, string sum, .. string[] more] when name == _running && ulong.TryParse(sum, NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong checksum):
                _samples.Add(new Sample(
                    contestant,
                    name,
                    repetition,
                    Stopwatch.GetElapsedTime(_begun, time).TotalMilliseconds,
                    checksum,
                    ToldProcessorTime(more) ?? (ProcessorTime?.Invoke() - _processorAtBegin),
                    Count is null ? null : Count() - _countAtBegin));
                _running = null;
                break;
            case ["@failed" or "@error", ..]:
                Error ??= string.Join(' ', words)[1..];
                _running = null;
                break;
            case ["@done"]:
                IsDone = true;
                break;
            default:
                _last.Enqueue(line);
                if (_last.Count > LinesKept)
                {
                    _last.Dequeue();
                }

                break;
        }
    }

    // What the programs tell themselves, in nanoseconds, where they run on the host.
    private static double? ToldProcessorTime(string[] words) =>
        words is [string text] && ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out ulong nanoseconds) ? nanoseconds / 1e6 : null;
}
