using System;
using System.Globalization;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics.X86;
using System.Text;
using Iced.Intel;
using VirtShell.Cpu.Numerics;
using VirtShell.Cpu.Tests.Native;
using VirtShell.Cpu.Tests.Numerics;
using Xunit;

namespace VirtShell.Cpu.Tests.X87;

/// <summary>Every x87 and MMX instruction, run once by the host and once by the interpreter from the same seeded state.</summary>
public sealed unsafe class X87DifferentialTests
{
    private const ushort ConditionC1 = 0x0200;
    private const uint StatusFlags = 0x8D5;

    /// <summary>What FIP holds before: if it is still there, the instruction does not record itself.</summary>
    private const uint UntouchedPointer = 0x1111_1111;
    private const byte AddressSizePrefix = 0x67;
    private const int ReportLimit = 6;

    /// <summary>Results that hardware of different makers rounds differently in the last place, with their C1.</summary>
    private static readonly Code[] s_transcendental =
        [Code.F2xm1, Code.Fyl2x, Code.Fyl2xp1, Code.Fptan, Code.Fpatan, Code.Fsin, Code.Fcos, Code.Fsincos];

    /// <summary>Instructions that load FIP from memory instead of recording themselves there.</summary>
    private static readonly Code[] s_environmentLoads =
        [Code.Fldenv_m14byte, Code.Fldenv_m28byte, Code.Frstor_m94byte, Code.Frstor_m108byte];

    public static TheoryData<string> X87Codes => Names(InstructionForms.X87);

    public static TheoryData<string> MmxCodes => Names(InstructionForms.Mmx);

    [SkippableTheory]
    [MemberData(nameof(X87Codes))]
    public void X87_matches_host(string code) => Compare(Enum.Parse<Code>(code), SoakCases.Count(1200));

    [SkippableTheory]
    [MemberData(nameof(MmxCodes))]
    public void Mmx_matches_host(string code) => Compare(Enum.Parse<Code>(code), SoakCases.Count(400));

    private static TheoryData<string> Names(System.Collections.Generic.IReadOnlyList<Code> codes)
    {
        var data = new TheoryData<string>();
        foreach (Code code in codes)
        {
            data.Add(code.ToString());
        }

        return data;
    }

    private static void Compare(Code code, int count)
    {
        NativeCode.RequireHost();
        Skip.IfNot(HostHas(code), $"The host's processor lacks {code}.");
        var samples = new FloatSamples(SoakCases.SeedFor(code.ToString()));
        var report = new StringBuilder();
        int failures = 0;
        (byte[] Bytes, Instruction Instruction)[] forms = InstructionForms.Encode(code, samples.Random).ToArray();
        byte* buffer = stackalloc byte[(3 * sizeof(FpuBlock)) + 64];
        var start = (FpuBlock*)(((nuint)buffer + 63) & ~(nuint)63);
        FpuBlock* host = start + 1;
        FpuBlock* ours = start + 2;
        foreach ((byte[] bytes, Instruction instruction) in forms)
        {
            using NativeCode native = NativeFpu.Wrap(bytes);
            using var flat = new InterpretedFpu(bytes);

            // The same with an address-size prefix: the handler for segmented and truncated addresses.
            using var general = new InterpretedFpu([AddressSizePrefix, .. bytes]);
            for (int i = 0; i < Math.Max(1, count / forms.Length) && failures < ReportLimit; i++)
            {
                Fill(start, samples);
                *ours = *start;
                ExitReason reason = ((i & 1) == 0 ? flat : general).Run(ours);
                string? difference = null;

                // Again where it differs: AMD's XSAVE drops the pointers when the host's system switches threads in between.
                for (int attempt = 0; attempt < 5 && (attempt == 0 || difference is not null); attempt++)
                {
                    *host = *start;
                    native.Invoke(host);
                    difference = reason != ExitReason.BudgetSpent ? $"the interpreter ended with {reason}" : Difference(code, host, ours);
                }

                SoakCases.NoteCompared();
                if (difference is not null)
                {
                    failures++;
                    Describe(report, instruction, bytes, start, difference);
                }
            }
        }

        Assert.True(failures == 0, report.ToString());
    }

    private static bool HostHas(Code code) => code.CpuidFeatures().All(feature => feature switch
    {
        CpuidFeature.SSSE3 => Ssse3.IsSupported,
        CpuidFeature.SSE3 => Sse3.IsSupported,
        _ => true,
    });

