using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Text;
using System.Text.RegularExpressions;
using VirtShell.Host;

namespace VirtShell.Harness.Reports;

/// <summary>
/// Writes reports to files, creating folders as needed. Each file is there whole or, where it cannot be written, not at all; one
/// that cannot be written does not keep the others from being written.
/// </summary>
public static partial class ReportFiles
{
    private const string JUnitName = "junit.xml";
    private const string JsonName = "report.json";
    private const string HtmlName = "report.html";
    private const string SerialFolder = "serial";

    /// <summary>Below <c>serial</c>: the names of the logs that were written there, so that the next run clears them away and nothing else.</summary>
    private const string ListName = ".virtshell-logs";

    /// <exception cref="ReportException">It cannot be written.</exception>
    public static void WriteJUnit(RunResult result, string path) => WriteOne(path, stream => JUnitReport.Write(result, stream));

    /// <inheritdoc cref="WriteJUnit"/>
    public static void WriteJson(RunResult result, string path) => WriteOne(path, stream => JsonReport.Write(result, stream, _ => null));

    /// <inheritdoc cref="WriteJUnit"/>
    public static void WriteHtml(RunResult result, string path) => WriteOne(path, stream => HtmlReport.Write(result, stream));

    /// <summary>Shows before a run that a folder can take its reports: creates it and writes a file there.</summary>
    /// <exception cref="ReportException">It cannot.</exception>
    public static void Probe(string folder) => WriteOne(Path.Combine(folder, ".virtshell-probe"), stream => stream.Write("probe"u8), keep: false);

    /// <summary>The same for the folder of one report.</summary>
    /// <inheritdoc cref="Probe"/>
    public static void ProbeFile(string path) => Probe(Path.GetDirectoryName(Path.GetFullPath(path))!);

    /// <summary>Writes <c>junit.xml</c>, <c>report.json</c>, <c>report.html</c> and, below <c>serial</c>, each item's serial log byte for byte. Logs of an earlier run go.</summary>
    /// <returns>The path of the HTML page.</returns>
    /// <exception cref="ReportException">Some could not be written; the others are there.</exception>
    public static string WriteAll(RunResult result, string folder)
    {
        ArgumentNullException.ThrowIfNull(result);
        var problems = new List<string>();
        string serial = Path.Combine(folder, SerialFolder);
        RemoveOldLogs(serial);

        // What machines read comes first: a disk that fills up takes the largest files, which are last.
        Try(problems, Path.Combine(folder, JUnitName), stream => JUnitReport.Write(result, stream));
        Try(problems, Path.Combine(folder, JsonName), stream => JsonReport.Write(result, stream, i => $"{SerialFolder}/{LogName(i)}"));
        Try(problems, Path.Combine(folder, HtmlName), stream => HtmlReport.Write(result, stream));
        Try(problems, Path.Combine(serial, ListName), stream => stream.Write(Encoding.UTF8.GetBytes(string.Concat(result.Items.Select(i => LogName(i) + "\n")))));
        foreach (ItemResult item in result.Items)
        {
            Try(problems, Path.Combine(serial, LogName(item)), stream => stream.Write(item.Serial));
        }

        return problems.Count == 0 ? Path.Combine(folder, HtmlName) : throw new ReportException(problems);
    }

    private static string LogName(ItemResult item) => string.Create(CultureInfo.InvariantCulture, $"{item.Item.Index + 1:000}-{FileName(item.Name)}.log");

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

    private static void RemoveOldLogs(string folder)
    {
        string list = Path.Combine(folder, ListName);
        try
        {
            if (!File.Exists(list))
            {
                return;
            }

            // The list is a file like any other: only names that we give are believed.
            foreach (string name in File.ReadLines(list).Where(n => OurName().IsMatch(n)))
            {
                File.Delete(Path.Combine(folder, name));
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // What cannot be cleared away cannot be written over either, and is told then.
        }
    }

    [GeneratedRegex(@"^[0-9]{3,}-[a-z0-9._-]*\.log\z", RegexOptions.CultureInvariant)]
    private static partial Regex OurName();

    private static void WriteOne(string path, Action<Stream> write, bool keep = true)
    {
        var problems = new List<string>();
        Try(problems, path, write, keep);
        if (problems.Count > 0)
        {
            throw new ReportException(problems);
        }
    }

    private static void Try(List<string> problems, string path, Action<Stream> write, bool keep = true)
    {
        string? part = null;
        try
        {
            string full = Path.GetFullPath(path);
            Directory.CreateDirectory(Path.GetDirectoryName(full)!);
            part = $"{full}.{Environment.ProcessId}.part";
            using (FileStream stream = File.Create(part))
            {
                write(stream);
            }

            if (keep)
            {
                File.Move(part, full, overwrite: true);
            }
            else
            {
                File.Delete(part);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            problems.Add($"{Printable.Escape(path)} ({Printable.Escape(e.Message.TrimEnd('.'))})");
            try
            {
                File.Delete(part ?? string.Empty);
            }
            catch (Exception again) when (again is IOException or UnauthorizedAccessException or ArgumentException)
            {
                // Whatever keeps it from being written may keep it from being deleted.
            }
        }
    }
}

/// <summary>Reports that could not be written; what was written is there.</summary>
public sealed class ReportException : IOException
{
    private const int Most = 3;

    public ReportException(IReadOnlyList<string> problems)
        : base($"Cannot write {string.Join(", ", problems.Take(Most))}{(problems.Count > Most ? $" and {problems.Count - Most} files more" : string.Empty)}. Make room or name another folder, and run again.")
    {
    }

    public ReportException()
    {
    }

    public ReportException(string message)
        : base(message)
    {
    }

    public ReportException(string message, Exception inner)
        : base(message, inner)
    {
    }
}
