namespace VirtShell.Cpu.Instructions.X87;

/// <summary>Layout of the FXSAVE and XSAVE areas (Intel SDM vol. 1, 10.5.1 and 13.4) and of XCR0.</summary>
internal static class XsaveArea
{
    // XCR0 and XSTATE_BV bits (SDM vol. 1, 13.1).
    public const ulong X87 = 1 << 0;
    public const ulong Sse = 1 << 1;
    public const ulong Avx = 1 << 2;

    /// <summary>XCOMP_BV bit 63: the area is in compacted format.</summary>
    public const ulong Compacted = 1UL << 63;

    // Legacy region.
    public const int Control = 0;
    public const int Status = 2;
    public const int Tags = 4;
    public const int Opcode = 6;
    public const int InstructionPointer = 8;
    public const int CodeSelector = 12;
    public const int DataPointer = 16;
    public const int DataSelector = 20;
    public const int Mxcsr = 24;
    public const int MxcsrMask = 28;
    public const int St0 = 32;
    public const int Xmm0 = 160;

    /// <summary>The legacy region's size, and how much of it the processor uses.</summary>
    public const int LegacySize = 512;

    // Header.
    public const int StateBits = 512;
    public const int CompactionBits = 520;
    public const int HeaderReserved = 528;
    public const int HeaderEnd = 576;

    /// <summary>Component 2, in the standard format and, being the first, in the compacted one too: the upper halves of YMM0–YMM15.</summary>
    public const int YmmHigh = 576;
    public const int End = YmmHigh + (16 * 16);

    public const uint MxcsrDefault = 0x1F80;

    /// <summary>MXCSR bits that may be set: all up to flush-to-zero, with denormals-are-zeros.</summary>
    public const uint MxcsrWritable = 0xFFFF;
}
