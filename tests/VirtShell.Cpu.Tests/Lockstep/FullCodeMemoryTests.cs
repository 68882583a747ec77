using System;
using Xunit;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>When memory for code is full, everything is dropped in the middle of the program, and nobody can tell.</summary>
public sealed class FullCodeMemoryTests
{
    /// <summary>Room for a few blocks: random programs fill it again and again.</summary>
    private const int Bytes = 64 << 10;

    public static TheoryData<string, string> Programs => new()
    {
        { nameof(GuestMode.LongUser), "everything" },
        { nameof(GuestMode.LongKernel), "code" },
        { nameof(GuestMode.LongKernel), "spaces" },
        { nameof(GuestMode.Compatibility32), "flow" },
        { nameof(GuestMode.Paged32), "system" },
        { nameof(GuestMode.Flat32User), "gates" },
        { nameof(GuestMode.Segmented32), "memory" },
        { nameof(GuestMode.Real), "code" },
    };

    [SkippableTheory]
    [MemberData(nameof(Programs))]
    public void A_flush_in_the_middle_changes_nothing(string mode, string mix)
    {
        int flushes = 0;
        for (int seed = 1; seed <= 4; seed++)
        {
            GuestProgram program = ProgramGenerator.Generate(Enum.Parse<GuestMode>(mode), Mix.Of(mix), seed);
            program.TranslationBytes = Bytes;
            bool translates = true;
            long most = 0;
            LockstepResult result = LockstepRunner.Run(program, 30_000, seed, machine =>
            {
                translates &= machine.Processor.Engine == EngineKind.Interpreter || machine.Processor.IsTranslating;
                most = Math.Max(most, machine.Processor.Statistics.CodeCacheFlushes);
            });
            Skip.IfNot(translates || TestEngine.Kind == EngineKind.Interpreter, "The translator does not run on this host.");
            Assert.True(result.Report is null, result.Report);
            flushes += (int)most;
        }

        Skip.If(TestEngine.Kind == EngineKind.Interpreter, "The interpreter is compared with itself.");
        Assert.True(flushes > 8, $"Only {flushes} flushes.");
    }
}
