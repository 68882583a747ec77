using System.Linq;
using System.Threading.Tasks;
using VirtShell.Cpu.Memory;
using VirtShell.Cpu.Tests.Native;
using Xunit;

namespace VirtShell.Cpu.Tests;

/// <summary>What a guest can make the decoded code and the processor's lifetime cost its host.</summary>
public sealed class CodeCacheTests
{
    private const int Pages = 12_000;
    private const uint Start = 0x100000;

    [Fact]
    public void A_guest_that_runs_in_every_page_does_not_grow_the_cache_without_end()
    {
        using PhysicalMemory memory = new(64UL << 20);
        for (uint page = 0; page < Pages; page++)
        {
            // JMP to the start of the next page.
            memory.Write(Start + (page * 4096), [0xE9, 0xFB, 0x0F, 0x00, 0x00]);
        }

        using Vcpu cpu = new(memory, new IdleBus(), CpuModel.X86_64_V3) { TranslationThreshold = 3 };
        cpu.EnterFlat32(Start, 0x08, 0x10, 0, 0);
        Assert.Equal(ExitReason.BudgetSpent, cpu.Run(Pages));
        Assert.Equal(Pages, cpu.InstructionsRetired);
        unsafe
        {
            Assert.Equal(Start + (Pages * 4096UL), cpu.State->Rip);
        }

        Assert.True(cpu.Statistics.CodeCacheFlushes >= 1);
    }

    [Fact]
    public void Dropping_every_block_of_a_full_translator_stays_within_its_bounds()
    {
        const int Blocks = 523_000;
        using PhysicalMemory memory = new(64UL << 20);
        byte[] code = new byte[Blocks * 2];
        for (int i = 0; i < Blocks; i++)
        {
            // JMP to the next instruction.
            code[i * 2] = 0xEB;
        }

        memory.Write(Start, code);
        using Vcpu cpu = new(memory, new IdleBus(), CpuModel.X86_64_V3) { TranslationThreshold = 1 };
        for (int round = 0; round < 2; round++)
        {
            cpu.EnterFlat32(Start, 0x08, 0x10, 0, 0);
            Assert.Equal(ExitReason.BudgetSpent, cpu.Run(Blocks));

            // As a device does by DMA.
            memory.Write(Start, code);
        }

        Assert.Equal(2L * Blocks, cpu.InstructionsRetired);
        if (cpu.IsTranslating)
        {
            Assert.True(cpu.Statistics.BlocksTranslated >= Blocks);
            Assert.True(cpu.Statistics.BlocksInvalidated >= Blocks);
        }
    }

    [Fact]
    public void Operations_for_the_interpreter_that_no_longer_fit_are_made_room_for()
    {
        const int Units = 14_000;
        const int Calls = 40;
        using PhysicalMemory memory = new(64UL << 20);

        // TEST EBX, EBX; JZ over RDTSC, which emitted code calls the interpreter for: all is translated long before all is called.
        byte[] unit = [0x85, 0xDB, 0x74, Calls * 2, .. Enumerable.Repeat<byte[]>([0x0F, 0x31], Calls).SelectMany(static b => b)];
        for (int i = 0; i < Units; i++)
        {
            memory.Write(Start + (ulong)(i * unit.Length), unit);
        }

        using Vcpu cpu = new(memory, new IdleBus(), CpuModel.X86_64_V3) { TranslationThreshold = 1 };
        cpu.EnterFlat32(Start, 0x08, 0x10, 0, 0);
        cpu.SetRegister(3, 0);
        Assert.Equal(ExitReason.BudgetSpent, cpu.Run(Units * 2));
        for (int round = 1; round <= 2; round++)
        {
            cpu.EnterFlat32(Start, 0x08, 0x10, 0, 0);
            cpu.SetRegister(3, 1);
            Assert.Equal(ExitReason.BudgetSpent, cpu.Run(Units * (Calls + 2)));
            Assert.Equal((Units * 2) + (round * (long)Units * (Calls + 2)), cpu.InstructionsRetired);
        }

        Assert.True(!cpu.IsTranslating || cpu.Statistics.CodeCacheFlushes >= 1);
    }

    [Fact]
    public async Task A_stop_request_may_race_with_the_end_of_the_processor()
    {
        for (int round = 0; round < 200; round++)
        {
            using PhysicalMemory memory = new(1 << 20);
            Vcpu cpu = new(memory, new IdleBus(), CpuModel.I486);
            Task stopping = Task.Run(() =>
            {
                for (int i = 0; i < 1000; i++)
                {
                    cpu.RequestStop();
                }
            });
            cpu.Dispose();
            await stopping;
        }
    }
}
