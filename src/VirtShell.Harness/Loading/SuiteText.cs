using System;
using System.Buffers;
using System.IO;
using System.Text;
using System.Text.Unicode;

namespace VirtShell.Harness.Loading;

/// <summary>A suite file's bytes as text: UTF-8, or what a byte order mark says.</summary>
internal static class SuiteText
{
    /// <exception cref="SuiteException">The bytes are no UTF-8; line and column say where.</exception>
    public static string Decode(byte[] bytes, string file)
    {
        if (bytes is [0xFF, 0xFE, ..] or [0xFE, 0xFF, ..])
        {
            using var reader = new StreamReader(new MemoryStream(bytes), detectEncodingFromByteOrderMarks: true);
            return reader.ReadToEnd();
        }

        ReadOnlySpan<byte> text = bytes is [0xEF, 0xBB, 0xBF, ..] ? bytes.AsSpan(3) : bytes;
        if (Utf8.IsValid(text))
        {
            return Encoding.UTF8.GetString(text);
        }

        int line = 1;
        int lineStart = 0;
        int at = 0;
        while (Rune.DecodeFromUtf8(text[at..], out _, out int used) == OperationStatus.Done)
        {
            if (text[at] == (byte)'\n')
            {
                line++;
                lineStart = at + 1;
            }

            at += used;
        }

        int column = Encoding.UTF8.GetCharCount(text[lineStart..at]) + 1;
        throw new SuiteException([new SuiteDiagnostic(file, line, column, $"the byte 0x{text[at]:x2} is no UTF-8; save the file as UTF-8")]);
    }
}
