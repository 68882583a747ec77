using System;
using VirtShell.Storage;

namespace VirtShell.Machine.Tests.Drives;

/// <summary>An image that has vanished.</summary>
internal sealed class FailingDisk : IBlockDevice
{
    public long Length => new VirtShell.Machine.Drives.FloppyFormat(80, 2, 18).Bytes;

    public bool IsReadOnly => false;

    public void Read(long offset, Span<byte> destination) => throw new StorageException("gone");

    public void Write(long offset, ReadOnlySpan<byte> source) => throw new StorageException("gone");

    public void Flush() => throw new StorageException("gone");

    public void Discard(long offset, long length) => throw new StorageException("gone");

    public void Dispose()
    {
    }
}
