using VirtShell.Cpu;

namespace VirtShell.Harness;

/// <summary>Names of the processor models, as suites and command lines write them.</summary>
public static class CpuModels
{
    public static (string Word, CpuModel Model)[] Words =>
    [
        ("i486", CpuModel.I486),
        ("pentium3", CpuModel.Pentium3),
        ("qemu64", CpuModel.Qemu64),
        ("x86-64-v2", CpuModel.X86_64_V2),
        ("x86-64-v3", CpuModel.X86_64_V3),
    ];
}
