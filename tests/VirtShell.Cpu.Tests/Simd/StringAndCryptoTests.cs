using System;
using System.Globalization;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using System.Text;
using Iced.Intel;
using VirtShell.Cpu.Tests.Native;
using Xunit;

namespace VirtShell.Cpu.Tests.Simd;

/// <summary>String comparison, cryptography and their neighbours, run once by the host and once by the interpreter from the same seeded state.</summary>
public sealed unsafe class StringAndCryptoTests
{
    private const uint StatusFlags = 0x8D5;
    private const byte AddressSizePrefix = 0x67;
    private const int ReportLimit = 6;
    private const int ShaBit = 29;

    public static TheoryData<string> Codes =>
    [
        "Pcmpistri_xmm_xmmm128_imm8", "Pcmpistrm_xmm_xmmm128_imm8", "Pcmpestri_xmm_xmmm128_imm8", "Pcmpestrm_xmm_xmmm128_imm8",
        "Pcmpestri64_xmm_xmmm128_imm8", "Pcmpestrm64_xmm_xmmm128_imm8",
        "VEX_Vpcmpistri_xmm_xmmm128_imm8", "VEX_Vpcmpistrm_xmm_xmmm128_imm8", "VEX_Vpcmpestri_xmm_xmmm128_imm8",
        "VEX_Vpcmpestrm_xmm_xmmm128_imm8", "VEX_Vpcmpestri64_xmm_xmmm128_imm8", "VEX_Vpcmpestrm64_xmm_xmmm128_imm8",
        "Aesenc_xmm_xmmm128", "Aesenclast_xmm_xmmm128", "Aesdec_xmm_xmmm128", "Aesdeclast_xmm_xmmm128", "Aesimc_xmm_xmmm128",
        "Aeskeygenassist_xmm_xmmm128_imm8",
        "VEX_Vaesenc_xmm_xmm_xmmm128", "VEX_Vaesenclast_xmm_xmm_xmmm128", "VEX_Vaesdec_xmm_xmm_xmmm128",
        "VEX_Vaesdeclast_xmm_xmm_xmmm128", "VEX_Vaesimc_xmm_xmmm128", "VEX_Vaeskeygenassist_xmm_xmmm128_imm8",
        "Pclmulqdq_xmm_xmmm128_imm8", "VEX_Vpclmulqdq_xmm_xmm_xmmm128_imm8",
        "Sha1nexte_xmm_xmmm128", "Sha1msg1_xmm_xmmm128", "Sha1msg2_xmm_xmmm128", "Sha1rnds4_xmm_xmmm128_imm8",
        "Sha256rnds2_xmm_xmmm128", "Sha256msg1_xmm_xmmm128", "Sha256msg2_xmm_xmmm128",
        "Phminposuw_xmm_xmmm128", "VEX_Vphminposuw_xmm_xmmm128",
        "Mpsadbw_xmm_xmmm128_imm8", "VEX_Vmpsadbw_xmm_xmm_xmmm128_imm8", "VEX_Vmpsadbw_ymm_ymm_ymmm256_imm8",
        "Movntdqa_xmm_m128", "VEX_Vmovntdqa_xmm_m128", "VEX_Vmovntdqa_ymm_m256",
        "Maskmovdqu_rDI_xmm_xmm", "VEX_Vmaskmovdqu_rDI_xmm_xmm",
    ];

    /// <summary>Legacy forms whose memory operand has to be aligned.</summary>
    public static TheoryData<string> AlignedCodes =>
    [
        "Aesenc_xmm_xmmm128", "Aesimc_xmm_xmmm128", "Aeskeygenassist_xmm_xmmm128_imm8", "Pclmulqdq_xmm_xmmm128_imm8",
        "Sha1nexte_xmm_xmmm128", "Sha1rnds4_xmm_xmmm128_imm8", "Sha256rnds2_xmm_xmmm128", "Phminposuw_xmm_xmmm128",
        "Mpsadbw_xmm_xmmm128_imm8", "Movntdqa_xmm_m128",
    ];

