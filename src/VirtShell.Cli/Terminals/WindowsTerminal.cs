using System;
using System.IO;
using System.Runtime.InteropServices;
using System.Threading.Tasks;

namespace VirtShell.Cli.Terminals;

/// <summary>
/// A Windows console through its modes (Microsoft's console documentation, SetConsoleMode): virtual terminal sequences in
/// and out, no line editing, no echo, no Ctrl+C processing. Written from the documentation; see docs/cli.md for what has been tried.
/// </summary>
internal sealed class WindowsTerminal : ITerminal
{
    private const int StandardInputHandle = -10;
    private const int StandardOutputHandle = -11;

    private const uint EnableProcessedInput = 0x0001;
    private const uint EnableLineInput = 0x0002;
    private const uint EnableEchoInput = 0x0004;
    private const uint EnableVirtualTerminalInput = 0x0200;
    private const uint EnableProcessedOutput = 0x0001;
    private const uint EnableVirtualTerminalProcessing = 0x0004;
    private const uint DisableNewlineAutoReturn = 0x0008;

    private readonly Stream _input = Console.OpenStandardInput();
    private readonly Stream _output = Console.OpenStandardOutput();
    private readonly byte[] _pending = new byte[4096];
    private Task<int>? _reading;
    private uint _savedInput;
    private uint _savedOutput;
    private bool _raw;

    public WindowsTerminal()
    {
        IsInteractive = !Console.IsInputRedirected && !Console.IsOutputRedirected;
        AppDomain.CurrentDomain.ProcessExit += OnProcessExit;
    }

    public bool IsInteractive { get; }

    public bool IsInputOpen => !Console.IsInputRedirected || !_input.CanSeek;

    public void EnterRawMode()
    {
        nint inputHandle = NativeMethods.GetStdHandle(StandardInputHandle);
        nint outputHandle = NativeMethods.GetStdHandle(StandardOutputHandle);
        if (_raw || !IsInteractive || !NativeMethods.GetConsoleMode(inputHandle, out _savedInput) || !NativeMethods.GetConsoleMode(outputHandle, out _savedOutput))
        {
            return;
        }

        _raw = true;
        _ = NativeMethods.SetConsoleMode(inputHandle, (_savedInput & ~(EnableProcessedInput | EnableLineInput | EnableEchoInput)) | EnableVirtualTerminalInput);
        _ = NativeMethods.SetConsoleMode(outputHandle, _savedOutput | EnableProcessedOutput | EnableVirtualTerminalProcessing | DisableNewlineAutoReturn);
    }

    public void Restore()
    {
        if (_raw)
        {
            _raw = false;
            _ = NativeMethods.SetConsoleMode(NativeMethods.GetStdHandle(StandardInputHandle), _savedInput);
            _ = NativeMethods.SetConsoleMode(NativeMethods.GetStdHandle(StandardOutputHandle), _savedOutput);
        }
    }

    public int Read(Span<byte> buffer, int milliseconds)
    {
        // A console read cannot be given a time limit, so one is left pending in the background.
        _reading ??= Task.Run(() => _input.Read(_pending, 0, Math.Min(_pending.Length, 256)));
        if (!_reading.Wait(milliseconds))
        {
            return 0;
        }

        int count = _reading.Result;
        _reading = null;
        _pending.AsSpan(0, Math.Min(count, buffer.Length)).CopyTo(buffer);
        return count == 0 ? -1 : count;
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
    }

    private void OnProcessExit(object? sender, EventArgs e) => Restore();

    private static class NativeMethods
    {
        [DllImport("kernel32", SetLastError = true)]
        [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
        public static extern nint GetStdHandle(int handle);

        [DllImport("kernel32", SetLastError = true)]
        [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
        [return: MarshalAs(UnmanagedType.Bool)]
        public static extern bool GetConsoleMode(nint handle, out uint mode);

        [DllImport("kernel32", SetLastError = true)]
        [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
        [return: MarshalAs(UnmanagedType.Bool)]
        public static extern bool SetConsoleMode(nint handle, uint mode);
    }
}
