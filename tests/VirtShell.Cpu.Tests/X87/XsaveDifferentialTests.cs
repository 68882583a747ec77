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
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.X87;

/// <summary>FXSAVE, FXRSTOR and the XSAVE family against the host. The pointers (FOP, FIP, FDP) are left out: AMD saves them only while an exception is pending.</summary>
public sealed unsafe class XsaveDifferentialTests
{
    private const int PointersFrom = 6;
    private const int PointersTo = 24;
    private const int MxcsrAt = 24;
    private const int MxcsrMaskAt = 28;
    private const int RegistersAt = 32;
    private const int XmmAt = 160;
    private const int LegacyEnd = 416;
    private const int BitsAt = 512;
    private const int CompactionAt = 520;
    private const int YmmAt = 576;
    private const int End = 832;
    private const ulong Compacted = 1UL << 63;

    /// <summary>The codes that this compares.</summary>
    internal static Code[] Compared { get; } =
    [
        Code.Fxsave_m512byte, Code.Fxsave64_m512byte, Code.Fxrstor_m512byte, Code.Fxrstor64_m512byte,
        Code.Xsave_mem, Code.Xsave64_mem, Code.Xsaveopt_mem, Code.Xsaveopt64_mem,
        Code.Xsavec_mem, Code.Xsavec64_mem, Code.Xrstor_mem, Code.Xrstor64_mem,
    ];

    public static TheoryData<string> Names => [.. Compared.Select(static c => c.ToString())];

    [SkippableTheory]
    [MemberData(nameof(Names))]
    public void Matches_host(string name)
    {
        NativeCode.RequireHost();
        Skip.IfNot(Avx.IsSupported, "The host's processor or system lacks AVX state.");
        int extensions = X86Base.CpuId(0xD, 1).Eax;
        Skip.If(name.StartsWith("Xsaveopt", StringComparison.Ordinal) && (extensions & 1) == 0, "The host's processor lacks XSAVEOPT.");
        Skip.If(name.StartsWith("Xsavec", StringComparison.Ordinal) && (extensions & 2) == 0, "The host's processor lacks XSAVEC.");
        Code code = Enum.Parse<Code>(name);
        var samples = new FloatSamples(SoakCases.SeedFor(name));
        byte[] bytes = InstructionForms.Encode(code, samples.Random).Single().Bytes;
        using NativeCode native = Wrap(bytes);
        using var interpreter = new InterpretedFpu(bytes);
        byte* buffer = stackalloc byte[(3 * sizeof(XsaveBlock)) + 256];
        nuint aligned = ((nuint)buffer + 63) & ~(nuint)63;
        nuint step = ((nuint)sizeof(XsaveBlock) + 63) & ~(nuint)63;
        var start = (XsaveBlock*)aligned;
        var host = (XsaveBlock*)(aligned + step);
        var ours = (XsaveBlock*)(aligned + (2 * step));
        int count = SoakCases.Count(1000);
        for (int i = 0; i < count; i++)
        {
            Fill(start, samples, code);
            *ours = *start;
            ExitReason reason = Run(interpreter, ours);
            Assert.Equal(ExitReason.BudgetSpent, reason);
            string? difference = null;

            // Again where it differs: a thread switch of the host's system between load and save loses its XINUSE.
            for (int attempt = 0; attempt < 5 && (attempt == 0 || difference is not null); attempt++)
            {
                *host = *start;
                native.Invoke(host);
                difference = Difference(host, ours);
            }

            Assert.True(difference is null, $"case {i}, mask {start->Mask:X}, header {*(ulong*)(start->Operand + BitsAt):X} {*(ulong*)(start->Operand + CompactionAt):X}: {difference}");
        }
    }

