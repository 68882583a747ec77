namespace VirtShell.Cpu;

/// <summary>Bits of the control registers and EFER (SDM Vol. 3A §2.2.1, §2.5).</summary>
public static class ControlBits
{
    public const ulong Cr0Protection = 1;
    public const ulong Cr0MonitorCoprocessor = 1 << 1;
    public const ulong Cr0Emulation = 1 << 2;
    public const ulong Cr0TaskSwitched = 1 << 3;
    public const ulong Cr0ExtensionType = 1 << 4;
    public const ulong Cr0NumericError = 1 << 5;
    public const ulong Cr0WriteProtect = 1 << 16;
    public const ulong Cr0AlignmentMask = 1 << 18;
    public const ulong Cr0NotWriteThrough = 1 << 29;
    public const ulong Cr0CacheDisable = 1 << 30;
    public const ulong Cr0Paging = 1UL << 31;

    public const ulong Cr4Vme = 1;
    public const ulong Cr4Pvi = 1 << 1;
    public const ulong Cr4Tsd = 1 << 2;
    public const ulong Cr4De = 1 << 3;
    public const ulong Cr4Pse = 1 << 4;
    public const ulong Cr4Pae = 1 << 5;
    public const ulong Cr4Mce = 1 << 6;
    public const ulong Cr4Pge = 1 << 7;
    public const ulong Cr4Pce = 1 << 8;
    public const ulong Cr4Osfxsr = 1 << 9;
    public const ulong Cr4Osxmmexcpt = 1 << 10;
    public const ulong Cr4Umip = 1 << 11;
    public const ulong Cr4FsGsBase = 1 << 16;
    public const ulong Cr4Pcide = 1 << 17;
    public const ulong Cr4Osxsave = 1 << 18;
    public const ulong Cr4Smep = 1 << 20;
    public const ulong Cr4Smap = 1 << 21;

    public const ulong EferSyscall = 1;
    public const ulong EferLongEnable = 1 << 8;
    public const ulong EferLongActive = 1 << 10;
    public const ulong EferNoExecute = 1 << 11;

    /// <summary>Physical address width that CPUID reports, in bits.</summary>
    public const int PhysicalBits = 40;

    /// <summary>Page table entry bits 51 to <see cref="PhysicalBits"/>: reserved.</summary>
    public const ulong PhysicalReserved = 0x000F_FFFF_FFFF_FFFF & ~((1UL << PhysicalBits) - 1);
}
