using System;
using System.Collections.Generic;
using System.Linq;
using Iced.Intel;
using VirtShell.Cpu.Instructions;
using VirtShell.Cpu.Translation;

namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>One form of an instruction: its code, kinds of operands and prefixes, as one example of machine code.</summary>
/// <param name="Bytes">The example.</param>
/// <param name="Instruction">What it decodes to at address 0.</param>
internal sealed record BlockForm(byte[] Bytes, Instruction Instruction)
{
    public override string ToString() => $"{Instruction} ({Convert.ToHexString(Bytes)})";
}

/// <summary>
/// Every form of every instruction that the processor has, found by decoding all opcodes with a choice of prefixes, operands and constants.
/// </summary>
internal static class BlockForms
{
    private static readonly byte[][] s_prefixes = [[], [0x66], [0xF2], [0xF3], [0xF0]];
    private static readonly byte[][] s_rex = [[], [0x45], [0x48]];
    private static readonly byte[][] s_maps = [[], [0x0F], [0x0F, 0x38], [0x0F, 0x3A]];

    /// <summary>Operands: registers, [BX] or [EBX] with each size of displacement, and an absolute address.</summary>
    private static readonly byte[] s_modRm16 = [0xC0, 0x07, 0xD9, 0xE4, 0x47, 0x87, 0x06];
    private static readonly byte[] s_modRm = [0xC0, 0x03, 0xD9, 0xE4, 0x43, 0x83, 0x05];

    /// <summary>Constants and displacements. As a branch: to the next instruction, forward, back, and out of the page.</summary>
    private static readonly byte[] s_fill = [0, 0x11, 0xD1];

    private static readonly Dictionary<int, BlockForm[]> s_forms = [];

    /// <summary>The forms of a code size, the same ones in the same order in every run.</summary>
    public static BlockForm[] Of(int bits)
    {
        lock (s_forms)
        {
            if (!s_forms.TryGetValue(bits, out BlockForm[]? forms))
            {
                s_forms[bits] = forms = Find(bits);
            }

            return forms;
        }
    }

    private static BlockForm[] Find(int bits)
    {
        bool[] supported = CpuFeatures.SupportedCodes(CpuModel.X86_64_V3);
        Dictionary<string, BlockForm> forms = [];
        foreach (byte[] opening in Openings(bits))
        {
            foreach (byte fill in s_fill)
            {
                byte[] bytes = [.. opening, .. Enumerable.Repeat(fill, 14)];
                Decoder decoder = Decoder.Create(bits, new ByteArrayCodeReader(bytes, 0, Math.Min(15, bytes.Length)));
                Instruction instruction = decoder.Decode();
                if (!instruction.IsInvalid && supported[(int)instruction.Code] && HandlerTable.Has(instruction.Code))
                {
                    _ = forms.TryAdd(KeyOf(in instruction), new BlockForm(bytes[..instruction.Length], instruction));
                }
            }
        }

        return [.. forms.OrderBy(static f => f.Key, StringComparer.Ordinal).Select(static f => f.Value)];
    }

    private static IEnumerable<byte[]> Openings(int bits)
    {
        byte[] operands = bits == 16 ? s_modRm16 : s_modRm;
        foreach (byte[] prefix in s_prefixes)
        {
            foreach (byte[] rex in bits == 64 ? s_rex : [[]])
            {
                foreach (byte[] map in s_maps)
                {
                    for (int opcode = 0; opcode < 256; opcode++)
                    {
                        foreach (byte modRm in WithDigits(operands))
                        {
                            yield return [.. prefix, .. rex, .. map, (byte)opcode, modRm];
                        }
                    }
                }
            }
        }

        // Three-byte VEX: map, W, L and pp; second source YMM1 or ECX.
        for (int map = 1; map <= 3; map++)
        {
            for (int last = 0; last < 16; last++)
            {
                byte third = (byte)(((last & 8) << 4) | 0x70 | (last & 7));
                for (int opcode = 0; opcode < 256; opcode++)
                {
                    foreach (byte modRm in operands)
                    {
                        yield return [0xC4, (byte)(0xE0 | map), third, (byte)opcode, modRm];
                        yield return [0xC4, (byte)(0xE0 | map), (byte)(third | 0x78), (byte)opcode, modRm];
                    }
                }
            }
        }
    }

    // Groups have an instruction for each of eight digits: with the first two operands.
    private static IEnumerable<byte> WithDigits(byte[] operands)
    {
        for (int i = 0; i < operands.Length; i++)
        {
            for (int digit = 0; digit < (i < 2 ? 8 : 1); digit++)
            {
                yield return (byte)(operands[i] + (digit << 3));
            }
        }
    }

    private static string KeyOf(in Instruction instruction)
    {
        string key = $"{instruction.Code} {instruction.HasLockPrefix}{instruction.HasRepPrefix}{instruction.HasRepnePrefix}";
        for (int i = 0; i < instruction.OpCount; i++)
        {
            OpKind kind = instruction.GetOpKind(i);
            key += " " + kind + kind switch
            {
                OpKind.Register => Class(instruction.GetOpRegister(i)),
                OpKind.Memory => Class(instruction.MemoryBase),
                OpKind.NearBranch16 or OpKind.NearBranch32 or OpKind.NearBranch64 => Math.Sign((long)instruction.NearBranchTarget - instruction.Length).ToString(System.Globalization.CultureInfo.InvariantCulture),
                OpKind.Immediate8 => IsShift(instruction.Mnemonic) && (instruction.Immediate8 & 31) == 0 ? "0" : "",
                _ => "",
            };
        }

        return key;
    }

    // By a count of zero they are different instructions.
    private static bool IsShift(Mnemonic mnemonic) => mnemonic is Mnemonic.Shl or Mnemonic.Shr or Mnemonic.Sar or Mnemonic.Sal or Mnemonic.Rol or Mnemonic.Ror
        or Mnemonic.Rcl or Mnemonic.Rcr or Mnemonic.Shld or Mnemonic.Shrd;

    // Where the translator keeps it, or what else sets it apart.
    private static string Class(Register register)
    {
        int number = BlockReader.GeneralNumber(register);
        return number < 0 ? register is Register.None or Register.RIP or Register.EIP || register.IsSegmentRegister() || register.IsCR() ? register.ToString() : ""
            : BlockReader.IsHighByte(register) ? "h"
            : number == 4 ? "s"
            : HostRegister.Of(number) == HostRegister.None ? "m"
            : number == 1 ? "c" : "r";
    }
}
