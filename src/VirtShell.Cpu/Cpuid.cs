using System;
using System.Text;
using Iced.Intel;

namespace VirtShell.Cpu;

/// <summary>The four registers of a CPUID leaf.</summary>
internal readonly record struct CpuidLeaf(uint Eax, uint Ebx, uint Ecx, uint Edx);

/// <summary>What CPUID tells (SDM Vol. 2, CPUID), derived from <see cref="CpuFeatures"/>. State-dependent bits are the vCPU's.</summary>
internal static class Cpuid
{
    /// <summary>First leaf of the range that hypervisors describe themselves in.</summary>
    public const uint HypervisorBase = 0x4000_0000;

    /// <summary>Last leaf of that range.</summary>
    public const uint HypervisorLast = 0x4FFF_FFFF;

    /// <summary>Twelve bytes, as EBX, ECX, EDX of <see cref="HypervisorBase"/>.</summary>
    public const string HypervisorSignature = "VirtShellVM\0";

    public const uint ExtendedBase = 0x8000_0000;

    /// <summary>Features, and the initial APIC ID.</summary>
    public const uint FeaturesLeaf = 1;

    /// <summary>Extended topology, and the x2APIC ID.</summary>
    public const uint TopologyLeaf = 0xB;

    /// <summary>XSAVE area: 512 bytes of FXSAVE image and a 64-byte header, then the AVX component.</summary>
    public const uint XsaveLegacySize = 576;
    public const uint XsaveAvxSize = 256;

    /// <summary>Bit of leaf 1 ECX that mirrors CR4.OSXSAVE.</summary>
    public const uint OsXsaveBit = 1 << 27;

    /// <summary>Leaf 7 EDX: IBRS and IBPB (26), STIBP (27) and SSBD (31).</summary>
    public const uint SpeculationControls = (1 << 26) | (1 << 27) | (1u << 31);

    /// <summary>Leaf 7, subleaf 2, EDX: BHI_CTRL, that IA32_SPEC_CTRL has BHI_DIS_S; MCDT_NO, that what instructions cost does not depend on MXCSR.</summary>
    public const uint SpeculationDetails = (1 << 4) | (1 << 5);

    private const string Vendor = "GenuineIntel";

    private static readonly (CpuidFeature Feature, int Bit)[] s_leaf1Ecx =
    [
        (CpuidFeature.SSE3, 0), (CpuidFeature.PCLMULQDQ, 1), (CpuidFeature.SSSE3, 9), (CpuidFeature.FMA, 12),
        (CpuidFeature.CMPXCHG16B, 13), (CpuidFeature.SSE4_1, 19), (CpuidFeature.SSE4_2, 20), (CpuidFeature.MOVBE, 22),
        (CpuidFeature.POPCNT, 23), (CpuidFeature.AES, 25), (CpuidFeature.XSAVE, 26), (CpuidFeature.AVX, 28),
        (CpuidFeature.F16C, 29), (CpuidFeature.RDRAND, 30),
    ];

    private static readonly (ModelTraits Trait, int Bit)[] s_leaf1EcxTraits =
        [(ModelTraits.Pcid, 17), (ModelTraits.X2Apic, 21), (ModelTraits.TscDeadline, 24)];

    private static readonly (CpuidFeature Feature, int Bit)[] s_leaf1Edx =
    [
        (CpuidFeature.FPU, 0), (CpuidFeature.TSC, 4), (CpuidFeature.MSR, 5), (CpuidFeature.CX8, 8), (CpuidFeature.SEP, 11),
        (CpuidFeature.CMOV, 15), (CpuidFeature.CLFSH, 19), (CpuidFeature.MMX, 23), (CpuidFeature.FXSR, 24),
        (CpuidFeature.SSE, 25), (CpuidFeature.SSE2, 26),
    ];

