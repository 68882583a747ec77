using System;
using System.Globalization;
using System.Text;
using Iced.Intel;
using VirtShell.Cpu.Tests.Numerics;
using Xunit;

namespace VirtShell.Cpu.Tests.Native;

/// <summary>Runs an instruction from seeded states on the host's processor and in the interpreter, and compares everything they leave behind.</summary>
public sealed unsafe class DifferentialRunner : IDisposable
{
    private const uint StatusFlags = 0x8D5;
    private const int ReportLimit = 4;
    private const int Forms = 8;
    private const uint AllMasked = 0x1F80;
    private const uint Exceptions = 0x3F;

    private readonly DifferentialMemory _memory = new();
    private readonly DifferentialGuest _guest = new();
    private int _completed;

    public void Dispose()
    {
        _memory.Dispose();
        _guest.Dispose();
    }

    /// <summary>Compares one code in all its forms; <paramref name="accept"/> may allow a difference between two vector elements of 32 bits.</summary>
    internal void Compare(Code code, int cases, Func<uint, uint, bool>? accept = null)
    {
        NativeCode.RequireHost();
        Skip.IfNot(_memory.IsAvailable, "Needs a Unix host with the address of the shared window free.");
        Skip.IfNot(HostFeatures.Has(code), $"The host's processor lacks {code}.");
        var samples = new FloatSamples(SoakCases.SeedFor(code.ToString()));
        var report = new StringBuilder();
        int failures = 0;
        _completed = 0;
        for (int form = 0; form < Forms; form++)
        {
            if (DifferentialForms.Encode(code, (form & 1) != 0, form >> 1, samples.Random) is not (byte[] bytes, Instruction instruction))
            {
                continue;
            }

            using NativeCode native = DifferentialHost.Wrap(bytes);
            ulong rip = _guest.Place(bytes);
            for (int i = 0; i < Math.Max(1, cases / Forms) && failures < ReportLimit; i++)
            {
                string? difference = RunOne(code, instruction, native, rip, samples, accept);
                if (difference is not null)
                {
                    failures++;
                    report.Append(CultureInfo.InvariantCulture, $"{instruction} [{Convert.ToHexString(bytes)}] mxcsr={_memory.Before->Mxcsr:X} flags={_memory.Before->Flags:X}:{difference}").AppendLine(Inputs(instruction));
                }
            }
        }

        Assert.True(failures == 0, report.ToString());
        Assert.True(_completed > 0, $"Of {code} nothing was compared: no form could be encoded, or all of them fault.");
    }

    private string? RunOne(Code code, Instruction instruction, NativeCode native, ulong rip, FloatSamples samples, Func<uint, uint, bool>? accept)
    {
        RegisterImage* before = _memory.Before;
        byte* window = stackalloc byte[DifferentialMemory.WindowSize];
        byte* windowAfter = stackalloc byte[DifferentialMemory.WindowSize];
        RegisterImage after = default;
        Fill(code, before, window, samples);
        bool control = code is Code.Ldmxcsr_m32 or Code.VEX_Vldmxcsr_m32 or Code.Stmxcsr_m32 or Code.VEX_Vstmxcsr_m32;
        uint unmasked = samples.Random.Next(4) == 0 && !control && DifferentialForms.IsVector(code) ? (uint)samples.Random.Next(0x40) << 7 : 0;
        before->Mxcsr &= unmasked != 0 ? ~(unmasked | Exceptions) : uint.MaxValue;
        bool done = _guest.Run(rip, before, window, &after, windowAfter);
        _completed += done ? 1 : 0;
        bool simd = !done && unmasked != 0;
        if (!done && !simd)
        {
            return null;
        }

        // The host runs with every exception masked; what it then flags tells whether the guest had to fault.
        uint guestMxcsr = before->Mxcsr;
        before->Mxcsr |= AllMasked;
        new ReadOnlySpan<byte>(window, DifferentialMemory.WindowSize).CopyTo(new Span<byte>(_memory.Window, DifferentialMemory.WindowSize));
        native.Invoke(_memory.Pointer);
        before->Mxcsr = guestMxcsr;
        RegisterImage* host = _memory.After;
        host->Mxcsr &= ~unmasked;

        uint raised = (host->Mxcsr & ~before->Mxcsr) & Exceptions;
        bool mustFault = (raised & ~(guestMxcsr >> 7) & Exceptions & ~0x10u) != 0;
        if (simd)
        {
            // An exact denormal result raises underflow only where it is unmasked, which the masked run does not show.
            bool isKnown = ((guestMxcsr >> 7) & 0x10) != 0;
            return !isKnown ? null : mustFault ? FaultDifference(code, raised, guestMxcsr, before, &after) : " ours faults, the host does not;";
        }

        if (mustFault && !control)
        {
            return " the host would fault, ours does not;";
        }

        return Difference(instruction, host, &after, windowAfter, accept);
    }

