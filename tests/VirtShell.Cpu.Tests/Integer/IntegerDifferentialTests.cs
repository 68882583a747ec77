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
    public void Matches_host(string name) => runner.Compare(Enum.Parse<Code>(name), SoakCases.Count(96));

    [SkippableTheory]
    [MemberData(nameof(Codes))]
    public void Matches_host_with_any_prefix(string name) => runner.ComparePrefixes(Enum.Parse<Code>(name), SoakCases.Count(384) / 8, bits: 64);

    [SkippableTheory]
    [MemberData(nameof(NarrowCodes))]
    public void Matches_host_in_32_bit_code_with_any_prefix(string name) => runner.ComparePrefixes(Enum.Parse<Code>(name), SoakCases.Count(384) / 8, bits: 32);

    /// <summary>What 64-bit code lacks, in a 32-bit code segment of the host's system.</summary>
    [SkippableTheory]
    [MemberData(nameof(NarrowCodes))]
    public void Matches_host_in_32_bit_code(string name) => runner.Compare(Enum.Parse<Code>(name), SoakCases.Count(96), bits: 32);
}
