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

    /// <summary>Offset of the oldest byte still held: 0 unless the log has outgrown its cap and dropped its beginning.</summary>
    public long FirstOffset => throw new NotSupportedException();

    /// <summary>Whether no more bytes will come.</summary>
    public bool IsClosed => throw new NotSupportedException();

    /// <summary>A 64-bit FNV-1a hash of every byte so far, dropped ones included; equal for byte-identical logs. Stable once the log is closed.</summary>
    public ulong Hash => throw new NotSupportedException();

    /// <summary>The last <paramref name="lines"/> lines as text, without line ends.</summary>
    public System.Collections.Generic.IReadOnlyList<string> GetTail(int lines) => throw new NotSupportedException();

    /// <summary>Bytes from <paramref name="offset"/> on as they arrive; ends when the log is closed.</summary>
    public System.Collections.Generic.IAsyncEnumerable<byte[]> FollowAsync(long offset = 0, CancellationToken cancellation = default) => throw new NotSupportedException();

    public void Append(byte value) => throw new NotSupportedException();

    /// <summary>Completes when more than <paramref name="offset"/> bytes are there or the log is closed.</summary>
    public Task WaitForMoreAsync(long offset, CancellationToken cancellation) => throw new NotSupportedException();
}
