using System;
using System.Globalization;
using System.IO;
using System.Text;

namespace VirtShell.Harness.Reports;

/// <summary>Writes reports to files, creating folders as needed.</summary>
public static class ReportFiles
{
    public static void WriteJUnit(RunResult result, string path) => Write(path, stream => JUnitReport.Write(result, stream));

    public static void WriteJson(RunResult result, string path) => Write(path, stream => JsonReport.Write(result, stream));

    public static void WriteHtml(RunResult result, string path) => Write(path, stream => HtmlReport.Write(result, stream));

    /// <summary>Writes <c>report.html</c>, <c>report.json</c>, <c>junit.xml</c> and, below <c>serial</c>, each item's serial log byte for byte.</summary>
    /// <returns>The path of the HTML page.</returns>
    public static string WriteAll(RunResult result, string folder)
    {
        ArgumentNullException.ThrowIfNull(result);
        string page = Path.Combine(folder, "report.html");
        WriteHtml(result, page);
        WriteJson(result, Path.Combine(folder, "report.json"));
        WriteJUnit(result, Path.Combine(folder, "junit.xml"));
        foreach (ItemResult item in result.Items)
        {
            string name = string.Create(CultureInfo.InvariantCulture, $"{item.Item.Index + 1:000}-{FileName(item.Name)}.log");
            Write(Path.Combine(folder, "serial", name), stream => stream.Write(item.Serial));
        }

        return page;
    }

    /// <summary>A name of plain characters that every file system takes.</summary>
    private static string FileName(string name)
    {
        var result = new StringBuilder();
        foreach (char c in name)
        {
            if (char.IsAsciiLetterOrDigit(c) || c is '.' or '_')
            {
                result.Append(char.ToLowerInvariant(c));
            }
            else if (result.Length > 0 && result[^1] != '-')
            {
                result.Append('-');
            }

            if (result.Length == 80)
            {
                break;
            }
        }

        return result.ToString().Trim('-', '.');
    }

    private static void Write(string path, Action<Stream> write)
    {
        string full = Path.GetFullPath(path);
        Directory.CreateDirectory(Path.GetDirectoryName(full)!);
        using FileStream stream = File.Create(full);
        write(stream);
    }
}
