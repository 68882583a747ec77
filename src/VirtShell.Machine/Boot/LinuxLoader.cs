using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using System.Text;
using VirtShell.Cpu;
using VirtShell.Cpu.Memory;

namespace VirtShell.Machine.Boot;

/// <summary>Loads a bzImage as the Linux boot protocol asks (Documentation/arch/x86/boot.rst), by its 64-bit entry where the kernel and the processor have one, else by the 32-bit entry.</summary>
internal static class LinuxLoader
{
    // Below 1 MiB, all ours until the kernel has copied what it needs.
    private const ulong GdtAddress = 0x1000;
    private const ulong PageTables = 0x2000;
    private const ulong StackTop = 0x9000;
    private const ulong BootParams = 0x1_0000;
    private const ulong CommandLine = 0x2_0000;
    private const int CommandLineRoom = 0x1_0000;
    private const int BootParamsLength = 0x1000;
    private const int LargestE820Count = 128;
    private const ulong Entry64Offset = 0x200;

    // boot_params (Documentation/arch/x86/zero-page.rst).
    private const int AcpiRsdpAddr = 0x070;
    private const int ExtRamdiskImage = 0x0C0;
    private const int ExtRamdiskSize = 0x0C4;
    private const int ExtCmdLinePtr = 0x0C8;
    private const int AltMemK = 0x1E0;
    private const int E820Entries = 0x1E8;
    private const int TypeOfLoader = 0x210;
    private const int LoadFlags = 0x211;
    private const int Code32Start = 0x214;
    private const int RamdiskImage = 0x218;
    private const int RamdiskSize = 0x21C;
    private const int HeapEndPtr = 0x224;
    private const int CmdLinePtr = 0x228;
    private const int E820Table = 0x2D0;
    private const int E820EntrySize = 20;

    private const byte UndefinedLoader = 0xFF;
    private const byte CanUseHeap = 0x80;

    // Page table bits: present, writable, and large page in a page directory.
    private const ulong PresentWritable = 3;
    private const ulong LargePage = 0x80;

    /// <summary>Whether the processor model has long mode.</summary>
    public static bool HasLongMode(CpuModel model) => model is CpuModel.Qemu64 or CpuModel.X86_64_V2 or CpuModel.X86_64_V3;

