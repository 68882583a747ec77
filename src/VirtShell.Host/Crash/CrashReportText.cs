using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;

namespace VirtShell.Host.Crash;

/// <summary>A crash report for people, in at most 100 columns.</summary>
internal static class CrashReportText
{
    private const int Columns = 100;
    private const int BytesPerLine = 16;
    private const int ValueDigits = 16;

    // Every name is padded to the longest, and a report is a file that anybody may have written.
    private const int LongestName = 24;

    public static string Format(CrashReport report)
    {
        StringBuilder text = new();
        AddWrapped(text, $"VM '{report.VmName}': {report.Summary}", string.Empty);
        text.Append(CultureInfo.InvariantCulture, $"  {report.Kind} at {report.At:yyyy-MM-dd HH:mm:ss}Z, guest time {report.GuestTime.TotalSeconds:0.000000} s, instruction {report.Instructions:N0}\n");
        AddLine(text, "  Mode: " + OneLine(report.Mode));
        if (report.EngineError is { } error)
        {
            AddWrapped(text, "Engine error: " + error, "  ");
        }

        AddRegisters(text, report.Registers);
        AddSection(text, "Code", report.Disassembly);
        AddSection(text, report.FaultAddress is { } address ? $"Page walk of {address:x16} (CR2, the last page fault)" : "Page walk", report.PageWalk);
        AddStack(text, report);
        AddSection(text, "Last serial output (COM1)", report.SerialTail);
        return text.ToString();
    }

    private static void AddRegisters(StringBuilder text, IReadOnlyList<KeyValuePair<string, ulong>> registers)
    {
        if (registers.Count == 0)
        {
            return;
        }

        text.Append("\nRegisters\n");
        int name = Math.Min(LongestName, registers.Max(one => one.Key.Length));
        int each = Math.Max(1, Columns / (name + 1 + ValueDigits + 2));
        for (int first = 0; first < registers.Count; first += each)
        {
            StringBuilder line = new();
            foreach (KeyValuePair<string, ulong> one in registers.Skip(first).Take(each))
            {
                string key = OneLine(one.Key.Length <= name ? one.Key : one.Key[..name]);
                line.Append("  ").Append(key.PadRight(name)).Append(' ').Append(one.Value.ToString("x16", CultureInfo.InvariantCulture));
            }

            AddLine(text, line.ToString());
        }
    }

    private static void AddSection(StringBuilder text, string title, IReadOnlyList<string> lines)
    {
        if (lines.Count > 0)
        {
            text.Append('\n').Append(title).Append('\n');
            foreach (string line in lines)
            {
                AddLine(text, "  " + OneLine(line));
            }
        }
    }

    private static void AddStack(StringBuilder text, CrashReport report)
    {
        if (report.StackBytes.Length == 0)
        {
            return;
        }

        text.Append("\nStack\n");
        for (int first = 0; first < report.StackBytes.Length; first += BytesPerLine)
        {
            ReadOnlySpan<byte> part = report.StackBytes.AsSpan(first, Math.Min(BytesPerLine, report.StackBytes.Length - first));
            StringBuilder hex = new();
            StringBuilder plain = new();
            foreach (byte one in part)
            {
                hex.Append(' ').Append(one.ToString("x2", CultureInfo.InvariantCulture));
                plain.Append(one is >= 0x20 and < 0x7F ? (char)one : '.');
            }

            text.Append(CultureInfo.InvariantCulture, $"  {unchecked(report.StackAddress + (ulong)first):x16} {hex.ToString().PadRight(BytesPerLine * 3)}  |{plain}|\n");
        }
    }

    private static void AddWrapped(StringBuilder text, string sentence, string indent)
    {
        ReadOnlySpan<char> rest = OneLine(sentence);
        while (indent.Length + rest.Length > Columns)
        {
            int room = Columns - indent.Length;
            int space = rest[..(room + 1)].LastIndexOf(' ');
            int cut = space > 0 ? space : room;
            text.Append(indent).Append(rest[..cut].TrimEnd()).Append('\n');
            rest = rest[cut..].TrimStart();
            indent = indent.Length == 0 ? "  " : indent;
        }

        text.Append(indent).Append(rest).Append('\n');
    }

    private static void AddLine(StringBuilder text, string line) => text.Append(line.Length <= Columns ? line : line[..(Columns - 1)] + "…").Append('\n');

    // Guests colour their output and move the cursor; a report must not do that to a terminal.
    private static string OneLine(string line) => Printable.Escape(Printable.Text(line).Replace('\t', ' '));
}
