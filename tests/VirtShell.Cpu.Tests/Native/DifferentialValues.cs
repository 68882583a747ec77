using System;
using Iced.Intel;
using VirtShell.Cpu.Tests.Numerics;

namespace VirtShell.Cpu.Tests.Native;

/// <summary>Fills a case with values near the edges, and with what its instruction needs to stay in the window.</summary>
internal static unsafe class DifferentialValues
{
    private const uint StatusFlags = 0x8D5;
    private const uint AllMasked = 0x1F80;

    /// <summary>What POPF must not set here: TF would trap, AC would fault on what the host does next.</summary>
    private const ulong NeverPopped = Flags.Trap | Flags.AlignmentCheck;

    public static void Fill(DifferentialCase test, FloatSamples samples)
    {
        Random random = samples.Random;
        Code code = test.Instruction.Code;
        string name = code.ToString();
        fixed (RegisterImage* image = &test.Image)
        fixed (byte* window = test.Window)
        {
            Values(image->Ymm, 16 * 32, samples);
            Values((byte*)image->Mm, 8 * 8, samples);
            Values(window, DifferentialMemory.WindowSize, samples);
            General(image, code, name, random);
            Control(image, window, code, random);
            if (DifferentialForms.IsGather(code))
            {
                Indices(image, name, random);
            }

            Stack(image, window, test.Instruction, random);
            for (int i = 0; i < 16 && test.IsNarrow; i++)
            {
                image->Gpr[i] = i < 8 ? (uint)image->Gpr[i] : 0;
            }
        }
    }

    private static void General(RegisterImage* image, Code code, string name, Random random)
    {
        for (int i = 0; i < 16; i++)
        {
            image->Gpr[i] = Integer(random);
        }

        bool bitTest = name.StartsWith("Bt", StringComparison.Ordinal) && !name.Contains("imm8", StringComparison.Ordinal);
        if (bitTest)
        {
            for (int i = 0; i < 16; i++)
            {
                image->Gpr[i] = (ulong)random.Next(-1024, 3072);
            }
        }

        bool text = code.ToOpCode().OpCode is >= 0xA4 and <= 0xAF && code.ToOpCode().Table == OpCodeTableKind.Normal;
        bool counts = name.StartsWith("Loop", StringComparison.Ordinal) || name.StartsWith("Je", StringComparison.Ordinal) || name.StartsWith("Jr", StringComparison.Ordinal);
        if (text || counts)
        {
            image->Gpr[1] = (uint)random.Next(4);
            image->Gpr[1] += counts && random.Next(2) == 0 ? 1UL << 32 : 0;
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
    }

    private static void Control(RegisterImage* image, byte* window, Code code, Random random)
    {
        // Bit 1 and IF are set on the host in any case.
        image->Flags = (uint)(random.Next(0x10000) & StatusFlags) | DifferentialCase.DefaultFlags | (random.Next(4) == 0 ? Flags.Direction : 0);
        uint sticky = random.Next(2) == 0 ? (uint)random.Next(0x40) : 0x20;
        image->Mxcsr = AllMasked | sticky | (random.Next(2) == 0 ? (uint)random.Next(4) << 13 : 0)
            | (random.Next(4) == 0 ? 0x8000u : 0) | (random.Next(4) == 0 ? 0x40u : 0);
        if (code is Code.Ldmxcsr_m32 or Code.VEX_Vldmxcsr_m32)
        {
            for (int i = 0; i < DifferentialMemory.WindowSize / 4; i++)
            {
                // Reserved bits sometimes, for their #GP; not bit 17, which AMD has as its own.
                ((uint*)window)[i] &= random.Next(8) == 0 ? ~(1u << 17) : 0xFFFF;
            }
        }
        else if (random.Next(4) == 0 && DifferentialForms.IsVector(code))
        {
            // Any exception unmasked, often with none of the flags there yet.
            image->Mxcsr &= ~((uint)random.Next(0x40) << 7);
            image->Mxcsr &= random.Next(4) != 0 ? ~0x3Fu : uint.MaxValue;
        }
    }

    private static void Indices(RegisterImage* image, string name, Random random)
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

    /// <summary>An index register, branch targets, and what POPF takes.</summary>
    private static void Stack(RegisterImage* image, byte* window, in Instruction instruction, Random random)
    {
        if (instruction.MemoryIndex == DifferentialForms.Index)
        {
            image->Gpr[15] = 32 * (ulong)random.Next(3);
        }

        ulong* top = (ulong*)(window + (DifferentialMemory.Stack - DifferentialMemory.Address - DifferentialMemory.WindowOffset));
        if (instruction.MemoryIndex == Register.ESI)
        {
            image->Gpr[6] = 32 * (ulong)random.Next(3);
        }

        if (instruction.Mnemonic is Mnemonic.Bound && random.Next(2) == 0)
        {
            image->Gpr[0] = image->Gpr[1] = image->Gpr[2] = image->Gpr[5] = image->Gpr[7] = (ulong)random.Next(4);
        }

        if (instruction.Code == Code.Pop_r64 && instruction.Op0Register == Register.RSP)
        {
            // Signals of the host's system need a stack.
            *top = DifferentialMemory.Operand + (8 * (ulong)random.Next(64));
        }

        if (instruction.Mnemonic is Mnemonic.Popfq or Mnemonic.Popfd or Mnemonic.Popf)
        {
            *top &= ~NeverPopped;
        }

        if (!DifferentialForms.IsIndirect(instruction.Code))
        {
            return;
        }

        ulong target = random.Next(2) == 0 ? DifferentialMemory.Forward : DifferentialMemory.Backward;
        if (instruction.FlowControl == FlowControl.Return)
        {
            *top = target;
        }
        else if (instruction.Op0Kind == OpKind.Register)
        {
            image->Gpr[instruction.Op0Register.GetFullRegister() - Register.RAX] = target;
        }
        else
        {
            var general = new ulong[16];
            new ReadOnlySpan<ulong>(image->Gpr, 16).CopyTo(general);
            ulong address = instruction.GetVirtualAddress(0, 0, (register, _, _) =>
                register.GetFullRegister() is >= Register.RAX and <= Register.R15 and var full ? general[full - Register.RAX] : 0);
            *(ulong*)(window + (address - DifferentialMemory.Address - DifferentialMemory.WindowOffset)) = target;
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
}
