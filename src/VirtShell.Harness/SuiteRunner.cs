using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.IO;
using System.Linq;
using System.Threading;
using System.Threading.Tasks;
using VirtShell.Cpu;
using VirtShell.Harness.Execution;
using VirtShell.Harness.Loading;
using VirtShell.Harness.Model;
using VirtShell.Host;

namespace VirtShell.Harness;

/// <summary>Runs suites: loads them, expands their matrices, runs the items in parallel and gathers what they came to.</summary>
public static class SuiteRunner
{
    /// <summary>The items that <paramref name="options"/> selects, without running them.</summary>
    /// <exception cref="SuiteException">A suite is broken; every problem is listed with file, line and column.</exception>
    public static IReadOnlyList<ItemInfo> List(SuiteRunOptions options) => [.. Select(options).Select(s => s.Info)];

    /// <summary>
    /// Runs the selected items. One item's failure never ends the run; cancelling ends it in order, and the items that did
    /// not end by then are <see cref="Outcome.Cancelled"/> in the result (no <see cref="OperationCanceledException"/> is thrown).
    /// </summary>
    /// <exception cref="SuiteException">A suite is broken, or nothing matches the filter; nothing was run.</exception>
    public static async Task<RunResult> RunAsync(SuiteRunOptions options, IRunObserver? observer = null, CancellationToken cancellation = default)
    {
        IReadOnlyList<Selected> items = Select(options);
        CheckSources(items);
        Dictionary<string, BaselineFile> baselines = LoadBaselines(items);
        Dictionary<string, ScreenReferences> references = items.Select(i => i.Suite.File).Distinct()
            .ToDictionary(file => file, file => ScreenReferences.Load(file, options.UpdateReferences), StringComparer.Ordinal);
        DateTimeOffset startedAt = DateTimeOffset.Now;
        long start = Stopwatch.GetTimestamp();
        var watched = new SerialObserver(observer);
        watched.OnRunStarted([.. items.Select(i => i.Info)]);

        var results = new ItemResult?[items.Count];
        int jobs = options.Jobs > 0 ? options.Jobs : Environment.ProcessorCount;
        using (var disks = new GeneratedDisks())
        using (var host = new VmHost(homeFolder: null))
        {
            var runner = new ItemRunner(host, disks, options);
            async ValueTask RunItemAsync(int i, CancellationToken _)
            {
                // Not cancelled from outside the loop: items that did not start are reported as such.
                if (cancellation.IsCancellationRequested)
                {
                    return;
                }

                Selected selected = items[i];
                watched.OnItemStarted(selected.Info);
                BaselineFile? baseline = selected.Suite.BaselinePath is { } path ? baselines[path] : null;
                ItemResult result = await runner.RunAsync(selected.Info, selected.Item, selected.Suite, baseline, references[selected.Suite.File], p => watched.OnItemProgress(selected.Info, p), cancellation).ConfigureAwait(false);
                results[i] = result;
                watched.OnItemFinished(result);
            }

            // A guest that gives way to another is stopped inside a block, which the engine then decodes anew from there:
            // exact counters of the engine need a run without others beside it.
            ILookup<bool, int> byNeed = Enumerable.Range(0, items.Count).ToLookup(i => NeedsHostAlone(items[i].Item.Test, options.Engine));
            int[] beside = [.. byNeed[false]];
            IReadOnlyList<IReadOnlyList<int>> rows = ImageSharing.Rows([.. beside.Select(i => (IReadOnlyList<(string, bool)>)[.. Sources.Images(items[i].Item, items[i].Suite)])]);
            async ValueTask RunRowAsync(IReadOnlyList<int> row, CancellationToken token)
            {
                foreach (int i in row)
                {
                    await RunItemAsync(beside[i], token).ConfigureAwait(false);
                }
            }

            await Parallel.ForEachAsync(rows, new ParallelOptions { MaxDegreeOfParallelism = jobs }, RunRowAsync).ConfigureAwait(false);
            foreach (int i in byNeed[true])
            {
                await RunItemAsync(i, CancellationToken.None).ConfigureAwait(false);
            }
        }

        ItemResult[] all = [.. results.Select((r, i) => r ?? new ItemResult { Item = items[i].Info, Outcome = Outcome.Cancelled, Message = "The run was cut short before this item began." })];
        IReadOnlyList<string> updated = options.UpdateBaseline && !cancellation.IsCancellationRequested ? UpdateBaselines(items, all, baselines, options.Engine) : [];
        if (options.UpdateReferences && !cancellation.IsCancellationRequested)
        {
            updated = [.. updated, .. references.Values.Select(each => each.Save()).OfType<string>().Order(StringComparer.Ordinal)];
        }

        var run = new RunResult
        {
            StartedAt = startedAt,
            Duration = Stopwatch.GetElapsedTime(start),
            Items = all,
            Cancelled = cancellation.IsCancellationRequested && all.Any(i => i.Outcome == Outcome.Cancelled),
            UpdatedBaselines = updated,
        };
        watched.OnRunFinished(run);
        return run;
    }

