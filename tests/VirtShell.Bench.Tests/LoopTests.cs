using System.Diagnostics;
using System.Linq;
using VirtShell.Bench.Loops;
using VirtShell.Cpu;
using VirtShell.Cpu.Memory;
using Xunit;

namespace VirtShell.Bench.Tests;

public sealed class LoopTests
{
    [Fact]
    public void The_floppy_can_be_booted()
    {
        byte[] floppy = LoopImage.Floppy(100);

        Assert.Equal(1440 * 1024, floppy.Length);
        Assert.Equal([0x55, 0xAA], floppy[510..512]);
        Assert.NotEqual(0, floppy[512]);
    }

    [Fact]
    public void The_loops_tell_begin_and_end_and_come_near_their_size()
    {
        using PhysicalMemory memory = new(64UL << 20);
        LoopBus bus = new();
        using Vcpu cpu = new(memory, bus, CpuModel.X86_64_V3);
        LoopReader reader = new(() => null);
        bus.Told = value => reader.Feed(value, 0, cpu.InstructionsRetired);
        LoopImage.Load(cpu, memory, 1);
        ExitReason reason = cpu.Run(100_000_000);

        Assert.Equal(ExitReason.Halted, reason);
        Assert.True(reader.IsDone);
        Assert.Equal(LoopPrograms.All.Select(l => l.Name), reader.Samples.Select(s => s.Loop));
        Assert.All(reader.Samples, s => Assert.InRange(s.Instructions!.Value, 500_000, 1_500_000));
    }

    [Fact]
    public void Foreign_bytes_on_the_same_line_are_passed_over()
    {
        double processor = 0;
        LoopReader reader = new(() => processor += 10);
        byte[] stream = [0x1B, LoopImage.Done, LoopImage.FirstEnd, LoopImage.FirstBegin + 1, LoopImage.FirstBegin, 0x20, LoopImage.FirstEnd + 1, LoopImage.FirstEnd];
        for (int i = 0; i < stream.Length; i++)
        {
            reader.Feed(stream[i], i * Stopwatch.Frequency, null);
        }

        Assert.Equal(new LoopSample("alu", 3000, 10, null), Assert.Single(reader.Samples));
        Assert.False(reader.IsDone);
    }
}
