using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using Iced.Intel;
using VirtShell.Cpu;
using VirtShell.Machine;
using VirtShell.Cpu.Diagnostics;

namespace VirtShell.Host.Lockstep;

/// <summary>Tells people where two engines differ, and in what.</summary>
internal static class LockstepReport
{
    private const int DifferenceLimit = 40;
    private const int LongestInstruction = 15;

    public static string Write(MachinePair pair, IReadOnlyList<string> trace, List<EngineDifference> differences, string where)
    {
        StringBuilder text = new();
        VcpuSnapshot registers = pair.Interpreter.Cpu.CaptureRegisters();
        text.AppendLine(CultureInfo.InvariantCulture, $"The engines differ after instruction {pair.Interpreter.Instructions}: {where}");
        text.AppendLine(CultureInfo.InvariantCulture, $"Mode: {registers.Mode}. Guest time {pair.Interpreter.GuestTime} ns.");
        if (trace.Count > 0)
        {
            text.AppendLine("Last instructions, as the interpreter ran them (count, RIP, bytes):");
            foreach (string line in trace)
            {
                text.Append("  ").AppendLine(line);
            }
        }

        text.AppendLine("Next:");
        text.Append("  ").AppendLine(Instruction(pair.Interpreter));
        text.AppendLine("Differences:");
        foreach (EngineDifference difference in differences.Take(DifferenceLimit))
        {
            text.Append("  ").AppendLine(difference.ToString());
        }

        if (differences.Count > DifferenceLimit)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  … and {differences.Count - DifferenceLimit} more");
        }

        text.AppendLine("Registers of the interpreter:");
        foreach (KeyValuePair<string, ulong>[] line in registers.Registers.Chunk(4))
        {
            text.Append("  ").AppendLine(string.Join(' ', line.Select(r => string.Create(CultureInfo.InvariantCulture, $"{r.Key,-7} {r.Value:X16}"))));
        }

        return text.ToString();
    }

    /// <summary>The instruction that a machine is about to run.</summary>
    public static string Instruction(Pc machine)
    {
        VcpuSnapshot at = machine.Cpu.CaptureRegisters();
        byte[] bytes = new byte[LongestInstruction];
        int length = 0;
        while (length < bytes.Length && machine.Cpu.TryTranslateDebug(at.LinearRip + (ulong)length, out ulong physical) && machine.Memory.Read(physical, bytes.AsSpan(length, 1)))
        {
            length++;
        }

        Iced.Intel.Decoder decoder = Iced.Intel.Decoder.Create(at.CodeSize, new ByteArrayCodeReader(bytes, 0, length), at.LinearRip);
        Instruction instruction = decoder.Decode();
        string text = length == 0 ? "(not mapped)" : instruction.ToString();
        string hex = Convert.ToHexString(bytes, 0, Math.Min(length, instruction.Length));
        return string.Create(CultureInfo.InvariantCulture, $"{machine.Instructions,12} {at.LinearRip:X16} {hex,-20} {text}");
    }
}
