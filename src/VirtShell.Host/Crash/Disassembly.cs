using System;
using System.Collections.Generic;
using System.Globalization;
using Iced.Intel;

namespace VirtShell.Host.Crash;

/// <summary>Disassembles the code around a stopped guest's instruction pointer.</summary>
internal static class Disassembly
{
    private const int LinesBefore = 6;
    private const int LinesAfter = 9;
    private const int BytesBefore = 64;
    private const int LongestInstruction = 15;

    public static IReadOnlyList<string> Around(GuestView guest)
    {
        List<string> lines = [];
        Formatter formatter = new NasmFormatter();
        formatter.Options.HexPrefix = "0x";
        formatter.Options.HexSuffix = string.Empty;
        formatter.Options.UppercaseHex = false;
        formatter.Options.BranchLeadingZeros = false;
        formatter.Options.SpaceAfterOperandSeparator = true;
        ulong rip = guest.InstructionPointer;
        AddBefore(guest, rip, formatter, lines);

        byte[] code = new byte[(LinesAfter + 1) * LongestInstruction];
        int count = guest.Read(rip, code);
        if (count == 0)
        {
            lines.Add("=> " + Address(rip) + "  (no memory is mapped here)");
            return lines;
        }

        ReadOnlySpan<byte> bytes = code.AsSpan(0, count);
        int at = 0;
        for (int line = 0; line <= LinesAfter && at < count; line++)
        {
            Instruction instruction = DecodeOne(guest.CodeSize, code, count, at, rip);
            int length = Math.Max(1, instruction.Length);
            lines.Add(Line(line == 0 ? "=> " : "   ", unchecked(rip + (ulong)at), bytes.Slice(at, Math.Min(length, count - at)), instruction, formatter));
            at += length;
        }

        return lines;
    }

    /// <summary>
    /// x86 code cannot be decoded backwards: takes the start, of those up to 64 bytes back, from which decoding arrives
    /// exactly at the current instruction with the fewest instructions that are none.
    /// </summary>
    private static void AddBefore(GuestView guest, ulong rip, Formatter formatter, List<string> lines)
    {
        byte[] code = new byte[BytesBefore];
        int start = BytesBefore;
        while (start > 0 && guest.Read(unchecked(rip - (ulong)(BytesBefore - start + 1)), code.AsSpan(start - 1, 1)) == 1)
        {
            start--;
        }

        ulong bufferBase = unchecked(rip - BytesBefore);
        List<int>? best = null;
        int fewest = int.MaxValue;
        for (int first = start; first < BytesBefore; first++)
        {
            List<int>? path = PathFrom(guest.CodeSize, code, first, bufferBase, out int invalid);
            if (path is not null && invalid < fewest)
            {
                best = path;
                fewest = invalid;
            }
        }

        if (best is null)
        {
            return;
        }

        for (int i = Math.Max(0, best.Count - LinesBefore); i < best.Count; i++)
        {
            Instruction instruction = DecodeOne(guest.CodeSize, code, BytesBefore, best[i], bufferBase);
            lines.Add(Line("   ", unchecked(bufferBase + (ulong)best[i]), code.AsSpan(best[i], instruction.Length), instruction, formatter));
        }
    }

    private static List<int>? PathFrom(int codeSize, byte[] code, int first, ulong bufferBase, out int invalid)
    {
        List<int> path = [];
        invalid = 0;
        int at = first;
        while (at < BytesBefore)
        {
            Instruction instruction = DecodeOne(codeSize, code, BytesBefore, at, bufferBase);
            invalid += instruction.IsInvalid ? 1 : 0;
            path.Add(at);
            at += Math.Max(1, instruction.Length);
        }

        return at == BytesBefore ? path : null;
    }

    private static Instruction DecodeOne(int codeSize, byte[] code, int count, int at, ulong bufferBase)
    {
        ByteArrayCodeReader reader = new(code, at, count - at);
        Decoder decoder = Decoder.Create(codeSize, reader);
        decoder.IP = unchecked(bufferBase + (ulong)at);
        decoder.Decode(out Instruction instruction);
        return instruction;
    }

    private static string Line(string mark, ulong address, ReadOnlySpan<byte> bytes, in Instruction instruction, Formatter formatter)
    {
        StringOutput output = new();
        if (instruction.IsInvalid)
        {
            output.Write("(bad)", FormatterTextKind.Text);
        }
        else
        {
            formatter.Format(instruction, output);
        }

        return mark + Address(address) + "  " + Convert.ToHexStringLower(bytes).PadRight(20) + "  " + output.ToStringAndReset();
    }

    private static string Address(ulong address) => address.ToString("x16", CultureInfo.InvariantCulture);
}