    [SkippableTheory]
    [MemberData(nameof(Codes))]
    public void Matches_host(string name)
    {
        Code code = Enum.Parse<Code>(name);
        NativeCode.RequireHost();
        Skip.IfNot(Avx.IsSupported, $"The host's processor lacks AVX, which the comparison of {name} needs.");
        foreach (CpuidFeature feature in code.CpuidFeatures())
        {
            Skip.IfNot(HostHas(feature), $"The host's processor lacks {feature}, which {name} needs.");
        }

        bool strings = name.Contains("cmp", StringComparison.Ordinal);
        bool unaligned = strings || (name.StartsWith("VEX_", StringComparison.Ordinal) && !name.Contains("movnt", StringComparison.Ordinal));
        var random = new Random(SoakCases.SeedFor(name));
        (byte[] Bytes, Instruction Instruction)[] forms = VectorForms.Encode(code, strings, unaligned, random).ToArray();

        // Each also with an address-size prefix: the handler for segmented and truncated addresses.
        using var ours = new InterpretedVectors(forms.SelectMany(f => new[] { f.Bytes, [AddressSizePrefix, .. f.Bytes] }).ToArray());
        Compare(forms, ours, Math.Max(12, SoakCases.Count(4000) / forms.Length), random);
    }

    [Theory]
    [MemberData(nameof(AlignedCodes))]
    public void Legacy_forms_refuse_unaligned_memory(string name)
    {
        var random = new Random(SoakCases.SeedFor(name));
        Code code = Enum.Parse<Code>(name);
        byte[] bytes = VectorForms.Encode(code, false, false, random).First(f => f.Instruction.MemoryBase == Register.RDI).Bytes;
        using var machine = new InterpretedVectors([bytes]);
        VectorBlock block = default;
        Assert.Equal(ExitReason.BudgetSpent, machine.Run(0, &block));
        int at = Array.FindIndex(bytes, b => (b & 0xC7) == 0x47);
        bytes[at + 1] |= 1;
        using var second = new InterpretedVectors([bytes]);
        Assert.NotEqual(ExitReason.BudgetSpent, second.Run(0, &block));
    }

    /// <summary>MASKMOVDQU's implied operand takes segment overrides and address size.</summary>
    [Theory]
    [InlineData(new byte[] { 0x64, 0x66, 0x0F, 0xF7, 0xCA }, 0UL)]
    [InlineData(new byte[] { 0x64, 0x67, 0x66, 0x0F, 0xF7, 0xCA }, 0xABCD_0000_0000UL)]
    public void Masked_store_takes_segment_and_address_size(byte[] instruction, ulong upperHalfOfRdi)
    {
        const ulong Shift = 32;
        using var machine = new InterpretedVectors([instruction]);
        VectorBlock block = default;
        for (int i = 0; i < 16; i++)
        {
            ((byte*)block.VectorsBefore)[32 + i] = (byte)(0x10 + i);
            ((byte*)block.VectorsBefore)[64 + i] = (byte)((i & 1) != 0 ? 0x80 : 0x7F);
        }

        // RDI is the block's memory; FS moves the store from there.
        machine.State->Fs.Base = Shift;
        machine.State->Fs64.Base = Shift;
        Assert.Equal(ExitReason.BudgetSpent, machine.Run(0, &block, upperHalfOfRdi));
        for (int i = 0; i < VectorBlock.MemorySize; i++)
        {
            int from = i - (int)Shift;
            Assert.Equal(from is >= 0 and < 16 && (from & 1) != 0 ? 0x10 + from : 0, block.Memory[i]);
        }
    }

    private static void Compare((byte[] Bytes, Instruction Instruction)[] forms, InterpretedVectors interpreter, int count, Random random)
    {
        var report = new StringBuilder();
        int failures = 0;
        byte* buffer = stackalloc byte[(3 * sizeof(VectorBlock)) + 64];
        var start = (VectorBlock*)(((nuint)buffer + 63) & ~(nuint)63);
        VectorBlock* host = start + 1;
        VectorBlock* ours = start + 2;
        for (int number = 0; number < forms.Length; number++)
        {
            using NativeCode native = NativeVectors.Wrap(forms[number].Bytes);
            for (int i = 0; i < count && failures < ReportLimit; i++)
            {
                Fill(start, random);
                *ours = *start;
                *host = *start;
                ExitReason reason = interpreter.Run((number * 2) + (i & 1), ours);
                native.Invoke(host);
                string difference = reason != ExitReason.BudgetSpent ? $" the interpreter ended with {reason}" : Difference(host, ours);
                if (difference.Length != 0)
                {
                    failures++;
                    report.Append(CultureInfo.InvariantCulture, $"{forms[number].Instruction} [{Convert.ToHexString(forms[number].Bytes)}] rax={start->RegistersBefore[0]:X} rdx={start->RegistersBefore[2]:X}");
                    for (int word = 0; word < VectorBlock.VectorWords; word++)
                    {
                        report.Append(CultureInfo.InvariantCulture, $" {start->VectorsBefore[word]:X16}");
                    }

                    report.Append(':').AppendLine(difference);
                }
            }
        }

        Assert.True(failures == 0, report.ToString());
    }

