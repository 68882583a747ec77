using System;

namespace VirtShell.Cpu.Tests.Vectors;

/// <summary>
/// What a modern x86 rightly does otherwise than the captured 80286: each difference one named rule with its reason.
/// A rule masks flags or registers, moves an exception, or leaves a test out; which tests it takes is decided by the instruction and the
/// captured exception, never by our result.
/// </summary>
internal static class VectorRules
{
    private const ushort Carry = 1;
    private const ushort Parity = 4;
    private const ushort Adjust = 16;
    private const ushort Zero = 64;
    private const ushort Sign = 128;
    private const ushort Overflow = 0x800;

    /// <summary>The segment-limit exception of the 286 in real mode.</summary>
    private const byte LimitException = 13;

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
    public static string? LeaveOut(MooTest test, in RealModeInstruction instruction)
    {
        byte opcode = instruction.Opcode;
        if (opcode == 0x0F)
        {
            return "two-byte opcodes differ since the 386";
        }

        if (opcode is 0x64 or 0x65 or 0x66 or 0x67)
        {
            return "64h-67h are prefixes since the 386";
        }

        if (opcode == 0x8E && instruction.Register is 4 or 5)
        {
            return "FS and GS exist since the 386; the 286 has an invalid opcode";
        }

        if (instruction.Locked && !instruction.IsLockable)
        {
            return "LOCK on other than a read-modify-write of memory is #UD since the 386, and was not on the 286";
        }

        if (test.Code.Length - 1 > 10)
        {
            return "the 286 limits an instruction to 10 bytes, later processors to 15";
        }

        if (opcode == 0x8F && instruction.HasMemory && test.Exception == LimitException)
        {
            return "POP to memory that faults leaves SP advanced on the 286, and as it was on later processors, so that the frame lies elsewhere";
        }

        return null;
    }

    /// <summary>
    /// A limit violation through SS: exception 13 on the 286 in real mode, 12 since the 386 (SDM Vol. 3B, 8086 Emulation, "Real-Address Mode Exceptions and Interrupts"). The
    /// processor must then deliver 12 to the handler that the capture has at 13, all else as captured.
    /// </summary>
    public static bool IsStackLimit(MooTest test, in RealModeInstruction instruction)
    {
        if (test.Exception != LimitException)
        {
            return false;
        }

        if (instruction.IsString)
        {
            return StringSourceThroughStack(test, in instruction);
        }

        if (instruction.HasMemory && instruction.Offset + instruction.MemorySize > 0x1_0000)
        {
            return instruction.MemoryThroughStack;
        }

        return instruction.UsesStack;
    }

    /// <summary>
    /// A string instruction that violates a limit: the 286 leaves SI, DI and CX some way past the element at fault; since
    /// the 386 they stand at that element, which for an unrepeated instruction is where they were.
    /// </summary>
    public static bool IsFaultingString(MooTest test, in RealModeInstruction instruction) => test.Exception == LimitException && instruction.IsString;

    /// <summary>Only MOVS, CMPS, LODS and OUTS with an SS override read through SS; the source is at fault when SI gets to FFFFh no later than DI.</summary>
    private static bool StringSourceThroughStack(MooTest test, in RealModeInstruction instruction)
    {
        const int Si = 10;
        const int Di = 11;
        const int FlagsIndex = 13;
        const int Direction = 0x400;
        byte opcode = instruction.Opcode;
        if (instruction.Override != 0x36 || opcode is not (0x6F or 0xA5 or 0xA7 or 0xAD))
        {
            return false;
        }

        bool down = (test.InitialRegisters[FlagsIndex] & Direction) != 0;
        int source = StepsToLimit(test.InitialRegisters[Si] ?? 0, down);
        return opcode is 0x6F or 0xAD || source <= StepsToLimit(test.InitialRegisters[Di] ?? 0, down);
    }

    /// <summary>Word steps until an index is FFFFh, where a word crosses the limit; an even index never gets there.</summary>
    private static int StepsToLimit(ushort index, bool down)
    {
        if ((index & 1) == 0)
        {
            return int.MaxValue;
        }

        return (ushort)(down ? index + 1 : 0xFFFF - index) / 2;
    }

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