    private static readonly (ModelTraits Trait, int Bit)[] s_leaf1EdxTraits =
    [
        (ModelTraits.Vme, 1), (ModelTraits.DebugExtensions, 2), (ModelTraits.Pse, 3), (ModelTraits.Pae, 6),
        (ModelTraits.MachineCheck, 7), (ModelTraits.Apic, 9), (ModelTraits.Mtrr, 12), (ModelTraits.Pge, 13),
        (ModelTraits.MachineCheck, 14), (ModelTraits.Pat, 16), (ModelTraits.Pse36, 17), (ModelTraits.SelfSnoop, 27),
    ];

    private static readonly (CpuidFeature Feature, int Bit)[] s_leaf7Ebx =
    [
        (CpuidFeature.FSGSBASE, 0), (CpuidFeature.BMI1, 3), (CpuidFeature.AVX2, 5), (CpuidFeature.BMI2, 8),
        (CpuidFeature.INVPCID, 10), (CpuidFeature.RDSEED, 18), (CpuidFeature.ADX, 19), (CpuidFeature.SMAP, 20),
        (CpuidFeature.CLFLUSHOPT, 23), (CpuidFeature.SHA, 29),
    ];

    /// <summary>Highest basic leaf.</summary>
    public static uint MaxBasic(CpuModel model) => model switch
    {
        CpuModel.I486 => 1,
        CpuModel.Pentium3 => 2,
        _ => 0x16,
    };

    /// <summary>Highest extended leaf; 0 where there are none.</summary>
    public static uint MaxExtended(CpuModel model) => model switch
    {
        CpuModel.I486 => 0,
        CpuModel.Pentium3 => ExtendedBase + 4,
        _ => ExtendedBase + 8,
    };

    /// <summary>A leaf as the model has it, with XCR0 for the sizes that depend on it.</summary>
    public static CpuidLeaf Read(CpuModel model, uint leaf, uint subleaf, ulong xcr0)
    {
        if (leaf is >= HypervisorBase and <= HypervisorLast)
        {
            // The range has one leaf, which tells so. The rest is zero, not the highest basic leaf's data: systems look here for
            // other hypervisors' bits without asking for the highest leaf.
            return leaf == HypervisorBase && model != CpuModel.I486 ? FromText(HypervisorBase, HypervisorSignature) : default;
        }

        if (leaf >= ExtendedBase && leaf <= MaxExtended(model))
        {
            return Extended(model, leaf);
        }

        // Beyond the basic and the extended range: as the highest basic leaf (SDM Vol. 2, CPUID).
        uint highest = MaxBasic(model);
        return Basic(model, leaf > highest ? highest : leaf, subleaf, xcr0);
    }

    private static CpuidLeaf Basic(CpuModel model, uint leaf, uint subleaf, ulong xcr0)
    {
        switch (leaf)
        {
            case 0:
                CpuidLeaf vendor = FromText(MaxBasic(model), Vendor);
                return new CpuidLeaf(vendor.Eax, vendor.Ebx, vendor.Edx, vendor.Ecx);
            case FeaturesLeaf:
                return Features(model);
            case 2:
                // FFh: cache parameters are in leaf 4; F0h: 64-byte prefetch.
                return model == CpuModel.Pentium3 ? new CpuidLeaf(0x0302_0101, 0, 0, 0x0C04_0883) : new CpuidLeaf(0x00FE_FF01, 0xF0, 0, 0);
            case 4:
                return Cache(subleaf);
            case 6:
                // ARAT: the local APIC timer runs always.
                return new CpuidLeaf(4, 0, 0, 0);
            case 7:
                return Structured(model, subleaf);
            case TopologyLeaf:
                return Topology(subleaf);
            case 0xD:
                return Xsave(model, subleaf, xcr0);
            case 0x15:
                return new CpuidLeaf(1, ProcessorClock.TscPerCrystal, (uint)ProcessorClock.CrystalHertz, 0);
            case 0x16:
                return new CpuidLeaf(ProcessorClock.BaseMegahertz, ProcessorClock.BaseMegahertz, ProcessorClock.BusMegahertz, 0);
            default:
                return default;
        }
    }

