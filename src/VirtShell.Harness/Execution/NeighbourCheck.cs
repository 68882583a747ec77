using System;
using System.Collections.Generic;
using System.Linq;
using System.Text;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Harness.Model;
using VirtShell.Harness.Steps;
using VirtShell.Host;

namespace VirtShell.Harness.Execution;

/// <summary>
/// Shows that guests do not feel each other: the test's guest and each neighbour have run alone; now they run together, the
/// neighbours again and again for as long as the test's guest runs, and every run must give the same serial bytes and the
/// same instruction count as the run alone.
/// </summary>
internal sealed class NeighbourCheck(GuestRun runner, TestSpec test, string name, TimeSpan hostTimeLimit)
{
    /// <summary>Runs of one neighbour; a guest that crashes at once would otherwise be started without end.</summary>
    private const int MostRuns = 200;

    /// <param name="alone">The test's own run without neighbours.</param>
    /// <param name="runSubject">Runs the test again.</param>
    public async Task<IReadOnlyList<AssertionResult>> RunAsync(GuestOutcome alone, Func<string, CancellationToken, Task<GuestOutcome>> runSubject, CancellationToken cancellation)
    {
        var results = new List<AssertionResult>();
        var references = new GuestOutcome[test.Neighbours.Count];
        for (int i = 0; i < test.Neighbours.Count; i++)
        {
            NeighbourSpec neighbour = test.Neighbours[i];
            references[i] = await RunNeighbourAsync(neighbour, $"{name} n{i} alone", cancellation).ConfigureAwait(false);
            if (references[i].Error is { } error)
            {
                results.Add(new AssertionResult($"neighbour {neighbour.Description} runs", Outcome.Error, error));
                return results;
            }

            if (neighbour.End.Count > 0)
            {
                bool right = neighbour.End.Any(e => e.Matches(references[i].End, references[i].EndCode, timedOut: false));
                results.Add(new AssertionResult($"neighbour {neighbour.Description}: end is {string.Join(" or ", neighbour.End)}", right ? Outcome.Passed : Outcome.Failed, EndCondition.Describe(references[i].End, references[i].EndCode)));
            }
        }

        using var subjectEnded = new CancellationTokenSource();
        var loops = new List<Task<(int Runs, string? Difference)>>();
        var owners = new List<NeighbourSpec>();
        for (int i = 0; i < test.Neighbours.Count; i++)
        {
            for (int copy = 0; copy < test.Neighbours[i].Count; copy++)
            {
                loops.Add(RepeatAsync(test.Neighbours[i], references[i], $"{name} n{i}.{copy}", subjectEnded.Token, cancellation));
                owners.Add(test.Neighbours[i]);
            }
        }

        GuestOutcome beside;
        try
        {
            beside = await runSubject($"{name} beside", cancellation).ConfigureAwait(false);
        }
        finally
        {
            await subjectEnded.CancelAsync().ConfigureAwait(false);
            await ((Task)Task.WhenAll(loops)).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        results.Add(Compare($"same as alone beside {loops.Count} neighbour{(loops.Count == 1 ? string.Empty : "s")}", Difference(alone, beside), string.Empty));
        for (int i = 0; i < loops.Count; i++)
        {
            (int runs, string? difference) = await loops[i].ConfigureAwait(false);
            results.Add(Compare($"neighbour {owners[i].Description} same as alone", difference, $"{runs} run{(runs == 1 ? string.Empty : "s")}"));
        }

        return results;
    }

    /// <summary>Where two runs differ, in words; null where they do not.</summary>
    public static string? Difference(GuestOutcome alone, GuestOutcome beside)
    {
        if (beside.Error is { } error)
        {
            return error;
        }

        if (beside.HostTimeExceeded)
        {
            return "it ran into the host-time limit; raise limits: host-time.";
        }

        if (alone.SerialHash != beside.SerialHash || !alone.Serial.AsSpan().SequenceEqual(beside.Serial))
        {
            int at = alone.Serial.AsSpan().CommonPrefixLength(beside.Serial);
            return $"serial output differs at byte {at}: {Around(alone.Serial, at)} alone, {Around(beside.Serial, at)} beside.";
        }

        if (alone.Metrics.Instructions != beside.Metrics.Instructions)
        {
            return $"{alone.Metrics.Instructions} instructions alone, {beside.Metrics.Instructions} beside.";
        }

        return alone.End != beside.End || alone.EndCode != beside.EndCode
            ? $"ended in {EndCondition.Describe(alone.End, alone.EndCode)} alone, in {EndCondition.Describe(beside.End, beside.EndCode)} beside."
            : null;
    }

    private async Task<(int Runs, string? Difference)> RepeatAsync(NeighbourSpec neighbour, GuestOutcome reference, string vmName, CancellationToken subjectEnded, CancellationToken cancellation)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(subjectEnded, cancellation);
        int runs = 0;
        while (runs < MostRuns && !stop.IsCancellationRequested)
        {
            GuestOutcome run;
            try
            {
                // The first run is always finished, so that there is something to compare.
                run = await RunNeighbourAsync(neighbour, $"{vmName}.{runs}", runs == 0 ? cancellation : stop.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (runs > 0)
            {
                break;
            }

            runs++;
            if (Difference(reference, run) is { } difference)
            {
                return (runs, difference);
            }
        }

        return (runs, null);
    }

    private async Task<GuestOutcome> RunNeighbourAsync(NeighbourSpec neighbour, string vmName, CancellationToken cancellation)
    {
        // A neighbour is a test without steps that is turned off at its limit.
        var body = new TestSpec
        {
            Name = neighbour.Description,
            Vm = neighbour.Vm,
            Limits = new LimitSpec { GuestTime = neighbour.Limit },
        };
        GuestOutcome run = await runner.RunAsync(vmName, neighbour.Vm, new ScriptDriver(body, vmName, []), detectPanics: true, hostTimeLimit, watch: null, cancellation).ConfigureAwait(false);
        return run.Cancelled ? throw new OperationCanceledException(cancellation) : run;
    }

    private static AssertionResult Compare(string title, string? difference, string detail) =>
        new(title, difference is null ? Outcome.Passed : Outcome.Failed, difference ?? detail);

    private static string Around(byte[] serial, int at)
    {
        int from = Math.Max(0, at - 20);
        int to = Math.Min(serial.Length, at + 20);
        return at >= serial.Length ? "the end" : Printable.Quote(Encoding.Latin1.GetString(serial, from, to - from));
    }
}
