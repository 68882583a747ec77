using System;
using Iced.Intel;
using VirtShell.Cpu.Tests.Native;
using Xunit;

namespace VirtShell.Cpu.Tests.Integer;

/// <summary>Every general-purpose instruction that runs unprivileged, stack and branch forms included, against the host's processor.</summary>
[Collection(nameof(DifferentialRunner))]
public sealed class IntegerDifferentialTests(DifferentialRunner runner)
{
    public static TheoryData<string> Codes
    {
        get
        {
            var data = new TheoryData<string>();
            foreach (Code code in ComparedForms.General)
            {
                data.Add(code.ToString());
            }

            return data;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Codes))]
    public void MatchesHost(string name) => runner.Compare(Enum.Parse<Code>(name), SoakCases.Count(96));
}
