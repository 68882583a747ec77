namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Where everything of a random program's guest stands. Physical memory is mapped 1:1 below <see cref="Windows"/>, where there is paging at all.</summary>
internal static class Layout
{
    public const ulong RamBytes = 4 << 20;

    public const ulong Gdt = 0x1000;
    public const ulong Idt = 0x2000;
    public const ulong Tss = 0x3000;
    public const uint TssLimit = 0x68 + 0x40;

    /// <summary>Exception handlers, at most 4 KiB of stubs and then the common code.</summary>
    public const ulong Handlers = 0x6000;

    /// <summary>Counters that handlers keep: one dword for each vector.</summary>
    public const ulong Counters = 0x8000;
    public const ulong StepCounter = Counters + 0x800;
    public const ulong RestartCounter = Counters + 0x810;
    public const ulong SavedStack = Counters + 0x808;

    public const ulong ExceptionStack = 0xA000;
    public const ulong NmiStack = 0xB000;
    public const ulong DebugStack = 0xC000;
    public const ulong KernelStack = 0xF000;

    /// <summary>The program: 64 KiB.</summary>
    public const ulong Code = 0x1_0000;
    public const int CodeBytes = 0x1_0000;

    /// <summary>Services of the kernel: random code of the highest privilege.</summary>
    public const ulong Services = 0x2_0000;
    public const int ServiceBytes = 0x1_0000;

    public const ulong Data = 0x3_0000;
    public const int DataBytes = 0x1_0000;

    /// <summary>Loop counters and the like, which random stores leave alone for the most part.</summary>
    public const ulong Cells = 0x4_0000;
    public const int CellBytes = 0x1_0000;

    public const ulong Stack = 0x5_0000;
    public const int StackTop = 0xFF00;

    /// <summary>Frames behind the pages that come and go.</summary>
    public const ulong DemandFrames = 0x6_0000;

    /// <summary>Two sets of four frames with the same routines in two versions.</summary>
    public const ulong RoutinesA = 0x6_8000;
    public const ulong RoutinesB = 0x6_C000;

    /// <summary>For each byte of <see cref="Code"/> and <see cref="Services"/>: the length of the instruction that begins there.</summary>
    public const ulong Lengths = 0x8_0000;
    public const int LengthBytes = 0x2_0000;

    public const ulong Mmio = 0xA_0000;
    public const int MmioBytes = 0x2_0000;

    public const ulong Tables = 0xC_0000;

    /// <summary>Linear addresses of pages with properties; only with paging.</summary>
    public const ulong Windows = 0x40_0000;
    public const ulong CodeAlias = 0x40_0000;
    public const ulong DataAlias = 0x41_0000;
    public const ulong ReadOnlyAlias = 0x42_0000;
    public const ulong DemandWindow = 0x43_0000;
    public const ulong RoutineWindow = 0x44_0000;
    public const ulong SupervisorWindow = 0x45_0000;
    public const ulong MmioWindow = 0x46_0000;
    public const ulong AbsentWindow = 0x47_0000;
    public const ulong NoExecuteWindow = 0x48_0000;
    public const int WindowPages = 16;

    /// <summary>A large page over the second 2 MiB (4 MiB in legacy paging: over everything).</summary>
    public const ulong LargeWindow = 0x80_0000;
    public const ulong LargeFrame = 0x20_0000;

    // Selectors.
    public const ushort Code0 = 0x08;
    public const ushort Data0 = 0x10;
    public const ushort Code3 = 0x18 | 3;
    public const ushort Data3 = 0x20 | 3;
    public const ushort Code64User = 0x28 | 3;
    public const ushort Data3Again = 0x30 | 3;
    public const ushort TssSelector = 0x38;
    public const ushort ProgramCode = 0x48;
    public const ushort ProgramData = 0x50;
    public const ushort ProgramStack = 0x58;
    public const ushort SmallData = 0x60;
    public const ushort ExpandDown = 0x68;
    public const ushort ReadOnlyData = 0x70;
    public const ushort CodeAsData = 0x78;
    public const ushort NotPresent = 0x80;
    public const ushort CallGate = 0x90;
    public const ushort MmioData = 0xA0;
    public const ushort OtherCode = 0xA8;
    public const ushort GdtLimit = 0xBF;
}
