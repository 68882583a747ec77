using System;
using System.Collections.Generic;
using System.Globalization;
using System.IO;
using System.Text;
using System.Threading;
using Microsoft.Win32.SafeHandles;

namespace VirtShell.Cli;

/// <summary>
/// Limits of the host below which the runtime itself gives up: without descriptors it finds no more of the program's files, and without
/// threads it ends the process. Both are looked at first, with nothing that is not there already, so that they can be told.
/// </summary>
internal static class HostLimits
{
    /// <summary>Open files that the program needs: some hundred of its own and the runtime's, and what a small run opens.</summary>
    internal const int LeastFiles = 128;

    /// <summary>Threads that a run of one guest starts: the scheduler's two, the thread pool's, and some of the runtime's.</summary>
    internal const int LeastThreads = 12;

    private const string LimitsFile = "/proc/self/limits";
    private const string FilesLine = "Max open files";
    private const int ProbeStack = 64 << 10;
    private const int StandardError = 2;

    /// <summary>Whether there is enough; if not, says so on standard error.</summary>
    public static bool AreEnough()
    {
        if (Problem() is not { } problem)
        {
            return true;
        }

        // The console would open files of its own.
        try
        {
            using SafeFileHandle handle = new(StandardError, ownsHandle: false);
            using FileStream error = new(handle, FileAccess.Write, bufferSize: 0);
            error.Write(Encoding.UTF8.GetBytes($"virtshell: {problem}\n"));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            // Nobody listens; the exit code tells.
        }

        return false;
    }

    private static string? Problem()
    {
        if (FileLimit() is { } files && files < LeastFiles)
        {
            return $"this process may open {files} files and needs {LeastFiles}. Raise the limit (ulimit -n {LeastFiles}, or more for many guests with disks), then try again.";
        }

        return HasThreads()
            ? null
            : $"the host gives this process fewer than {LeastThreads} more threads. End other processes of this user, or raise the limit on them (ulimit -u; in a container, its limit on processes), then try again.";
    }

    /// <summary>The limit on open files; null where the host does not say, or has none.</summary>
    private static long? FileLimit()
    {
        if (!OperatingSystem.IsLinux())
        {
            return null;
        }

        try
        {
            foreach (string line in File.ReadAllText(LimitsFile).Split('\n'))
            {
                if (line.StartsWith(FilesLine, StringComparison.Ordinal))
                {
                    string soft = line[FilesLine.Length..].TrimStart().Split(' ')[0];
                    return long.TryParse(soft, NumberStyles.None, CultureInfo.InvariantCulture, out long limit) ? limit : null;
                }
            }

            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    /// <summary>
    /// Starts as many threads as a run needs and lets them go. The limit alone says nothing, since it counts all of the user's. The
    /// thread pool then starts its own at once: it ends the process where it cannot do so later.
    /// </summary>
    private static bool HasThreads()
    {
        using ManualResetEventSlim enough = new();
        List<Thread> probes = [];
        try
        {
            for (int i = 0; i < LeastThreads; i++)
            {
                Thread probe = new(enough.Wait, ProbeStack) { IsBackground = true };
                probe.Start();
                probes.Add(probe);
            }
        }
        catch (OutOfMemoryException)
        {
            return false;
        }
        finally
        {
            enough.Set();
            foreach (Thread probe in probes)
            {
                probe.Join();
            }
        }

        using ManualResetEventSlim begun = new();
        ThreadPool.UnsafeQueueUserWorkItem(static state => state.Set(), begun, preferLocal: false);
        begun.Wait();
        return true;
    }
}
