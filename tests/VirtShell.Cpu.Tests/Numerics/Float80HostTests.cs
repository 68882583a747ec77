using System;
using System.Runtime.CompilerServices;
using System.Text;
using VirtShell.Cpu.Numerics;
using VirtShell.Cpu.Tests.Native;
using Xunit;
using static Iced.Intel.AssemblerRegisters;

namespace VirtShell.Cpu.Tests.Numerics;

/// <summary>The software floating point against the host's own x87, instruction by instruction, over seeded edge-biased operands.</summary>
public sealed unsafe class Float80HostTests
{
    private const int OutputOffset = 128;
    private const int BlockSize = 512;
    private const ushort RoundUpBit = 0x0200;
    private const ushort ConditionBits = 0x4500;
    private const ushort ErrorSummary = 0x8080;
    private const ushort ExceptionBits = 0x3F;

    public static TheoryData<string> Names
    {
        get
        {
            var names = new TheoryData<string>();
            foreach (X87Operation operation in X87Operations.All)
            {
                names.Add(operation.Name);
            }

            return names;
        }
    }

    [SkippableTheory]
    [MemberData(nameof(Names))]
    public void Matches_host(string name)
    {
        NativeCode.RequireHost();
        X87Operation operation = Find(name);
        using NativeCode code = NativeCode.Assemble(c =>
        {
            c.frstor(__[NativeCode.Argument]);
            operation.Emit(c);
            c.fnsave(__[NativeCode.Argument + OutputOffset]);
        });
        var samples = new FloatSamples(SoakCases.SeedFor(name));
        byte* block = stackalloc byte[BlockSize];
        int count = SoakCases.Count(20_000);
        int failures = 0;
        var report = new StringBuilder();
        for (int i = 0; i < count && failures < 12; i++)
        {
            X87Outcome outcome = NextCase(samples);
            ushort control = outcome.Context.ControlWord;
            Prepare(block, outcome);
            Float80 a = outcome.A;
            Float80 b = outcome.B;
            ulong memory = outcome.Memory;
            ushort memoryHigh = outcome.MemoryHigh;
            code.Invoke(block);
            outcome.First = a;
            outcome.Second = b;
            operation.Model(ref outcome);
            string? difference = Compare(block, outcome, operation.Tolerance);
            if (difference is not null)
            {
                failures++;
                report.Append(name).Append(" cw=").Append(control.ToString("X4", null)).Append(" a=").Append(a).Append(" b=").Append(b)
                    .Append(" mem=").Append(memoryHigh.ToString("X4", null)).Append(memory.ToString("X16", null)).Append(": ").AppendLine(difference);
            }
        }

        Assert.True(failures == 0, report.ToString());
    }

    private static X87Operation Find(string name)
    {
        foreach (X87Operation operation in X87Operations.All)
        {
            if (operation.Name == name)
            {
                return operation;
            }
        }

        throw new ArgumentException(name);
    }

    private static X87Outcome NextCase(FloatSamples samples)
    {
        X87Outcome outcome = default;
        outcome.Context = new FloatContext(samples.NextControlWord());
        outcome.A = samples.Next();
        outcome.B = samples.NextNear(outcome.A);
        outcome.Memory = samples.Random.Next(4) switch
        {
            0 => samples.NextSingle32() | (samples.NextUInt64() << 32),
            1 => samples.NextDouble64(),
            2 => (ulong)(samples.Random.NextInt64(long.MinValue, long.MaxValue) >> samples.Random.Next(64)),
            _ => samples.NextUInt64() & 0x1999_1111_8888_7777,
        };
        outcome.MemoryHigh = (ushort)samples.NextUInt64();
        return outcome;
    }

    private static void Prepare(byte* block, in X87Outcome outcome)
    {
        Unsafe.InitBlock(block, 0, BlockSize);
        var image = (X87Image*)block;
        image->Control = outcome.Context.ControlWord;
        image->Status = 6 << 11;
        image->Tags = 0x0FFF;
        image->Stack[0] = outcome.A;
        image->Stack[1] = outcome.B;
        *(ulong*)(block + X87Operations.MemoryOffset) = outcome.Memory;
        *(ushort*)(block + X87Operations.MemoryOffset + 8) = outcome.MemoryHigh;
    }

    private static string? Compare(byte* block, in X87Outcome outcome, int tolerance)
    {
        var image = (X87Image*)(block + OutputOffset);
        FloatExceptions exceptions = outcome.Context.Exceptions;
        int expected = (int)exceptions | outcome.Conditions;
        if (outcome.Context.RoundedUp)
        {
            expected |= RoundUpBit;
        }

        if (outcome.Context.Unmasked != FloatExceptions.None)
        {
            expected |= ErrorSummary;
        }

        int compared = ExceptionBits | ConditionBits | ErrorSummary | (tolerance == 0 ? RoundUpBit : 0);
        int top = (6 - outcome.Pushed) & 7;
        ulong memory = *(ulong*)(block + X87Operations.MemoryOffset);
        ushort memoryHigh = *(ushort*)(block + X87Operations.MemoryOffset + 8);
        Float80 first = outcome.Pushed < 0 ? image->Stack[7] : image->Stack[0];
        Float80 second = outcome.Pushed < 0 ? image->Stack[0] : image->Stack[1];
        bool same = ((image->Status ^ expected) & compared) == 0
            && image->Top == top
            && Near(first, outcome.First, tolerance)
            && Near(second, outcome.Second, tolerance)
            && memory == outcome.Memory
            && memoryHigh == outcome.MemoryHigh;
        return same
            ? null
            : $"host sw={image->Status:X4} {first} {second} {memoryHigh:X4}{memory:X16}, ours sw={expected | (top << 11):X4} {outcome.First} {outcome.Second} {outcome.MemoryHigh:X4}{outcome.Memory:X16}";
    }

    private static bool Near(Float80 host, Float80 ours, int tolerance)
    {
        if (host == ours)
        {
            return true;
        }

        if (tolerance == 0 || (host.SignExponent & 0x8000) != (ours.SignExponent & 0x8000) || host.Exponent == Float80.MaxExponent)
        {
            return false;
        }

        Int128 distance = (((Int128)host.Exponent << 63) + (Int128)(host.Significand & ~Float80.IntegerBit))
            - (((Int128)ours.Exponent << 63) + (Int128)(ours.Significand & ~Float80.IntegerBit));
        return Int128.Abs(distance) <= tolerance;
    }
}