    private static CpuidLeaf Features(CpuModel model)
    {
        // CLFLUSH line of 64 bytes (in units of 8), one logical processor, APIC ID 0.
        uint ebx = (CpuFeatures.Has(model, CpuidFeature.CLFSH) ? 8u << 8 : 0) | (1u << 16);
        uint ecx = Bits(model, s_leaf1Ecx) | Bits(model, s_leaf1EcxTraits) | (model != CpuModel.I486 ? 1u << 31 : 0);
        uint edx = Bits(model, s_leaf1Edx) | Bits(model, s_leaf1EdxTraits);
        return new CpuidLeaf(CpuFeatures.Signature(model), model == CpuModel.I486 ? 0 : ebx, ecx, edx);
    }

    private static CpuidLeaf Structured(CpuModel model, uint subleaf)
    {
        bool speculation = CpuFeatures.Has(model, ModelTraits.SpeculationControl);
        if (subleaf != 0)
        {
            return subleaf == 2 && speculation ? new CpuidLeaf(0, 0, 0, SpeculationDetails) : default;
        }

        uint ebx = Bits(model, s_leaf7Ebx);
        ebx |= CpuFeatures.Has(model, CpuidFeature.FSGSBASE) ? 1u << 1 : 0;
        ebx |= CpuFeatures.Has(model, ModelTraits.Smep) ? 1u << 7 : 0;
        ebx |= CpuFeatures.Has(model, ModelTraits.Erms) ? 1u << 9 : 0;
        uint ecx = CpuFeatures.Has(model, ModelTraits.Umip) ? 1u << 2 : 0;
        ecx |= CpuFeatures.Has(model, CpuidFeature.RDPID) ? 1u << 22 : 0;
        uint edx = CpuFeatures.Has(model, ModelTraits.ArchCapabilities) ? 1u << 29 : 0;
        edx |= CpuFeatures.Has(model, CpuidFeature.SERIALIZE) ? 1u << 14 : 0;
        edx |= speculation ? SpeculationControls : 0;
        return new CpuidLeaf(speculation ? 2u : 0, ebx, ecx, edx);
    }

    // Deterministic cache parameters: type and level in EAX, ways, partitions and line size in EBX, sets in ECX, each less one.
    private static CpuidLeaf Cache(uint subleaf) => subleaf switch
    {
        0 => CacheLevel(type: 1, level: 1, ways: 8, sets: 64),
        1 => CacheLevel(type: 2, level: 1, ways: 8, sets: 64),
        2 => CacheLevel(type: 3, level: 2, ways: 8, sets: 512),
        3 => CacheLevel(type: 3, level: 3, ways: 16, sets: 8192),
        _ => default,
    };

    private static CpuidLeaf CacheLevel(uint type, uint level, uint ways, uint sets) =>
        new(type | (level << 5) | (1 << 8), ((ways - 1) << 22) | 63, sets - 1, 0);

    // One core of one thread: both levels shift the APIC ID by nothing.
    private static CpuidLeaf Topology(uint subleaf) => subleaf switch
    {
        0 => new CpuidLeaf(0, 1, 1 << 8, 0),
        1 => new CpuidLeaf(0, 1, (2 << 8) | 1, 0),
        _ => new CpuidLeaf(0, 0, subleaf & 0xFF, 0),
    };

    private static CpuidLeaf Xsave(CpuModel model, uint subleaf, ulong xcr0)
    {
        ulong supported = CpuFeatures.Xcr0Bits(model);
        if (supported == 0)
        {
            return default;
        }

        switch (subleaf)
        {
            case 0:
                return new CpuidLeaf((uint)supported, SizeOf(xcr0), SizeOf(supported), 0);
            case 1:
                uint eax = CpuFeatures.Has(model, CpuidFeature.XSAVEOPT) ? 1u : 0;
                bool compact = CpuFeatures.Has(model, CpuidFeature.XSAVEC);

                // XSAVEC, and XGETBV with ECX = 1.
                return new CpuidLeaf(eax | (compact ? 6u : 0), compact ? SizeOf(xcr0) : 0, 0, 0);
            case 2:
                return (supported & 4) != 0 ? new CpuidLeaf(XsaveAvxSize, XsaveLegacySize, 0, 0) : default;
            default:
                return default;
        }
    }

