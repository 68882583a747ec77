using System;
using Xunit;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Random programs on both engines, held to the same state, memory and bus traffic at every chunk's end.</summary>
public sealed class LockstepTests
{
    private const int Seeds = 2;
    private const int RandomPrograms = 12;

    public static TheoryData<string> Modes
    {
        get
        {
            TheoryData<string> data = [];
            foreach (GuestMode mode in Enum.GetValues<GuestMode>())
            {
                data.Add(mode.ToString());
            }

            return data;
        }
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void Both_engines_agree(string mode)
    {
        for (int seed = 1; seed <= Seeds; seed++)
        {
            foreach (Mix mix in Mix.For(Enum.Parse<GuestMode>(mode)))
            {
                GuestProgram program = ProgramGenerator.Generate(Enum.Parse<GuestMode>(mode), mix, seed);
                LockstepResult result = LockstepRunner.Run(program, 40_000, seed);
                Assert.True(result.Report is null, result.Report);
            }
        }
    }

    [Theory]
    [MemberData(nameof(Modes))]
    public void Both_engines_agree_on_random_bytes(string mode)
    {
        for (int seed = 1; seed <= RandomPrograms; seed++)
        {
            GuestProgram program = HostileProgram.Generate(Enum.Parse<GuestMode>(mode), seed);
            LockstepResult result = LockstepRunner.Run(program, 6_000, seed);
            Assert.True(result.Report is null, result.Report);
        }
    }
}
