using System;
using System.IO;
using System.Runtime.InteropServices;

namespace VirtShell.Cli.Terminals;

/// <summary>
/// A terminal through termios (POSIX.1-2017, termios.h). The structure's layout differs by system, so it is kept as opaque
/// bytes and changed by cfmakeraw alone.
/// </summary>
internal sealed class UnixTerminal : ITerminal
{
    private const int StandardInput = 0;
    private const int StandardOutput = 1;

    /// <summary>TCSAFLUSH would lose keys typed ahead; TCSADRAIN is 1 on Linux and macOS.</summary>
    private const int Drain = 1;

    /// <summary>struct termios has 60 bytes on Linux x86-64, 72 on macOS.</summary>
    private const int TermiosBytes = 256;

    /// <summary>poll.h: POLLIN.</summary>
    private const short PollIn = 1;

    private const int InterruptedCall = 4;

    /// <summary>unistd.h: SEEK_CUR.</summary>
    private const int SeekCurrent = 1;

    private readonly byte[] _saved = new byte[TermiosBytes];
    private readonly Stream _output = Console.OpenStandardOutput();
    private readonly PosixSignalRegistration[] _signals;
    private bool _raw;

    public UnixTerminal()
    {
        IsInteractive = NativeMethods.IsATerminal(StandardInput) == 1 && NativeMethods.IsATerminal(StandardOutput) == 1;

        // However the process ends, the user's shell gets its terminal back as it was.
        AppDomain.CurrentDomain.ProcessExit += OnProcessExit;
        _signals = [PosixSignalRegistration.Create(PosixSignal.SIGTERM, OnSignal), PosixSignalRegistration.Create(PosixSignal.SIGHUP, OnSignal)];
    }

    public bool IsInteractive { get; }

    public bool IsInputOpen => NativeMethods.IsATerminal(StandardInput) == 1 || NativeMethods.Seek(StandardInput, 0, SeekCurrent) < 0;

    public void EnterRawMode()
    {
        if (_raw || !IsInteractive || NativeMethods.GetAttributes(StandardInput, _saved) != 0)
        {
            return;
        }

        // The runtime puts terminals into application mode when it first uses them; guests expect plain cursor keys.
        Write("\x1b[?1l\x1b>"u8);
        byte[] wanted = (byte[])_saved.Clone();
        NativeMethods.MakeRaw(wanted);
        _raw = NativeMethods.SetAttributes(StandardInput, Drain, wanted) == 0;
    }

    public void Restore()
    {
        if (_raw)
        {
            _raw = false;
            _ = NativeMethods.SetAttributes(StandardInput, Drain, _saved);
        }
    }

    public int Read(Span<byte> buffer, int milliseconds)
    {
        var request = new PollRequest { Descriptor = StandardInput, Events = PollIn };
        int ready = NativeMethods.Poll(ref request, 1, milliseconds);
        if (ready <= 0)
        {
            return 0;
        }

        byte[] bytes = new byte[buffer.Length];
        nint count = NativeMethods.Read(StandardInput, bytes, bytes.Length);
        if (count < 0)
        {
            return Marshal.GetLastPInvokeError() == InterruptedCall ? 0 : -1;
        }

        bytes.AsSpan(0, (int)count).CopyTo(buffer);
        return count == 0 ? -1 : (int)count;
    }

    public void Write(ReadOnlySpan<byte> bytes)
    {
        _output.Write(bytes);
        _output.Flush();
    }

    public void Dispose()
    {
        Restore();
        AppDomain.CurrentDomain.ProcessExit -= OnProcessExit;
        foreach (PosixSignalRegistration signal in _signals)
        {
            signal.Dispose();
        }
    }

    private void OnProcessExit(object? sender, EventArgs e) => Restore();

    private void OnSignal(PosixSignalContext context) => Restore();

    /// <summary>struct pollfd of poll.h.</summary>
    [StructLayout(LayoutKind.Sequential)]
    private struct PollRequest
    {
        public int Descriptor;
        public short Events;
        public short Returned;
    }

    private static class NativeMethods
    {
        [DllImport("libc", EntryPoint = "isatty")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        public static extern int IsATerminal(int descriptor);

        [DllImport("libc", EntryPoint = "tcgetattr")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        public static extern int GetAttributes(int descriptor, byte[] termios);

        [DllImport("libc", EntryPoint = "tcsetattr")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        public static extern int SetAttributes(int descriptor, int when, byte[] termios);

        [DllImport("libc", EntryPoint = "cfmakeraw")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        public static extern void MakeRaw(byte[] termios);

        [DllImport("libc", EntryPoint = "poll", SetLastError = true)]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        public static extern int Poll(ref PollRequest request, nuint count, int milliseconds);

        /// <summary>Fails on pipes and sockets, works on files and on the null device.</summary>
        [DllImport("libc", EntryPoint = "lseek")]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        public static extern long Seek(int descriptor, long offset, int whence);

        [DllImport("libc", EntryPoint = "read", SetLastError = true)]
        [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
        public static extern nint Read(int descriptor, [Out] byte[] buffer, nint count);
    }
}
