namespace VirtShell.Cpu.Translation;

/// <summary>Byte offsets of <see cref="CpuState"/>'s fields, as emitted code names them. Compilers see constants in them.</summary>
internal static unsafe class StateOffset
{
    public static int Rip => (int)&((CpuState*)0)->Rip;
    public static int RipBase => (int)&((CpuState*)0)->RipBase;
    public static int Budget => (int)&((CpuState*)0)->Budget;
    public static int Tlb => (int)&((CpuState*)0)->Tlb;
    public static int FlagThunk => (int)&((CpuState*)0)->FlagThunk;
    public static int FlagPartial => (int)&((CpuState*)0)->FlagPartial;
    public static int ExitId => (int)&((CpuState*)0)->ExitId;
    public static int FlagImage => (int)&((CpuState*)0)->FlagImage;
    public static int JumpTable => (int)&((CpuState*)0)->JumpTable;
    public static int OtherJumpTable => (int)&((CpuState*)0)->OtherJumpTable;
    public static int UserTlb => (int)&((CpuState*)0)->UserTlb;
    public static int SystemTlb => (int)&((CpuState*)0)->SystemTlb;
    public static int AcTlb => (int)&((CpuState*)0)->AcTlb;
    public static int Efer => (int)&((CpuState*)0)->Efer;
    public static int Star => (int)&((CpuState*)0)->MsrStar;
    public static int Lstar => (int)&((CpuState*)0)->MsrLstar;
    public static int Fmask => (int)&((CpuState*)0)->MsrFmask;
    public static int Cpl => (int)&((CpuState*)0)->Cpl;
    public static int ExecKey => (int)&((CpuState*)0)->ExecKey;
    public static int Pending => (int)&((CpuState*)0)->Pending;
    public static int RunEnd => (int)&((CpuState*)0)->RunEnd;
    public static int ShadowAt => (int)&((CpuState*)0)->ShadowAt;
    public static int KernelGsBase => (int)&((CpuState*)0)->MsrKernelGsBase;
    public static int NativeStack => (int)&((CpuState*)0)->NativeStack;
    public static int ReturnStack => (int)&((CpuState*)0)->ReturnStack;
    public static int ParkedStack => (int)&((CpuState*)0)->ParkedStack;
    public static int Parked => (int)&((CpuState*)0)->Parked;
    public static int Parked2 => (int)&((CpuState*)0)->Parked2;
    public static int NativeMxcsr => (int)&((CpuState*)0)->NativeMxcsr;
    public static int VectorsLoaded => (int)&((CpuState*)0)->VectorsLoaded;
    public static int HostMxcsr => (int)&((CpuState*)0)->HostMxcsr;
    public static int FlagsRest => (int)&((CpuState*)0)->FlagsRest;
    private static int Guesses => (int)((CpuState*)0)->TlbGuesses;
    private static int WindowSlots => (int)((CpuState*)0)->Windows;
    private static int Slots => (int)((CpuState*)0)->FlagSlots;
    private static int Segments => (int)&((CpuState*)0)->Es;
    private static int SegmentSize => sizeof(SegmentRegister);
    private static int ReadEnd => (int)&((SegmentRegister*)0)->ReadEnd;
    private static int WriteEnd => (int)&((SegmentRegister*)0)->WriteEnd;
    private static int Selector => (int)&((SegmentRegister*)0)->Selector;
    private static int Attributes => (int)&((SegmentRegister*)0)->Attributes;
    private static int Limit => (int)&((SegmentRegister*)0)->Limit;

    public static int Gpr(int guest) =>
        guest is >= 0 and < 16 ? guest * 8 : throw new System.ArgumentOutOfRangeException(nameof(guest), guest, "No general register has this number.");

    public static int Vector(int number) => CpuState.VectorOffset + (number * 32);

    public static int Slot(int number) => Slots + (number * 8);

    public static int Window(int number) => WindowSlots + (number * 8);

    public static int TlbGuess(int number) => Guesses + (number * 4);

    public static int SegmentBase(int index) => Segments + (index * SegmentSize);

    public static int SegmentReadEnd(int index) => SegmentBase(index) + ReadEnd;

    public static int SegmentWriteEnd(int index) => SegmentBase(index) + WriteEnd;

    public static int SegmentLimit(int index) => SegmentBase(index) + Limit;

    public static int SegmentSelector(int index) => SegmentBase(index) + Selector;

    public static int SegmentAttributes(int index) => SegmentBase(index) + Attributes;
}
