using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using VirtShell.Harness.Model;
using VirtShell.State;

namespace VirtShell.Harness.Steps;

/// <summary>What a script has noted so far, as state: a section for each record.</summary>
internal static class ScriptRecords
{
    private const int MostRecords = 1 << 20;
    private const int LongestText = 64 << 20;

    public static void Describe(StateVisitor visitor, List<StepResult> results) => Describe(visitor, "result", results, static (visitor, result) =>
    {
        string? description = result?.Description;
        string? message = result?.Message;
        string? output = result?.Output;
        int number = visitor.Value("number", result?.Number ?? 0);
        visitor.Text("description", ref description, LongestText);
        int outcome = (int)(result?.Outcome ?? default);
        visitor.Value("outcome", ref outcome, 0, (int)Outcome.Cancelled);
        visitor.Text("message", ref message, LongestText);
        long startedAt = visitor.Value("started-at", result?.StartedAt.Ticks ?? 0);
        long guestTime = visitor.Value("guest-time", result?.GuestTime.Ticks ?? 0);
        long instructions = visitor.Value("instructions", result?.Instructions ?? 0);
        bool hasOutput = visitor.Value("has-output", output is not null);
        visitor.Text("output", ref output, LongestText);
        bool hasStatus = visitor.Value("has-status", result?.ExitStatus is not null);
        int status = visitor.Value("status", result?.ExitStatus ?? 0);
        return new StepResult
        {
            Number = number,
            Description = description ?? string.Empty,
            Outcome = (Outcome)outcome,
            Message = message ?? string.Empty,
            StartedAt = TimeSpan.FromTicks(startedAt),
            GuestTime = TimeSpan.FromTicks(guestTime),
            Instructions = instructions,
            Output = hasOutput ? output ?? string.Empty : null,
            ExitStatus = hasStatus ? status : null,
        };
    });

    /// <param name="visitor">Shown them.</param>
    /// <param name="lines">The records.</param>
    /// <param name="never">The patterns that they are of.</param>
    public static void Describe(StateVisitor visitor, List<ForbiddenLine> lines, IReadOnlyList<TextPattern> never) => Describe(visitor, "forbidden", lines, (visitor, found) =>
    {
        int pattern = Math.Max(0, never.TakeWhile(pattern => pattern != found?.Pattern).Count() % Math.Max(1, never.Count));
        string? line = found?.Line;
        visitor.Value("pattern", ref pattern, 0, Math.Max(0, never.Count - 1));
        visitor.Text("line", ref line, LongestText);
        long guestTime = visitor.Value("guest-time", found?.GuestTime ?? 0);
        return never.Count > 0 ? new ForbiddenLine(never[pattern], line ?? string.Empty, guestTime) : throw visitor.Damaged($"'{visitor.Path}' is of a pattern, and there are none.");
    });

    // Each record is made anew from what is shown, which changes nothing unless it is loaded.
    private static void Describe<T>(StateVisitor visitor, string name, List<T> records, Func<StateVisitor, T?, T> describe)
        where T : class
    {
        int count = records.Count;
        visitor.Value(name + "-count", ref count, 0, MostRecords);
        List<T> shown = [];
        for (int i = 0; i < count; i++)
        {
            using StateScope section = visitor.Section(name + i.ToString(CultureInfo.InvariantCulture), isRequired: true);
            shown.Add(describe(visitor, i < records.Count ? records[i] : null));
        }

        if (visitor.IsLoading)
        {
            records.Clear();
            records.AddRange(shown);
        }
    }
}
