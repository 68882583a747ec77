using System;

namespace VirtShell.Cpu.Tests.Vectors;

/// <summary>
/// What a modern x86 rightly does otherwise than the captured 80286: each difference one named rule with its reason.
/// A rule masks flags, or leaves a test out; which tests it takes is decided by the instruction, never by the result.
/// </summary>
internal static class VectorRules
{
    private const ushort Carry = 1;
    private const ushort Parity = 4;
    private const ushort Adjust = 16;
    private const ushort Zero = 64;
    private const ushort Sign = 128;
    private const ushort Overflow = 0x800;

    /// <summary>FLAGS bits 12–15 are fixed on a 286 in real mode and are IOPL and NT since the 386.</summary>
    public const ushort FixedHigh = 0xF000;

    /// <summary>Flags that the manuals leave undefined, by opcode form (Intel SDM Vol. 2, "Flags Affected").</summary>
    public static ushort UndefinedFlags(string form, MooTest test)
    {
        string opcode = form.Split('.')[0];
        string mnemonic = test.Name.TrimStart().Split(' ')[0];
        int count = ShiftCount(opcode, test);
        switch (mnemonic)
        {
            case "shl" or "shr" or "sal" or "sar" or "setmo" or "setmoc":
                // AF undefined; OF undefined unless the count is 1; CF undefined for SHL, SHR by the operand size or more.
                return (ushort)(count == 0 ? 0 : Adjust | (count != 1 ? Overflow : 0) | (count >= Bits(opcode) ? Carry : 0));
            case "rol" or "ror" or "rcl" or "rcr":
                return (ushort)(count > 1 ? Overflow : 0);
            case "mul" or "imul":
                return Sign | Zero | Adjust | Parity;
            case "div" or "idiv":
                return Sign | Zero | Adjust | Parity | Overflow | Carry;
            case "aaa" or "aas":
                return Sign | Zero | Parity | Overflow;
            case "daa" or "das":
                return Overflow;
            case "aam" or "aad":
                return Carry | Adjust | Overflow;
            case "and" or "or" or "xor" or "test":
                return Adjust;
            default:
                return 0;
        }
    }

    /// <summary>Why a test cannot be asked of a modern x86; null where it can.</summary>
    public static string? LeaveOut(string form, MooTest test)
    {
        _ = form;
        ReadOnlySpan<byte> code = test.Code;
        int at = 0;
        bool locked = false;
        while (at < code.Length && IsPrefix(code[at]))
        {
            locked |= code[at] == 0xF0;
            at++;
        }

        byte opcode = at < code.Length ? code[at] : (byte)0;
        if (opcode == 0x0F)
        {
            return "two-byte opcodes differ since the 386";
        }

        if (opcode is 0x64 or 0x65 or 0x66 or 0x67)
        {
            return "64h-67h are prefixes since the 386";
        }

        if (locked)
        {
            return "LOCK on other than a read-modify-write of memory is #UD since the 386, and was not on the 286";
        }

        if (code.Length - 1 > 10)
        {
            return "the 286 limits an instruction to 10 bytes, later processors to 15";
        }

        return null;
    }

    private static bool IsPrefix(byte value) => value is 0x26 or 0x2E or 0x36 or 0x3E or 0xF0 or 0xF2 or 0xF3;

    private static int Bits(string opcode) => (Convert.ToInt32(opcode, 16) & 1) == 0 ? 8 : 16;

    private static int ShiftCount(string opcode, MooTest test)
    {
        switch (opcode)
        {
            case "C0" or "C1":
                // The immediate is the last byte before the HLT.
                return test.Code[^2] & 31;
            case "D2" or "D3":
                return (test.InitialRegisters[2] ?? 0) & 31;
            default:
                return 1;
        }
    }
}
