namespace VirtShell.Cpu.Translation;

/// <summary>Where the parts of an encoded instruction stand (SDM Vol. 2 §2.1, §2.3), so that it can be written again with other registers.</summary>
internal unsafe struct InstructionLayout
{
    public bool OperandSize;
    public bool Lock;
    public byte Rex;
    public byte* Opcode;

    /// <summary>0 one-byte, 1 0Fh, 2 0F38h, 3 0F3Ah: VEX.mmmmm's numbers.</summary>
    public int Map;
    public bool IsVex;
    public bool Wide;
    public int Vvvv;
    public bool Long;
    public int Pp;
    public byte* ModRm;
    public byte* Immediate;
    public byte* End;

    public readonly int Reg => (*ModRm >> 3) & 7;

    /// <summary>Takes an instruction apart. <paramref name="addressBits"/> is its address size: 16, 32 or 64.</summary>
    public static InstructionLayout Parse(byte* code, int length, bool is64, bool hasModRm, bool isVex, int addressBits)
    {
        InstructionLayout l = default;
        l.End = code + length;
        byte* at = code;
        while (true)
        {
            byte b = *at;
            if (b == 0x66)
            {
                l.OperandSize = true;
                l.Rex = 0;
            }
            else if (b == 0xF0)
            {
                l.Lock = true;
                l.Rex = 0;
            }
            else if (b is 0xF2 or 0xF3 or 0x2E or 0x36 or 0x3E or 0x26 or 0x64 or 0x65 or 0x67)
            {
                l.Rex = 0;
            }
            else if (is64 && (b & 0xF0) == 0x40)
            {
                l.Rex = b;
            }
            else
            {
                break;
            }

            at++;
        }

        if (isVex)
        {
            l.IsVex = true;
            byte last = at[0] == 0xC5 ? at[1] : at[2];
            l.Map = at[0] == 0xC5 ? 1 : at[1] & 31;
            l.Wide = at[0] == 0xC4 && (last & 0x80) != 0;
            l.Rex = (byte)(at[0] == 0xC5 ? (~at[1] & 0x80) >> 5 : (~at[1] >> 5) & 7);
            l.Vvvv = (~last >> 3) & 15;
            l.Long = (last & 4) != 0;
            l.Pp = last & 3;
            at += at[0] == 0xC5 ? 2 : 3;
        }
        else
        {
            l.Wide = (l.Rex & 8) != 0;
            if (*at == 0x0F)
            {
                at++;
                l.Map = 1;
                if (*at is 0x38 or 0x3A)
                {
                    l.Map = *at == 0x38 ? 2 : 3;
                    at++;
                }
            }
        }

        l.Opcode = at++;
        if (hasModRm)
        {
            l.ModRm = at;
            at += Displacement(at, addressBits);
        }

        l.Immediate = at;
        return l;
    }

    // Bytes of ModRM, SIB and displacement.
    private static int Displacement(byte* modRm, int addressBits)
    {
        int mod = *modRm >> 6;
        int rm = *modRm & 7;
        if (mod == 3)
        {
            return 1;
        }

        if (addressBits == 16)
        {
            return mod == 1 ? 2 : mod == 2 || rm == 6 ? 3 : 1;
        }

        int size = rm == 4 ? 2 : 1;
        int @base = rm == 4 ? modRm[1] & 7 : rm;
        return size + (mod == 1 ? 1 : mod == 2 || @base == 5 ? 4 : 0);
    }
}
