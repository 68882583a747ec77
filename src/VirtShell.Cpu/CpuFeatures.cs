using System;
using Iced.Intel;
using VirtShell.Cpu.Decoding;

namespace VirtShell.Cpu;

/// <summary>Properties of a model that no single instruction stands for.</summary>
[Flags]
internal enum ModelTraits : uint
{
    None = 0,
    Vme = 1,
    DebugExtensions = 1 << 1,
    Pse = 1 << 2,
    Pae = 1 << 3,
    MachineCheck = 1 << 4,
    Apic = 1 << 5,
    Mtrr = 1 << 6,
    Pge = 1 << 7,
    Pat = 1 << 8,
    Pse36 = 1 << 9,
    NoExecute = 1 << 10,
    GigabytePages = 1 << 11,
    LahfIn64 = 1 << 12,
    Pcid = 1 << 13,
    X2Apic = 1 << 14,
    TscDeadline = 1 << 15,
    InvariantTsc = 1 << 16,
    Smep = 1 << 17,
    Erms = 1 << 18,
    Umip = 1 << 19,
    ArchCapabilities = 1 << 20,
    SelfSnoop = 1 << 21,

    /// <summary>IBRS, IBPB, STIBP and SSBD can be asked for, and nothing needs them (<see cref="ArchCapabilities"/>).</summary>
    SpeculationControl = 1 << 22,
}

/// <summary>What each <see cref="CpuModel"/> offers: one list of features per model, from which CPUID, the decoder and the writable control bits all follow.</summary>
internal static class CpuFeatures
{
    private static readonly CpuidFeature[] s_i486 =
    [
        CpuidFeature.INTEL8086, CpuidFeature.INTEL186, CpuidFeature.INTEL286, CpuidFeature.INTEL386, CpuidFeature.INTEL486,
        CpuidFeature.FPU, CpuidFeature.FPU287, CpuidFeature.FPU387, CpuidFeature.CPUID, CpuidFeature.PAUSE,
    ];

    private static readonly CpuidFeature[] s_pentium3 =
    [
        CpuidFeature.TSC, CpuidFeature.MSR, CpuidFeature.CX8, CpuidFeature.SEP, CpuidFeature.CMOV, CpuidFeature.MMX,
        CpuidFeature.FXSR, CpuidFeature.SSE, CpuidFeature.RDPMC, CpuidFeature.MULTIBYTENOP,
    ];

    private static readonly CpuidFeature[] s_qemu64 =
    [
        CpuidFeature.SSE2, CpuidFeature.SSE3, CpuidFeature.X64, CpuidFeature.SYSCALL, CpuidFeature.CLFSH,
        CpuidFeature.CMPXCHG16B, CpuidFeature.PREFETCHW, CpuidFeature.RDTSCP,
    ];

    private static readonly CpuidFeature[] s_v2 =
    [
        CpuidFeature.SSSE3, CpuidFeature.SSE4_1, CpuidFeature.SSE4_2, CpuidFeature.POPCNT,
        CpuidFeature.AES, CpuidFeature.PCLMULQDQ, CpuidFeature.XSAVE,
    ];

    private static readonly CpuidFeature[] s_v3 =
    [
        CpuidFeature.AVX, CpuidFeature.AVX2, CpuidFeature.BMI1, CpuidFeature.BMI2, CpuidFeature.FMA, CpuidFeature.F16C,
        CpuidFeature.LZCNT, CpuidFeature.MOVBE, CpuidFeature.FSGSBASE, CpuidFeature.INVPCID, CpuidFeature.RDRAND,
        CpuidFeature.RDSEED, CpuidFeature.ADX, CpuidFeature.SHA, CpuidFeature.SMAP, CpuidFeature.XSAVEOPT, CpuidFeature.XSAVEC,
        CpuidFeature.CLFLUSHOPT, CpuidFeature.RDPID, CpuidFeature.SERIALIZE,
    ];

    private const ModelTraits I486Traits = ModelTraits.Vme;

    private const ModelTraits Pentium3Traits = I486Traits | ModelTraits.DebugExtensions | ModelTraits.Pse | ModelTraits.Pae
        | ModelTraits.MachineCheck | ModelTraits.Apic | ModelTraits.Mtrr | ModelTraits.Pge | ModelTraits.Pat | ModelTraits.Pse36;

    private const ModelTraits Qemu64Traits = Pentium3Traits | ModelTraits.NoExecute | ModelTraits.LahfIn64 | ModelTraits.X2Apic
        | ModelTraits.TscDeadline | ModelTraits.InvariantTsc | ModelTraits.SelfSnoop | ModelTraits.ArchCapabilities
        | ModelTraits.SpeculationControl;

    private const ModelTraits V2Traits = Qemu64Traits | ModelTraits.Pcid;

    private const ModelTraits V3Traits = V2Traits | ModelTraits.GigabytePages | ModelTraits.Smep | ModelTraits.Erms | ModelTraits.Umip;

    private const byte NoModel = byte.MaxValue;

    // The first model that has each feature; every later one has it too.
    private static readonly byte[] s_firstModel = BuildFirstModels();

