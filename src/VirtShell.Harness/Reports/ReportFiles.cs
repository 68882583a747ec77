using System;

namespace VirtShell.Harness.Reports;

/// <summary>Writes reports to files, creating folders as needed.</summary>
public static class ReportFiles
{
    public static void WriteJUnit(RunResult result, string path) => throw new NotSupportedException();

    public static void WriteJson(RunResult result, string path) => throw new NotSupportedException();

    public static void WriteHtml(RunResult result, string path) => throw new NotSupportedException();

    /// <summary>Writes <c>report.html</c>, <c>report.json</c>, <c>junit.xml</c> and one serial log an item below <paramref name="folder"/>.</summary>
    /// <returns>The path of the HTML page.</returns>
    public static string WriteAll(RunResult result, string folder) => throw new NotSupportedException();
}
