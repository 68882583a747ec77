using System;

namespace VirtShell.Storage;

/// <summary>A disk image that cannot be opened, read or written; the message names the image and says what to do.</summary>
public sealed class StorageException : Exception
{
    public StorageException(string message)
        : base(message)
    {
    }

    public StorageException(string message, Exception? inner)
        : base(message, inner)
    {
    }

    public StorageException()
    {
    }
}
