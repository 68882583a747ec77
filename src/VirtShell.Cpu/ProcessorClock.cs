namespace VirtShell.Cpu;

/// <summary>The processor's fixed frequencies: what CPUID leaves 15H and 16H tell, and what the TSC and the local APIC timer count at.</summary>
public static class ProcessorClock
{
    /// <summary>Two counts of the time-stamp counter are one nanosecond of guest time, so that no rounding stands between them: this is the binary logarithm.</summary>
    public const int TscShift = 1;

    /// <summary>
    /// Time-stamp counter, in Hz. More than 1 GHz, since small systems keep 10^9 times 2^32 divided by it in 32 bits; a power of two times
    /// that, so that both directions are exact.
    /// </summary>
    public const long TscHertz = 1_000_000_000L << TscShift;

    /// <summary>The time-stamp counter at a guest time in nanoseconds.</summary>
    public static ulong TscAt(long nanoseconds) => (ulong)nanoseconds << TscShift;

    /// <summary>The first nanosecond of guest time at which the time-stamp counter is at least a value; at most <see cref="long.MaxValue"/>.</summary>
    public static long TimeOfTsc(ulong value)
    {
        const ulong Rest = (1UL << TscShift) - 1;
        return (long)(value >> TscShift) + ((value & Rest) != 0 ? 1 : 0);
    }

    /// <summary>Core crystal clock (CPUID.15H:ECX), in Hz: also the input of the local APIC timer (Intel SDM 3A, 11.5.4).</summary>
    public const long CrystalHertz = 100_000_000;

    /// <summary>CPUID.15H:EBX / CPUID.15H:EAX, the TSC to crystal ratio (EAX is 1).</summary>
    public const int TscPerCrystal = (int)(TscHertz / CrystalHertz);

    /// <summary>CPUID.16H base, maximum and bus frequencies are in MHz.</summary>
    public const int BaseMegahertz = (int)(TscHertz / 1_000_000);

    /// <summary>CPUID.16H:ECX, in MHz.</summary>
    public const int BusMegahertz = (int)(CrystalHertz / 1_000_000);
}
