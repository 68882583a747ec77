using System;
using System.Collections.Generic;
using System.Threading;
using System.Threading.Tasks;

namespace VirtShell.Harness;

/// <summary>Runs suites: loads them, expands their matrices, runs the items in parallel and gathers what they came to.</summary>
public static class SuiteRunner
{
    /// <summary>The items that <paramref name="options"/> selects, without running them.</summary>
    /// <exception cref="SuiteException">A suite is broken; every problem is listed with file, line and column.</exception>
    public static IReadOnlyList<ItemInfo> List(SuiteRunOptions options) => throw new NotSupportedException();

    /// <summary>
    /// Runs the selected items. One item's failure never ends the run; cancelling ends it in order, and the items that did
    /// not end by then are <see cref="Outcome.Cancelled"/> in the result (no <see cref="OperationCanceledException"/> is thrown).
    /// </summary>
    /// <exception cref="SuiteException">A suite is broken, or nothing matches the filter; nothing was run.</exception>
    public static Task<RunResult> RunAsync(SuiteRunOptions options, IRunObserver? observer = null, CancellationToken cancellation = default) => throw new NotSupportedException();
}
