using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;

namespace VirtShell.Bench.Results;

/// <summary>The comparison as one table, plain or for Markdown.</summary>
public static class ResultTable
{
    private static readonly string[] s_headings =
    [
        "program", "native ms", "VirtShell ms", "QEMU ms", "-icount ms", "against QEMU", "against -icount", "time of native",
    ];

    private static readonly (BenchGroup Group, string Name)[] s_groups =
    [
        (BenchGroup.Integer, "integer"),
        (BenchGroup.Memory, "memory"),
        (BenchGroup.Floating, "floating point and SIMD"),
        (BenchGroup.System, "system"),
    ];

    /// <summary>Medians with half the range in percent; then how many times faster VirtShell is than QEMU, and how many times longer it takes than the host.</summary>
    public static string Format(Summary summary, bool markdown = false)
    {
        ArgumentNullException.ThrowIfNull(summary);
        List<string[]> rows = [s_headings];
        foreach ((BenchGroup group, string name) in s_groups)
        {
            ResultRow[] own = [.. summary.Programs.Where(r => r.Group == group)];
            rows.AddRange(own.Select(Cells));
            if (own.Length > 1)
            {
                rows.Add(MeanCells($"= {name}", own));
            }
        }

        if (summary.Programs.Count > 1)
        {
            rows.Add(MeanCells("= all programs", summary.Programs));
        }

        if (summary.Boot is { } boot)
        {
            rows.Add(Cells(boot));
        }

        return Layout(rows, markdown);
    }

    /// <summary>Lays rows into columns, the first aligned left and the others right; the first row holds the headings.</summary>
    internal static string Layout(IReadOnlyList<string[]> rows, bool markdown)
    {
        int[] widths = [.. Enumerable.Range(0, rows[0].Length).Select(column => rows.Max(r => r[column].Length))];
        var text = new StringBuilder();
        for (int i = 0; i < rows.Count; i++)
        {
            IEnumerable<string> cells = rows[i].Select((cell, column) => column == 0 ? cell.PadRight(widths[0]) : cell.PadLeft(widths[column]));
            text.AppendLine(markdown ? $"| {string.Join(" | ", cells)} |" : string.Join("  ", cells).TrimEnd());
            if (i == 0)
            {
                text.AppendLine(markdown
                    ? "|" + string.Concat(widths.Select((width, column) => column == 0 ? new string('-', width + 2) + "|" : new string('-', width + 1) + ":|"))
                    : new string('-', widths.Sum() + ((widths.Length - 1) * 2)));
            }
        }

        return text.ToString();
    }

    private static string[] Cells(ResultRow row) =>
    [
        row.Name,
        Time(row.Time(Contestant.Native)),
        Time(row.Time(Contestant.VirtShell)),
        Time(row.Time(Contestant.Qemu)),
        Time(row.Time(Contestant.QemuIcount)),
        Times(row.SpeedAgainst(Contestant.Qemu)),
        Times(row.SpeedAgainst(Contestant.QemuIcount)),
        Times(row.Slowdown),
    ];

    private static string[] MeanCells(string name, IReadOnlyCollection<ResultRow> rows) =>
    [
        name,
        string.Empty,
        string.Empty,
        string.Empty,
        string.Empty,
        Times(Statistics.GeometricMean(rows.Select(r => r.SpeedAgainst(Contestant.Qemu)))),
        Times(Statistics.GeometricMean(rows.Select(r => r.SpeedAgainst(Contestant.QemuIcount)))),
        Times(Statistics.GeometricMean(rows.Select(r => r.Slowdown))),
    ];

    /// <summary>A median, and half the range in percent where there are several.</summary>
    internal static string Time(Measure? measure) => measure switch
    {
        null => "-",
        { Count: 1 } => measure.Median.ToString("F1", CultureInfo.InvariantCulture),
        _ => string.Create(CultureInfo.InvariantCulture, $"{measure.Median:F1} ±{measure.SpreadPercent,2:F0}%"),
    };

    private static string Times(double? factor) => factor is { } f ? f.ToString("F2", CultureInfo.InvariantCulture) + "x" : "-";
}