    /// <summary>Places kernel, initrd and parameters in memory and sets the processor at the kernel's entry.</summary>
    /// <exception cref="MachineBootException">The image is damaged, or does not fit.</exception>
    public static void Load(LinuxBoot boot, Vcpu cpu, CpuModel model, PhysicalMemory memory, ulong rsdp)
    {
        ReadOnlySpan<byte> image = boot.Kernel.Span;
        LinuxHeader header = LinuxHeader.Parse(image);
        ReadOnlySpan<byte> kernel = image[header.SetupLength..];
        ulong needed = Math.Max(header.InitSize, (ulong)kernel.Length);
        ulong start = PlaceKernel(header, needed, memory);
        ulong initrd = PlaceInitrd(header, (ulong)boot.Initrd.Length, start + needed, memory);
        byte[] commandLine = CheckCommandLine(boot.CommandLine, header);
        byte[] parameters = BuildParameters(image, header, memory, rsdp);
        Put(parameters, Code32Start, (uint)start);
        Put(parameters, CmdLinePtr, (uint)CommandLine);
        Put(parameters, ExtCmdLinePtr, 0);
        if (boot.Initrd.Length > 0)
        {
            Put(parameters, RamdiskImage, (uint)initrd);
            Put(parameters, RamdiskSize, (uint)boot.Initrd.Length);
            Put(parameters, ExtRamdiskImage, 0);
            Put(parameters, ExtRamdiskSize, 0);
            memory.Write(initrd, boot.Initrd.Span);
        }

        memory.Write(start, kernel);
        memory.Write(CommandLine, commandLine);
        memory.Write(BootParams, parameters);
        bool longMode = header.Has64BitEntry && HasLongMode(model);
        FlatGdt.Write(memory, GdtAddress, longMode);
        if (longMode)
        {
            WriteIdentityMap(memory);
            cpu.EnterLong64(start + Entry64Offset, PageTables, FlatGdt.CodeSelector, FlatGdt.DataSelector, GdtAddress, FlatGdt.Limit);
        }
        else
        {
            cpu.EnterFlat32((uint)start, FlatGdt.CodeSelector, FlatGdt.DataSelector, GdtAddress, FlatGdt.Limit);
        }

        cpu.SetRegister(6, BootParams);
        cpu.SetRegister(4, StackTop);
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

    private static ulong PlaceInitrd(LinuxHeader header, ulong length, ulong kernelEnd, PhysicalMemory memory)
    {
        if (length == 0)
        {
            return 0;
        }

        ulong end = Math.Min(memory.LowRamBytes, header.InitrdAddrMax + 1UL);
        ulong start = end >= length ? (end - length) & ~(PhysicalMemory.PageSize - 1) : 0;
        if (start < kernelEnd)
        {
            throw new MachineBootException($"The initrd of {ToMiB(length)} MiB does not fit above the Linux kernel, which takes memory up to {ToMiB(kernelEnd)} MiB; the machine has {ToMiB(memory.RamBytes)} MiB. Give it more memory, or a smaller initrd.");
        }

        return start;
    }

    private static byte[] CheckCommandLine(string commandLine, LinuxHeader header)
    {
        if (commandLine.Contains('\0', StringComparison.Ordinal))
        {
            throw new MachineBootException("The kernel command line contains a NUL character.");
        }

        byte[] bytes = Encoding.UTF8.GetBytes(commandLine + "\0");
        long limit = Math.Min(header.CmdlineSize, CommandLineRoom - 1);
        if (bytes.Length - 1 > limit)
        {
            throw new MachineBootException($"The kernel command line is {bytes.Length - 1} bytes long; this kernel takes at most {limit}.");
        }

        return bytes;
    }

    private static byte[] BuildParameters(ReadOnlySpan<byte> image, LinuxHeader header, PhysicalMemory memory, ulong rsdp)
    {
        byte[] parameters = new byte[BootParamsLength];
        image[LinuxHeader.HeaderStart..header.HeaderEnd].CopyTo(parameters.AsSpan(LinuxHeader.HeaderStart));
        BinaryPrimitives.WriteUInt64LittleEndian(parameters.AsSpan(AcpiRsdpAddr), rsdp);
        ulong above1M = memory.LowRamBytes > MemoryMap.HighMemory ? (memory.LowRamBytes - MemoryMap.HighMemory) >> 10 : 0;
        Put(parameters, AltMemK, (uint)above1M);
        parameters[TypeOfLoader] = UndefinedLoader;
        parameters[LoadFlags] |= CanUseHeap;
        BinaryPrimitives.WriteUInt16LittleEndian(parameters.AsSpan(HeapEndPtr), 0xFE00);
        IReadOnlyList<MemoryRange> ranges = MemoryMap.Ranges(memory);
        int count = Math.Min(ranges.Count, LargestE820Count);
        parameters[E820Entries] = (byte)count;
        for (int i = 0; i < count; i++)
        {
            Span<byte> entry = parameters.AsSpan(E820Table + (i * E820EntrySize));
            BinaryPrimitives.WriteUInt64LittleEndian(entry, ranges[i].Start);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], ranges[i].Length);
            BinaryPrimitives.WriteUInt32LittleEndian(entry[16..], (uint)ranges[i].Kind);
        }

        return parameters;
    }

    // Four gibibytes in 2 MiB pages: a PML4, a PDPT and four page directories.
    private static void WriteIdentityMap(PhysicalMemory memory)
    {
        const ulong pdpt = PageTables + PhysicalMemory.PageSize;
        memory.WriteUInt64(PageTables, pdpt | PresentWritable);
        for (ulong gib = 0; gib < 4; gib++)
        {
            ulong directory = pdpt + ((gib + 1) * PhysicalMemory.PageSize);
            memory.WriteUInt64(pdpt + (gib * 8), directory | PresentWritable);
            for (ulong entry = 0; entry < 512; entry++)
            {
                memory.WriteUInt64(directory + (entry * 8), (gib << 30) | (entry << 21) | LargePage | PresentWritable);
            }
        }
    }

    private static bool Fits(ulong start, ulong length, PhysicalMemory memory) => start <= memory.LowRamBytes && length <= memory.LowRamBytes - start;

    private static ulong ToMiB(ulong bytes) => (bytes + 0xF_FFFF) >> 20;

    private static void Put(byte[] parameters, int offset, uint value) => BinaryPrimitives.WriteUInt32LittleEndian(parameters.AsSpan(offset), value);
}
