using System;
using System.Linq;
using Iced.Intel;
using VirtShell.Cpu.Tests.Native;
using Xunit;

namespace VirtShell.Cpu.Tests.Simd;

/// <summary>Every SSE and AVX instruction of the table against the host's processor.</summary>
[Collection(nameof(DifferentialRunner))]
public sealed class SimdDifferentialTests(DifferentialRunner runner)
{
    private static readonly Code[] s_estimates =
    [
        Code.Rcpps_xmm_xmmm128, Code.Rcpss_xmm_xmmm32, Code.Rsqrtps_xmm_xmmm128, Code.Rsqrtss_xmm_xmmm32,
        Code.VEX_Vrcpps_xmm_xmmm128, Code.VEX_Vrcpps_ymm_ymmm256, Code.VEX_Vrcpss_xmm_xmm_xmmm32,
        Code.VEX_Vrsqrtps_xmm_xmmm128, Code.VEX_Vrsqrtps_ymm_ymmm256, Code.VEX_Vrsqrtss_xmm_xmm_xmmm32,
    ];

    public static TheoryData<string> Codes
    {
        get
        {
            var data = new TheoryData<string>();
            foreach (Code code in ComparedForms.Vector)
            {
                data.Add(code.ToString());
            }

            return data;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Codes))]
    public void Matches_host(string name)
    {
        Code code = Enum.Parse<Code>(name);
        runner.Compare(code, SoakCases.Count(96), s_estimates.Contains(code) ? AreClose : null);
    }

    /// <summary>All but the estimates, of which each processor has its own.</summary>
    public static TheoryData<string> ExactCodes => [.. ComparedForms.Vector.Except(s_estimates).Select(static c => c.ToString())];

    [SkippableTheory]
    [MemberData(nameof(ExactCodes))]
    public void Matches_host_with_any_prefix(string name)
    {
        Code code = Enum.Parse<Code>(name);
        runner.ComparePrefixes(code, SoakCases.Count(256) / 8, bits: 64);
    }

    // Each processor has its own estimate, with a relative error of at most 1.5 · 2^−12.
    private static bool AreClose(uint host, uint ours)
    {
        float x = BitConverter.UInt32BitsToSingle(host);
        float y = BitConverter.UInt32BitsToSingle(ours);
        return MathF.Abs(x - y) <= MathF.Abs(x) / 1024;
    }
}