    private static void CheckSources(IReadOnlyList<Selected> items)
    {
        SuiteDiagnostic[] missing = [.. items.SelectMany(i => Sources.Missing(i.Item, i.Suite)).Distinct()];
        if (missing.Length > 0)
        {
            throw new SuiteException(missing);
        }
    }

    private static bool NeedsHostAlone(TestSpec test, EngineKind? engine) => test.Assert.Metrics.Bounds.Any(b =>
        b.Value is not { Tolerance: null, Exactly: null } && Metric.Find(b.Key) is { IsEngine: true } metric && metric.Judges(test.Vm, engine));

    private sealed record Selected(ItemInfo Info, LoadedItem Item, LoadedSuite Suite);

    private static IReadOnlyList<Selected> Select(SuiteRunOptions options)
    {
        ArgumentNullException.ThrowIfNull(options);
        if (options.SuiteFiles.Count == 0)
        {
            throw new SuiteException("No suite file was named.");
        }

        IReadOnlyList<LoadedSuite> suites = SuiteLoader.LoadAll(options.SuiteFiles);
        var matching = new List<(LoadedItem Item, LoadedSuite Suite)>();
        foreach (LoadedSuite suite in suites)
        {
            matching.AddRange(suite.Items.Where(i => options.Filter is null || NameFilter.Matches(options.Filter, i.Name)).Select(i => (i, suite)));
        }

        if (matching.Count == 0)
        {
            throw new SuiteException($"No item's name matches the filter \"{options.Filter}\". The items are: {string.Join("; ", suites.SelectMany(s => s.Items).Select(i => i.Name).Take(20))}.");
        }

        var selected = new List<Selected>();
        for (int i = 0; i < matching.Count; i++)
        {
            if (options.Shard.Contains(i))
            {
                (LoadedItem item, LoadedSuite suite) = matching[i];
                selected.Add(new Selected(new ItemInfo(selected.Count, suite.File, suite.Name, item.TestName, item.Name, item.Matrix), item, suite));
            }
        }

        return selected;
    }

    private static Dictionary<string, BaselineFile> LoadBaselines(IReadOnlyList<Selected> items)
    {
        var baselines = new Dictionary<string, BaselineFile>(StringComparer.Ordinal);
        foreach (string path in items.Select(i => i.Suite.BaselinePath).OfType<string>().Distinct())
        {
            baselines[path] = BaselineFile.Load(path);
        }

        return baselines;
    }

    private static IReadOnlyList<string> UpdateBaselines(IReadOnlyList<Selected> items, ItemResult[] results, Dictionary<string, BaselineFile> baselines, EngineKind? engine)
    {
        var touched = new HashSet<string>(StringComparer.Ordinal);
        for (int i = 0; i < items.Count; i++)
        {
            // The values of a run that went wrong are no baseline.
            if (results[i].Outcome != Outcome.Passed || items[i].Suite.BaselinePath is not { } path)
            {
                continue;
            }

            TestSpec test = items[i].Item.Test;
            foreach ((string name, MetricSpec spec) in test.Assert.Metrics.Bounds)
            {
                if (spec.Tolerance is not null && Metric.Find(name).Judges(test.Vm, engine))
                {
                    baselines[path].Set(items[i].Info.Name, name, results[i].Metrics.First(m => m.Name == name).Value);
                    touched.Add(path);
                }
            }
        }

        foreach (string path in touched)
        {
            try
            {
                baselines[path].Save();
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new SuiteException([new SuiteDiagnostic(path, 0, 0, $"the baseline cannot be written: {e.Message}")]);
            }
        }

        return [.. touched.Order(StringComparer.Ordinal)];
    }
}
