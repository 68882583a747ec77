namespace VirtShell.Cpu.Tests.Lockstep;

/// <summary>Where everything of a random program's guest stands. Physical memory is mapped 1:1 below <see cref="Windows"/>, where there is paging at all.</summary>
internal static class Layout
{
    public const ulong RamBytes = 4 << 20;

    public const ulong Gdt = 0x1000;
    public const ulong Idt = 0x2000;
    public const ulong Tss = 0x3000;
    public const uint TssLimit = 0x68 + 0x40;

    /// <summary>Two local tables with the same kinds of segments, of other bases and limits.</summary>
    public const ulong LocalTable = 0x3400;
    public const ulong OtherLocalTable = 0x3500;
    public const ushort LocalTableLimit = 0x4F;

    /// <summary>A 32-bit and a 16-bit TSS of tasks of the kernel.</summary>
    public const ulong Task32 = 0x3800;
    public const ulong Task16 = 0x3900;
    public const ulong Task16Stack = 0x4F00;
    public const ulong Task32Stack = 0x5F00;

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

    /// <summary>Far pointers of eight bytes each for 64-bit code: to each of <see cref="FarPointers"/>.</summary>
    public const ulong Pointers = Cells + 0x8000;

    /// <summary>INVPCID descriptors: one for each of <see cref="ContextCount"/> PCIDs.</summary>
    public const ulong Contexts = Cells + 0x9000;

    /// <summary>More PCIDs than the processor keeps TLBs for.</summary>
    public const int ContextCount = 12;

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
    public const ushort MmioData = 0xA0;
    public const ushort OtherCode = 0xA8;
    public const ushort Local = 0xB0;
    public const ushort OtherLocal = 0xC0;

    /// <summary>Call gates: to the kernel, without and with parameters, and to the program itself.</summary>
    public const ushort Gate = 0xD0;
    public const ushort GateWithParameters = 0xE0;
    public const ushort GateToItself = 0xF0;
    public const ushort Task32Selector = 0x100;
    public const ushort Task16Selector = 0x110;
    public const ushort TaskGate = 0x118;

    /// <summary>32-bit code of the kernel whose offsets fit 16 bits.</summary>
    public const ushort TaskCode = 0x120;
    public const ushort GdtLimit = 0x127;

    // In the local tables.
    public const ushort LocalData = 0x04;
    public const ushort LocalSmall = 0x0C;
    public const ushort LocalOther = 0x14;
    public const ushort LocalCode = 0x1C;
    public const ushort LocalNotPresent = 0x24;
    public const ushort LocalStack = 0x2C;
    public const ushort LocalGate = 0x34;
    public const ushort LocalMmio = 0x44;

    /// <summary>What the far pointers at <see cref="Pointers"/> select.</summary>
    public static readonly ushort[] FarPointers = [Gate, GateToItself, LocalGate];

    /// <summary>The interrupt that is a task gate.</summary>
    public const byte TaskVector = 0x8F;
}
