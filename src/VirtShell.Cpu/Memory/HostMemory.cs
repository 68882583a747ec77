using System;
using System.Runtime.InteropServices;

namespace VirtShell.Cpu.Memory;

/// <summary>
/// Address space taken lazily from the host: reading untouched pages gives zeros, and only touched pages cost memory.
/// The one place that differs by host system for guest RAM. The Windows path has not been tried on Windows.
/// </summary>
internal static unsafe partial class HostMemory
{
    private const int ProtReadWrite = 3;
    private const int MapPrivate = 2;
    private const int MapNoReserveLinux = 0x4000;
    private const int MapAnonymousLinux = 0x20;
    private const int MapAnonymousMac = 0x1000;
    private const int MapNoReserveMac = 0x40;
    private const uint MemReserve = 0x2000;
    private const uint MemCommit = 0x1000;
    private const uint MemRelease = 0x8000;
    private const uint PageReadWrite = 4;
    private const int MadviseDontNeed = 4;
    private const int MadviseHugePage = 14;
    private const int MadvisePopulateRead = 22;
    private const int MadvisePopulateWrite = 23;

    /// <summary>Bytes of the host's large pages, and what they are aligned to.</summary>
    public const ulong LargePage = 2 << 20;

    /// <summary>What <see cref="PreferLargePages"/> leaves alone at the start of a range, so that little use takes little memory.</summary>
    private const ulong SmallPart = 2 << 20;

    /// <summary>Reserves <paramref name="length"/> bytes, readable and writable, zero until written.</summary>
    /// <exception cref="OutOfMemoryException">The host has no such address space.</exception>
    public static byte* Reserve(ulong length)
    {
        if (OperatingSystem.IsWindows())
        {
            // Committed pages count against the page file but take no memory until touched.
            void* block = VirtualAlloc(null, (nuint)length, MemReserve | MemCommit, PageReadWrite);
            return block != null ? (byte*)block : throw new OutOfMemoryException($"The host cannot give {length} bytes of address space.");
        }

        int flags = MapPrivate | (OperatingSystem.IsMacOS() ? MapAnonymousMac | MapNoReserveMac : MapAnonymousLinux | MapNoReserveLinux);
        nint address = Mmap(0, (nuint)length, ProtReadWrite, flags, -1, 0);
        return address != -1 ? (byte*)address : throw new OutOfMemoryException($"The host cannot give {length} bytes of address space (errno {Marshal.GetLastPInvokeError()}).");
    }

    public static void Release(byte* address, ulong length)
    {
        if (OperatingSystem.IsWindows())
        {
            VirtualFree(address, 0, MemRelease);
        }
        else
        {
            _ = Munmap((nint)address, (nuint)length);
        }
    }

    /// <summary>
    /// Asks for the host's large pages (2 MiB) behind the first 2 MiB of a range that is mostly used where it is used at all: one
    /// fault of the host then brings 512 pages. Whether they come is the host's to decide.
    /// </summary>
    public static void PreferLargePages(byte* address, ulong length)
    {
        if (OperatingSystem.IsLinux() && length > SmallPart)
        {
            _ = Madvise((nint)(address + SmallPart), (nuint)(length - SmallPart), MadviseHugePage);
        }
    }

    /// <summary>Asks for large pages for all of a range that holds any.</summary>
    public static void UseLargePages(byte* address, ulong length)
    {
        byte* start = (byte*)(((ulong)address + LargePage - 1) & ~(LargePage - 1));
        if (OperatingSystem.IsLinux() && start + LargePage <= address + length)
        {
            _ = Madvise((nint)start, (nuint)(address + length - start), MadviseHugePage);
        }
    }

    /// <summary>Has the host bring pages that are about to be written, all at once instead of fault by fault. Kernels before 5.14 do not.</summary>
    public static void Populate(byte* address, ulong length)
    {
        if (OperatingSystem.IsLinux())
        {
            _ = Madvise((nint)address, (nuint)length, MadvisePopulateWrite);
        }
    }

    /// <summary>The same for pages that are about to be read or executed: untouched ones all read as one page of zeros.</summary>
    public static void PopulateForReading(byte* address, ulong length)
    {
        if (OperatingSystem.IsLinux())
        {
            _ = Madvise((nint)address, (nuint)length, MadvisePopulateRead);
        }
    }

    /// <summary>Drops the content of whole pages: they read as zeros again and cost nothing.</summary>
    public static void Discard(byte* address, ulong length)
    {
        if (OperatingSystem.IsLinux())
        {
            _ = Madvise((nint)address, (nuint)length, MadviseDontNeed);
        }
        else
        {
            for (ulong done = 0; done < length; done += 1 << 30)
            {
                new Span<byte>(address + done, (int)Math.Min(length - done, 1 << 30)).Clear();
            }
        }
    }

    /// <summary>How many bytes of the range are resident in host memory; 0 where the host cannot tell.</summary>
    public static ulong Resident(byte* address, ulong length)
    {
        if (!OperatingSystem.IsLinux())
        {
            return 0;
        }

        const ulong Chunk = 1UL << 28;
        byte[] pages = new byte[Chunk / 4096];
        ulong count = 0;
        for (ulong offset = 0; offset < length; offset += Chunk)
        {
            ulong size = Math.Min(Chunk, length - offset);
            fixed (byte* vector = pages)
            {
                if (Mincore((nint)(address + offset), (nuint)size, vector) != 0)
                {
                    return count * 4096;
                }
            }

            foreach (byte page in pages.AsSpan(0, (int)((size + 4095) / 4096)))
            {
                count += (uint)(page & 1);
            }
        }

        return count * 4096;
    }

    [LibraryImport("libc", EntryPoint = "mmap", SetLastError = true)]
    private static partial nint Mmap(nint address, nuint length, int protection, int flags, int descriptor, nint offset);

    [LibraryImport("libc", EntryPoint = "munmap")]
    private static partial int Munmap(nint address, nuint length);

    [LibraryImport("libc", EntryPoint = "madvise")]
    private static partial int Madvise(nint address, nuint length, int advice);

    [LibraryImport("libc", EntryPoint = "mincore")]
    private static partial int Mincore(nint address, nuint length, byte* vector);

    [LibraryImport("kernel32", EntryPoint = "VirtualAlloc")]
    private static partial void* VirtualAlloc(void* address, nuint size, uint type, uint protection);

    [LibraryImport("kernel32", EntryPoint = "VirtualFree")]
    private static partial int VirtualFree(void* address, nuint size, uint type);
}
