using System;
using System.Buffers;
using System.IO;
using System.Runtime.InteropServices;
using Microsoft.Win32.SafeHandles;

namespace VirtShell.Cpu.Memory;

/// <summary>Content that many address ranges share until they write to it. Linux alone has it; elsewhere content is copied.</summary>
internal static unsafe partial class HostMemory
{
    private const int MapFixed = 0x10;
    private const uint CloseOnExec = 1;
    private const uint AllowSealing = 2;
    private const int AddSeals = 1033;

    // No more seals, no other length, no writing: what is mapped stays what it is.
    private const int AllSeals = 1 | 2 | 4 | 8;

    // An entry of /proc/self/pagemap (the kernel's Documentation/admin-guide/mm/pagemap.rst).
    private const ulong PageMapExclusive = 1UL << 56;
    private const ulong PageMapFile = 1UL << 61;
    private const ulong PageMapSwapped = 1UL << 62;
    private const int EntriesAtOnce = 8192;

    /// <summary>A file without a name, in memory; null where the host has no such thing.</summary>
    /// <exception cref="OutOfMemoryException">The host has it, but not now.</exception>
    public static SafeFileHandle? CreateSharedFile()
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        int descriptor = MemfdCreate("virtshell-memory", CloseOnExec | AllowSealing);
        if (descriptor >= 0)
        {
            SafeFileHandle file = new(descriptor, ownsHandle: true);
            try
            {
                HostLimits.CheckDescriptor(descriptor, HostLimits.MostDescriptors);
            }
            catch
            {
                file.Dispose();
                throw;
            }

            return file;
        }

        const int NotPermitted = 1;
        const int NoSuchCall = 38;
        int error = Marshal.GetLastPInvokeError();
        return error is NoSuchCall or NotPermitted
            ? null
            : throw new OutOfMemoryException($"The host cannot give memory that machines share (memfd_create: errno {error}). {HostLimits.DescriptorAdvice}");
    }

    /// <summary>Makes a shared file unchangeable for good.</summary>
    public static void Seal(SafeFileHandle file) => _ = Fcntl(file, AddSeals, AllSeals);

    /// <summary>Puts a part of a shared file at an address inside a reserved range, in place of what is there: it reads as the file, and what is written is the range's own.</summary>
    /// <exception cref="OutOfMemoryException">The host has no room for one more mapping.</exception>
    public static void MapShared(byte* address, ulong length, SafeFileHandle file, ulong offset)
    {
        bool isHeld = false;
        try
        {
            file.DangerousAddRef(ref isHeld);
            MapOver(address, length, MapPrivate | MapFixed | MapNoReserveLinux, (int)file.DangerousGetHandle(), (nint)offset);
        }
        finally
        {
            if (isHeld)
            {
                file.DangerousRelease();
            }
        }
    }

    /// <summary>Puts zeros at an address inside a reserved range, in place of what is there. Linux only.</summary>
    /// <exception cref="OutOfMemoryException">The host has no room for one more mapping.</exception>
    public static void MapZeros(byte* address, ulong length) => MapOver(address, length, MapPrivate | MapFixed | MapNoReserveLinux | MapAnonymousLinux, -1, 0);

    /// <summary>Gives up what was written to pages inside a range: they read as what stands below them again. Linux only.</summary>
    public static void GiveUp(byte* address, ulong length) => _ = Madvise((nint)address, (nuint)length, MadviseDontNeed);

    /// <summary>How many bytes of a range are its own: written, and neither zeros never touched nor shared content. In memory or swapped out. False where the host does not tell.</summary>
    public static bool TryCountPrivate(byte* address, ulong length, out ulong bytes)
    {
        bytes = 0;
        ulong[] entries = ArrayPool<ulong>.Shared.Rent(EntriesAtOnce);
        try
        {
            using SafeFileHandle map = File.OpenHandle("/proc/self/pagemap", FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            ulong first = (ulong)address / PhysicalMemory.PageSize;
            ulong count = length / PhysicalMemory.PageSize;
            for (ulong done = 0; done < count;)
            {
                Span<ulong> part = entries.AsSpan(0, (int)Math.Min(EntriesAtOnce, count - done));
                int read = RandomAccess.Read(map, MemoryMarshal.AsBytes(part), (long)((first + done) * sizeof(ulong))) / sizeof(ulong);
                if (read == 0)
                {
                    return false;
                }

                foreach (ulong entry in part[..read])
                {
                    // The host's page of zeros is nobody's alone.
                    bytes += (entry & (PageMapExclusive | PageMapSwapped)) != 0 && (entry & PageMapFile) == 0 ? PhysicalMemory.PageSize : 0;
                }

                done += (ulong)read;
            }

            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
        finally
        {
            ArrayPool<ulong>.Shared.Return(entries);
        }
    }

    private static void MapOver(byte* address, ulong length, int flags, int descriptor, nint offset)
    {
        if (Mmap((nint)address, (nuint)length, ProtReadWrite, flags, descriptor, offset) == -1)
        {
            throw new OutOfMemoryException($"The host cannot map {length} bytes of memory (errno {Marshal.GetLastPInvokeError()}). It has no more memory, or this process has as many mappings as it may (vm.max_map_count): run fewer machines.");
        }
    }

    [LibraryImport("libc", EntryPoint = "memfd_create", SetLastError = true, StringMarshalling = StringMarshalling.Utf8)]
    private static partial int MemfdCreate(string name, uint flags);

    [LibraryImport("libc", EntryPoint = "fcntl", SetLastError = true)]
    private static partial int Fcntl(SafeFileHandle file, int command, int argument);
}
