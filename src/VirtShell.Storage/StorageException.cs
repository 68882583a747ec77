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

    /// <summary>Whether a throw-away disk has no room for a change. What it holds already stays, and it takes writes again once there is room.</summary>
    public bool IsFull { get; init; }
}
