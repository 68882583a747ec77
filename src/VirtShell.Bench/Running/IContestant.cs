using System.Collections.Generic;
using System.Threading;

namespace VirtShell.Bench.Running;

/// <summary>Runs all programs once.</summary>
internal interface IContestant
{
    Contestant Kind { get; }

    /// <summary>Runs the list once and gives a sample of each program.</summary>
    /// <exception cref="BenchException">It ended before the list did, or a program failed.</exception>
    IReadOnlyList<Sample> Run(int repetition, CancellationToken cancellation);
}
