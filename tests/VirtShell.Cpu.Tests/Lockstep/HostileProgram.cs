using System;
using System.Collections.Generic;
using Iced.Intel;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Programs of random bytes: nothing holds them together but the handlers, which step over whatever faults.</summary>
internal static class HostileProgram
{
    private const int CodeBytes = 0x1800;

    /// <summary>Openings that random bytes seldom hit upon: system and far instructions, and prefixes of the newer maps.</summary>
    private static readonly byte[][] s_rare =
    [
        [0x0F, 0x00], [0x0F, 0x01], [0x0F, 0x20], [0x0F, 0x22], [0x0F, 0x23], [0x0F, 0x02], [0x0F, 0x03], [0x0F, 0x30], [0x0F, 0x32],
        [0xCF], [0xCB], [0xEA], [0x9A], [0xCD], [0x8E], [0x8C], [0x07], [0x17], [0x1F], [0xFF], [0x0F, 0x05], [0x0F, 0x34], [0x0F, 0x35],
        [0xC5], [0xC4], [0x0F, 0xB2], [0xF1], [0xCC], [0xCE], [0x9D], [0xFB], [0x0F, 0xAE], [0x0F, 0xC7], [0x63], [0xC8], [0x62], [0x66, 0xCF],
        [0x66, 0x0F], [0xF3, 0x0F], [0xF2, 0x0F], [0x0F, 0x38], [0x0F, 0x3A], [0xF0], [0xF3], [0xF2], [0xC3], [0xE8], [0xEB], [0x75], [0xE2],
    ];

    public static GuestProgram Generate(GuestMode mode, int seed)
    {
        Random random = new(unchecked((seed * 65_599) + (int)mode));
        GuestProgram program = new() { Mode = ModeInfo.Of(mode), Seed = seed, Mix = "random bytes" };
        program.Flags = 0x202 | (random.Next(2) == 0 ? 0x3000u : 0) | (program.Mode.IsVirtual ? Flags.Virtual8086 : 0);
        byte[] code = new byte[CodeBytes];
        random.NextBytes(code);
        for (int i = 0; i < CodeBytes / 10; i++)
        {
            s_rare[random.Next(s_rare.Length)].CopyTo(code, random.Next(code.Length - 4));
        }

        // HLT ends too much of it.
        for (int i = 0; i < code.Length; i++)
        {
            code[i] = code[i] == 0xF4 ? (byte)0x90 : code[i];
        }

        byte[] lengths = new byte[Layout.LengthBytes];
        for (int i = 0; i < code.Length; i++)
        {
            Decoder decoder = Decoder.Create(program.Mode.Bits, new ByteArrayCodeReader(code, i, Math.Min(15, code.Length - i)));
            lengths[i] = (byte)Math.Max(1, decoder.Decode().Length);
            program.Starts.Add(Layout.Code + (ulong)i);
        }

        byte[] data = new byte[Layout.DataBytes];
        random.NextBytes(data);
        program.Memory.Add((Layout.Code, code));
        program.Memory.Add((Layout.Lengths, lengths));
        program.Memory.Add((Layout.Data, data));
        List<ulong> registers = [];
        for (int i = 0; i < 16; i++)
        {
            registers.Add(random.Next(4) == 0 ? (ulong)random.NextInt64() : (program.Mode.Segmented ? 0 : Layout.Data) + (ulong)random.Next(0xE000));
        }

        registers[4] = 0;
        program.Registers = [.. registers];
        for (int i = 0; i < 20; i++)
        {
            byte[] patch = new byte[random.Next(1, 9)];
            random.NextBytes(patch);
            program.Patches.Add((Layout.Code + (ulong)random.Next(CodeBytes - 8), patch));
        }

        return program;
    }
}