    /// <summary>
    /// Family, model and stepping as in CPUID leaf 1 EAX and in EDX at reset. The last is a Haswell of servers: those of desktops
    /// leak what RDRAND gives (SRBDS), which no bit of IA32_ARCH_CAPABILITIES denies, so systems believe it of their number alone.
    /// </summary>
    public static uint Signature(CpuModel model) => model switch
    {
        CpuModel.I486 => 0x480,
        CpuModel.Pentium3 => 0x6B1,
        CpuModel.Qemu64 => 0x663,
        CpuModel.X86_64_V2 => 0x206A7,
        _ => 0x306F2,
    };

    public static bool Has(CpuModel model, CpuidFeature feature) => s_firstModel[(int)feature] <= (byte)model;

    public static bool Has(CpuModel model, ModelTraits trait) => (Traits(model) & trait) != 0;

    public static ModelTraits Traits(CpuModel model) => model switch
    {
        CpuModel.I486 => I486Traits,
        CpuModel.Pentium3 => Pentium3Traits,
        CpuModel.Qemu64 => Qemu64Traits,
        CpuModel.X86_64_V2 => V2Traits,
        _ => V3Traits,
    };

    /// <summary>For each of Iced's codes: whether the model has the instruction; the others are #UD.</summary>
    public static bool[] SupportedCodes(CpuModel model)
    {
        bool[] supported = new bool[CodeProperties.Count];
        for (Code code = 0; (int)code < supported.Length; code++)
        {
            bool all = true;
            foreach (CpuidFeature feature in code.CpuidFeatures())
            {
                all &= Has(model, feature);
            }

            supported[(int)code] = all;
        }

        return supported;
    }

    /// <summary>How encodings decode that are something else on processors without a feature: TZCNT is BSF, LZCNT is BSR, CET's hints are NOPs.</summary>
    public static DecoderOptions DecoderOptionsOf(CpuModel model)
    {
        // PAUSE does nothing here but hide the XCHG that F3h, REX.B, 90h is.
        DecoderOptions options = DecoderOptions.ForceReservedNop | DecoderOptions.NoWbnoinvd | DecoderOptions.NoPause;
        options |= Has(model, CpuidFeature.BMI1) ? 0 : DecoderOptions.NoMPFX_0FBC;
        options |= Has(model, CpuidFeature.LZCNT) ? 0 : DecoderOptions.NoMPFX_0FBD;
        return options;
    }

    /// <summary>CR4 bits that the model lets be set.</summary>
    public static ulong Cr4Bits(CpuModel model)
    {
        ulong bits = 0;
        bits |= Has(model, ModelTraits.Vme) ? ControlBits.Cr4Vme | ControlBits.Cr4Pvi : 0;
        bits |= Has(model, CpuidFeature.TSC) ? ControlBits.Cr4Tsd : 0;
        bits |= Has(model, ModelTraits.DebugExtensions) ? ControlBits.Cr4De : 0;
        bits |= Has(model, ModelTraits.Pse) ? ControlBits.Cr4Pse : 0;
        bits |= Has(model, ModelTraits.Pae) ? ControlBits.Cr4Pae : 0;
        bits |= Has(model, ModelTraits.MachineCheck) ? ControlBits.Cr4Mce : 0;
        bits |= Has(model, ModelTraits.Pge) ? ControlBits.Cr4Pge : 0;
        bits |= Has(model, CpuidFeature.RDPMC) ? ControlBits.Cr4Pce : 0;
        bits |= Has(model, CpuidFeature.FXSR) ? ControlBits.Cr4Osfxsr : 0;
        bits |= Has(model, CpuidFeature.SSE) ? ControlBits.Cr4Osxmmexcpt : 0;
        bits |= Has(model, ModelTraits.Umip) ? ControlBits.Cr4Umip : 0;
        bits |= Has(model, CpuidFeature.FSGSBASE) ? ControlBits.Cr4FsGsBase : 0;
        bits |= Has(model, ModelTraits.Pcid) ? ControlBits.Cr4Pcide : 0;
        bits |= Has(model, CpuidFeature.XSAVE) ? ControlBits.Cr4Osxsave : 0;
        bits |= Has(model, ModelTraits.Smep) ? ControlBits.Cr4Smep : 0;
        bits |= Has(model, CpuidFeature.SMAP) ? ControlBits.Cr4Smap : 0;
        return bits;
    }

    /// <summary>EFER bits that software may change.</summary>
    public static ulong EferBits(CpuModel model)
    {
        ulong bits = Has(model, CpuidFeature.X64) ? ControlBits.EferSyscall | ControlBits.EferLongEnable : 0;
        return bits | (Has(model, ModelTraits.NoExecute) ? ControlBits.EferNoExecute : 0);
    }

    /// <summary>XCR0 bits that the model has: x87, SSE, AVX.</summary>
    public static ulong Xcr0Bits(CpuModel model) =>
        !Has(model, CpuidFeature.XSAVE) ? 0UL : Has(model, CpuidFeature.AVX) ? 7UL : 3UL;

    private static byte[] BuildFirstModels()
    {
        byte[] first = new byte[byte.MaxValue];
        Array.Fill(first, NoModel);
        CpuidFeature[][] steps = [s_i486, s_pentium3, s_qemu64, s_v2, s_v3];
        for (int model = 0; model < steps.Length; model++)
        {
            foreach (CpuidFeature feature in steps[model])
            {
                first[(int)feature] = (byte)model;
            }
        }

        return first;
    }
}
