using System;

namespace VirtShell.Cli.Terminals;

/// <summary>The terminal (or pipe) that a guest's serial console is connected to; what differs by system is behind this.</summary>
internal interface ITerminal : IDisposable
{
    /// <summary>Whether both input and output are a terminal, so that keys go to the guest one by one.</summary>
    bool IsInteractive { get; }

    /// <summary>Whether input may still come that is on nobody's disk: a terminal, or a pipe whose other end is open. False for a file and where there is no input.</summary>
    bool IsInputOpen { get; }

    /// <summary>Hands every key over as it is typed, without echo and without signals. Undone by <see cref="Restore"/> and on disposal.</summary>
    void EnterRawMode();

    void Restore();

    /// <summary>Waits for input for at most <paramref name="milliseconds"/>. Gives the number of bytes read, 0 where none came, -1 at the end of the input.</summary>
    int Read(Span<byte> buffer, int milliseconds);

    void Write(ReadOnlySpan<byte> bytes);
}

/// <summary>Opens this system's terminal.</summary>
internal static class Terminal
{
    public static ITerminal Open() => OperatingSystem.IsWindows() ? new WindowsTerminal() : new UnixTerminal();
}
