using System;

namespace VirtShell.Machine;

/// <summary>A boot image is not what it claims to be, or does not fit into the machine. The message says what and where.</summary>
public sealed class MachineBootException : Exception
{
    public MachineBootException(string message)
        : base(message)
    {
    }

    public MachineBootException(string message, Exception innerException)
        : base(message, innerException)
    {
    }
}
