using System;
using Iced.Intel;

namespace VirtShell.Cpu;

/// <summary>What each <see cref="CpuModel"/> offers.</summary>
internal static class CpuFeatures
{
    /// <summary>Family, model and stepping as in CPUID leaf 1 EAX and in EDX at reset.</summary>
    public static uint Signature(CpuModel model) => model switch
    {
        CpuModel.I486 => 0x480,
        CpuModel.Pentium3 => 0x6B1,
        CpuModel.Qemu64 => 0x663,
        CpuModel.X86_64_V2 => 0x206A7,
        _ => 0x306C3,
    };

    /// <summary>For each of Iced's codes: whether the model has the instruction; the others are #UD.</summary>
    public static bool[] SupportedCodes(CpuModel model)
    {
        _ = model;
        bool[] supported = new bool[Enum.GetValues<Code>().Length];
        Array.Fill(supported, true);
        return supported;
    }
}
