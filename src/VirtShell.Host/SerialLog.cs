using System;
using System.Threading;
using System.Threading.Tasks;

namespace VirtShell.Host;

/// <summary>Append-only record of what a guest sent on a serial port. Thread-safe.</summary>
public sealed class SerialLog
{
    /// <summary>Bytes so far.</summary>
    public long Length => throw new NotSupportedException();

    /// <summary>A copy of the bytes from <paramref name="offset"/> on.</summary>
    public byte[] GetBytes(long offset = 0) => throw new NotSupportedException();

    /// <summary>The log as text (UTF-8, invalid bytes replaced).</summary>
    public string GetText(long offset = 0) => throw new NotSupportedException();

    public void Append(byte value) => throw new NotSupportedException();

    /// <summary>Completes when more than <paramref name="offset"/> bytes are there or the log is closed.</summary>
    public Task WaitForMoreAsync(long offset, CancellationToken cancellation) => throw new NotSupportedException();
}
