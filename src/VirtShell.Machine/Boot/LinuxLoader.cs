using System;
using VirtShell.Cpu;
using VirtShell.Cpu.Memory;

namespace VirtShell.Machine.Boot;

/// <summary>Loads a bzImage as the Linux boot protocol asks (Documentation/arch/x86/boot.rst), by its 64-bit entry where the kernel and the processor have one, else by the 32-bit entry; what has neither goes to <see cref="LinuxRealMode"/>.</summary>
internal static class LinuxLoader
{
    private const ulong Entry64Offset = 0x200;

    /// <summary>Places kernel, initrd and parameters in memory and sets the processor at the kernel's entry.</summary>
    /// <exception cref="MachineBootException">The image is damaged, or does not fit.</exception>
    public static void Load(LinuxBoot boot, Vcpu cpu, CpuModel model, PhysicalMemory memory, ulong rsdp)
    {
        ReadOnlySpan<byte> image = boot.Kernel.Span;
        LinuxHeader header = LinuxHeader.Parse(image);
        if (header.IsRealModeOnly)
        {
            LinuxRealMode.Load(boot, header, cpu, memory);
            return;
        }

        ReadOnlySpan<byte> kernel = image[header.SetupLength..];
        ulong needed = Math.Max(header.InitSize, (ulong)kernel.Length);
        ulong start = PlaceKernel(header, needed, memory);
        ulong initrd = PlaceInitrd(header.InitrdAddrMax, (ulong)boot.Initrd.Length, start + needed, memory);
        byte[] commandLine = LinuxParameters.EncodeCommandLine(boot.CommandLine, header.CmdlineSize);
        LinuxParameters parameters = LinuxParameters.OfBzImage(image, header, start, memory, rsdp);
        parameters.SetInitrd(initrd, boot.Initrd.Length);
        memory.Write(initrd, boot.Initrd.Span);
        memory.Write(start, kernel);
        parameters.Write(memory, commandLine);
        if (header.Has64BitEntry && LinuxEntry.HasLongMode(model))
        {
            LinuxEntry.Enter64(cpu, memory, start + Entry64Offset);
        }
        else
        {
            LinuxEntry.Enter32(cpu, memory, (uint)start);
        }
    }

    private static ulong PlaceKernel(LinuxHeader header, ulong needed, PhysicalMemory memory)
    {
        ulong preferred = header.PreferredAddress;
        if (preferred >= MemoryMap.HighMemory && Fits(preferred, needed, memory))
        {
            return preferred;
        }

        ulong lowest = header.Alignment <= 1 ? MemoryMap.HighMemory : (MemoryMap.HighMemory + header.Alignment - 1) / header.Alignment * header.Alignment;
        bool mayMove = header.IsRelocatable || preferred == MemoryMap.HighMemory;
        if (mayMove && Fits(lowest, needed, memory))
        {
            return lowest;
        }

        ulong least = (mayMove ? lowest : preferred) + needed;
        throw new MachineBootException($"The Linux kernel needs at least {ToMiB(least)} MiB of memory to start; the machine has {ToMiB(memory.RamBytes)} MiB. Give it more.");
    }

    /// <summary>The start of the initrd: as high as <paramref name="highest"/>, its last byte, and memory allow.</summary>
    /// <exception cref="MachineBootException">It does not fit above the kernel.</exception>
    internal static ulong PlaceInitrd(uint highest, ulong length, ulong kernelEnd, PhysicalMemory memory)
    {
        if (length == 0)
        {
            return 0;
        }

        ulong end = Math.Min(memory.LowRamBytes, highest + 1UL);
        ulong start = end >= length ? (end - length) & ~(PhysicalMemory.PageSize - 1) : 0;
        if (start < kernelEnd)
        {
            throw new MachineBootException($"The initrd of {ToMiB(length)} MiB does not fit above the Linux kernel, which takes memory up to {ToMiB(kernelEnd)} MiB; the machine has {ToMiB(memory.RamBytes)} MiB. Give it more memory, or a smaller initrd.");
        }

        return start;
    }

    private static bool Fits(ulong start, ulong length, PhysicalMemory memory) => start <= memory.LowRamBytes && length <= memory.LowRamBytes - start;

    private static ulong ToMiB(ulong bytes) => (bytes + 0xF_FFFF) >> 20;
}
