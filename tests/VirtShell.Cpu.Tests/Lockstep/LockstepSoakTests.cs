using System;
using System.Collections.Generic;
using System.Diagnostics;
using System.Globalization;
using System.Linq;
using System.Text;
using VirtShell.Cpu.Tests.Native;
using Xunit;
using Xunit.Abstractions;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>The long comparison of the two engines: <c>./test --soak lockstep</c>.</summary>
public sealed class LockstepSoakTests(ITestOutputHelper output)
{
    private const long InstructionsPerProgram = 60_000;
    private const int ReportLimit = 5;

    /// <summary>At least this many instructions; VIRTSHELL_SOAK_INSTRUCTIONS says otherwise.</summary>
    private static readonly long s_total = Read("VIRTSHELL_SOAK_INSTRUCTIONS", 120_000_000);

    [SkippableFact]
    public void Long_run()
    {
        Skip.IfNot(Environment.GetEnvironmentVariable("VIRTSHELL_SOAK") == "lockstep", "The long comparison of the engines runs with ./test --soak lockstep.");
        Stopwatch clock = Stopwatch.StartNew();
        Dictionary<GuestMode, ModeTally> tallies = [];
        List<string> reports = [];
        long instructions = 0;
        int programs = 0;
        string? only = Environment.GetEnvironmentVariable("VIRTSHELL_SOAK_MODE");
        string? mixed = Environment.GetEnvironmentVariable("VIRTSHELL_SOAK_MIX");
        GuestMode[] modes = [.. ModeInfo.Modes.Where(m => string.IsNullOrEmpty(only) || m.ToString() == only).Where(m => string.IsNullOrEmpty(mixed) || Mix.For(m).Any(x => x.Name == mixed))];
        for (int seed = SoakCases.Seed; instructions < s_total && reports.Count < ReportLimit; seed++)
        {
            foreach (GuestMode mode in modes)
            {
                // Random bytes last: null.
                foreach (Mix? mix in (Mix?[])[.. Mix.For(mode), null])
                {
                    if (!string.IsNullOrEmpty(mixed) && mix?.Name != mixed)
                    {
                        continue;
                    }

                    GuestProgram program = mix is null ? HostileProgram.Generate(mode, seed) : ProgramGenerator.Generate(mode, mix, seed);
                    LockstepResult result = LockstepRunner.Run(program, mix is null ? InstructionsPerProgram / 10 : InstructionsPerProgram, seed);
                    instructions += result.Instructions;
                    programs++;
                    if (!tallies.TryGetValue(mode, out ModeTally? tally))
                    {
                        tallies[mode] = tally = new ModeTally();
                    }

                    tally.Add(program, result);
                    if (result.Report is not null && reports.Count < ReportLimit)
                    {
                        reports.Add(result.Report);
                    }
                }
            }
        }

        StringBuilder text = new();
        double seconds = clock.Elapsed.TotalSeconds;
        text.AppendLine(CultureInfo.InvariantCulture, $"lockstep: seed {SoakCases.Seed}, {programs} programs, {instructions:N0} instructions on each engine, {reports.Count} mismatches, {seconds:F0} s, {instructions / seconds / 1e6:F1} million instructions a second");
        foreach ((GuestMode mode, ModeTally tally) in tallies)
        {
            text.AppendLine(CultureInfo.InvariantCulture, $"  {mode,-18} {tally}");
        }

        output.WriteLine(text.ToString());
        Console.WriteLine(text);
        Assert.True(reports.Count == 0, string.Join('\n', reports));
    }

    private static long Read(string variable, long fallback) =>
        long.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.Integer, CultureInfo.InvariantCulture, out long value) ? value : fallback;
}
