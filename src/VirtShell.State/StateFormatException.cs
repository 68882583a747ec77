using System;

namespace VirtShell.State;

/// <summary>Saved state that cannot be read: damaged, cut short, or newer than this program.</summary>
public sealed class StateFormatException : Exception
{
    public StateFormatException(string message)
        : base(message)
    {
    }

    public StateFormatException(string message, Exception inner)
        : base(message, inner)
    {
    }

    public StateFormatException()
    {
    }
}