    private static uint SizeOf(ulong components) => XsaveLegacySize + ((components & 4) != 0 ? XsaveAvxSize : 0);

    private static CpuidLeaf Extended(CpuModel model, uint leaf)
    {
        switch (leaf - ExtendedBase)
        {
            case 0:
                return new CpuidLeaf(MaxExtended(model), 0, 0, 0);
            case 1:
                uint ecx = CpuFeatures.Has(model, ModelTraits.LahfIn64) ? 1u : 0;
                ecx |= CpuFeatures.Has(model, CpuidFeature.LZCNT) ? 1u << 5 : 0;
                ecx |= CpuFeatures.Has(model, CpuidFeature.PREFETCHW) ? 1u << 8 : 0;
                uint edx = CpuFeatures.Has(model, CpuidFeature.SYSCALL) ? 1u << 11 : 0;
                edx |= CpuFeatures.Has(model, ModelTraits.NoExecute) ? 1u << 20 : 0;
                edx |= CpuFeatures.Has(model, ModelTraits.GigabytePages) ? 1u << 26 : 0;
                edx |= CpuFeatures.Has(model, CpuidFeature.RDTSCP) ? 1u << 27 : 0;
                edx |= CpuFeatures.Has(model, CpuidFeature.X64) ? 1u << 29 : 0;
                return new CpuidLeaf(0, 0, ecx, edx);
            case 2 or 3 or 4:
                return Brand(model, (int)(leaf - ExtendedBase) - 2);
            case 6:
                // L2: 256 KiB, 8-way, 64-byte lines.
                return new CpuidLeaf(0, 0, 0x0100_6040, 0);
            case 7:
                return new CpuidLeaf(0, 0, 0, CpuFeatures.Has(model, ModelTraits.InvariantTsc) ? 1u << 8 : 0);
            case 8:
                return new CpuidLeaf(ControlBits.PhysicalBits | (48 << 8), 0, 0, 0);
            default:
                return default;
        }
    }

    private static CpuidLeaf Brand(CpuModel model, int part)
    {
        string name = model switch
        {
            CpuModel.Pentium3 => "VirtShell Pentium III class processor",
            CpuModel.Qemu64 => "VirtShell 64-bit processor",
            CpuModel.X86_64_V2 => "VirtShell x86-64-v2 processor",
            _ => "VirtShell x86-64-v3 processor",
        };
        Span<byte> bytes = stackalloc byte[48];
        bytes.Clear();
        Encoding.ASCII.GetBytes(name, bytes);
        ReadOnlySpan<byte> at = bytes.Slice(part * 16, 16);
        return new CpuidLeaf(BitConverter.ToUInt32(at), BitConverter.ToUInt32(at[4..]), BitConverter.ToUInt32(at[8..]), BitConverter.ToUInt32(at[12..]));
    }

    private static CpuidLeaf FromText(uint eax, string text)
    {
        ReadOnlySpan<byte> at = Encoding.ASCII.GetBytes(text);
        return new CpuidLeaf(eax, BitConverter.ToUInt32(at), BitConverter.ToUInt32(at[4..]), BitConverter.ToUInt32(at[8..]));
    }

    private static uint Bits(CpuModel model, (CpuidFeature Feature, int Bit)[] table)
    {
        uint bits = 0;
        foreach ((CpuidFeature feature, int bit) in table)
        {
            bits |= CpuFeatures.Has(model, feature) ? 1u << bit : 0;
        }

        return bits;
    }

    private static uint Bits(CpuModel model, (ModelTraits Trait, int Bit)[] table)
    {
        uint bits = 0;
        foreach ((ModelTraits trait, int bit) in table)
        {
            bits |= CpuFeatures.Has(model, trait) ? 1u << bit : 0;
        }

        return bits;
    }
}