    private static NativeCode Wrap(byte[] instruction) => NativeCode.Assemble(c =>
    {
        c.push(rbx);
        c.push(rdi);
        c.mov(rbx, NativeCode.Argument);
        c.lea(rdi, __[rbx + XsaveBlock.OperandOffset]);
        c.xor(edx, edx);
        c.mov(eax, 7);
        c.xsave64(__[rbx]);
        c.xrstor64(__[rbx + XsaveBlock.StateOffset]);
        c.mov(eax, __dword_ptr[rbx + XsaveBlock.MaskOffset]);
        c.db(instruction);
        c.mov(eax, 7);
        c.xsave64(__[rbx + XsaveBlock.OutcomeOffset]);
        c.xrstor64(__[rbx]);
        c.pop(rdi);
        c.pop(rbx);
    });

    private static bool Restores(Code code) =>
        code is Code.Fxrstor_m512byte or Code.Fxrstor64_m512byte or Code.Xrstor_mem or Code.Xrstor64_mem;

    private static void Fill(XsaveBlock* block, FloatSamples samples, Code code)
    {
        Unsafe.InitBlock(block, 0, (uint)sizeof(XsaveBlock));
        FillArea(block->State, samples);
        *(ulong*)(block->State + BitsAt) = (ulong)samples.Random.Next(8);
        block->Mask = samples.Coin() ? 7 : (ulong)samples.Random.Next(8);
        if (Restores(code))
        {
            FillArea(block->Operand, samples);
            *(ulong*)(block->Operand + BitsAt) = (ulong)samples.Random.Next(8);
            if (samples.Random.Next(3) == 0 && code is Code.Xrstor_mem or Code.Xrstor64_mem)
            {
                // Compacted: what is present must be among what the format holds, and AVX keeps its place.
                *(ulong*)(block->Operand + CompactionAt) = Compacted | 3 | *(ulong*)(block->Operand + BitsAt);
            }

            return;
        }

        for (int i = 0; i < XsaveBlock.AreaSize; i += 8)
        {
            *(ulong*)(block->Operand + i) = samples.NextUInt64();
        }
    }

    private static void FillArea(byte* area, FloatSamples samples)
    {
        *(ushort*)area = samples.NextControlWord();
        *(ushort*)(area + 2) = (ushort)samples.NextUInt64();
        area[4] = (byte)samples.NextUInt64();
        *(uint*)(area + MxcsrAt) = samples.Coin() ? 0x1F80 : (uint)samples.NextUInt64() & 0xFFFF;
        for (int i = 0; i < 8; i++)
        {
            *(Float80*)(area + RegistersAt + (i * 16)) = samples.Next();
        }

        for (int i = XmmAt; i < LegacyEnd; i += 8)
        {
            *(ulong*)(area + i) = samples.NextUInt64();
        }

        for (int i = YmmAt; i < End; i += 8)
        {
            *(ulong*)(area + i) = samples.NextUInt64();
        }
    }

