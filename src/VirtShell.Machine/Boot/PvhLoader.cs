using System;
using System.Buffers.Binary;
using System.Collections.Generic;
using VirtShell.Cpu;
using VirtShell.Cpu.Memory;

namespace VirtShell.Machine.Boot;

/// <summary>
/// Starts uncompressed kernels. One with the note XEN_ELFNOTE_PHYS32_ENTRY is entered by the PVH boot ABI (Xen,
/// docs/misc/pvh.pandoc, with hvm_start_info of version 1); a Linux kernel without it at its ELF entry, with boot_params,
/// as its own decompressor would.
/// </summary>
internal static class PvhLoader
{
    private const uint StartMagic = 0x336E_C578;
    private const uint StartVersion = 1;
    private const int StartLength = 56;
    private const int ModuleLength = 32;
    private const int MapEntryLength = 24;
    private const ulong ModuleList = BootArea.StartInformation + 0x40;
    private const ulong Map = BootArea.StartInformation + 0x80;
    private const int Ebx = 3;
    private const uint HighestInitrd = 0x7FFF_FFFF;
    private const string NotElf = "The image is not an ELF file.";

    /// <exception cref="MachineBootException">The image is damaged, does not fit, or has no entry that is known here.</exception>
    public static void Load(ElfBoot boot, Vcpu cpu, CpuModel model, PhysicalMemory memory, ulong rsdp)
    {
        ReadOnlySpan<byte> image = boot.Image.Span;
        ElfImage elf = ElfImage.Parse(image, NotElf);
        uint? pvhEntry = elf.FindPvhEntry();
        if (pvhEntry is null && image.IndexOf("Linux version "u8) < 0)
        {
            throw new MachineBootException("The ELF image has no Multiboot header and no PVH entry (note 18 of 'Xen'), and is no Linux kernel, so there is no way to start it.");
        }

        if (pvhEntry is null && elf.Is64Bit && !LinuxEntry.HasLongMode(model))
        {
            throw new MachineBootException($"The Linux kernel is 64-bit, and the processor model {model} has no long mode. Choose a model that has, or give a 32-bit kernel.");
        }

        byte[] commandLine = LinuxParameters.EncodeCommandLine(boot.CommandLine, BootArea.CommandLineRoom);
        FreeMemory free = new(memory, BootArea.BootParams);
        uint entry = elf.Load(free.Place);
        ulong initrd = LinuxLoader.PlaceInitrd(HighestInitrd, (ulong)boot.Initrd.Length, free.HighEnd, memory);
        memory.Write(initrd, boot.Initrd.Span);
        if (pvhEntry is { } physical)
        {
            memory.Write(BootArea.CommandLine, commandLine);
            WriteStartInformation(memory, initrd, boot.Initrd.Length, rsdp);
            LinuxEntry.Enter32(cpu, memory, physical);
            cpu.SetRegister(Ebx, BootArea.StartInformation);
            return;
        }

        LinuxParameters parameters = LinuxParameters.OfVmlinux(memory, rsdp);
        parameters.SetInitrd(initrd, boot.Initrd.Length);
        parameters.Write(memory, commandLine);
        if (elf.Is64Bit)
        {
            LinuxEntry.Enter64(cpu, memory, entry);
        }
        else
        {
            LinuxEntry.Enter32(cpu, memory, entry);
        }
    }

    // hvm_start_info, hvm_modlist_entry and hvm_memmap_table_entry of Xen's public/arch-x86/hvm/start_info.h.
    private static void WriteStartInformation(PhysicalMemory memory, ulong initrd, int initrdLength, ulong rsdp)
    {
        IReadOnlyList<MemoryRange> ranges = MemoryMap.Ranges(memory);
        Span<byte> start = stackalloc byte[StartLength];
        start.Clear();
        BinaryPrimitives.WriteUInt32LittleEndian(start, StartMagic);
        BinaryPrimitives.WriteUInt32LittleEndian(start[4..], StartVersion);
        if (initrdLength > 0)
        {
            BinaryPrimitives.WriteUInt32LittleEndian(start[12..], 1);
            BinaryPrimitives.WriteUInt64LittleEndian(start[16..], ModuleList);
            Span<byte> module = stackalloc byte[ModuleLength];
            module.Clear();
            BinaryPrimitives.WriteUInt64LittleEndian(module, initrd);
            BinaryPrimitives.WriteUInt64LittleEndian(module[8..], (ulong)initrdLength);
            memory.Write(ModuleList, module);
        }

        BinaryPrimitives.WriteUInt64LittleEndian(start[24..], BootArea.CommandLine);
        BinaryPrimitives.WriteUInt64LittleEndian(start[32..], rsdp);
        BinaryPrimitives.WriteUInt64LittleEndian(start[40..], Map);
        BinaryPrimitives.WriteInt32LittleEndian(start[48..], ranges.Count);
        memory.Write(BootArea.StartInformation, start);
        Span<byte> entry = stackalloc byte[MapEntryLength];
        for (int i = 0; i < ranges.Count; i++)
        {
            BinaryPrimitives.WriteUInt64LittleEndian(entry, ranges[i].Start);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[8..], ranges[i].Length);
            BinaryPrimitives.WriteUInt64LittleEndian(entry[16..], (ulong)ranges[i].Kind);
            memory.Write(Map + (ulong)(i * MapEntryLength), entry);
        }
    }
}
