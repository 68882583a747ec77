using System;
using System.Collections.Generic;
using System.Linq;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;
using Iced.Intel;
using VirtShell.Cpu.Tests.Native;
using VirtShell.Cpu.Tests.X87;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Simd;

/// <summary>Variable shifts, in-lane permutes, sign tests, masked moves, gathers, F16C and FMA against the host: registers, MXCSR, flags, memory.</summary>
public sealed unsafe class VectorExtensionTests
{
    private const int StatusFlags = 0x8D5;
    private const uint AllMasked = 0x1F80;

    public static IEnumerable<object[]> Names => VectorExtensionForms.Codes.Select(c => new object[] { c.ToString() });

    [SkippableTheory]
    [MemberData(nameof(Names))]
    public void Matches_host(string name)
    {
        NativeCode.RequireHost();
        Code code = Enum.Parse<Code>(name);
        RequireFeatures(code);
        var random = new Random(SoakCases.SeedFor(name));
        var block = (VectorExtensionBlock*)NativeMemory.AlignedAlloc((nuint)(3 * sizeof(VectorExtensionBlock)), 64);
        try
        {
            foreach (byte[] bytes in VectorExtensionForms.Encode(code, random))
            {
                using NativeCode native = Wrap(bytes);
                using var interpreter = new InterpretedFpu(bytes);
                int count = SoakCases.Count(150);
                for (int i = 0; i < count; i++)
                {
                    Fill(block, code, random);
                    block[1] = block[0];
                    block[2] = block[0];
                    native.Invoke(block + 1);
                    Assert.Equal(ExitReason.BudgetSpent, Run(interpreter, block + 2));
                    string? difference = Difference(block + 1, block + 2);
                    SoakCases.NoteCompared();
                    Assert.True(difference is null, $"{Convert.ToHexString(bytes)} case {i}, {Describe(block)}: {difference}");
                }
            }
        }
        finally
        {
            NativeMemory.AlignedFree(block);
        }
    }

    private static void RequireFeatures(Code code)
    {
        foreach (CpuidFeature feature in code.CpuidFeatures())
        {
            bool has = feature switch
            {
                CpuidFeature.AVX2 => Avx2.IsSupported,
                CpuidFeature.FMA => Fma.IsSupported,
                CpuidFeature.F16C => Avx.IsSupported && (X86Base.CpuId(1, 0).Ecx & (1 << 29)) != 0,
                _ => Avx.IsSupported,
            };
            Skip.IfNot(has, $"{code}: the host's processor lacks {feature}.");
        }
    }

    private static NativeCode Wrap(byte[] instruction) => NativeCode.Assemble(c =>
    {
        c.push(rbx);
        c.push(rdi);
        c.mov(rbx, NativeCode.Argument);
        c.lea(rdi, __[rbx + VectorExtensionBlock.OperandOffset]);
        c.vstmxcsr(__dword_ptr[rbx + VectorExtensionBlock.OwnMxcsrOffset]);
        c.vmovups(ymm0, __ymmword_ptr[rbx]);
        c.vmovups(ymm1, __ymmword_ptr[rbx + 32]);
        c.vmovups(ymm2, __ymmword_ptr[rbx + 64]);
        c.vmovups(ymm3, __ymmword_ptr[rbx + 96]);
        c.push(__qword_ptr[rbx + VectorExtensionBlock.FlagsBeforeOffset]);
        c.popfq();
        c.vldmxcsr(__dword_ptr[rbx + VectorExtensionBlock.MxcsrBeforeOffset]);
        c.db(instruction);
        c.pushfq();
        c.pop(__qword_ptr[rbx + VectorExtensionBlock.FlagsAfterOffset]);
        c.vstmxcsr(__dword_ptr[rbx + VectorExtensionBlock.MxcsrAfterOffset]);
        c.vmovups(__ymmword_ptr[rbx + VectorExtensionBlock.AfterOffset], ymm0);
        c.vmovups(__ymmword_ptr[rbx + VectorExtensionBlock.AfterOffset + 32], ymm1);
        c.vmovups(__ymmword_ptr[rbx + VectorExtensionBlock.AfterOffset + 64], ymm2);
        c.vmovups(__ymmword_ptr[rbx + VectorExtensionBlock.AfterOffset + 96], ymm3);
        c.vldmxcsr(__dword_ptr[rbx + VectorExtensionBlock.OwnMxcsrOffset]);
        c.vzeroupper();
        c.pop(rdi);
        c.pop(rbx);
    });

