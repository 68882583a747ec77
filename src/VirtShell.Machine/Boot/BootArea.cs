using System;
using VirtShell.Cpu.Memory;

namespace VirtShell.Machine.Boot;

/// <summary>
/// Where direct boot puts what it hands over: at the top of base memory. Kernels and their decompressors use what lies
/// below the boot parameters as they like: those of Linux before 2.6.16 put a move routine at 1000h and half of the
/// kernel from 2000h up to 90000h, over everything that stands there.
/// </summary>
internal static class BootArea
{
    /// <summary>boot_params, or the setup code of a kernel that is entered in real mode: where every loader of the first protocols puts it.</summary>
    public const ulong BootParams = 0x9_0000;

    /// <summary>The descriptor table, and above it the stack.</summary>
    public const ulong Gdt = 0x9_1000;

    public const ulong StackTop = 0x9_2000;

    /// <summary>A PML4, a PDPT and four page directories, for entries in long mode.</summary>
    public const ulong PageTables = 0x9_2000;

    /// <summary>The start information of PVH.</summary>
    public const ulong StartInformation = 0x9_0000;

    public const ulong CommandLine = 0x9_8000;

    /// <summary>Bytes for a command line with its terminator.</summary>
    public const int CommandLineRoom = (int)(MemoryMap.ExtendedBiosData - CommandLine);

    /// <summary>The BIOS data area ends here; what lies above, up to the boot area, is free.</summary>
    public const ulong LowStart = 0x500;

    /// <summary>Bytes that a Multiboot image is handed.</summary>
    private const ulong MultibootLength = 0x8000;

    /// <summary>Where the Multiboot information begins: machines with less than 640 KiB have it at the end of what they have.</summary>
    public static ulong MultibootStart(PhysicalMemory memory) =>
        memory.LowRamBytes >= MemoryMap.HoleStart ? BootParams : Math.Min(BootParams, memory.LowRamBytes - MultibootLength);
}