    private static bool HostHas(CpuidFeature feature) => feature switch
    {
        CpuidFeature.SSE2 => true,
        CpuidFeature.SSE4_1 => Sse41.IsSupported,
        CpuidFeature.SSE4_2 => Sse42.IsSupported,
        CpuidFeature.AES => Aes.IsSupported,
        CpuidFeature.PCLMULQDQ => Pclmulqdq.IsSupported,
        CpuidFeature.AVX => Avx.IsSupported,
        CpuidFeature.AVX2 => Avx2.IsSupported,
        CpuidFeature.SHA => ((X86Base.CpuId(7, 0).Ebx >> ShaBit) & 1) != 0,
        _ => throw new NotSupportedException($"Nobody asks the host about {feature}."),
    };

    private static void Fill(VectorBlock* block, Random random)
    {
        Unsafe.InitBlock(block, 0, (uint)sizeof(VectorBlock));
        int kind = random.Next(5);
        for (int i = 0; i < VectorBlock.VectorCount; i++)
        {
            FillBytes((byte*)(block->VectorsBefore + (i * 4)), 32, kind, random);
        }

        FillBytes(block->Memory, VectorBlock.MemorySize, kind, random);
        for (int i = 0; i < VectorBlock.RegisterCount; i++)
        {
            block->RegistersBefore[i] = random.Next(8) switch
            {
                0 => (ulong)random.NextInt64(long.MinValue, long.MaxValue),
                1 => 1UL << 63,
                2 => 0x8000_0000,
                3 => ((ulong)random.Next() << 32) | (uint)random.Next(-20, 20),
                _ => (ulong)random.Next(-20, 20),
            };
        }

        block->FlagsBefore = (uint)random.Next(0x1000) & StatusFlags;
    }

    // Texts of few letters, so that comparisons find something, with and without zeros; or any bits.
    private static void FillBytes(byte* at, int count, int kind, Random random)
    {
        for (int i = 0; i < count; i++)
        {
            at[i] = kind switch
            {
                0 => (byte)(random.Next(20) == 0 ? 0 : 'a' + random.Next(3)),
                1 => (byte)((i & 1) != 0 ? 0 : random.Next(12) == 0 ? 0 : 'a' + random.Next(2)),
                2 => (byte)(0x7E + random.Next(4)),
                3 => (byte)random.Next(1, 256),
                _ => (byte)random.Next(256),
            };
        }
    }

    private static string Difference(VectorBlock* host, VectorBlock* ours)
    {
        var text = new StringBuilder();
        for (int i = 0; i < VectorBlock.VectorWords; i++)
        {
            Check(text, "vector word", host->VectorsAfter[i], ours->VectorsAfter[i]);
        }

        for (int i = 0; i < VectorBlock.RegisterCount; i++)
        {
            Check(text, "register", host->RegistersAfter[i], ours->RegistersAfter[i]);
        }

        Check(text, "flags", host->FlagsAfter & StatusFlags, ours->FlagsAfter & StatusFlags);
        for (int i = 0; i < VectorBlock.MemorySize / 8; i++)
        {
            Check(text, "memory", ((ulong*)host->Memory)[i], ((ulong*)ours->Memory)[i]);
        }

        return text.ToString();
    }

    private static void Check(StringBuilder text, string name, ulong host, ulong ours)
    {
        if (host != ours)
        {
            text.Append(CultureInfo.InvariantCulture, $" {name} host {host:X} ours {ours:X};");
        }
    }
}
