using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using VirtShell.Host;

namespace VirtShell.Harness.Reports;

/// <summary>The parts of a crash report that are laid out in columns.</summary>
internal static class CrashText
{
    private const int BytesPerRow = 16;
    private const int RegistersPerRow = 4;

    public static string Registers(CrashReport crash)
    {
        ArgumentNullException.ThrowIfNull(crash);
        var text = new StringBuilder();
        int width = crash.Registers.Count == 0 ? 0 : crash.Registers.Max(r => r.Key.Length);
        for (int i = 0; i < crash.Registers.Count; i++)
        {
            KeyValuePair<string, ulong> register = crash.Registers[i];
            text.Append(register.Key.PadLeft(width)).Append('=').Append(register.Value.ToString("x16", CultureInfo.InvariantCulture));
            text.Append(i % RegistersPerRow == RegistersPerRow - 1 || i == crash.Registers.Count - 1 ? '\n' : ' ');
        }

        return text.ToString();
    }

    /// <summary>The stack's bytes in rows of sixteen, with addresses.</summary>
    public static string Stack(CrashReport crash)
    {
        ArgumentNullException.ThrowIfNull(crash);
        var text = new StringBuilder();
        for (int row = 0; row < crash.StackBytes.Length; row += BytesPerRow)
        {
            text.Append((crash.StackAddress + (ulong)row).ToString("x16", CultureInfo.InvariantCulture)).Append(' ');
            int end = Math.Min(row + BytesPerRow, crash.StackBytes.Length);
            for (int i = row; i < end; i++)
            {
                text.Append(' ').Append(crash.StackBytes[i].ToString("x2", CultureInfo.InvariantCulture));
            }

            text.Append("  ".PadRight(2 + ((BytesPerRow - (end - row)) * 3)));
            for (int i = row; i < end; i++)
            {
                byte value = crash.StackBytes[i];
                text.Append(value is >= 0x20 and < 0x7F ? (char)value : '.');
            }

            text.Append('\n');
        }

        return text.ToString();
    }
}
