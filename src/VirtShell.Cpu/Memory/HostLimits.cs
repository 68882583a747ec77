using System;
using System.Globalization;
using System.IO;
using System.Linq;
using System.Runtime.InteropServices;
using System.Threading;

namespace VirtShell.Cpu.Memory;

/// <summary>
/// What a process has a limited number of on Linux: mappings and open files. The runtime needs some of both at any time and ends the process
/// where it gets none, so machines are refused before they take the last.
/// </summary>
internal static unsafe partial class HostLimits
{
    /// <summary>Mappings that a machine takes: some 14 when it begins, more as its code is translated.</summary>
    public const int MappingsOfMachine = 48;

    /// <summary>What somebody can do about it.</summary>
    public const string DescriptorAdvice = "Each frozen machine takes one open file: dispose some that nobody needs, or raise the limit (ulimit -n).";

    // Left to the runtime and to everybody else.
    private const int MappingsLeft = 8192;
    private const int DescriptorsLeft = 64;
    private const int DefaultMappings = 65_530;
    private const int NumberOfFiles = 7;

    private static readonly Lock s_gate = new();
    private static readonly int s_mostMappings = ReadMostMappings();
    private static int? s_mappings;

    /// <summary>Open files that the process may have.</summary>
    public static long MostDescriptors
    {
        get
        {
            // The soft limit, then the hard one.
            ulong* limits = stackalloc ulong[2];
            return OperatingSystem.IsLinux() && GetRlimit(NumberOfFiles, limits) == 0 ? (long)Math.Min(limits[0], long.MaxValue) : long.MaxValue;
        }
    }

    /// <summary>Says that somebody is about to take mappings.</summary>
    /// <exception cref="OutOfMemoryException">Too few are left.</exception>
    public static void ReserveMappings(int count)
    {
        if (!OperatingSystem.IsLinux())
        {
            return;
        }

        lock (s_gate)
        {
            // Counting takes a microsecond for each, so it waits until all that were ever asked for could be too many.
            if (s_mappings is not { } known || known + count > s_mostMappings - MappingsLeft)
            {
                s_mappings = File.ReadLines("/proc/self/maps").Count();
                CheckMappings(s_mappings.Value + count, s_mostMappings);
            }

            s_mappings += count;
        }
    }

    /// <exception cref="OutOfMemoryException">So many mappings leave too few.</exception>
    internal static void CheckMappings(int count, int most)
    {
        if (count > most - MappingsLeft)
        {
            throw new OutOfMemoryException($"The host cannot hold one more machine: {count} of the {most} mappings that this process may have (vm.max_map_count) would be taken. Remove machines that nobody needs, or raise the limit (sysctl vm.max_map_count).");
        }
    }

    /// <exception cref="OutOfMemoryException">A file of this number leaves too few.</exception>
    internal static void CheckDescriptor(int descriptor, long most)
    {
        // The lowest free number is taken, so it tells how many there are.
        if (descriptor >= most - DescriptorsLeft)
        {
            throw new OutOfMemoryException($"The host cannot hold one more frozen machine: this process has {descriptor} of the {most} open files that it may have. {DescriptorAdvice}");
        }
    }

    private static int ReadMostMappings()
    {
        try
        {
            return int.Parse(File.ReadAllText("/proc/sys/vm/max_map_count"), CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or FormatException or OverflowException)
        {
            return DefaultMappings;
        }
    }

    [LibraryImport("libc", EntryPoint = "getrlimit")]
    private static partial int GetRlimit(int resource, ulong* limits);
}
