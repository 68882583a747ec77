using System;
using System.Runtime.InteropServices;

namespace VirtShell.Bench.Building;

/// <summary>Processor time of a process with all its threads, to the nanosecond; on Linux only.</summary>
internal static partial class ProcessTime
{
    private const int Success = 0;

    /// <summary>Milliseconds so far of a process that runs, or null where the host cannot tell.</summary>
    public static double? Of(int processId)
    {
        if (!OperatingSystem.IsLinux() || GetClock(processId, out int clock) != Success || GetTime(clock, out TimeSpec time) != Success)
        {
            return null;
        }

        return (time.Seconds * 1e3) + (time.Nanoseconds / 1e6);
    }

    [LibraryImport("libc", EntryPoint = "clock_getcpuclockid")]
    private static partial int GetClock(int processId, out int clock);

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int GetTime(int clock, out TimeSpec time);

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public nint Seconds;
        public nint Nanoseconds;
    }
}
