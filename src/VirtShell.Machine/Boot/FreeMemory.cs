using System;
using VirtShell.Cpu.Memory;

namespace VirtShell.Machine.Boot;

/// <summary>Takes segments of an image into free memory, and knows where the highest ends.</summary>
internal sealed class FreeMemory(PhysicalMemory memory, ulong lowEnd)
{
    /// <summary>End of what was placed above 1 MiB; 1 MiB where nothing was.</summary>
    public ulong HighEnd { get; private set; } = MemoryMap.HighMemory;

    /// <summary>Places a segment. Memory is all zeros while a machine boots, so that only the file's part needs writing.</summary>
    /// <exception cref="MachineBootException">It would lie where no memory is, or where the boot area is.</exception>
    public void Place(ulong address, ReadOnlySpan<byte> content, ulong memoryLength)
    {
        ulong end = address + memoryLength;
        bool low = address >= BootArea.LowStart && end <= lowEnd && end <= memory.LowRamBytes;
        bool high = address >= MemoryMap.HighMemory && end <= memory.LowRamBytes;
        if (!low && !high)
        {
            throw new MachineBootException($"The image loads to {address:X}h–{end:X}h, which is not free memory: the machine has {memory.RamBytes >> 10} KiB, with {BootArea.LowStart:X}h–{lowEnd:X}h and everything from {MemoryMap.HighMemory:X}h free.");
        }

        memory.Write(address, content);
        HighEnd = Math.Max(HighEnd, high ? end : 0);
    }

    /// <summary>Places a file at the next page above everything else.</summary>
    /// <exception cref="MachineBootException">Memory does not suffice.</exception>
    public ulong PlaceAbove(ReadOnlySpan<byte> content, string what)
    {
        ulong start = (HighEnd + PhysicalMemory.PageSize - 1) & ~(PhysicalMemory.PageSize - 1);
        ulong end = start + (ulong)content.Length;
        if (end > memory.LowRamBytes)
        {
            throw new MachineBootException($"{what} of {(content.Length + 0xF_FFFF) >> 20} MiB does not fit above the image, which takes memory up to {HighEnd:X}h; the machine has {memory.RamBytes >> 20} MiB. Give it more memory.");
        }

        memory.Write(start, content);
        HighEnd = end;
        return start;
    }
}