    private static ExitReason Run(InterpretedFpu interpreter, XsaveBlock* block)
    {
        CpuState* s = interpreter.Processor.State;
        ulong bits = *(ulong*)(block->State + BitsAt);
        byte* clear = stackalloc byte[XsaveBlock.AreaSize];
        Unsafe.InitBlock(clear, 0, XsaveBlock.AreaSize);
        *(ushort*)clear = 0x037F;
        byte* x87 = (bits & 1) != 0 ? block->State : clear;
        s->Fcw = *(ushort*)x87;
        s->Fsw = *(ushort*)(x87 + 2);
        int top = (s->Fsw >> 11) & 7;
        bool pending = (s->Fsw & ~s->Fcw & 0x3F) != 0;
        s->Fsw = (ushort)((s->Fsw & 0x7F7F) | (pending ? 0x8080 : 0));
        s->FpuValid = x87[4];
        s->Fop = 0;
        s->Fip = s->Fdp = 0;
        s->Fcs = s->Fds = 0;
        for (int i = 0; i < 8; i++)
        {
            *(Float80*)((byte*)s->Fpr + (((top + i) & 7) * 16)) = *(Float80*)(x87 + RegistersAt + (i * 16));
        }

        s->Mxcsr = *(uint*)(block->State + MxcsrAt);
        for (int i = 0; i < 16; i++)
        {
            Unsafe.CopyBlock(CpuState.Vector(s, i), ((bits & 2) != 0 ? block->State : clear) + XmmAt + (i * 16), 16);
            Unsafe.CopyBlock(CpuState.Vector(s, i) + 16, ((bits & 4) != 0 ? block->State : clear) + YmmAt + (i * 16), 16);
        }

        s->Rip = InterpretedFpu.CodeAddress;
        s->Gpr[0] = block->Mask;
        s->Gpr[2] = 0;
        s->Gpr[7] = InterpretedFpu.BlockAddress;
        interpreter.Memory.Write(InterpretedFpu.BlockAddress, new ReadOnlySpan<byte>(block->Operand, XsaveBlock.AreaSize));
        ExitReason reason = interpreter.Processor.Run(1);
        interpreter.Memory.Read(InterpretedFpu.BlockAddress, new Span<byte>(block->Operand, XsaveBlock.AreaSize));
        byte* outcome = block->Outcome;
        *(ushort*)outcome = s->Fcw;
        *(ushort*)(outcome + 2) = s->Fsw;
        outcome[4] = (byte)s->FpuValid;
        for (int i = 0; i < 8; i++)
        {
            *(Float80*)(outcome + RegistersAt + (i * 16)) = *(Float80*)((byte*)s->Fpr + (((s->FpuTop + i) & 7) * 16));
        }

        *(uint*)(outcome + MxcsrAt) = s->Mxcsr;
        for (int i = 0; i < 16; i++)
        {
            Unsafe.CopyBlock(outcome + XmmAt + (i * 16), CpuState.Vector(s, i), 16);
            Unsafe.CopyBlock(outcome + YmmAt + (i * 16), CpuState.Vector(s, i) + 16, 16);
        }

        return reason;
    }

    private static string? Difference(XsaveBlock* host, XsaveBlock* ours)
    {
        var text = new StringBuilder();
        byte* theirs = host->Outcome;
        ulong bits = *(ulong*)(theirs + BitsAt);
        if ((bits & 1) == 0)
        {
            Unsafe.InitBlock(theirs, 0, PointersTo);
            Unsafe.InitBlock(theirs + RegistersAt, 0, XmmAt - RegistersAt);
            *(ushort*)theirs = 0x037F;
        }

        if ((bits & 2) == 0)
        {
            Unsafe.InitBlock(theirs + XmmAt, 0, LegacyEnd - XmmAt);
        }

        if ((bits & 4) == 0)
        {
            Unsafe.InitBlock(theirs + YmmAt, 0, End - YmmAt);
        }

        Compare(text, "state", theirs, ours->Outcome, 0, PointersFrom);
        Compare(text, "state", theirs, ours->Outcome, MxcsrAt, MxcsrMaskAt);
        Compare(text, "state", theirs, ours->Outcome, RegistersAt, LegacyEnd);
        Compare(text, "state", theirs, ours->Outcome, YmmAt, End);

        Compare(text, "area", host->Operand, ours->Operand, 0, PointersFrom);
        Compare(text, "area", host->Operand, ours->Operand, MxcsrAt, MxcsrMaskAt);
        Compare(text, "area", host->Operand, ours->Operand, RegistersAt, XsaveBlock.AreaSize);
        return text.Length == 0 ? null : text.ToString();
    }

    private static void Compare(StringBuilder text, string what, byte* host, byte* ours, int from, int to)
    {
        for (int i = from; i < to && text.Length < 400; i++)
        {
            if (host[i] != ours[i])
            {
                text.Append(CultureInfo.InvariantCulture, $" {what}[{i}] host {host[i]:X2} ours {ours[i]:X2};");
            }
        }
    }
}
