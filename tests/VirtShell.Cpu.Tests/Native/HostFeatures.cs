using System.Collections.Generic;
using System.Linq;
using System.Runtime.Intrinsics.X86;
using Iced.Intel;

namespace VirtShell.Cpu.Tests.Native;

/// <summary>Which of the instructions that the comparisons need the host's processor has, by CPUID.</summary>
internal static class HostFeatures
{
    private static readonly Dictionary<CpuidFeature, bool> s_features = Read();

    public static bool Has(Code code) => X86Base.IsSupported && code.CpuidFeatures().All(f => !s_features.TryGetValue(f, out bool has) || has);

    private static Dictionary<CpuidFeature, bool> Read()
    {
        if (!X86Base.IsSupported)
        {
            return [];
        }

        (_, _, int c1, _) = X86Base.CpuId(1, 0);
        (_, int b7, _, int d7) = X86Base.CpuId(7, 0);
        (_, _, int ce, _) = X86Base.CpuId(unchecked((int)0x8000_0001), 0);
        bool Bit(int value, int bit) => ((value >> bit) & 1) != 0;
        return new Dictionary<CpuidFeature, bool>
        {
            [CpuidFeature.SSE3] = Bit(c1, 0),
            [CpuidFeature.PCLMULQDQ] = Bit(c1, 1),
            [CpuidFeature.SSSE3] = Bit(c1, 9),
            [CpuidFeature.FMA] = Bit(c1, 12),
            [CpuidFeature.SSE4_1] = Bit(c1, 19),
            [CpuidFeature.SSE4_2] = Bit(c1, 20),
            [CpuidFeature.MOVBE] = Bit(c1, 22),
            [CpuidFeature.POPCNT] = Bit(c1, 23),
            [CpuidFeature.AES] = Bit(c1, 25),
            [CpuidFeature.AVX] = Bit(c1, 28),
            [CpuidFeature.F16C] = Bit(c1, 29),
            [CpuidFeature.BMI1] = Bit(b7, 3),
            [CpuidFeature.AVX2] = Bit(b7, 5),
            [CpuidFeature.BMI2] = Bit(b7, 8),
            [CpuidFeature.ADX] = Bit(b7, 19),
            [CpuidFeature.CLFLUSHOPT] = Bit(b7, 23),
            [CpuidFeature.SHA] = Bit(b7, 29),
            [CpuidFeature.SERIALIZE] = Bit(d7, 14),
            [CpuidFeature.LZCNT] = Bit(ce, 5),
        };
    }
}
