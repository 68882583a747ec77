using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using VirtShell.Host;
using VirtShell.Machine.Display;
using VirtShell.Settings;

namespace VirtShell.Harness.Reports;

/// <summary>A run as one HTML page that needs nothing beside itself: no fonts, scripts or pictures from elsewhere.</summary>
internal static class HtmlReport
{
    /// <summary>Characters of a serial log on the page; the file beside it holds all.</summary>
    private const int LongestLog = 200_000;

    public static void Write(RunResult result, Stream stream)
    {
        using var writer = new StreamWriter(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false), leaveOpen: true) { NewLine = "\n" };
        string title = result.Items.Select(i => i.Item.SuiteName).Distinct().Count() == 1 ? result.Items[0].Item.SuiteName : "VirtShell run";
        writer.WriteLine("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
        writer.WriteLine("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'\">");
        writer.WriteLine($"<title>{E(title)}</title><style>{HtmlStyle.Css}</style></head><body>");
        WriteSummary(writer, result, title);
        foreach (IGrouping<(string, string), ItemResult> test in result.Items.GroupBy(i => (i.Item.SuiteFile, i.Item.TestName)).Where(g => g.Count() > 1))
        {
            WriteMatrix(writer, [.. test]);
        }

        writer.WriteLine("<section><h2>Items</h2>");
        foreach (ItemResult item in result.Items)
        {
            WriteItem(writer, item);
        }

        writer.WriteLine($"</section><footer>VirtShell {typeof(HtmlReport).Assembly.GetName().Version?.ToString(3)}</footer><script>{HtmlStyle.Script}</script></body></html>");
    }

    private static void WriteSummary(TextWriter writer, RunResult result, string title)
    {
        string verdict = result.Cancelled ? "Cut short" : result.Success ? "All passed" : result.Errors > 0 ? "Could not all be run" : "Failed";
        string tone = result.Success ? "passed" : result.Cancelled ? "cancelled" : result.Errors > 0 ? "error" : "failed";
        writer.WriteLine($"<header class=\"{tone}\"><div class=\"verdict\">{verdict}</div><h1>{E(title)}</h1>");
        string at = result.StartedAt.ToString("yyyy-MM-dd HH:mm:ss zzz", CultureInfo.InvariantCulture);
        writer.WriteLine($"<p>{at}, {Units.FormatDuration(result.Duration)} of host time, {Units.FormatCount(result.Items.Sum(i => Value(i, "instructions")))} instructions in {result.Items.Count} runs</p><div class=\"bar\" role=\"img\" aria-label=\"{result.Passed} of {result.Items.Count} passed\">");
        foreach ((string name, int count) in new[] { ("passed", result.Passed), ("failed", result.Failed), ("error", result.Errors), ("cancelled", result.NotRun) })
        {
            if (count > 0)
            {
                writer.Write($"<span class=\"{name}\" style=\"flex:{count}\"></span>");
            }
        }

        writer.WriteLine("</div><nav>");
        foreach ((string name, string label, int count) in new[] { ("all", "All", result.Items.Count), ("passed", "Passed", result.Passed), ("failed", "Failed", result.Failed), ("error", "Could not run", result.Errors), ("cancelled", "Not run", result.NotRun) })
        {
            if (count > 0)
            {
                writer.Write($"<button type=\"button\" data-show=\"{name}\"{(name == "all" ? " aria-pressed=\"true\"" : string.Empty)}><b>{count}</b> {label}</button>");
            }
        }

