using System;
using VirtShell.Cpu.Tests.Privileged;
using Xunit;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>A fault of the translator costs speed and nothing else: the interpreter takes the block over, and the count tells.</summary>
public sealed unsafe class TranslationFailureTests
{
    public static TheoryData<string, string> Programs => new()
    {
        { nameof(GuestMode.LongUser), "everything" },
        { nameof(GuestMode.LongKernel), "code" },
        { nameof(GuestMode.LongKernel), "spaces" },
        { nameof(GuestMode.Compatibility32), "flow" },
        { nameof(GuestMode.Segmented32), "memory" },
        { nameof(GuestMode.Real), "everything" },
    };

    [SkippableTheory]
    [MemberData(nameof(Programs))]
    public void The_guest_notices_nothing(string mode, string mix)
    {
        GuestProgram program = ProgramGenerator.Generate(Enum.Parse<GuestMode>(mode), Mix.Of(mix), 1);
        program.TranslationBytes = 256 << 10;
        using LockstepPair pair = new(program);
        Skip.IfNot(pair.Translator.Processor.IsTranslating, "The translator does not run here.");
        Random random = new(1);
        pair.Translator.Processor.Translator.Emitting = _ => ThrowIf(random.Next(20) == 0);
        for (int i = 0; i < 60; i++)
        {
            _ = pair.Run(new LockstepStep(HostAction.None, 0, random.Next(1, 1500)));
            Assert.True(StateComparison.AgreesFully(pair.Interpreter, pair.Translator), string.Join('\n', StateComparison.Differences(pair.Interpreter, pair.Translator)));
        }

        EngineStatistics statistics = pair.Translator.Processor.Statistics;
        Assert.InRange(statistics.TranslationFailures, 5, long.MaxValue);
        Assert.InRange(statistics.BlocksTranslated, 5, long.MaxValue);
        Assert.Contains("injected", pair.Translator.Processor.FirstTranslationFailure, StringComparison.Ordinal);
        Assert.Equal(0, pair.Interpreter.Processor.Statistics.TranslationFailures);
    }

    /// <summary>A comparison of the engines reports it even though nothing differs.</summary>
    [SkippableFact]
    public void The_comparison_of_the_engines_reports_it()
    {
        GuestProgram program = ProgramGenerator.Generate(GuestMode.LongUser, Mix.Of("integer"), 1);
        using (LockstepMachine machine = new(program, EngineKind.Translator))
        {
            Skip.IfNot(machine.Processor.IsTranslating && TestEngine.Kind != EngineKind.Interpreter, "The translator does not run here.");
        }

        LockstepResult result = LockstepRunner.Run(program, 20_000, 1, static machine => machine.Processor.Translator.Emitting = static _ => ThrowIf(true));
        Assert.Contains("injected", result.Report, StringComparison.Ordinal);
        Assert.Contains("LongUser integer seed 1", result.Report, StringComparison.Ordinal);
    }

    [SkippableFact]
    public void A_failed_block_is_tried_again_when_its_code_has_changed()
    {
        using SystemGuest guest = SystemGuest.Long(engine: EngineKind.Translator);
        Vcpu processor = guest.Processor;
        Skip.IfNot(processor.IsTranslating, "The translator does not run on this host.");
        guest.ExpectsTranslationFailures = true;
        bool fails = true;
        processor.Translator.Emitting = _ => ThrowIf(fails);
        ulong end = guest.Assemble(SystemGuest.Code, static c =>
        {
            c.db(0x83, 0xC0, 0x01, 0x83, 0xC0, 0x02); // add eax, 1; add eax, 2
            c.hlt();
        });
        Assert.Equal(3UL, Run(guest));
        Assert.Equal((1L, 0L), (processor.Statistics.TranslationFailures, processor.Statistics.BlocksTranslated));

        // Not again, though it would succeed now.
        fails = false;
        Assert.Equal(3UL, Run(guest));
        Assert.Equal((1L, 0L), (processor.Statistics.TranslationFailures, processor.Statistics.BlocksTranslated));

        // Not for a store in front of it either.
        guest.Memory.Write(SystemGuest.Code - 8, [1]);
        Assert.Equal(3UL, Run(guest));
        Assert.Equal(0L, processor.Statistics.BlocksTranslated);
        guest.Memory.Write(end - 2, [5]);
        Assert.Equal(6UL, Run(guest));
        Assert.Equal((1L, 1L), (processor.Statistics.TranslationFailures, processor.Statistics.BlocksTranslated));
    }

    private static void ThrowIf(bool fails)
    {
        if (fails)
        {
            throw new InvalidOperationException("An injected failure.");
        }
    }

    private static ulong Run(SystemGuest guest)
    {
        guest.State->Gpr[0] = 0;
        guest.State->Rip = SystemGuest.Code;
        Assert.Equal(-1, guest.Continue());
        return guest.State->Gpr[0];
    }
}
