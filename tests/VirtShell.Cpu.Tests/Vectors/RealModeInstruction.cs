namespace VirtShell.Cpu.Tests.Vectors;

/// <summary>As much of an 80286 instruction's encoding as the rules need: prefixes, opcode, ModR/M and the effective address (Intel 80286 Programmer's Reference, appendix B).</summary>
internal readonly struct RealModeInstruction
{
    private const int Bx = 1;
    private const int Bp = 9;
    private const int Si = 10;
    private const int Di = 11;

    public RealModeInstruction(MooTest test)
    {
        byte[] code = test.Code;
        int at = 0;
        while (at < code.Length && IsPrefix(code[at]))
        {
            Locked |= code[at] == 0xF0;
            Repeated |= code[at] is 0xF2 or 0xF3;
            Override = code[at] is 0x26 or 0x2E or 0x36 or 0x3E ? code[at] : Override;
            at++;
        }

        Opcode = At(code, at);
        if (!HasModRm(Opcode))
        {
            return;
        }

        byte modRm = At(code, at + 1);
        Register = (modRm >> 3) & 7;
        int mod = modRm >> 6;
        int rm = modRm & 7;
        if (mod == 3)
        {
            return;
        }

        bool direct = mod == 0 && rm == 6;
        int displacement = mod switch
        {
            1 => (sbyte)At(code, at + 2),
            2 => At(code, at + 2) | (At(code, at + 3) << 8),
            _ => direct ? At(code, at + 2) | (At(code, at + 3) << 8) : 0,
        };
        ushort?[] r = test.InitialRegisters;
        int sum = rm switch
        {
            0 => (r[Bx] + r[Si]) ?? 0,
            1 => (r[Bx] + r[Di]) ?? 0,
            2 => (r[Bp] + r[Si]) ?? 0,
            3 => (r[Bp] + r[Di]) ?? 0,
            4 => r[Si] ?? 0,
            5 => r[Di] ?? 0,
            6 => direct ? 0 : r[Bp] ?? 0,
            _ => r[Bx] ?? 0,
        };
        HasMemory = true;
        Offset = (ushort)(sum + displacement);
        MemoryThroughStack = Override == 0 ? rm is 2 or 3 || (rm == 6 && !direct) : Override == 0x36;
    }

    public byte Opcode { get; }

    public bool Locked { get; }

    public bool Repeated { get; }

    /// <summary>The segment-override prefix that counts (the last); 0 for none.</summary>
    public byte Override { get; }

    /// <summary>ModR/M bits 5:3.</summary>
    public int Register { get; }

    /// <summary>ModR/M names an operand in memory.</summary>
    public bool HasMemory { get; }

    /// <summary>Effective address of the operand in memory.</summary>
    public ushort Offset { get; }

    /// <summary>The operand in memory is in SS, by its base register or an override.</summary>
    public bool MemoryThroughStack { get; }

    /// <summary>INS, OUTS, MOVS, CMPS, STOS, LODS, SCAS.</summary>
    public bool IsString => Opcode is (>= 0x6C and <= 0x6F) or (>= 0xA4 and <= 0xA7) or (>= 0xAA and <= 0xAF);

    /// <summary>PUSH, POP, CALL, RET, ENTER, LEAVE, INT, IRET: uses SS:SP or SS:BP by itself.</summary>
    public bool UsesStack => Opcode switch
    {
        0x06 or 0x07 or 0x0E or 0x16 or 0x17 or 0x1E or 0x1F => true,
        (>= 0x50 and <= 0x61) or 0x68 or 0x6A or 0x8F or 0x9A or 0x9C or 0x9D => true,
        0xC2 or 0xC3 or (>= 0xC8 and <= 0xCF) or 0xE8 => true,
        0xFF => Register is 2 or 3 or 6,
        _ => false,
    };

    /// <summary>A read-modify-write of memory to which LOCK may be put (SDM Vol. 2A, LOCK).</summary>
    public bool IsLockable => HasMemory && Opcode switch
    {
        < 0x38 => (Opcode & 7) < 2,
        0x80 or 0x81 or 0x82 or 0x83 => Register != 7,
        0x86 or 0x87 => true,
        0xF6 or 0xF7 => Register is 2 or 3,
        0xFE or 0xFF => Register < 2,
        _ => false,
    };

    /// <summary>Bytes of the operand in memory that are checked against the limit at once.</summary>
    public int MemorySize => Opcode switch
    {
        0x62 or 0xC4 or 0xC5 or (>= 0xD8 and <= 0xDF) => 4,
        0xFF => Register is 3 or 5 ? 4 : 2,
        0x8C or 0x8E or 0x8F or 0x8D or 0x69 or 0x6B => 2,
        _ => (Opcode & 1) + 1,
    };

    private static bool IsPrefix(byte value) => value is 0x26 or 0x2E or 0x36 or 0x3E or 0xF0 or 0xF2 or 0xF3;

    private static byte At(byte[] code, int index) => index < code.Length ? code[index] : (byte)0;

    private static bool HasModRm(byte opcode) => opcode switch
    {
        < 0x40 => (opcode & 7) < 4,
        0x62 or 0x63 or 0x69 or 0x6B or (>= 0x80 and <= 0x8F) => true,
        0xC0 or 0xC1 or (>= 0xC4 and <= 0xC7) or (>= 0xD0 and <= 0xD3) or (>= 0xD8 and <= 0xDF) => true,
        0xF6 or 0xF7 or 0xFE or 0xFF => true,
        _ => false,
    };
}
