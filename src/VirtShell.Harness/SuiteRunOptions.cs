using System;
using System.Collections.Generic;
using VirtShell.Cpu;

namespace VirtShell.Harness;

/// <summary>What to run and how.</summary>
public sealed record SuiteRunOptions
{
    /// <summary>Suite files, run in this order.</summary>
    public required IReadOnlyList<string> SuiteFiles { get; init; }

    /// <summary>Wildcard pattern (<c>*</c>, <c>?</c>) on an item's full name; a pattern without wildcards matches anywhere in the name. Null runs everything.</summary>
    public string? Filter { get; init; }

    /// <summary>Items that run at the same time; 0 for one each host core.</summary>
    public int Jobs { get; init; }

    /// <summary>Writes the measured values to the suites' baseline files instead of comparing with them.</summary>
    public bool UpdateBaseline { get; init; }

    /// <summary>Stores what screens show beside the suites instead of comparing with what is stored.</summary>
    public bool UpdateReferences { get; init; }

    /// <summary>The part of the items to run.</summary>
    public Shard Shard { get; init; } = Shard.All;

    /// <summary>The engine of every machine in the run, whatever the suites say; null leaves it to them.</summary>
    public EngineKind? Engine { get; init; }

    /// <summary>Factor on every host-time safety limit; raise it on very slow hosts.</summary>
    public double HostTimeScale { get; init; } = 1;
}

/// <summary>One of several equal parts of a run: every <paramref name="Count"/>th item, beginning with the <paramref name="Index"/>th.</summary>
/// <param name="Index">From 1 to <paramref name="Count"/>.</param>
/// <param name="Count">Parts in all.</param>
public readonly record struct Shard(int Index, int Count)
{
    public static Shard All { get; } = new(1, 1);

    /// <summary>Parses <c>i/n</c> with 1 ≤ i ≤ n.</summary>
    public static bool TryParse(string text, out Shard shard)
    {
        ArgumentNullException.ThrowIfNull(text);
        shard = All;
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0 || !int.TryParse(text.AsSpan(0, slash), out int index) || !int.TryParse(text.AsSpan(slash + 1), out int count)
            || index < 1 || count < index)
        {
            return false;
        }

        shard = new Shard(index, count);
        return true;
    }

    /// <summary>Whether the item at <paramref name="position"/> (from 0) belongs to this part.</summary>
    public bool Contains(int position) => position % Count == Index - 1;
}
