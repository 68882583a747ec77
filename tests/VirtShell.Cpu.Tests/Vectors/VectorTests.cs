using System;
using System.Collections.Generic;
using System.IO;
using System.Linq;
using Xunit;

namespace VirtShell.Cpu.Tests.Vectors;

/// <summary>Hardware-captured real-mode vectors: VIRTSHELL_CPU_VECTORS names the folder that holds them (80286-real/*.MOO.gz, 80286-real/*.MOO).</summary>
public sealed class VectorTests
{
    private const string Variable = "VIRTSHELL_CPU_VECTORS";

    public static IEnumerable<object[]> Forms()
    {
        string? root = Environment.GetEnvironmentVariable(Variable);
        if (string.IsNullOrEmpty(root) || !Directory.Exists(root))
        {
            return [["none"]];
        }

        return Directory.EnumerateFiles(root, "*.MOO*", SearchOption.AllDirectories)
            .Order(StringComparer.Ordinal)
            .Select(path => new object[] { Path.GetRelativePath(root, path) });
    }

    [SkippableTheory]
    [MemberData(nameof(Forms))]
    public void Captured_instructions_leave_the_state_that_hardware_left(string file)
    {
        string? root = Environment.GetEnvironmentVariable(Variable);
        Skip.If(file == "none" || string.IsNullOrEmpty(root), $"{Variable} does not name a folder of vectors.");
        string form = Path.GetFileName(file).Split(".MOO")[0];
        List<string> failures = [];
        int run = 0;
        using VectorRunner runner = new();
        foreach (MooTest test in MooFile.Read(Path.Combine(root!, file)))
        {
            RealModeInstruction instruction = new(test);
            if (VectorRules.LeaveOut(test, in instruction) != null)
            {
                continue;
            }

            run++;
            string? difference = runner.Run(test, in instruction, VectorRules.UndefinedFlags(form, test));
            if (difference != null)
            {
                failures.Add($"#{test.Index} {test.Name} [{Convert.ToHexString(test.Code)}]: {difference}");
            }
        }

        Assert.True(failures.Count == 0, $"{failures.Count} of {run} differ:\n" + string.Join('\n', failures.Take(8)));
    }
}
