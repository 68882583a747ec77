namespace VirtShell.Cpu;

/// <summary>Which processor CPUID describes; each model is self-consistent.</summary>
public enum CpuModel
{
    I486,
    Pentium3,
    Qemu64,
    X86_64_V2,
    X86_64_V3,
}