        writer.WriteLine("</nav></header>");
    }

    /// <summary>The last axis runs across, the others down.</summary>
    private static void WriteMatrix(TextWriter writer, ItemResult[] items)
    {
        ItemInfo first = items[0].Item;
        if (first.Matrix.Count == 0 || items.Any(i => i.Item.Matrix.Count < first.Matrix.Count))
        {
            return;
        }

        int across = first.Matrix.Count - 1;
        string[] columns = across == 0 ? ["result"] : [.. items.Select(i => i.Item.Matrix[across].Value).Distinct()];
        var rows = items.GroupBy(i => string.Join(" · ", i.Item.Matrix.Take(Math.Max(across, 1)).Select(m => m.Value)));
        string rowTitle = string.Join(" · ", first.Matrix.Take(Math.Max(across, 1)).Select(m => m.Key));
        writer.WriteLine($"<section><h2>{E(first.TestName)}</h2><div class=\"scroll\"><table class=\"matrix\"><thead><tr><th>{E(rowTitle)}</th>");
        foreach (string column in columns)
        {
            writer.Write($"<th>{(across == 0 ? string.Empty : $"<small>{E(first.Matrix[across].Key)}</small> ")}{E(column)}</th>");
        }

        writer.WriteLine("</tr></thead><tbody>");
        foreach (IGrouping<string, ItemResult> row in rows)
        {
            writer.Write($"<tr><th>{E(row.Key)}</th>");
            foreach (string column in columns)
            {
                ItemResult? cell = row.FirstOrDefault(i => across == 0 || i.Item.Matrix[across].Value == column);
                writer.Write(cell is null
                    ? "<td class=\"none\">–</td>"
                    : $"<td class=\"{Class(cell.Outcome)}\"><a href=\"#item{cell.Item.Index}\">{Word(cell.Outcome)}</a><small>{Units.FormatCount(Value(cell, "instructions"))} instr. · {Display(cell, "guest-time")} guest</small></td>");
            }

            writer.WriteLine("</tr>");
        }

        writer.WriteLine("</tbody></table></div></section>");
    }

    private static void WriteItem(TextWriter writer, ItemResult item)
    {
        string open = item.Outcome is Outcome.Failed or Outcome.Error ? " open" : string.Empty;
        writer.WriteLine($"<details class=\"item {Class(item.Outcome)}\" id=\"item{item.Item.Index}\" data-outcome=\"{Class(item.Outcome)}\"{open}><summary><span class=\"badge\">{Word(item.Outcome)}</span><span class=\"name\">{E(item.Name)}</span><span class=\"end\">{E(EndText(item))}</span><span class=\"time\">{Units.FormatDuration(item.Duration)}</span></summary>");
        if (item.Message.Length > 0)
        {
            writer.WriteLine($"<pre class=\"message\">{E(item.Message)}</pre>");
        }

        writer.WriteLine("<div class=\"columns\"><div>");
        WriteSteps(writer, item);
        WriteAssertions(writer, item);
        writer.WriteLine("</div><div>");
        WriteMetrics(writer, item);
        WriteConfiguration(writer, item);
        writer.WriteLine("</div></div>");
        if (item.CrashReport is { } crash)
        {
            WriteCrash(writer, crash);
        }

        WriteSerial(writer, item);
        writer.WriteLine("</details>");
    }

    private static void WriteSteps(TextWriter writer, ItemResult item)
    {
        if (item.Steps.Count == 0)
        {
            return;
        }

        double whole = Math.Max(1, item.Steps.Max(s => (s.StartedAt + s.GuestTime).TotalSeconds) * 1000);
        writer.WriteLine("<h3>Steps</h3><ol class=\"steps\">");
        foreach (StepResult step in item.Steps)
        {
            writer.Write($"<li class=\"{Class(step.Outcome)}\"><div class=\"line\"><span class=\"what\">{E(step.Description)}</span>");
            if (step.Outcome != Outcome.Skipped)
            {
                double left = step.StartedAt.TotalMilliseconds / whole * 100;
                double width = Math.Max(0.5, step.GuestTime.TotalMilliseconds / whole * 100);
                writer.Write(string.Create(CultureInfo.InvariantCulture, $"<span class=\"track\" title=\"{step.Instructions} instructions\"><i style=\"margin-left:{Math.Min(left, 99.5):0.##}%;width:{Math.Min(width, 100 - Math.Min(left, 99.5)):0.##}%\"></i></span><span class=\"took\">{Units.FormatDuration(step.GuestTime)}</span>"));
            }

            writer.Write("</div>");
            if (step.Outcome == Outcome.Passed && step.Message.Length > 0)
            {
                writer.Write($"<p>{E(step.Message)}</p>");
            }

            if (step.Output is { Length: > 0 } output)
            {
                writer.Write($"<pre>{E(Cut(output, 4000))}</pre>");
            }

            if (step.Screen is { } screen)
            {
                WriteScreen(writer, screen);
            }

            writer.WriteLine("</li>");
        }

        writer.WriteLine("</ol>");
    }

    // Text to read and to search, a picture to look at.
    private static void WriteScreen(TextWriter writer, ScreenSnapshot screen)
    {
        writer.Write($"<figure class=\"screen\"><figcaption>{E(screen.ToString())}</figcaption>");
        if (screen.Picture is { } picture)
        {
            writer.Write($"<img alt=\"screen\" src=\"data:image/png;base64,{Convert.ToBase64String(picture.ToPng())}\">");
        }

        if (screen.Text.Length > 0)
        {
            writer.Write($"<details><summary>Text</summary><pre>{E(screen.Text)}</pre></details>");
        }

        writer.Write("</figure>");
    }

    private static void WriteAssertions(TextWriter writer, ItemResult item)
    {
        if (item.Assertions.Count == 0)
        {
            return;
        }

        writer.WriteLine("<h3>Assertions</h3><ul class=\"assertions\">");
        foreach (AssertionResult assertion in item.Assertions)
        {
            writer.WriteLine($"<li class=\"{Class(assertion.Outcome)}\"><span>{E(assertion.Name)}</span>{(assertion.Message.Length == 0 ? string.Empty : $"<small>{E(assertion.Message)}</small>")}</li>");
        }

        writer.WriteLine("</ul>");
    }

    private static void WriteMetrics(TextWriter writer, ItemResult item)
    {
        if (item.Metrics.Count == 0)
        {
            return;
        }

        writer.WriteLine("<h3>Metrics</h3><table class=\"metrics\">");
        WriteMetricRows(writer, item.Metrics.Where(m => !Model.Metric.IsEngineName(m.Name) || m.Baseline is not null));
        writer.WriteLine("</table><details><summary>Engine</summary><table class=\"metrics\">");
        WriteMetricRows(writer, item.Metrics.Where(m => Model.Metric.IsEngineName(m.Name) && m.Baseline is null));
        writer.WriteLine("</table></details>");
    }

    private static void WriteMetricRows(TextWriter writer, IEnumerable<MetricResult> metrics)
    {
        foreach (MetricResult metric in metrics)
        {
            string change = string.Empty;
            if (metric.Change is { } share)
            {
                string sign = share > 0 ? "+" : string.Empty;
                double width = Math.Min(50, Math.Abs(share) * 500);
                string side = share > 0 ? "left:50%" : "right:50%";
                change = string.Create(CultureInfo.InvariantCulture, $"<span class=\"delta\"><i style=\"{side};width:{width:0.##}%\"></i></span>{sign}{Units.FormatPercent(share)}");
            }

            writer.WriteLine($"<tr><th>{E(metric.Name)}</th><td title=\"{metric.Value.ToString(CultureInfo.InvariantCulture)}\">{E(metric.Display)}</td><td>{change}</td></tr>");
        }
    }

    private static void WriteConfiguration(TextWriter writer, ItemResult item)
    {
        writer.WriteLine("<h3>Machine</h3><dl>");
        foreach (KeyValuePair<string, string> pair in item.Configuration)
        {
            writer.WriteLine($"<dt>{E(pair.Key)}</dt><dd>{E(pair.Value)}</dd>");
        }

        writer.WriteLine("</dl>");
    }

    private static void WriteCrash(TextWriter writer, CrashReport crash)
    {
        writer.WriteLine($"<h3>Crash</h3><div class=\"crash\"><p><b>{E(crash.Summary)}</b><br>{E(crash.Mode)}, after {crash.Instructions.ToString("N0", CultureInfo.InvariantCulture)} instructions and {Units.FormatDuration(crash.GuestTime)} of guest time</p>");
        if (crash.EngineError is { } error)
        {
            writer.WriteLine($"<pre>{E(error)}</pre>");
        }

        if (crash.Registers.Count > 0)
        {
            writer.WriteLine($"<pre>{E(CrashText.Registers(crash))}</pre>");
        }

        if (crash.Disassembly.Count > 0)
        {
            IEnumerable<string> lines = crash.Disassembly.Select(l => l.StartsWith("=>", StringComparison.Ordinal) ? $"<mark>{E(l)}</mark>" : E(l));
            writer.WriteLine($"<pre>{string.Join('\n', lines)}</pre>");
        }

        if (crash.PageWalk.Count > 0)
        {
            string walked = crash.FaultAddress is { } address ? $"Page walk of 0x{address:x}" : "Page walk";
            writer.WriteLine($"<details><summary>{walked}</summary><pre>{E(string.Join('\n', crash.PageWalk))}</pre></details>");
        }

        if (crash.StackBytes.Length > 0)
        {
            writer.WriteLine($"<details><summary>Stack</summary><pre>{E(CrashText.Stack(crash))}</pre></details>");
        }

        writer.WriteLine("</div>");
    }

    private static void WriteSerial(TextWriter writer, ItemResult item)
    {
        if (item.Serial.Length == 0)
        {
            writer.WriteLine("<p class=\"quiet\">No serial output.</p>");
            return;
        }

        string log = Printable.Xml(item.SerialText);
        string note = log.Length > LongestLog ? $", the last {LongestLog} characters" : string.Empty;
        string open = log.Length < 3000 ? " open" : string.Empty;
        writer.WriteLine($"<details class=\"serial\"{open}><summary>Serial output ({Units.FormatSize(item.Serial.Length)}{note})</summary><pre>{E(Printable.Tail(log, LongestLog))}</pre></details>");
    }

    private static string EndText(ItemResult item) => item.End == VmEndKind.None ? string.Empty : Model.EndCondition.Describe(item.End, item.EndCode);

    private static long Value(ItemResult item, string metric) => item.Metrics.FirstOrDefault(m => m.Name == metric)?.Value ?? 0;

    private static string Display(ItemResult item, string metric) => item.Metrics.FirstOrDefault(m => m.Name == metric)?.Display ?? "–";

    private static string Cut(string text, int limit) => text.Length <= limit ? text : Printable.Head(text, limit) + "\n…";

    private static string Class(Outcome outcome) => outcome switch
    {
        Outcome.Passed => "passed",
        Outcome.Failed => "failed",
        Outcome.Error => "error",
        Outcome.Skipped => "skipped",
        _ => "cancelled",
    };

    private static string Word(Outcome outcome) => outcome switch
    {
        Outcome.Passed => "passed",
        Outcome.Failed => "failed",
        Outcome.Error => "could not run",
        Outcome.Skipped => "skipped",
        _ => "not run",
    };

    /// <summary>Text made safe twice: control characters visible, then HTML encoded.</summary>
    private static string E(string text) => Printable.Html(text);
}