    private static void Fill(FpuBlock* block, FloatSamples samples)
    {
        Unsafe.InitBlock(block, 0, (uint)sizeof(FpuBlock));
        X87Image* image = &block->Before;
        Random random = samples.Random;
        image->Control = samples.NextControlWord();

        // Nothing unmasked may be pending, or the host's next instruction raises it here.
        int flags = random.Next(4) == 0 ? random.Next(0x40) & image->Control & 0x3F : 0;
        int stackFault = random.Next(8) == 0 ? 0x40 : 0;
        image->Status = (ushort)((random.Next(8) << 11) | (random.Next(0x10000) & 0x4700) | flags | stackFault);
        image->Tags = (ushort)(random.Next(3) == 0 ? RandomTags(random) : random.Next(3) == 0 ? 0 : 0xC000 >> (2 * (7 - ((image->Top + 7) & 7))));
        image->InstructionPointer = UntouchedPointer;
        image->CodeSelector = 0x2222;
        image->Opcode = 0x333;
        image->DataPointer = 0x4444_4444;
        image->DataSelector = 0x5555;
        for (int i = 0; i < 8; i++)
        {
            image->Stack[i] = i == 0 ? samples.Next() : samples.NextNear(image->Stack[0]);
        }

        block->RegistersBefore[0] = samples.NextUInt64();
        block->RegistersBefore[1] = samples.NextUInt64();
        block->FlagsBefore = (uint)random.Next(0x10000) & StatusFlags;
        block->VectorBefore[0] = samples.NextUInt64();
        block->VectorBefore[1] = samples.NextUInt64();
        ulong* memory = (ulong*)block->Memory;
        for (int i = 0; i < FpuBlock.MemorySize / 8; i++)
        {
            memory[i] = samples.NextUInt64();
        }

        switch (random.Next(6))
        {
            case 0:
                memory[0] = samples.NextSingle32() | (memory[0] & 0xFFFF_FFFF_0000_0000);
                break;
            case 1:
                memory[0] = samples.NextDouble64();
                break;
            case 2:
                memory[0] = (ulong)(random.NextInt64(long.MinValue, long.MaxValue) >> random.Next(64));
                break;
            case 3:
                memory[0] &= 0x1999_1111_8888_7777;
                break;
            case 4:
                *(Float80*)memory = samples.Next();
                break;
            default:
                memory[0] = 0x7FFF_8000_FFFF_0080UL & memory[0];
                break;
        }
    }

    private static int RandomTags(Random random)
    {
        int tags = 0;
        for (int i = 0; i < 8; i++)
        {
            tags |= (random.Next(2) == 0 ? 3 : 0) << (i * 2);
        }

        return tags;
    }

    private static string? Difference(Code code, FpuBlock* host, FpuBlock* ours)
    {
        X87Image* theirs = &host->After;
        X87Image* mine = &ours->After;
        bool loose = s_transcendental.Contains(code);
        var text = new StringBuilder();
        Check(text, "FCW", theirs->Control, mine->Control);
        int ignored = loose ? ConditionC1 : 0;
        Check(text, "FSW", (uint)(theirs->Status & ~ignored), (uint)(mine->Status & ~ignored));
        Check(text, "tags", theirs->Tags, mine->Tags);
        Check(text, "FOP", theirs->Opcode, mine->Opcode);
        Check(text, "FCS", theirs->CodeSelector, mine->CodeSelector);
        Check(text, "FDS", theirs->DataSelector, mine->DataSelector);
        bool loads = s_environmentLoads.Contains(code);
        uint expected = loads || theirs->InstructionPointer is 0 or UntouchedPointer ? theirs->InstructionPointer : (uint)InterpretedFpu.CodeAddress;
        Check(text, "FIP", expected, mine->InstructionPointer);
        uint hostOperand = (uint)(nuint)host + FpuBlock.MemoryOffset;
        uint ourOperand = (uint)InterpretedFpu.BlockAddress + FpuBlock.MemoryOffset;
        Check(text, "FDP", theirs->DataPointer == hostOperand ? ourOperand : theirs->DataPointer, mine->DataPointer);
        for (int i = 0; i < 8; i++)
        {
            if (!Near(theirs->Stack[i], mine->Stack[i], loose ? 1 : 0))
            {
                text.Append(CultureInfo.InvariantCulture, $" ST{i} host {theirs->Stack[i]} ours {mine->Stack[i]};");
            }
        }

        Check(text, "RAX", host->RegistersAfter[0], ours->RegistersAfter[0]);
        Check(text, "RCX", host->RegistersAfter[1], ours->RegistersAfter[1]);
        Check(text, "flags", host->FlagsAfter & StatusFlags, ours->FlagsAfter & StatusFlags);
        Check(text, "XMM1 low", host->VectorAfter[0], ours->VectorAfter[0]);
        Check(text, "XMM1 high", host->VectorAfter[1], ours->VectorAfter[1]);
        for (int i = 0; i < FpuBlock.MemorySize / 8; i++)
        {
            Check(text, "memory", ((ulong*)host->Memory)[i], ((ulong*)ours->Memory)[i]);
        }

        return text.Length == 0 ? null : text.ToString();
    }

    private static void Check(StringBuilder text, string name, ulong host, ulong ours)
    {
        if (host != ours)
        {
            text.Append(CultureInfo.InvariantCulture, $" {name} host {host:X} ours {ours:X};");
        }
    }

    private static bool Near(Float80 host, Float80 ours, int tolerance)
    {
        if (host == ours)
        {
            return true;
        }

        return tolerance != 0 && ((host.SignExponent ^ ours.SignExponent) & 0x8000) == 0 && host.Exponent != Float80.MaxExponent
            && Int128.Abs(Rank(host) - Rank(ours)) <= tolerance;
    }

    private static Int128 Rank(Float80 value) => ((Int128)value.Exponent << 63) + (Int128)(value.Significand & ~Float80.IntegerBit);

    private static void Describe(StringBuilder report, Instruction instruction, byte[] bytes, FpuBlock* start, string difference)
    {
        X87Image* image = &start->Before;
        report.Append(CultureInfo.InvariantCulture, $"{instruction} [{Convert.ToHexString(bytes)}] FCW={image->Control:X4} FSW={image->Status:X4} tags={image->Tags:X4}");
        for (int i = 0; i < 8; i++)
        {
            report.Append(CultureInfo.InvariantCulture, $" {image->Stack[i]}");
        }

        report.Append(CultureInfo.InvariantCulture, $" m={((ulong*)start->Memory)[1]:X16}{((ulong*)start->Memory)[0]:X16} rax={start->RegistersBefore[0]:X} rcx={start->RegistersBefore[1]:X} fl={start->FlagsBefore:X}:")
            .AppendLine(difference);
    }
}
