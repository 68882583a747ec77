using System;

namespace VirtShell.Images;

/// <summary>A kernel, initramfs or disk source that cannot be had; the message says why and what to do.</summary>
public sealed class ImageException : Exception
{
    public ImageException(string message)
        : base(message)
    {
    }

    public ImageException(string message, Exception? inner)
        : base(message, inner)
    {
    }

    public ImageException()
    {
    }
}
