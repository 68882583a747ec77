using System.IO;
using System.Linq;
using VirtShell.Cpu.Memory;
using VirtShell.Cpu.Tests.Privileged;
using Xunit;

namespace VirtShell.Cpu.Tests;

public sealed class CodeMemoryTests
{
    /// <summary>Emitted code has two views, one to write and one to execute; no address is both.</summary>
    [SkippableFact]
    public void No_page_of_emitted_code_is_writable_and_executable()
    {
        using PhysicalMemory memory = new(1 << 20);

        // JMP to itself.
        memory.Write(0x1000, [0xEB, 0xFE]);
        using Vcpu cpu = new(memory, new TestBus(), CpuModel.X86_64_V3) { TranslationThreshold = 1 };
        Skip.IfNot(cpu.IsTranslating, "This host runs the interpreter only.");
        cpu.EnterFlat32(0x1000, 0x08, 0x10, 0, 0);
        Assert.Equal(ExitReason.BudgetSpent, cpu.Run(1000));
        Assert.True(cpu.Statistics.InstructionsTranslated > 0);

        string[] rights = [.. File.ReadLines("/proc/self/maps").Where(line => line.Contains("virtshell-code", System.StringComparison.Ordinal)).Select(line => line.Split(' ')[1])];
        Assert.Contains("r-xs", rights);
        Assert.Contains("rw-s", rights);
        Assert.All(rights, right => Assert.False(right.Contains('w') && right.Contains('x'), right));
    }
}
