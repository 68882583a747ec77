using System;
using System.Collections.Generic;
using System.Globalization;
using System.Linq;
using System.Text;
using Iced.Intel;
using VirtShell.Cpu.Memory;
using VirtShell.Cpu.Diagnostics;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Tells people what differs, where, and how to see it again.</summary>
internal static unsafe class MismatchReport
{
    private const int TraceLength = 24;
    private const int DifferenceLimit = 40;

    /// <summary>Runs up to the difference once more and describes it.</summary>
    public static string Write(GuestProgram program, List<LockstepStep> before, LockstepStep last, List<EngineDifference> seen, Action<LockstepMachine>? disturb)
    {
        StringBuilder text = new();
        using LockstepPair pair = new(program) { Disturb = disturb };
        foreach (LockstepStep step in before)
        {
            pair.Run(step);
        }

        long start = pair.Interpreter.Processor.InstructionsRetired;
        EngineDifference? reason = pair.Run(last).Difference;
        List<EngineDifference> differences = StateComparison.Differences(pair.Interpreter, pair.Translator);
        if (reason is not null)
        {
            differences.Insert(0, reason.Value);
        }

        List<TraceEntry> trace = Trace(program, before, last);
        text.AppendLine();
        text.AppendLine(CultureInfo.InvariantCulture, $"{program}: the engines differ after instruction {pair.Interpreter.Processor.InstructionsRetired}, {pair.Interpreter.Processor.InstructionsRetired - start} into chunk {before.Count} ({last}).");
        text.AppendLine(CultureInfo.InvariantCulture, $"Mode at the end: {pair.Interpreter.Processor.CaptureRegisters().Mode}.");
        text.AppendLine("Last instructions, as the interpreter ran them (count, RIP, bytes):");
        foreach (TraceEntry entry in trace.TakeLast(TraceLength))
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  {entry.Retired,10} {entry.Rip:X8} {Convert.ToHexString(entry.Bytes),-20} {entry.Text}");
        }

        if (differences.Count == 0)
        {
            text.AppendLine("None of this differed when it was run again: one of the engines depends on more than the program. What was seen at the end of the chunk:");
            differences = seen;
        }

        text.AppendLine("Differences:");
        foreach (EngineDifference difference in differences.Take(DifferenceLimit))
        {
            text.Append("  ").AppendLine(difference.ToString());
        }

        if (differences.Count > DifferenceLimit)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  … and {differences.Count - DifferenceLimit} more");
        }

        text.AppendLine("Row for LockstepRegressions.cs:");
        text.Append("  ").AppendLine(Row(program, trace));
        return text.ToString();
    }

    /// <summary>The last chunk, instruction by instruction, on an interpreter of its own.</summary>
    private static List<TraceEntry> Trace(GuestProgram program, List<LockstepStep> before, LockstepStep last)
    {
        using LockstepPair pair = new(program);
        foreach (LockstepStep step in before)
        {
            pair.Run(step);
        }

        List<TraceEntry> trace = [];
        Vcpu processor = pair.Interpreter.Processor;
        long left = last.Budget;
        LockstepStep next = last with { Budget = Math.Max(1, last.Budget - 2000) };
        if (last.Budget > 2000)
        {
            pair.Run(next);
            next = new LockstepStep(HostAction.None, 0, 1);
            left = 2000;
        }

        for (; left > 0 && processor.State->IsShutdown == 0; left--)
        {
            trace.Add(Entry(processor));
            pair.Run(next with { Budget = 1 });
            next = new LockstepStep(HostAction.None, 0, 1);
            if (processor.State->Halted != 0)
            {
                break;
            }
        }

        return trace;
    }

    private static TraceEntry Entry(Vcpu processor)
    {
        CpuState* s = processor.State;
        ulong linear = (s->Cs.Base + s->Rip) & s->LinearMask;
        byte[] bytes = new byte[15];
        int length = 0;
        while (length < bytes.Length && processor.TryTranslateDebug(linear + (ulong)length, out ulong physical) && (processor.Memory.KindOf(physical) & (PageKinds.Ram | PageKinds.Rom)) != 0)
        {
            processor.Memory.Read(physical, bytes.AsSpan(length++, 1));
        }

        Iced.Intel.Decoder decoder = Iced.Intel.Decoder.Create(s->CodeSize, new ByteArrayCodeReader(bytes, 0, length), s->Rip);
        Instruction instruction = decoder.Decode();
        ulong[] registers = new ulong[16 + 64];
        new ReadOnlySpan<ulong>(s->Gpr, 16).CopyTo(registers);
        new ReadOnlySpan<ulong>(CpuState.Vector(s, 0), 64).CopyTo(registers.AsSpan(16));
        string text = length == 0 ? "(not mapped)" : instruction.ToString();
        return new TraceEntry(processor.InstructionsRetired, s->Rip, linear, bytes[..Math.Min(length, Math.Max(1, instruction.Length))], text, registers, Flags.Get(s), s->Mxcsr);
    }

    /// <summary>The run of instructions that ends with the last one, as a row.</summary>
    private static string Row(GuestProgram program, List<TraceEntry> trace)
    {
        if (trace.Count == 0)
        {
            return "(nothing was executed)";
        }

        int first = trace.Count - 1;
        while (first > 0 && first > trace.Count - 16 && trace[first - 1].Linear + (ulong)trace[first - 1].Bytes.Length == trace[first].Linear)
        {
            first--;
        }

        string code = string.Concat(trace[first..].Select(static t => Convert.ToHexString(t.Bytes)));
        TraceEntry start = trace[first];
        int vectors = trace[first..].Any(static t => t.Text.Contains("mm", StringComparison.Ordinal)) ? 64 : 0;
        string registers = string.Join(',', start.Registers[..(16 + vectors)].Select(static r => r.ToString("X", CultureInfo.InvariantCulture)));
        return string.Create(CultureInfo.InvariantCulture, $"new(\"name it\", GuestMode.{program.Mode.Mode}, \"{code}\", 0x{start.Flags:X}, 0x{start.Mxcsr:X}, \"{registers}\"), // {program}, instruction {start.Retired}");
    }

    private readonly record struct TraceEntry(long Retired, ulong Rip, ulong Linear, byte[] Bytes, string Text, ulong[] Registers, uint Flags, uint Mxcsr);
}
