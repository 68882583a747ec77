using System.IO;
using System.Linq;
using Xunit;

namespace VirtShell.Cpu.Tests.Native;

/// <summary>Cases that once differed from the host, each a line of data.</summary>
[Collection(nameof(DifferentialRunner))]
public sealed class DifferentialRegressionTests(DifferentialRunner runner)
{
    /// <summary>Where a failing comparison's row goes.</summary>
    public const string FileName = "Native/regressions.txt";

    public static TheoryData<string> Rows => [.. Lines(FileName)];

    [SkippableTheory]
    [MemberData(nameof(Rows))]
    public void Matches_host(string row)
    {
        DifferentialCase test = DifferentialCase.Parse(row);
        runner.Require(test.Instruction.Code, test.IsNarrow ? 32 : 64);
        Assert.Null(runner.Evaluate(test));
    }

    [Theory]
    [MemberData(nameof(Rows))]
    public void A_row_reads_back_as_itself(string row) => Assert.Equal(row.Trim(), DifferentialCase.Parse(row).ToString());

    /// <summary>The lines of an embedded file that are neither empty nor comments.</summary>
    internal static string[] Lines(string name)
    {
        using Stream stream = typeof(DifferentialRegressionTests).Assembly.GetManifestResourceStream(name)
            ?? throw new FileNotFoundException("The test assembly lacks a resource.", name);
        using var reader = new StreamReader(stream);
        return [.. reader.ReadToEnd().Split('\n').Select(l => l.TrimEnd('\r')).Where(l => l.Length > 0 && l[0] != '#')];
    }
}
