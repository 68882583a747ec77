namespace VirtShell.Cpu;

/// <summary>The processor's fixed frequencies: what CPUID leaves 15H and 16H tell, and what the TSC and the local APIC timer count at.</summary>
public static class ProcessorClock
{
    /// <summary>Time-stamp counter, in Hz. One count is one nanosecond of guest time, so that no rounding stands between them.</summary>
    public const long TscHertz = 1_000_000_000;

    /// <summary>Core crystal clock (CPUID.15H:ECX), in Hz: also the input of the local APIC timer (Intel SDM 3A, 11.5.4).</summary>
    public const long CrystalHertz = 100_000_000;

    /// <summary>CPUID.15H:EBX / CPUID.15H:EAX, the TSC to crystal ratio (EAX is 1).</summary>
    public const int TscPerCrystal = (int)(TscHertz / CrystalHertz);

    /// <summary>CPUID.16H base, maximum and bus frequencies are in MHz.</summary>
    public const int BaseMegahertz = (int)(TscHertz / 1_000_000);

    /// <summary>CPUID.16H:ECX, in MHz.</summary>
    public const int BusMegahertz = (int)(CrystalHertz / 1_000_000);
}
