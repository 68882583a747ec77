using System;
using System.IO;

namespace VirtShell.Storage;

/// <summary>What an I/O exception of the host means. On Linux and macOS its HResult is the errno, on Windows a Win32 code.</summary>
public static class HostError
{
    private const int Enfile = 23;
    private const int Emfile = 24;
    private const int Enospc = 28;
    private const int EdquotLinux = 122;
    private const int EdquotMac = 69;
    private const int EwouldblockLinux = 11;
    private const int EwouldblockMac = 35;
    private const int ErrorSharingViolation = unchecked((int)0x80070020);
    private const int ErrorLockViolation = unchecked((int)0x80070021);
    private const int ErrorHandleDiskFull = unchecked((int)0x80070027);
    private const int ErrorDiskFull = unchecked((int)0x80070070);

    /// <summary>The file system, or the user's share of it, is full.</summary>
    public static bool IsDiskFull(Exception e) => e is IOException && (OperatingSystem.IsWindows()
        ? e.HResult is ErrorDiskFull or ErrorHandleDiskFull
        : e.HResult is Enospc or ErrorDiskFull || e.HResult == (OperatingSystem.IsMacOS() ? EdquotMac : EdquotLinux));

    /// <summary>Another holder has the file open exclusively.</summary>
    public static bool IsInUse(Exception e) => e is IOException && (OperatingSystem.IsWindows()
        ? e.HResult is ErrorSharingViolation or ErrorLockViolation
        : e.HResult is ErrorSharingViolation || e.HResult == (OperatingSystem.IsMacOS() ? EwouldblockMac : EwouldblockLinux));

    /// <summary>No more files can be opened: the limit of this process, or of the host.</summary>
    public static bool IsOutOfFiles(Exception e) => e is IOException { HResult: Enfile or Emfile } && !OperatingSystem.IsWindows();

    /// <summary>The host's own words, as the end of a sentence; where files have run out, with what to do.</summary>
    public static string Reason(Exception e)
    {
        string message = e.Message.Trim();
        string sentence = message.EndsWith('.') ? message : message + ".";
        return IsOutOfFiles(e) ? sentence + " Raise the limit on open files (ulimit -n), or run fewer guests at a time." : sentence;
    }
}
