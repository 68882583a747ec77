using System;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using VirtShell.Bench.Loops;
using VirtShell.Cpu;
using VirtShell.Cpu.Memory;

// Integer loops in 64-bit mode with 4-level paging on, in the bare processor: millions of guest instructions for each
// second of processor time (not of wall-clock time, so that a busy host disturbs little). Median of five.
const long Instructions = 100_000_000;
const int Rounds = 5;
if (!Enum.TryParse(args.FirstOrDefault() ?? "auto", ignoreCase: true, out EngineKind engine))
{
    Console.Error.WriteLine($"There is no engine \"{args[0]}\": auto, translator, interpreter.");
    return 2;
}

Console.WriteLine($"{"loop",-18}{"median",10}{"least",10}{"most",10}   million instructions per second of processor time");
const ulong Entry = 0x100000;
const int StackPointer = 4;
const int RoundCounter = 15;
foreach (LoopProgram loop in LoopPrograms.All)
{
    using PhysicalMemory memory = new(64UL << 20);
    memory.Write(Entry, LoopPrograms.Assemble(loop, Entry));
    memory.WriteUInt64(0x1000, 0x2003);
    memory.WriteUInt64(0x2000, 0x3003);
    for (ulong i = 0; i < 32; i++)
    {
        memory.WriteUInt64(0x3000 + (i * 8), (i << 21) | 0x83);
    }

    using Vcpu cpu = new(memory, new LoopBus(), CpuModel.X86_64_V3, engine: engine);
    cpu.EnterLong64(Entry, 0x1000, 0x10, 0x18, 0, 0);
    cpu.SetRegister(StackPointer, LoopPrograms.StackTop);
    cpu.SetRegister(RoundCounter, long.MaxValue);
    cpu.Run(Instructions);
    double[] speeds = new double[Rounds];
    for (int round = 0; round < Rounds; round++)
    {
        TimeSpan before = Process.GetCurrentProcess().TotalProcessorTime;
        cpu.Run(Instructions);
        speeds[round] = Instructions / 1e6 / (Process.GetCurrentProcess().TotalProcessorTime - before).TotalSeconds;
    }

    Array.Sort(speeds);
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{loop.Name,-18}{speeds[Rounds / 2],10:F0}{speeds.First(),10:F0}{speeds.Last(),10:F0}"));
}

return 0;