    // Nothing but flags is committed, and what is found before computing hides the rest (SDM Vol. 1 §11.5.3).
    private static string? FaultDifference(Code code, uint raised, uint control, RegisterImage* before, RegisterImage* ours)
    {
        uint early = raised & 7;
        uint expected = control | ((early & ~(control >> 7)) != 0 ? early : raised);

        // Dot products end after the stage that raised.
        bool staged = code.ToString().Contains("dpp", StringComparison.OrdinalIgnoreCase);
        var text = new StringBuilder();
        Check(text, "MXCSR at the fault", expected, staged ? expected : ours->Mxcsr);
        for (int i = 0; i < 16 * 4; i++)
        {
            Check(text, $"YMM{i / 4}", ((ulong*)before->Ymm)[i], ((ulong*)ours->Ymm)[i]);
        }

        return text.Length == 0 ? null : text.ToString();
    }

    private string? Difference(Instruction instruction, RegisterImage* host, RegisterImage* ours, byte* windowAfter, Func<uint, uint, bool>? accept)
    {
        var text = new StringBuilder();
        for (int i = 0; i < 16; i++)
        {
            Check(text, (Register.RAX + i).ToString(), host->Gpr[i], ours->Gpr[i]);
        }

        uint defined = (StatusFlags | Flags.Direction) & ~Undefined(instruction);
        Check(text, "flags", host->Flags & defined, ours->Flags & defined);
        Check(text, "MXCSR", host->Mxcsr, ours->Mxcsr);
        for (int i = 0; i < 16 * 8; i++)
        {
            uint theirs = ((uint*)host->Ymm)[i];
            uint mine = ((uint*)ours->Ymm)[i];
            if (theirs != mine && accept?.Invoke(theirs, mine) != true)
            {
                text.Append(CultureInfo.InvariantCulture, $" YMM{i / 8}[{i % 8}] host {theirs:X8} ours {mine:X8};");
            }
        }

        for (int i = 0; i < DifferentialMemory.WindowSize / 8; i++)
        {
            Check(text, $"memory+{(i * 8) - 256}", ((ulong*)_memory.Window)[i], ((ulong*)windowAfter)[i]);
        }

        return text.Length == 0 ? null : text.ToString();
    }

    private static uint Undefined(Instruction instruction)
    {
        RflagsBits bits = instruction.RflagsUndefined;
        uint flags = 0;
        flags |= (bits & RflagsBits.CF) != 0 ? Flags.Carry : 0;
        flags |= (bits & RflagsBits.PF) != 0 ? Flags.Parity : 0;
        flags |= (bits & RflagsBits.AF) != 0 ? Flags.Adjust : 0;
        flags |= (bits & RflagsBits.ZF) != 0 ? Flags.Zero : 0;
        flags |= (bits & RflagsBits.SF) != 0 ? Flags.Sign : 0;
        flags |= (bits & RflagsBits.OF) != 0 ? Flags.Overflow : 0;
        return flags;
    }

    private static void Check(StringBuilder text, string name, ulong host, ulong ours)
    {
        if (host != ours)
        {
            text.Append(CultureInfo.InvariantCulture, $" {name} host {host:X} ours {ours:X};");
        }
    }