    private static void Fill(VectorExtensionBlock* block, Code code, Random random)
    {
        random.NextBytes(new Span<byte>(block, sizeof(VectorExtensionBlock)));
        block->FlagsBefore = 0x202 | ((ulong)random.Next() & StatusFlags);
        uint control = (uint)random.Next(0x10000);
        block->MxcsrBefore = (random.Next(3) == 0 ? 0x3Fu & control : control) | AllMasked;
        block->MxcsrAfter = 0;
        block->FlagsAfter = 0;
        bool wide = IsWide(code);
        var registers = new Span<byte>(block->Before, VectorExtensionBlock.Registers * 32);
        var memory = new Span<byte>(block->Memory, VectorExtensionBlock.MemorySize);
        if (VectorExtensionForms.IsGather(code))
        {
            // Any register may be the index: all of them are small numbers, with random signs for a mask.
            bool quad = code.Mnemonic().ToString().Contains("herq", StringComparison.Ordinal);
            for (int i = 0; i < registers.Length; i += quad ? 8 : 4)
            {
                long value = random.Next(-24, 24);
                MemoryMarshal.AsBytes(new ReadOnlySpan<long>(in value))[..(quad ? 8 : 4)].CopyTo(registers[i..]);
            }

            return;
        }

        if (VectorExtensionForms.IsShift(code))
        {
            for (int i = 0; i < 16; i++)
            {
                block->Before[i] = random.Next(4) == 0 ? block->Before[i] : wide ? (ulong)random.Next(70) : (uint)random.Next(36) | ((ulong)(uint)random.Next(36) << 32);
            }

            return;
        }

        VectorExtensionSamples.Fill(registers, wide, VectorExtensionForms.IsHalf(code), random);
        VectorExtensionSamples.Fill(memory[(memory.Length / 2)..], wide, VectorExtensionForms.IsHalf(code), random);
    }

    private static bool IsWide(Code code)
    {
        string mnemonic = code.Mnemonic().ToString();
        return mnemonic.EndsWith("pd", StringComparison.Ordinal) || mnemonic.EndsWith("sd", StringComparison.Ordinal) || mnemonic.EndsWith('q');
    }

    private static ExitReason Run(InterpretedFpu interpreter, VectorExtensionBlock* block)
    {
        CpuState* s = interpreter.Processor.State;
        s->Rip = InterpretedFpu.CodeAddress;
        s->Gpr[7] = InterpretedFpu.BlockAddress + (VectorExtensionBlock.MemorySize / 2);
        s->Mxcsr = (uint)block->MxcsrBefore;
        Flags.SetStatus(s, (uint)block->FlagsBefore);
        for (int i = 0; i < VectorExtensionBlock.Registers; i++)
        {
            Unsafe.CopyBlock(CpuState.Vector(s, i), block->Before + (i * 4), 32);
        }

        interpreter.Memory.Write(InterpretedFpu.BlockAddress, new ReadOnlySpan<byte>(block->Memory, VectorExtensionBlock.MemorySize));
        ExitReason reason = interpreter.Processor.Run(1);
        interpreter.Memory.Read(InterpretedFpu.BlockAddress, new Span<byte>(block->Memory, VectorExtensionBlock.MemorySize));
        for (int i = 0; i < VectorExtensionBlock.Registers; i++)
        {
            Unsafe.CopyBlock(block->After + (i * 4), CpuState.Vector(s, i), 32);
        }

        block->MxcsrAfter = s->Mxcsr;
        block->FlagsAfter = Flags.Get(s);
        return reason;
    }

    private static string? Difference(VectorExtensionBlock* host, VectorExtensionBlock* ours)
    {
        for (int i = 0; i < VectorExtensionBlock.Registers * 4; i++)
        {
            if (host->After[i] != ours->After[i])
            {
                return $"ymm{i / 4}[{i % 4}] host {host->After[i]:X16} ours {ours->After[i]:X16}";
            }
        }

        if ((uint)host->MxcsrAfter != (uint)ours->MxcsrAfter)
        {
            return $"MXCSR host {(uint)host->MxcsrAfter:X} ours {(uint)ours->MxcsrAfter:X}";
        }

        if (((host->FlagsAfter ^ ours->FlagsAfter) & StatusFlags) != 0)
        {
            return $"flags host {host->FlagsAfter & StatusFlags:X} ours {ours->FlagsAfter & StatusFlags:X}";
        }

        int at = new Span<byte>(host->Memory, VectorExtensionBlock.MemorySize)
            .CommonPrefixLength(new Span<byte>(ours->Memory, VectorExtensionBlock.MemorySize));
        return at == VectorExtensionBlock.MemorySize ? null : $"memory[{at}] host {host->Memory[at]:X2} ours {ours->Memory[at]:X2}";
    }

    private static string Describe(VectorExtensionBlock* block)
    {
        IEnumerable<string> registers = Enumerable.Range(0, VectorExtensionBlock.Registers)
            .Select(i => $"ymm{i} {block->Before[(i * 4) + 3]:X16} {block->Before[(i * 4) + 2]:X16} {block->Before[(i * 4) + 1]:X16} {block->Before[i * 4]:X16}");
        string operand = Convert.ToHexString(new ReadOnlySpan<byte>(block->Memory + (VectorExtensionBlock.MemorySize / 2) - 8, 48));
        return $"MXCSR {(uint)block->MxcsrBefore:X} {string.Join(", ", registers)}, memory from -8 {operand}";
    }
}
