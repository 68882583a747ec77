namespace VirtShell.Cpu.Translation;

/// <summary>What a translation depends on beside the code bytes: the mode, and which checks its accesses and its SIMD instructions need.</summary>
internal static unsafe class TranslationKey
{
    public const int Count = 256;
    public const int ModeMask = 3;
    public const int User = 4;

    /// <summary>Outside of 64-bit mode: CS, DS, ES and SS have base 0 and a limit of 4 GiB.</summary>
    public const int FlatSegments = 8;

    /// <summary>Outside of 64-bit mode: the stack is 32 bits wide.</summary>
    public const int BigStack = 16;

    /// <summary>SSE instructions may run, and MXCSR masks every exception.</summary>
    public const int Sse = 32;

    /// <summary>The same for VEX-encoded ones.</summary>
    public const int Avx = 64;

    /// <summary>Not of the state, but of a translation: each access is checked by itself.</summary>
    public const int Strict = 128;

    private const uint AllMasked = 0x1F80;
    private const ulong AvxState = 6;

    /// <summary>The key of the state as it is now.</summary>
    public static int Of(CpuState* s)
    {
        int mode = (int)s->ExecKey & ModeMask;
        int key = mode | (s->Cpl == 3 ? User : 0);
        if (mode != (int)Execution.CodeMode.Bits64)
        {
            key |= IsFlat(&s->Ds) && IsFlat(&s->Es) && IsFlat(&s->Ss) && s->Cs.Base == 0 && s->Cs.Limit == uint.MaxValue ? FlatSegments : 0;
            key |= s->StackMask == uint.MaxValue ? BigStack : 0;
        }

        if ((s->Mxcsr & AllMasked) == AllMasked)
        {
            key |= (s->Cr0 & (ControlBits.Cr0Emulation | ControlBits.Cr0TaskSwitched)) == 0 && (s->Cr4 & ControlBits.Cr4Osfxsr) != 0 ? Sse : 0;
            key |= (s->Cr0 & (ControlBits.Cr0TaskSwitched | ControlBits.Cr0Protection)) == ControlBits.Cr0Protection && s->Virtual8086 == 0
                && (s->Cr4 & ControlBits.Cr4Osxsave) != 0 && (s->Xcr0 & AvxState) == AvxState ? Avx : 0;
        }

        return key;
    }

    private static bool IsFlat(SegmentRegister* segment) => segment->Base == 0 && segment->ReadEnd == 1UL << 32 && segment->WriteEnd == 1UL << 32;
}
