using System;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace VirtShell.Host.Scheduling;

/// <summary>
/// Processor time of the calling thread. Linux and macOS give it by clock_gettime, Windows by GetThreadTimes; where the
/// call fails it falls back to wall-clock time. Tried on Linux only.
/// </summary>
internal static partial class ThreadTime
{
    private const int LinuxThreadClock = 3; // CLOCK_THREAD_CPUTIME_ID, Linux <time.h>
    private const int MacThreadClock = 16; // CLOCK_THREAD_CPUTIME_ID, macOS <time.h>

    /// <summary>Nanoseconds of processor time since the thread began.</summary>
    public static long Now()
    {
        if (OperatingSystem.IsWindows())
        {
            if (GetThreadTimes(GetCurrentThread(), out _, out _, out long kernel, out long user) != 0)
            {
                return (kernel + user) * 100;
            }
        }
        else if (ClockGetTime(OperatingSystem.IsMacOS() ? MacThreadClock : LinuxThreadClock, out TimeSpec time) == 0)
        {
            return (time.Seconds * 1_000_000_000) + time.Nanoseconds;
        }

        return (long)Stopwatch.GetElapsedTime(0).TotalNanoseconds;
    }

    [LibraryImport("libc", EntryPoint = "clock_gettime")]
    private static partial int ClockGetTime(int clock, out TimeSpec time);

    [LibraryImport("kernel32")]
    private static partial nint GetCurrentThread();

    [LibraryImport("kernel32")]
    private static partial int GetThreadTimes(nint thread, out long created, out long exited, out long kernel, out long user);

    [StructLayout(LayoutKind.Sequential)]
    private struct TimeSpec
    {
        public nint Seconds;
        public nint Nanoseconds;
    }
}
