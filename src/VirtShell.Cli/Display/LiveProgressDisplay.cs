using System;
using System.Collections.Generic;
using System.Threading.Tasks;
using Spectre.Console;
using VirtShell.Harness;
using VirtShell.Host;
using VirtShell.Settings;

namespace VirtShell.Cli.Display;

/// <summary>The running items with bars, the finished ones as lines above them: for a terminal with someone before it.</summary>
internal sealed class LiveProgressDisplay : IRunObserver
{
    private readonly IAnsiConsole _console;
    private readonly ProgressContext _context;
    private readonly Dictionary<int, ProgressTask> _running = [];
    private ProgressTask? _whole;

    private LiveProgressDisplay(IAnsiConsole console, ProgressContext context)
    {
        this._console = console;
        this._context = context;
    }

    /// <summary>Whether the console is a terminal that can redraw, and nobody has said that this is CI.</summary>
    public static bool Suits(IAnsiConsole console) =>
        console.Profile.Capabilities is { Interactive: true, Ansi: true } && !Console.IsOutputRedirected && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("CI"));

    public static async Task<RunResult> RunAsync(IAnsiConsole console, Func<IRunObserver, Task<RunResult>> run)
    {
        RunResult result = await console.Progress()
            .AutoClear(true)
            .HideCompleted(true)
            .Columns(new SpinnerColumn(), new TaskDescriptionColumn { Alignment = Justify.Left }, new ProgressBarColumn { Width = 20 }, new ElapsedTimeColumn())
            .StartAsync(context => run(new LiveProgressDisplay(console, context)))
            .ConfigureAwait(false);
        string colour = result.Success ? "green" : result.Cancelled ? "yellow" : "red";
        console.MarkupLine($"[bold {colour}]{Markup.Escape(PlainDisplay.Summary(result))}[/]");
        return result;
    }

    public void OnRunStarted(IReadOnlyList<ItemInfo> items)
    {
        ArgumentNullException.ThrowIfNull(items);
        _whole = _context.AddTask($"[bold]{items.Count} items[/]", maxValue: items.Count);
    }

    public void OnItemStarted(ItemInfo item)
    {
        ArgumentNullException.ThrowIfNull(item);
        _running[item.Index] = _context.AddTask(Describe(item, "starting"), maxValue: 1);
    }

    public void OnItemProgress(ItemInfo item, ItemProgress progress)
    {
        ArgumentNullException.ThrowIfNull(item);
        ArgumentNullException.ThrowIfNull(progress);
        if (_running.TryGetValue(item.Index, out ProgressTask? task))
        {
            string speed = progress.Instructions > 0 ? $", {Units.FormatCount(progress.Instructions)} instructions" : string.Empty;
            task.Description = Describe(item, progress.Activity + speed);
            task.Value = Math.Min(progress.Fraction, 0.99);
        }
    }

    public void OnItemFinished(ItemResult result)
    {
        ArgumentNullException.ThrowIfNull(result);
        if (_running.Remove(result.Item.Index, out ProgressTask? task))
        {
            task.Value = 1;
            task.StopTask();
        }

        _whole?.Increment(1);
        (string sign, string colour) = result.Outcome switch
        {
            Outcome.Passed => ("✓", "green"),
            Outcome.Failed => ("✗", "red"),
            Outcome.Error => ("!", "darkorange"),
            _ => ("-", "grey"),
        };
        _console.MarkupLine($"[{colour}]{sign}[/] {Markup.Escape(Printable.Escape(result.Name))} [grey]{Markup.Escape(PlainDisplay.Facts(result))}[/]");
        if (result.Outcome is Outcome.Failed or Outcome.Error)
        {
            foreach (string line in Printable.Log(result.Message).Split('\n'))
            {
                _console.MarkupLine($"    [{colour}]{Markup.Escape(line)}[/]");
            }
        }
    }

    private static string Describe(ItemInfo item, string activity)
    {
        string name = Cut(Printable.Escape(item.Name), 48);
        return $"{Markup.Escape(name)} [grey]{Markup.Escape(Cut(Printable.Escape(activity), 56))}[/]";
    }

    private static string Cut(string text, int limit) => text.Length <= limit ? text : text[..(limit - 1)] + "…";
}
