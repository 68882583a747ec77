using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using VirtShell.Harness;
using VirtShell.Host;
using VirtShell.Settings;

namespace VirtShell.Cli.Display;

/// <summary>One line an item as it ends, then what went wrong and the count: for logs and CI.</summary>
internal sealed class PlainDisplay(TextWriter output) : IRunObserver
{
    public void OnRunStarted(IReadOnlyList<ItemInfo> items) => output.WriteLine($"running {items.Count} item{(items.Count == 1 ? string.Empty : "s")}");

    public void OnItemFinished(ItemResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        output.WriteLine($"{Word(result.Outcome)} {Printable.Escape(result.Name)}  [{Facts(result)}]");
        if (result.Outcome is Outcome.Failed or Outcome.Error)
        {
            foreach (string line in Printable.Log(result.Message).Split('\n'))
            {
                output.WriteLine($"       {line}");
            }
        }

        output.Flush();
    }

    public void OnRunFinished(RunResult result) => output.WriteLine(Summary(result));

    public static string Facts(ItemResult result)
    {
        MetricResult? instructions = result.Metrics.FirstOrDefault(m => m.Name == "instructions");
        MetricResult? guestTime = result.Metrics.FirstOrDefault(m => m.Name == "guest-time");
        string host = Units.FormatDuration(result.Duration);
        return instructions is null ? host : $"{host}, {instructions.Display} instructions, {guestTime!.Display} guest time";
    }

    public static string Summary(RunResult result)
    {
        var parts = new List<string> { $"{result.Passed} passed", $"{result.Failed} failed" };
        if (result.Errors > 0)
        {
            parts.Add($"{result.Errors} could not be run");
        }

        if (result.NotRun > 0)
        {
            parts.Add($"{result.NotRun} not run");
        }

        return $"{string.Join(", ", parts)} in {Units.FormatDuration(result.Duration)}{(result.Cancelled ? " (cut short)" : string.Empty)}";
    }

    private static string Word(Outcome outcome) => outcome switch
    {
        Outcome.Passed => "PASS ",
        Outcome.Failed => "FAIL ",
        Outcome.Error => "ERROR",
        _ => "STOP ",
    };
}
