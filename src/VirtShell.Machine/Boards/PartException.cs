using System;

namespace VirtShell.Machine.Boards;

/// <summary>A machine cannot be put together as asked: a part or option that there is not, a part that another needs, or two that claim the same. The message says which, and what to do.</summary>
public sealed class PartException : Exception
{
    public PartException(string message)
        : base(message)
    {
    }

    public PartException(string message, Exception inner)
        : base(message, inner)
    {
    }

    public PartException()
    {
    }
}
