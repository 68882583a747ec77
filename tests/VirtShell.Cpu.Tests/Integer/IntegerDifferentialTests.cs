using System;
using System.Linq;
using Iced.Intel;
using VirtShell.Cpu.Tests.Native;
using Xunit;

namespace VirtShell.Cpu.Tests.Integer;

/// <summary>Every general-purpose instruction that runs unprivileged, stack and branch forms included, against the host's processor.</summary>
[Collection(nameof(DifferentialRunner))]
public sealed class IntegerDifferentialTests(DifferentialRunner runner)
{
    public static TheoryData<string> Codes => [.. ComparedForms.General.Select(static c => c.ToString())];

    public static TheoryData<string> NarrowCodes => [.. ComparedForms.Narrow.Select(static c => c.ToString())];

    [SkippableTheory]
    [MemberData(nameof(Codes))]
    public void MatchesHost(string name) => runner.Compare(Enum.Parse<Code>(name), SoakCases.Count(96));

    [SkippableTheory]
    [MemberData(nameof(Codes))]
    public void MatchesHostWithAnyPrefix(string name) => runner.ComparePrefixes(Enum.Parse<Code>(name), SoakCases.Count(384) / 8, bits: 64);

    [SkippableTheory]
    [MemberData(nameof(NarrowCodes))]
    public void MatchesHostIn32BitCodeWithAnyPrefix(string name) => runner.ComparePrefixes(Enum.Parse<Code>(name), SoakCases.Count(384) / 8, bits: 32);

    /// <summary>What 64-bit code lacks, in a 32-bit code segment of the host's system.</summary>
    [SkippableTheory]
    [MemberData(nameof(NarrowCodes))]
    public void MatchesHostIn32BitCode(string name) => runner.Compare(Enum.Parse<Code>(name), SoakCases.Count(96), bits: 32);
}
