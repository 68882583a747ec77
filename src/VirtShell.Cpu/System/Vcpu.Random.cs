namespace VirtShell.Cpu;

/// <summary>The generator behind RDRAND and RDSEED: SplitMix64, a counter mixed by two multiplications, so that a seed fixes every value.</summary>
public sealed unsafe partial class Vcpu
{
    private const uint ApicBaseMsr = 0x1B;
    private const ulong ApicGlobalEnable = 1 << 11;
    private const uint ApicFeatureBit = 1 << 9;

    private ulong _randomState;

    internal ulong NextRandom()
    {
        _randomState += 0x9E37_79B9_7F4A_7C15;
        ulong z = _randomState;
        z = (z ^ (z >> 30)) * 0xBF58_476D_1CE4_E5B9;
        z = (z ^ (z >> 27)) * 0x94D0_49BB_1331_11EB;
        return z ^ (z >> 31);
    }

    /// <summary>CPUID leaf 1 says that there is no local APIC while IA32_APIC_BASE disables it (SDM Vol. 3A §10.4.3).</summary>
    internal uint MaskApicFeature(uint edx) =>
        Bus.TryReadMsr(ApicBaseMsr, out ulong value) && (value & ApicGlobalEnable) == 0 ? edx & ~ApicFeatureBit : edx;
}
