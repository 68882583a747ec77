using System;

namespace VirtShell.Cpu.Memory;

/// <summary>What a host does for memory that others have allocated.</summary>
public static unsafe class HostPages
{
    private const ulong PageSize = 4096;

    /// <summary>
    /// Has the host bring the pages of memory that is about to be filled, large ones where it can, and all at once: new memory costs a page
    /// fault for every 4 KiB otherwise, which takes longer than filling it. The content stays. Does nothing where a host has no such call.
    /// </summary>
    public static void Bring(Span<byte> memory)
    {
        fixed (byte* start = memory)
        {
            ulong first = ((ulong)start + PageSize - 1) & ~(PageSize - 1);
            ulong end = ((ulong)start + (ulong)memory.Length) & ~(PageSize - 1);
            if (end > first)
            {
                HostMemory.UseLargePages((byte*)first, end - first);
                HostMemory.Populate((byte*)first, end - first);
            }
        }
    }
}