    private static void Fill(Code code, RegisterImage* image, byte* window, FloatSamples samples)
    {
        Random random = samples.Random;
        for (int i = 0; i < 16; i++)
        {
            image->Gpr[i] = Integer(random);
        }

        string name = code.ToString();
        bool bitTest = name.StartsWith("Bt", StringComparison.Ordinal) && !name.Contains("imm8", StringComparison.Ordinal);
        if (bitTest)
        {
            for (int i = 0; i < 16; i++)
            {
                image->Gpr[i] = (ulong)random.Next(-1024, 4096);
            }
        }

        bool text = code.ToOpCode().OpCode is >= 0xA4 and <= 0xAF && code.ToOpCode().Table == OpCodeTableKind.Normal;
        if (text)
        {
            image->Gpr[1] = (ulong)random.Next(4);
        }

        image->Gpr[1] &= code is Code.Shld_rm16_r16_CL or Code.Shrd_rm16_r16_CL ? 15 : ulong.MaxValue;
        image->Gpr[3] = DifferentialMemory.Operand;
        image->Gpr[4] = DifferentialMemory.Stack;
        image->Gpr[5] = bitTest ? image->Gpr[5] : DifferentialMemory.Operand + (ulong)random.Next(64);
        image->Gpr[6] = text ? DifferentialMemory.Operand + (ulong)random.Next(64) : image->Gpr[6];
        image->Gpr[7] = text || name.Contains("askmov", StringComparison.Ordinal) ? DifferentialMemory.Operand + 96 + (ulong)random.Next(64) : image->Gpr[7];
        if (name.StartsWith("Xlat", StringComparison.Ordinal))
        {
            image->Gpr[0] &= 0x7F;
        }

        // Bit 1 and IF are set on the host in any case.
        image->Flags = (uint)(random.Next(0x10000) & StatusFlags) | 0x202 | (random.Next(4) == 0 ? Flags.Direction : 0);
        uint sticky = random.Next(2) == 0 ? (uint)random.Next(0x40) : 0x20;
        image->Mxcsr = AllMasked | sticky | (random.Next(2) == 0 ? (uint)random.Next(4) << 13 : 0)
            | (random.Next(4) == 0 ? 0x8000u : 0) | (random.Next(4) == 0 ? 0x40u : 0);
        Values(image->Ymm, 16 * 32, samples);
        Values(window, DifferentialMemory.WindowSize, samples);
        if (code is Code.Ldmxcsr_m32 or Code.VEX_Vldmxcsr_m32)
        {
            for (int i = 0; i < DifferentialMemory.WindowSize / 4; i++)
            {
                ((uint*)window)[i] = (((uint*)window)[i] & 0xFFFF) | AllMasked;
            }
        }

        if (DifferentialForms.IsGather(code))
        {
            bool quad = name.Contains("pgatherq", StringComparison.Ordinal) || name.Contains("gatherqp", StringComparison.Ordinal);
            for (int i = 0; i < (quad ? 4 : 8); i++)
            {
                int index = random.Next(-16, 32);
                if (quad)
                {
                    ((long*)image->Ymm)[(DifferentialForms.GatherIndex * 4) + i] = index;
                }
                else
                {
                    ((int*)image->Ymm)[(DifferentialForms.GatherIndex * 8) + i] = index;
                }
            }
        }
    }

    private static void Values(byte* at, int bytes, FloatSamples samples)
    {
        Random random = samples.Random;
        int kind = random.Next(5);
        bool near = random.Next(3) == 0;
        for (int i = 0; i < bytes / 8; i++)
        {
            ulong value = (kind == 4 ? random.Next(4) : kind) switch
            {
                0 => ((ulong)samples.NextSingle32() << 32) | samples.NextSingle32(),
                1 => samples.NextDouble64(),
                2 => Integer(random),
                _ => ((ulong)(uint)Integer(random) << 32) | (uint)Integer(random),
            };

            // Neighbours that are alike make cancellation, equality and carries.
            ((ulong*)at)[i] = near && i >= 4 ? ((ulong*)at)[random.Next(4)] ^ (ulong)random.Next(4) ^ (random.Next(2) == 0 ? 0x8000_0000_8000_0000 : 0) : value;
        }
    }

    private static ulong Integer(Random random) => random.Next(6) switch
    {
        0 => (ulong)random.Next(-2, 3),
        1 => 1UL << random.Next(64),
        2 => (1UL << random.Next(64)) - 1,
        3 => 0x8000_8000_8080_8000 ^ (ulong)random.Next(256),
        4 => (ulong)random.NextInt64(long.MinValue, long.MaxValue) >> random.Next(64),
        _ => (ulong)random.NextInt64(long.MinValue, long.MaxValue),
    };

    private string Inputs(Instruction instruction)
    {
        var text = new StringBuilder(" from");
        for (int i = 0; i < instruction.OpCount; i++)
        {
            if (instruction.GetOpKind(i) == OpKind.Register)
            {
                Register register = instruction.GetOpRegister(i);
                if (register.IsVectorRegister())
                {
                    ulong* v = (ulong*)(_memory.Before->Ymm + (register.GetNumber() * 32));
                    text.Append(CultureInfo.InvariantCulture, $" {register}={v[3]:X16}_{v[2]:X16}_{v[1]:X16}_{v[0]:X16}");
                }
                else
                {
                    text.Append(CultureInfo.InvariantCulture, $" {register.GetFullRegister()}={_memory.Before->Gpr[register.GetFullRegister() - Register.RAX]:X}");
                }
            }
        }

        return text.Append(CultureInfo.InvariantCulture, $" rax={_memory.Before->Gpr[0]:X} rcx={_memory.Before->Gpr[1]:X} rdx={_memory.Before->Gpr[2]:X}").ToString();
    }
}
